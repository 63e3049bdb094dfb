"""From readings to days: the columns that models of days learn from and speak from in operation, made in one place for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from analytics.daily.counting import Mask, counting, most_lately
from analytics.daily.panel import TWELFTHS, Daily, Floats
from analytics.history import History, Times, local_date, local_times, stretches
from analytics.model import DriverHistory
from core.errors import ConfigError

ISSUE_HOUR = 5  # local: when days are issued, and when their days end
_LATE = 16  # hours from a day's start on: the rest of it is its evening
_STATISTICS = {"mean": "mean", "last": "last", "max": "high", "min": "low", "sum": "total"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Days:
    """Of one point, (n,) each, `course` (TWELFTHS, n); NaN where nothing was read. `total` is the sum of a day's readings; `counts`: see `daily_of`."""

    high: Floats
    low: Floats
    mean: Floats
    total: Floats
    last: Floats
    evening: Floats
    course: Floats
    counts: Mask

    def counted(self, name: str) -> Floats:
        """A column, NaN where the day does not count."""
        return np.where(self.counts, getattr(self, name), np.nan)


def name_of(history: History) -> str:
    """What a point is called in a panel."""
    return f"{history.station}/{history.point}"


def daily_of(histories: Sequence[History], drivers: Sequence[DriverHistory], at: int, *, days: int, target: str, hour: int = ISSUE_HOUR) -> Daily:
    """The last `days` days before `at` [ms] of these points, all of one time zone, for `target` (`day_max` or `day_min`).

    Day t is the 24 h from `hour` local on that day until `hour` on the next; the last one ends at or before `at`. `truth` is the highest (lowest)
    of the local day itself, from midnight to midnight; None where `hour` is 0: it is the same. Nothing read at or after `at` is looked at.

    A day counts where it has a reading. Where a point was read 12 times or more on a day of the last 30 (every 2 h or oftener), a day counts only without
    a gap over 4 h, its edges included: what lies in one may be the highest. So a point with one sample a day counts, and half a day of a probe does
    not; on which days is told by that day and those before it. `evening` is the last third of the day; of one sample a day it is that one.
    Salinity under 0 counts as 0. Raises ConfigError for points of several time zones, or of none.
    """
    zones = sorted({h.zone for h in histories})
    if len(zones) != 1:
        raise ConfigError(f"days are made of points of one time zone, and these have {', '.join(zones) or 'none'}: group the points by zone")
    zone = zones[0]
    first = _last_day(zone, at, hour) - timedelta(days=days - 1)
    bounds, evenings = local_times(zone, first, days + 1, hour=hour), _evenings(zone, first, days, hour)
    seen = [_salinity(h.between(int(bounds[0]), at)) for h in histories]
    made = [_days(h, bounds, evenings) for h in seen]
    part = "high" if target == "day_max" else "low"
    columns = {name: _columns([one.counted(name) for one in made], days) for name in ("high", "low", "mean", "last", "evening")}
    return Daily(
        zone=zone,
        days=np.datetime64(first, "D") + np.arange(days),
        stations=tuple(name_of(h) for h in histories),
        target=columns[part],
        **columns,
        drivers=_drivers(drivers, histories, bounds, evenings, at),
        course=np.stack([one.counted("course") for one in made], axis=2) if made else None,
        truth=None if hour == 0 else _truth(histories, zone, first, days, at, part),
    )


def _last_day(zone: str, at: int, hour: int) -> date:
    """The day whose end is the last at or before `at`."""
    today = local_date(at, zone)
    over = int(local_times(zone, today, 1, hour=hour)[0]) <= at
    return today - timedelta(days=1 if over else 2)


def _evenings(zone: str, first: date, days: int, hour: int) -> Times:
    later, of_day = divmod(hour + _LATE, 24)
    return local_times(zone, first + timedelta(days=later), days, hour=of_day)


def _salinity(history: History) -> History:
    return History(station=history.station, point=history.point, zone=history.zone, time=history.time, value=np.maximum(history.value, 0.0))


def _columns(each: Sequence[Floats], days: int) -> Floats:
    return np.stack(each, axis=1) if each else np.empty((days, 0))


def _truth(histories: Sequence[History], zone: str, first: date, days: int, at: int, part: str) -> Floats:
    midnights = local_times(zone, first, days + 1)
    over = midnights[1:] <= at
    each = [_days(_salinity(h.between(int(midnights[0]), at)), midnights, midnights[:-1]) for h in histories]
    return _columns([np.where(over, one.counted(part), np.nan) for one in each], days)


def _days(history: History, bounds: Times, evenings: Times) -> _Days:
    """Of the days from bounds[t] to bounds[t + 1] [ms], from readings that lie in none after the last."""
    n = len(bounds) - 1
    found = stretches(history, bounds[:-1], bounds[1:])
    within = history.between(int(bounds[0]), int(bounds[-1]))
    day = np.searchsorted(bounds, within.time, side="right") - 1
    count, total = np.bincount(day, minlength=n), _sums(day, within.value, n)
    late = within.time >= evenings[day]
    evening = _ratio(_sums(day[late], within.value[late], n), np.bincount(day[late], minlength=n))
    twelfth = (within.time - bounds[day]) * TWELFTHS // (bounds[day + 1] - bounds[day])
    cell = day * TWELFTHS + twelfth
    course = _ratio(_sums(cell, within.value, n * TWELFTHS), np.bincount(cell, minlength=n * TWELFTHS))
    most = most_lately(count)
    last = np.full(n, np.nan)
    last[count > 0] = within.value[np.cumsum(count)[count > 0] - 1]
    return _Days(
        high=found.high,
        low=found.low,
        mean=_ratio(total, count),
        total=np.where(count > 0, total, np.nan),
        last=last,
        evening=np.where(most > 1, evening, last),
        course=course.reshape(n, TWELFTHS).T,
        counts=counting(count, found.whole, most),
    )


def _sums(day: NDArray[np.intp], value: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(day, value, n), dtype=np.float64)


def _ratio(total: Floats, count: NDArray[np.int64]) -> Floats:
    found: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return found


def _drivers(drivers: Sequence[DriverHistory], histories: Sequence[History], bounds: Times, evenings: Times, at: int) -> dict[str, Floats]:
    """By name (n, m): the day's statistic at the stations it bears on, NaN elsewhere. Of two that tell the same the later one counts."""
    found: dict[str, Floats] = {}
    for driver in drivers:
        values = _statistic(driver, bounds, evenings, at)
        bears = np.array([driver.bears_on is None or h.station in driver.bears_on for h in histories])
        told = found.get(driver.name, np.full((len(values), len(histories)), np.nan))
        found[driver.name] = np.where(bears & np.isfinite(values)[:, None], values[:, None], told)
    return found


def _statistic(driver: DriverHistory, bounds: Times, evenings: Times, at: int) -> Floats:
    """Of each day (n,). Highest, lowest and sum need one that counts as in `daily_of`, mean and last any reading."""
    days = _days(driver.history.between(int(bounds[0]), at), bounds, evenings)
    name = _STATISTICS.get(driver.statistic)
    if name is None:
        raise ConfigError(f"driver {driver.name}: statistic {driver.statistic!r} is none of {', '.join(_STATISTICS)}")
    values: Floats = getattr(days, name) if name in ("mean", "last") else days.counted(name)
    return values
