"""What is said of a sluice, scored against the water of both its sides: is it better open, or shut? Pure.

At each instant at which one side or the other was forecast anew it is said, of each stretch of hours, in which of them that is surest and how sure at
least (`core.sluice`). A chance *at least* is right where it comes so often or more: not `p` itself is held against what came, but that it was not too
high. It is scored at `LIMIT`, as pages say it; said again in the hours after, it is not scored.

An hour counts where both sides were read in it, as an hour does that is forecast by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.history import History, hour_maxima, local_date
from analytics.record import Sums, add_line, month_of
from core.forecast import HOUR_MS, Forecast
from core.highest import covered, touching
from core.record import SLUICE, SLUICE_HOURS, VALUES, Day, Score, bin_of
from core.risk import Risk
from core.sluice import INSIDE, OPEN, OUTSIDE, Side, crossing
from core.told import is_told
from core.window import AHEAD_H

_RISK = Risk()  # as it is shipped: records can be compared whatever an installation sets
LIMIT = _RISK.limit
_SAID_BEFORE_MS = AHEAD_H * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """At the instant `at` [ms] of an issue of either side: the newest of both, and what they say of the sluice. `model` names both where they differ."""

    at: int
    inside: Forecast
    outside: Forecast
    sides: tuple[Side, ...]

    @property
    def model(self) -> str:
        models = dict.fromkeys((self.inside.model, self.outside.model))
        return "+".join(models)


def sluice_scored(
    inside: Sequence[Forecast], outside: Sequence[Forecast], histories: tuple[History, History], *, after: int, until: int
) -> tuple[list[Score], list[Day]]:
    """Of the issues of `hour` inside and outside: scores, and the highest on each side, of the hours that end in after < end ≤ until [ms].

    `histories` are those inside and outside. What is told twice within an hour of the clock of one hour counts once. Stretches that follow each other
    score each once.
    """
    said: dict[tuple[str, int, int], tuple[Told, Side]] = {}
    for told in tell(inside, outside, since=after - _SAID_BEFORE_MS, until=until):
        for side in told.sides:
            if after < side.best + HOUR_MS <= until:
                said.setdefault((told.model, told.at // HOUR_MS, side.best), (told, side))
    starts = np.array(sorted({side.best for _, side in said.values()}), dtype=np.int64)
    highs = [dict(zip(starts.tolist(), hour_maxima(h, starts).tolist(), strict=True)) for h in histories]
    sums = Sums()
    for told, side in said.values():
        f = replace(told.inside, model=told.model)
        lead = lead_of(told, side)
        month = month_of(local_date(side.best, histories[0].zone))
        within, beyond = (high[side.best] for high in highs)
        counts = np.isfinite(within) and np.isfinite(beyond)
        sums.of(f, SLUICE[side.better], lead, VALUES, 0, month)["n" if counts else "missing"] += 1
        if counts:
            add_line(sums.of(f, SLUICE[side.better], lead, LIMIT, bin_of(side.p), month), side.p, is_so(side, within, beyond))
    rows = [
        Day(station=h.station, point=INSIDE, target=target, time=start, model="", said=(), came=high if np.isfinite(high) else None)
        for target, h, by_start in zip((SLUICE_HOURS[INSIDE], SLUICE_HOURS[OUTSIDE]), histories, highs, strict=True)
        for start, high in by_start.items()
    ]
    return sums.scores(), rows


def is_so(side: Side, inside: float, outside: float) -> bool:
    """Whether it was so, by the highest of the hour on both sides [g/L]."""
    is_open = outside < inside and outside <= LIMIT
    return is_open if side.better == OPEN else not is_open


def lead_of(told: Told, side: Side) -> int:
    """The last of the 24 hours ahead in which the hour lies."""
    hours = -(-(side.best + HOUR_MS - told.at) // HOUR_MS)
    return -(-hours // 24) * 24


def tell(inside: Sequence[Forecast], outside: Sequence[Forecast], *, since: int, until: int) -> Iterator[Told]:
    """What was said at each instant since ≤ t < until [ms] at which an issue of `hour` was made, in order; only the first within an hour of the clock
    by the same models."""
    ordered = [sorted((f for f in its if not f.hindcast and f.target == "hour"), key=lambda f: (f.issued_at, f.id)) for its in (inside, outside)]
    newest: list[Forecast | None] = [None, None]
    places, seen = [0, 0], set[tuple[str, int]]()
    for at in sorted({f.issued_at for its in ordered for f in its}):
        for n, its in enumerate(ordered):
            while places[n] < len(its) and its[places[n]].issued_at <= at:
                newest[n] = its[places[n]]
                places[n] += 1
        a, b = newest
        if not since <= at < until or a is None or b is None or not (_speaks(a, at) and _speaks(b, at)):
            continue
        told = Told(at=at, inside=a, outside=b, sides=())
        if (told.model, at // HOUR_MS) not in seen:
            seen.add((told.model, at // HOUR_MS))
            yield replace(told, sides=crossing(a, b, at, limit=LIMIT))


def _speaks(f: Forecast, at: int) -> bool:
    """Whether a verdict would have a forecast: else nothing is said of the sluice."""
    end = at + _RISK.ahead_h * HOUR_MS
    return is_told(f, at, _RISK.forecast_max_age_h) and covered((f.times[i] for i in touching(f, at, end)), at, end)
