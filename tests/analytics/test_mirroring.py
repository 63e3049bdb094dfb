"""The mirror's own cursor: whatever happens to the store, each issue reaches it once and in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from servers.forecast_world import DAY, FIVE, HOUR, World

from analytics.mirroring import CURSOR, Mirroring
from core.alert import Alert
from core.errors import UnavailableError
from core.forecast import Forecast
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
    mirroring = Mirroring(world.db, wall)
    assert world.run(mirroring.run()) == 3
    wall.away = True
    for n in range(1, 4):
        world.measure(world.station("a"), FIVE + n * HOUR, FIVE + (n + 1) * HOUR)
        world.round(FIVE + (n + 1) * HOUR)
        with pytest.raises(UnavailableError):
            world.run(mirroring.run())
    wall.away = False
    assert world.run(Mirroring(world.db, wall).run()) == 3
    assert [at for target, at in wall.got if target == "hour"] == [FIVE + n * HOUR for n in range(1, 5)]
    assert world.run(Mirroring(world.db, wall).run()) == 0
    assert world.run(world.db.load_cursor(CURSOR)) == world.run(world.db.forecasts_after(0))[-1].id


def test_what_is_never_taken_holds_up_nothing_else(world: World) -> None:
    """One target that the store refuses is told of; the others are mirrored, now and later, and the cursor goes on."""
    wall = Wall()
    wall.never = "day_max"
    fill(world, 1)
    mirroring = Mirroring(world.db, wall)
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
    mirroring = Mirroring(world.db, wall)
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
    mirroring = Mirroring(world.db, wall)
    world.run(mirroring.run())
    assert len(world.run(world.issuer.hindcast(FIVE - DAY))) == 3
    assert len(world.run(world.issuer.hindcast(FIVE + 2 * HOUR))) == 3  # later than any real one, but never said
    if restarted:
        mirroring = Mirroring(world.db, wall)
    assert world.run(mirroring.run()) == 0
    assert {at for _, at in wall.got} == {FIVE + HOUR}
