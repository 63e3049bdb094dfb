"""The scorer: issued, the day passes, the truth arrives and settles, the record shows it; once, after any restart."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from servers.forecast_world import DAY, FIVE, HOUR, MINUTE, World

from analytics import scoring
from analytics.crops import parse_crops
from analytics.history import History
from analytics.hours_ahead import said
from analytics.model import DriverHistory, Issue, Model
from analytics.record import Record, records, scored
from analytics.scoring import SETTLE_MS, Scorer, cursor_of, water_limits
from core.bands import LINES
from core.errors import UnavailableError
from core.forecast import TARGETS

MIDNIGHT = FIVE - 5 * HOUR


def scorer(world: World) -> Scorer:
    return Scorer(database=world.db, store=world.store, clock=world.clock)


def drain(world: World, made: Scorer | None = None) -> int:
    """Rounds until there is nothing left to do now; how many did something."""
    made, done = made or scorer(world), 0
    while world.run(made.run()):
        done += 1
    return done


def record(world: World, target: str = "day_max", station: str = "a") -> dict[int, Record]:
    return {r.lead: r for r in records(world.run(world.db.scores(stations=[station], target=target)))}


def _tomorrow(target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
    """The same of every point."""
    return [Issue(leads=(1,), times=(MIDNIGHT + DAY,), quantiles=((1.0, 2.0, 2.0, 2.0, 3.0),), p_gt=((0.9, 0.9, 0.4, 0.1),)) for _ in wanted]


def test_issued_passed_arrived_shown(world: World) -> None:
    """Nothing before the day is over and settled; then one of one day ahead and the hours since the issue; no issue has changed."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE)
    world.round()
    said = world.issued("a", "day_max")
    over = MIDNIGHT + 2 * DAY
    world.measure(a, FIVE, over)
    world.clock.now = over + SETTLE_MS - 1
    drain(world)
    assert record(world) == {}
    world.clock.now = over + SETTLE_MS + HOUR
    assert drain(world) == 1
    assert {lead: (r.n, r.missing) for lead, r in record(world).items()} == {1: (1, 0)}
    assert record(world)[1].lines[1].events == 1
    assert sum(r.n for r in record(world, "hour").values()) == 43  # from 05:00 of the first day to midnight after the second
    assert world.issued("a", "day_max") == said
    [day] = world.run(world.db.scored_days(stations=["a"], target="day_max"))
    assert (day.time, day.model, day.said, day.came) == (MIDNIGHT + DAY, "persistence", said[0].p_gt[0], 2.0)


