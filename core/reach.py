"""How far the salt reaches: where a line (1 or 4 g/L) stands on a waterway, from the stations along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

REACH_LINES = (1.0, 4.0)  # [g/L]
LEAST = 0.01  # g/L: what a reading of nothing counts as, for it has no logarithm


@dataclass(frozen=True, slots=True, kw_only=True)
class StationMax:
    """A station on a waterway: km from the sea, and its maximum of the last 25 h [g/L]; None where no good data say it."""

    station: str
    km: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where `line` stands. `side`: `at` km; `over` (upstream of the last good station's km); `under` (seaward of the first's); `unknown`.

    `hatched` where a station between the two that say so is silent.
    """

    line: float
    side: str
    km: float | None
    hatched: bool = False


def reach(stations: Sequence[StationMax], line: float) -> Reach:
    """The line's furthest place: log-linear in km between neighbouring good stations, never extrapolated.

    The seaward of the two is at or over the line, the landward one under it. Args: line [g/L], above 0.
    """
    ordered = sorted(stations, key=lambda s: s.km)
    good = [(s.km, max(s.value, LEAST)) for s in ordered if s.value is not None and math.isfinite(s.value)]
    if not good:
        return Reach(line=line, side="unknown", km=None)
    if good[-1][1] >= line:
        return Reach(line=line, side="over", km=good[-1][0], hatched=_silent(ordered, good[-1][0], math.inf))
    for (low, salty), (high, fresh) in reversed(list(pairwise(good))):
        if salty >= line:
            share = math.log(salty / line) / math.log(salty / fresh)
            return Reach(line=line, side="at", km=low + share * (high - low), hatched=_silent(ordered, low, high))
    return Reach(line=line, side="under", km=good[0][0], hatched=_silent(ordered, -math.inf, good[0][0]))


def _silent(stations: Sequence[StationMax], low: float, high: float) -> bool:
    return any(low < s.km < high and s.value is None for s in stations)
