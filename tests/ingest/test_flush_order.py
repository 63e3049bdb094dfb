"""What is durable in the database relies on nothing in the store that a power cut could take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.journal_reading import JournalReader
from adapters.memory_store import MemoryStore
from adapters.sql import SqlDatabase
from core.batch import Batch
from core.clock import SimClock, rfc3339
from ingest.redecode import Asked, redecode

START = 1_772_000_000_000
MIN = 60_000


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call that must stand in an order, as it was made."""
    found: list[str] = []

    def record(whose: type, name: str) -> None:
        real = getattr(whose, name)

        async def call(self: Any, *args: Any, **named: Any) -> Any:
            answer = await real(self, *args, **named)
            found.append(name)
            return answer

        monkeypatch.setattr(whose, name, call)

    for name in ("write", "write_flags", "flush"):
        record(MemoryStore, name)
    for name in ("commit", "judged"):
        record(SqlDatabase, name)
    return found


def test_no_commit_without_a_flush_since_the_last_write(make_line: Callable[..., Any], calls: list[str]) -> None:
    """Rows, flags judged in memory, flags of a round, what is read again by position, and what redecode writes: all are flushed first."""
    line = make_line(tails=True)
    line.station("kl01")

    def send(minute: int, ec: float = 5.02) -> int:
        return int(line.send("kl01", json.dumps({"time": rfc3339(START + minute * MIN), "readings": {"water.ec": ec}})))

    for n in range(60):  # stuck: flags come out otherwise than the row tests said
        send(15 * n)
        if n % 4 == 0:
            line.work()
    at = send(20)  # late: a round of the judge
    line.work()
    line.restart()

    async def again() -> None:
        work = await line.processor.process([(at, line.journal.get(at))])
        await line.processor.write(work, None)
        await line.processor.commit()

    asyncio.run(again())
    key = next(k for k in line.ask(line.store.series()) if k.quantity == "water.ec")
    line.ask(line.store.write(Batch.of([0], [START], [9.0]), [key]))  # a decoder of old read it so
    asyncio.run(line.processor.commit())
    reader = JournalReader(line.folder)
    reader.open()
    asyncio.run(
        redecode(Asked(since=START - MIN), journals=[reader], store=line.store, database=line.database, config=line.config, clock=SimClock(line.now, 0))
    )
    line.work()
    assert line.rows("kl01")[0][1] == 5.02
    assert set(calls) == {"write", "write_flags", "flush", "commit", "judged"}
    flushed = True
    for number, name in enumerate(calls):
        flushed = name == "flush" or (flushed and name not in ("write", "write_flags"))
        assert flushed or name not in ("commit", "judged"), (number, calls[number - 3 : number + 1])


def test_the_journal_is_needed_from_the_last_flush_on(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written and not flushed yet may be read from the journal once more; a flush that fails moves nothing, in the database neither."""
    line = make_line()
    line.station("kl01")
    line.send("kl01", json.dumps({"time": rfc3339(START), "readings": {"water.ec": 5.0}}))
    line.work(commit=False, judge=False)
    assert (line.processor.cursor, line.processor.flushed) == (line.journal.end, 0)
    line.store.away = "no power"
    with pytest.raises(OSError, match="no power"):
        asyncio.run(line.processor.commit())
    assert line.processor.flushed == line.ask(line.database.state_cursor(line.journal.id)) == 0
    line.store.away = ""
    line.work(judge=False)
    assert line.processor.flushed == line.ask(line.database.state_cursor(line.journal.id)) == line.journal.end
