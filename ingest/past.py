"""Reading the past as ingest reads the present: the same processor over the journal, with nothing stored and nothing registered.

An object's time and identity come out as they did then: messages are read in the order of the journal, from a week before
what is asked for, and what the database remembers of earlier ones is taken in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import structlog

from core.batch import Batch
from core.clock import Clock
from core.deadletter import DeadLetter
from core.errors import CanhManError, ConflictError, DecodeError
from core.message import Message
from core.place import FOREVER
from core.ports import Journal, RegistrySnapshot, SeriesStore, Slice
from core.series import SeriesTable
from core.state import BootSpan, Commit, Seen, WaitingDevice
from ingest.identity import AHEAD_MS
from ingest.pipeline import Database, Processor, Work
from ingest.route import route
from quality.rules import QcConfig

log = structlog.get_logger()

BATCH = 2000
MOST_ROWS = 500_000  # held at once; a longer span is done in parts
WARM_UP_MS = 7 * 86_400_000  # what may come again of a clockless device has come by then
_COMMIT_EVERY = 20  # batches
_MOST_TOPICS = 100_000

# Refusals that say who may send, not what was sent: of such a message nothing is known, and nothing is concluded.
UNTOLD = frozenset({"wrong_org", "forbidden", "unknown_device", "quota", "retained", "bad_topic", "no_decoder", "clock"})


class PastJournal(Journal, Protocol):
    """A journal that may be read beside the process that writes it."""

    def open(self) -> None:
        """Look (again) for what there is."""
        ...

    @property
    def removed_to(self) -> int:
        """Before this position records were removed; 0 where none was."""
        ...

    def at_arrival(self, ms: int) -> int:
        """A position at or before every record that arrived at `ms` or later."""
        ...

    def read(self, position: int, *, limit: int, gaps: list[tuple[int, int]] | None = None) -> Slice:
        """As `Journal.read`; `gaps` takes the positions [from, to) of what is damaged."""
        ...


class Wanted:
    """The rows of a span of time, each identity once. Holds `MOST_ROWS`; then its end comes nearer.

    Of one journal the last message wins, of several the one that arrived last, as they did live. Where two of them arrived in the
    same millisecond nobody knows which one was stored last: `ties` are the others.
    """

    def __init__(self, low: int, high: int, table: SeriesTable, *, most: int | None = None) -> None:
        self.low = low
        self.high = high
        self.table = table
        self._most = MOST_ROWS if most is None else most
        self._parts: dict[str, list[Batch]] = {}
        self._rows = 0
        self.ties = Batch.empty()

    def add(self, rows: Batch, numbers: np.ndarray[Any, np.dtype[np.int32]], journal: str) -> None:
        """Take in rows of a journal, whose `series` index `numbers`, which has their numbers in our table."""
        inside = (rows.time >= self.low) & (rows.time < self.high)
        if not inside.any():
            return
        rows = rows.take(inside)
        self._parts.setdefault(journal, []).append(
            Batch(series=numbers[rows.series], time=rows.time, value=rows.value, flag=rows.flag, tests=rows.tests, received=rows.received)
        )
        self._rows += len(rows)
        if self._rows > self._most:
            self._compact()

    def rows(self) -> Batch:
        """All of them, sorted by (series, time)."""
        self._parts = {journal: [Batch.concat(parts).last_wins()] for journal, parts in self._parts.items()}
        self._rows = sum(len(parts[0]) for parts in self._parts.values())
        every = Batch.concat([parts[0] for parts in self._parts.values()])
        if len(self._parts) < 2:
            return every
        every = every.take(np.lexsort((every.received, every.time, every.series)))  # stable
        same = (every.series[1:] == every.series[:-1]) & (every.time[1:] == every.time[:-1]) & (every.received[1:] == every.received[:-1])
        self.ties = every.take(np.append(same, False)) if len(every) else every
        return every.distinct()

    def _compact(self) -> None:
        rows = self.rows()
        while len(rows) > self._most // 2 and self.high - self.low > 1:
            middle = max(self.low + 1, int(np.median(rows.time)))
            self.high = middle if middle < self.high else self.low + (self.high - self.low) // 2
            rows = rows.take(rows.time < self.high)
        self._parts = {journal: [part.take(part.time < self.high) for part in parts] for journal, parts in self._parts.items()}
        self._rows = sum(len(part) for parts in self._parts.values() for part in parts)


@dataclass(slots=True, kw_only=True)
class Letters:
    """What the database knows of the dead letters of one journal: open ones by position, identities of all, and times moved by hand."""

    open: dict[int, list[DeadLetter]] = field(default_factory=dict)
    known: set[tuple[int, str, str]] = field(default_factory=set)
    shifts: dict[int, dict[tuple[int, str], int]] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        """One more."""
        self.known.add((letter.position, letter.reason, letter.key))
        if letter.resolved_at is None:
            self.open.setdefault(letter.position, []).append(letter)
        elif letter.shift_ms:
            place = letter.key.partition(".")[0] if letter.key.startswith("[") else ""
            self.shifts.setdefault(letter.position, {})[letter.position, place] = letter.shift_ms


@dataclass(slots=True, kw_only=True)
class Told:
    """What a reading found beside rows: letters whose message is read now, today's refusals, and letters that must stay."""

    resolved: list[DeadLetter] = field(default_factory=list)
    refused: list[DeadLetter] = field(default_factory=list)
    left: int = 0
    messages: int = 0
    damaged_bytes: int = 0


