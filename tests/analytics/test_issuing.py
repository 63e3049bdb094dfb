"""When forecasts are issued, from what, and that nothing is missed or made twice."""

from __future__ import annotations

import numpy as np
import pytest
from servers.forecast_world import DAY, FIVE, HOUR, MINUTE, World

from core.errors import NotFoundError, UnavailableError
from core.flags import Flag
from core.forecast import MEDIAN, Forecast


def medians(f: Forecast) -> dict[int, float]:
    """Medians by lead."""
    return {lead: q[MEDIAN] for lead, q in zip(f.leads, f.quantiles, strict=True)}


def test_the_first_round_issues_days_and_hours_of_every_point(world: World) -> None:
    """Two stations with 30 days of readings: three targets each, in the station's name, with what they were made of."""
    for name in ("a", "b"):
        world.measure(world.station(name), FIVE - 30 * DAY, FIVE)
    assert world.round() == 6
    issue = world.issued("a", "day_max")[0]
    assert (issue.org, issue.point, issue.model, issue.version, issue.issued_at) == ("default", "main", "persistence", "1", FIVE)
    assert issue.data_until == FIVE - 15 * MINUTE + 1000
    assert issue.leads == tuple(range(1, 15))
    assert issue.inputs
    assert world.issued("b", "hour")[0].leads == tuple(range(1, 73))
    assert world.round() == 0


def test_hours_on_the_hour_where_new_data_came(world: World) -> None:
    """Within the hour nothing more; on the next one an issue where a reading came since, and none where none came."""
    a, b = world.station("a"), world.station("b")
    for key in (a, b):
        world.measure(key, FIVE - 30 * DAY, FIVE)
    world.round()
    world.measure(a, FIVE, FIVE + HOUR)
    assert world.round(FIVE + 59 * MINUTE) == 0
    assert world.round(FIVE + HOUR) == 1
    assert [f.issued_at for f in world.issued("a", "hour")] == [FIVE, FIVE + HOUR]
    assert len(world.issued("b", "hour")) == 1
    assert world.round(FIVE + 2 * HOUR) == 0


def test_days_at_five_local_and_once_a_day(world: World) -> None:
    """Between two 05:00 no second issue; two days later a second of 14 days, and both are there as issued."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    first = world.issued("a", "day_max")
    world.measure(a, FIVE, FIVE + DAY - 15 * MINUTE, value=3.0)
    world.round(FIVE + DAY - 10 * MINUTE)
    assert world.issued("a", "day_max") == first
    world.measure(a, FIVE + DAY - 15 * MINUTE, FIVE + DAY, value=3.0)
    world.round(FIVE + DAY)
    two = world.issued("a", "day_max")
    assert [f.issued_at for f in two] == [FIVE, FIVE + DAY]
    assert [len(f.leads) for f in two] == [14, 14]
    assert two[0] == first[0]
    assert two[1].times[0] == two[0].times[1]


def test_what_was_missed_is_caught_up_once(world: World) -> None:
    """After a night without us: one issue of each target, not one per hour, at the instant it was made; at noon of the days too."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    noon = FIVE + 31 * HOUR
    world.measure(a, FIVE, noon)
    world.again()
    assert world.round(noon + 3) == 3
    for target in ("day_max", "day_min", "hour"):
        assert [f.issued_at for f in world.issued("a", target)] == [FIVE, noon + 3]
    assert world.round(noon + 5 * MINUTE) == 0


def test_a_restart_issues_nothing_twice(world: World) -> None:
    """What was issued in this hour is known from the database."""
    world.measure(world.station("a"), FIVE - 30 * DAY, FIVE)
    world.round()
    world.again()
    assert world.round(FIVE + 7 * MINUTE) == 0


