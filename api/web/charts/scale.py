"""The one salinity scale: each band has equal room (0 · 0.5 · 1 · 2 · 4 · 8), so a ruler, a chart and a sparkline read alike."""

from __future__ import annotations

import math
from bisect import bisect_right

from core.bands import LINES

TICKS = (0.0, *LINES, 8.0)  # ends of the five bands [g/L]
BANDS = len(TICKS) - 1
TOP = TICKS[-1]  # what is saltier is drawn at the top, with a mark


def position(value: float) -> float:
    """Where `value` [g/L] stands from 0 (fresh end) to 1 (salty end): linear within its band, clamped at both ends; NaN stays NaN."""
    if math.isnan(value):
        return value
    if value <= 0:
        return 0.0
    if value >= TOP:
        return 1.0
    i = bisect_right(TICKS, value) - 1
    return (i + (value - TICKS[i]) / (TICKS[i + 1] - TICKS[i])) / BANDS


def is_beyond(value: float) -> bool:
    """Whether `value` [g/L] lies above the scale's end and so must be marked."""
    return value > TOP
