"""What makes a redelivery recognisable: an object is known by (device, boot, seq), and its first arrival fixes its time.

Devices that send `time` are identified by it; of them only the span and the holes of each boot are kept, to count gaps
and duplicates. Of clockless devices the last 1,000 objects, and those of the last 16 MB of the journal, are
remembered with time, arrival, position and digest.
State with a lifetime: loaded per device from the database, changed in memory, written with the next commit.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from core.clock import Y2000_MS
from core.state import SEEN_BYTES, SEEN_OBJECTS, BootSpan, Seen
from ingest.decoder import Record

IMPLIED_BOOT = -1  # of a device that sends seq without boot
MAX_BOOTS = 100  # per device
MAX_HOLES = 200  # per boot; older holes are given up as lost, so that a hostile seq cannot fill the memory
AHEAD_MS = 10 * 60_000
FALLEN_BACK_MS = 3_600_000


class Resolved(NamedTuple):
    """When an object was measured, when it first arrived, and what its identity says of it."""

    time: int
    received: int
    duplicate: bool
    conflicting: bool
    fallen_back: bool


@dataclass(slots=True)
class _Span:
    """A `BootSpan` that changes with each message."""

    device: str
    boot: int
    lowest: int
    highest: int
    holes: tuple[tuple[int, int], ...]
    last_time: int
    fallen_back: tuple[int, ...]


@dataclass(slots=True)
class _Device:
    # the digest is part of the key: of a number used twice both contents are known again
    seen: OrderedDict[tuple[int, int, bytes], Seen] = field(default_factory=OrderedDict)
    numbers: Counter[tuple[int, int]] = field(default_factory=Counter)
    times: set[int] = field(default_factory=set)
    boots: OrderedDict[int, _Span] = field(default_factory=OrderedDict)

    def keep(self, item: Seen) -> None:
        self.seen[(item.boot, item.seq, item.digest)] = item
        self.numbers[(item.boot, item.seq)] += 1
        self.times.add(item.time)
        while len(self.seen) > SEEN_OBJECTS:
            oldest = next(iter(self.seen.values()))
            if abs(item.position - oldest.position) < SEEN_BYTES:  # farther ahead only where it stood in another journal
                break
            boot, seq = oldest.boot, oldest.seq
            del self.seen[(boot, seq, oldest.digest)]
            self.times.discard(oldest.time)
            self.numbers[(boot, seq)] -= 1
            if not self.numbers[(boot, seq)]:
                del self.numbers[(boot, seq)]


class Identities:
    """The memory of all devices met since start. One per processor."""

    def __init__(self) -> None:
        self._devices: dict[str, _Device] = {}
        self._new_seen: dict[tuple[str, int, int, bytes], Seen] = {}
        self._new_boots: dict[tuple[str, int], _Span] = {}

    def knows(self, device: str) -> bool:
        """False where `load` must be called first."""
        return device in self._devices

    def load(self, device: str, seen: list[Seen], boots: list[BootSpan]) -> None:
        """Take in what the database remembers of a device."""
        memory = _Device()
        for item in seen:
            memory.keep(item)
        for span in sorted(boots, key=lambda b: b.last_time)[-MAX_BOOTS:]:  # a boot may be a random number
            memory.boots[span.boot] = _Span(span.device, span.boot, span.lowest, span.highest, span.holes, span.last_time, span.fallen_back)
        self._devices[device] = memory

    def forget(self) -> tuple[tuple[Seen, ...], tuple[BootSpan, ...]]:
        """What changed since the last call, for the next commit."""
        boots = tuple(
            BootSpan(device=s.device, boot=s.boot, lowest=s.lowest, highest=s.highest, holes=s.holes, last_time=s.last_time, fallen_back=s.fallen_back)
            for s in self._new_boots.values()
        )
        changed = tuple(self._new_seen.values()), boots
        self._new_seen, self._new_boots = {}, {}
        return changed

    def remembers(self, device: str, record: Record) -> bool:
        """True where this clockless object arrived before."""
        return record.boot is not None and record.seq is not None and (record.boot, record.seq) in self._devices[device].numbers

    def resolve(self, device: str, record: Record, *, received: int, position: int) -> Resolved | None:
        """The time of an object, or None where it has none (the record says why). Idempotent for the same position."""
        memory = self._devices[device]
        if record.age_ms is not None and record.boot is not None and record.seq is not None:
            first = Seen(
                device=device,
                boot=record.boot,
                seq=record.seq,
                time=received - record.age_ms,
                received=received,
                position=position,
                digest=record.digest,
            )
            return self._clockless(memory, first)
        if record.time is None:
            return None
        if record.seq is None:
            return Resolved(record.time, received, duplicate=False, conflicting=False, fallen_back=False)
        duplicate, fallen_back = self._count(memory, device, record, record.seq, record.time, received)
        return Resolved(record.time, received, duplicate=duplicate, conflicting=False, fallen_back=fallen_back)

    def _clockless(self, memory: _Device, arrived: Seen) -> Resolved:
        known = memory.seen.get((arrived.boot, arrived.seq, arrived.digest))
        if known is not None:
            return Resolved(known.time, known.received, duplicate=known.position != arrived.position, conflicting=False, fallen_back=False)
        # the same number for another content: both are kept, each at its own time
        conflicting = (arrived.boot, arrived.seq) in memory.numbers
        # Two objects that would fall on one millisecond (a burst, or a backlog whose ages were counted once) are two
        # readings, and a store knows a reading by its time: the later one takes the next free millisecond.
        time = arrived.time
        while time in memory.times:
            time += 1
        if time != arrived.time:
            arrived = replace(arrived, time=time)
        memory.keep(arrived)
        self._new_seen[(arrived.device, arrived.boot, arrived.seq, arrived.digest)] = arrived
        return Resolved(arrived.time, arrived.received, duplicate=False, conflicting=conflicting, fallen_back=False)

    def _count(self, memory: _Device, device: str, record: Record, seq: int, time: int, received: int) -> tuple[bool, bool]:
        boot = IMPLIED_BOOT if record.boot is None else record.boot
        span = memory.boots.get(boot)
        if record.boot is None and span is not None and seq < span.highest:
            span = None  # seq fell without boot: a restart is assumed, and no gap is counted
        sane = Y2000_MS <= time <= received + AHEAD_MS
        if span is None:
            self._keep(memory, _Span(device, boot, seq, seq, (), time if sane else 0, ()))
            return False, False
        if seq > span.highest:
            return False, self._forward(memory, span, seq, time, received, sane)
        if seq < span.lowest:
            if seq + 1 < span.lowest:
                span.holes = ((seq + 1, span.lowest - 1), *span.holes)[-MAX_HOLES:]
            span.lowest = seq
            self._keep(memory, span)
            return False, False
        filled = _fill(span.holes, seq)
        if filled is None:
            return True, seq in span.fallen_back
        span.holes = filled
        self._keep(memory, span)
        return False, False

    def _forward(self, memory: _Device, span: _Span, seq: int, time: int, received: int, sane: bool) -> bool:
        """A new highest `seq`. True where it follows its predecessor while its time lies over 1 h before it."""
        follows = seq == span.highest + 1
        fell = follows and sane and span.last_time > 0 and time < span.last_time - FALLEN_BACK_MS
        # without boot an old message read again may have the number after the newest one, but it came before that was measured
        fell = fell and received >= span.last_time - AHEAD_MS
        if not follows:
            span.holes = (*span.holes, (span.highest + 1, seq - 1))[-MAX_HOLES:]
        if fell:
            span.fallen_back = (*span.fallen_back, seq)[-MAX_HOLES:]
        span.highest = seq
        if sane:
            span.last_time = time
        self._keep(memory, span)
        return fell

    def _keep(self, memory: _Device, span: _Span) -> None:
        memory.boots[span.boot] = span
        memory.boots.move_to_end(span.boot)
        if len(memory.boots) > MAX_BOOTS:
            memory.boots.popitem(last=False)
        self._new_boots[(span.device, span.boot)] = span


def _fill(holes: tuple[tuple[int, int], ...], seq: int) -> tuple[tuple[int, int], ...] | None:
    """The holes without `seq`; None where it lies in none (so it was here before)."""
    for i, (low, high) in enumerate(holes):
        if low <= seq <= high:
            rest = [(a, b) for a, b in ((low, seq - 1), (seq + 1, high)) if a <= b]
            return (*holes[:i], *rest, *holes[i + 1 :])
    return None