def test_readings_that_are_not_good_do_not_exist(world: World) -> None:
    """Suspect, failed, missing and unjudged readings: neither value nor error nor freshness comes from them."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - HOUR)
    for n, flag in enumerate((Flag.SUSPECT, Flag.FAIL, Flag.MISSING, Flag.NOT_EVALUATED)):
        world.measure(a, FIVE - HOUR + n * 15 * MINUTE, FIVE - HOUR + (n + 1) * 15 * MINUTE, value=30.0, flag=flag)
    world.round()
    issue = world.issued("a", "day_max")[0]
    assert set(medians(issue).values()) == {2.0}
    assert issue.data_until == FIVE - HOUR - 15 * MINUTE + 1000


def test_readings_from_the_issue_on_do_not_exist(world: World) -> None:
    """A device whose clock is minutes ahead changes nothing yet; once its time has come its readings are seen."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.measure(a, FIVE, FIVE + 10 * MINUTE, value=9.0, step=5 * MINUTE)
    world.round()
    assert set(medians(world.issued("a", "day_max")[0]).values()) == {2.0}
    world.round(FIVE + HOUR)
    assert medians(world.issued("a", "hour")[-1])[25] == 2.0
    assert max(medians(world.issued("a", "hour")[-1]).values()) == 9.0


def test_late_readings_enter_the_next_issue(world: World) -> None:
    """A backlog from 20 h ago that comes after an issue is in the next one, however far behind the newest it lies."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    world.measure(a, FIVE - 20 * HOUR + 60_000, FIVE - 19 * HOUR, value=8.0, received=FIVE + 20 * MINUTE)
    assert world.round(FIVE + HOUR) == 1
    assert max(medians(world.issued("a", "hour")[-1]).values()) == pytest.approx(8.0)


def test_changed_flags_enter_the_next_issue(world: World) -> None:
    """What the judge found bad later is out of the next issue, though no reading was stored in between but the newest."""
    a = world.station("a")
    spike = FIVE - 10 * HOUR
    world.measure(a, FIVE - 30 * DAY, FIVE, value=lambda t: 20.0 if t == spike else 2.0)
    world.round()
    assert max(medians(world.issued("a", "hour")[-1]).values()) == pytest.approx(20.0)
    world.measure(a, FIVE, FIVE + HOUR)
    world.reflag(a, spike, Flag.FAIL)
    world.round(FIVE + HOUR)
    assert max(medians(world.issued("a", "hour")[-1]).values()) == pytest.approx(2.0)


def test_a_flag_that_changes_between_two_rounds_is_seen_without_a_new_reading_elsewhere(world: World) -> None:
    """The readings in memory of a neighbour are dropped too when its flags change: a young point borrows its errors."""
    old, young = world.station("old"), world.station("young")
    spike = FIVE - 100 * HOUR
    world.measure(old, FIVE - 30 * DAY, FIVE, value=lambda t: 20.0 if t == spike else 2.0)
    world.measure(young, FIVE - 5 * DAY, FIVE)
    world.round()
    world.measure(young, FIVE, FIVE + HOUR)
    world.reflag(old, spike, Flag.FAIL)
    world.round(FIVE + HOUR)
    world.again()
    before = world.issued("young", "hour")[-1]
    afresh = world.run(world.issuer.hindcast(FIVE + HOUR, station="young"))
    same = next(f for f in afresh if f.target == "hour")
    assert before.inputs == same.inputs
    assert np.allclose(before.p_gt, same.p_gt, rtol=1e-4)


def test_only_what_changed_is_read_again(world: World) -> None:
    """A point that wrote nothing is not read from the store again, and one that wrote is."""
    a, b = world.station("a"), world.station("b")
    for key in (a, b):
        world.measure(key, FIVE - 30 * DAY, FIVE)
    assert world.run(world.issuer.round()).read == 2
    world.measure(a, FIVE, FIVE + HOUR)
    world.clock.now = FIVE + HOUR
    assert world.run(world.issuer.round()).read == 1
    world.clock.now = FIVE + 90 * MINUTE
    assert world.run(world.issuer.round()).read == 0


def test_a_swapped_probe_is_one_point_and_a_check_sensor_is_none(world: World) -> None:
    """Readings of two primary sensors one after the other are one history; a check sensor's play no part, nor does what lies outside a deployment."""
    swap = FIVE - 10 * DAY
    first = world.station("a", sensor="old", end=swap)
    second = world.station("a", sensor="new", start=swap)
    check = world.station("a", sensor="check", role="check")
    world.measure(first, FIVE - 30 * DAY, FIVE, value=lambda t: 2.0 if t < swap else 35.0)
    world.measure(second, swap, FIVE, value=3.0)
    world.measure(check, FIVE - 30 * DAY, FIVE, value=39.0, role="check")
    assert world.round() == 3
    issue = world.issued("a", "day_max")[0]
    assert medians(issue)[1] == pytest.approx(3.0)
    assert issue.quantiles[0][-1] < 10.0


