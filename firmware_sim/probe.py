"""What a probe reports of the true state: noise, resolution, and faults that are known by name so that a test can score them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.quantities import QUANTITIES
from firmware_sim.noise import normal, seed_of

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Truth = Callable[[Times], Mapping[str, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Standard deviation of the noise (relative and absolute) and the step of the display, in the quantity's unit."""

    relative: float = 0.0
    absolute: float = 0.0
    resolution: float


# ±3 % of conductivity, ±0.3 Cel and ±0.03 m³/m³ are what makers promise (HOBO U24, TEROS 12): three standard deviations here.
SPECS: dict[str, Spec] = {
    "water.ec": Spec(relative=0.01, resolution=0.01),
    "water.temperature": Spec(absolute=0.05, resolution=0.1),
    "water.level": Spec(absolute=0.005, resolution=0.01),
    "soil.moisture": Spec(absolute=0.004, resolution=0.001),
    "soil.ec_bulk": Spec(relative=0.015, absolute=0.003, resolution=0.01),
    "soil.temperature": Spec(absolute=0.1, resolution=0.1),
    "device.battery": Spec(absolute=0.005, resolution=0.01),
    "device.rssi": Spec(absolute=2.5, resolution=1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong from `start` (included) to `end` (excluded) [ms] with one channel's quantity, or with all where they are empty.

    kind: `stuck` keeps the last value before `start`; `offset` adds `amount`; `silent` sends nothing (of the whole device).
    """

    kind: str
    start: int
    end: int
    channel: str = ""
    quantity: str = ""
    amount: float = 0.0

    def hits(self, channel: str, quantity: str, time_ms: Times) -> NDArray[np.bool_]:
        """Where it changes what is reported, shape (n,)."""
        named = self.channel in ("", channel) and self.quantity in ("", quantity)
        return np.asarray((time_ms >= self.start) & (time_ms < self.end) & named, dtype=np.bool_)


def _plain(truth: Floats, quantity: str, seed: int, time_ms: Times) -> Floats:
    spec, span = SPECS[quantity], QUANTITIES[quantity]
    noise = np.clip(normal(seed_of(seed, quantity), time_ms), -3.0, 3.0)
    value = truth * (1.0 + spec.relative * noise) + spec.absolute * noise
    steps = np.round(np.clip(value, span.low, span.high) / spec.resolution)
    return np.asarray(np.round(steps * spec.resolution, 6), dtype=np.float64)


def report(truth: Truth, channel: str, seed: int, time_ms: Times, *, faults: tuple[Fault, ...] = (), before_ms: int = 900_000) -> dict[str, Floats]:
    """What the probe on `channel` reports at `time_ms` (n,): {quantity: (n,)}. The same seed and time give the same value.

    Args: before_ms: how long before a `stuck` fault its frozen value was read, one interval.
    """
    reported = {q: _plain(v, q, seed, time_ms) for q, v in truth(time_ms).items()}
    for fault in faults:
        for quantity, values in reported.items():
            hit = fault.hits(channel, quantity, time_ms)
            if fault.kind == "offset":
                values[hit] += fault.amount
            elif fault.kind == "stuck" and hit.any():
                last = np.array([fault.start - before_ms], dtype=np.int64)
                values[hit] = _plain(truth(last)[quantity], quantity, seed, last)[0]
    return reported


def labels(faults: tuple[Fault, ...], channel: str, quantity: str, time_ms: Times) -> list[str]:
    """The name of the fault behind each value, empty where there is none: what a QC test is scored against."""
    names = [""] * len(time_ms)
    for fault in faults:
        for i in np.flatnonzero(fault.hits(channel, quantity, time_ms)):
            names[i] = fault.kind
    return names
