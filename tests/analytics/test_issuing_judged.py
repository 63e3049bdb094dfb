"""Forecasts are made of what the judge has seen, made anew where he finds that bad, and taken back where nobody can speak without it."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from servers.forecast_world import DAY, FIVE, HOUR, MINUTE, World

from analytics.issuing import DOUBT_AGAIN_MS, PATIENCE_MS, Issuer
from analytics.models.persistence import MODEL
from analytics.readings import Place, good_readings
from canhman.configuration import read_qc
from core.batch import Batch
from core.errors import UnavailableError
from core.flags import Flag
from core.forecast import MEDIAN, WITHDRAWN, Forecast
from core.risk import Risk
from core.series import SeriesKey
from core.state import Commit, Latest, Written
from quality.judge import judge, row_tests
from quality.rules import Rules
from registry.directory import Directory
from registry.situation import Situation

QUARTER = 15 * MINUTE


def salt(t: int) -> float:
    """A tide that peaks at 3.4 g/L."""
    return 2.2 + 1.2 * math.sin(2 * math.pi * t / (12.42 * HOUR))


def arrive(world: World, key: SeriesKey, start: int, end: int, *, value: float, received: int, step: int = QUARTER) -> None:
    """Readings as ingest writes them: flagged good by the row tests, and waiting for the judge."""
    times = np.arange(start, end, step, dtype=np.int64)
    rows = Batch.of([0] * len(times), times, [value] * len(times), flag=[int(Flag.GOOD)] * len(times), received=[received] * len(times))
    world.run(world.store.write(rows, [key]))
    newest = Latest(time=int(times[-1]), value=value, flag=int(Flag.GOOD))
    written = Written(key=key, role="primary", newest=newest, received=received, dirty_from=int(times[0]))
    world.run(world.db.commit(Commit(journal="j", state_cursor=10**6 + received % 10**6, written=(written,))))


def find(world: World, key: SeriesKey, start: int, end: int, flag: int) -> None:
    """The judge's answer to all with start ≤ time < end."""
    rows = world.run(world.store.read([key], start, end))
    world.run(world.store.write_flags(Batch.of([0] * len(rows), rows.time, rows.value, flag=[flag] * len(rows)), [key]))
    world.judge(key)


