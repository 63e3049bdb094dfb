"""Three learners and a Gaussian process, told the tide ahead; how sure they may be comes from seasons they were kept from.

What is learned is the change from the issue day on a scale of logarithms (see `analytics.daily.dressing`), from the station's last 75 days, its
drivers, the tide that is known ahead, its own answer to that tide, and its own Gaussian process (see `gaussian`). Where days were read several times
the tide is told by its hours too, and one and two days ahead the course of the issue day (see `analytics.daily.course`). The value is the mean of
extremely randomised trees, small nets and a support vector machine; the two last hear louder what matters to the trees. The size of its error is a
model of its own, and smaller where the station's Gaussian process finds it quieter than others are (where several were learned from); quantiles and
chances are read from one curve of past errors in units of that size, all made on seasons that were left out of the learning.

Nothing knows a station by name: one that was never learned from is spoken of after 3 days. A day without a value is spoken of as of the last one,
up to 7 days back, where the longer lead was learned too. Where a driver that was learned from is silent for more than 3 days (at a station that
ever heard of it, when it was learned or since, or at any if it was known on half of the issues), what learned without any driver speaks, no surer
than the other would be of a usual value: who knows less is not surer. Of over 20,000 issues it learns from a draw (see `analytics.daily.issues`).

Where issues are few it shares the say with plainer models. Under 1,500 of a lead, values, quantiles and chances are means of three: of what was learned, of the
model `gaussian` and of the model `logistic`, the more of each the better it forecast the seasons left out. Under 120, or two seasons, there is nothing to
learn from nor to compare by: it is the model `gaussian`, and of 60 and more of one station alone a third is `logistic`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analytics.daily.crossfit import LEAST, MANY, Learned, Others, learn
from analytics.daily.dressing import Scale
from analytics.daily.drivers import Driver, drivers_of
from analytics.daily.features import Known, driver_column, driver_of, inputs, known
from analytics.daily.issues import MOST_ISSUES
from analytics.daily.last_value import from_last_value
from analytics.daily.model import DayModel, Said
from analytics.daily.models.gaussian import GaussianProcess, fit_with_past
from analytics.daily.models.logistic import LogisticLead, fit_lead
from analytics.daily.panel import Daily, Days, Floats, Index, Pairs
from analytics.daily.pool import GAUSSIAN, LEARNED, UNTRIED, Shares, pooled
from analytics.daily.references import has_whole_years
from analytics.daily.spread import left_out, seasons

_OFTEN = 0.5  # of the issues: a driver known as often is waited for
_LEAST_LEFT = 60  # rows to learn from while a season is left out

Mask = NDArray[np.bool_]
Part = tuple[Learned | None, Shares | None]  # what was learned, and whose share is how large: None where it is alone to speak


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Who else has a say where issues are few, and how large: beside `driven`, and beside `bare`; None where many were learned from."""

    logistic: LogisticLead
    driven: Shares | None
    bare: Shares | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """`driven` with drivers, `bare` without; None where there are none, or training days are too few. `beside`: None where nobody else has a say."""

    driven: Learned | None
    bare: Learned | None
    beside: Beside | None

    def shares(self, *, driven: bool) -> Shares:
        """Who says what is said with drivers, or without."""
        found = None if self.beside is None else self.beside.driven if driven else self.beside.bare
        alone = GAUSSIAN if (self.driven if driven else self.bare) is None else LEARNED
        return alone if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """`waited`: names of the drivers without which `bare` speaks at any station; `alone` where that does not either.

    `heard`: by driver the stations that had it on any day learned from: a panel of 76 days would forget it after a longer silence.
    """

    drivers: tuple[Driver, ...]
    waited: tuple[str, ...]
    heard: Mapping[str, tuple[str, ...]]
    within: bool
    leads: Mapping[int, Lead]
    alone: GaussianProcess

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """See `analytics.daily.model.Fitted`."""

        def speak(day: Index, station: Index) -> Mapping[int, Said]:
            found = _known(daily, day, station, self.alone, self.drivers, within=self.within, furthest=max(self.leads))
            driven: Mask = self.missed(daily, day, station, found.columns).sum(axis=1) == 0
            return {lead: self._said(one, found, driven, daily, Pairs(day=day, station=station, lead=lead)) for lead, one in self.leads.items()}

        return from_last_value(daily, day, station, self.alone.lines, speak) if self.leads else {}

    def missed(self, daily: Daily, day: Index, station: Index, columns: Mapping[str, Floats]) -> Mask:
        """(k, drivers): which were silent for more than 3 days and would have been used, `columns` being known of the same issues."""
        found = np.zeros((len(day), len(self.drivers)), dtype=bool)
        for n, driver in enumerate(self.drivers):
            given = daily.drivers.get(driver.name)
            heard = np.zeros(len(day), dtype=bool) if given is None else np.logical_or.accumulate(np.isfinite(given), axis=0)[day, station]
            before = np.isin(daily.stations, self.heard[driver.name])[station]
            found[:, n] = ~np.isfinite(columns[driver_column(driver.name)]) & (heard | before | (driver.name in self.waited))
        return found

    def _said(self, lead: Lead, found: Known, driven: Mask, daily: Daily, issues: Pairs) -> Said:
        said = self.alone.dressed(issues.lead, found.mean[:, issues.lead - 1])
        other = None if lead.beside is None else lead.beside.logistic.say(daily, issues, self.alone.asked)
        columns = inputs(found, issues.lead)
        speaks = np.isfinite(found.mean[:, 0])
        driven = speaks & driven if lead.driven is not None else np.zeros_like(speaks)
        for learned, rows, shares in ((lead.bare, speaks & ~driven, lead.shares(driven=False)), (lead.driven, driven, lead.shares(driven=True))):
            if rows.any() and shares != GAUSSIAN:
                parts = [(shares.gaussian, said.at(rows))]
                if other is not None:
                    parts.append((shares.logistic, other.at(rows)))
                if learned is not None:
                    some = {name: column[rows] for name, column in columns.items()}
                    least = lead.driven.width(some) if lead.driven is not None and learned is lead.bare else None
                    parts.append((shares.learned, learned.say(some, self.alone.scale, self.alone.asked, least=least)))
                one = pooled([(share, part) for share, part in parts if share], self.alone.lines)
                said.point[rows], said.quantiles[rows], said.p_gt[rows] = one.point, one.quantiles, one.p_gt
        return said


