"""The simulated clock as other processes see it: the row in the database, read again each second."""

from __future__ import annotations

import asyncio
import contextlib

from core.clock import SimTime, SystemClock
from core.errors import ConfigError, UnavailableError
from core.ports import SimClockRow

READ_AGAIN_S = 1.0
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
