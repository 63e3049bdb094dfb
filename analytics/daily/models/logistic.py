"""Logistic persistence: what usually follows a value like today's and the last week's. The bar that skill is told against, in another form.

For each lead and line the chance is the curved logistic regression of `analytics.daily.references`: on log1p of the issue day's value, and on the
time of year where the training days hold whole years, else on log1p of the mean of the last 7 days. (The bar itself knows both values as they are
measured.) A linear regression on the same, on
the scale its errors are alike in (see `analytics.daily.dressing`), makes the quantiles; they give way to the chances where the two
disagree, so that all is one distribution, and the point is its mean before that. With under 10 training days over a line, or as few under
it, and where values fall below 0, the chance is the distribution's. A day without a value says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.dressing import Dressing, Scale, dressing, scale_of
from analytics.daily.model import DayModel, Fitted, Said, silence
from analytics.daily.panel import Daily, Floats, Index, Pairs
from analytics.daily.pool import agreed
from analytics.daily.references import Logistic, features, fit_logistic, has_whole_years, season, week_mean
from analytics.empirical import MIN_ERRORS

LEAST = 10  # days over a line, and under it


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticLead:
    """Of one lead: `linear` (1 + f,) on `scale` and its `errors`; `chances` by index of the line, where the training days let it be fitted."""

    whole_year: bool
    scale: Scale
    linear: Floats
    errors: Dressing
    chances: Mapping[int, Logistic]

    def say(self, daily: Daily, issues: Pairs, lines: Sequence[float]) -> Said:
        """Of issues (k,), and the lines it was fitted for."""
        values = self.scale.back(_product(_inputs(daily, issues, self.scale, whole_year=self.whole_year), self.linear))
        found = self.errors.say(values, lines, point=self.errors.mean(values))
        known = features(daily, issues, whole_year=self.whole_year, curved=True)
        for i, chance in self.chances.items():
            score = chance.intercept + (known * chance.weights).sum(axis=1)
            found.p_gt[:, i] = 0.5 + 0.5 * np.tanh(0.5 * score)  # the logistic function; it cannot overflow so
        rising = np.argsort(lines, kind="stable")
        p = found.p_gt[:, rising]
        # each line has a regression of its own: where two cross, the mean of the falling curves just under and just over them
        p = (np.minimum.accumulate(p, axis=1) + np.maximum.accumulate(p[:, ::-1], axis=1)[:, ::-1]) / 2
        found.p_gt[:, rising] = p
        return Said(point=found.point, quantiles=agreed(found.quantiles, found.p_gt, lines), p_gt=found.p_gt)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticPersistence:
    """`of` by lead; None where the training days hold too few."""

    of: Mapping[int, LogisticLead | None]
    lines: tuple[float, ...]

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """See `analytics.daily.model.Fitted`."""
        found = {}
        for lead, fitted in self.of.items():
            issues = Pairs(day=day, station=station, lead=lead)
            found[lead] = silence(len(day), self.lines) if fitted is None else fitted.say(daily, issues, self.lines)
        return found


def _fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
    return LogisticPersistence(of={lead: fit_lead(daily, Pairs.of(daily, lead), lines) for lead in leads}, lines=tuple(lines))


def fit_lead(daily: Daily, pairs: Pairs, lines: Sequence[float], *, whole_year: bool | None = None) -> LogisticLead | None:
    """Of these issues and what came of them; None of too few. `whole_year` where more is known of it than they tell."""
    if len(pairs.day) < MIN_ERRORS:
        return None
    came = pairs.truth(daily)
    scale = scale_of(np.asarray(daily.target[pairs.day, pairs.station]), came)
    over = {i: int((came > line).sum()) for i, line in enumerate(lines)}
    fitted = [i for i, n in over.items() if LEAST <= n <= len(came) - LEAST and scale.floor == 0]
    whole_year = has_whole_years(daily, pairs) if whole_year is None else whole_year
    inputs = _inputs(daily, pairs, scale, whole_year=whole_year)
    linear = np.asarray(np.linalg.lstsq(np.insert(inputs, 0, 1.0, axis=1), scale.of(came), rcond=None)[0], dtype=np.float64)
    errors = dressing(scale.back(_product(inputs, linear)), came, scale=scale)
    known = features(daily, pairs, whole_year=whole_year, curved=True)
    chances = {i: fit_logistic(known, came > lines[i]) for i in fitted}
    return None if errors is None else LogisticLead(whole_year=whole_year, scale=scale, linear=linear, errors=errors, chances=chances)


def _inputs(daily: Daily, issues: Pairs, scale: Scale, *, whole_year: bool) -> Floats:
    """(k, 2) or (k, 3); NaN where the issue day has no value."""
    now = scale.of(np.asarray(daily.target[issues.day, issues.station]))
    if whole_year:
        return np.stack((now, *season(daily.days[issues.day])), axis=1)
    return np.stack((now, scale.of(week_mean(daily.target)[issues.day, issues.station])), axis=1)


def _product(inputs: Floats, weights: Floats) -> Floats:
    """Row by row: a row's result owes no bit to who stands beside it."""
    found: Floats = weights[0] + (inputs * weights[1:]).sum(axis=1)
    return found


DAY_MODEL = DayModel(name="logistic", version="1", fit=_fit)
