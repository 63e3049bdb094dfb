"""The mirror's own cursor: whatever happens to the store, each issue reaches it once and in order, and a board shows what stands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from servers.forecast_world import DAY, FIVE, HOUR, World

from analytics.mirroring import CURSOR, Mirroring
from core.alert import Alert
from core.board import TakenBack, forecast_rows
from core.errors import UnavailableError
from core.forecast import QUANTILES, WITHDRAWN, Forecast
from core.ports import RefusedRow


class Wall:
    """A mirror that remembers what it was given, and is away when told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, int]] = []
        self.away = False
        self.never = ""  # a target it will never take

    async def mirror_forecasts(self, forecasts: Sequence[Forecast]) -> list[RefusedRow]:
        if self.away:
            raise UnavailableError("away")
        self.got += [(f.target, f.issued_at) for f in forecasts if f.target != self.never]
        return [RefusedRow(row=n, text="a field of another type") for n, f in enumerate(forecasts) if f.target == self.never]

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> None:
        raise AssertionError("forecasts only")


def fill(world: World, hours: int) -> None:
    """So many hours with an issue each."""
    key = world.station("a")
    world.measure(key, FIVE - 30 * DAY, FIVE)
    for n in range(hours):
        world.measure(key, FIVE + n * HOUR, FIVE + (n + 1) * HOUR)
        world.round(FIVE + (n + 1) * HOUR)


def test_what_the_store_missed_is_made_up_in_order(world: World) -> None:
    """Away for three issues and one restart of ours: then all of them, oldest first, and none again."""
    wall = Wall()
    fill(world, 1)
    mirroring = Mirroring(world.db, wall, world.clock)
    assert world.run(mirroring.run()) == 3
    wall.away = True
    for n in range(1, 4):
        world.measure(world.station("a"), FIVE + n * HOUR, FIVE + (n + 1) * HOUR)
        world.round(FIVE + (n + 1) * HOUR)
        with pytest.raises(UnavailableError):
            world.run(mirroring.run())
    wall.away = False
    assert world.run(Mirroring(world.db, wall, world.clock).run()) == 3
    assert [at for target, at in wall.got if target == "hour"] == [FIVE + n * HOUR for n in range(1, 5)]
    assert world.run(Mirroring(world.db, wall, world.clock).run()) == 0
    assert world.run(world.db.load_cursor(CURSOR)) == world.run(world.db.forecasts_after(0))[-1].id


def test_what_is_never_taken_holds_up_nothing_else(world: World) -> None:
    """One target that the store refuses is told of; the others are mirrored, now and later, and the cursor goes on."""
    wall = Wall()
    wall.never = "day_max"
    fill(world, 1)
    mirroring = Mirroring(world.db, wall, world.clock)
    assert world.run(mirroring.run()) == 2
    assert "a field of another type" in mirroring.refused
    assert "day_max" in mirroring.refused
    world.measure(world.station("a"), FIVE + HOUR, FIVE + 2 * HOUR)
    world.round(FIVE + 2 * HOUR)
    assert world.run(mirroring.run()) == 1
    assert mirroring.refused == ""
    assert [at for target, at in wall.got if target == "hour"] == [FIVE + HOUR, FIVE + 2 * HOUR]
    assert world.run(world.db.load_cursor(CURSOR)) == world.run(world.db.forecasts_after(0))[-1].id


def test_a_failed_try_skips_none_of_its_batch(world: World) -> None:
    """Two issues of one point in one batch that failed once: both come the next time."""
    wall = Wall()
    wall.away = True
    fill(world, 2)
    mirroring = Mirroring(world.db, wall, world.clock)
    with pytest.raises(UnavailableError):
        world.run(mirroring.run())
    wall.away = False
    world.run(mirroring.run())
    assert [at for target, at in wall.got if target == "hour"] == [FIVE + HOUR, FIVE + 2 * HOUR]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_hindcast_never_covers_the_newest_issue(world: World, restarted: bool) -> None:
    """An issue of the past, made later, stays in the database and out of the mirror."""
    wall = Wall()
    fill(world, 1)
    mirroring = Mirroring(world.db, wall, world.clock)
    world.run(mirroring.run())
    assert len(world.run(world.issuer.hindcast(FIVE - DAY))) == 3
    assert len(world.run(world.issuer.hindcast(FIVE + 2 * HOUR))) == 3  # later than any real one, but never said
    if restarted:
        mirroring = Mirroring(world.db, wall, world.clock)
    assert world.run(mirroring.run()) == 0
    assert {at for _, at in wall.got} == {FIVE + HOUR}