class Reading:
    """One journal read from some position on, of the devices in scope. `go_on` may be called again when there is more."""

    def __init__(
        self,
        *,
        journal: PastJournal,
        database: Database,
        snapshot: RegistrySnapshot,
        config: QcConfig,
        clock: Clock,
        scope: frozenset[str],
        start: int,
        letters: Letters,
        within: tuple[int, int],
        clock_was_behind: bool = False,
    ) -> None:
        self.journal = journal
        self.position = start
        self._letters = letters
        self._within = within
        self._clock_was_behind = clock_was_behind
        self._scope = scope
        self._topics: dict[str, str] = {}
        self._numbers = np.zeros(0, dtype=np.int32)
        self._batches = 0
        frozen = cast("Database", _Frozen(database, snapshot, journal.id, start))
        self._processor = Processor(
            journal=journal, store=cast("SeriesStore", _Nowhere()), database=frozen, config=config, clock=clock, mode="approve", public=False
        )
        self.told = Told()
        self.gaps: list[tuple[int, int]] = []  # positions of what is damaged
        self.lost: list[tuple[int, int]] = []  # between these arrivals, both included, something came that cannot be read
        self._arrival = 0  # of the record read last
        self._broken = False  # what follows it is damaged
        self.failed: set[int] = set()  # positions of messages that our own code cannot read: nothing is concluded from them

    async def go_on(self, wanted: Wanted, moved: Callable[[int], None] = lambda position: None) -> None:
        """To the end of the journal as it is now."""
        gaps: list[tuple[int, int]] = []
        while (part := self.journal.read(self.position, limit=BATCH, gaps=gaps)).next > self.position:
            self.position = part.next
            self._miss(part, gaps)
            self.told.damaged_bytes += part.damaged_bytes
            mine = [record for record in part.records if self.is_mine(record[1])]
            self.told.messages += len(mine)
            for group in self._groups(mine):
                await self._take(group, wanted)
            moved(self.position)

    def _miss(self, part: Slice, gaps: list[tuple[int, int]]) -> None:
        """Between which arrivals the damaged records of this part came."""
        self.gaps += gaps
        left = [low for low, _ in gaps]
        gaps.clear()
        for position, message in part.records if left or self._broken else part.records[-1:]:
            self._broken |= bool(left) and left[0] < position
            while left and left[0] < position:
                del left[0]
            if self._broken:
                self.lost.append((min(self._arrival, message.received), max(self._arrival, message.received)))
            self._broken, self._arrival = False, message.received
        self._broken |= bool(left)

    def missing(self, committed: int) -> list[tuple[int, int]]:
        """All arrivals, from and to, near which the journal does not hold everything any more. Ingest had read it as far as `committed`."""
        gone = removed(self.journal)  # opens it anew: it reaches as far as the cursor
        is_short = self._broken or committed > self.journal.end  # a damaged end looks like none
        return [*self.lost, *([(self._arrival, FOREVER)] if is_short else []), *gone]

    def is_mine(self, message: Message) -> bool:
        """Whether it comes from a device in scope."""
        return self.device_of(message) in self._scope

    def device_of(self, message: Message) -> str:
        """Who sent it, by its topic; empty where that is none of ours."""
        known = self._topics.get(message.topic)
        if known is None:
            try:
                known = route(message.topic).device
            except DecodeError:
                return ""  # and not remembered: it may be 64 KiB long
            if len(self._topics) >= _MOST_TOPICS:
                self._topics.clear()
            self._topics[message.topic] = known
        return known

    async def process(self, records: Sequence[tuple[int, Message]], shifts: Mapping[tuple[int, str], int] | None = None) -> list[Work]:
        """As live ingest does; a message that makes our own code fail is left out, and its neighbours are not."""
        await self._processor.refresh()
        try:
            works = [await self._processor.process(records, shifts=shifts, asked=self._clock_was_behind)]
        except CanhManError:
            raise
        except Exception as error:  # noqa: BLE001 found one by one
            if len(records) == 1:
                log.error("a message cannot be decoded again", position=records[0][0], error=f"{type(error).__name__}: {error}")
                self.failed.add(records[0][0])
                return []
            return [work for record in records for work in await self.process([record], shifts)]
        for work in works:
            await self._processor.write(work, None)
        self._batches += 1
        if self._batches % _COMMIT_EVERY == 0:
            await self._processor.commit()  # to nowhere: it forgets what a commit would have taken
        return works

    def _groups(self, records: Sequence[tuple[int, Message]]) -> Iterator[Sequence[tuple[int, Message]]]:
        """Runs of messages; one that has a dead letter, or whose time was moved, is by itself."""
        special = self._letters.open.keys() | self._letters.shifts.keys()
        run: list[tuple[int, Message]] = []
        for record in records:
            if record[0] in special:
                if run:
                    yield run
                yield [record]
                run = []
            else:
                run.append(record)
        if run:
            yield run

    async def _take(self, records: Sequence[tuple[int, Message]], wanted: Wanted) -> None:
        alone = records[0][0] if len(records) == 1 else -1
        works = await self.process(records, self._letters.shifts.get(alone))
        for work in works:
            wanted.add(work.rows, self._numbers_in(wanted.table), self.journal.id)
            low, high = self._within
            self.told.refused += [d for d in work.pending.dead if low <= d.received < high and d.reason not in UNTOLD]
            if alone in self._letters.open and not work.pending.waiting:
                self._settle(alone, work)

    def _settle(self, position: int, work: Work) -> None:
        """Letters of a message that is read now are done with, where all of its rows are in the span asked for."""
        low, high = self._within
        now = {(d.reason, d.key) for d in work.pending.dead}
        done = [letter for letter in self._letters.open[position] if (letter.reason, letter.key) not in now]
        if bool(len(work.rows)) and not ((work.rows.time >= low) & (work.rows.time < high)).all():
            self.told.left += len(done)
        else:
            self.told.resolved += done

    def _numbers_in(self, table: SeriesTable) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The processor's series as numbers of `table`."""
        keys = self._processor.keys
        if len(keys) > len(self._numbers):
            self._numbers = np.append(self._numbers, np.array([table.index(key) for key in keys[len(self._numbers) :]], dtype=np.int32))
        return self._numbers


