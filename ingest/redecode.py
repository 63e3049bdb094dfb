"""Decoding the past again: today's decoders and deployments over the journal, and only what differs is written.

    wanted = what the messages of the journal give today        `ingest.past`: the processor of live ingest, writing nothing
    stored = what the store holds of the same devices
    diff   = compare(wanted, stored)                            `ingest.differences`: pure
    log, then store, then `dirty_from`                          `ingest.rewriting`: the judge follows; a run that is cut short is begun anew

A reading that stands where it should not is withdrawn (flag 9), never removed. That is done, and a value written over, only where
no message that cannot be read could have given it (decision 0026). It runs beside ingest: both write the same rows of the same messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.batch import Batch
from core.clock import Clock
from core.deadletter import DeadLetter
from core.place import FOREVER
from core.ports import RegistrySnapshot, SeriesStore
from core.redecode import Run
from core.series import SeriesKey, SeriesTable
from core.state import Commit
from ingest.by_device import by_device, device_of, renumbered
from ingest.differences import Differences, Gaps, compare, near, reach, tell_withdrawn, withdrawn
from ingest.past import Letters, PastJournal, Reading, Told, Wanted, arrival_before, removed
from ingest.proven import proven
from ingest.rewriting import Database, Result, Rewriting
from quality.rules import QcConfig
from registry.directory import Directory

__all__ = ["Asked", "Moved", "Result", "redecode"]

_MOST_DOUBTFUL = 200_000
_MOST_LETTERS = 10_000  # in one transaction


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
        self._rewriting = Rewriting(
            self._result,
            store=self._store,
            database=self._database,
            directory=Directory(snapshot),
            journal=self._journals[0].id if self._journals else "",
            dry=self._asked.dry,
        )
        self._scope = _scope(snapshot, self._asked)
        self._stored = await self._series()
        letters = {journal.id: await self._letters(journal.id) for journal in self._journals}
        if not self._asked.dry:
            await self._rewriting.take_up()
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
        devices, tied = dict(by_device(rows, keys)), dict(by_device(ties, keys))
        for device in sorted(self._stored.keys() | devices.keys()):
            mine, known = devices.get(device), self._stored.get(device, [])
            local = sorted({*known, *(keys[i] for i in np.unique(rows.series[mine]).tolist())}) if mine is not None else known
            stored = await self._store.read(local, wanted.low, wanted.high)
            its = replace(gaps, blind=device in blind, ties=renumbered(ties.take(tied[device]), keys, local) if device in tied else Batch.empty())
            found = compare(renumbered(rows.take(mine), keys, local) if mine is not None else Batch.empty(), stored, local, its)
            await self._rewriting.write(found, local)
            kept = found.doubtful.take(slice(0, 0 if gaps.away or not self._arrival_of_row or device in blind else None))
            self._result.counts["without_message"] += len(found.doubtful) - len(kept) + found.left
            if len(kept):
                doubtful.append((local, kept.take(slice(0, max(0, room)))))
                self._result.counts["not_looked_at"] += max(0, len(kept) - max(0, room))
                room -= len(kept)
        return doubtful

    async def _gaps(self, readings: Sequence[Reading]) -> tuple[Gaps, frozenset[str]]:
        """What of the messages cannot be read, and the clockless devices whose times hang on such a one."""
        known = await self._database.state_cursors()
        lost = [span for reading in readings for span in reading.missing(known.get(reading.journal.id, 0))]
        ends = {reading.journal.id: reading.journal.end for reading in readings}
        away = {journal for journal, position in known.items() if position > ends.get(journal, -1)}
        self._result.not_read |= away
        forgotten = await self._database.forgotten_journals()  # no proof waits for them, and yet the later value may have come through one
        others = bool(away) or any(position > ends.get(journal, -1) for journal, position in forgotten.items())
        damaged = {reading.journal.id: reading.gaps for reading in readings if reading.gaps}
        recalled = await self._database.recalled(sorted(self._scope)) if damaged else {}
        blind = frozenset(
            device
            for device, (seen, _) in recalled.items()
            if any(low <= s.position < high for s in seen for journal, gaps in damaged.items() if s.journal in ("", journal) for low, high in gaps)
        )
        return Gaps(lost=lost, others=others, again=others, away=bool(away)), blind

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
            for _, mine in by_device(rows, keys):
                local = sorted({keys[i] for i in np.unique(rows.series[mine]).tolist()})
                stored = await self._store.read(local, wanted.low, wanted.high)
                found = compare(renumbered(rows.take(mine), keys, local), stored, local, Gaps(others=True))
                await self._rewriting.write(replace(found, withdraw=Batch.empty(), changes=found.changes[: len(found.write)]), local)

    # ------------------------------------------------------------ rows that nothing gives

    async def _clear_up(self, doubtful: Sequence[tuple[list[SeriesKey], Batch]], snapshot: RegistrySnapshot, gaps: Gaps, ends: Mapping[str, int]) -> None:
        """Withdraw those whose own message is known, by device and arrival, and was read, and gives something else.

        All messages of one read of the socket arrive in the same millisecond: an arrival is known to be that of one message only
        where every journal is read, near it nothing is lost, and the device has but one.
        """
        asked = {(device_of(keys[s]), r) for keys, rows in doubtful for s, r in zip(rows.series.tolist(), rows.received.tolist(), strict=True)}
        if not asked:
            return
        of_one = await proven(asked, journals=self._journals, reading_of=lambda journal, first: self._reading(journal, snapshot, first, Letters()), ends=ends)
        lost = [*gaps.lost, *(span for journal in self._journals for span in removed(journal))]  # also while we read
        for keys, rows in doubtful:
            is_proven = [(device_of(keys[s]), r) in of_one for s, r in zip(rows.series.tolist(), rows.received.tolist(), strict=True)]
            gone = withdrawn(rows.take(np.array(is_proven, dtype=np.bool_) & ~near(lost, rows.received, reach(rows.series, rows.received, keys))))
            self._result.counts["without_message"] += len(rows) - len(gone)
            await self._rewriting.write(Differences(write=Batch.empty(), withdraw=gone, doubtful=Batch.empty(), changes=tell_withdrawn(gone, keys)), keys)

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
            if device_of(key) in self._scope:
                found[device_of(key)].append(key)
        return dict(found)


def _scope(snapshot: RegistrySnapshot, asked: Asked) -> frozenset[str]:
    return frozenset(d.id for d in snapshot.devices if asked.device in ("", d.id) and asked.org in ("", d.org))


def _logged(asked: Asked, now: int) -> Run:
    return Run(at=now, actor=asked.actor, reason=asked.reason, device=asked.device, org=asked.org, since=asked.since, until=asked.until)


def _chunks(letters: Sequence[DeadLetter]) -> list[Sequence[DeadLetter]]:
    return [letters[i : i + _MOST_LETTERS] for i in range(0, len(letters), _MOST_LETTERS)]