def test_too_little_is_no_issue_and_is_tried_again_when_there_is_news(world: World) -> None:
    """A new station has no forecast until its third day; as soon as its backlog is in, without waiting for the hour."""
    a = world.station("a")
    world.measure(world.station("b"), FIVE - 30 * DAY, FIVE)
    world.measure(a, FIVE - 2 * DAY, FIVE)
    assert world.round() == 3
    assert world.issued("a", "hour") == []
    assert world.round(FIVE + 10 * MINUTE) == 0
    world.measure(a, FIVE - 8 * DAY, FIVE + 12 * MINUTE, received=FIVE + 12 * MINUTE)
    assert world.round(FIVE + 13 * MINUTE) == 3
    assert world.issued("a", "hour")[0].issued_at == FIVE + 13 * MINUTE


def test_a_silent_point_gets_no_forecast(world: World) -> None:
    """Newest good reading older than 6 h: nothing is issued, nor read."""
    world.measure(world.station("a"), FIVE - 30 * DAY, FIVE - 6 * HOUR)
    assert world.run(world.issuer.round()).read == 0
    assert world.issued("a", "hour") == []


def test_a_store_that_goes_away_in_a_round_issues_nothing_and_the_next_round_all(world: World) -> None:
    """One append per round: all or none, and nothing is forgotten."""
    for name in ("a", "b"):
        world.measure(world.station(name), FIVE - 30 * DAY, FIVE)
    world.store.away = "gone"
    with pytest.raises(UnavailableError):
        world.round()
    assert world.run(world.db.forecasts_after(0)) == []
    world.store.away = ""
    assert world.round(FIVE + MINUTE) == 6


def test_the_days_of_another_zone_are_due_at_its_five_o_clock(world: World) -> None:
    """A station in New York gets its days at 10:00 UTC, not at 22:00 UTC."""
    a = world.station("a", timezone="America/New_York")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    assert len(world.issued("a", "day_max")) == 1  # the one that was missed this morning there
    there = FIVE + 12 * HOUR
    world.measure(a, FIVE, there)
    world.round(there - 15 * MINUTE)
    assert len(world.issued("a", "day_max")) == 1
    world.round(there)
    assert [f.issued_at for f in world.issued("a", "day_max")] == [FIVE, there]


