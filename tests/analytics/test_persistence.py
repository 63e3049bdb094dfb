"""Persistence, to the letter: which value stands for which lead, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.history import DAY_MS, TIDAL_DAY_MS, History
from analytics.model import Issue
from analytics.models.persistence import MODEL
from core.forecast import HOUR_MS, MEDIAN
from core.instant import parse_rfc3339

MINUTE = 60_000
ISSUED = parse_rfc3339("2026-03-02T05:00:00+07:00") or 0
MIDNIGHT = parse_rfc3339("2026-03-02T00:00:00+07:00") or 0


def steady(
    *,
    days: float = 40.0,
    step: int = 15 * MINUTE,
    value: float = 2.0,
    until: int = ISSUED,
    offset: int = 0,
    station: str = "kl",
    zone: str = "Asia/Ho_Chi_Minh",
) -> History:
    """The same value all the time: the rule never errs."""
    time = np.arange(MIDNIGHT - int(days * DAY_MS) + offset, until, step, dtype=np.int64)
    return History(station=station, point="main", zone=zone, time=time, value=np.full(len(time), value))


def with_value(h: History, at: int, value: float) -> History:
    found = h.value.copy()
    found[np.searchsorted(h.time, at)] = value
    return replace(h, value=found)


def without(h: History, start: int, end: int) -> History:
    keep = (h.time < start) | (h.time >= end)
    return replace(h, time=h.time[keep], value=h.value[keep])


def say(target: str, *histories: History, at: int = ISSUED) -> Issue | None:
    return MODEL.say(target, histories, [0], at, ())[0]


def median(issue: Issue | None) -> dict[int, float]:
    assert issue is not None
    return {lead: round(q[MEDIAN], 9) for lead, q in zip(issue.leads, issue.quantiles, strict=True)}


def test_days_ahead_are_local_days_after_the_issue() -> None:
    """Leads 1 to 14; lead 1 begins at the local midnight that ends the issue's day, also where the UTC day is another."""
    issue = say("day_max", steady())
    assert issue is not None
    assert issue.leads == tuple(range(1, 15))
    assert issue.times == tuple(MIDNIGHT + n * DAY_MS for n in range(1, 15))
    assert not issue.pooled
    just_after = say("day_max", steady(until=MIDNIGHT + DAY_MS + HOUR_MS), at=MIDNIGHT + DAY_MS)
    assert just_after is not None
    assert just_after.times[0] == MIDNIGHT + 2 * DAY_MS


@pytest.mark.parametrize("target", ["day_max", "day_min"])
@pytest.mark.parametrize(
    ("back", "inside"), [(15 * MINUTE, True), (TIDAL_DAY_MS - 5 * MINUTE, True), (TIDAL_DAY_MS, True), (TIDAL_DAY_MS + 10 * MINUTE, False)]
)
def test_the_value_of_the_days_is_of_the_last_24_h_50(target: str, back: int, inside: bool) -> None:
    """The highest (lowest) reading with issue − 24 h 50 min ≤ time < issue, for every lead."""
    odd = 7.0 if target == "day_max" else 0.5
    h = steady(step=5 * MINUTE)
    assert set(median(say(target, with_value(h, ISSUED - back, odd))).values()) == {odd if inside else 2.0}


def test_hours_begin_with_the_hour_of_the_issue() -> None:
    """72 leads; lead 1 is the hour that holds the issue time, on the hour the one that begins then."""
    for minutes in (0, 1, 59):
        at = ISSUED + minutes * MINUTE
        issue = say("hour", steady(until=at), at=at)
        assert issue is not None
        assert issue.leads == tuple(range(1, 73))
        assert issue.times == tuple(ISSUED + n * HOUR_MS for n in range(72))


@pytest.mark.parametrize(("lead", "back"), [(1, 1), (24, 1), (25, 2), (48, 2), (49, 3), (72, 3)])
def test_an_hour_is_that_of_so_many_tidal_days_before(lead: int, back: int) -> None:
    """24 h 50 min, 49 h 40 min from lead 25, 74 h 30 min from lead 49; its first and last minute count, the next ones do not."""
    h = steady(step=5 * MINUTE)
    start = ISSUED + (lead - 1) * HOUR_MS - back * TIDAL_DAY_MS
    for at, value in ((start, 7.0), (start + 55 * MINUTE, 7.0), (start - 5 * MINUTE, 2.0), (start + HOUR_MS, 2.0)):
        assert median(say("hour", with_value(h, at, 7.0)))[lead] == value, at - start


def test_two_hourly_readings_give_every_second_lead() -> None:
    """At odd hours, as officers read: each lead whose source hour was read, and no other; with errors for all of them."""
    issue = say("hour", steady(step=2 * HOUR_MS, offset=HOUR_MS))
    assert issue is not None
    assert issue.leads == (*range(1, 24, 2), *range(26, 49, 2), *range(49, 72, 2))
    assert not issue.pooled


