"""Days made of readings: what a day holds, when it counts, what drivers bring, and that nothing from the issue on is seen."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import made_sets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_histories import scrambled

from analytics.daily.histories import daily_of
from analytics.daily.panel import Daily, Floats
from analytics.history import DAY_MS, HOUR_MS, History
from analytics.model import DriverHistory
from core.errors import ConfigError
from core.instant import parse_rfc3339

ZONE = "Asia/Ho_Chi_Minh"
AT = parse_rfc3339("2026-03-02T05:00:00+07:00") or 0
MIDNIGHT = AT - 5 * HOUR_MS


def history(times: list[int] | Floats, values: list[float] | Floats | None = None, *, station: str = "s", zone: str = ZONE) -> History:
    time = np.asarray(times, dtype=np.int64)
    return History(station=station, point="main", zone=zone, time=time, value=np.ones(len(time)) if values is None else np.asarray(values, dtype=np.float64))


def hourly(days: int, *, step: int = HOUR_MS, seed: int = 0, until: int = AT) -> History:
    time = np.arange(AT - days * DAY_MS, until, step)
    return history(time, np.random.default_rng(seed).exponential(2, len(time)))


def bits(daily: Daily) -> list[bytes]:
    return [np.asarray(getattr(daily, f.name)).tobytes() for f in fields(daily) if f.name != "drivers"] + [v.tobytes() for v in daily.drivers.values()]


def driver(h: History, *, name: str = "q", statistic: str = "mean", bears_on: frozenset[str] | None = None) -> DriverHistory:
    return DriverHistory(name=name, statistic=statistic, bears_on=bears_on, history=h)


def test_of_whole_days_it_is_what_the_backtest_shows(tmp_path: Path) -> None:
    """From midnight to midnight the same readings give the same columns and drivers as the dataset's, to the bit."""
    made_sets.season(120).write(tmp_path)
    given = made_sets.read(tmp_path, made_sets.HEAD + made_sets.LONG + made_sets.DRIVERS)
    rows, zone_ms = given.rows, 7 * HOUR_MS
    time = rows.time.astype(np.int64) * 1000
    points = [history(time[rows.station == n], rows.value[rows.station == n], station=name) for n, name in enumerate(given.daily.stations)]
    noon = (given.daily.days.astype(np.int64) * DAY_MS + DAY_MS // 2 - zone_ms).astype(np.int64)
    level = [driver(history(noon, v), name="level", bears_on=frozenset({s})) for s, v in zip(given.daily.stations, given.daily.drivers["level"].T, strict=True)]
    flow = driver(history(noon, given.daily.drivers["discharge"][:, 0]), name="discharge")
    end = int(noon[-1]) + DAY_MS // 2
    found = daily_of(points, [flow, *level], end, days=len(given.daily.days), target="day_max", hour=0)
    assert found.truth is None
    assert set(found.drivers) == set(given.daily.drivers)
    for name in ("days", "target", "high", "low", "mean", "last", "evening"):
        assert np.array_equal(getattr(found, name), getattr(given.daily, name), equal_nan=name != "days"), name
    assert found.course is not None
    assert given.daily.course is not None
    assert np.array_equal(found.course, given.daily.course, equal_nan=True)
    for name, values in given.daily.drivers.items():
        assert np.array_equal(found.drivers[name], values, equal_nan=True)


def test_a_day_ends_at_five_and_its_truth_is_the_calendar_day() -> None:
    """A spike at 02:00 is the day's before in the columns and its own day's in the truth; one at 05:00 sharp is the new day's, which is not over."""
    h = hourly(6)
    value = np.ones(len(h.time))
    value[np.searchsorted(h.time, MIDNIGHT - DAY_MS + 2 * HOUR_MS)] = 7.0  # 1 March 02:00
    value[np.searchsorted(h.time, AT - DAY_MS)] = 9.0  # 1 March 05:00
    found = daily_of([replace(h, value=value)], (), AT, days=3, target="day_max")
    assert [str(d) for d in found.days] == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert found.target[:, 0].tolist() == [1.0, 7.0, 9.0]
    assert found.truth is not None
    assert found.truth[:, 0].tolist() == [1.0, 1.0, 9.0]
    assert found.stations == ("s/main",)
    assert daily_of([h], (), AT - 1, days=3, target="day_max").days[-1] == np.datetime64("2026-02-28")


def test_the_columns_of_a_day() -> None:
    """Highest, lowest, mean, last, and the mean of the last eight hours; the target is the highest or the lowest, as is the truth."""
    h = hourly(4)
    day = h.between(AT - DAY_MS, AT).value
    high, low = (daily_of([h], (), AT, days=2, target=target) for target in ("day_max", "day_min"))
    assert (high.target[-1, 0], low.target[-1, 0]) == (day.max(), day.min())
    assert (high.high[-1, 0], high.low[-1, 0], high.last[-1, 0]) == (day.max(), day.min(), day[-1])
    assert high.mean[-1, 0] == pytest.approx(day.mean())
    assert high.evening[-1, 0] == pytest.approx(day[-8:].mean())
    calendar = h.between(MIDNIGHT - DAY_MS, MIDNIGHT).value
    assert high.truth is not None
    assert low.truth is not None
    assert (high.truth[-1, 0], low.truth[-1, 0]) == (calendar.max(), calendar.min())


@pytest.mark.parametrize(("gap_h", "counts"), [(4, True), (5, False)])
def test_a_long_gap_in_what_is_read_often(gap_h: int, counts: bool) -> None:
    """Of hourly readings a day with over 4 h between two does not count, in no column; the days beside it do."""
    h = hourly(5)
    start = AT - 2 * DAY_MS + 10 * HOUR_MS
    kept = (h.time <= start) | (h.time >= start + gap_h * HOUR_MS)
    found = daily_of([history(h.time[kept], h.value[kept])], (), AT, days=4, target="day_max")
    for name in ("target", "high", "low", "mean", "last", "evening"):
        assert np.isfinite(getattr(found, name)[:, 0]).tolist() == [True, True, counts, True], name


def test_one_sample_a_day_counts() -> None:
    """Whatever its hour; it is the day's highest, lowest, mean, last and evening; a day without one is unknown."""
    times = np.array([AT - n * DAY_MS + 6 * HOUR_MS for n in (5, 4, 2, 1)])
    found = daily_of([history(times, [1.0, 2.0, 3.0, 4.0])], (), AT, days=5, target="day_min")
    for name in ("target", "high", "low", "mean", "last", "evening"):
        assert np.array_equal(getattr(found, name)[:, 0], [1.0, 2.0, np.nan, 3.0, 4.0], equal_nan=True), name


def test_a_broken_probe_is_no_sampler_until_a_month_has_passed() -> None:
    """After hourly readings one a day does not count for 29 days; then it does."""
    often = hourly(60, until=AT - 40 * DAY_MS)
    daily = np.array([AT - n * DAY_MS + 6 * HOUR_MS for n in range(40, 0, -1)])
    found = daily_of([history(np.concatenate((often.time, daily)))], (), AT, days=60, target="day_max")
    assert np.isfinite(found.target[:, 0]).tolist() == [True] * 20 + [False] * 29 + [True] * 11


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), lost=st.sampled_from([0.0, 0.3, 0.9]), hour=st.sampled_from([0, 5]), shift=st.integers(-DAY_MS, DAY_MS))
def test_nothing_from_the_issue_on_is_seen(seed: int, lost: float, hour: int, shift: int) -> None:
    """Altering everything at or after the issue, drivers and other points included, changes no bit."""
    at = AT + shift
    rng = np.random.default_rng(seed)
    points = []
    for n, name in enumerate(("a", "b")):
        h = hourly(12, seed=seed + n, until=AT + 3 * DAY_MS)
        kept = rng.random(len(h.time)) >= lost
        points.append(history(h.time[kept], h.value[kept], station=name))
    given = driver(hourly(12, seed=seed + 9, until=AT + 3 * DAY_MS), statistic="max")
    one = daily_of(points, [given], at, days=8, target="day_max", hour=hour)
    other = daily_of(
        [scrambled(h, at, seed) for h in points], [replace(given, history=scrambled(given.history, at, 1))], at, days=8, target="day_max", hour=hour
    )
    assert bits(one) == bits(other)


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), later=st.integers(1, 5))
def test_what_comes_later_changes_no_day_that_is_over(seed: int, later: int) -> None:
    """Made at a later time the same days hold the same, however often is read from then on: training shows what issuing showed."""
    h = hourly(12, step=6 * HOUR_MS, seed=seed)
    more = hourly(later, step=HOUR_MS, seed=seed + 1)
    more = history(more.time + later * DAY_MS, more.value)
    whole = history(np.concatenate((h.time, more.time)), np.concatenate((h.value, more.value)))
    now, then = (daily_of([whole], (), AT + n * DAY_MS, days=10 + n, target="day_max") for n in (0, later))
    assert now.truth is not None
    assert then.truth is not None
    for name in ("target", "mean", "last", "evening", "truth"):
        assert getattr(now, name).tobytes() == getattr(then, name)[:10].tobytes(), name


