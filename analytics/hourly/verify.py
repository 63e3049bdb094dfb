"""How good a model of hours is on a measured set: the water windows it promises, and the course itself, by hours ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.dataset import Dataset
from analytics.hourly.model import HourModel
from analytics.hourly.panel import Hourly
from core.forecast import HOUR_MS
from core.window import PROMISED

LIMIT = 1.0  # g/L: what water windows are judged at


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScore:
    """Hours promised to stay at or under the limit, of the next `hours`: `cases` is `mixed` or `all`; `n` hours, `safe` the share of them that was.

    `precision`: how often a promised hour was safe; `share`: how many of the safe hours were promised; NaN where none was. `yesterday_…`: the
    same for "as the same hour yesterday" (the day before where that is not over yet).
    """

    hours: int
    cases: str
    n: int
    safe: float
    precision: float
    share: float
    yesterday_precision: float
    yesterday_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseScore:
    """Leads `first` to `last` hours ahead: `n` hours, CRPS-like mean pinball loss of the five quantiles, share within the 90 and 50 % intervals,
    mean Brier score at the lines; `persistence_…`: the same of the model `persistence` on the same hours."""

    first: int
    last: int
    n: int
    pinball: float
    coverage90: float
    coverage50: float
    brier: float
    persistence_pinball: float
    persistence_coverage90: float
    persistence_brier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LowOdds:
    """Chances said between `low` and `high` for leads 1 to 6 at any line: how many, their mean, and how often it came; persistence beside it."""

    low: float
    high: float
    n: int
    said: float
    came: float
    persistence_n: int
    persistence_said: float
    persistence_came: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSkill:
    """All of it, of one model on one set."""

    model: str
    version: str
    name: str
    test_from: str
    test_until: str
    windows: tuple[WindowScore, ...]
    course: tuple[CourseScore, ...]
    low: tuple[LowOdds, ...]


def hourly_of_rows(found: Dataset) -> Hourly:
    """The target of a data set by hours."""
    time, station, value = found.rows.time.astype("datetime64[s]").astype(np.int64) * 1000, found.rows.station, np.maximum(found.rows.value, 0.0)
    hour = time // HOUR_MS
    first, n = int(hour.min()), int(hour.max() - hour.min()) + 1
    high, begun = (np.full((n, len(found.daily.stations)), np.nan) for _ in range(2))
    np.fmax.at(high, (hour - first, station), value)
    last = np.lexsort((-time, station))  # the first reading of an hour is written last
    begun[hour[last] - first, station[last]] = value[last]
    return Hourly(zone=found.daily.zone, start=first * HOUR_MS, stations=found.daily.stations, value=high, begun=begun)


def skill_of_hours(found: Dataset, model: HourModel | None = None) -> HourSkill:
    """`model` (the shipped one where None is given) learns from the hours until `train_until`, is asked at the end of each local day from `test_from` to
    `test_until`, and its windows and course are held against what came. (Low odds: asked at 8 hours of the day.)"""
    raise NotImplementedError


def windows_score(found: Dataset, model: HourModel | None = None, *, limit: float = LIMIT, promised: float = PROMISED) -> Sequence[WindowScore]:
    """The windows alone."""
    raise NotImplementedError
