"""Writing the past anew: log, then store, then the word to the judge; whatever was begun can be taken up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import structlog

from core.batch import Batch
from core.flags import Flag
from core.place import MAIN
from core.ports import Redecodes, SeriesStore
from core.redecode import Change, Touched
from core.series import SeriesKey
from core.state import Commit, Judged, Latest, Written
from ingest.differences import Differences
from ingest.pipeline import Database as IngestDatabase
from quality.blocks import last_before
from registry.directory import Directory

log = structlog.get_logger()

SAMPLE = 1000  # changes that are handed back; all of them are in the log of a run
_TURN_S = 0.02
_PIECE = 20_000  # rows written at once: ingest waits for its turn meanwhile


class Database(IngestDatabase, Redecodes, Protocol):
    """All that a run asks of the database."""


@dataclass(slots=True, kw_only=True)
class Result:
    """What a run did, or (dry) would do. `run` is its number in the log; `changes` the first of them. `not_read`: journals it had not got."""

    run: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    touched: dict[SeriesKey, Touched] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    not_read: set[str] = field(default_factory=set)

    def add(self, changes: Sequence[Change]) -> None:
        """Count some more."""
        self.changes += changes[: max(0, SAMPLE - len(self.changes))]
        for change in changes:
            self.counts[change.kind] += 1
            was = self.touched.get(change.key) or Touched(key=change.key, since=change.time, until=change.time, counts={})
            counts = {**was.counts, change.kind: was.counts.get(change.kind, 0) + 1}
            self.touched[change.key] = replace(was, since=min(was.since, change.time), until=max(was.until, change.time), counts=counts)


class Rewriting:
    """What one run writes. `journal` is one it reads; `dry` writes nothing and only counts, in `result`."""

    def __init__(self, result: Result, *, store: SeriesStore, database: Database, directory: Directory, journal: str, dry: bool) -> None:
        self._result = result
        self._store = store
        self._database = database
        self._directory = directory
        self._journal = journal
        self._dry = dry

    async def write(self, found: Differences, keys: Sequence[SeriesKey]) -> None:
        """Log, store, and have it judged: in this order, so that whatever was begun can be taken up."""
        self._result.add(found.changes)
        if self._dry:
            return
        told = len(found.write)
        for i in range(0, told, _PIECE):
            await self._write_piece(found.write.take(slice(i, i + _PIECE)), found.changes[i : min(told, i + _PIECE)], keys, gone=False)
        for i in range(0, len(found.withdraw), _PIECE):
            await self._write_piece(found.withdraw.take(slice(i, i + _PIECE)), found.changes[told + i : told + i + _PIECE], keys, gone=True)

    async def _write_piece(self, rows: Batch, changes: Sequence[Change], keys: Sequence[SeriesKey], *, gone: bool) -> None:
        await self._database.log_redecode(self._result.run, changes)
        while not await self._database.begin_rewriting():  # noqa: ASYNC110 another process sends no event
            await asyncio.sleep(_TURN_S)  # the judge writes flags of what it has read: they would take a withdrawal back
        # where it raises the store may take them still: no flags are written before that has come to an end by itself
        if gone:
            await self._store.write_flags(rows, keys)
        else:
            self._result.counts["refused_by_store"] += len(await self._store.write(rows, keys))
        await self._database.end_rewriting()
        await self._have_judged(rows, keys)

    async def _have_judged(self, rows: Batch, keys: Sequence[SeriesKey]) -> None:
        written = [_written(rows.take(rows.series == i), keys[i], self._directory) for i in np.unique(rows.series).tolist()]
        await self._store.flush()
        await self._database.commit(Commit(journal=self._journal, state_cursor=0, written=tuple(written)))
        await self._database.announce_rewriting()  # after it, too: who starts now finds these series there, or hears of it
        await self._mistrust(rows, keys)

    async def _mistrust(self, rows: Batch, keys: Sequence[SeriesKey]) -> None:
        """What was judged and is another now is not good any more, from this moment on: no verdict may speak from it until the judge has passed."""
        times = {keys[i]: rows.take(rows.series == i) for i in np.unique(rows.series).tolist()}
        answers: list[Judged] = []
        for station in sorted({key.station for key in times}):
            for state in await self._database.states(station=station):
                mine = times.get(state.key)
                newest, good = state.judged, state.good
                if mine is None or newest is None:
                    continue
                was_good = good is not None and good.time in mine.time  # it may lie before what was judged last
                at = np.flatnonzero(mine.time == newest.time)
                if not len(at) and not was_good:
                    continue
                if len(at):
                    flag = Flag.MISSING if mine.flag[at[-1]] == Flag.MISSING else Flag.NOT_EVALUATED
                    newest = Latest(time=newest.time, value=float(mine.value[at[-1]]), flag=flag)
                if was_good:
                    since = int(mine.time.min()) if state.dirty_from is None else state.dirty_from  # what lies before it is judged
                    good = await last_before(self._store, state.key, since, good=True)
                answers.append(Judged(key=state.key, changed=-1, newest=newest, good=good, config=state.config))  # −1: it stays dirty
        if answers:
            await self._database.judged(answers)

    async def take_up(self) -> None:
        """A run before us that was cut short: what it may have written without a word to the judge is judged."""
        for run in await self._database.redecode_runs(state="running"):
            for touched in await self._database.redecode_touched(run.id):
                rows = await self._store.read([touched.key], touched.since, touched.until + 1)
                if len(rows):
                    await self._have_judged(rows, [touched.key])
            await self._database.finish_redecode(run.id, state="broken", counts=run.counts)
            log.warning("an earlier redecode was cut short; this one takes it up", run=run.id)


def _written(rows: Batch, key: SeriesKey, directory: Directory) -> Written:
    """What the database is told of one series: to be judged from its oldest row on; newer readings of it stand."""
    last = int(np.argmax(rows.time))
    newest = Latest(time=int(rows.time[last]), value=float(rows.value[last]), flag=int(rows.flag[last]))
    device, _, channel = key.sensor.partition("/")
    deployment = directory.deployment(device, channel or MAIN, newest.time)
    role = deployment.role if deployment else "primary"
    return Written(key=key, role=role, newest=newest, received=int(rows.received[last]), dirty_from=int(rows.time.min()))
