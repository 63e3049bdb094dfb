"""When the water outside a sluice is fresher than the water inside, and when it is not: the moments to open and to shut it. Pure.

How the water inside and the water outside depend on each other nobody knows, and a sluice that was opened or shut changes it. So nothing is
assumed of it: what is stated is the least that P(outside < inside) can be whatever the dependence, the highest over x of P(outside ≤ x) +
P(inside > x) − 1 (Makarov 1981, doi 10.1137/1126086). It is low where the two intervals overlap: then only a measurement tells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby

from core.bands import LINES
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.verdict import Verdict
from core.window import AHEAD_H, KNOWN

INSIDE, OUTSIDE = "in", "out"  # the points of a station that has both


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """start ≤ t < end [ms], whole hours in a row in which the likeliest water is fresher on one side: `fresher` is `out` or `in`.

    `best` is the start of the hour in which that is surest, `p` how sure at least, `outside` and `inside` the medians of that hour [g/L]. `turns` is
    whether the forecast shows the other side fresher from `end` on; else it only ends there.
    """

    start: int
    end: int
    fresher: str
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
    """One hour of both forecasts: medians [g/L], and how sure at least each side is the fresher one."""

    start: int
    outside: float
    inside: float
    p_out: float
    p_in: float

    @property
    def fresher(self) -> str:
        """The side whose likeliest water is fresher."""
        return OUTSIDE if self.outside < self.inside else INSIDE


def sluice(verdicts: tuple[Verdict, Verdict], inside: Forecast | None, outside: Forecast | None, now: int) -> Sluice:
    """`verdicts` of the water inside and of that outside: where one of them is unknown or had no forecast, nothing is said of the sluice."""
    for verdict in verdicts:
        if verdict.verdict not in KNOWN:
            return Sluice(reason="no_data" if verdict.reason == "ok" else verdict.reason)
    if inside is None or outside is None or any(verdict.p is None for verdict in verdicts):
        return Sluice(reason="no_forecast")
    return Sluice(sides=crossing(inside, outside, now), reason="ok")


def crossing(inside: Forecast, outside: Forecast, now: int) -> tuple[Side, ...]:
    """The hours of the next 72 that both forecasts speak of, parted where the likeliest water outside falls under or rises over that inside.

    A missing hour parts them too. Where both are alike the inside counts as fresher: nothing is won by opening.
    """
    hours = _hours(inside, outside, now)
    parts = [list(part) for _, part in groupby(enumerate(hours), key=lambda h: (h[1].fresher, h[1].start - h[0] * HOUR_MS))]
    found = []
    for n, part in enumerate(parts):
        run = [hour for _, hour in part]
        is_out = run[0].fresher == OUTSIDE
        best = max(run, key=lambda h: (h.p_out, h.inside - h.outside) if is_out else (h.p_in, h.outside - h.inside))
        end = run[-1].start + HOUR_MS
        follows = n + 1 < len(parts) and parts[n + 1][0][1].start == end
        found.append(
            Side(
                start=run[0].start,
                end=end,
                fresher=run[0].fresher,
                best=best.start,
                p=best.p_out if is_out else best.p_in,
                outside=best.outside,
                inside=best.inside,
                turns=follows,
            )
        )
    return tuple(found)


def _hours(inside: Forecast, outside: Forecast, now: int) -> list[_Hour]:
    first = now - now % HOUR_MS
    of_outside = {start: i for i, start in enumerate(outside.times)}
    found = {}
    for i, start in enumerate(inside.times):
        o = of_outside.get(start)
        if o is None or start % HOUR_MS or not first <= start < first + AHEAD_H * HOUR_MS:
            continue
        p_out, p_in = least_below(outside, o, inside, i), least_below(inside, i, outside, o)
        if not (math.isnan(p_out) or math.isnan(p_in)):
            found[start] = _Hour(start=start, outside=outside.quantiles[o][MEDIAN], inside=inside.quantiles[i][MEDIAN], p_out=p_out, p_in=p_in)
    return [found[start] for start in sorted(found)]


def least_below(low: Forecast, i: int, high: Forecast, j: int) -> float:
    """The least P(low < high) of the i-th lead of one and the j-th of the other forecast, whatever their dependence; NaN where one is not sound.

    Only values are looked at for which `high` states its chance: above them `Forecast.exceedance` says rather too much.
    """
    stated = {*high.quantiles[j], *LINES}
    chances = [high.exceedance(j, x) - low.exceedance(i, x) for x in stated if not x <= 0]
    return math.nan if any(math.isnan(c) for c in chances) else max(0.0, *chances)
