"""Why a fitted model says what it says: what the expected value would be had a group of its inputs not been known.

Inputs that are not known stand at their median of the training days; the spread stays as it was. Of the Gaussian process the tide ahead is not
known (the part of it that answers to the tide is left out), and its course is what it says then beside today's value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analytics.daily.crossfit import Learned, matrix, members
from analytics.daily.features import Known, above_days, driver_columns, driver_of, inputs, known
from analytics.daily.gaussian import ahead
from analytics.daily.last_value import last_values
from analytics.daily.model import Fitted
from analytics.daily.models.ensemble import Ensemble
from analytics.daily.models.gaussian import GaussianProcess
from analytics.daily.models.logistic import LogisticLead
from analytics.daily.panel import Daily, Floats, Index, Pairs
from analytics.daily.recent import MEMORY
from core.forecast import Reason

MOST = 3  # reasons of an issue
LEAST, LEAST_SHARE = 0.2, 0.05  # of an effect [g/L], and of the expected value: less is within what a probe errs by, and helps nobody

Group = tuple[str, str]  # code and name of a `core.forecast.Reason`
Effects = Mapping[Group, Floats]

_TIDE, _COURSE, _SEASON = ("tide", ""), ("course", ""), ("season", "")
_NAMES = (  # the first that fits; the level itself is in no group: all is told beside it
    (_TIDE, re.compile(r"t[hlr]?_|beat|resp|a(14|29)")),
    (("day", ""), re.compile(r"i_|mean_d1$")),
    (_SEASON, re.compile(r"y[cs]$")),
    (_COURSE, re.compile(r"(?!y$)")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """Of one row: names of the drivers whose readings went into what is said, and of those that are waited for and silent."""

    used: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


def reasons(effects: Mapping[int, Effects], points: Mapping[int, Floats], rows: int) -> list[tuple[Reason, ...]]:
    """Of each of k `rows`, the strongest first: of each group its strongest lead. `effects` and expected values `points` (k,) by lead, as it is to be told."""
    found: list[dict[Group, Reason]] = [{} for _ in range(rows)]
    for lead, groups in effects.items():
        for (code, name), values in groups.items():
            enough = np.abs(values) >= np.maximum(LEAST, LEAST_SHARE * np.abs(points[lead]))  # never of NaN
            for row in np.nonzero(enough)[0].tolist():
                reason = Reason(code=code, name=name, effect=round(float(values[row]), 3), lead=lead)
                before = found[row].get((code, name))
                if before is None or abs(reason.effect) > abs(before.effect):
                    found[row][code, name] = reason
    return [tuple(sorted(each.values(), key=lambda r: (-abs(r.effect), r.code, r.name))[:MOST]) for each in found]


def effects(fitted: Fitted, daily: Daily, day: Index, station: Index, lead: int) -> Effects:
    """How much higher (k,) the expected value `lead` days ahead is than had a group not been known; 0 where it plays no part.

    Of models of which it is not known how they come to what they say, nothing.
    """
    found: dict[Group, Floats] = {}
    rows, age = last_values(daily, day, station)
    for back in np.unique(age).tolist():
        here = rows[age == back]
        for group, values in _effects(fitted, daily, day[here] - back, station[here], lead + back).items():
            found.setdefault(group, np.zeros(len(day)))[here] = values
    return found


def learned_drivers(fitted: object) -> tuple[str, ...]:
    """Names of the drivers that what it says depends on, where they are known."""
    if not isinstance(fitted, Ensemble):
        return ()
    names = [d.name for d in fitted.drivers]
    groups = {group_of(column) for lead in fitted.leads.values() if lead.driven is not None for column in lead.driven.columns}
    return tuple(name for name in names if ("driver", name) in groups)


def drivers_heard(fitted: Fitted, daily: Daily, day: Index, station: Index) -> list[Drivers]:
    """Of each row; a driver that the model would not have used is neither."""
    found, learned = [Drivers()] * len(day), learned_drivers(fitted)
    if not isinstance(fitted, Ensemble) or not learned:
        return found
    rows, age = last_values(daily, day, station)
    each = [driver_columns(d, daily, day[rows] - age, station[rows]) for d in fitted.drivers]
    missed = fitted.missed(daily, day[rows] - age, station[rows], {name: column for one in each for name, column in one.items()})
    some = [np.isfinite(np.stack(list(one.values()))).sum(axis=0) > 0 for one in each]
    names = [d.name for d in fitted.drivers]
    for n, row in enumerate(rows.tolist()):
        used = () if missed[n].any() else tuple(name for name, known_ in zip(names, some, strict=True) if known_[n] and name in learned)
        found[row] = Drivers(silent=tuple(name for name, gone in zip(names, missed[n].tolist(), strict=True) if gone and name in learned), used=used)
    return found


def group_of(column: str) -> Group | None:
    """Of an input of the ensemble; None of the level."""
    whose = driver_of(column)
    if whose is not None:
        return "driver", whose
    return next((group for group, names in _NAMES if names.match(column)), None)


def _effects(fitted: Fitted, daily: Daily, day: Index, station: Index, lead: int) -> Effects:
    """As of days that have a value."""
    if isinstance(fitted, Ensemble):
        return _of_ensemble(fitted, daily, day, station, lead)
    return _of_gaussian(fitted, daily, day, station, lead) if isinstance(fitted, GaussianProcess) else {}


def _of_gaussian(model: GaussianProcess, daily: Daily, day: Index, station: Index, lead: int) -> Effects:
    above = above_days(daily, lead)
    mean = ahead(model.kernel, model.scale.of(daily.target), above, day, station, lead)[0][:, -1]
    calm, now = _calm(model, daily, day, station, lead), daily.target[day, station]
    return {_TIDE: model.scale.back(mean) - model.scale.back(calm), _COURSE: model.scale.back(calm) - np.maximum(now, model.scale.floor)}


def _calm(model: GaussianProcess, daily: Daily, day: Index, station: Index, lead: int) -> Floats:
    """What the Gaussian process says (k,) on the scale, without what answers to the tide ahead."""
    above, values, found = above_days(daily, lead), model.scale.of(daily.target), np.empty(len(day))
    for t in np.unique(day).tolist():
        drive = above.drive.copy()
        drive[t + MEMORY :] = 0.0
        rows = day == t
        found[rows] = ahead(model.kernel, values, replace(above, drive=drive), day[rows], station[rows], lead)[0][:, -1]
    return found


def _of_ensemble(model: Ensemble, daily: Daily, day: Index, station: Index, lead: int) -> Effects:
    fitted = model.leads.get(lead)
    if fitted is None:
        return {}
    facts = known(daily, day, station, scale=model.alone.scale, kernel=model.alone.kernel, drivers=model.drivers, within=model.within, furthest=lead)
    driven = (model.missed(daily, day, station, facts.columns).sum(axis=1) == 0) & (fitted.driven is not None)
    calm = _calm(model.alone, daily, day, station, lead)
    found: dict[Group, Floats] = {}
    for learned, mask, shares in ((fitted.driven, driven, fitted.shares(driven=True)), (fitted.bare, ~driven, fitted.shares(driven=False))):
        rows = np.nonzero(mask)[0]
        if len(rows):
            parts: list[tuple[float, Effects]] = []
            if learned is not None:
                parts.append((shares.learned, _of_learned(model, learned, facts, calm, rows, lead)))
            if shares.gaussian:
                parts.append((shares.gaussian, _of_gaussian(model.alone, daily, day[rows], station[rows], lead)))
            if fitted.beside is not None:
                parts.append((shares.logistic, _of_logistic(fitted.beside.logistic, model, daily, day[rows], station[rows], lead)))
            for share, groups in parts:
                for group, values in groups.items():
                    found.setdefault(group, np.zeros(len(day)))[rows] += share * values
    return found


def _of_logistic(fitted: LogisticLead, model: Ensemble, daily: Daily, day: Index, station: Index, lead: int) -> Effects:
    """All that it says beside today's value is of the week that was, or of the time of year."""
    said = fitted.say(daily, Pairs(day=day, station=station, lead=lead), model.alone.asked)
    return {_SEASON if fitted.whole_year else _COURSE: said.point - daily.target[day, station]}


def _of_learned(model: Ensemble, learned: Learned, facts: Known, calm: Floats, rows: Index, lead: int) -> Effects:
    columns = {name: column[rows] for name, column in inputs(facts, lead).items()}
    x = matrix(columns, learned.columns)
    change, apart = members(learned.learners, learned.standard(x))
    spread, y = learned.size(x, change, apart), columns["y"]
    point = learned.expected(y + change, spread, model.alone.scale)
    groups = [group_of(name) for name in learned.columns]
    instead = {_TIDE: calm[rows] - facts.now[rows], _COURSE: (facts.mean[:, -1] - calm)[rows]}  # of what the Gaussian process says
    found = {}
    for group in dict.fromkeys(g for g in groups if g is not None):
        without = x.copy()
        without[:, [g == group for g in groups]] = np.nan
        if group in instead and "gp" in learned.columns:
            without[:, learned.columns.index("gp")] = instead[group]
        found[group] = point - learned.expected(y + members(learned.learners, learned.standard(without))[0], spread, model.alone.scale)
    return found
