"""The record follows its readings: judged anew, late, gone or moved, a day is scored anew, once, and what was stated then is what is scored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from servers.forecast_world import DAY, FIVE, HOUR, MINUTE, World

from adapters.sql import records as table
from analytics import scoring
from analytics.basis import reach
from analytics.history import History
from analytics.hours_ahead import hours_ahead
from analytics.record import days, records, scored
from analytics.scoring import SETTLE_MS, Scorer, cursor_of
from core.batch import Batch
from core.errors import UnavailableError
from core.flags import Flag
from core.forecast import TARGETS
from core.instant import parse_rfc3339
from core.place import ALWAYS, FOREVER, Deployment, Device, Station
from core.record import AHEAD, SLUICE, Day, Score
from core.series import SeriesKey
from core.sluice import OPEN

ZONE = "Asia/Ho_Chi_Minh"
MIDNIGHT = FIVE - 5 * HOUR  # 2 March
EVERY = (*TARGETS, *AHEAD)
Value = Callable[[int], float]


def fresh(t: int) -> float:
    return 0.3 + t // HOUR % 7 / 10


def scorer(world: World, limits: Sequence[float] = ()) -> Scorer:
    return Scorer(database=world.db, store=world.store, clock=world.clock, limits=limits)


def drain(world: World, made: Scorer | None = None) -> int:
    made, done = made or scorer(world), 0
    while n := world.run(made.run()):
        done += n
    return done


def settle(world: World, day: int) -> None:
    """The day has ended and settled."""
    world.clock.now = MIDNIGHT + (day + 1) * DAY + SETTLE_MS


def live(world: World, n: int, *, made: Scorer | None = None, until: int | None = None) -> SeriesKey:
    """A station that is forecast at five on each of n days, its readings good and scored as days go by."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE, value=fresh)
    for day in range(n):
        world.round(FIVE + day * DAY)
        world.measure(a, FIVE + day * DAY, FIVE + (day + 1) * DAY, value=fresh)
        settle(world, day - 1)
        drain(world, made)
    settle(world, n - 1 if until is None else until)
    drain(world, made)
    return a


def kept(world: World) -> tuple[list[Score], list[Day]]:
    """All that stands in the record of the station."""
    both = [(world.run(world.db.scores(stations=["a"], target=t)), world.run(world.db.scored_days(stations=["a"], target=t))) for t in EVERY]
    return [s for scores, _ in both for s in scores], [d for _, its in both for d in its]


def at_once(world: World, key: SeriesKey, *, limits: Sequence[float] = ()) -> tuple[list[Score], list[Day]]:
    """What stands in it if all is scored in one go, by the readings as they are now, as far as the cursor."""
    rows = world.run(world.store.read([key], 0, 1 << 62))
    good = rows.take((rows.flag == Flag.GOOD) & np.isfinite(rows.value))
    history = History(station="a", point="main", zone=ZONE, time=good.time, value=good.value)
    until = world.run(world.db.load_cursor(cursor_of("a", "main")))
    issues = [f for target in TARGETS for f in world.issued("a", target)]
    scores, rows_ahead = hours_ahead(issues, history, after=0, until=until, limits=limits)
    return scored(issues, history, after=0, until=until, limits=limits) + scores, days(issues, history, after=0, until=until) + rows_ahead


def same(found: tuple[list[Score], list[Day]], expected: tuple[list[Score], list[Day]]) -> None:
    def by_time(rows: list[Day]) -> list[Day]:
        return sorted((replace(d, said=tuple(round(p, 9) for p in d.said)) for d in rows), key=lambda d: (d.target, d.time))

    def flat(scores: list[Score]) -> dict[object, object]:
        rows = records(scores)
        return {(r.target, r.model, r.lead): (r.n, r.missing, r.inside, [(x.n, x.events, x.hits, x.warned, len(x.tenths)) for x in r.lines]) for r in rows}

    assert flat(found[0]) == flat(expected[0])
    assert sum(s.squares for s in found[0]) == pytest.approx(sum(s.squares for s in expected[0]))
    assert sum(s.squares_persistence for s in found[0]) == pytest.approx(sum(s.squares_persistence for s in expected[0]))
    assert by_time(found[1]) == by_time(expected[1])


def _failed(world: World, a: SeriesKey, at: int) -> None:
    """The judge fails a whole day."""
    for t in range(at, at + DAY, 15 * MINUTE):
        world.run(world.store.write_flags(Batch.of([0], [t], [0.0], flag=[Flag.FAIL]), [a]))
    world.reflag(a, at, Flag.FAIL)
    world.measure(a, world.clock.now - HOUR, world.clock.now - HOUR + MINUTE, value=fresh)


def _written_again(world: World, a: SeriesKey, at: int) -> None:
    """Decoded again with ten times the value."""
    world.measure(a, at, at + DAY, value=lambda t: 10 * fresh(t))


