"""A sluice: shut while the tide is strong in the salty months, so that the water behind it stays fresher than the river."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_sim import tide as tides
from firmware_sim.estuary import HOUR_MS, LOCAL_MS, Estuary, true_salinity

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """When it is shut (by month and spring ratio, or in a window [ms] given by hand), and how much salt leaks in all the same.

    `leak` from Kênh Lầu, 12 March 2024: 5.1 g/L outside, 1.7 inside.
    """

    months: tuple[int, ...] = ()
    spring_above: float = 1.0
    leak: float = 0.33
    closures: tuple[tuple[int, int], ...] = ()


def is_closed(gate: Gate, estuary: Estuary, time_ms: ArrayLike) -> NDArray[np.bool_]:
    """Whether the sluice is shut, shape (n,)."""
    t = np.atleast_1d(np.asarray(time_ms, dtype=np.int64))
    month = (t + LOCAL_MS).astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    shut = np.isin(month, gate.months) & (tides.spring_ratio(estuary.tide, t) > gate.spring_above)
    for start, end in gate.closures:
        shut |= (t >= start) & (t < end)
    return np.asarray(shut, dtype=np.bool_)


def inside_salinity(gate: Gate, estuary: Estuary, km: float, time_ms: ArrayLike) -> Floats:
    """Salinity [g/L] behind the sluice, shape (n,): a day's mean of the river with a third of its tide, let in as far as it stood open."""
    t = np.atleast_1d(np.asarray(time_ms, dtype=np.int64))
    lags = np.arange(25) * HOUR_MS
    past = (t[:, None] - lags).ravel()
    river = true_salinity(estuary, km, past).reshape(len(t), -1)
    opened = 1.0 - is_closed(gate, estuary, past).reshape(len(t), -1).mean(axis=1)
    mean = river.mean(axis=1)
    damped = mean + 0.33 * (river[:, 0] - mean)
    return np.asarray(estuary.fresh + (opened + (1.0 - opened) * gate.leak) * (damped - estuary.fresh), dtype=np.float64)
