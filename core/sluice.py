"""When a sluice is better open, because the water outside is fresher than that inside and under the limit, and when better shut. Pure.

How the water inside and the water outside depend on each other nobody knows, and a sluice that was opened or shut changes it. So nothing is
assumed of it: what is stated is the least that P(outside < inside, outside ≤ limit) can be whatever the dependence, the highest over x ≤ limit of
P(outside ≤ x) + P(inside > x) − 1 (Makarov 1981, doi 10.1137/1126086). It is low where the two intervals overlap: then only a measurement tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from core.bands import LINES
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.verdict import Verdict
from core.window import AHEAD_H, withheld

INSIDE, OUTSIDE = "in", "out"  # the points of a station that has both
OPEN, SHUT = "open", "shut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """start ≤ t < end [ms], whole hours in a row in which the sluice is better `open` or better `shut` by what is likeliest.

    `best` is the start of the hour in which that is surest, `p` how sure at least, `outside` and `inside` the medians of that hour [g/L]. `turns` is
    whether the forecast shows the other from `end` on; else it only ends there.
    """

    start: int
    end: int
    better: str
    best: int
    p: float
    outside: float
    inside: float
    turns: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sluice:
    """The sides in order of time; `reason` why there are none, as in `core.window.Windows`."""

    sides: tuple[Side, ...] = ()
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hour:
    """One hour of both forecasts: medians [g/L], what is better, and how sure that is at least."""

    start: int
    outside: float
    inside: float
    better: str
    p: float


def sluice(verdicts: tuple[Verdict, Verdict], inside: Forecast | None, outside: Forecast | None, now: int) -> Sluice:
    """`verdicts` of the water inside and outside, by one limit: where one of them is unknown or had no forecast, nothing is said of the sluice."""
    why = [reason for reason in map(withheld, verdicts) if reason]
    if why or inside is None or outside is None:
        return Sluice(reason=min(why, key=lambda reason: reason == "no_forecast", default="no_forecast"))  # what is wrong with the water is told first
    return Sluice(sides=crossing(inside, outside, now, limit=verdicts[1].limit), reason="ok")


def crossing(inside: Forecast, outside: Forecast, now: int, *, limit: float) -> tuple[Side, ...]:
    """The hours of the next 72 that both forecasts speak of, parted where the likeliest water outside falls under or rises over that inside, or `limit`.

    A missing hour parts them too. Where both are alike it is better shut: nothing is won by opening.
    """
    hours = _hours(inside, outside, now, limit)
    parts = [[hour for _, hour in part] for _, part in groupby(enumerate(hours), key=lambda h: (h[1].better, h[1].start - h[0] * HOUR_MS))]
    found = []
    for n, run in enumerate(parts):
        best = max(run, key=lambda h: (h.p, abs(h.inside - h.outside)))
        end = run[-1].start + HOUR_MS
        found.append(
            Side(
                start=run[0].start,
                end=end,
                better=best.better,
                best=best.start,
                p=best.p,
                outside=best.outside,
                inside=best.inside,
                turns=n + 1 < len(parts) and parts[n + 1][0].start == end,
            )
        )
    return tuple(found)


def _hours(inside: Forecast, outside: Forecast, now: int, limit: float) -> list[_Hour]:
    first = now - now % HOUR_MS
    of_outside = {start: i for i, start in enumerate(outside.times)}
    found = {}
    for i, start in enumerate(inside.times):
        o = of_outside.get(start)
        if o is None or start % HOUR_MS or not first <= start < first + AHEAD_H * HOUR_MS:
            continue
        opening, shutting = _looked_at(inside, i, limit), _looked_at(outside, o, math.inf)
        at = list({*opening, *shutting, limit})
        within, beyond = (dict(zip(at, f.exceedances(n, at), strict=True)) for f, n in ((inside, i), (outside, o)))
        over = beyond[limit]
        chances = {OPEN: _least(opening, beyond, within), SHUT: max(over, _least(shutting, within, beyond))}
        if any(math.isnan(p) for p in (over, *chances.values())):
            continue
        medians = outside.quantiles[o][MEDIAN], inside.quantiles[i][MEDIAN]
        better = OPEN if medians[0] < min(medians[1], limit) else SHUT
        found[start] = _Hour(start=start, outside=medians[0], inside=medians[1], better=better, p=chances[better])
    return [found[start] for start in sorted(found)]


def least_below(low: Forecast, i: int, high: Forecast, j: int, *, most: float = math.inf) -> float:
    """The least P(low < high, low ≤ `most`) of the i-th lead of one and the j-th of the other forecast, whatever their dependence; NaN where one is not sound.

    Only values are looked at for which `high` states its chance: above them `Forecast.exceedance` says rather too much.
    """
    at = _looked_at(high, j, most)
    below, above = (dict(zip(at, f.exceedances(n, at), strict=True)) for f, n in ((low, i), (high, j)))
    return _least(at, below, above)


def _looked_at(high: Forecast, j: int, most: float) -> list[float]:
    stated = {*high.quantiles[j], *LINES}
    if most < max(stated):
        stated.add(most)
    return [x for x in stated if not (x <= 0 or x > most)]


def _least(at: list[float], low: dict[float, float], high: dict[float, float]) -> float:
    """By the chances of more than each of these values [g/L]."""
    chances = [high[x] - low[x] for x in at]
    return math.nan if any(math.isnan(c) for c in chances) else max(0.0, *chances)
