"""The judge's way to the store: flags go there only while what they were judged from still stands.

Flags are written whole, with the bits that were given (withdrawn, clock) as they were read. Were `redecode` to withdraw a
reading between that reading and this writing, the bit would be lost. So neither writes while the other does, and what was
read before a rewriting is not written after it: it is read and judged again. That second time the judge has the turn before
it reads: rewritings that come faster than it reads would refuse it for ever, whatever stations they are of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from core.batch import Batch
from core.errors import RefusedError, UnavailableError
from core.ports import SeriesStore, States
from core.series import SeriesKey

log = structlog.get_logger()

WriteFlags = Callable[[Batch, Sequence[SeriesKey]], Awaitable[bool]]
"""Writes flags; False where what they were judged from may have been rewritten: nothing is written, or it is to be judged again."""

JUDGE = "judge"  # its turn: not the one of what ingest judges at once, which may be the same process
_TRIES = 250
_TURN_S = 0.02  # five seconds in all: the judge has a seat to keep, too


def flags_of(states: States, store: SeriesStore, rewriting: int, turn: str = "") -> WriteFlags:
    """To write flags of rows that were read when `States.rewriting` was `rewriting`."""

    async def write(rows: Batch, keys: Sequence[SeriesKey]) -> bool:
        return await states.begin_flags(rewriting, turn) and await _write(states, store, turn, rows, keys)

    return write


async def take_turn(states: States, turn: str = JUDGE) -> bool:
    """The turn before anything is read; False where others keep it too long. To be given back by `States.end_flags`, at the latest."""
    for _ in range(_TRIES):
        if await states.begin_flags(await states.rewriting(), turn):
            return True
        await asyncio.sleep(_TURN_S)  # another process sends no event
    return False


def flags_in_turn(states: States, store: SeriesStore, turn: str = JUDGE) -> WriteFlags:
    """To write flags of rows that were read after `take_turn`. It ends the turn."""

    async def write(rows: Batch, keys: Sequence[SeriesKey]) -> bool:
        return await states.keep_flags(turn) and await _write(states, store, turn, rows, keys)

    return write


@asynccontextmanager
async def in_turn(states: States, store: SeriesStore, turn: str = JUDGE) -> AsyncIterator[WriteFlags | None]:
    """The turn, to read and then to write within it; None where others keep it too long.

    It is given back at the end, also where reading raised: nobody who rewrites need wait for its minute. Not where the writing
    itself broke off.
    """
    if not await take_turn(states, turn):
        yield None
        return
    write, unfinished = flags_in_turn(states, store, turn), False

    async def watched(rows: Batch, keys: Sequence[SeriesKey]) -> bool:
        nonlocal unfinished
        unfinished = True
        done = await write(rows, keys)
        unfinished = False
        return done

    try:
        yield watched
    except BaseException:
        if not unfinished:
            with suppress(UnavailableError, RefusedError):  # then it ends by itself, and what was raised is told
                await states.end_flags(turn)
        raise
    await states.end_flags(turn)


async def _write(states: States, store: SeriesStore, turn: str, rows: Batch, keys: Sequence[SeriesKey]) -> bool:
    # where it raises the store may take them still: nobody rewrites before that has come to an end by itself
    await store.write_flags(rows, keys)
    if await states.end_flags(turn):
        return True
    log.warning("flags took longer to write than their turn, and readings were rewritten meanwhile: run redecode again", rows=len(rows))
    return False
