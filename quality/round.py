"""Many groups of series in one block of columns, each from its earliest dirty time to its newest row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.flags import Flag
from core.place import ALWAYS, FOREVER
from core.ports import SeriesStore, States
from core.state import Judged, Latest, SeriesState
from quality.blocks import Blocks, Learn, answer, latest
from quality.flagging import JUDGE, flags_of, in_turn
from quality.intervals import Intervals
from quality.judge import context, judge
from quality.qc import HOUR_MS
from quality.rules import QcConfig, Rules

ROOM = 4  # so many times the rows of a block may be read at once
FEWER = 8  # of groups that are too long together so many times fewer are tried next


class Round:
    """Judges `groups`; the answers are for every series that was dirty or whose flags changed."""

    def __init__(
        self, groups: Sequence[Sequence[SeriesState]], states: States, store: SeriesStore, config: QcConfig, block_rows: int, learn: Learn | None
    ) -> None:
        self._groups = groups
        self._members = [s for group in groups for s in group]
        self._keys = [s.key for s in self._members]
        self._group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        self._states = states
        self._store = store
        self._config = config
        self._block_rows = block_rows
        self._learn = learn
        self._before, self._after = context(config.tests.values())
        self.judged = 0
        self.changed = 0

    async def run(self) -> list[Judged]:
        """Read, judge, write what differs; groups that are too long for one block go by themselves. Again, in turn, where others rewrite meanwhile."""
        self._write_flags = flags_of(self._states, self._store, await self._states.rewriting(), JUDGE)
        answers = await self._once()
        if answers is None:
            async with in_turn(self._states, self._store) as write:
                if write is not None:
                    self._write_flags = write
                    answers = await self._once()
        return answers or []

    async def _once(self) -> list[Judged] | None:
        """None where the flags were not to be written."""
        starts = await self._starts()
        since = max(ALWAYS, int(starts.min()) - int(self._before.hours * HOUR_MS))
        limit = max(1, ROOM * self._block_rows // len(self._keys))
        batch = await self._store.read(self._keys, since, FOREVER, limit=limit)
        counts = np.bincount(batch.series, minlength=len(self._keys))
        long = np.unique(self._group[counts >= limit])
        if len(long):
            return await self._apart(long)
        if self._learn is not None:
            self._learn(self._keys, batch, since)
        if self._before.samples:
            older = await self._samples(starts[self._group], self._before.samples, batch)
            batch = Batch.concat([older, batch]).last_wins()
        return await self._judge(batch, starts)

    async def _apart(self, long: NDArray[np.intp]) -> list[Judged]:
        """The long groups in smaller numbers, or block after block; the others as they are."""
        if len(self._groups) == 1:
            blocks = Blocks(self._groups[0], self._states, self._store, self._config, self._block_rows, self._learn)
            answers = await blocks.run()
            self.judged, self.changed = blocks.judged, blocks.changed
            return answers
        is_long = np.isin(np.arange(len(self._groups)), long)
        parts = [[group for group, apart in zip(self._groups, is_long, strict=True) if not apart]]
        some = [group for group, apart in zip(self._groups, is_long, strict=True) if apart]
        size = max(1, len(some) // FEWER)
        parts += [some[i : i + size] for i in range(0, len(some), size)]
        answers = []
        for part in filter(None, parts):
            round_ = Round(part, self._states, self._store, self._config, self._block_rows, self._learn)
            answers += await round_.run()
            self.judged += round_.judged
            self.changed += round_.changed
        return answers

    async def _judge(self, batch: Batch, starts: NDArray[np.int64]) -> list[Judged] | None:
        mine = batch.time >= starts[self._group[batch.series]]
        flags, bits = judge(batch, Rules(self._config, self._keys), asked=mine)
        fresh = replace(batch, flag=flags, tests=bits)
        differs = mine & ((flags != batch.flag) | (bits != batch.tests))
        if differs.any() and not await self._write_flags(fresh.take(differs), self._keys):
            return None
        self.judged += int(mine.sum())
        self.changed += int(differs.sum())
        newest, good = _last_rows(fresh, mine), _last_rows(fresh, mine & (flags == Flag.GOOD))
        if any(row.flag == Flag.MISSING for row in newest.values()):  # what was withdrawn is no series' newest while anything else stands
            newest |= _last_rows(fresh, mine & (flags != Flag.MISSING))
        intervals = self._intervals(batch)
        changed = np.zeros(len(self._keys), dtype=np.bool_)
        changed[batch.series[differs]] = True
        answers = []
        for i, state in enumerate(self._members):
            if i in newest and (changed[i] or state.dirty_from is not None):
                start = int(starts[self._group[i]])
                answers.append(await answer(self._store, self._config, state, newest[i], good.get(i), start, int(intervals[i]) or None))
        return answers

    def _intervals(self, batch: Batch) -> NDArray[np.int64]:
        intervals = Intervals()
        intervals.grow(np.array([s.interval_ms or 0 for s in self._members], dtype=np.int64))
        intervals.add(batch, batch.time)
        return intervals.median()

    async def _starts(self) -> NDArray[np.int64]:
        """For each group the time from which on its rows are judged: those that see what is dirty after them, too."""
        dirty = np.array([min(s.dirty_from for s in group if s.dirty_from is not None) for group in self._groups], dtype=np.int64)
        starts = dirty - int(self._after.hours * HOUR_MS)
        if self._after.samples:
            before = await self._samples(dirty[self._group], self._after.samples, Batch.empty())
            if len(before):
                np.minimum.at(starts, self._group[before.series], before.time)
        return np.maximum(starts, ALWAYS)

    async def _samples(self, until: NDArray[np.int64], samples: int, have: Batch) -> Batch:
        """Of each series the last `samples` rows before its `until`, where there are so many; `have` (its newest rows) is not read again."""
        found: list[Batch] = []
        before = have.take(have.time < until[have.series])
        lacking = np.flatnonzero(np.bincount(before.series, minlength=len(self._keys)) < samples)
        span, top = 6 * HOUR_MS, int(until.max())
        while len(lacking):
            start = max(ALWAYS, int(until[lacking].min()) - span)
            rows = await self._store.read([self._keys[i] for i in lacking.tolist()], start, top)
            rows = Batch(
                series=lacking[rows.series].astype(np.int32), time=rows.time, value=rows.value, flag=rows.flag, tests=rows.tests, received=rows.received
            )
            rows = rows.take(rows.time < until[rows.series])
            last = rows.last_of_series()
            end = np.zeros(len(self._keys), dtype=np.intp)
            end[rows.series[last]] = last
            counts = np.bincount(rows.series, minlength=len(self._keys))
            # the others are not read again: one that fell silent long ago must not cost a year of its neighbours
            done = np.flatnonzero((counts >= samples) | (start == ALWAYS))
            found.append(rows.take(np.isin(rows.series, done) & (end[rows.series] - np.arange(len(rows)) < samples)))
            lacking = np.setdiff1d(lacking, done)
            span *= 8
        return Batch.concat(found).last_wins()


def _last_rows(batch: Batch, which: NDArray[np.bool_]) -> dict[int, Latest]:
    rows = batch.take(which)
    return {int(rows.series[row]): latest(rows, row) for row in rows.last_of_series().tolist()}
