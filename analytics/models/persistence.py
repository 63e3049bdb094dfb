"""Persistence: the water does tomorrow what it did a tidal day ago. The first honest model, and the bar for every later one.

`day_max`, `day_min`, leads 1–14 (lead 1 = the local day after the issue's): the highest (lowest) of the last 24 h 50 min.
`hour`, leads 1–72 (lead 1 = the hour that holds the issue time), the hour's maximum: that of the same hour 24 h 50 min before,
from lead 25 on 49 h 40 min, from lead 49 on 74 h 30 min. A lead whose source hour was not read is left out.

Its uncertainty is its own record: the errors in log1p the same rule made at this point over the last 60 days, by lead.
A point with under 20 observed days borrows the errors of all points; with under 3 nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from itertools import groupby

import numpy as np

from analytics.empirical import MIN_ERRORS, dressed
from analytics.history import (
    DAY_MS,
    TIDAL_DAY_MS,
    Floats,
    History,
    Stretches,
    Times,
    hour_maxima,
    local_date,
    local_times,
    stretches,
)
from analytics.model import HISTORY_MS, DriverHistory, Issue, Model
from core.forecast import HOUR_MS, Reason

DAY_LEADS = 14
HOUR_LEADS = 72
ISSUE_HOUR = 5  # local: past issues of the days are replayed as of this hour
RECORD_MS = 60 * DAY_MS
OWN_DAYS = 20
LEAST_DAYS = 3
OLDEST_NEWEST_MS = 6 * HOUR_MS

Errors = dict[int, Floats]  # by lead, or by tidal day: errors in log1p


def _say(target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
    """See `analytics.model.Say`; no driver is looked at."""
    seen = [h.between(at - HISTORY_MS, at) for h in histories]
    own = _hour_errors if target == "hour" else _day_errors

    @cache
    def pool() -> Errors:
        each = [own(h, at, target) for h in seen if len(h.time)]
        return {lead: np.sort(np.concatenate([e[lead] for e in each])) for lead in each[0]}

    found: list[Issue | None] = []
    for i in wanted:
        history = seen[i]
        values = _values(target, history, at)
        days = _observed_days(history, at) if values else 0
        if days < LEAST_DAYS:
            found.append(None)
            continue
        errors = own(history, at, target) if days >= OWN_DAYS else {}
        found.append(_issue(target, history, values, {lead: np.sort(e) for lead, e in errors.items()}, pool, at))
    return found


def _issue(target: str, history: History, values: dict[int, float], errors: Errors, pool: Callable[[], Errors], at: int) -> Issue | None:
    starts = _starts(target, history.zone, at)
    pooled = False
    rows: list[tuple[int, int, tuple[float, ...], tuple[float, ...]]] = []
    for key, group in groupby(values, key=_tidal_days if target == "hour" else int):
        leads = list(group)
        mine = errors.get(key)
        if mine is None or len(mine) < MIN_ERRORS:  # too few of its own for this lead: as at a young point
            mine = pool()[key]
            pooled = True
        if len(mine) >= MIN_ERRORS:
            steps, p_gt = dressed(np.array([values[lead] for lead in leads]), mine)
            rows += [(lead, starts[lead - 1], tuple(q), tuple(p)) for lead, q, p in zip(leads, steps.tolist(), p_gt.tolist(), strict=True)]
    if not rows:
        return None
    leads_, times, quantiles, p_gt_ = zip(*rows, strict=True)
    why = Reason(code="persistence", effect=0.0, lead=leads_[0])  # it weighs nothing: there is no number to tell
    return Issue(leads=leads_, times=times, quantiles=quantiles, p_gt=p_gt_, pooled=pooled, reasons=(why,))


def _values(target: str, history: History, at: int) -> dict[int, float]:
    """What the rule says for each lead, rising [g/L]; nothing where the point was not read lately."""
    if history.newest is None or at - history.newest > OLDEST_NEWEST_MS:
        return {}
    if target == "hour":
        leads = range(1, HOUR_LEADS + 1)
        back = np.array([_tidal_days(lead) * TIDAL_DAY_MS for lead in leads], dtype=np.int64)
        high = hour_maxima(history, np.array(_starts("hour", history.zone, at), dtype=np.int64) - back)
        return {lead: value for lead, value in zip(leads, high.tolist(), strict=True) if math.isfinite(value)}
    last = _last_tides(history, np.array([at], dtype=np.int64))
    return dict.fromkeys(range(1, DAY_LEADS + 1), float(_of(target, last)[0])) if last.whole[0] else {}


def _observed_days(history: History, at: int) -> int:
    """How many of the last 60 local days were read without a gap over 4 h and are over."""
    bounds = _midnights(history.zone, at)
    return int((stretches(history, bounds[:-1], bounds[1:]).whole & (bounds[1:] <= at)).sum())


def _day_errors(history: History, at: int, target: str) -> Errors:
    """By lead: what the rule erred in log1p, as if issued at each earlier 05:00 of the last 60 days, of days that are over."""
    bounds = _midnights(history.zone, at)
    days = len(bounds) - 1
    issued = local_times(history.zone, local_date(at - RECORD_MS, history.zone), days, hour=ISSUE_HOUR)
    source, truth = _last_tides(history, issued), stretches(history, bounds[:-1], bounds[1:])
    said = np.where(source.whole & (issued >= at - RECORD_MS) & (issued < at), _log(_of(target, source)), np.nan)
    came = np.where(truth.whole & (bounds[1:] <= at), _log(_of(target, truth)), np.nan)
    return {lead: _known(came[lead:] - said[: max(days - lead, 0)]) for lead in range(1, DAY_LEADS + 1)}


def _hour_errors(history: History, at: int, target: str) -> Errors:
    """By tidal day: what the rule erred in log1p for each hour of the last 60 days that is over."""
    over = at // HOUR_MS * HOUR_MS
    hours = np.arange(over - RECORD_MS, over, HOUR_MS)
    came = _log(hour_maxima(history, hours))
    found = {}
    for back in range(1, HOUR_LEADS // 24 + 1):
        said = _log(hour_maxima(history, hours - back * TIDAL_DAY_MS))
        errors = _known(came - said)
        if len(errors) < MIN_ERRORS:
            # Of two-hourly readings 49 h 40 min apart none exist; those 50 h apart do: the next hour stands for the one never read.
            errors = _known(came[1:] - said[:-1])
        found[back] = errors
    return found


def _starts(target: str, zone: str, at: int) -> list[int]:
    """The start of each lead's interval [ms]."""
    if target == "hour":
        return [at // HOUR_MS * HOUR_MS + n * HOUR_MS for n in range(HOUR_LEADS)]
    return [int(t) for t in local_times(zone, local_date(at, zone) + timedelta(days=1), DAY_LEADS)]


def _midnights(zone: str, at: int) -> Times:
    """The local midnights from 60 days before the issue to the one after it."""
    first = local_date(at - RECORD_MS, zone)
    return local_times(zone, first, (local_date(at, zone) - first).days + 2)


def _tidal_days(lead: int) -> int:
    """How many tidal days before an hour its source lies."""
    return (lead - 1) // 24 + 1


def _last_tides(history: History, at: Times) -> Stretches:
    return stretches(history, at - TIDAL_DAY_MS, at)


def _of(target: str, found: Stretches) -> Floats:
    return found.high if target == "day_max" else found.low


def _log(value: Floats) -> Floats:
    """log1p of salinity; a reading a shade under 0 counts as fresh water. NaN stays."""
    return np.log1p(np.maximum(value, 0.0))


def _known(errors: Floats) -> Floats:
    return errors[np.isfinite(errors)]


MODEL = Model(name="persistence", version="1", targets=("day_max", "day_min", "hour"), say=_say)
