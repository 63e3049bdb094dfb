"""From the journal to the store: read, open, enrol, convert, test, write, remember. One processor per journal.

    records = journal.read(cursor)              the journal is the queue, live and after a restart
    mail    = reader.open(records)              refused → dead letters
    work    = columns(mail, directory)          series by the reading's time, derived quantities
              judge(rows, row tests)            window tests follow in `quality.sweep`, from the store
    await store.write(work.rows, cursor)        the cursor goes with the rows
    await database.commit(pending, cursor)      at most once a second: latest, dead letters, identities

Everything after the journal is idempotent, so a start reads again from the smaller of both cursors. A healthy message of
a known device costs one turn of the loop in `_place_all`, and everything else is done on columns; whatever is unusual about
a message goes through `_place`, object by object, to the same rows.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import structlog

from core.batch import Batch
from core.clock import Y2000_MS, Clock, rfc3339
from core.deadletter import HEAD_BYTES, DeadLetter
from core.errors import RefusedError, UnavailableError
from core.message import Message
from core.ports import DeadLetters, Enrolment, Identities, Journal, RefusedRow, Registry, SeriesStore, States
from core.series import SeriesKey, SeriesTable
from core.state import DeviceStatus, Waiting, WaitingDevice
from ingest.admission import MAX_CHANNELS, Admission, explained
from ingest.clock_words import agreed, hint
from ingest.convert import Columns, Layouts
from ingest.decoder import Plain, Refusal
from ingest.events import Event
from ingest.identity import AHEAD_MS, FALLEN_BACK_MS, IMPLIED_BOOT
from ingest.identity import Identities as Memory
from ingest.instants import SECONDS, Instants
from ingest.mail import MESSAGE, OBJECT, Opened, Reader, is_strange, record
from ingest.offsets import Offsets
from ingest.pending import Pending
from ingest.recent import Recent
from ingest.shared import SharedIdentities
from quality.flagging import flags_of
from quality.judge import judge, row_tests
from quality.rules import QcConfig, Rules
from quality.tails import MOST_WAITING, Settled, Tails
from registry.directory import Directory
from registry.enrolment import Mode

__all__ = ["MAX_CHANNELS", "Database", "Processor", "Work"]

log = structlog.get_logger()

Judging = Callable[[], Awaitable[bool]]
"""Whether this process is the judge now."""

Records = Sequence[tuple[int, Message]]
Shifts = Mapping[tuple[int, str], int]  # by position of the message and place of the object in it, as `[0]`


class Database(Registry, States, DeadLetters, Enrolment, Identities, Protocol):
    """All that ingest asks of the database."""


@dataclass(slots=True, kw_only=True)
class Work:
    """A batch that is converted and not written yet: its judged rows, one per identity, sorted by (series, time).

    `pending` is what else it did; `origins` where its rows came from; `settled` the place in the identities' changes it reaches to.
    """

    rows: Batch
    pending: Pending
    origins: list[tuple[Columns, Records]] = field(default_factory=list)
    settled: int

    @classmethod
    def join(cls, parts: Sequence[Work]) -> Work:
        """Parts of one batch, in order."""
        pending = Pending()
        for part in parts:
            pending.absorb(part.pending)
        rows = Batch.concat([part.rows for part in parts]).last_wins()
        return cls(rows=rows, pending=pending, origins=[o for part in parts for o in part.origins], settled=max(part.settled for part in parts))


class Processor:
    """State with a lifetime: the directory of the moment, layouts, identities, and what waits for the next commit.

    `judging` says whether this process is the judge now; it must be the only one that writes this store then, and window tests
    are run here, in memory, before each commit. Else every row written is read back by whoever judges.

    `careful` makes a `Record` of every object: for comparison. `shared`: other processors share the devices.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        store: SeriesStore,
        database: Database,
        config: QcConfig,
        clock: Clock,
        mode: Mode,
        public: bool,
        careful: bool = False,
        judging: Judging | None = None,
        shared: bool = False,
    ) -> None:
        self._journal = journal
        self._store = store
        self._database = database
        self._clock = clock
        self._reader = Reader(journal.id, careful=careful)
        self._table = SeriesTable()
        self._layouts = Layouts(_nowhere, self._table)
        self._rules = Rules(config, self._table.keys)
        self._row_tests = row_tests(self._rules)
        self._judging = judging
        self._tails: Tails | None = None
        self._rewritten = 0  # how often others had announced to write when the tails were begun
        self._shared = SharedIdentities(journal.id) if shared else None
        self._memory = self._shared or Memory()
        self._instants = Instants()
        self._recent = Recent()
        self._offsets = Offsets()
        self._counted_to = 0  # up to here a commit before this start has counted
        self._fresh = Pending()  # of the batch that is being converted
        self._believed_to = 0  # a time up to here is not ahead [ms], in a batch somebody asked for
        self._admission = Admission(
            journal=journal.id, database=database, clock=clock, mode=mode, public=public, senders=self._reader.senders, changed=self._moved
        )
        self.pending = Pending()
        self.cursor = 0
        self.flushed = 0  # the cursor as of the last time that everything written was safe from a power cut: what lies before may go
        self.written = 0  # readings since this start

    async def start(self) -> None:
        """Find the place to go on from. Raises what store or database raise."""
        await self.refresh()
        self.now_waits(await self._database.waiting_devices())
        self._offsets.load(await self._database.device_clocks())
        if self._judging is not None:
            self._rewritten = await self._database.rewriting()
            self._tails = Tails(self._rules, {s.key: (s.newest.time, s.interval_ms or 0) for s in await self._database.states()})
        self._counted_to = await self._database.state_cursor(self._journal.id)
        self.cursor = self.flushed = min(await self._store.cursor(self._journal.id), self._counted_to)
        await self._store.flush()  # what a process before this one has written
        if self._journal.end > self.cursor:
            log.info("reading the journal on", position=self.cursor, bytes=self._journal.end - self.cursor)

    async def refresh(self) -> bool:
        """Take in a registry that changed; true where it had."""
        return await self._admission.refresh()

    def _moved(self, directory: Directory) -> None:
        self._layouts.clear(directory.series_key)

    def now_waits(self, waiting: Sequence[WaitingDevice]) -> None:
        """What is kept for approval, by device and org [bytes]: the quota's measure."""
        self._admission.now_waits(waiting)

    def use(self, config: QcConfig) -> None:
        """Judge by another configuration from now on."""
        if config is not self._rules.config:
            self._rules = Rules(config, self._table.keys)
            self._row_tests = row_tests(self._rules)
            if self._tails is not None:
                self._tails.use(self._rules)

    @property
    def directory(self) -> Directory:
        """The registry as of the last `refresh`."""
        return self._admission.directory

    @property
    def keys(self) -> Sequence[SeriesKey]:
        """The series that `Work.rows` index; it grows."""
        return self._table.keys

    @property
    def late(self) -> int:
        """Readings since this start that came after a newer one of their series."""
        return self._recent.late

    @property
    def judged(self) -> int:
        """Readings judged here, in memory, since this start."""
        return self._tails.judged if self._tails is not None else 0

    @property
    def held(self) -> int:
        """How much waits for a commit that grows with bad input rather than with the registry."""
        return len(self.pending) + self._memory.held

    # ------------------------------------------------------------ one batch

    async def process(self, records: Records, *, shifts: Shifts | None = None, asked: bool = False) -> Work:
        """Open, enrol and convert a batch of journal records; its rows are judged by the row tests.

        `shifts` moves the times of single objects [ms], for a replay after a clock was found wrong. `asked`: somebody asked for
        them to be read again, and a time that is over now is not ahead, whatever our clock said when it came. Where it raises,
        everything is as it was before, so that the batch may be tried again.
        """
        self._believed_to = self._clock.now_ms() + AHEAD_MS if asked else 0
        columns, place = Columns(self._layouts), self._memory.begin()
        pending = self._fresh = Pending()
        try:
            rows = await self._process(records, shifts or {}, columns)
        except BaseException:
            columns.discard()
            self._memory.take_back(place)
            for kept in pending.waiting:
                self._admission.release(kept)
            raise
        return Work(rows=rows, pending=pending, origins=[(columns, records)], settled=self._memory.place)

    async def _process(self, records: Records, shifts: Shifts, columns: Columns) -> Batch:
        with contextlib.suppress(UnavailableError):  # where the database is away nobody registers anything either
            await self.refresh()  # what was registered before these messages came counts for them
        statuses: list[tuple[str, DeviceStatus]] = []
        # where others share the devices everything must be looked up first: who read it before
        done = self._place_all(records, columns, shifts, statuses) if self._shared is None else 0
        if done < len(records):  # from there on something must be looked up first
            opened = self._reader.open(records[done:]).opened
            settled = (self.cursor, self._counted_to)
            admitted = await self._admission.admit(opened, refuse=self._refuse, park=self._fresh.waiting.append, settled=settled)
            await self._recall(admitted)
            if self._shared is not None:
                await self._shared.claim(admitted, self._database)
            turned_away = {entry[1] for entry in opened}.difference(entry[1] for entry in admitted)
            self._place_all(records, columns, shifts, statuses, begin=done, but=turned_away)
            if self._shared is not None:
                self._fresh.arrivals += self._shared.arrivals(admitted, self._instants, counted_from=self._counted_to)
        for org, status in statuses:  # after it: a device that registers itself may have said both in one batch
            device = self.directory.device(status.device)
            if device is not None and device.org == org:  # the word of a stranger, or under another org, is nobody's
                self._fresh.statuses[status.device] = status
        arrived = columns.batch()
        replaced = self._recent.overwritten(arrived)
        rows = arrived.distinct()
        flags, bits = judge(rows, self._rules, tests=self._row_tests)
        for series, times in Counter(replaced.tolist()).items():
            self._count("overwritten", self._table.keys[series].sensor.partition("/")[0], records[-1][0], times)
        self._recent.keep(rows)
        return replace(rows, flag=flags, tests=bits)

    def look_anew(self) -> None:
        """Whoever sends next is looked up again: nothing that was found wrong in passing stays."""
        self._reader.senders.clear()

    def lost(self, waiting: Sequence[Waiting]) -> None:
        """Messages that waited for approval and cannot be read any more: a dead letter each."""
        for kept in waiting:
            self.pending.dead.append(
                DeadLetter(
                    reason="malformed",
                    text="it waited for approval, and the journal does not keep it any more, or it is damaged",
                    journal=kept.journal,
                    position=kept.position,
                    topic="",
                    org=kept.org,
                    device=kept.device,
                    received=kept.received,
                    head=kept.head,
                )
            )

    def give_up(self, position: int, message: Message, error: Exception) -> Work:
        """A message that made our own code fail: a dead letter like any other, so that it never stalls the rest."""
        self._fresh = Pending()
        self._count("refused", "malformed", position)
        text = f"our fault: {type(error).__name__}: {error}"[:300]
        self._fresh.dead.append(self._reader.letter(position, message, Refusal("malformed", "", text)))
        return Work(rows=Batch.empty(), pending=self._fresh, settled=self._memory.place)

    async def write(self, work: Work, cursor: int | None) -> None:
        """Store rows (with `cursor`: that far is the journal done). Raises what the store raises; may be repeated."""
        batch = work.rows
        if self._tails is not None and self._tails.waiting > MOST_WAITING:
            try:
                await self._tails.settle(flags_of(self._database, self._store, self._rewritten))
            except (UnavailableError, RefusedError):
                self._tails.forget()  # readings go on into the store while the database is away: these are read back
        refused = await self._store.write(batch, self._table.keys, cursor, journal=self._journal.id)
        if refused:
            self._fresh = work.pending
            self._refuse_rows(work, refused)
            batch = batch.take(np.isin(np.arange(len(batch)), [row.row for row in refused], invert=True))
        self.written += len(batch)
        self.pending.absorb(work.pending)
        self.pending.wrote(batch)
        if self._tails is not None:
            self._tails.wrote(batch)
        self._memory.settle(work.settled)
        if cursor is not None:
            self.cursor = cursor
            self._measure(work, batch)

    def _measure(self, work: Work, batch: Batch) -> None:
        """What these messages, on their first way, tell of their devices' clocks."""
        if self._clock.real_seconds(1.0) < 0.5:  # a simulated clock that runs fast: what waited a moment would seem hours late
            return
        self._offsets.saw(batch, self._table.keys)
        for letter in work.pending.dead:
            if letter.reason == "clock" and letter.offset_ms is not None:
                self._offsets.refused(letter.device, letter.offset_ms, letter.received)

    def all_ahead(self) -> int | None:
        """How far our own clock seems to be behind now [ms], by the devices heard lately; else None."""
        found = agreed(sorted(self._offsets.heard(self._clock.now_ms(), self._memory.is_clockless)))
        return found if found is not None and found > 0 else None

    def abandon(self) -> None:
        """What is converted and not written will not be: a stop came while the store was away."""
        self._memory.take_back()

    async def commit(self) -> None:
        """One transaction with everything written since the last one. Raises what the database or the store raises, and then keeps it."""
        settled = await self._settled()
        self.pending.remember(*self._memory.forget())
        self.pending.clocks |= {clock.device: clock for clock in self._offsets.take(self._memory.is_clockless)}
        commit = self.pending.commit(self._journal.id, self.cursor, self._table.keys, self._layouts.roles, settled)
        await self._store.flush()  # nothing durable in the database may rely on rows and flags that are not
        await self._database.commit(replace(commit, rewritten=self._rewritten))
        self.flushed = commit.state_cursor
        self.pending = Pending()
        if self._tails is not None:
            self._tails.committed()

    async def _settled(self) -> Settled | None:
        """What can be judged in memory of the rows written since the last commit."""
        if self._tails is None or self._judging is None:
            return None
        rewritten = await self._database.rewriting()
        if rewritten != self._rewritten:  # somebody writes past us: what is kept of the store may not be what it holds
            self._tails.mistrust()
            await self._store.mistrust()
        self._rewritten = rewritten
        if await self._judging():
            return await self._tails.settle(flags_of(self._database, self._store, self._rewritten))
        self._tails.forget()
        return None

    def learn(self, keys: Sequence[SeriesKey], rows: Batch, since: int) -> None:
        """What a round of the judge in this process has read of the store: all rows of `keys` from `since` on."""
        if self._tails is not None:
            self._tails.learn(keys, rows, since)

    # ------------------------------------------------------------ when, and where

    async def _recall(self, opened: Sequence[Opened]) -> None:
        """Meet the senders of what was admitted, with what the database remembers of devices not met since start.

        Nobody is met before the database has answered: where it is away everything is looked up again by the next attempt.
        """
        new = {sender.device for _, _, _, sender, _ in opened if not self._memory.knows(sender.device)}
        for device, (seen, boots) in (await self._database.recalled(sorted(new))).items() if new else ():
            self._memory.load(device, seen, boots)
        for _, _, _, sender, item in opened:
            if is_strange(sender, item):
                sender.meet(frozenset(channel for channel, _ in record(sender, item).channels), self._memory.of(sender.device))

    def _place_all(
        self,
        records: Records,
        columns: Columns,
        shifts: Shifts,
        statuses: list[tuple[str, DeviceStatus]],
        *,
        begin: int | None = None,
        but: Container[int] = (),
    ) -> int:
        """Read every message, give its objects their time and put their values into the columns; returns how many messages that was.

        It ends before a message whose sender or channel must be looked at first. With `begin` it goes on from there, after
        that was done, to the end, leaving out the positions in `but`. The hot loop: a line here is paid for by every message.
        """
        memory, instants, layouts, used = self._memory, self._instants, self._layouts, columns.used
        senders, minutes, seconds, stamp = self._reader.senders.by_topic, instants.minutes, SECONDS, memory.stamp
        at = MESSAGE * ((begin or 0) - 1)
        for position, message in records if begin is None else records[begin:]:
            at += MESSAGE
            topic, payload, received, _, _, retained, _, refused, _ = message
            sender = senders.get(topic)
            # a healthy message of a device that is known: all but a few
            if sender is not None and (plain := sender.plain) is not None and not retained and not refused and not shifts:
                try:
                    item = plain(payload)
                except (ValueError, RecursionError):
                    item = None
                if type(item) is Plain and not item.channels and (text := item.time) is not None:
                    time = minutes.get(text[:17])
                    second = seconds.get(text[17:])
                    if time is None or second is None:
                        time, second = instants.read(text), 0
                    if time is not None and Y2000_MS <= (time := time + second) <= received + AHEAD_MS:
                        readings, battery, rssi, snr = item.readings, item.battery, item.rssi, item.snr
                        extra = (battery is not None) + 2 * (rssi is not None) + 4 * (snr is not None)
                        names, layout = tuple(readings), sender.layout
                        if layout is None or layout.names != names or layout.extra != extra or not layout.start <= time < layout.end:
                            layout = sender.lay_out(layouts, names, extra, time)
                        if layout is not None:
                            fallen_back = False
                            if (seq := item.seq) is not None:
                                known = sender.memory
                                boot, span = item.boot, known.current
                                if (
                                    span is not None
                                    and seq == span.highest + 1
                                    and span.boot == (IMPLIED_BOOT if boot is None else boot)
                                    and time >= span.last_time - FALLEN_BACK_MS
                                ):  # the next number of the boot it spoke in last
                                    if span.stamp != stamp:
                                        memory.touch(span)
                                    span.highest, span.last_time = seq, time
                                else:
                                    duplicate, fallen_back = memory.count(known, sender.device, boot, seq, time, received)
                                    if duplicate:
                                        self._count("duplicate", sender.device, position)
                            form = layout.form
                            if not form.about:
                                used.append(form)
                            form.about += (layout.row, time, received, at)
                            form.values += readings.values()
                            if extra == 3:
                                form.values += (battery, rssi)  # type: ignore[arg-type] # that is what `extra` says
                            elif extra:
                                form.values += [value for value in (battery, rssi, snr) if value is not None]
                            if fallen_back:
                                columns.fallen_back.append(at)
                            continue
            if position in but:
                continue
            mail = self._reader.open([(position, message)], at=at)
            if mail.strange and begin is None:
                return at // MESSAGE
            statuses += mail.statuses
            self._fresh.dead += mail.dead
            for letter in mail.dead:
                self._count("refused", letter.reason, position)
            for entry in mail.opened:
                self._place(columns, entry, shifts.get((position, _place_of(entry[0])), 0) if shifts else 0)
        return len(records)

    def _place(self, columns: Columns, entry: Opened, shift: int) -> None:
        """The careful way: whatever of an object is refused, the rest goes on."""
        at, position, message, sender, item = entry
        device, found = sender.device, record(sender, item)
        for refusal in found.refused:
            self._refuse(entry, refusal)
        if message.retain:
            self._count("duplicate", device, position)
            if found.age_ms is not None and not self._memory.remembers(device, found):
                self._refuse(entry, Refusal("retained", "", "the broker kept this message for an unknown time, and it has no time of its own"))
                return
        resolved = self._memory.resolve(device, found, received=message.received, position=position)
        if resolved is None:
            return
        if not found.channels and not found.refused:
            self._refuse(entry, Refusal("malformed", "", "there is no reading in it"))
        if resolved.duplicate and not message.retain:
            self._count("duplicate", device, position)
        if resolved.conflicting:
            self._count("conflicting", device, position)
        time = resolved.time + shift
        # one without a clock that came again has the time of its first arrival, whatever our clock says by now
        if not Y2000_MS <= time <= max(max(message.received, resolved.received) + AHEAD_MS, self._believed_to):
            offset = time - message.received
            text = f"time {_shown(time)} is {'before 2000' if time < Y2000_MS else _ahead(offset)}: the clock of {device} is wrong{hint(device, offset)}"
            self._fresh.dead.append(self._reader.letter(position, message, Refusal("clock", _place_of(at), text), offset_ms=offset))
            self._count("refused", "clock", position)
            self._count("clock", device, position)
            return
        for number, (channel, values) in enumerate(found.channels):
            for refusal in columns.add(
                device, channel, values, time=time, received=resolved.received, at=at + min(number, OBJECT - 1), fallen_back=resolved.fallen_back
            ):
                self._refuse(entry, explained(self.directory, device, refusal))

    # ------------------------------------------------------------ refusals

    def _refuse(self, entry: Opened, refusal: Refusal) -> None:
        at, position, message, _, _ = entry
        self._count("refused", refusal.reason, position)
        key = f"{_place_of(at)}.{refusal.key}".strip(".")
        self._fresh.dead.append(self._reader.letter(position, message, refusal._replace(key=key)))

    def _refuse_rows(self, work: Work, refused: Sequence[RefusedRow]) -> None:
        """A dead letter for each row the store will never take, at the message it came from."""
        batch = work.rows
        for row in refused:
            series, time, received = int(batch.series[row.row]), int(batch.time[row.row]), int(batch.received[row.row])
            key = self._table.keys[series]
            text = f"{key.station}/{key.point} {key.quantity} at {rfc3339(time)}: {row.text}"
            log.error("the store refused a row", row=text)
            found = ((records, columns.origin(series, time)) for columns, records in reversed(work.origins))
            position = next((records[at // MESSAGE][0] for records, at in found if at is not None), self.cursor)
            message = self._journal.get(position) or Message("", b"", received)
            self._count("refused", "store_refused", position)
            self._fresh.dead.append(
                DeadLetter(
                    reason="store_refused",
                    text=text,
                    journal=self._journal.id,
                    position=position,
                    topic=message.topic,
                    org=key.org,
                    device=key.sensor.partition("/")[0],
                    key=f"{key.station}/{key.point} {key.quantity} {rfc3339(time)}",
                    received=received,
                    head=message.payload[:HEAD_BYTES],
                )
            )

    def _count(self, what: Event, whom: str, position: int, times: int = 1) -> None:
        """More of something; what a commit before this start has counted is not counted again."""
        if position >= self._counted_to:
            self._fresh.counters[f"{what}:{whom}"] += times


def _nowhere(device: str, channel: str, quantity: str, time: int) -> None:
    """Before the registry was read."""


def _place_of(at: int) -> str:
    """Which object of its message: `[0]`, or nothing where there is but one."""
    number = at % MESSAGE // OBJECT
    return f"[{number - 1}]" if number else ""


def _ahead(offset_ms: int) -> str:
    minutes = offset_ms / 60_000
    return f"{minutes:.0f} min ahead" if minutes < 600 else f"{minutes / 60:.1f} h ahead" if minutes < 4320 else f"{minutes / 1440:.0f} days ahead"


def _shown(time: int) -> str:
    try:
        return rfc3339(time)
    except (OverflowError, ValueError, OSError):
        return f"{time} ms"
