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

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import structlog

from core.batch import Batch
from core.clock import Y2000_MS, Clock, rfc3339
from core.deadletter import DeadLetter
from core.errors import ConfigError, ConflictError
from core.message import Message
from core.ports import DeadLetters, Enrolment, Identities, Journal, Registry, SeriesStore, States
from core.series import SeriesTable
from core.state import Waiting, WaitingDevice
from ingest.convert import Columns, Layouts
from ingest.decoder import Record, Refusal
from ingest.identity import AHEAD_MS
from ingest.identity import Identities as Memory
from ingest.mail import Mail, Opened, Reader
from ingest.pending import Pending
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
        self._met: set[tuple[str, str]] = set()  # (device, channel) known to be registered in this directory
        self._waiting_bytes: dict[str, int] = {}
        self._directory: Directory | None = None
        self.pending = Pending()
        self.cursor = 0

    async def start(self) -> None:
        """Find the place to go on from. Raises what store or database raise."""
        await self.refresh()
        self.now_waits(await self._database.waiting_devices())
        self.cursor = min(await self._store.cursor(self._journal.id), await self._database.state_cursor(self._journal.id))

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

    @property
    def directory(self) -> Directory:
        """The registry as of the last `refresh`."""
        if self._directory is None:
            raise RuntimeError("Processor.start() comes first")
        return self._directory

    # ------------------------------------------------------------ one batch

    async def process(self, records: Sequence[tuple[int, Message]], *, shifts: Mapping[int, int] | None = None) -> Batch:
        """Open, enrol and convert a batch of journal records; what is refused goes to `pending`. Returns judged rows.

        `shifts` moves the times of single messages (by position) [ms], for a replay after a clock was found wrong.
        """
        mail = self._reader.open(records)
        self.pending.dead += mail.dead
        self.pending.counters.update(f"refused:{letter.reason}" for letter in mail.dead)
        for status in mail.statuses:
            self.pending.statuses[status.device] = status
        opened = await self._admit(mail)
        await self._recall(opened)
        columns = Columns(self.directory.series_key, self._table, self._layouts, self._roles)
        for item in opened:
            for number, record in enumerate(item.records):
                prefix = f"[{number}]." if len(item.records) > 1 else ""
                self._place(columns, item, record, prefix, (shifts or {}).get(item.position, 0))
        self.pending.remember(*self._memory.forget())
        batch = columns.batch().last_wins()
        flags, bits = judge(batch, self._rules, tests=self._row_tests)
        return replace(batch, flag=flags, tests=bits)

    async def write(self, batch: Batch, cursor: int | None) -> None:
        """Store rows (with `cursor`: that far is the journal done). Raises what the store raises; may be repeated."""
        refused = await self._store.write(batch, self._table.keys, cursor, journal=self._journal.id)
        for row in refused:
            key = self._table.keys[batch.series[row.row]]
            text = f"{key.station}/{key.point} {key.quantity} at {rfc3339(int(batch.time[row.row]))}: {row.text}"
            log.error("the store refused a row", row=text)
            self._refuse_row(key.org, key.sensor.partition("/")[0], key.quantity, text, int(batch.received[row.row]), cursor)
        if refused:
            gone = {row.row for row in refused}
            batch = batch.take(np.array([i not in gone for i in range(len(batch))], dtype=bool))
        self.pending.wrote(batch)
        if cursor is not None:
            self.cursor = cursor

    async def commit(self) -> None:
        """One transaction with everything since the last one. Raises what the database raises, and then keeps it."""
        await self._database.commit(self.pending.commit(self._journal.id, self.cursor, self._table.keys, self._roles))
        self.pending = Pending()

    # ------------------------------------------------------------ who may come in

    async def _admit(self, mail: Mail) -> list[Opened]:
        """The messages to convert: registered devices, and those that register themselves now; the rest waits or dies."""
        admitted: list[Opened] = []
        if any(self.directory.device(item.route.device) is None for item in mail.opened):
            await self.refresh()  # it may have been registered a moment ago
        for item in mail.opened:
            device = self.directory.device(item.route.device)
            step = decide(self._mode, device=device, org=self.directory.org(item.route.org), topic_org=item.route.org, device_id=item.route.device)
            if isinstance(step, Refuse):
                self._refuse(item, Refusal(step.reason, "", _why(step.reason, item, device.org if device else "")))
            elif step is Step.PARK:
                self._park(item)
            elif step is Step.REGISTER or not all((item.route.device, channel) in self._met for record in item.records for channel, _ in record.channels):
                if await self._enrol(item):
                    admitted.append(item)
            else:
                admitted.append(item)
        return admitted

    async def _enrol(self, item: Opened) -> bool:
        """Register a new device, or new channels of one that opens its points."""
        name = item.route.device
        channels = {channel for record in item.records for channel, values in record.channels if any(not q.startswith("device.") for q in values)}
        device = self.directory.device(name)
        try:
            if device is None:
                new = self_registration(name, item.route.org, sorted(channels)[:MAX_CHANNELS], self.directory.station_ids, public=self._public)
                await self._database.put(new[0], new[1], *new[2], actor=f"device:{name}", why="self-registration (CANHMAN_ENROL=open)")
                log.info("device registered itself", device=name, org=item.route.org, station=new[1].id)
            elif device.opens_points:
                room = MAX_CHANNELS - len({d.channel for d in self.directory.deployments_of(name)})
                fresh = new_channels(self.directory, device, channels, self._clock.now_ms())[: max(0, room)]
                if fresh:
                    await self._database.put(*fresh, actor=f"device:{name}", why="new channel")
        except (ConflictError, ConfigError) as error:
            # somebody else registered the same in this moment, or an id is taken: look again, else say why
            await self.refresh()
            if self.directory.device(name) is None:
                self._refuse(item, Refusal("unknown_device", "", str(error)))
                return False
        await self.refresh()
        self._met |= {(name, channel) for record in item.records for channel, _ in record.channels}
        return True

    def _park(self, item: Opened) -> None:
        """Keep a message of a device that waits for approval: it stands in the journal, only where is written down."""
        size, name, org = len(item.message.payload), item.route.device, f"org:{item.route.org}"
        if not within_quota(size, device_bytes=self._waiting_bytes.get(name, 0), org_bytes=self._waiting_bytes.get(org, 0)):
            self._refuse(item, Refusal("quota", "", f"device {name} waits for approval and what is kept of it is full; approve or reject it"))
            return
        self._waiting_bytes[name] = self._waiting_bytes.get(name, 0) + size
        self._waiting_bytes[org] = self._waiting_bytes.get(org, 0) + size
        self.pending.waiting.append(
            Waiting(
                org=item.route.org,
                device=name,
                journal=self._journal.id,
                position=item.position,
                received=item.message.received,
                size=size,
                head=item.message.payload[:1024],
            )
        )

    # ------------------------------------------------------------ when, and where

    async def _recall(self, opened: Sequence[Opened]) -> None:
        """Load what the database remembers of devices not met since start."""
        for device in {item.route.device for item in opened}:
            if not self._memory.knows(device):
                self._memory.load(device, await self._database.seen(device), await self._database.boots(device))

    def _place(self, columns: Columns, item: Opened, record: Record, prefix: str, shift: int) -> None:
        """Give one object its time and append its values; whatever is refused, the rest goes on."""
        device, message = item.route.device, item.message
        for refusal in record.refused:
            self._refuse(item, refusal, prefix)
        if message.retain:
            self.pending.counters[f"duplicate:{device}"] += 1
            if record.age_ms is not None and not self._memory.remembers(device, record):
                self._refuse(item, Refusal("retained", "", "the broker kept this message for an unknown time, and it has no time of its own"), prefix)
                return
        resolved = self._memory.resolve(device, record, received=message.received, position=item.position)
        if resolved is None:
            return
        if resolved.duplicate and not message.retain:
            self.pending.counters[f"duplicate:{device}"] += 1
        if resolved.conflicting:
            self.pending.counters[f"conflicting:{device}"] += 1
        time = resolved.time + shift
        if not Y2000_MS <= time <= message.received + AHEAD_MS:
            offset = time - message.received
            text = f"time {_shown(time)} is {'before 2000' if time < Y2000_MS else _ahead(offset)}: the clock of {device} is wrong"
            self.pending.dead.append(self._reader.letter(item.position, message, item.route, Refusal("clock", prefix, text), offset_ms=offset))
            self.pending.counters[f"clock:{device}"] += 1
            return
        for channel, values in record.channels:
            for refusal in columns.add(device, channel, values, time=time, received=resolved.received, fallen_back=resolved.fallen_back):
                self._refuse(item, refusal, prefix)

    # ------------------------------------------------------------ refusals

    def give_up(self, position: int, message: Message, error: Exception) -> None:
        """A message that made our own code fail: a dead letter like any other, so that it never stalls the rest."""
        text = f"our fault: {type(error).__name__}: {error}"[:300]
        self.pending.counters["refused:malformed"] += 1
        self.pending.dead.append(self._reader.letter(position, message, None, Refusal("malformed", "", text)))

    def _refuse(self, item: Opened, refusal: Refusal, prefix: str = "") -> None:
        self.pending.counters[f"refused:{refusal.reason}"] += 1
        self.pending.dead.append(self._reader.letter(item.position, item.message, item.route, refusal._replace(key=prefix + refusal.key)))

    def _refuse_row(self, org: str, device: str, quantity: str, text: str, received: int, cursor: int | None) -> None:
        position = self.cursor if cursor is None else cursor
        self.pending.counters["refused:store_refused"] += 1
        self.pending.dead.append(
            DeadLetter(
                reason="store_refused",
                text=text,
                journal=self._journal.id,
                position=position,
                topic="",
                org=org,
                device=device,
                key=f"{quantity} {text[:80]}",
                received=received,
            )
        )


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