def test_a_hindcast_sees_nothing_from_its_instant_on(world: World) -> None:
    """Issued as of a past time from what was measured before it, at that time, whatever came later; the newest stays the newest."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE, value=lambda t: 2.0 if t < FIVE - 3 * DAY else 15.0)
    world.round()
    past = FIVE - 3 * DAY
    made = world.run(world.issuer.hindcast(past))
    assert {(f.station, f.target, f.issued_at) for f in made} == {("a", t, past) for t in ("day_max", "day_min", "hour")}
    assert max(q[-1] for f in made for q in f.quantiles) == pytest.approx(2.0)
    assert world.run(world.db.latest_forecasts(target="hour"))[0].issued_at == FIVE
    again = world.run(world.issuer.hindcast(past))
    assert len(world.issued("a", "hour")) == 2
    assert again == made


def test_a_hindcast_keeps_no_real_issue_from_being_made(world: World) -> None:
    """The service was down at 05:00, and somebody asked what would have been said: what is due is issued all the same, is the newest, and both are kept."""
    world.measure(world.station("a"), FIVE - 30 * DAY, FIVE + 3 * HOUR)
    world.clock.now = FIVE + 3 * HOUR
    assert len(world.run(world.issuer.hindcast(FIVE + 3 * HOUR))) == 3
    world.again()
    assert world.round(FIVE + 3 * HOUR) == 3, "at the very same instant"
    for target in ("day_max", "hour"):
        assert [f.hindcast for f in world.issued("a", target)] == [True, False]
        assert not world.run(world.db.latest_forecasts(target=target))[0].hindcast


def test_a_hindcast_of_one_station_borrows_from_all(world: World) -> None:
    """`station` says who is forecast, not who is learnt from; an unknown one is named."""
    world.measure(world.station("a"), FIVE - 5 * DAY, FIVE)
    world.measure(world.station("b"), FIVE - 40 * DAY, FIVE)
    made = world.run(world.issuer.hindcast(FIVE - HOUR, station="a"))
    assert {f.station for f in made} == {"a"}
    assert len(made) == 3
    with pytest.raises(NotFoundError, match="nowhere"):
        world.run(world.issuer.hindcast(FIVE, station="nowhere"))


def test_inputs_tell_whether_the_same_was_seen(world: World) -> None:
    """The same readings give the same hash, one other value gives another."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    first = world.run(world.issuer.hindcast(FIVE - HOUR))
    world.again()
    assert [f.inputs for f in world.run(world.issuer.hindcast(FIVE - HOUR))] == [f.inputs for f in first]
    world.measure(a, FIVE - 20 * DAY, FIVE - 20 * DAY + MINUTE, value=2.5)
    changed = world.run(world.issuer.hindcast(FIVE - HOUR))
    assert not {f.inputs for f in changed} & {f.inputs for f in first}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_ahead_keeps_no_hour_from_being_issued(world: World, restarted: bool) -> None:
    """Five hours ahead for one round, then right: each hour has its issue, and the one from the future is the newest at no time, not when that comes either."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    world.measure(a, FIVE, FIVE + 30 * MINUTE)
    ahead = FIVE + 5 * HOUR + 40 * MINUTE
    assert world.round(ahead) == 1
    if restarted:
        world.again()
    for h in range(1, 8):
        now = FIVE + h * HOUR + 50 * MINUTE
        world.measure(a, now - HOUR, now)
        assert world.round(now) == 1, h
        [newest] = world.run(world.db.latest_forecasts(target="hour", until=now + 5 * MINUTE))
        assert newest.issued_at == now
    days = world.issued("a", "day_max")
    assert [f.issued_at for f in days] == [FIVE]


def test_an_hour_tried_before_it_came_is_tried_when_it_comes(world: World) -> None:
    """Forty minutes ahead at half past five, then right: six o'clock has its issue."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    world.measure(a, FIVE, FIVE + 30 * MINUTE)
    assert world.round(FIVE + 70 * MINUTE) == 1
    assert world.round(FIVE + 31 * MINUTE) == 0
    world.measure(a, FIVE + 30 * MINUTE, FIVE + HOUR)
    assert world.round(FIVE + HOUR) == 1


def test_a_clock_that_was_a_day_ahead_takes_no_morning_from_the_days(world: World) -> None:
    """The days of the next 05:00 are issued then, though one from the future bears a later time."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE + 2 * DAY)
    world.round()
    assert world.round(FIVE + DAY + 3 * HOUR) == 3
    assert world.round(FIVE + DAY) == 3
    assert world.run(world.db.latest_forecasts(target="day_max", until=FIVE + DAY + 4 * HOUR))[0].issued_at == FIVE + DAY
