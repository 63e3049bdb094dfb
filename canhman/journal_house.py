"""Keeping the journal beside ingest: what is stored and waited for by nothing is released, compressed, and in time removed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.journal import FileJournal
from adapters.journal_keeping import Keeper
from adapters.sql.database import SqlDatabase
from canhman.loops import for_ever
from canhman.settings import Settings
from core.clock import Clock
from core.errors import RefusedError, UnavailableError
from ingest.pipeline import Processor

EVERY_S = 20.0


@asynccontextmanager
async def kept(settings: Settings, journal: FileJournal, processor: Processor, db: SqlDatabase, at: Clock) -> AsyncIterator[None]:
    """While it is open, the journal is kept."""
    keeper = Keeper(journal, keep_days=settings.journal_keep, clock=at)

    async def follow() -> None:
        while True:
            with contextlib.suppress(UnavailableError, RefusedError):  # what was released stays so
                journal.release(await asyncio.to_thread(asyncio.run, needed_from(db, journal.id, processor.flushed)))
            await asyncio.sleep(EVERY_S)

    keeper.start()
    task = asyncio.create_task(for_ever(follow))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(keeper.stop)


async def needed_from(db: SqlDatabase, journal: str, flushed: int) -> int:
    """The first position that a cursor, a device that waits for approval or a replay that was asked for still needs."""
    positions = [flushed, await db.state_cursor(journal)]
    for device in await db.waiting_devices():
        positions += [row.position for row in await db.waiting(device.device, journal, limit=1)]
    positions += [letter.position for letter in await db.replays(journal, limit=1)]
    return min(positions)


def figures(journal: FileJournal) -> dict[str, int]:
    """What the journal counts, for the heartbeat."""
    return {"journal_bytes": journal.size, "journal_damaged_bytes": journal.damaged_bytes, "journal_torn_bytes": journal.torn_bytes}
