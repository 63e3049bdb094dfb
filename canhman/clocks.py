"""The simulated clock: owned by one process, which saves its row each second; other processes read that row again each second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from core.clock import SimClock, SimTime, SystemClock
from core.errors import ConfigError, UnavailableError
from core.ports import SimClockRow

SAVE_S = 1.0
READ_AGAIN_S = 1.0
KNOWN_S = SAVE_S + READ_AGAIN_S + 0.5  # after this long every process knows a new speed
LEASE_MS = 3_000  # an owner saves each second; a row older than this stands still, for stopped time does not pass


class FollowedClock:
    """`now_ms` from the saved row. It never runs backwards in this process."""

    def __init__(self, row: SimClockRow, first: SimTime) -> None:
        self._row = row
        self._saved = first
        self._system = SystemClock()
        self._last = 0

    @classmethod
    async def of(cls, row: SimClockRow) -> FollowedClock:
        """The clock of this installation. Raises ConfigError where none was saved yet."""
        first = await row.load_clock()
        if first is None:
            raise ConfigError("CANHMAN_CLOCK=sim, but its clock was never started: start `canhman simulate` first, it owns the clock and waits for ingest")
        return cls(row, first)

    async def follow(self) -> None:
        """Until cancelled: read the row again each second."""
        while True:
            await asyncio.sleep(READ_AGAIN_S)
            with contextlib.suppress(UnavailableError):  # the last row stands; ingest tells that the database is away
                await asyncio.to_thread(lambda: asyncio.run(self._read()))

    async def _read(self) -> None:
        self._saved = await self._row.load_clock() or self._saved

    def now_ms(self) -> int:
        """The simulated time [ms]."""
        system_ms = min(self._system.now_ms(), self._saved.anchor_ms + LEASE_MS)
        self._last = max(self._last, self._saved.at(system_ms))
        return self._last

    def real_seconds(self, sim_seconds: float) -> float:
        """How long `sim_seconds` take on the wall [s]; infinite at speed 0."""
        return sim_seconds / self._saved.speed if self._saved.speed > 0 else float("inf")


async def runs(row: SimClockRow) -> SimTime | None:
    """The saved row, where a process owns the simulated clock now."""
    saved = await row.load_clock()
    return saved if saved is not None and SystemClock().now_ms() - saved.anchor_ms <= LEASE_MS else None


_of_this_process: dict[str, SimClock] = {}


@contextlib.contextmanager
def shared_in_process(place: str, clock: SimClock) -> Iterator[None]:
    """Within it every service of this process that asks for the clock of the database `place` gets the owner's own, which needs no reading."""
    _of_this_process[place] = clock
    try:
        yield
    finally:
        del _of_this_process[place]


def of_this_process(place: str) -> SimClock | None:
    """The clock of the database `place` where this process owns it."""
    return _of_this_process.get(place)


@contextlib.asynccontextmanager
async def saved_each_second(row: SimClockRow, clock: SimClock) -> AsyncIterator[None]:
    """Own the clock: save it each second (by a thread: a busy database must not hold up the loop), and stopped in the end."""

    def save() -> None:
        with contextlib.suppress(UnavailableError):  # a busy database: the next second saves it
            asyncio.run(_save(row, clock))

    async def keep_saving() -> None:
        while True:
            await asyncio.to_thread(save)
            await asyncio.sleep(SAVE_S)

    task = asyncio.create_task(keep_saving())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        clock.set(speed=0)  # stopped time does not pass
        await row.save_clock(clock.save())


async def _save(row: SimClockRow, clock: SimClock) -> None:
    await row.save_clock(clock.save())