@pytest.mark.parametrize("change", [_failed, _written_again])
def test_what_is_judged_or_decoded_again_is_scored_anew(world: World, change: Callable[[World, SeriesKey, int], None]) -> None:
    """A day in the middle becomes another: with the next look the record is as if all had been scored with what is good now."""
    a = live(world, 8)
    before = kept(world)
    same(before, at_once(world, a))
    change(world, a, MIDNIGHT + 3 * DAY)
    assert drain(world) > 0, "a new service looks at once"
    same(kept(world), at_once(world, a))
    assert kept(world) != before
    assert drain(world) == 0, "once"


def test_what_comes_late_is_scored_anew(world: World) -> None:
    """A device without network for a week: its days were missing, then they have readings."""
    a = world.station("a")
    world.measure(a, FIVE - 40 * DAY, FIVE, value=fresh)
    world.round()
    settle(world, 6)
    made = scorer(world)
    drain(world, made)
    assert [(r.n, r.missing) for r in records(kept(world)[0]) if r.target == "day_max"] == [(0, 1)] * 6
    world.measure(a, FIVE, FIVE + 7 * DAY, value=fresh, received=world.clock.now)
    world.clock.now += DAY
    assert drain(world, made) > 0, "the service that runs looks within a day"
    assert [(r.n, r.missing) for r in records(kept(world)[0]) if r.target == "day_max"] == [(1, 0)] * 6 + [(0, 1)]
    same(kept(world), at_once(world, a))


