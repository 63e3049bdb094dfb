"""The five bands of salinity everything is told in: < 0.5, 0.5–1, 1–2, 2–4 and ≥ 4 g/L."""

from __future__ import annotations

from bisect import bisect_right

LINES = (0.5, 1.0, 2.0, 4.0)  # between the bands [g/L]; also the lines forecasts state a probability for


def band(value: float) -> int:
    """0 (fresh) to 4 (very salty); a value on a boundary takes the saltier band. `value` in g/L."""
    return bisect_right(LINES, value)


def level(line: float) -> int:
    """The level of an alert about `line` [g/L]: the band that begins there (0.5 → 1 … 4 → 4)."""
    return band(line)
