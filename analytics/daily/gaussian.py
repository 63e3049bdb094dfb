"""A station's own Gaussian process: how it goes on, from its last 75 days and the tide that is known ahead.

In units of the station's own variance v, which is profiled out (v = y'K⁻¹y/n, so that the mean is free of it), the covariance of two
days Δ apart with drives x, x' (see `analytics.daily.sky`) is

    25 + exp(−Δ/slow) + a·exp(−Δ/fast) + b·exp(−2 sin²(πΔ/14.765))·exp(−Δ/decay) + c·x·x' + noise

Its seven numbers are shared by all stations: those whose forecasts of 1 to 14 days were best in windows of the training days. (Chosen by the
likelihood they make smooth, slow curves that forecast worse.) The level of 25 lets any station stand anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Floats, Index
from analytics.daily.recent import MEMORY, recent
from analytics.daily.sky import Sky

LEVEL = 25.0
SPRINGS = 14.765  # days
LEAST = 3  # values in the last MEMORY days
_AHEAD = 14  # leads the seven numbers are chosen for
_WINDOWS, _FEWEST, _STATIONS = 60, 5, 3  # windows looked at, under how many the numbers below stay, stations of each
_KNOWN, _CAME = 20, 5  # values of a window, before and after its end
_PRIOR = 0.003
_BOUNDS = (-7.0, 6.0)
_SMALL = 1e-6  # of a variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """Logarithms of a, fast, slow, b, decay, c, noise."""

    theta: tuple[float, ...] = tuple(math.log(x) for x in (0.1, 3.0, 60.0, 0.3, 45.0, 0.5, 0.02))

    def still(self, n: int) -> Floats:
        """Covariance of n days in a row (n, n), without the tide's part and without noise."""
        lag = np.abs(np.arange(n)[:, None] - np.arange(n)).astype(np.float64)
        a, fast, slow, b, decay, _, _ = np.exp(self.theta)
        springs = np.exp(-2 * np.sin(np.pi * lag / SPRINGS) ** 2)
        found: Floats = LEVEL + np.exp(-lag / slow) + a * np.exp(-lag / fast) + b * springs * np.exp(-lag / decay)
        return found

    @property
    def tide(self) -> float:
        """c."""
        return math.exp(self.theta[5])

    @property
    def noise(self) -> float:
        """Of one day."""
        return math.exp(self.theta[6])


def ahead(kernel: Kernel, values: Floats, above: Sky, day: Index, station: Index, days: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation (k, days) of the days after `day` (k,) at `station` (k,), of `values` (n, m) whose day 0 is MEMORY − 1 days into `above`.

    NaN where under LEAST values are known.
    """
    window = recent(values, day, station)
    known = np.isfinite(window)
    mean, sd = np.full((len(day), days), np.nan), np.full((len(day), days), np.nan)
    still = kernel.still(MEMORY + days)
    speaks = known.sum(axis=1) >= LEAST
    for t in np.unique(day[speaks]):
        drive = above.drive[t : t + MEMORY + days]
        whole = still + kernel.tide * (drive @ drive.T)
        alike: dict[bytes, list[int]] = {}
        for row in np.nonzero(speaks & (day == t))[0].tolist():
            alike.setdefault(known[row].tobytes(), []).append(row)
        for rows in alike.values():
            _say(whole, kernel.noise, window, known[rows[0]], rows, mean, sd)
    return mean, sd


def _say(whole: Floats, noise: float, window: Floats, seen: NDArray[np.bool_], rows: list[int], mean: Floats, sd: Floats) -> None:
    """Fill in `rows`, all of which know the same days. One row at a time, so that its bits are its own."""
    across = whole[:MEMORY, MEMORY:][seen]
    inverse = np.linalg.inv(whole[:MEMORY, :MEMORY][np.ix_(seen, seen)] + noise * np.eye(int(seen.sum())))
    weights = inverse @ across
    left = np.maximum(np.diag(whole)[MEMORY:] - (across * weights).sum(axis=0) + noise, 1e-9)
    for row in rows:
        y = window[row, seen]
        mean[row] = (weights * y[:, None]).sum(axis=0)
        variance = max(float((y * (inverse * y[:, None]).sum(axis=0)).sum()) / len(y), _SMALL)
        sd[row] = np.sqrt(variance * left)


# ------------------------------------------------------------ its numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Values before (MEMORY, s), drive of those and the days after, values after (_AHEAD, s)."""

    before: Floats
    drive: Floats
    after: Floats


def fit_kernel(values: Floats, above: Sky) -> Kernel:
    """Of training days (n, m), `above` as in `ahead`. Deterministic; Kernel() where the days are too few."""
    from scipy.optimize import minimize  # only what trains pays for it

    windows = _windows(values, above)
    if len(windows) < _FEWEST:
        return Kernel()
    last = [window.before[np.isfinite(window.before).any(axis=1)][-1] for window in windows]
    most = 4 * float(np.nanstd(np.concatenate([(w.after - y).ravel() for w, y in zip(windows, last, strict=True)])))
    start = np.array(Kernel().theta)
    found = minimize(_loss, start, args=(windows, most), method="L-BFGS-B", options={"maxiter": 12}, bounds=[_BOUNDS] * len(start))
    return Kernel(theta=tuple(found.x.tolist()))


def _windows(values: Floats, above: Sky) -> list[Window]:
    draw = np.random.default_rng(0)
    every = np.arange(values.shape[1], dtype=np.int64)
    ends = np.nonzero(np.isfinite(values).any(axis=1))[0]
    later = np.concatenate((values, np.full((_AHEAD, values.shape[1]), np.nan)))
    found: list[Window] = []
    for t in draw.permutation(ends[ends >= MEMORY // 2])[: 4 * _WINDOWS].tolist():
        before = recent(values, np.full(len(every), t), every).T
        after = later[t + 1 : t + 1 + _AHEAD]
        whole = np.nonzero((np.isfinite(before).sum(axis=0) >= _KNOWN) & (np.isfinite(after).sum(axis=0) >= _CAME))[0]
        if len(whole):
            some = draw.choice(whole, size=min(_STATIONS, len(whole)), replace=False)
            found.append(Window(before=before[:, some], drive=above.drive[t : t + MEMORY + _AHEAD], after=after[:, some]))
        if len(found) == _WINDOWS:
            break
    return found


def _loss(theta: Floats, windows: list[Window], most: float) -> float:
    """Mean over leads of log mean squared error of what came after each window, no error counted beyond `most`; weakly held to Kernel()."""
    kernel = Kernel(theta=tuple(theta))
    still = kernel.still(MEMORY + _AHEAD)
    total, n = np.zeros(_AHEAD), np.zeros(_AHEAD)
    for window in windows:
        whole = still + kernel.tide * (window.drive @ window.drive.T)
        for before, after in zip(window.before.T, window.after.T, strict=True):
            seen = np.isfinite(before)
            known = whole[:MEMORY, :MEMORY][np.ix_(seen, seen)] + kernel.noise * np.eye(int(seen.sum()))
            error = whole[:MEMORY, MEMORY:][seen].T @ np.linalg.solve(known, before[seen]) - after
            came = np.isfinite(error)
            total[came] += np.minimum(error[came] ** 2, most**2)
            n[came] += 1
    enough = n > _CAME
    return float(np.log(total[enough] / n[enough] + 1e-12).mean()) + _PRIOR * float(((theta - np.array(Kernel().theta)) ** 2).sum()) if enough.any() else 0.0
