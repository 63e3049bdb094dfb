"""The newest of each series (`series_state`), and what one second of ingest adds to the database in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.deadletter import DeadLetter
from core.series import SeriesKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """A reading's time [ms], value and flag."""

    time: int
    value: float
    flag: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesState:
    """One row of `series_state`: newest stored, newest judged and newest good reading of a series.

    `dirty_from` is the earliest time written since the judge finished, None = all judged; `changed` a rising number;
    `config` the hash of the QC configuration its oldest rows were judged by: after a change the older one, until all are judged anew.
    `interval_ms` is the median of its last gaps (20, or as many as the judge read), None while nobody knows.
    """

    key: SeriesKey
    role: str
    newest: Latest
    received: int
    judged: Latest | None
    good: Latest | None
    dirty_from: int | None
    changed: int
    config: str = ""
    interval_ms: int | None = None

    @property
    def judged_until(self) -> int:
        """Before which time [ms] all of it is judged; 0 where nothing is. A flag from there on may be that of the row tests alone."""
        until = self.judged.time + 1 if self.judged is not None else 0
        return until if self.dirty_from is None else min(until, self.dirty_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What ingest stored of one series since the last commit: its newest row, and the earliest time written.

    `judged`: all of it was judged as it was written, by what is in memory, and with `good`, `config` and `interval_ms` as
    a judge's answer has them; else the judge reads it back from `dirty_from` on.
    """

    key: SeriesKey
    role: str
    newest: Latest
    received: int
    dirty_from: int
    judged: bool = False
    good: Latest | None = None
    config: str = ""
    interval_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The judge's answer for one series: clears `dirty_from` only where `changed` is still what it read.

    An `interval_ms` of None leaves the stored one.
    """

    key: SeriesKey
    changed: int
    newest: Latest
    good: Latest | None
    config: str
    interval_ms: int | None = None


# What is remembered of a clockless device: its last 1,000 objects, and beyond them every object that stands in the last
# 16 MB of the journal. A connection that breaks has everything in flight sent again, from the oldest on: were one object
# more in flight than remembered, each would push out the next one to come, and all of them would be stored twice.
SEEN_OBJECTS = 1000
SEEN_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The memory of one clockless object: (device, boot, seq) fixes `time`; `digest` covers readings and channels.

    `journal` is named where several ingests have one each.
    """

    device: str
    boot: int
    seq: int
    time: int
    received: int
    position: int
    digest: bytes
    journal: str = ""


class Claim(NamedTuple):
    """What the database says to an object that one of several ingests has read: its time and first arrival, as whoever came first."""

    time: int
    received: int
    duplicate: bool
    conflicting: bool


class Arrival(NamedTuple):
    """A numbered object with a clock, read by one of several ingests; `counted`: not by an earlier commit of the same journal."""

    device: str
    boot: int
    seq: int
    time: int
    fallen_back: bool
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BootSpan:
    """What a device with a clock sent in one boot: lowest and highest `seq`, and the holes between [(from, to)].

    `last_time` is that of the highest; `fallen_back` the `seq` whose time lay over 1 h before their predecessor's. A
    `boot` of −1 stands for a device that sends `seq` alone.
    """

    device: str
    boot: int
    lowest: int
    highest: int
    holes: tuple[tuple[int, int], ...] = ()
    last_time: int = 0
    fallen_back: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message of a device that waits for approval: where it stands in the journal. `id` is the row's, 0 for a new one."""

    id: int = 0
    org: str
    device: str
    journal: str
    position: int
    received: int
    size: int
    head: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDevice:
    """A device that waits for approval: how much of it is kept, and the head of its last message."""

    org: str
    device: str
    messages: int
    size: int
    first_received: int
    last_received: int
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """`online` or `offline`, as the device or its last will said it."""

    device: str
    status: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClock:
    """How a device's clock stands against ours, measured while its messages arrive.

    `verdict`: good, zone, ahead, behind, drifting, lost or unknown (`ingest.clock_words` says each in words). `offset_ms` > 0: it runs
    ahead; `spread_ms`: ±; `drift_ms`: gained a day, where it drifts. `at`: the arrival of the last message measured. `reset_at`: when it
    was last seen to have lost its time, `reset_to`: where that began. `memory`: what the estimate is made of.
    """

    device: str
    verdict: str
    offset_ms: int | None
    spread_ms: int | None
    drift_ms: float | None
    at: int
    reset_at: int | None = None
    reset_to: int | None = None
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Numbers a device never sent us in one boot: the holes between `lowest` and `highest`, [(from, to)]; `last_time` that of the highest."""

    device: str
    boot: int
    lowest: int
    highest: int
    holes: tuple[tuple[int, int], ...]
    last_time: int

    @property
    def missing(self) -> int:
        """How many."""
        return sum(last - first + 1 for first, last in self.holes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One transaction of ingest, at most once a second: all of it, or none, with the journal position it covers."""

    journal: str
    state_cursor: int
    written: tuple[Written, ...] = ()
    rewritten: int | None = None  # the number of `rewriting` its judged rows rely on; None: they are read back all the same
    dead: tuple[DeadLetter, ...] = ()
    seen: tuple[Seen, ...] = ()
    boots: tuple[BootSpan, ...] = ()
    arrivals: tuple[Arrival, ...] = ()  # in place of `seen` and `boots`, where several ingests share the devices
    waiting: tuple[Waiting, ...] = ()
    statuses: tuple[DeviceStatus, ...] = ()
    clocks: tuple[DeviceClock, ...] = ()
    counters: dict[str, int] = field(default_factory=dict)  # e.g. "duplicate:kl01" → added since the last commit
    done_waiting: tuple[int, ...] = ()  # ids of waiting rows read again and stored
    done_replays: tuple[int, ...] = ()  # ids of dead letters read again
    failed_replays: tuple[tuple[int, str], ...] = ()  # ids of those that cannot be read again, and why
