"""The judge's way to the store: flags go there only while what they were judged from still stands.

Flags are written whole, with the bits that were given (withdrawn, clock) as they were read. Were `redecode` to withdraw a
reading between that reading and this writing, the bit would be lost. So neither writes while the other does, and what was
read before a rewriting is not written after it: it is read and judged again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from core.batch import Batch
from core.ports import SeriesStore, States
from core.series import SeriesKey

WriteFlags = Callable[[Batch, Sequence[SeriesKey]], Awaitable[bool]]
"""Writes flags; False, and nothing is written, where what they were judged from may have been rewritten."""


def flags_of(states: States, store: SeriesStore, rewriting: int) -> WriteFlags:
    """To write flags of rows that were read when `States.rewriting` was `rewriting`."""

    async def write(rows: Batch, keys: Sequence[SeriesKey]) -> bool:
        if not await states.begin_flags(rewriting):
            return False
        # where it raises the store may take them still: nobody rewrites before that has come to an end by itself
        await store.write_flags(rows, keys)
        await states.end_flags()
        return True

    return write
