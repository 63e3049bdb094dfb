"""Judge and redecode take turns: of two who write the same rows, each with bits the other does not know, one waits for the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from adapters.memory_store import MemoryStore
from adapters.sql import SqlDatabase, open_database
from adapters.sql.turns import TURN_MS
from canhman.configuration import read_qc
from core.batch import Batch
from core.clock import SimClock
from core.errors import UnavailableError
from core.series import SeriesKey
from core.state import Commit, Latest, Written
from quality.flagging import flags_in_turn, flags_of, take_turn
from quality.sweep import sweep

NOW = 1_772_420_400_000
HERE = SeriesKey("default", "kl01", "main", "kl01", "water.ec")
ELSEWHERE = SeriesKey("default", "kl02", "main", "kl02", "water.ec")


@pytest.fixture
def two(url: str, database: SqlDatabase) -> Iterator[tuple[SqlDatabase, SqlDatabase]]:
    """A judge and a rewriter, at the same time."""
    clock = SimClock(NOW, 0)
    judge, rewriter = open_database(url, clock=clock), open_database(url, clock=clock)
    yield judge, rewriter
    judge.close()
    rewriter.close()


def test_no_flags_while_others_rewrite_nor_of_what_was_read_before(two: tuple[SqlDatabase, SqlDatabase]) -> None:
    """What the judge has read before the announcement it may not write afterwards either; what it reads then, it may."""
    judge, rewriter = two

    async def story() -> None:
        before = await judge.rewriting()
        assert await rewriter.begin_rewriting()
        assert not await judge.begin_flags(before)
        assert not await judge.begin_flags(await judge.rewriting()), "it is not written yet"
        assert not await judge.begin_rewriting(), "one at a time"
        await rewriter.end_rewriting()
        assert not await judge.begin_flags(before)
        assert await judge.begin_flags(await judge.rewriting())

    asyncio.run(story())


def test_no_rewriting_while_flags_are_written(two: tuple[SqlDatabase, SqlDatabase]) -> None:
    """It waits for every judge, of whom several may write at once; who waits has announced nothing, and refuses nobody what was read."""
    judge, rewriter = two

    async def story() -> None:
        read = await judge.rewriting()
        assert await judge.begin_flags(read)
        assert await rewriter.begin_flags(read), "two judges do the same work twice"
        await rewriter.end_flags()
        assert not await rewriter.begin_rewriting()
        assert await judge.rewriting() == read
        assert await judge.begin_flags(read)
        assert await judge.end_flags()
        assert await rewriter.begin_rewriting()
        assert await judge.rewriting() == read + 1

    asyncio.run(story())


@pytest.mark.sqlite("PostgreSQL goes by its own clock")
@pytest.mark.parametrize("passed", [TURN_MS + 1, -3_600_000], ids=["a minute later", "our clock set back"])
def test_who_dies_keeps_the_turn_for_a_minute_at_most(two: tuple[SqlDatabase, SqlDatabase], url: str, passed: int) -> None:
    """Neither a judge nor a rewriter that was killed in the middle stops the other one for long."""
    judge, rewriter = two

    async def story() -> None:
        assert await judge.begin_flags(await judge.rewriting())
        later = open_database(url, clock=SimClock(NOW + passed, 0))
        try:
            assert not await rewriter.begin_rewriting()
            assert await later.begin_rewriting()
            assert not await later.begin_flags(await later.rewriting())
        finally:
            later.close()
        last = open_database(url, clock=SimClock(NOW + 2 * passed, 0))
        try:
            assert await last.begin_flags(await last.rewriting())
        finally:
            last.close()

    asyncio.run(story())


def test_turns_of_one_process_end_each_by_itself(two: tuple[SqlDatabase, SqlDatabase]) -> None:
    """What ingest judges at once is written while a round of the same process has its turn: the round's goes on, and redecode waits."""
    judge, rewriter = two

    async def story() -> None:
        assert await take_turn(judge)
        assert await judge.begin_flags(await judge.rewriting())
        assert await judge.end_flags()
        assert not await rewriter.begin_rewriting()
        assert await judge.keep_flags("judge")
        assert await judge.end_flags("judge")
        assert await rewriter.begin_rewriting()

    asyncio.run(story())


class Beside(MemoryStore):
    """Whenever it is read a redecode writes a piece, of another station: they come faster than a round reads."""

    def __init__(self, rewriter: SqlDatabase) -> None:
        super().__init__()
        self.rewriter = rewriter
        self.tried = self.written = 0

    async def read(self, keys: Sequence[SeriesKey], *args: Any, **more: Any) -> Batch:
        self.tried += 1
        if await self.rewriter.begin_rewriting():
            self.written += 1
            await self.write(Batch.of([0], [NOW], [1.0]), [ELSEWHERE])
            await self.rewriter.end_rewriting()
            await self.rewriter.announce_rewriting()
        return await super().read(keys, *args, **more)


