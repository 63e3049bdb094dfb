"""A group of series too long for one block: judged block after block, each with the context of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.flags import Flag
from core.place import ALWAYS, FOREVER
from core.ports import SeriesStore, States
from core.series import SeriesKey
from core.state import Judged, Latest, SeriesState
from quality.flagging import JUDGE, WriteFlags, flags_of, in_turn
from quality.intervals import FEW_GAPS, GAPS
from quality.judge import context, judge
from quality.qc import HOUR_MS, Context
from quality.rules import QcConfig, Rules

Learn = Callable[[Sequence[SeriesKey], Batch, int], None]
"""Hears of these keys all rows that the store holds from a time on."""


class Blocks:
    """One group of series (one sensor at one point) from its earliest dirty time to its newest row."""

    def __init__(self, members: Sequence[SeriesState], states: States, store: SeriesStore, config: QcConfig, block_rows: int, learn: Learn | None) -> None:
        self._members = sorted(members, key=lambda s: s.key)
        self._keys = [s.key for s in self._members]
        self._states = states
        self._store = store
        self._config = config
        self._rules = Rules(config, self._keys)
        self._before, self._after = context(config.tests.values())
        self._block_rows = block_rows
        self._learn = learn
        self._newest: dict[int, Latest] = {}
        self._good: dict[int, Latest] = {}
        self._last: dict[int, NDArray[np.int64]] = {}  # times of the last rows read of each series, rising
        self.judged = 0
        self.changed = 0

    async def run(self) -> list[Judged]:
        """Judge block after block; the answers are for every series that was dirty or whose flags changed. What others rewrite meanwhile is read again."""
        dirty_from = min(s.dirty_from for s in self._members if s.dirty_from is not None)
        start = await self._reach_back(dirty_from, self._after)
        touched: set[int] = {i for i, s in enumerate(self._members) if s.dirty_from is not None}
        since = start
        while since < FOREVER:
            rewriting = await self._states.rewriting()
            batch, until = await self._read(since)
            self._remember(batch)
            changed = await self._judge(batch, since, until, flags_of(self._states, self._store, rewriting, JUDGE))
            if changed is None:
                async with in_turn(self._states, self._store) as write:
                    if write is not None:
                        batch, until = await self._read(since)
                        self._remember(batch)
                        changed = await self._judge(batch, since, until, write)
            if changed is None:
                return []
            touched |= changed
            since = until
        return [await self._answer(i, start) for i in sorted(touched) if i in self._newest]

    async def _read(self, since: int) -> tuple[Batch, int]:
        """Rows from the context before `since` on, and the time up to which (excluded) they can be judged now."""
        start = await self._reach_back(since, self._before)
        rows = self._block_rows
        while True:
            batch = await self._store.read(self._keys, start, FOREVER, limit=rows)
            counts = np.bincount(batch.series, minlength=len(self._keys))
            # where a series goes on behind the block, its last rows still lack what comes after them
            until = min((self._needs_after(batch, int(i)) for i in np.flatnonzero(counts >= rows)), default=FOREVER)
            if until > since:
                if until == FOREVER and self._learn is not None:
                    self._learn(self._keys, batch, start)
                return batch, until
            rows *= 4

    def _remember(self, batch: Batch) -> None:
        """Keep the last times of each series; blocks overlap by their context."""
        for i in range(len(self._keys)):
            times = batch.time[batch.series == i][-1 - GAPS :]
            self._last[i] = np.union1d(self._last.get(i, times), times)[-1 - GAPS :]

    def _interval(self, i: int) -> int | None:
        """The median of the last gaps [ms]; None leaves what is known: one row after a long time says nothing."""
        gaps = np.diff(self._last[i])
        if not len(gaps) or (len(gaps) < FEW_GAPS and self._members[i].interval_ms is not None):
            return None
        return round(float(np.median(gaps)))

    def _needs_after(self, batch: Batch, series: int) -> int:
        times = batch.time[batch.series == series]
        by_hours = int(times[-1]) - int(self._after.hours * HOUR_MS)
        by_samples = int(times[-1 - self._after.samples]) if len(times) > self._after.samples else int(times[0])
        return min(by_hours, by_samples)

    async def _judge(self, batch: Batch, since: int, until: int, write_flags: WriteFlags) -> set[int] | None:
        mine = (batch.time >= since) & (batch.time < until)
        flags, bits = judge(batch, self._rules, asked=mine)
        differs = mine & ((flags != batch.flag) | (bits != batch.tests))
        fresh = replace(batch, flag=flags, tests=bits)
        if differs.any() and not await write_flags(fresh.take(differs), self._keys):
            return None
        self.judged += int(mine.sum())
        self.changed += int(differs.sum())
        for i in range(len(self._keys)):
            rows = np.flatnonzero(mine & (batch.series == i))
            stands = rows[flags[rows] != Flag.MISSING]
            if len(stands) or (len(rows) and (i not in self._newest or self._newest[i].flag == Flag.MISSING)):
                self._newest[i] = latest(fresh, int(stands[-1] if len(stands) else rows[-1]))
            good = rows[flags[rows] == Flag.GOOD]
            if len(good):
                self._good[i] = latest(fresh, int(good[-1]))
        return set(np.unique(batch.series[differs]).tolist())

    async def _answer(self, i: int, start: int) -> Judged:
        return await answer(self._store, self._config, self._members[i], self._newest[i], self._good.get(i), start, self._interval(i))

    async def _reach_back(self, time: int, need: Context) -> int:
        """A time far enough before `time` that every series has `need` there (or begins later)."""
        by_hours = max(ALWAYS, time - int(need.hours * HOUR_MS))
        if not need.samples:
            return by_hours
        reach, lacking, span = by_hours, self._keys, 6 * HOUR_MS
        while lacking:
            start = max(ALWAYS, time - span)
            batch = await self._store.read(lacking, start, time)
            back = [batch.time[batch.series == i][-need.samples :] for i in range(len(lacking))]
            reach = min([reach, *(int(times[0]) for times in back if len(times))])
            # the others are not read again: one that fell silent long ago must not cost a year of its neighbours
            lacking = [] if start == ALWAYS else [key for key, times in zip(lacking, back, strict=True) if len(times) < need.samples]
            span *= 8
        return reach


async def answer(store: SeriesStore, config: QcConfig, state: SeriesState, newest: Latest, good: Latest | None, start: int, interval_ms: int | None) -> Judged:
    """What the judge says of one series whose rows from `start` on it has judged; `newest` and `good` are the newest (good) one of them.

    A `newest` that is withdrawn gives way to the last row before them that is not, where there is one.
    """
    if newest.flag == Flag.MISSING:
        newest = await last_before(store, state.key, start, good=False) or newest
    if good is None:
        good = state.good
        if good is not None and good.time >= start:  # it was good before this round and is no more
            good = await last_before(store, state.key, start, good=True)
    # rows before `start` still have the flags of the configuration they were judged by: its hash stands until all are judged anew
    older = state.config if state.config and start > ALWAYS else config.hash
    return Judged(key=state.key, changed=state.changed, newest=newest, good=good, config=older, interval_ms=interval_ms)


async def last_before(store: SeriesStore, key: SeriesKey, end: int, *, good: bool) -> Latest | None:
    """The newest row of a series before `end` that stands, or (`good`) is good, by the flags it has now."""
    span = 24 * HOUR_MS
    while end > ALWAYS:
        start = max(ALWAYS, end - span)
        batch = await store.read([key], start, end)
        rows = np.flatnonzero(batch.flag == Flag.GOOD if good else batch.flag != Flag.MISSING)
        if len(rows):
            return latest(batch, int(rows[-1]))
        end, span = start, span * 8
    return None


def latest(batch: Batch, row: int) -> Latest:
    """A row of a batch."""
    return Latest(time=int(batch.time[row]), value=float(batch.value[row]), flag=int(batch.flag[row]))
