"""The last days before an issue, row by row: no column of it can hold a later day.

Sums run over days one after another, each for all rows at once, so that a row's bits do not depend on the rows beside it.
"""

from __future__ import annotations

import numpy as np

from analytics.daily.panel import Floats, Index

MEMORY = 75  # days: five springs and neaps
GAP = 4  # days without a value, between two that have one, that a line is drawn across


def recent(values: Floats, day: Index, station: Index, *, memory: int = MEMORY) -> Floats:
    """(n, m) → (k, memory): the values up to and with `day` (k,), the oldest first; NaN before the first day."""
    at = day[:, None] - np.arange(memory)[::-1]
    return np.where(at >= 0, values[np.maximum(at, 0), station[:, None]], np.nan)


def filled(window: Floats, *, gap: int = GAP) -> Floats:
    """Gaps of up to `gap` days between two values of the window (k, w), on the line between them."""
    here = np.arange(window.shape[1])
    seen = np.isfinite(window)
    before = np.maximum.accumulate(np.where(seen, here, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, here, len(here))[:, ::-1], axis=1)[:, ::-1]
    between = ~seen & (before >= 0) & (after < len(here)) & (after - before <= gap + 1)
    row, column = np.nonzero(between)
    lo, hi = before[row, column], after[row, column]
    share = (column - lo) / (hi - lo)
    found = window.copy()
    found[row, column] = (1 - share) * window[row, lo] + share * window[row, hi]
    return found


def carried(window: Floats, *, days: int) -> Floats:
    """Where nothing was measured: the last value, if it is at most so many days old."""
    here = np.arange(window.shape[1])
    last = np.maximum.accumulate(np.where(np.isfinite(window), here, -1), axis=1)
    known = (last >= 0) & (here - last <= days)
    return np.where(known, np.take_along_axis(window, np.maximum(last, 0), axis=1), np.nan)


def mean_of(window: Floats, width: int, *, back: int = 0, least: int) -> Floats:
    """Mean (k,) over `width` days that end `back` days ago; NaN under `least` values."""
    n, total = _sum(window, width, back, 0.0, power=1)
    found: Floats = np.divide(total, n, out=np.full(len(window), np.nan), where=n >= least)
    return found


def spread_of(window: Floats, width: int, *, least: int) -> Floats:
    """Standard deviation (k,) over the last `width` days; NaN under `least` values."""
    n, total = _sum(window, width, 0, np.nan_to_num(mean_of(window, width, least=1)), power=2)
    found: Floats = np.sqrt(np.divide(total, n - 1, out=np.full(len(window), np.nan), where=n >= max(least, 2)))
    return found


def extremes_of(window: Floats, width: int, *, least: int) -> tuple[Floats, Floats]:
    """Highest and lowest (k,) of the last `width` days; NaN under `least` values."""
    part = window[:, -width:]
    seen = np.isfinite(part)
    enough = seen.sum(axis=1) >= least
    high, low = np.where(seen, part, -np.inf).max(axis=1), np.where(seen, part, np.inf).min(axis=1)
    return np.where(enough, high, np.nan), np.where(enough, low, np.nan)


def _sum(window: Floats, width: int, back: int, middle: Floats | float, *, power: int) -> tuple[Floats, Floats]:
    n, total = np.zeros(len(window)), np.zeros(len(window))
    end = window.shape[1] - back
    for column in range(max(end - width, 0), end):
        part = window[:, column]
        seen = np.isfinite(part)
        n += seen
        total += np.where(seen, part - middle, 0.0) ** power
    return n, total