@pytest.mark.parametrize("block_rows", [50_000, 8], ids=["a round", "blocks"])
def test_a_round_beside_a_redecode_comes_to_its_end(two: tuple[SqlDatabase, SqlDatabase], block_rows: int) -> None:
    """What is refused once is read again in turn, while redecode waits: a sweep clears every series; then redecode writes again at once."""
    judge, rewriter = two
    store = Beside(rewriter)

    async def story() -> None:
        rows = Batch.of([0] * 40, [NOW + n * 900_000 for n in range(40)], [5.02] * 40)
        await store.write(rows, [HERE])
        newest = Latest(time=int(rows.time[-1]), value=5.02, flag=2)
        await judge.commit(
            Commit(journal="a", state_cursor=1, written=(Written(key=HERE, role="primary", newest=newest, received=NOW, dirty_from=int(rows.time[0])),))
        )
        done = await sweep(judge, store, read_qc(None), block_rows=block_rows)
        assert (done.cleared, done.judged) == (1, 40)
        assert not await judge.dirty()
        assert 0 < store.written < store.tried, "it wrote beside the first try, and waited for the second"
        assert await rewriter.begin_rewriting(), "no turn is left behind"

    asyncio.run(story())


class Breaks(Beside):
    """It goes away once the judge has the turn: while it is read, or while flags are written to it."""

    def __init__(self, rewriter: SqlDatabase, when: str) -> None:
        super().__init__(rewriter)
        self.when = when

    async def read(self, keys: Sequence[SeriesKey], *args: Any, **more: Any) -> Batch:
        before = self.written
        rows = await super().read(keys, *args, **more)
        if self.when == "reading" and self.written == before:  # redecode had to wait
            raise UnavailableError("the store is away")
        return rows

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        raise UnavailableError("no answer, and it may take them still")


@pytest.mark.parametrize("block_rows", [50_000, 8], ids=["a round", "blocks"])
@pytest.mark.parametrize("when", ["reading", "writing"])
def test_a_turn_whose_reading_broke_off_is_given_back(two: tuple[SqlDatabase, SqlDatabase], when: str, block_rows: int) -> None:
    """Redecode goes on at once where nothing can have been written; where flags were under way it waits for the minute."""
    judge, rewriter = two
    store = Breaks(rewriter, when)

    async def story() -> None:
        rows = Batch.of([0] * 40, [NOW + n * 900_000 for n in range(40)], [5.02] * 40)
        await store.write(rows, [HERE])
        newest = Latest(time=int(rows.time[-1]), value=5.02, flag=2)
        await judge.commit(
            Commit(journal="a", state_cursor=1, written=(Written(key=HERE, role="primary", newest=newest, received=NOW, dirty_from=int(rows.time[0])),))
        )
        with pytest.raises(UnavailableError):
            await sweep(judge, store, read_qc(None), block_rows=block_rows)
        assert store.written
        assert await rewriter.begin_rewriting() == (when == "reading")

    asyncio.run(story())


class Late(MemoryStore):
    """It takes longer to write flags than a turn lasts; redecode comes meanwhile."""

    def __init__(self, later: SqlDatabase) -> None:
        super().__init__()
        self.later = later

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        assert await self.later.begin_rewriting()
        await self.later.end_rewriting()
        await super().write_flags(batch, keys)


@pytest.mark.sqlite("PostgreSQL goes by its own clock")
def test_flags_that_took_longer_than_their_turn_do_not_count(database: SqlDatabase, url: str) -> None:
    """Redecode wrote meanwhile, so the judge does not say that they are written. Where nobody did, a turn that is over by time is as good as kept."""
    judge, later = open_database(url, clock=SimClock(NOW, 0)), open_database(url, clock=SimClock(NOW + TURN_MS + 1, 0))
    rows = Batch.of([0], [NOW], [1.0], flag=[4], tests=[1])

    async def story() -> None:
        read = await judge.rewriting()
        assert not await flags_of(judge, Late(later), read)(rows, [HERE])
        assert await take_turn(judge)
        assert not await flags_in_turn(judge, Late(later))(rows, [HERE])
        assert not await flags_in_turn(judge, MemoryStore())(rows, [HERE]), "its turn is gone: nothing is written"
        assert await judge.begin_flags(await judge.rewriting())
        assert await later.keep_flags() is False, "it is another's"
        assert await judge.end_flags()

    try:
        asyncio.run(story())
    finally:
        judge.close()
        later.close()
