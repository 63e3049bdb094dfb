"""Keeping the journal beside ingest: what is stored and waited for by nothing is released, compressed, and in time removed.

And all who share the database know that it is in use, so that nobody has it forgotten (`canhman journal forget`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.journal import FileJournal
from adapters.journal_keeping import Keeper
from adapters.sql.database import SqlDatabase
from canhman import wiring
from canhman.loops import for_ever
from canhman.settings import Settings
from core.clock import Clock
from core.errors import RefusedError, UnavailableError
from ingest.pipeline import Processor

EVERY_S = 20.0
IN_USE_S = 1800.0  # so long after its ingest last said so a journal counts as in use
SAY_S = 600.0


@asynccontextmanager
async def kept(settings: Settings, journal: FileJournal, processor: Processor, db: SqlDatabase, at: Clock) -> AsyncIterator[None]:
    """While it is open, the journal is kept."""
    keeper = Keeper(journal, keep_days=settings.journal_keep, clock=at)

    name, holder = lease_of(journal.id), f"{socket.gethostname()}:{wiring.journal_folder(settings).absolute()}"

    async def follow() -> None:
        say_at = 0.0
        while True:
            with contextlib.suppress(UnavailableError, RefusedError):  # what was released stays so
                if time.monotonic() >= say_at:
                    await asyncio.to_thread(lambda: asyncio.run(db.take_lease(name, holder, IN_USE_S)))
                    say_at = time.monotonic() + SAY_S
                journal.release(await asyncio.to_thread(lambda: asyncio.run(needed_from(db, journal.id, processor.flushed))))
            await asyncio.sleep(EVERY_S)

    keeper.start()
    task = asyncio.create_task(for_ever(follow))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(UnavailableError, RefusedError):  # then it ends by itself
            await asyncio.to_thread(lambda: asyncio.run(db.release_lease(name, holder)))
        await asyncio.to_thread(keeper.stop)


def lease_of(journal: str) -> str:
    """The name of the lease that says that this journal is in use, and where."""
    return f"journal:{journal}"


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