def fit_ensemble(daily: Daily, leads: Sequence[int], lines: Sequence[float], *, jobs: int | None = None, most: int = MOST_ISSUES) -> Ensemble:
    """Of training days, by `most` of their issues. `jobs`: processes that learn side by side; None leaves it to joblib's backend of the moment
    (one, where none is set).
    """
    from joblib import Parallel, delayed  # only what trains pays for it

    (alone, past), drivers = fit_with_past(daily, leads, lines, most), drivers_of(daily)
    within = any(bool((getattr(daily, name) != daily.target)[np.isfinite(daily.target)].any()) for name in ("low", "mean", "last", "high"))
    issues = past.issues
    found = _known(daily, issues.day, issues.station, alone, drivers, within=within, furthest=max(leads, default=1), told=(past.mean, past.sd))
    waited = tuple(d.name for d in drivers if len(found.now) and np.isfinite(found.columns[driver_column(d.name)]).mean() >= _OFTEN)
    kinds = {"bare": np.isfinite(found.mean[:, 0])}
    if drivers:
        kinds["driven"] = kinds["bare"] & _driven(found, waited)
    rows = {(lead, kind): np.nonzero(usable & np.isfinite(issues.came(daily, lead)))[0] for lead in leads for kind, usable in kinds.items()}
    pairs = {asked: Pairs(day=issues.day[some], station=issues.station[some], lead=asked[0]) for asked, some in rows.items()}
    tasks = (
        delayed(_learn)(*_taught(daily, found, some, pairs[asked], alone.scale), lead=asked[0], bare=asked[1] == "bare", scale=alone.scale)
        for asked, some in rows.items()
    )
    learned = dict(zip(rows, Parallel(n_jobs=jobs)(tasks), strict=True))
    return Ensemble(
        drivers=drivers,
        waited=waited,
        heard={d.name: _having(daily, d.name) for d in drivers},
        within=within,
        leads={lead: _lead(daily, pairs[lead, "bare"], alone, learned[lead, "bare"], learned.get((lead, "driven"), (None, None))) for lead in leads},
        alone=alone,
    )


