"""Who may come in: registered devices, and those that register themselves; what others send waits or is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from core.clock import Clock
from core.deadletter import HEAD_BYTES
from core.errors import ConfigError, ConflictError
from core.message import Message
from core.place import Deployment, Device, Station
from core.ports import Registry
from core.state import Waiting, WaitingDevice
from ingest.decoder import Refusal
from ingest.mail import Opened, is_strange, record
from ingest.senders import Sender, Senders
from registry.directory import Directory
from registry.enrolment import Mode, Refuse, Step, decide, new_channels, self_registration, within_quota

log = structlog.get_logger()

MAX_CHANNELS = 32  # a device that registers itself opens at most as many points

Refusing = Callable[[Opened, Refusal], None]
Parking = Callable[[Waiting], None]


class Admission:
    """State with a lifetime: the directory of the moment, and how much waits for approval.

    `changed` is called with every new directory: what was looked up in the one before holds no more.
    """

    def __init__(self, *, journal: str, database: Registry, clock: Clock, mode: Mode, public: bool, senders: Senders, changed: Callable[[Directory], None]):
        self._journal = journal
        self._database = database
        self._clock = clock
        self._mode: Mode = mode
        self._public = public
        self._senders = senders
        self._changed = changed
        self._waiting_bytes: dict[str, int] = {}
        self._directory: Directory | None = None

    @property
    def directory(self) -> Directory:
        """The registry as of the last `refresh`."""
        if self._directory is None:
            raise RuntimeError("Processor.start() comes first")
        return self._directory

    async def refresh(self) -> bool:
        """Take in a registry that changed; true where it had."""
        if self._directory is not None and await self._database.version() == self._directory.version:
            return False
        self._directory = Directory(await self._database.snapshot())
        self._senders.clear()
        self._changed(self._directory)
        return True

    # ------------------------------------------------------------ who

    async def admit(self, opened: Sequence[Opened], *, refuse: Refusing, park: Parking, settled: tuple[int, int]) -> list[Opened]:
        """The objects to convert: of registered devices, and of those that register themselves now. Their senders are still to meet.

        Each refused message is told once, to `refuse`; each to be kept for approval, to `park`. What stands in the journal
        within `settled` (from, to) was read before a restart: what became of it is in the database.
        """
        strange = [entry for entry in opened if is_strange(entry[3], entry[4])]
        if any(self.directory.device(sender.device) is None for _, _, _, sender, _ in strange):
            await self.refresh()  # it may have been registered a moment ago
        failed = await self._enrol([entry for entry in strange if self._decide(entry[3]) in (Step.REGISTER, Step.ACCEPT)])
        admitted: list[Opened] = []
        done = -1  # position of the message refused or parked last: it may hold many objects
        for at, position, message, _, item in opened:
            sender = self._senders.get(message.topic)  # anew where the registry changed
            entry = (at, position, message, sender, item)
            step = Step.ACCEPT if sender.registered else self._decide(sender)
            if step is Step.ACCEPT:
                admitted.append(entry)
                continue
            if position == done:
                continue
            done = position
            if isinstance(step, Refuse):
                device = self.directory.device(sender.device)
                refuse(entry, Refusal(step.reason, "", _why(step.reason, sender, device.org if device else "")))
            elif step is Step.PARK:
                if not settled[0] <= position < settled[1]:
                    self._park(entry, refuse, park)
            else:
                refuse(entry, Refusal("unknown_device", "", failed.get(sender.device, "it could not be registered")))
        return admitted

    def _decide(self, where: Sender) -> Step | Refuse:
        device, org = self.directory.device(where.device), self.directory.org(where.org)
        return decide(self._mode, device=device, org=org, topic_org=where.org, device_id=where.device)

    # ------------------------------------------------------------ self-registration

    async def _enrol(self, items: Sequence[Opened]) -> dict[str, str]:
        """Register new devices, and new channels of those that open their points; returns what could not be, and why."""
        found: dict[tuple[str, str], set[str]] = {}  # (device, org) in order of arrival: the first org to send gets the device
        for _, _, _, sender, item in items:
            channels = found.setdefault((sender.device, sender.org), set())
            channels |= {channel for channel, values in record(sender, item).channels if any(not q.startswith("device.") for q in values)}
        failed: dict[str, str] = {}
        if found and not await self._register(found):
            for (device, org), channels in found.items():  # one of them is in the way: each by itself
                try:
                    await self._register({(device, org): channels}, alone=True)
                except (ConflictError, ConfigError) as error:  # somebody else registered the same in this moment, or an id is taken
                    failed[device] = str(error)
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

    # ------------------------------------------------------------ what waits for approval

    def now_waits(self, waiting: Iterable[WaitingDevice]) -> None:
        """What is kept for approval, by device and org [bytes]: the quota's measure."""
        self._waiting_bytes = {}
        for device in waiting:
            self._occupy(device.device, device.org, device.size)

    def release(self, kept: Waiting) -> None:
        """It is not kept after all."""
        self._occupy(kept.device, kept.org, -kept.size)

    def _park(self, entry: Opened, refuse: Refusing, park: Parking) -> None:
        """Keep a message of a device that waits for approval: it stands in the journal, only where is written down."""
        _, position, message, sender, _ = entry
        size = len(message.payload)
        of_device, of_org = self._waiting_bytes.get(sender.device, 0), self._waiting_bytes.get(f"org:{sender.org}", 0)
        if not within_quota(size, device_bytes=of_device, org_bytes=of_org):
            refuse(entry, Refusal("quota", "", f"device {sender.device} waits for approval and what is kept of it is full; approve or reject it"))
            return
        self._occupy(sender.device, sender.org, size)
        park(_waiting(self._journal, position, message, sender))

    def _occupy(self, device: str, org: str, size: int) -> None:
        for name in (device, f"org:{org}"):
            self._waiting_bytes[name] = self._waiting_bytes.get(name, 0) + size


def explained(directory: Directory, name: str, refusal: Refusal) -> Refusal:
    """Of a device that has opened as many points as it may, why this channel stands nowhere."""
    device = directory.device(name)
    if device is None or not device.opens_points or len({d.channel for d in directory.deployments_of(name)}) < MAX_CHANNELS:
        return refusal
    return refusal._replace(text=f"{name} has opened its {MAX_CHANNELS} points; deploy this channel by hand: canhman devices deploy {name} --channel …")


def _waiting(journal: str, position: int, message: Message, sender: Sender) -> Waiting:
    return Waiting(
        org=sender.org,
        device=sender.device,
        journal=journal,
        position=position,
        received=message.received,
        size=len(message.payload),
        head=message.payload[:HEAD_BYTES],
    )


def _why(reason: str, sender: Sender, home: str) -> str:
    device, org = sender.device, sender.org
    return {
        "wrong_org": f"device {device} belongs to org {home}, not to {org}",
        "forbidden": f"no org is called {org}; `canhman orgs list` shows them",
        "unknown_device": f"device {device} is not registered and enrolment is closed; `canhman devices add` registers it",
    }.get(reason, f"device id {device!r} cannot be registered")