def test_the_next_hours_and_crops_limits_are_scored(world: World) -> None:
    """What was said of the highest of the next 6 and 24 h is in the record with the rest, once, and at crops' limits where they are told to it."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE)
    world.round()
    world.measure(a, FIVE, MIDNIGHT + 2 * DAY)
    world.clock.now = MIDNIGHT + 2 * DAY + SETTLE_MS
    made = Scorer(database=world.db, store=world.store, clock=world.clock, limits=(0.8,))
    drain(world, made)
    drain(world)
    for target, hours in (("max_6h", 6), ("max_24h", 24)):
        [(lead, found)] = record(world, target).items()
        assert (lead, found.n, found.missing, found.lines[1].events) == (hours, 1, 0, 1)
        assert (0.8 in [line.line for line in found.lines]) == (target == "max_6h")
        [day] = world.run(world.db.scored_days(stations=["a"], target=target))
        assert (day.time, day.came) == (FIVE, 2.0)
        assert day.said == pytest.approx(said(world.issued("a", "hour")[0], target, LINES))
    assert [line.line for line in record(world)[1].lines] == [*LINES, 0.8]


def test_the_shipped_crops_limits() -> None:
    """Each once, none that is a line."""
    crops = parse_crops(tomllib.loads((Path(__file__).parents[2] / "config" / "crops.toml").read_text("utf-8")))
    found = water_limits(crops)
    assert set(found) | set(LINES) >= {crop.water_limit.value for crop in crops.crops}
    assert list(found) == sorted(set(found) - set(LINES))


def test_a_silent_sensor_leaves_missing(world: World) -> None:
    """No reading came: counted, not dropped."""
    world.measure(world.station("a"), FIVE - 40 * DAY, FIVE)
    world.round()
    world.clock.now = FIVE + 20 * DAY
    drain(world)
    assert {lead: (r.n, r.missing) for lead, r in record(world).items()} == dict.fromkeys(range(1, 15), (0, 1))
    assert [(bool(d.said), d.came) for d in world.run(world.db.scored_days(stations=["a"], target="day_min"))] == [(True, None)] + [(False, None)] * 13


@pytest.mark.parametrize("every", [1, 3, 11])
def test_restarts_and_steps_score_the_same(world: World, every: int) -> None:
    """Scored day by day, by a new scorer each time, with one that stopped behind: as all at once."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE, value=lambda t: 1 + t // HOUR % 7 / 3)
    for day in range(12):
        world.measure(a, FIVE + (day - 1) * DAY, FIVE + day * DAY, value=lambda t: 1 + t // HOUR % 7 / 3)
        world.round(FIVE + day * DAY)
        if day % every == 0:
            drain(world)
    stale = scorer(world)
    world.run(stale.run())
    world.clock.now = FIVE + 16 * DAY
    drain(world)
    assert sum(r.n + r.missing for r in record(world).values()) == sum(min(14, 13 - d + 1) for d in range(12))
    before = world.run(world.db.scores(stations=["a"], target="day_max"))
    drain(world, stale)
    drain(world)
    assert world.run(world.db.scores(stations=["a"], target="day_max")) == before
    times = np.arange(FIVE - 80 * DAY, FIVE + 11 * DAY, 15 * MINUTE)
    times = times[times >= FIVE - 40 * DAY]
    truth = History(station="a", point="main", zone="Asia/Ho_Chi_Minh", time=times, value=1 + times // HOUR % 7 / 3)
    for target in TARGETS:
        at_once = records(scored(world.issued("a", target), truth, after=0, until=MIDNIGHT + 15 * DAY))
        assert [(r.lead, r.n, r.missing, r.inside) for r in record(world, target).values()] == [(r.lead, r.n, r.missing, r.inside) for r in at_once]
        for kept, fresh in zip(record(world, target).values(), at_once, strict=True):
            assert [line.brier for line in kept.lines] == pytest.approx([line.brier for line in fresh.lines])


def test_nothing_is_scored_before_the_judge_has_answered(world: World) -> None:
    """What is not judged is neither truth nor missing: the point waits, others do not."""
    for name in ("a", "b"):
        world.measure(world.station(name), FIVE - 40 * DAY, FIVE)
    world.round()
    a, b = (world.station(name) for name in ("a", "b"))
    world.measure(a, FIVE, MIDNIGHT + 2 * DAY, judged=False)
    world.measure(b, FIVE, MIDNIGHT + 2 * DAY)
    world.clock.now = MIDNIGHT + 2 * DAY + SETTLE_MS
    drain(world)
    assert (record(world), len(record(world, station="b"))) == ({}, 1)


def test_a_hindcast_is_not_scored(world: World) -> None:
    """Made afterwards, it is marked so, and in no record."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE + 5 * DAY)
    world.clock.now = FIVE + 5 * DAY
    made = world.run(world.issuer.hindcast(FIVE))
    assert all(f.hindcast for f in made)
    drain(world)
    assert record(world) == record(world, "hour") == {}
    world.round(FIVE + 5 * DAY)  # beside an issue that is scored
    world.clock.now = FIVE + 8 * DAY
    drain(world)
    assert world.run(world.db.load_cursor(cursor_of("a", "main"))) > 0
    assert {lead: (r.n, r.missing) for lead, r in record(world).items()} == {1: (0, 1)}


def test_a_gauge_read_once_a_day_has_a_record(world: World) -> None:
    """The days it is forecast from are the days it is held against."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY + 2 * HOUR, FIVE + 10 * DAY, step=DAY, value=lambda t: 2 + np.sin(t / DAY / 3))
    world.again(models=(Model(name="m", version="1", targets=("day_max",), say=_tomorrow),))
    assert world.round(FIVE + 2 * HOUR + MINUTE) == 1
    world.clock.now = FIVE + 5 * DAY
    drain(world)
    assert {lead: (r.n, r.missing) for lead, r in record(world).items()} == {1: (1, 0)}
    [day] = world.run(world.db.scored_days(stations=["a"], target="day_max"))
    assert day.came == pytest.approx(2 + np.sin((FIVE + 2 * HOUR + DAY) / DAY / 3))


def test_a_round_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three points, two in a round, of seven days each: the third has its turn before anybody's second."""
    monkeypatch.setattr(scoring, "POINTS", 2)
    for name in ("a", "b", "c"):
        world.measure(world.station(name), FIVE - 40 * DAY, FIVE)
    world.round()
    world.clock.now = FIVE + 16 * DAY
    made = scorer(world)
    assert world.run(made.run()) == 2
    assert [len(record(world, station=s)) for s in "abc"] == [6, 6, 0]
    assert world.run(made.run()) == 2
    assert len(record(world, station="c")) == 6
    drain(world, made)
    assert [len(record(world, station=s)) for s in "abc"] == [14, 14, 14]


def test_a_round_after_a_start_is_bounded_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new service reads every point to see whether its days are as they were: two in a round, so that forecasts need not wait for all of them."""
    for name in ("a", "b", "c"):
        world.measure(world.station(name), FIVE - 40 * DAY, FIVE)
    world.round()
    world.clock.now = FIVE + 5 * DAY
    drain(world)
    monkeypatch.setattr(scoring, "POINTS", 2)
    read, whole = list[str](), scoring.good_readings
    monkeypatch.setattr(scoring, "good_readings", lambda store, place, *more: (read.append(place.station.id), whole(store, place, *more))[1])
    made = scorer(world)
    assert (world.run(made.run()), read, made.waits) == (0, ["a", "b"], True)
    assert (world.run(made.run()), read, made.waits) == (0, ["a", "b", "c"], False)


def test_a_clock_that_ran_ahead_leaves_later_days_to_be_scored(world: World) -> None:
    """Five years ahead and back: what is forecast afterwards is scored, and what had no readings then is scored with those that came."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE)
    world.round()
    world.clock.now = FIVE + 5 * 365 * DAY
    drain(world)
    world.measure(a, FIVE, FIVE + 30 * DAY)
    world.again()
    world.round(FIVE + 30 * DAY)
    world.measure(a, FIVE + 30 * DAY, FIVE + 33 * DAY)
    world.clock.now = MIDNIGHT + 32 * DAY + SETTLE_MS
    drain(world)
    assert (record(world)[1].n, record(world)[1].missing) == (2, 0)


def test_what_a_clock_ahead_of_time_said_is_not_scored(world: World) -> None:
    """Made at 05:00 by a clock that stood at 10:00, then right again: of 10:00 the issue that was made then counts, and only that."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE)
    world.clock.now = FIVE + 5 * HOUR
    world.round()
    world.clock.now = FIVE + 5 * MINUTE
    world.measure(a, FIVE, FIVE + 5 * MINUTE)
    world.again()
    world.round()
    false, true = sorted(world.issued("a", "hour"), key=lambda f: f.id)
    assert (false.issued_at, true.issued_at) == (FIVE + 5 * HOUR, FIVE + 5 * MINUTE)
    assert scoring.in_time([true, false]) == [true]
    assert scoring.in_time([replace(false, id=9), true]) == [true, replace(false, id=9)], "in order"
    world.measure(a, FIVE + 5 * MINUTE, MIDNIGHT + 2 * DAY)
    world.clock.now = MIDNIGHT + 2 * DAY + SETTLE_MS
    drain(world)
    assert sum(r.n for r in record(world, "hour").values()) == 43  # from 05:00 on: those of one issue


def test_a_fault_at_one_point_keeps_no_other_from_its_scores(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The point is passed over for the hour; a store that is away is asked again for the same point."""
    for name in ("a", "b"):
        world.measure(world.station(name), FIVE - 40 * DAY, FIVE)
    world.round()
    world.clock.now = MIDNIGHT + 2 * DAY + SETTLE_MS
    made = scorer(world)
    wrong: list[Exception] = [UnavailableError("away"), ValueError("a fault")]
    whole = scored
    monkeypatch.setattr(scoring, "scored", lambda *args, **more: (_ for _ in ()).throw(wrong.pop(0)) if wrong else whole(*args, **more))
    for error in (UnavailableError, ValueError):
        with pytest.raises(error):
            world.run(made.run())
    drain(world, made)
    assert (record(world), len(record(world, station="b"))) == ({}, 1)
    world.clock.now += HOUR
    drain(world, made)
    assert len(record(world)) == 1