def told(world: World) -> tuple[str, int]:
    """The verdict at a, and how many hours are offered."""
    now = world.clock.now
    issues = world.run(world.db.latest_forecasts(target="hour", until=now))
    situation = Situation(Directory(world.run(world.db.snapshot())), world.run(world.db.states()), issues, Risk())
    offered = situation.windows("a", now).windows
    return situation.verdict("a", now).verdict, sum((w.end - w.start) // HOUR for w in offered)


def highest(f: Forecast) -> float:
    """Of the medians."""
    return max(q[MEDIAN] for q in f.quantiles)


def test_row_tests_find_a_frozen_probe_good(world: World) -> None:
    """Why a flag is worth nothing before the judge has seen it: of 26 h at 0.4 g/L ingest writes none but good, and he fails nearly all."""
    a = world.station("a")
    times = np.arange(FIVE - 26 * HOUR, FIVE, QUARTER, dtype=np.int64)
    rows, rules = Batch.of([0] * len(times), times, [0.4] * len(times)), Rules(read_qc(None), [a])
    assert set(judge(rows, rules, tests=row_tests(rules))[0].tolist()) == {Flag.GOOD}
    assert np.count_nonzero(judge(rows, rules)[0] == Flag.FAIL) > 70


def test_a_backlog_nobody_has_judged_is_no_ground_to_take_water(world: World) -> None:
    """A day of 0.4 g/L after a month of tides, that only the row tests have seen: nothing is issued of it, before he has failed it or after."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - 26 * HOUR, value=salt)
    world.measure(a, FIVE - HOUR, FIVE, value=0.2)
    arrive(world, a, FIVE - 26 * HOUR, FIVE - HOUR, value=0.4, received=FIVE - 30_000)
    assert world.round() == 0
    assert told(world) == ("measure", 0)
    find(world, a, FIVE - 26 * HOUR, FIVE - HOUR, Flag.FAIL)
    world.measure(a, FIVE, FIVE + 30 * MINUTE, value=0.2)
    world.round(FIVE + 30 * MINUTE)
    assert world.issued("a", "day_max") == []
    assert 0.4 not in {round(q[MEDIAN], 3) for f in world.issued("a", "hour") for q in f.quantiles}
    assert told(world) == ("measure", 0)


def test_a_backlog_that_the_judge_finds_good_is_in_the_issue_of_the_hour(world: World) -> None:
    """He is given a moment at the hour: the issue is made when he has answered, of all that came."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - 2 * HOUR)
    arrive(world, a, FIVE - 2 * HOUR, FIVE, value=3.0, received=FIVE - 500)
    assert world.round() == 0
    find(world, a, FIVE - 2 * HOUR, FIVE, Flag.GOOD)
    assert world.round(FIVE + 2000) == 3
    assert highest(world.issued("a", "hour")[0]) == pytest.approx(3.0)


def test_a_judge_who_does_not_answer_is_waited_for_minutes(world: World) -> None:
    """Then the hour's issue is made of what he has seen; when more than six hours wait, nothing is."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - 2 * HOUR)
    arrive(world, a, FIVE - 2 * HOUR, FIVE, value=30.0, received=FIVE - 500)
    assert world.round() == 0
    assert world.round(FIVE + PATIENCE_MS - 1) == 0
    assert world.round(FIVE + QUARTER) == 3
    [hour] = world.issued("a", "hour")
    assert (highest(hour), hour.data_until) == (2.0, FIVE - 2 * HOUR - QUARTER + 1000)
    world.again()
    assert world.round(FIVE + 5 * HOUR) == 0


def test_an_hour_that_waited_for_the_judge_is_issued_when_he_answers(world: World) -> None:
    """Half a day before the newest reading waits when the hour strikes: nothing is tried without it, and all is issued when he answers."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - 12 * HOUR)
    world.round(FIVE - 12 * HOUR)
    world.measure(a, FIVE - HOUR, FIVE)
    arrive(world, a, FIVE - 12 * HOUR, FIVE - HOUR, value=3.0, received=FIVE - 500)
    world.measure(world.station("b"), FIVE - 30 * DAY, FIVE)
    assert world.round(FIVE) == 3, "those of b"
    assert world.round(FIVE + QUARTER) == 0
    find(world, a, FIVE - 12 * HOUR, FIVE, Flag.GOOD)
    assert world.round(FIVE + 2 * QUARTER) == 3


def test_a_round_that_is_the_only_one_waits_for_nobody(world: World) -> None:
    """`canhman forecast --once` has no patience: there is no second round."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - 2 * HOUR)
    arrive(world, a, FIVE - 2 * HOUR, FIVE, value=30.0, received=FIVE - 500)
    only = Issuer(database=world.db, store=world.store, clock=world.clock, models=(MODEL,), patience_ms=0)
    assert world.run(only.round()).issued == 3
    assert highest(world.issued("a", "hour")[0]) == 2.0


def test_a_stream_that_always_waits_is_issued_on_the_hour(world: World) -> None:
    """A reading a second, the last ones never judged yet: each hour one issue, at the hour, and each reading costs no read of all days."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE - MINUTE)
    arrive(world, a, FIVE - MINUTE, FIVE, value=2.0, received=FIVE - 1, step=1000)
    world.clock.now = FIVE + 1
    assert world.run(world.issuer.round()).issued == 3
    reads = 0
    for second in range(2, 30):
        now = FIVE + second * 1000
        arrive(world, a, now - 1000, now, value=2.0, received=now, step=1000)
        if second % 2:
            find(world, a, now - 5000, now - 1000, Flag.GOOD)
            arrive(world, a, now - 900, now, value=2.0, received=now, step=1000)
        world.clock.now = now
        done = world.run(world.issuer.round())
        assert done.issued == 0
        reads += done.read
    assert reads == 0
    arrive(world, a, FIVE + 30_000, FIVE + HOUR, value=2.0, received=FIVE + HOUR - 1, step=1000)
    find(world, a, FIVE + 30_000, FIVE + HOUR - 5000, Flag.GOOD)
    arrive(world, a, FIVE + HOUR - 5000, FIVE + HOUR, value=2.0, received=FIVE + HOUR - 1, step=1000)
    world.clock.now = FIVE + HOUR + 1
    assert world.run(world.issuer.round()).issued == 1
    assert [f.issued_at for f in world.issued("a", "hour")] == [FIVE + 1, FIVE + HOUR + 1]


def test_a_new_issue_at_once_when_used_readings_are_found_bad(world: World) -> None:
    """Every target anew, of what is left, with the instant it was made at; once, and what was said first stays in the record."""
    a = world.station("a")
    spike = FIVE - 10 * HOUR
    world.measure(a, FIVE - 30 * DAY, FIVE, value=lambda t: 20.0 if t == spike else 2.0)
    assert world.round() == 3
    world.reflag(a, spike, Flag.FAIL)
    assert world.round(FIVE + MINUTE) == 3
    for target in ("day_max", "day_min", "hour"):
        first, second = world.issued("a", target)
        assert (first.issued_at, second.issued_at) == (FIVE, FIVE + MINUTE)
        assert first.inputs != second.inputs
    assert highest(world.issued("a", "hour")[0]) == pytest.approx(20.0)
    assert highest(world.issued("a", "hour")[1]) == pytest.approx(2.0)
    assert [world.round(FIVE + n * MINUTE) for n in range(2, 60)] == [0] * 58


def test_what_nobody_can_say_anew_is_taken_back(world: World) -> None:
    """A day of it is found bad and no model speaks of the rest: verdict and windows stand on that issue no more, from the next round on."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE, value=0.2)
    world.round()
    assert told(world)[0] == "take"
    find(world, a, FIVE - 4 * DAY, FIVE - HOUR, Flag.FAIL)
    world.clock.now = FIVE + MINUTE
    done = world.run(world.issuer.round())
    assert done.withdrawn > 0
    assert told(world) == ("measure", 0)
    last = world.issued("a", "day_max")[-1]
    assert (last.issued_at, last.leads, last.quantiles, last.model, last.version) == (FIVE + MINUTE, (), (), "persistence", "1" + WITHDRAWN)
    world.again()
    assert [world.round(FIVE + n * MINUTE) for n in range(2, 60)] == [0] * 58


def test_where_something_was_taken_back_there_is_an_issue_again_as_soon_as_one_can_be_made(world: World) -> None:
    """The days too, at the next hour, and not only at the next 05:00."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    find(world, a, FIVE - 4 * DAY, FIVE - HOUR, Flag.FAIL)
    world.round(FIVE + MINUTE)
    assert not world.issued("a", "day_max")[-1].leads
    find(world, a, FIVE - 4 * DAY, FIVE - HOUR, Flag.GOOD)
    world.measure(a, FIVE, FIVE + HOUR)
    assert world.round(FIVE + HOUR) == 3
    assert [bool(f.leads) for f in world.issued("a", "day_max")] == [True, False, True]


def test_all_of_a_point_is_found_bad(world: World) -> None:
    """It has no good reading left, and still what was said of it is taken back."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE, value=0.2)
    world.round()
    find(world, a, 0, FIVE, Flag.FAIL)
    world.clock.now = FIVE + MINUTE
    assert world.run(world.issuer.round()).withdrawn == 3


def test_readings_that_only_wait_again_take_nothing_back(world: World) -> None:
    """A late reading makes all after it wait for the judge: they are not bad by that; once he has failed one of them, they are, even if it was read between."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    late = FIVE - 20 * HOUR + MINUTE
    arrive(world, a, late, late + 1, value=2.0, received=FIVE + MINUTE)
    assert world.round(FIVE + 2 * MINUTE) == 0
    assert world.round(FIVE + HOUR) == 0
    world.measure(world.station("b"), FIVE - 30 * DAY, FIVE + HOUR)
    assert world.round(FIVE + HOUR + 1) == 3, "those of b; a is read with it, up to what waits"
    find(world, a, FIVE - 10 * HOUR, FIVE - 10 * HOUR + 1, Flag.FAIL)
    assert world.round(FIVE + HOUR + MINUTE) >= 3
    assert world.issued("a", "day_max")[-1].issued_at == FIVE + HOUR + MINUTE


def test_late_readings_that_are_good_make_nothing_due(world: World) -> None:
    """They enter the next issue; each costs no read of all days, however many trickle in."""
    a = world.station("a")
    world.measure(a, FIVE - 30 * DAY, FIVE)
    world.round()
    reads = 0
    for n in range(50):
        late = FIVE - 20 * HOUR + n * MINUTE + 1
        world.measure(a, late, late + 1, received=FIVE + n * 6000)
        world.clock.now = FIVE + n * 6000
        done = world.run(world.issuer.round())
        assert done.issued == 0
        reads += done.read
    assert reads <= 1 + 50 * 6000 // DOUBT_AGAIN_MS
    assert [f.issued_at for f in world.issued("a", "hour")] == [FIVE]


@pytest.mark.parametrize("late", [False, True])
def test_what_was_found_bad_while_the_service_was_down(world: World, late: bool) -> None:
    """A start tells from `inputs` that an issue was made of what stands no more; what only came late since is no reason to issue anew."""
    a = world.station("a")
    spike = FIVE - 10 * HOUR
    world.measure(a, FIVE - 30 * DAY, FIVE, value=lambda t: 20.0 if t == spike else 2.0)
    world.round()
    if late:
        world.measure(a, spike + MINUTE, spike + 2 * MINUTE, received=FIVE + MINUTE)
    else:
        world.reflag(a, spike, Flag.FAIL)
    world.again()
    world.measure(a, FIVE, FIVE + HOUR)
    assert world.round(FIVE + HOUR) == (1 if late else 3)
    assert [world.round(FIVE + HOUR + n * MINUTE) for n in range(1, 60)] == [0] * 59


def test_what_was_found_bad_is_not_forgotten_while_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The append fails in the round that saw it; the next round issues anew."""
    a = world.station("a")
    spike = FIVE - 10 * HOUR
    world.measure(a, FIVE - 30 * DAY, FIVE, value=lambda t: 20.0 if t == spike else 2.0)
    world.round()
    world.reflag(a, spike, Flag.FAIL)

    async def away(*_: object) -> int:
        raise UnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(type(world.db), "issue", away)
        with pytest.raises(UnavailableError):
            world.round(FIVE + MINUTE)
    assert world.round(FIVE + MINUTE + 1000) == 3


def test_good_readings_end_where_they_wait_for_the_judge(world: World) -> None:
    """Sensor by sensor: of a swapped probe's two only the one that waits is cut; for training and scoring alike."""
    swap = FIVE - 10 * DAY
    first, second = world.station("a", sensor="old", end=swap), world.station("a", sensor="new", start=swap)
    world.measure(first, FIVE - 12 * DAY, swap, step=DAY)
    world.measure(second, swap, FIVE, step=DAY)
    arrive(world, first, swap - DAY - HOUR, swap - DAY, value=2.0, received=FIVE, step=HOUR)
    directory = Directory(world.run(world.db.snapshot()))
    station = directory.station("a")
    assert station is not None
    place = Place(station=station, point="main", states=tuple(world.run(world.db.states(station="a"))))
    found = asyncio.run(good_readings(world.store, place, directory, 0, FIVE))
    assert found.time.tolist() == [FIVE - 12 * DAY, *range(swap, FIVE, DAY)]