class Board:
    """A mirror that keeps rows as InfluxDB does: the last write of a row wins."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], int] = {}  # target, tag `lead`, time: issued
        self.writes = 0
        self.away = False

    async def mirror_forecasts(self, rows: Sequence[Forecast | TakenBack]) -> list[RefusedRow]:
        if self.away:
            raise UnavailableError("away")
        for f in rows:
            self.writes += 1
            marks = f.rows if isinstance(f, TakenBack) else forecast_rows(f.target, f.leads, f.times)
            for lead, time in marks:
                self.rows[f.target, lead, time] = 0 if isinstance(f, TakenBack) else f.issued_at
        return []

    def stands(self, target: str = "hour", lead: str = "latest", since: int = 0) -> dict[int, int]:
        """What a board shows: by start of the interval when it was issued."""
        return {time: issued for (t, tag, time), issued in self.rows.items() if (t, tag) == (target, lead) and issued and time >= since}


def said(at: int, *, leads: int = 72, target: str = "hour", version: str = "1") -> Forecast:
    """An issue of the hours (days) from `at` on; of no leads one that takes back."""
    step = HOUR if target == "hour" else DAY
    many = tuple(range(1, leads + 1))
    return Forecast(
        org="default",
        station="a",
        point="main",
        target=target,
        model="m",
        version=version if leads else version + WITHDRAWN,
        issued_at=at,
        data_until=at,
        inputs="",
        leads=many,
        times=tuple(at // step * step + n * step for n in many),
        quantiles=tuple((1.0,) * len(QUANTILES) for _ in many),
        p_gt=tuple((0.1,) * 4 for _ in many),
    )


class Shown:
    """A world whose issues are mirrored on a board, by a service that may start anew before each run."""

    def __init__(self, world: World, restarted: bool) -> None:
        self.board = Board()
        self._world = world
        self._restarted = restarted
        self._mirroring = Mirroring(world.db, self.board, world.clock)

    def at(self, now: int, *issues: Forecast) -> Board:
        """It is `now`; these were just issued, and what is new is mirrored."""
        self._world.clock.now = now
        self._world.run(self._world.db.issue(list(issues)))
        if self._restarted:
            self._mirroring = Mirroring(self._world.db, self.board, self._world.clock)
        self._world.run(self._mirroring.run())
        return self.board


@pytest.fixture(params=[False, True], ids=["running", "restarted"])
def shown(request: pytest.FixtureRequest, world: World) -> Shown:
    return Shown(world, request.param)


def rows_of(f: Forecast) -> dict[int, int]:
    return dict.fromkeys(f.times, f.issued_at)


@pytest.mark.parametrize("target", ["hour", "day_max", "day_min"])
def test_of_an_issue_that_was_taken_back_nothing_stands(shown: Shown, target: str) -> None:
    """Not its leads of days either; what is said afterwards stands, and marks are sent once."""
    first = said(FIVE, target=target, leads=14)
    assert shown.at(FIVE, first).stands(target) == rows_of(first)
    board = shown.at(FIVE + HOUR, said(FIVE + HOUR, target=target, leads=0))
    assert {row for row, issued in board.rows.items() if issued} == set()
    next_one = said(FIVE + 2 * HOUR, target=target, leads=3)
    assert shown.at(FIVE + 2 * HOUR, next_one).stands(target) == rows_of(next_one)
    assert shown.at(FIVE + 3 * HOUR).stands(target) == rows_of(next_one)


def test_taken_back_at_the_very_instant_of_the_issue(shown: Shown) -> None:
    """A clock may stand: what came last counts."""
    shown.at(FIVE, said(FIVE))
    assert shown.at(FIVE, said(FIVE, leads=0)).stands() == {}


def test_taken_back_while_the_store_was_away(world: World) -> None:
    """All came while it was: nothing stands; and where only the mark had no answer it comes again."""
    shown = Shown(world, False)
    shown.board.away = True
    with pytest.raises(UnavailableError):
        shown.at(FIVE, said(FIVE))
    shown.board.away = False
    assert shown.at(FIVE).stands() == rows_of(said(FIVE))
    shown.board.away = True
    with pytest.raises(UnavailableError):
        shown.at(FIVE + HOUR, said(FIVE + HOUR, leads=0))
    shown.board.away = False
    assert shown.at(FIVE + HOUR).stands() == {}
    later = Shown(world, False)
    later.at(FIVE + HOUR, said(FIVE + HOUR + 1, version="2"))
    assert later.board.stands() == rows_of(said(FIVE + HOUR + 1))


def test_what_an_earlier_service_left_standing_is_marked_at_the_start(world: World) -> None:
    """It knew of no marks, or died after its cursor: the start marks again, and writes nothing more."""
    world.run(world.db.issue([said(FIVE), said(FIVE + HOUR, leads=0)]))
    world.run(world.db.save_cursor(CURSOR, world.run(world.db.forecasts_after(0))[-1].id))
    shown = Shown(world, False)
    shown.board.rows = {("hour", "latest", time): FIVE for time in said(FIVE).times}
    assert shown.at(FIVE + HOUR).stands() == {}
    assert shown.board.writes == 1
    shown.at(FIVE + HOUR)
    assert shown.board.writes == 1


def test_an_issue_of_a_clock_ahead_leaves_with_its_time(shown: Shown) -> None:
    """Once the clock is right again the issue before it stands, and then what comes; nothing of the false time is left, today or in weeks."""
    before, today = said(FIVE), said(FIVE, target="day_max", leads=14)
    shown.at(FIVE, before, today)
    ahead = [said(FIVE + 3 * DAY + n * HOUR) for n in range(3)]
    for issue in ahead:
        shown.at(issue.issued_at, issue)
    board = shown.at(ahead[-1].issued_at, said(ahead[-1].issued_at, target="day_max", leads=14))
    assert set(board.stands(since=FIVE + 4 * DAY).values()) == {ahead[-1].issued_at}
    board = shown.at(FIVE + HOUR)
    assert board.stands() == rows_of(before)
    assert board.stands("day_max") == rows_of(today)
    assert set(board.stands("day_max", "d07").values()) == {FIVE}
    now = said(FIVE + HOUR)
    assert shown.at(FIVE + HOUR, now).stands(since=now.times[0]) == rows_of(now)
    for n in range(2, 80):
        board = shown.at(FIVE + n * HOUR, said(FIVE + n * HOUR))
    assert max(board.stands()) == said(FIVE + 79 * HOUR).times[-1]
    assert not {issue.issued_at for issue in ahead} & set(board.stands(since=FIVE + 79 * HOUR).values()) - {FIVE + 79 * HOUR}


def test_an_issue_that_came_before_the_clock_was_seen_to_be_set_back(shown: Shown) -> None:
    """The right one came in the same breath: it stands alone, though an older time is on it; no lead of days is left either."""
    ahead, right = said(FIVE + 3 * DAY), said(FIVE)
    days = said(FIVE, target="day_max", leads=14)
    board = shown.at(FIVE, ahead, right, said(FIVE + 3 * DAY, target="day_max", leads=14), days)
    assert board.stands() == rows_of(right)
    assert board.stands("day_max") == rows_of(days)
    assert set(board.rows.values()) == {0, FIVE}


def test_an_issue_that_grows_too_old_stands_no_more(shown: Shown) -> None:
    """As no page tells of it; what it said of hours that are over is kept."""
    issue = said(FIVE)
    shown.at(FIVE, issue)
    assert shown.at(FIVE + DAY).stands() == rows_of(issue)
    board = shown.at(FIVE + DAY + 1)
    assert sorted(board.stands()) == [FIVE + n * HOUR for n in range(1, 24)]


def test_an_issue_that_may_be_told_of_again_stands_again(world: World) -> None:
    """Our clock was two days ahead for a moment, and nothing was issued meanwhile."""
    shown = Shown(world, False)
    shown.at(FIVE, said(FIVE))
    assert shown.at(FIVE + 2 * DAY).stands(since=FIVE + 2 * DAY) == {}
    assert shown.at(FIVE + HOUR).stands() == rows_of(said(FIVE))


def test_by_a_stricter_number_an_issue_ends_sooner(world: World) -> None:
    """`forecast_max_age_h` of risk.toml, also where it is read again while the service runs."""
    shown = Shown(world, False)
    shown.at(FIVE, said(FIVE))
    shown._mirroring.max_age_h = 2.0
    assert max(shown.at(FIVE + 2 * HOUR).stands()) == FIVE + 72 * HOUR
    assert max(shown.at(FIVE + 2 * HOUR + 1).stands()) == FIVE + HOUR


def test_beyond_the_reach_of_the_newest_issue_nothing_stands(shown: Shown) -> None:
    """An issue that tells fewer hours than the one before leaves none of that one's behind it; those that are over are kept, and leads of days."""
    shown.at(FIVE, said(FIVE), said(FIVE, target="day_max", leads=14))
    short, days = said(FIVE + 3 * HOUR, leads=24), said(FIVE + DAY, target="day_max", leads=5)
    board = shown.at(FIVE + 3 * HOUR, short)
    assert board.stands(since=short.times[0]) == rows_of(short)
    assert sorted(board.stands())[0] == FIVE + HOUR
    board = shown.at(FIVE + DAY, said(FIVE + DAY), days)
    assert board.stands("day_max", since=days.times[0]) == rows_of(days)
    assert set(board.stands("day_max", "d14").values()) == {FIVE}
