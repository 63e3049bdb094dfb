"""The two loops of ingest: receive (socket → journal → acknowledge) and work (journal → store → database).

They run in two threads and meet only at the journal. While running nothing exits: a full journal means no
acknowledgement, an absent store means that acknowledged messages wait in the journal; both are said once, in red.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from time import perf_counter
from typing import Protocol, TypeVar

import structlog

from core.errors import CanhManError, JournalFullError, RefusedError, UnavailableError
from core.message import Message
from core.ports import Journal, MessageSource, Slice
from ingest.clock_words import ours_is_wrong
from ingest.health import Health
from ingest.meters import Meters
from ingest.pipeline import Database, Processor, Shifts, Work
from quality.rules import QcConfig

log = structlog.get_logger()
T = TypeVar("T")

BATCH = 4000
COMMIT_S = 1.0
HOUSE_SHARE = 9  # a commit that takes long comes seldomer: once in ten times its own time
JUDGE_WAITS_S = 60.0  # so long a backlog goes before the judge's reading back; what waits for it is dirty, and so not good
MAX_PENDING = 50_000  # dead letters and identities held while the database is away; then ingest waits for it
GONE = "; it cannot be read again: the journal does not keep its message any more"
READ_REFUSED = "canhman deadletters replay --reason clock"
APPEND_BYTES = 4 << 20  # of topics and payloads in one fsync: a quarter of the smallest journal, which could else never take a batch of long messages
STOP_S = 5.0  # how long a stop may go on with what is already in the journal

Judge = Callable[[], Awaitable[int]]
"""One round of the judge; returns how many series it looked at."""


class WaitingJournal(Journal, Protocol):
    """A journal whose reader can sleep until there is more."""

    def wait_for(self, position: int, timeout: float) -> bool:
        """Block until `end` is past `position`, at most `timeout` seconds."""
        ...


async def receive(source: MessageSource, journal: Journal, health: Health, meters: Meters | None = None) -> None:
    """Until cancelled: a batch from the source, one fsync, and only then the acknowledgements."""
    meters = meters or Meters()
    while True:
        messages = await source.batch()
        meters.received += len(messages)
        for part in _parts(messages):
            while not _keep(journal, part, health, meters):  # noqa: ASYNC110 a full disk sends no event
                await asyncio.sleep(1.0)  # not acknowledged, so its senders keep it too
            source.acknowledge(part)
            meters.acknowledged += len(part)


def _parts(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """A batch as it is, but for one of long messages: that in parts of some MiB."""
    start = size = 0
    if sum([len(message[0]) + len(message[1]) for message in messages]) > APPEND_BYTES:  # topic and payload: by name they cost twice as much
        for i, message in enumerate(messages):
            more = len(message.topic) + len(message.payload)
            size += more
            if size > APPEND_BYTES and i > start:
                yield messages[start:i]
                start, size = i, more
    yield messages[start:] if start else messages


def _keep(journal: Journal, messages: Sequence[Message], health: Health, meters: Meters) -> bool:
    began = perf_counter()
    try:
        journal.append(messages)
    except JournalFullError as error:
        health.red("journal", f"{error}; nothing is acknowledged until there is room")
        return False
    meters.kept(len(messages), getattr(journal, "fsync_s", 0.0) or perf_counter() - began)
    health.green("journal")
    return True


class Worker:
    """The second loop. `run` goes on until `stop`, then finishes what is in the journal, within a bound."""

    def __init__(
        self, *, processor: Processor, journal: WaitingJournal, database: Database, judge: Judge | None, health: Health, meters: Meters | None = None
    ) -> None:
        self._processor = processor
        self._journal = journal
        self._database = database
        self._judge = judge
        self._health = health
        self._meters = meters or Meters()
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._kept_house_at = 0.0
        self._house_every = COMMIT_S
        self._judge_at = 0.0
        self._behind_since: float | None = None  # whole batches wait in the journal since then
        self._config: QcConfig | None = None
        self._ready: tuple[Slice, Work] | None = None  # the next batch, converted while the one before it is written

    def configure(self, config: QcConfig) -> None:
        """Judge by another configuration from the next second on (from any thread)."""
        self._config = config

    def stop(self) -> None:
        """Ask the loop to end (from any thread); asking again grants no more time."""
        if not self._stop.is_set():
            self._deadline = time.monotonic() + STOP_S
            self._stop.set()

    async def run(self) -> None:
        """Work until stopped. A fault of our own is logged and the loop goes on: nothing but a stop ends it."""
        started = False
        while not self._over():
            try:
                if not started:
                    await self._patiently("store", self._processor.start)
                    started = True
                await self._round()
                self._health.green("ingest")
            except _Stopped:
                break
            except CanhManError as error:
                log.error("ingest goes on after an error", error=str(error))
                self._abandon()
                self._pause(1.0)
            except Exception as fault:  # the loop must outlive any fault of ours; the trace is in the log
                log.exception("a fault in ingest; going on")
                self._health.red("ingest", f"a fault of the program, its log tells where: {type(fault).__name__}: {fault}")
                self._abandon()
                self._pause(1.0)
        if started:
            self._abandon()
            await self._keep_house(last=True)

    def _abandon(self) -> None:
        """What is converted and not written is converted again."""
        self._ready = None
        self._processor.abandon()

    def _over(self) -> bool:
        if not self._stop.is_set():
            return False
        return self._journal.end <= self._processor.cursor or time.monotonic() > self._deadline

    async def _round(self) -> None:
        if self._processor.held > MAX_PENDING and self._ready is None:  # nothing more is taken in before the database has taken it
            await self._keep_house()
            return
        ready, self._ready = self._ready or await self._next(self._processor.cursor), None
        if ready is not None:
            found, work = ready
            self._meters.begins(found.records[0][1].received)
            writing = asyncio.ensure_future(self._patiently("store", lambda: self._write(work, found.next, len(found.records))))
            try:
                await asyncio.sleep(0)  # one that waits for a server lets us go on here
                if not writing.done() and len(found.records) >= BATCH and not self._house_is_due():
                    self._ready = await self._next(found.next)
            finally:
                await writing
        if self._house_is_due() and self._ready is None:  # a commit knows of nothing that is not written
            await self._keep_house()

    async def _next(self, position: int) -> tuple[Slice, Work] | None:
        """The batch that stands there, converted; None where there is none yet."""
        found = self._journal.read(position, limit=BATCH)
        if found.damaged_bytes:
            log.error("a damaged part of the journal was skipped", position=position, bytes=found.damaged_bytes)
        self._meters.begins(found.records[0][1].received if found.records and position == self._processor.cursor else None)
        if len(found.records) < BATCH:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()
            self._kept_house_at = self._kept_house_at or self._behind_since  # at a start: what the first batch alone has met would be committed twice
        if found.records:
            return found, await self._convert(found.records)
        if position == self._processor.cursor:
            if found.next > position:
                self._processor.cursor = found.next
            else:
                self._journal.wait_for(position, 0.2)
        return None

    def _house_is_due(self) -> bool:
        return time.monotonic() - self._kept_house_at >= self._house_every or self._processor.held > MAX_PENDING

    async def _write(self, work: Work, cursor: int, messages: int) -> None:
        began = perf_counter()
        await self._processor.write(work, cursor)
        self._meters.wrote(messages, perf_counter() - began)
        whole = {letter.position for letter in work.pending.dead if not letter.key}
        self._meters.decoded += messages - len(whole) - len(work.pending.waiting)
        self._meters.late = self._processor.late

    # ------------------------------------------------------------ batches

    async def _convert(self, records: Sequence[tuple[int, Message]], shifts: Shifts | None = None) -> Work:
        """Rows of a batch; a message that makes our own code fail becomes a dead letter and never stalls the rest."""
        try:
            return await self._process(records, shifts)
        except (_Stopped, CanhManError):
            raise
        except Exception as error:
            if len(records) == 1:
                return await self._once_more(records, shifts, error)
            log.exception("a batch failed; looking for the message by halving", messages=len(records))
        middle = len(records) // 2
        return Work.join([await self._convert(records[:middle], shifts), await self._convert(records[middle:], shifts)])

    async def _process(self, records: Sequence[tuple[int, Message]], shifts: Shifts | None) -> Work:
        """`shifts` is None for what comes as the journal has it, and else it was asked for: an approval, a replay."""
        return await self._patiently("database", lambda: self._processor.process(records, shifts=shifts, asked=shifts is not None))

    async def _once_more(self, records: Sequence[tuple[int, Message]], shifts: Shifts | None, error: Exception) -> Work:
        """A single message that failed, everything looked up anew: a trouble that passes must not become a dead letter."""
        self._processor.look_anew()
        if isinstance(error, (OSError, MemoryError)):  # the machine's, not the message's
            self._pause(1.0)
        try:
            return await self._process(records, shifts)
        except (_Stopped, CanhManError):
            raise
        except Exception as again:  # noqa: BLE001 whatever it is, the message is at fault together with us
            return self._processor.give_up(*records[0], again)

    async def _again(self, positions: Collection[int], shifts: Shifts | None = None) -> set[int]:
        """Read single messages again; returns where they stand, without those the journal does not keep any more."""
        records = [(position, message) for position in sorted(set(positions)) if (message := self._journal.get(position)) is not None]
        if records:
            work = await self._convert(records, shifts or {})
            if shifts is not None:
                work.pending.counters.clear()  # what these messages are was counted when they came
            await self._patiently("store", lambda: self._processor.write(work, None))
        return {position for position, _ in records}

    # ------------------------------------------------------------ once a second

    async def _keep_house(self, *, last: bool = False) -> None:
        """Commit, take in a changed registry, read again what was approved or asked for, judge."""
        self._kept_house_at = time.monotonic()
        try:
            await self._processor.commit()
            self._look_at_our_clock()
            # tens of thousands of series that all changed take a second: then seldomer
            self._house_every = max(COMMIT_S, HOUSE_SHARE * (time.monotonic() - self._kept_house_at))
            if self._config is not None:
                self._processor.use(self._config)
            if not last:
                await self._processor.refresh()
                await self._approved()
                await self._replays()
            self._health.green("database")
            await self._judge_now(last=last)
        except (UnavailableError, RefusedError) as error:
            self._health.red("database", str(error))
            if self._processor.held > MAX_PENDING:
                self._pause(1.0)

    def _look_at_our_clock(self) -> None:
        """Where most devices are ahead of us by the same, it is we who are behind, and good readings are refused."""
        ahead = self._processor.all_ahead()
        if ahead is None:
            self._health.green("clock")
        else:
            self._health.red("clock", f"{ours_is_wrong(ahead)}; once it is right: {READ_REFUSED}")

    async def _approved(self) -> None:
        """What waited for a device that is registered now: the same path, from the same journal."""
        waiting = await self._database.waiting_devices()
        self._processor.now_waits(waiting)
        for device in waiting:
            if self._processor.directory.device(device.device) is None:
                continue
            while rows := await self._database.waiting(device.device, self._journal.id):
                read = await self._again([row.position for row in rows])
                gone = [row for row in rows if row.position not in read]
                self._processor.lost(gone)
                self._processor.pending.done_waiting += [row.id for row in rows]
                await self._processor.commit()
                log.info("stored what had waited for approval", device=device.device, messages=len(rows) - len(gone), gone=len(gone))

    async def _replays(self) -> None:
        """Dead letters somebody asked to read again."""
        while rows := await self._database.replays(self._journal.id):
            read = await self._again([row.position for row in rows], {(row.position, place_of(row.key)): row.shift_ms for row in rows})
            pending = self._processor.pending
            pending.done_replays += [row.id for row in rows if row.position in read]
            pending.failed_replays += [(row.id, f"{row.text.removesuffix(GONE)}{GONE}") for row in rows if row.position not in read]
            await self._processor.commit()
            log.info("read dead letters again", messages=len(read), gone=len({row.position for row in rows} - read))

    async def _judge_now(self, *, last: bool) -> None:
        if self._judge is None or ((time.monotonic() < self._judge_at or self._backlog_goes_first()) and not last):
            return
        began = time.monotonic()
        try:
            await self._judge()
            self._health.green("judge")
        except (UnavailableError, RefusedError) as error:  # nothing was cleared: the next round does it
            self._health.red("judge", str(error))
        # under load the judge takes at most a fifth of this thread
        self._judge_at = time.monotonic() + max(COMMIT_S * 0.9, 4 * (time.monotonic() - began))
        if self._behind_since is not None:
            self._behind_since = time.monotonic()

    def _backlog_goes_first(self) -> bool:
        """Whether whole batches wait, not for too long already: after a start all series would be read back in the middle of it, and again at its end."""
        return self._behind_since is not None and time.monotonic() - self._behind_since < JUDGE_WAITS_S

    # ------------------------------------------------------------ patience

    async def _patiently(self, part: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, again and again while a server is away; only a stop ends it otherwise."""
        pause = 0.0
        while True:
            self._meters.begins()
            try:
                result = await work()
            except (UnavailableError, RefusedError) as error:
                self._health.red(part, str(error))
            else:
                if pause or part != "database":  # one that answers questions may still refuse a commit: `_keep_house` knows
                    self._health.green(part)
                return result
            if self._stop.is_set() and time.monotonic() > self._deadline:
                raise _Stopped
            pause = min(max(0.2, pause * 2), 5.0)
            self._pause(pause)

    def _pause(self, seconds: float) -> None:
        """Sleep, but not through a stop."""
        if self._stop.is_set():
            time.sleep(min(seconds, 0.2))
        else:
            self._stop.wait(seconds)


def place_of(key: str) -> str:
    """Which object of its message a dead letter is about: `[0]` of `[0].water.ec`; empty where the message holds but one."""
    return key[: key.index("]") + 1] if key.startswith("[") and "]" in key else ""


class _Stopped(Exception):  # noqa: N818 it is no error, it ends the loop
    """A stop came while a server was away."""