def test_nothing_is_read_again_where_nothing_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A point that is silent is looked at once; while it goes on being so no reading is asked for, day after day."""
    live(world, 3, until=20)
    made = scorer(world)
    drain(world, made)
    monkeypatch.setattr(scoring, "good_readings", lambda *args: pytest.fail("read"))
    for _ in range(5):
        world.clock.now += DAY
        assert drain(world, made) == 0


def test_a_live_point_is_looked_at_once_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hour by hour its readings come; they are read back once, with the day that is scored."""
    made = scorer(world)
    a = live(world, 6, made=made)
    reads: list[int] = []
    whole = scoring.good_readings
    monkeypatch.setattr(scoring, "good_readings", lambda *args: (reads.append(1), whole(*args))[1])
    for step in range(16):
        start = world.clock.now
        world.measure(a, start, start + 3 * HOUR, value=fresh)
        world.clock.now += 3 * HOUR
        drain(world, made)
        assert len(reads) <= step // 8 + 1


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_kill_leaves_the_old_record_or_the_new_one(world: World, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The database goes away in the middle of what is put in again: what stood there stands; afterwards it is scored anew once."""
    a = live(world, 5)
    before = kept(world)
    _written_again(world, a, MIDNIGHT + 2 * DAY)
    left, whole = [at], table.upsert

    def dying(*args: object, **more: object) -> None:
        whole(*args, **more)  # type: ignore[arg-type]  # as it was called
        left[0] -= 1
        if left[0] < 0:
            raise UnavailableError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(table, "upsert", dying)
        with pytest.raises(UnavailableError):
            drain(world)
    assert kept(world) == before
    drain(world)
    same(kept(world), at_once(world, a))


def test_two_at_once_score_it_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second service has scored it anew, or gone on, while the first one was at it: nothing stands there twice."""
    a = live(world, 6)
    _written_again(world, a, MIDNIGHT + 2 * DAY)
    settle(world, 6)
    first, second, whole = scorer(world), scorer(world), scored

    def meanwhile(*args: object, **more: object) -> list[Score]:
        if not done:
            done.append(1)
            other = threading.Thread(target=drain, args=(world, second))
            other.start()
            other.join()
        return whole(*args, **more)  # type: ignore[arg-type]  # as it was called

    done: list[int] = []
    monkeypatch.setattr(scoring, "scored", meanwhile)
    drain(world, first)
    assert done
    same(kept(world), at_once(world, a))
    world.clock.now += HOUR
    drain(world, first)
    same(kept(world), at_once(world, a))


def test_months_before_stand_as_they_were_scored(world: World) -> None:
    """The first day of a month is another: with it the windows that reach over midnight, and so the month before; what is older than the third month is not."""
    start = parse_rfc3339("2026-01-29T05:00:00+07:00") or 0
    a = world.station("a")
    world.measure(a, start - 40 * DAY, start + 75 * DAY, value=fresh)
    for day in range(0, 75, 3):
        world.round(start + day * DAY)
    world.clock.now = start + 77 * DAY
    drain(world)
    same(kept(world), at_once(world, a))
    january, before = parse_rfc3339("2026-01-30T00:00:00+07:00") or 0, kept(world)
    cursor = world.run(world.db.load_cursor(cursor_of("a", "main")))
    assert reach(cursor, ZONE) == parse_rfc3339("2026-02-01T00:00:00+07:00")
    _written_again(world, a, january)
    assert drain(world) == 0
    assert kept(world) == before, "older than that it stands"
    world.measure(a, january, january + DAY, value=fresh)
    _written_again(world, a, parse_rfc3339("2026-03-01T00:00:00+07:00") or 0)
    assert drain(world) > 8
    same(kept(world), at_once(world, a))


def test_what_was_not_stated_then_is_not_scored_afterwards(world: World) -> None:
    """The next hours, and limits of crops, as they were stated when a day was first scored: of an older version, of other crops, and of now."""
    made = scorer(world, limits=(0.8,))
    a = live(world, 4, made=made)
    made = scorer(world, limits=(0.7,))
    for day in (4, 5):
        world.round(FIVE + day * DAY)
        world.measure(a, FIVE + day * DAY, FIVE + (day + 1) * DAY, value=fresh)
        settle(world, day)
        drain(world, made)
    lines = {(s.line, s.n) for s in kept(world)[0] if s.target == "max_6h" and s.line in (0.7, 0.8)}
    assert lines == {(0.8, 4), (0.7, 2)}
    world.measure(a, MIDNIGHT + 2 * DAY, MIDNIGHT + 3 * DAY, value=fresh, flag=Flag.FAIL)
    drain(world, scorer(world, limits=(0.7,)))
    changed = {line: sum(s.n for s in kept(world)[0] if (s.target, s.line) == ("max_6h", line)) for line in (0.7, 0.8)}
    assert changed == {0.7: 2, 0.8: 3}


def test_an_older_versions_days_are_followed_as_far_as_it_scored_them(world: World) -> None:
    """Its windows began on the third day: what is scored anew begins there too, and the rest is as it was."""
    a = live(world, 6)
    with world.db._engine.begin() as c:
        c.exec_driver_sql("DELETE FROM forecast_basis")
        c.exec_driver_sql("DELETE FROM forecast_score WHERE target LIKE 'max%'")
        c.exec_driver_sql(f"DELETE FROM forecast_day WHERE target LIKE 'max%' AND time < {MIDNIGHT + 3 * DAY}")
    assert drain(world) == 0, "taken down as it stands"
    assert len(world.run(world.db.bases(station="a", point="main"))) > 60
    _written_again(world, a, MIDNIGHT + DAY)
    drain(world)
    scores, rows = at_once(world, a)
    windows = sorted((d.target, d.time) for d in rows if d.target in AHEAD and d.time >= MIDNIGHT + 3 * DAY)
    assert [(d.target, d.time) for d in sorted(kept(world)[1], key=lambda d: (d.target, d.time)) if d.target in AHEAD] == windows
    own = [s for s in scores if s.target not in AHEAD]
    same(([s for s in kept(world)[0] if s.target not in AHEAD], []), (own, []))


def test_days_that_a_clock_ahead_of_time_scored_wait_for_their_time(world: World) -> None:
    """Four days ahead for a while: what it scored without readings is scored with them, and no day twice."""
    a = live(world, 4)
    world.clock.now += 4 * DAY
    drain(world)
    world.clock.now -= 4 * DAY
    drain(world)
    for day in range(4, 10):
        world.again()
        world.round(FIVE + day * DAY)
        world.measure(a, FIVE + day * DAY, FIVE + (day + 1) * DAY, value=fresh)
        settle(world, day - 1)
        drain(world)
    same(kept(world), at_once(world, a))


def test_the_record_of_a_sluice_follows_both_sides(world: World) -> None:
    """In the record of the point inside; scored anew where the readings outside become others, and then the point outside is as well."""
    keys = {}
    for point in ("in", "out"):
        where = Deployment(device=point, channel="main", station="a", point=point, start=ALWAYS, end=FOREVER, role="primary")
        world.run(world.db.put(Station(id="a", org="default", name="a", public=True), Device(id=point, org="default"), where, actor="test"))
        keys[point] = SeriesKey("default", "a", point, point, "water.salinity")
        world.measure(keys[point], FIVE - 40 * DAY, FIVE + 4 * DAY, value=fresh if point == "in" else lambda t: fresh(t) / 3)
    for hour in range(0, 72, 12):
        world.round(FIVE + hour * HOUR)
    settle(world, 3)
    drain(world)

    def told() -> dict[str, tuple[int, int]]:
        found = {t: world.run(world.db.scores(stations=["a"], target=t)) for t in SLUICE.values()}
        return {t: (sum(s.n for s in its if s.line == 1.0), sum(s.events for s in its)) for t, its in found.items() if its}

    before = told()
    assert before[SLUICE[OPEN]][0] == before[SLUICE[OPEN]][1] > 0, "outside is fresher all the time"
    world.measure(keys["out"], MIDNIGHT, MIDNIGHT + 4 * DAY, value=lambda t: 9 * fresh(t))
    made = scorer(world)
    drain(world, made)
    assert told()[SLUICE[OPEN]] == (before[SLUICE[OPEN]][0], 0)
    assert {(a.station, a.point) for a in made.anew} == {("a", "in"), ("a", "out")}
    assert drain(world) == 0