def test_a_source_hour_without_a_reading_is_left_out() -> None:
    """Only that lead is missing."""
    start = ISSUED + 9 * HOUR_MS - TIDAL_DAY_MS
    issue = say("hour", without(steady(), start, start + HOUR_MS))
    assert issue is not None
    assert issue.leads == tuple(n for n in range(1, 73) if n != 10)


def test_days_need_the_last_tides_without_a_gap_over_4_h() -> None:
    """A gap of 4 h is taken, a longer one is not, at either edge or between; the hours go on."""
    h = steady(step=5 * MINUTE)
    for start, end in (
        (ISSUED - 10 * HOUR_MS, ISSUED - 6 * HOUR_MS + 5 * MINUTE),
        (ISSUED - 4 * HOUR_MS - 5 * MINUTE, ISSUED),
        (ISSUED - TIDAL_DAY_MS, ISSUED - TIDAL_DAY_MS + 4 * HOUR_MS + 5 * MINUTE),
    ):
        assert say("day_max", without(h, start, end)) is None
        assert say("hour", without(h, start, end)) is not None
    assert say("day_max", without(h, ISSUED - 10 * HOUR_MS, ISSUED - 6 * HOUR_MS - 5 * MINUTE)) is not None
    assert say("day_max", without(h, ISSUED - 4 * HOUR_MS + 5 * MINUTE, ISSUED)) is not None


@pytest.mark.parametrize("target", MODEL.targets)
def test_nothing_is_said_of_a_point_that_fell_silent(target: str) -> None:
    """The newest good reading must be no older than 6 h."""
    assert say(target, without(steady(), ISSUED - 6 * HOUR_MS, ISSUED)) is None or target == "hour"
    assert say(target, without(steady(), ISSUED - 6 * HOUR_MS - 5 * MINUTE, ISSUED)) is None


def test_six_hours_are_enough_for_the_hours() -> None:
    """A newest reading of exactly 6 h ago still speaks."""
    assert say("hour", steady(until=ISSUED - 6 * HOUR_MS + MINUTE)) is not None


@pytest.mark.parametrize("target", MODEL.targets)
def test_under_3_days_nothing_is_said(target: str) -> None:
    """With three whole days a neighbour's errors are borrowed; with two nothing helps."""
    neighbour = steady(station="nt", value=5.0)
    issue = say(target, steady(days=3), neighbour)
    assert issue is not None
    assert issue.pooled
    assert say(target, steady(days=2.8), neighbour) is None


def test_a_day_with_a_gap_over_4_h_is_no_observed_day() -> None:
    """Of three days one had a gap: two are too few."""
    hole = MIDNIGHT - 30 * HOUR_MS
    assert say("hour", steady(days=3), steady(station="nt")) is not None
    assert say("hour", without(steady(days=3), hole, hole + 5 * HOUR_MS), steady(station="nt")) is None


@pytest.mark.parametrize("target", MODEL.targets)
def test_under_20_days_all_stations_errors_are_pooled(target: str) -> None:
    """A steady point has no errors of its own; beside a wild one its interval is wide at 19 observed days, and narrow at 20."""
    rng = np.random.default_rng(3)
    wild = steady(station="nt")
    wild = replace(wild, value=rng.uniform(0.0, 20.0, 50)[(wild.time - MIDNIGHT) // DAY_MS])
    young, grown = say(target, steady(days=19), wild), say(target, steady(days=20), wild)
    assert young is not None
    assert grown is not None
    assert young.pooled
    assert young.quantiles[0][-1] - young.quantiles[0][0] > 0.5
    assert grown.quantiles[0][-1] - grown.quantiles[0][0] < 1e-9


def test_its_own_errors_make_the_interval() -> None:
    """A point that doubles 1 + S every day errs by ln 2 a day, and by h·ln 2 over h more days: the median says so."""
    h = steady(days=60, step=30 * MINUTE)
    day = (h.time - MIDNIGHT) // DAY_MS
    h = replace(h, value=np.expm1(np.log(2.0) * (day + 64) / 8))
    found = median(say("day_max", h))
    today = float(h.value[-1])
    for lead in (1, 3, 14):
        assert np.log1p(found[lead]) - np.log1p(today) == pytest.approx(lead * np.log(2.0) / 8)


def test_older_than_60_days_is_no_record() -> None:
    """What erred 62 days ago plays no part."""
    h = steady(days=90)
    wild = replace(h, value=np.where(h.time < ISSUED - 64 * DAY_MS, np.tile([0.0, 30.0], len(h.time))[: len(h.time)], h.value))
    for target in MODEL.targets:
        assert say(target, h) == say(target, wild)


def test_more_history_than_asked_for_changes_nothing() -> None:
    """What is older than `HISTORY_MS` is not looked at."""
    for target in MODEL.targets:
        assert say(target, steady(days=200)) == say(target, steady(days=70))


def test_days_of_the_station_not_of_utc() -> None:
    """The same readings at a station of another zone are other days."""
    there = say("day_max", steady(zone="America/New_York"))
    assert there is not None
    assert there.times[0] == parse_rfc3339("2026-03-02T00:00:00-05:00")
