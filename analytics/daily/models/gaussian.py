"""Each station's own Gaussian process with the tide known ahead: weeks of readings are enough.

From the last 75 days on a scale of logarithms: a level, slow and fast wandering, what returns with springs and neaps, and an answer to the tide
of the zone's port (`config/tides`), or to the beats of sun and moon where there is none (see `analytics.daily.gaussian`). Its seven numbers are
shared by all stations. Its quantiles and chances are its own record, as in persistence: the errors it made on the training days, by lead
and size of the value. With under 3 values in 75 days it says nothing; a day without a value is spoken of as of the last one, up to 7 days back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analytics.daily.dressing import BENDS, Dressing, Scale, dressing, scale_of
from analytics.daily.features import above_days
from analytics.daily.gaussian import Kernel, ahead, fit_kernel
from analytics.daily.issues import MOST_ISSUES, Issues
from analytics.daily.last_value import from_last_value
from analytics.daily.model import DayModel, Fitted, Said, silence
from analytics.daily.panel import Daily, Floats, Index, Pairs
from analytics.daily.steps import midway, step_of

_USUAL_LEAD = 3  # changes over so many days choose the scale
_BENDS = BENDS[1:]  # where many stations are fresh the sharpest bend is the likeliest, and its forecasts of a week are worse: docs/decisions/0021
_PLAIN = Scale(unit=1.0, curved=True, floor=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianProcess:
    """`errors` by lead; None where the training days hold too few. `asked`: `lines`, or where values are written in steps what lies midway."""

    scale: Scale
    kernel: Kernel
    errors: Mapping[int, Dressing | None]
    lines: tuple[float, ...]
    asked: tuple[float, ...]

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """See `analytics.daily.model.Fitted`."""

        def speak(day: Index, station: Index) -> Mapping[int, Said]:
            mean, _ = self.ahead(daily, day, station)
            return {lead: self.dressed(lead, mean[:, lead - 1]) for lead in self.errors}

        return from_last_value(daily, day, station, self.lines, speak)

    def ahead(self, daily: Daily, day: Index, station: Index) -> tuple[Floats, Floats]:
        """Mean and standard deviation (k, furthest lead), on the scale; NaN where too little is known."""
        furthest = max(self.errors, default=1)
        return ahead(self.kernel, self.scale.of(daily.target), above_days(daily, furthest), day, station, furthest)

    def dressed(self, lead: int, mean: Floats) -> Said:
        """What is said of means (k,) on the scale."""
        errors = self.errors[lead]
        return silence(len(mean), self.lines) if errors is None else errors.say(self.scale.back(mean), self.asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the training issues were told: `mean` and `sd` (k, furthest lead), on the scale."""

    issues: Issues
    mean: Floats
    sd: Floats


def fit_gaussian(daily: Daily, leads: Sequence[int], lines: Sequence[float], *, most: int = MOST_ISSUES) -> GaussianProcess:
    """Of training days, by `most` of their issues. Deterministic."""
    return fit_with_past(daily, leads, lines, most)[0]


def fit_with_past(daily: Daily, leads: Sequence[int], lines: Sequence[float], most: int) -> tuple[GaussianProcess, Past]:
    """The same, and what it learned its errors from: who builds on it need not work that out again."""
    scale = _scale(daily)
    kernel = fit_kernel(scale.of(daily.target), above_days(daily, 14)) if len(daily.days) else Kernel()
    asked = midway(lines, step_of(daily.came))
    bare = GaussianProcess(scale=scale, kernel=kernel, errors=dict.fromkeys(leads), lines=tuple(lines), asked=asked)
    issues = Issues.of(daily, scale, most)
    mean, sd = bare.ahead(daily, issues.day, issues.station)
    errors = {lead: dressing(scale.back(mean[:, lead - 1]), issues.came(daily, lead)) for lead in leads}
    return replace(bare, errors=errors), Past(issues=issues, mean=mean, sd=sd)


def _scale(daily: Daily) -> Scale:
    pairs = Pairs.of(daily, _USUAL_LEAD)
    return scale_of(daily.target[pairs.day, pairs.station], pairs.truth(daily), _BENDS) if len(pairs.day) else _PLAIN


def _fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
    return fit_gaussian(daily, leads, lines)


DAY_MODEL = DayModel(name="gaussian", version="2", fit=_fit)
