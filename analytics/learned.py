"""A fitted model of days as a model that issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from analytics.daily.explain import Drivers, drivers_heard, effects, reasons
from analytics.daily.histories import daily_of
from analytics.daily.model import LEVELS, Fitted, Said
from analytics.history import History, local_date, local_times
from analytics.model import HISTORY_MS, DriverHistory, Issue, Model
from core.forecast import HOUR_MS, QUANTILES, Reason
from core.model_card import ModelCard

DAYS = 76  # of the panel: all that end in the last 77 times 24 h, at whatever hour of the day it is issued
LEADS = range(1, 15)  # days ahead; lead 1 is the local day after the issue's
FITTED_LEADS = range(2, 16)  # what a model that issues is fitted for: its last whole day is the one before the issue's
TOLD = (1, 7)  # leads that reasons are looked for at
OLDEST_NEWEST_MS = 6 * HOUR_MS
LEAST_DAYS = 3  # under so many nothing is said
_STATED = [LEVELS.index(q) for q in QUANTILES]


def days_model(fitted: Fitted, card: ModelCard) -> Model:
    """For the card's target, leads 1–14, of a model fitted for FITTED_LEADS and `core.bands.LINES` on days of `daily_of`.

    It says nothing where the newest reading is older than 6 h, or under 3 days of the last 76 count; leads that it cannot speak of are left out.
    """

    def say(target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
        """See `analytics.model.Say`; each point is told from its own readings and its drivers' alone."""
        known = [replace(d, history=d.history.between(at - HISTORY_MS, at)) for d in drivers]
        seen = {i: histories[i].between(at - HISTORY_MS, at) for i in wanted}
        fresh = {i: h for i, h in seen.items() if h.newest is not None and at - h.newest <= OLDEST_NEWEST_MS}
        found: dict[int, Issue | None] = {}
        for zone in sorted({h.zone for h in fresh.values()}):
            rows = [i for i, h in fresh.items() if h.zone == zone]
            found |= dict(zip(rows, _issues(fitted, target, [fresh[i] for i in rows], at, known), strict=True))
        return [found.get(i) for i in wanted]

    return Model(name=card.model, version=card.version, targets=(card.target,), say=say)


def _issues(fitted: Fitted, target: str, histories: Sequence[History], at: int, given: Sequence[DriverHistory]) -> list[Issue | None]:
    zone = histories[0].zone
    daily = daily_of(histories, given, at, days=DAYS, target=target)
    today = local_date(at, zone)
    further = int((np.datetime64(today, "D") - daily.days[-1]).astype(np.int64))  # how much further off a day is from the last whole day: 1, before 05:00 2
    station = np.arange(len(histories), dtype=np.int64)
    day = np.full(len(histories), len(daily.days) - 1, dtype=np.int64)
    said = fitted.say(daily, day, station)
    spoken = {lead: said[lead + further] for lead in LEADS if lead + further in said}
    why = {lead: effects(fitted, daily, day, station, lead + further) for lead in TOLD if lead in spoken}
    told = reasons(why, {lead: spoken[lead].point for lead in why}, len(histories))
    starts = local_times(zone, today + timedelta(days=1), len(LEADS)).tolist()
    enough = np.isfinite(daily.target).sum(axis=0) >= LEAST_DAYS
    heard = drivers_heard(fitted, daily, day, station)
    return [
        _issue(spoken, i, dict(zip(LEADS, starts, strict=True)), told[i], _bearing(heard[i], histories[i], given)) if enough[i] else None
        for i in range(len(histories))
    ]


def _issue(spoken: Mapping[int, Said], row: int, starts: Mapping[int, int], why: tuple[Reason, ...], heard: Drivers) -> Issue | None:
    leads = [lead for lead, one in spoken.items() if np.isfinite(one.quantiles[row]).all() and np.isfinite(one.p_gt[row]).all()]
    if not leads:
        return None
    return Issue(
        leads=tuple(leads),
        times=tuple(starts[lead] for lead in leads),
        quantiles=tuple(tuple(spoken[lead].quantiles[row, _STATED].tolist()) for lead in leads),
        p_gt=tuple(tuple(spoken[lead].p_gt[row].tolist()) for lead in leads),
        drivers=heard.used,
        reasons=tuple(r for r in why if r.lead in leads),
        missing=heard.silent,
    )


def _bearing(found: Drivers, history: History, given: Sequence[DriverHistory]) -> Drivers:
    """A driver that bears on other stations alone is no loss; one that nobody brings any more is."""
    elsewhere = {d.name for d in given} - {d.name for d in given if d.bears_on is None or history.station in d.bears_on}
    return Drivers(used=found.used, silent=tuple(name for name in found.silent if name not in elsewhere))
