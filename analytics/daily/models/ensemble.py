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
than the other would be of a usual value: who knows less is not surer. Under 120 issues, or two seasons, it is the model `gaussian`, and so it is of up
to 1,500 at a lead where that forecast the seasons left out better. Of over 20,000 issues it learns from a draw (see `analytics.daily.issues`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.daily.crossfit import LEAST, Learned, learn
from analytics.daily.dressing import Scale
from analytics.daily.drivers import Driver, drivers_of
from analytics.daily.features import Known, driver_column, driver_of, inputs, known
from analytics.daily.issues import MOST_ISSUES, Issues
from analytics.daily.last_value import from_last_value
from analytics.daily.model import DayModel, Said
from analytics.daily.models.gaussian import GaussianProcess, fit_with_past
from analytics.daily.panel import Daily, Days, Floats, Index
from analytics.daily.spread import left_out, seasons

_OFTEN = 0.5  # of the issues: a driver known as often is waited for
_LEAST_LEFT = 60  # rows to learn from while a season is left out

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """`driven` with drivers, `bare` without; None where there are none, or training days are too few."""

    driven: Learned | None
    bare: Learned | None


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
            return {lead: self._said(one, lead, found, driven) for lead, one in self.leads.items()}

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

    def _said(self, lead: Lead, days: int, found: Known, driven: Mask) -> Said:
        said = self.alone.dressed(days, found.mean[:, days - 1])
        columns = inputs(found, days)
        speaks = np.isfinite(found.mean[:, 0])
        driven = speaks & driven if lead.driven is not None else np.zeros_like(speaks)
        for learned, rows in ((lead.bare, speaks & ~driven), (lead.driven, driven)):
            if learned is not None and rows.any():
                some = {name: column[rows] for name, column in columns.items()}
                least = lead.driven.width(some) if lead.driven is not None and learned is lead.bare else None
                one = learned.say(some, self.alone.scale, self.alone.asked, least=least)
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
    asked = [(lead, kind) for lead in leads for kind in kinds]
    tasks = (delayed(_learn)(*_rows(daily, issues, found, alone, lead, kinds[kind]), lead=lead, bare=kind == "bare", scale=alone.scale) for lead, kind in asked)
    learned = dict(zip(asked, Parallel(n_jobs=jobs)(tasks), strict=True))
    return Ensemble(
        drivers=drivers,
        waited=waited,
        heard={d.name: _having(daily, d.name) for d in drivers},
        within=within,
        leads={lead: Lead(driven=learned.get((lead, "driven")), bare=learned[lead, "bare"]) for lead in leads},
        alone=alone,
    )


def _having(daily: Daily, driver: str) -> tuple[str, ...]:
    """The stations with a value of it."""
    return tuple(daily.stations[i] for i in np.flatnonzero(np.isfinite(daily.drivers[driver]).any(axis=0)).tolist())


def _rows(daily: Daily, issues: Issues, found: Known, alone: GaussianProcess, lead: int, usable: Mask) -> tuple[Mapping[str, Floats], Floats, Days, bool]:
    """Of a lead: columns (n,), the changes that came (n,), the issues' days (n,), and whether these are of several stations."""
    came = issues.came(daily, lead)
    rows = usable & np.isfinite(came)
    columns = {name: column[rows] for name, column in inputs(found, lead).items()}
    several = len(np.unique(issues.station[rows])) > 1
    return columns, alone.scale.of(came[rows]) - found.now[rows], daily.days[issues.day[rows]], several


def _learn(columns: Mapping[str, Floats], change: Floats, days: Days, several: bool, *, lead: int, bare: bool, scale: Scale) -> Learned | None:
    """None of under LEAST rows, of one season, where without one of them too little is left to learn from, and where `crossfit.learn` says so."""
    from threadpoolctl import threadpool_limits

    if len(change) < LEAST:
        return None
    season = seasons(days, columns["y"])
    if season.max() == 0 or min(int(there.sum()) for there, _ in left_out(days, season)) < _LEAST_LEFT:
        return None
    names = [name for name, column in columns.items() if not (bare and driver_of(name)) and (name == "y" or _varies(column))]
    with threadpool_limits(1):  # free threads are several times slower on matrices so small
        return learn(columns, names, change, days, season, lead=lead, several=several, scale=scale)


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


DAY_MODEL = DayModel(name="ensemble", version="3", fit=fit_ensemble)