@pytest.mark.parametrize(("statistic", "value"), [("mean", 2.5), ("max", 4.0), ("min", 1.0), ("sum", 60.0), ("last", 4.0)])
def test_a_drivers_statistic(statistic: str, value: float) -> None:
    """Of the 24 h until the issue, as they were measured: below 0 too."""
    time = np.arange(AT - 2 * DAY_MS, AT, HOUR_MS)
    q = driver(history(time, np.concatenate((np.full(24, -1.0), np.repeat([1.0, 2.0, 3.0, 4.0], 6))), station="river"), statistic=statistic)
    found = daily_of([hourly(3)], [q], AT, days=2, target="day_max")
    assert found.drivers["q"][-1].tolist() == [value]
    assert found.drivers["q"][0, 0] < 0


def test_a_driver_bears_on_its_stations_alone() -> None:
    """NaN at others; two of one name, each for its own stations, are one column; days without readings are NaN."""
    points = [history(hourly(3).time, station=s) for s in ("a", "b", "c")]
    own = [driver(history([AT - 1], [v], station=s), name="level", bears_on=frozenset({s})) for s, v in (("a", 1.0), ("b", 2.0))]
    found = daily_of(points, own, AT, days=2, target="day_max").drivers
    assert list(found) == ["level"]
    assert np.array_equal(found["level"], [[np.nan] * 3, [1.0, 2.0, np.nan]], equal_nan=True)


