"""What of the journal is still needed: both cursors, what waits for approval, and what is to be read again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.journal import FileJournal
from adapters.sql.database import open_database
from adapters.sql.schema import prepare
from canhman.configuration import read_qc
from canhman.journal_house import kept, lease_of, needed_from
from canhman.settings import Settings
from core.clock import SystemClock
from core.deadletter import DeadLetter
from core.state import Commit, Waiting
from ingest.pipeline import Processor


def test_what_is_still_needed(tmp_path: Path) -> None:
    """The smaller of both cursors, but nothing that a device waiting for approval sent, or that was asked for again, in this journal."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    prepare(url)
    db = open_database(url)
    dead = DeadLetter(reason="clock", text="", journal="j", position=300, topic="t", org="default", device="kl02", received=1)
    other = Waiting(org="default", device="kl09", journal="another", position=1, received=1, size=1)
    kept = [Waiting(org="default", device="kl01", journal="j", position=p, received=1, size=1) for p in (250, 200)]

    async def steps() -> None:
        assert await needed_from(db, "j", 700) == 0  # no commit yet
        await db.commit(Commit(journal="j", state_cursor=500, dead=(dead,), waiting=(*kept, other)))
        assert await needed_from(db, "j", 700) == 200
        assert await needed_from(db, "j", 100) == 100
        await db.forget_waiting("kl01", actor="test")
        assert await needed_from(db, "j", 700) == 500  # a dead letter alone holds nothing: its head is in the database
        await db.ask_replay([(await db.dead_letters())[0].id])
        assert await needed_from(db, "j", 700) == 300

    asyncio.run(steps())
    db.close()


def test_a_journal_that_is_kept_is_in_use(tmp_path: Path) -> None:
    """All who share the database know where, from the start of its ingest until it ends."""
    settings = Settings(data=tmp_path)
    prepare(settings.database_url)
    db = open_database(settings.database_url)
    journal = FileJournal(tmp_path / "journal")
    journal.open()
    processor = Processor(journal=journal, store=None, database=db, config=read_qc(None), clock=SystemClock(), mode="open", public=False)  # type: ignore[arg-type]  # it is not written to

    async def steps() -> None:
        async with kept(settings, journal, processor, db, SystemClock()):
            while not (user := await db.lease_holder(lease_of(journal.id))):
                await asyncio.sleep(0.01)
            assert user.endswith(f":{tmp_path / 'journal'}")
        assert await db.lease_holder(lease_of(journal.id)) == ""

    asyncio.run(steps())
    journal.close()
    db.close()