def _lead(daily: Daily, pairs: Pairs, alone: GaussianProcess, bare: Part, driven: Part) -> Lead:
    few = bare[1] is not None or driven[1] is not None
    logistic = fit_lead(daily, pairs, alone.asked) if few else None
    return Lead(driven=driven[0], bare=bare[0], beside=None if logistic is None else Beside(logistic=logistic, driven=driven[1], bare=bare[1]))


def _having(daily: Daily, driver: str) -> tuple[str, ...]:
    """The stations with a value of it."""
    return tuple(daily.stations[i] for i in np.flatnonzero(np.isfinite(daily.drivers[driver]).any(axis=0)).tolist())


def _taught(daily: Daily, found: Known, rows: Index, pairs: Pairs, scale: Scale) -> tuple[Mapping[str, Floats], Floats, Days, bool, Others | None]:
    """Of the issues `pairs`, which are `rows` of what is known: columns (n,), the changes that came (n,), their days (n,), whether they are of several
    stations, and where they are few what logistic persistence says of some that learned from others.
    """
    columns = {name: column[rows] for name, column in inputs(found, pairs.lead).items()}
    logistic = partial(_left_out, daily, pairs, has_whole_years(daily, pairs)) if len(rows) < MANY else None
    return columns, scale.of(pairs.truth(daily)) - found.now[rows], daily.days[pairs.day], len(np.unique(pairs.station)) > 1, logistic


def _learn(columns: Mapping[str, Floats], change: Floats, days: Days, several: bool, logistic: Others | None, *, lead: int, bare: bool, scale: Scale) -> Part:
    """What is learned, and its share where it is not alone to speak.

    None of under LEAST rows, of one season, and where without one of them too little is left to learn from.
    """
    from threadpoolctl import threadpool_limits

    season = seasons(days, columns["y"]) if len(days) >= LEAST else np.zeros(1, dtype=np.int64)
    if season.max() == 0 or min(int(there.sum()) for there, _ in left_out(days, season)) < _LEAST_LEFT:
        return None, None if logistic is None or several or len(days) < _LEAST_LEFT else UNTRIED
    names = [name for name, column in columns.items() if not (bare and driver_of(name)) and (name == "y" or _varies(column))]
    with threadpool_limits(1):  # free threads are several times slower on matrices so small
        return learn(columns, names, change, days, season, lead=lead, several=several, scale=scale, logistic=logistic)


def _left_out(daily: Daily, pairs: Pairs, whole_year: bool, there: Mask, here: Mask) -> Floats | None:
    """What logistic persistence that learned from some issues says of others: its quantiles."""
    fitted = fit_lead(daily, pairs.where(there), (), whole_year=whole_year)
    return None if fitted is None else fitted.say(daily, pairs.where(here), ()).quantiles


def _varies(column: Floats) -> bool:
    seen = column[np.isfinite(column)]
    return bool(len(seen) and seen.min() < seen.max())


def _known(
    daily: Daily,
    day: Index,
    station: Index,
    alone: GaussianProcess,
    drivers: tuple[Driver, ...],
    *,
    within: bool,
    furthest: int,
    told: tuple[Floats, Floats] | None = None,
) -> Known:
    return known(daily, day, station, scale=alone.scale, kernel=alone.kernel, drivers=drivers, within=within, furthest=furthest, told=told)


def _driven(found: Known, waited: Sequence[str]) -> Mask:
    """Which issues know every driver that is waited for."""
    every = np.ones(len(found.now), dtype=bool)
    for name in waited:
        every &= np.isfinite(found.columns[driver_column(name)])
    return every


DAY_MODEL = DayModel(name="ensemble", version="4", fit=fit_ensemble)