def test_half_a_day_of_rain_is_no_sum_but_a_mean() -> None:
    """Of hourly readings that end at noon sum and extremes are unknown, mean and last are what they are."""
    rain = history(np.concatenate((np.arange(AT - 3 * DAY_MS, AT - DAY_MS, HOUR_MS), np.arange(AT - DAY_MS, AT - DAY_MS + 7 * HOUR_MS, HOUR_MS))))
    given = [driver(rain, name=s, statistic=s) for s in ("sum", "max", "min", "mean", "last")]
    found = daily_of([hourly(3)], given, AT, days=2, target="day_max").drivers
    assert {name: bool(np.isfinite(v[-1, 0])) for name, v in found.items()} == {"sum": False, "max": False, "min": False, "mean": True, "last": True}


def test_a_shade_under_zero_is_fresh_water() -> None:
    """Salinity below 0 counts as 0."""
    found = daily_of([history(hourly(2).time, np.full(48, -0.01))], (), AT, days=1, target="day_min")
    assert (found.target[0, 0], found.mean[0, 0]) == (0.0, 0.0)


def test_days_of_a_zone_with_summer_time() -> None:
    """Where clocks go forward a day has 23 h; the days follow one another and the last ends at the issue."""
    at = parse_rfc3339("2026-03-10T05:00:00-04:00") or 0
    time = np.arange(at - 6 * DAY_MS, at, HOUR_MS)
    value = np.zeros(len(time))
    value[np.searchsorted(time, parse_rfc3339("2026-03-08T05:00:00-04:00") or 0) - 1] = 5.0
    found = daily_of([history(time, value, zone="America/New_York")], (), at, days=4, target="day_max")
    assert found.days[-1] == np.datetime64("2026-03-09")
    assert found.target[:, 0].tolist() == [0.0, 5.0, 0.0, 0.0]


def test_what_cannot_be_made_is_named() -> None:
    """Points of two zones, none at all, a statistic nobody knows."""
    with pytest.raises(ConfigError, match="America/New_York, Asia"):
        daily_of([hourly(2), history([AT - 1], zone="America/New_York")], (), AT, days=1, target="day_max")
    with pytest.raises(ConfigError, match="none"):
        daily_of([], (), AT, days=1, target="day_max")
    with pytest.raises(ConfigError, match="'mode'"):
        daily_of([hourly(2)], [driver(hourly(2), statistic="mode")], AT, days=1, target="day_max")
