"""Forecast models."""

from __future__ import annotations

import inspect
from types import ModuleType

import analytics.daily.models
import analytics.hourly.models
import analytics.models
from analytics.daily.model import day_models
from analytics.hourly.model import hour_models
from analytics.model import models
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    rows = ((mark(m.name), m.version, ", ".join(map(mark, m.targets)), _first(analytics.models, name)) for name, m in models().items())
    learned = (("ensemble", day_models(), ("day_max", "day_min"), analytics.daily.models), ("boosted", hour_models(), ("hour",), analytics.hourly.models))
    trained = (
        (mark(name), f"{found[name].version}, trained", ", ".join(map(mark, targets)), _first(package, name)) for name, found, targets, package in learned
    )
    sections = "\n\n".join(f"## {name}\n\n{_about(analytics.models, name)}" for name in models())
    of_days = ((mark(m.name), m.version, _first(analytics.daily.models, name)) for name, m in day_models().items())
    days = "\n\n".join(f"### {name} of days\n\n{_about(analytics.daily.models, name)}" for name in day_models())
    of_hours = ((mark(m.name), m.version, _first(analytics.hourly.models, name)) for name, m in hour_models().items())
    hours = "\n\n".join(f"### {name} of hours\n\n{_about(analytics.hourly.models, name)}" for name in hour_models())
    return f"""A model says of each point how the salinity goes on, with odds; name and version stand in every forecast it issues. Targets: `day_max`
and `day_min` are a local day's extremes, `hour` an hour's maximum. Another one is one file: [CONTRIBUTING.md](../CONTRIBUTING.md#adding-one-thing).

Which of them speak in an installation:

{table(("Model", "Version", "Targets", "What it does"), (*trained, *rows))}

A trained one speaks once it has learned from the installation's readings and proved better ([training](training.md)); until then, and where it is
silent, `persistence` does. `gaussian` is what `ensemble` is made of where there are only weeks of readings: the forecast says `ensemble` then too.

{sections}

## Models of days

A model of days is fitted on past days of a set of stations, and says at the end of a day what the days ahead may bring: an expected value, 19
quantiles, and the chance of lying over each line, all of one distribution. It is tried on any folder of CSV files, in any unit
(`analytics/daily`). `analogue`, `climatology`, `logistic` and `persistence` are the baselines: a better one has to show that it is better than each
of them. `ensemble` is the best there is, `gaussian` what it is made of where there are only weeks ([why](decisions/0021-model-of-days.md)).

{table(("Model", "Version", "What it does"), of_days)}

### Models of days in operation

Days are issued at 05:00 local. The last day a model knows is the 24 hours until then; what it forecasts, and is scored against, is the calendar day from
tomorrow on. Training and issuing make days by one rule (`analytics/daily/histories.py`): a day counts where it has a good reading. Where a point was
read 12 times or more on a day of the last 30, a day counts only without a gap over 4 h, its ends included: the highest may lie in one. So one sample
a day counts, and half a day of a probe does not. A driver's highest, lowest and sum follow the same rule; its mean and last reading need one reading.

Only readings that the judge has found good are shown to a model: what has just come and waits for him is left out, and an issue whose readings he fails later
is made anew at once, or taken back where nothing can be said without them ([0011](decisions/0011-persistence-forecast.md)).

A day's lowest and highest are said by models of their own, and joined as they are issued: no quantile and no chance of the lowest is over the highest's.
The lowest gives way, the highest stays as its model said it.

Of each point and target the first model that says something speaks: the trained one ([training](training.md)), and `persistence` where that is silent:
newest reading over 6 h old, or under three days that count. Reasons: of tide, course of the last days, the last day, season and each driver in turn the
inputs are put at what they usually are, and the expected value 1 and 7 days ahead is worked out again. The difference is the effect. Up to three are told,
the strongest first, none under 0.2 g/L or 5 % of the expected value. A [driver](drivers.md) that is silent for over three days is named as missing, and
what learned without any driver speaks, with wider intervals.

{days}

## Models of hours

A model of hours is fitted on past hours of a set of stations, and says within any hour what this one and the 71 after it may bring: five quantiles of
the hour's highest value, the chance of lying over each line, and that of any limit, all of one distribution (`analytics/hourly`). Readings may come
every quarter of an hour or every two hours; the hours between are said too. The hour that runs is told as far as it was read. Where the newest reading
is over 6 h old, or under three of the last 16 days have readings in six hours or more, it is silent and `persistence` speaks.
How good it is, and what was tried: [0024](decisions/0024-the-hourly-course.md).

{table(("Model", "Version", "What it does"), of_hours)}

{hours}"""


def _about(package: ModuleType, name: str) -> str:
    return inspect.getdoc(getattr(package, name)) or ""


def _first(package: ModuleType, name: str) -> str:
    return _about(package, name).partition("\n")[0]


PAGE = Page(
    title="Forecast models",
    about="Who forecasts, what, and by which rule.",
    source="`analytics/models/`, `analytics/daily/models/` and `analytics/hourly/models/`",
    body=body,
)
