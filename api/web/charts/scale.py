"""The one salinity scale: each band has equal room (0 · 0.5 · 1 · 2 · 4 · 8), so a ruler, a chart and a sparkline read alike.

A chart of water that is saltier goes on by doubling (16 · 32 · 64), each step with the same room and in the colour of the last band.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from core.bands import LINES

TICKS = (0.0, *LINES, 8.0)  # ends of the five bands [g/L]
BANDS = len(TICKS) - 1
TOP = TICKS[-1]  # where the ruler ends; what is saltier is drawn there, with a mark
FARTHER = (16.0, 32.0, 64.0)  # sea water has 35; what is over all of these is no water of a river, and is marked


def ticks_for(values: Iterable[float]) -> tuple[float, ...]:
    """The scale that holds all of these [g/L], as far as one reaches."""
    most = max((v for v in values if not math.isnan(v)), default=0.0)
    return (*TICKS, *FARTHER[: bisect_left((TOP, *FARTHER), most)])


def position(value: float, ticks: tuple[float, ...] = TICKS) -> float:
    """Where `value` [g/L] stands from 0 (fresh end) to 1 (salty end): linear within its step, clamped at both ends; NaN stays NaN."""
    if math.isnan(value):
        return value
    if value <= 0:
        return 0.0
    if value >= ticks[-1]:
        return 1.0
    i = bisect_right(ticks, value) - 1
    return (i + (value - ticks[i]) / (ticks[i + 1] - ticks[i])) / (len(ticks) - 1)


def is_beyond(value: float, ticks: tuple[float, ...] = TICKS) -> bool:
    """Whether `value` [g/L] lies above the scale's end and so must be marked."""
    return value > ticks[-1]
