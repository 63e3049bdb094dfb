"""When water may be taken: the hours ahead in which salinity stays at or under a limit with a stated probability. Pure, as the verdict is."""

from __future__ import annotations

from dataclasses import dataclass

PROMISED = 0.9  # a window is said where P(S ≤ limit) is at least so high in each of its hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """start ≤ t < end [ms], whole hours; `p` is the least P(S ≤ limit) of its hours; `quantiles` of the hour with the lowest median [g/L]."""

    start: int
    end: int
    p: float
    quantiles: tuple[float, ...]