def arrival_before(since: int) -> int:
    """When a reading of `since` or later may have arrived at the earliest, and a week more for what came again."""
    return max(0, since - AHEAD_MS - WARM_UP_MS)


def removed(journal: PastJournal) -> list[tuple[int, int]]:
    """The arrivals, from and to, of what the journal keeps no more."""
    journal.open()
    if not journal.removed_to:
        return []
    first = journal.read(journal.start, limit=1).records
    return [(0, first[0][1].received if first else FOREVER)]


class _Frozen:
    """The database as it stands for a reading: nothing is registered, nothing is written."""

    def __init__(self, database: Database, snapshot: RegistrySnapshot, journal: str, start: int) -> None:
        self._database = database
        self._snapshot = snapshot
        self._journal = journal
        self._start = start

    async def version(self) -> int:
        return self._snapshot.version

    async def snapshot(self) -> RegistrySnapshot:
        return self._snapshot

    async def put(self, *items: object, actor: str, why: str = "") -> int:
        raise ConflictError("nothing is registered while the past is read")

    async def recalled(self, devices: Sequence[str]) -> dict[str, tuple[list[Seen], list[BootSpan]]]:
        """Objects that stand before the start, or in the journal of another ingest; the others are met in their turn."""
        found = await self._database.recalled(devices)
        return {
            device: ([s for s in seen if s.position < self._start or s.journal not in ("", self._journal)], boots) for device, (seen, boots) in found.items()
        }

    async def waiting_devices(self) -> list[WaitingDevice]:
        return []

    async def commit(self, commit: Commit) -> None:
        return None


class _Nowhere:
    """A store that takes everything and keeps nothing."""

    async def write(self, *args: object, **named: object) -> list[object]:
        return []

    async def flush(self) -> None:
        pass
