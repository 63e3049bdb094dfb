"""What is said of several hours, from what an issue says of each of them: by the verdict their highest chance, by alerts the chance of their highest. Pure.

P(the highest of some hours > limit) is at least the highest of their chances, as if one cause decided them all, and at most 1 − Π(1 − p), as if each
were drawn by itself. What is stated lies between: 1 − (1 − p of the surest hour) · Π(1 − p of the others)^`SHARE`. How it was measured: docs/decisions/0030.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from core.forecast import HOUR_MS, Forecast

SHARE = 0.08  # of what they would add were they independent; least log loss in the Mekong's seasons of 2020 and 2021, each said by what learned from the other
CELL_MS = 2 * HOUR_MS  # two hours count as one, with their higher chance: so it is the same whether a point is told of every hour or of every second one
HOLE_MS = HOUR_MS  # the longest stretch that may lack a forecast: two-hourly readings leave every second hour out


def chance_of_highest(hours: Iterable[tuple[int, float]]) -> float:
    """P(S > limit at some time in these hours), given (start [ms], P(S > limit)) of each; NaN where there is none, or one is NaN.

    It rises with each chance and with each hour more, is that of the hour where there is one, and is never under the highest.
    """
    cells: dict[int, float] = {}
    for start, p in hours:
        cell = start // CELL_MS
        if math.isnan(p):
            return math.nan
        cells[cell] = max(p, cells.get(cell, 0.0))
    if not cells:
        return math.nan
    *others, most = sorted(cells.values())
    if most >= 1.0:
        return 1.0
    none_else = SHARE * math.fsum(math.log1p(-p) for p in others)  # log P(none of the others passes)
    return min(1.0, most - (1.0 - most) * math.expm1(none_else))


def highest_chance(chances: Iterable[float]) -> float:
    """The highest P(S > limit) of some hours, which the verdict goes by; NaN where there is none, or one is NaN."""
    found = list(chances)
    return max(found) if found and not any(map(math.isnan, found)) else math.nan


def touching(f: Forecast, since: int, until: float) -> list[int]:
    """The leads, by place, of an `hour` issue whose hours touch since ≤ t < until [ms]: the hour that runs is one of them."""
    return [i for i, start in enumerate(f.times) if start + HOUR_MS > since and start < until]


def covered(starts: Iterable[int], since: int, until: float) -> bool:
    """Whether hours that begin at `starts` [ms] leave out no more than every second one: what was not forecast may be the salty hour."""
    known: float = since
    for start in (*sorted(starts), until):
        if start - known > HOLE_MS:
            return False
        known = start + HOUR_MS
    return True


def chance_within(f: Forecast, since: int, until: float, limit: float) -> float:
    """P(S > `limit` [g/L] at some time in since ≤ t < until [ms]) as an `hour` issue has it; NaN where it tells of none of these hours, or not soundly."""
    return chance_of_highest((f.times[i], f.exceedance(i, limit)) for i in touching(f, since, until))
