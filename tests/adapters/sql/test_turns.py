"""Judge and redecode take turns: of two who write the same rows, each with bits the other does not know, one waits for the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from adapters.sql import SqlDatabase, open_database
from adapters.sql.turns import TURN_MS
from core.clock import SimClock

NOW = 1_772_420_400_000


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
    """It waits for every judge, of whom several may write at once; what they read meanwhile they may not write."""
    judge, rewriter = two

    async def story() -> None:
        read = await judge.rewriting()
        assert await judge.begin_flags(read)
        assert await rewriter.begin_flags(read), "two judges do the same work twice"
        await rewriter.end_flags()
        assert not await rewriter.begin_rewriting()
        assert not await judge.begin_flags(read), "it is announced already"
        await judge.end_flags()
        assert await rewriter.begin_rewriting()

    asyncio.run(story())


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
