"""The simulated clock within the process that owns it, and as its saved row."""

from __future__ import annotations

import asyncio

from canhman import clocks, wiring
from canhman.clocks import FollowedClock, saved_each_second, shared_in_process
from canhman.settings import Settings
from core.clock import SimClock, SimTime


class Row:
    """The saved row."""

    def __init__(self) -> None:
        self.saved: list[SimTime] = []
        self.event = asyncio.Event()

    async def load_clock(self) -> SimTime | None:
        return self.saved[-1] if self.saved else None

    async def save_clock(self, clock: SimTime) -> None:
        self.saved.append(clock)


def test_services_of_the_owner_get_the_very_same_clock() -> None:
    """While it owns it; before and after, and for another database, the row is followed."""
    settings, clock = Settings(clock="sim"), SimClock(7, 600)

    async def asked(row: Row) -> object:
        return await wiring.clock(settings, row)  # type: ignore[arg-type]  # only what is used of it is there

    async def run() -> None:
        row = Row()
        await row.save_clock(clock.save())
        with shared_in_process(settings.database_url, clock):
            assert await asked(row) is clock
            assert clocks.of_this_process("sqlite:///another.db") is None
        assert isinstance(await asked(row), FollowedClock)

    asyncio.run(run())


def test_it_is_saved_each_second_and_stands_in_the_end() -> None:
    """The last row says that no time passes until the next start."""

    async def run() -> Row:
        row, clock = Row(), SimClock(1_000_000, 600)
        async with saved_each_second(row, clock):
            for _ in range(500):
                if row.saved:
                    break
                await asyncio.sleep(0.01)
        return row

    row = asyncio.run(run())
    assert row.saved[0].speed == 600
    assert row.saved[-1].speed == 0
    assert row.saved[-1].sim_ms >= row.saved[0].sim_ms
