"""What of the journal is still needed: both cursors, what waits for approval, and what is to be read again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.sql.database import open_database
from adapters.sql.schema import prepare
from canhman.journal_house import needed_from
from core.deadletter import DeadLetter
from core.state import Commit, Waiting


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
