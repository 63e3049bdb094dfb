"""From the journal to the store: read, open, enrol, convert, test, write, remember. One processor per journal.

    records = journal.read(cursor)              the journal is the queue, live and after a restart
    mail    = reader.open(records)              refused → dead letters
    batch   = columns(mail, directory)          series by the reading's time, derived quantities
    flags   = judge(batch, row tests)           window tests follow in `quality.sweep`, from the store
    await store.write(batch, cursor)            the cursor goes with the rows
    await database.commit(pending, cursor)      at most once a second: latest, dead letters, identities

Everything after the journal is idempotent, so a start reads again from the smaller of both cursors.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import structlog

from core.batch import Batch
from core.clock import Y2000_MS, Clock, rfc3339
from core.deadletter import HEAD_BYTES, DeadLetter
from core.errors import ConfigError, ConflictError, UnavailableError
from core.message import Message
from core.place import Deployment, Device, Station
from core.ports import DeadLetters, Enrolment, Identities, Journal, RefusedRow, Registry, SeriesStore, States
from core.series import SeriesTable
from core.state import Waiting, WaitingDevice
from ingest.convert import Columns, Layouts
from ingest.decoder import Record, Refusal
from ingest.events import Event
from ingest.identity import AHEAD_MS
from ingest.identity import Identities as Memory
from ingest.mail import Mail, Opened, Reader
from ingest.pending import Pending
from ingest.recent import Recent
from quality.judge import judge, row_tests
from quality.rules import QcConfig, Rules
from registry.directory import Directory
from registry.enrolment import Mode, Refuse, Step, decide, new_channels, self_registration, within_quota

log = structlog.get_logger()

MAX_CHANNELS = 32  # a device that registers itself opens at most as many points


class Database(Registry, States, DeadLetters, Enrolment, Identities, Protocol):
    """All that ingest asks of the database."""


class Processor:
    """State with a lifetime: the directory of the moment, layouts, identities, and what waits for the next commit."""

    def __init__(self, *, journal: Journal, store: SeriesStore, database: Database, config: QcConfig, clock: Clock, mode: Mode, public: bool) -> None:
        self._journal = journal
        self._store = store
        self._database = database
        self._clock = clock
        self._mode: Mode = mode
        self._public = public
        self._reader = Reader(journal.id)
        self._table = SeriesTable()
        self._rules = Rules(config, self._table.keys)
        self._row_tests = row_tests(self._rules)
        self._memory = Memory()
        self._layouts: Layouts = {}
        self._roles: dict[int, str] = {}
        self._met: dict[tuple[str, str], set[str]] = {}  # (device, org) → channels looked at in this directory
        self._waiting_bytes: dict[str, int] = {}
        self._directory: Directory | None = None
        self._recent = Recent()
        self._placed: list[Columns] = []  # where the rows came from that are not written yet
        self._counted_to = 0  # up to here a commit before this start has counted
        self.pending = Pending()
        self.cursor = 0
        self.written = 0  # readings since this start

    async def start(self) -> None:
        """Find the place to go on from. Raises what store or database raise."""
        await self.refresh()
        self.now_waits(await self._database.waiting_devices())
        self._counted_to = await self._database.state_cursor(self._journal.id)
        self.cursor = min(await self._store.cursor(self._journal.id), self._counted_to)
        if self._journal.end > self.cursor:
            log.info("reading the journal on", position=self.cursor, bytes=self._journal.end - self.cursor)

    async def refresh(self) -> bool:
        """Take in a registry that changed; true where it had."""
        if self._directory is not None and await self._database.version() == self._directory.version:
            return False
        self._directory = Directory(await self._database.snapshot())
        self._layouts.clear()
        self._met.clear()
        return True

    def now_waits(self, waiting: Sequence[WaitingDevice]) -> None:
        """What is kept for approval, by device and org [bytes]: the quota's measure."""
        self._waiting_bytes = {device.device: device.size for device in waiting}
        for device in waiting:
            self._waiting_bytes[f"org:{device.org}"] = self._waiting_bytes.get(f"org:{device.org}", 0) + device.size

    def use(self, config: QcConfig) -> None:
        """Judge by another configuration from now on."""
        if config is not self._rules.config:
            self._rules = Rules(config, self._table.keys)
            self._row_tests = row_tests(self._rules)

    @property
    def directory(self) -> Directory:
        """The registry as of the last `refresh`."""
        if self._directory is None:
            raise RuntimeError("Processor.start() comes first")
        return self._directory

    # ------------------------------------------------------------ one batch

    async def process(self, records: Sequence[tuple[int, Message]], *, shifts: Mapping[int, int] | None = None) -> Batch:
        """Open, enrol and convert a batch of journal records; what is refused goes to `pending`. Returns judged rows.

        `shifts` moves the times of single messages (by position) [ms], for a replay after a clock was found wrong. Where
        it raises, `pending` is as it was before, so that the batch may be tried again.
        """
        before, self.pending = self.pending, Pending()
        try:
            batch = await self._process(records, shifts or {})
        except BaseException:
            for kept in self.pending.waiting:
                self._occupy(kept, -kept.size)
            self.pending = before
            raise
        before.absorb(self.pending)
        self.pending = before
        return batch

    async def _process(self, records: Sequence[tuple[int, Message]], shifts: Mapping[int, int]) -> Batch:
        with contextlib.suppress(UnavailableError):  # where the database is away nobody registers anything either
            await self.refresh()  # what was registered before these messages came counts for them
        mail = self._reader.open(records)
        self.pending.dead += mail.dead
        for letter in mail.dead:
            self._count("refused", letter.reason, letter.position)
        opened = await self._admit(mail)
        for org, status in mail.statuses:  # after it: a device that registers itself may have said both in one batch
            device = self.directory.device(status.device)
            if device is not None and device.org == org:  # the word of a stranger, or under another org, is nobody's
                self.pending.statuses[status.device] = status
        await self._recall(opened)
        columns = Columns(self.directory.series_key, self._table, self._layouts, self._roles)
        for item in opened:
            for number, record in enumerate(item.records):
                place = f"[{number}]" if len(item.records) > 1 else ""
                self._place(columns, item, record, place, shifts.get(item.position, 0))
        self.pending.remember(*self._memory.forget())
        self._placed.append(columns)
        rows = columns.batch()
        for series, times in Counter(self._recent.overwritten(rows).tolist()).items():
            sender = self._table.keys[series].sensor.partition("/")[0]
            self._count("overwritten", sender, records[-1][0], times)
        batch = rows.last_wins()
        flags, bits = judge(batch, self._rules, tests=self._row_tests)
        return replace(batch, flag=flags, tests=bits)

    async def write(self, batch: Batch, cursor: int | None) -> None:
        """Store rows (with `cursor`: that far is the journal done). Raises what the store raises; may be repeated."""
        refused = await self._store.write(batch, self._table.keys, cursor, journal=self._journal.id)
        if refused:
            self._refuse_rows(batch, refused)
            batch = batch.take(np.isin(np.arange(len(batch)), [row.row for row in refused], invert=True))
        self.written += len(batch)
        self.pending.wrote(batch)
        self._placed = []
        if cursor is not None:
            self.cursor = cursor

    async def commit(self) -> None:
        """One transaction with everything since the last one. Raises what the database raises, and then keeps it."""
        await self._database.commit(self.pending.commit(self._journal.id, self.cursor, self._table.keys, self._roles))
        self.pending = Pending()

    # ------------------------------------------------------------ who may come in

    async def _admit(self, mail: Mail) -> list[Opened]:
        """The messages to convert: registered devices, and those that register themselves now; the rest waits or dies."""
        strange = [item for item in mail.opened if self._is_strange(item)]
        if not strange:
            return mail.opened
        if any(self.directory.device(item.route.device) is None for item in strange):
            await self.refresh()  # it may have been registered a moment ago
        failed = await self._enrol([item for item in strange if self._decide(item) in (Step.REGISTER, Step.ACCEPT)])
        admitted: list[Opened] = []
        for item in mail.opened:
            device = self.directory.device(item.route.device)
            step = self._decide(item)
            if isinstance(step, Refuse):
                self._refuse(item, Refusal(step.reason, "", _why(step.reason, item, device.org if device else "")))
            elif step is Step.PARK:
                self._park(item)
            elif step is Step.REGISTER:
                self._refuse(item, Refusal("unknown_device", "", failed.get(item.route.device, "it could not be registered")))
            else:
                admitted.append(item)
        return admitted

    def _decide(self, item: Opened) -> Step | Refuse:
        where = item.route
        return decide(self._mode, device=self.directory.device(where.device), org=self.directory.org(where.org), topic_org=where.org, device_id=where.device)

    def _is_strange(self, item: Opened) -> bool:
        """Whether the device under that org, or a channel of its message, has not been looked at yet."""
        met = self._met.get((item.route.device, item.route.org))
        if met is None:
            return True
        for record in item.records:
            for channel, _ in record.channels:
                if channel not in met:
                    return True
        return False

    async def _enrol(self, items: Sequence[Opened]) -> dict[str, str]:
        """Register new devices, and new channels of those that open their points; returns what could not be, and why."""
        found: dict[tuple[str, str], set[str]] = {}  # (device, org) in order of arrival: the first org to send gets the device
        for item in items:
            channels = found.setdefault((item.route.device, item.route.org), set())
            channels |= {channel for record in item.records for channel, values in record.channels if any(not q.startswith("device.") for q in values)}
        failed: dict[str, str] = {}
        if found and not await self._register(found):
            for (device, org), channels in found.items():  # one of them is in the way: each by itself
                try:
                    await self._register({(device, org): channels}, alone=True)
                except (ConflictError, ConfigError) as error:  # somebody else registered the same in this moment, or an id is taken
                    failed[device] = str(error)
        for item in items:
            if self._decide(item) is Step.ACCEPT:
                met = self._met.setdefault((item.route.device, item.route.org), set())
                met |= {channel for record in item.records for channel, _ in record.channels}
        return failed

    async def _register(self, found: Mapping[tuple[str, str], set[str]], *, alone: bool = False) -> bool:
        """One transaction for all of them; False where it was refused, or (`alone`) what the database raised."""
        items: list[Device | Station | Deployment] = []
        taken = set(self.directory.station_ids)
        fresh: set[str] = set()
        for (name, org), channels in found.items():
            device = self.directory.device(name)
            if device is None and name not in fresh:
                new, station, places = self_registration(name, org, sorted(channels)[:MAX_CHANNELS], taken, public=self._public)
                items += [new, station, *places]
                taken.add(station.id)
                fresh.add(name)
            elif device is not None and device.opens_points and device.org == org:
                room = MAX_CHANNELS - len({d.channel for d in self.directory.deployments_of(name)})
                items += new_channels(self.directory, device, channels, self._clock.now_ms())[: max(0, room)]
        if not items:
            return True
        names = sorted({name for name, _ in found})
        who = f"device:{names[0]}" if len(names) == 1 else "devices"
        try:
            await self._database.put(*items, actor=who, why="self-registration (CANHMAN_ENROL=open)" if fresh else "new channels")
        except (ConflictError, ConfigError):
            await self.refresh()
            if alone:
                raise
            return False
        log.info("registered", devices=len(fresh), first=min(fresh, default=""), new_points=len(items) - 2 * len(fresh))
        await self.refresh()
        return True

    def _park(self, item: Opened) -> None:
        """Keep a message of a device that waits for approval: it stands in the journal, only where is written down."""
        if self.cursor <= item.position < self._counted_to:
            return  # read again at a start: what became of it is in the database
        size, name, org = len(item.message.payload), item.route.device, f"org:{item.route.org}"
        if not within_quota(size, device_bytes=self._waiting_bytes.get(name, 0), org_bytes=self._waiting_bytes.get(org, 0)):
            self._refuse(item, Refusal("quota", "", f"device {name} waits for approval and what is kept of it is full; approve or reject it"))
            return
        kept = Waiting(
            org=item.route.org,
            device=name,
            journal=self._journal.id,
            position=item.position,
            received=item.message.received,
            size=size,
            head=item.message.payload[:HEAD_BYTES],
        )
        self._occupy(kept, size)
        self.pending.waiting.append(kept)

    def _occupy(self, kept: Waiting, size: int) -> None:
        for name in (kept.device, f"org:{kept.org}"):
            self._waiting_bytes[name] = self._waiting_bytes.get(name, 0) + size

    # ------------------------------------------------------------ when, and where

    async def _recall(self, opened: Sequence[Opened]) -> None:
        """Load what the database remembers of devices not met since start."""
        for device in {item.route.device for item in opened}:
            if not self._memory.knows(device):
                self._memory.load(device, await self._database.seen(device), await self._database.boots(device))

    def _place(self, columns: Columns, item: Opened, record: Record, place: str, shift: int) -> None:
        """Give one object its time and append its values; whatever is refused, the rest goes on."""
        device, message = item.route.device, item.message
        for refusal in record.refused:
            self._refuse(item, refusal, place)
        if message.retain:
            self._count("duplicate", device, item.position)
            if record.age_ms is not None and not self._memory.remembers(device, record):
                self._refuse(item, Refusal("retained", "", "the broker kept this message for an unknown time, and it has no time of its own"), place)
                return
        resolved = self._memory.resolve(device, record, received=message.received, position=item.position)
        if resolved is None:
            return
        if not record.channels and not record.refused:
            self._refuse(item, Refusal("malformed", "", "there is no reading in it"), place)
        if resolved.duplicate and not message.retain:
            self._count("duplicate", device, item.position)
        if resolved.conflicting:
            self._count("conflicting", device, item.position)
        time = resolved.time + shift
        if not Y2000_MS <= time <= message.received + AHEAD_MS:
            offset = time - message.received
            text = f"time {_shown(time)} is {'before 2000' if time < Y2000_MS else _ahead(offset)}: the clock of {device} is wrong"
            self.pending.dead.append(self._reader.letter(item.position, message, Refusal("clock", place, text), offset_ms=offset))
            self._count("refused", "clock", item.position)
            self._count("clock", device, item.position)
            return
        for channel, values in record.channels:
            for refusal in columns.add(
                device, channel, values, time=time, received=resolved.received, position=item.position, fallen_back=resolved.fallen_back
            ):
                self._refuse(item, self._explained(device, refusal), place)

    # ------------------------------------------------------------ refusals

    def give_up(self, position: int, message: Message, error: Exception) -> None:
        """A message that made our own code fail: a dead letter like any other, so that it never stalls the rest."""
        text = f"our fault: {type(error).__name__}: {error}"[:300]
        self._count("refused", "malformed", position)
        self.pending.dead.append(self._reader.letter(position, message, Refusal("malformed", "", text)))

    def _refuse(self, item: Opened, refusal: Refusal, place: str = "") -> None:
        self._count("refused", refusal.reason, item.position)
        self.pending.dead.append(self._reader.letter(item.position, item.message, refusal._replace(key=f"{place}.{refusal.key}".strip("."))))

    def _refuse_rows(self, batch: Batch, refused: Sequence[RefusedRow]) -> None:
        """A dead letter for each row the store will never take, at the message it came from."""
        for row in refused:
            series, time, received = int(batch.series[row.row]), int(batch.time[row.row]), int(batch.received[row.row])
            key = self._table.keys[series]
            text = f"{key.station}/{key.point} {key.quantity} at {rfc3339(time)}: {row.text}"
            log.error("the store refused a row", row=text)
            position = next((at for columns in reversed(self._placed) if (at := columns.origin(series, time)) is not None), self.cursor)
            message = self._journal.get(position) or Message("", b"", received)
            self._count("refused", "store_refused", position)
            self.pending.dead.append(
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
            self.pending.counters[f"{what}:{whom}"] += times

    def _explained(self, name: str, refusal: Refusal) -> Refusal:
        """Of a device that has opened as many points as it may, why this channel stands nowhere."""
        device = self.directory.device(name)
        if device is None or not device.opens_points or len({d.channel for d in self.directory.deployments_of(name)}) < MAX_CHANNELS:
            return refusal
        return refusal._replace(text=f"{name} has opened its {MAX_CHANNELS} points; deploy this channel by hand: canhman devices deploy {name} --channel …")


def _ahead(offset_ms: int) -> str:
    minutes = offset_ms / 60_000
    return f"{minutes:.0f} min ahead" if minutes < 600 else f"{minutes / 60:.1f} h ahead" if minutes < 4320 else f"{minutes / 1440:.0f} days ahead"


def _shown(time: int) -> str:
    try:
        return rfc3339(time)
    except (OverflowError, ValueError, OSError):
        return f"{time} ms"


def _why(reason: str, item: Opened, home: str) -> str:
    device, org = item.route.device, item.route.org
    return {
        "wrong_org": f"device {device} belongs to org {home}, not to {org}",
        "forbidden": f"no org is called {org}; `canhman orgs list` shows them",
        "unknown_device": f"device {device} is not registered and enrolment is closed; `canhman devices add` registers it",
    }.get(reason, f"device id {device!r} cannot be registered")
