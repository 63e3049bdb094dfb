"""Decoding the past again: today's decoders and deployments over the journal, and only what differs is written.

    wanted = what the messages of the journal give today        `ingest.past`: the processor of live ingest, writing nothing
    stored = what the store holds of the same devices
    diff   = compare(wanted, stored)                            `ingest.differences`: pure
    log, then store, then `dirty_from`                          the judge follows; a run that is cut short is begun anew

A reading that stands where it should not is withdrawn (flag 9), never removed. That is done, and a value written over, only where
no message that cannot be read could have given it (decision 0026). It runs beside ingest: both write the same rows of the same messages.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import structlog

from core.batch import Batch
from core.clock import Clock
from core.deadletter import DeadLetter
from core.flags import Flag
from core.place import FOREVER, MAIN
from core.ports import Redecodes, RegistrySnapshot, SeriesStore
from core.redecode import Change, Run, Touched
from core.series import SeriesKey, SeriesTable
from core.state import Commit, Judged, Latest, Written
from ingest.differences import Differences, Gaps, compare, near, tell_withdrawn, withdrawn
from ingest.past import UNTOLD, Letters, PastJournal, Reading, Told, Wanted, arrival_before, removed
from ingest.pipeline import Database as IngestDatabase
from quality.rules import QcConfig
from registry.directory import Directory

log = structlog.get_logger()

SAMPLE = 1000  # changes that are handed back; all of them are in the log of a run
_MOST_DOUBTFUL = 200_000
_MOST_LETTERS = 10_000  # in one transaction
_PIECE = 20_000  # rows written at once: ingest waits for its turn meanwhile


class Database(IngestDatabase, Redecodes, Protocol):
    """All that a run asks of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which readings (since ≤ time < until [ms]), of which device or org (empty: all), for whom and why; `dry` writes nothing.

    `clock_was_behind`: our own clock was; times that lie after their arrival but are over now are taken.
    """

    since: int
    until: int = FOREVER
    device: str = ""
    org: str = ""
    actor: str = ""
    reason: str = ""
    dry: bool = False
    clock_was_behind: bool = False


@dataclass(slots=True, kw_only=True)
class Result:
    """What a run did, or (dry) would do. `run` is its number in the log; `changes` the first of them."""

    run: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    touched: dict[SeriesKey, Touched] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def add(self, changes: Sequence[Change]) -> None:
        """Count some more."""
        self.changes += changes[: max(0, SAMPLE - len(self.changes))]
        for change in changes:
            self.counts[change.kind] += 1
            was = self.touched.get(change.key) or Touched(key=change.key, since=change.time, until=change.time, counts={})
            counts = {**was.counts, change.kind: was.counts.get(change.kind, 0) + 1}
            self.touched[change.key] = replace(was, since=min(was.since, change.time), until=max(was.until, change.time), counts=counts)


Moved = Callable[[int, int], None]
"""Told how much of the journal of this part is read: bytes, of bytes."""


async def redecode(
    asked: Asked,
    *,
    journals: Sequence[PastJournal],
    store: SeriesStore,
    database: Database,
    config: QcConfig,
    clock: Clock,
    moved: Moved = lambda done, total: None,
    arrival_of_row: bool = False,
) -> Result:
    """Do it. Raises what store and database raise; what was done by then stays, and a second call does the rest.

    `arrival_of_row`: the store keeps the arrival of each row; else only that of its point, which tells of no single row.
    """
    work = _Redecode(asked, journals=journals, store=store, database=database, config=config, clock=clock, moved=moved, arrival_of_row=arrival_of_row)
    return await work.run()


class _Redecode:
    """One run: state with a lifetime."""

    def __init__(
        self,
        asked: Asked,
        *,
        journals: Sequence[PastJournal],
        store: SeriesStore,
        database: Database,
        config: QcConfig,
        clock: Clock,
        moved: Moved,
        arrival_of_row: bool,
    ) -> None:
        self._asked = asked
        self._journals = journals
        self._store = store
        self._database = database
        self._config = config
        self._clock = clock
        self._moved = moved
        self._arrival_of_row = arrival_of_row
        self._result = Result()
        self._told: dict[str, Told] = {}
        self._failed: dict[str, int] = {}

    async def run(self) -> Result:
        """Part by part, each of as many readings as fit into memory."""
        snapshot = await self._database.snapshot()
        self._directory = Directory(snapshot)
        self._scope = _scope(snapshot, self._asked)
        self._stored = await self._series()
        letters = {journal.id: await self._letters(journal.id) for journal in self._journals}
        if not self._asked.dry:
            await self._take_up()
            self._result.run = await self._database.begin_redecode(_logged(self._asked, self._clock.now_ms()))
        low = self._asked.since
        while low < self._asked.until:
            wanted = Wanted(low, self._asked.until, SeriesTable())
            readings = [self._reading(journal, snapshot, low, letters[journal.id]) for journal in self._journals]
            for reading in readings:
                await reading.go_on(wanted, self._progress(reading.journal, reading.position))
            await self._part(wanted, readings, snapshot)
            for reading in readings:
                self._told.setdefault(reading.journal.id, reading.told)  # of the first part: the others read the same messages
                self._failed[reading.journal.id] = max(self._failed.get(reading.journal.id, 0), len(reading.failed))
            low = wanted.high
        for journal in self._journals:
            await self._settle(journal.id, self._told[journal.id], letters[journal.id])
        if not self._asked.dry:
            await self._database.finish_redecode(self._result.run, counts={name: n for name, n in self._result.counts.items() if n})
        return self._result

    def _reading(self, journal: PastJournal, snapshot: RegistrySnapshot, low: int, letters: Letters) -> Reading:
        return Reading(
            journal=journal,
            database=self._database,
            snapshot=snapshot,
            config=self._config,
            clock=self._clock,
            scope=self._scope,
            start=journal.start if self._asked.clock_was_behind else journal.at_arrival(arrival_before(low)),
            letters=letters,
            within=(self._asked.since, self._asked.until),
            clock_was_behind=self._asked.clock_was_behind,
        )

    def _progress(self, journal: PastJournal, start: int) -> Callable[[int], None]:
        return lambda position: self._moved(position - start, journal.end - start)

    # ------------------------------------------------------------ one part

    async def _part(self, wanted: Wanted, readings: Sequence[Reading], snapshot: RegistrySnapshot) -> None:
        """Compare with the store, device by device, and write what differs."""
        for reading in readings:  # what came meanwhile counts too
            reading.journal.open()
            await reading.go_on(wanted)
        gaps, blind = await self._gaps(readings)
        before = self._result.counts.total()
        doubtful = await self._compare(wanted, gaps, blind)
        await self._clear_up(doubtful, snapshot, gaps, {reading.journal.id: reading.position for reading in readings})
        if self._result.counts.total() > before and not self._asked.dry:
            await self._once_more(wanted, readings)

    async def _compare(self, wanted: Wanted, gaps: Gaps, blind: frozenset[str]) -> list[tuple[list[SeriesKey], Batch]]:
        """Write what differs, device by device; returns the stored rows that nothing gives, and whose message may be there."""
        rows, keys, ties = wanted.rows(), wanted.table.keys, wanted.ties
        doubtful: list[tuple[list[SeriesKey], Batch]] = []
        room = _MOST_DOUBTFUL
        devices, tied = dict(_by_device(rows, keys)), dict(_by_device(ties, keys))
        for device in sorted(self._stored.keys() | devices.keys()):
            mine, known = devices.get(device), self._stored.get(device, [])
            local = sorted({*known, *(keys[i] for i in np.unique(rows.series[mine]).tolist())}) if mine is not None else known
            stored = await self._store.read(local, wanted.low, wanted.high)
            its = replace(gaps, blind=device in blind, ties=_renumbered(ties.take(tied[device]), keys, local) if device in tied else Batch.empty())
            found = compare(_renumbered(rows.take(mine), keys, local) if mine is not None else Batch.empty(), stored, local, its)
            await self._write(found, local)
            kept = found.doubtful.take(slice(0, 0 if gaps.others or not self._arrival_of_row or device in blind else None))
            self._result.counts["without_message"] += len(found.doubtful) - len(kept) + found.left
            if len(kept):
                doubtful.append((local, kept.take(slice(0, max(0, room)))))
                self._result.counts["not_looked_at"] += max(0, len(kept) - max(0, room))
                room -= len(kept)
        return doubtful

    async def _gaps(self, readings: Sequence[Reading]) -> tuple[Gaps, frozenset[str]]:
        """What of the messages cannot be read, and the clockless devices whose times hang on such a one."""
        known = await self._database.state_cursors()
        lost = [span for reading in readings for span in reading.missing()]  # opens the journals anew: they reach as far as the cursors
        ends = {reading.journal.id: reading.journal.end for reading in readings}
        others = any(position > ends.get(journal, -1) for journal, position in known.items())
        damaged = {reading.journal.id: reading.gaps for reading in readings if reading.gaps}
        recalled = await self._database.recalled(sorted(self._scope)) if damaged else {}
        blind = frozenset(
            device
            for device, (seen, _) in recalled.items()
            if any(low <= s.position < high for s in seen for journal, gaps in damaged.items() if s.journal in ("", journal) for low, high in gaps)
        )
        return Gaps(lost=lost, others=others), blind

    async def _write(self, found: Differences, keys: Sequence[SeriesKey]) -> None:
        """Log, store, and have it judged: in this order, so that whatever was begun can be taken up."""
        self._result.add(found.changes)
        if self._asked.dry:
            return
        told = len(found.write)
        for i in range(0, told, _PIECE):
            await self._write_piece(found.write.take(slice(i, i + _PIECE)), found.changes[i : min(told, i + _PIECE)], keys, gone=False)
        for i in range(0, len(found.withdraw), _PIECE):
            await self._write_piece(found.withdraw.take(slice(i, i + _PIECE)), found.changes[told + i : told + i + _PIECE], keys, gone=True)

    async def _write_piece(self, rows: Batch, changes: Sequence[Change], keys: Sequence[SeriesKey], *, gone: bool) -> None:
        await self._database.log_redecode(self._result.run, changes)
        await self._database.announce_rewriting()
        if gone:
            await self._store.write_flags(rows, keys)
        else:
            self._result.counts["refused_by_store"] += len(await self._store.write(rows, keys))
        await self._have_judged(rows, keys)

    async def _have_judged(self, rows: Batch, keys: Sequence[SeriesKey]) -> None:
        written = [_written(rows.take(rows.series == i), keys[i], self._directory) for i in np.unique(rows.series).tolist()]
        await self._store.flush()
        await self._database.commit(Commit(journal=self._journals[0].id, state_cursor=0, written=tuple(written)))
        await self._database.announce_rewriting()  # after it, too: who starts now finds these series there, or hears of it
        await self._mistrust(rows, keys)

    async def _mistrust(self, rows: Batch, keys: Sequence[SeriesKey]) -> None:
        """What was judged and is another now is not good any more, from this moment on: no verdict may speak from it until the judge has passed."""
        times = {keys[i]: rows.take(rows.series == i) for i in np.unique(rows.series).tolist()}
        answers: list[Judged] = []
        for station in sorted({key.station for key in times}):
            for state in await self._database.states(station=station):
                mine = times.get(state.key)
                if mine is None or state.judged is None or state.judged.time not in mine.time:
                    continue
                at = int(np.flatnonzero(mine.time == state.judged.time)[-1])
                flag = Flag.MISSING if mine.flag[at] == Flag.MISSING else Flag.NOT_EVALUATED
                newest = Latest(time=state.judged.time, value=float(mine.value[at]), flag=flag)
                good = None if state.good is None or state.good.time in mine.time else state.good
                answers.append(Judged(key=state.key, changed=-1, newest=newest, good=good, config=state.config))  # −1: it stays dirty
        if answers:
            await self._database.judged(answers)

    async def _once_more(self, wanted: Wanted, readings: Sequence[Reading]) -> None:
        """What ingest has stored while we compared may have been written over by us: it is the later word, and stands."""
        changed = -1
        while self._result.counts.total() > changed:
            changed = self._result.counts.total()
            late = Wanted(wanted.low, wanted.high, wanted.table)
            for reading in readings:
                reading.journal.open()
                await reading.go_on(late)
            rows, keys = late.rows(), wanted.table.keys
            for _, mine in _by_device(rows, keys):
                local = sorted({keys[i] for i in np.unique(rows.series[mine]).tolist()})
                stored = await self._store.read(local, wanted.low, wanted.high)
                found = compare(_renumbered(rows.take(mine), keys, local), stored, local, Gaps(others=True))
                await self._write(replace(found, withdraw=Batch.empty(), changes=found.changes[: len(found.write)]), local)

    # ------------------------------------------------------------ rows that nothing gives

    async def _clear_up(self, doubtful: Sequence[tuple[list[SeriesKey], Batch]], snapshot: RegistrySnapshot, gaps: Gaps, ends: Mapping[str, int]) -> None:
        """Withdraw those whose own message is known, by device and arrival, and was read, and gives something else.

        All messages of one read of the socket arrive in the same millisecond: an arrival is known to be that of one message only
        where every journal is read, near it nothing is lost, and the device has but one.
        """
        asked = {(_device(keys[s]), r) for keys, rows in doubtful for s, r in zip(rows.series.tolist(), rows.received.tolist(), strict=True)}
        if not asked:
            return
        proven = await self._proven(asked, snapshot, ends)
        lost = [*gaps.lost, *(span for journal in self._journals for span in removed(journal))]  # also while we read
        for keys, rows in doubtful:
            is_proven = [(_device(keys[s]), r) in proven for s, r in zip(rows.series.tolist(), rows.received.tolist(), strict=True)]
            gone = withdrawn(rows.take(np.array(is_proven, dtype=np.bool_) & ~near(lost, rows.received, rows.received)))
            self._result.counts["without_message"] += len(rows) - len(gone)
            await self._write(Differences(write=Batch.empty(), withdraw=gone, doubtful=Batch.empty(), changes=tell_withdrawn(gone, keys)), keys)

    async def _proven(self, asked: set[tuple[str, int]], snapshot: RegistrySnapshot, ends: Mapping[str, int]) -> set[tuple[str, int]]:
        """Of these (device, arrival) the ones that are of one message in all journals, which may be read."""
        found: Counter[tuple[str, int]] = Counter()
        barred: set[tuple[str, int]] = set()
        first, last = min(r for _, r in asked), max(r for _, r in asked)
        for journal in self._journals:
            reading = self._reading(journal, snapshot, first, Letters())
            at = journal.at_arrival(first)
            while (part := journal.read(at, limit=2000)).next > at:
                at = part.next
                inside = [(p, m) for p, m in part.records if first <= m.received <= last and reading.is_mine(m)]
                of = {position: (reading.device_of(message), message.received) for position, message in inside}
                mine = [(p, m) for p, m in inside if of[p] in asked]
                for work in await reading.process(mine) if mine else []:
                    barred |= {of[d.position] for d in work.pending.dead if d.reason in UNTOLD and d.position in of}
                    barred |= {of[w.position] for w in work.pending.waiting}
                barred |= {of[position] for position in reading.failed if position in of}
                barred |= {of[p] for p, _ in mine if p >= ends[journal.id]}  # it came after we looked
                found.update(of[p] for p, _ in mine)
        return {one for one, times in found.items() if times == 1} - barred

    # ------------------------------------------------------------ dead letters

    async def _letters(self, journal: str) -> Letters:
        """Those of the devices in scope."""
        letters, before = Letters(), None
        while page := await self._database.dead_letters(device=self._asked.device or None, limit=1000, before=before):
            for letter in page:
                if letter.journal == journal and letter.device in self._scope:
                    letters.add(letter)
            before = page[-1].id
        return letters

    async def _settle(self, journal: str, told: Told, letters: Letters) -> None:
        """A message that is read now resolves its dead letters; a new refusal is one, however often this runs."""
        new = [d for d in told.refused if (d.position, d.reason, d.key) not in letters.known]
        counts = {
            "messages": told.messages,
            "resolved": len(told.resolved),
            "refused": len(new),
            "failed": self._failed[journal],
            "damaged_bytes": told.damaged_bytes,
        }
        self._result.counts.update({name: count for name, count in counts.items() if count})
        if self._asked.dry:
            return
        done = tuple(letter.id for letter in told.resolved)
        for chunk in _chunks(new) or [()]:
            await self._database.commit(Commit(journal=journal, state_cursor=0, dead=tuple(chunk), done_replays=done))
            done = ()

    # ------------------------------------------------------------ what there is

    async def _series(self) -> dict[str, list[SeriesKey]]:
        """Every stored series of the devices in scope, by device."""
        found: defaultdict[str, list[SeriesKey]] = defaultdict(list)
        for key in await self._store.series():
            if _device(key) in self._scope:
                found[_device(key)].append(key)
        return dict(found)

    async def _take_up(self) -> None:
        """A run before us that was cut short: what it may have written without a word to the judge is judged."""
        for run in await self._database.redecode_runs(state="running"):
            for touched in await self._database.redecode_touched(run.id):
                rows = await self._store.read([touched.key], touched.since, touched.until + 1)
                if len(rows):
                    await self._have_judged(rows, [touched.key])
            await self._database.finish_redecode(run.id, state="broken", counts=run.counts)
            log.warning("an earlier redecode was cut short; this one takes it up", run=run.id)


def _scope(snapshot: RegistrySnapshot, asked: Asked) -> frozenset[str]:
    return frozenset(d.id for d in snapshot.devices if asked.device in ("", d.id) and asked.org in ("", d.org))


def _logged(asked: Asked, now: int) -> Run:
    return Run(at=now, actor=asked.actor, reason=asked.reason, device=asked.device, org=asked.org, since=asked.since, until=asked.until)


def _device(key: SeriesKey) -> str:
    return key.sensor.partition("/")[0]


def _by_device(rows: Batch, keys: Sequence[SeriesKey]) -> list[tuple[str, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    """(device, which rows), the rows of each as they were."""
    names = sorted({_device(key) for key in keys})
    number = {name: i for i, name in enumerate(names)}
    of = np.array([number[_device(key)] for key in keys], dtype=np.int64)
    if not len(rows):
        return []
    owner = of[rows.series]
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(names) + 1))
    return [(name, order[bounds[i] : bounds[i + 1]]) for i, name in enumerate(names) if bounds[i + 1] > bounds[i]]


def _renumbered(rows: Batch, keys: Sequence[SeriesKey], local: Sequence[SeriesKey]) -> Batch:
    """The rows of one device with `series` as indices of `local`, sorted by it."""
    place: Mapping[SeriesKey, int] = {key: i for i, key in enumerate(local)}
    used = np.unique(rows.series)
    numbers = np.array([place[keys[i]] for i in used.tolist()], dtype=np.int32)
    series = numbers[np.searchsorted(used, rows.series)]
    moved = Batch(series=series, time=rows.time, value=rows.value, flag=rows.flag, tests=rows.tests, received=rows.received)
    return moved.take(np.lexsort((moved.time, moved.series)))


def _written(rows: Batch, key: SeriesKey, directory: Directory) -> Written:
    """What the database is told of one series: to be judged from its oldest row on; newer readings of it stand."""
    last = int(np.argmax(rows.time))
    newest = Latest(time=int(rows.time[last]), value=float(rows.value[last]), flag=int(rows.flag[last]))
    device, _, channel = key.sensor.partition("/")
    deployment = directory.deployment(device, channel or MAIN, newest.time)
    role = deployment.role if deployment else "primary"
    return Written(key=key, role=role, newest=newest, received=int(rows.received[last]), dirty_from=int(rows.time.min()))


def _chunks(letters: Sequence[DeadLetter]) -> list[Sequence[DeadLetter]]:
    return [letters[i : i + _MOST_LETTERS] for i in range(0, len(letters), _MOST_LETTERS)]
