"""What makes a redelivery recognisable: an object is known by (device, boot, seq), and its first arrival fixes its time.

Devices that send `time` are identified by it; of them only the span and the holes of each boot are kept, to count gaps
and duplicates. Of clockless devices the last 1,000 objects, and those of the last 16 MB of the journal, are
remembered with time, arrival, position and digest.
State with a lifetime: loaded per device from the database, changed in memory, written with the next commit. Whatever a
batch changed can be taken back until it is settled, so that a batch which fails is read again as if for the first time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from core.clock import Y2000_MS
from core.state import SEEN_BYTES, SEEN_OBJECTS, BootSpan, Seen
from ingest.decoder import Record

IMPLIED_BOOT = -1  # of a device that sends seq without boot
MAX_BOOTS = 100  # per device
MAX_HOLES = 200  # per boot; older holes are given up as lost, so that a hostile seq cannot fill the memory
AHEAD_MS = 10 * 60_000
FALLEN_BACK_MS = 3_600_000

_Holes = tuple[tuple[int, int], ...]
_Before = tuple["Span", int, int, _Holes, int, tuple[int, ...]]
Undo = list[Callable[[], None] | _Before]
"""What takes changes back, in the order they were made; of a span its state before."""


class Resolved(NamedTuple):
    """When an object was measured, when it first arrived, and what its identity says of it."""

    time: int
    received: int
    duplicate: bool
    conflicting: bool
    fallen_back: bool


class Span:
    """A `BootSpan` that changes with each message. `stamp`: of the batch that changed it last; `dirty`: the database knows an older state."""

    __slots__ = ("boot", "device", "dirty", "fallen_back", "highest", "holes", "last_time", "lowest", "stamp")

    def __init__(self, device: str, boot: int, lowest: int, highest: int, holes: _Holes, last_time: int, fallen_back: tuple[int, ...]) -> None:
        self.device = device
        self.boot = boot
        self.lowest = lowest
        self.highest = highest
        self.holes = holes
        self.last_time = last_time
        self.fallen_back = fallen_back
        self.stamp = 0
        self.dirty = False

    def restore(self, before: _Before) -> None:
        """It is again as `Identities.touch` found it."""
        _, self.lowest, self.highest, self.holes, self.last_time, self.fallen_back = before
        self.stamp = 0


class _Objects:
    """Of a clockless device: the objects remembered, how often each number was used, and the times that are taken."""

    __slots__ = ("numbers", "seen", "times")

    def __init__(self) -> None:
        # the digest is part of the key: of a number used twice both contents are known again
        self.seen: OrderedDict[tuple[int, int, bytes], Seen] = OrderedDict()
        self.numbers: Counter[tuple[int, int]] = Counter()
        self.times: set[int] = set()

    def keep(self, item: Seen) -> list[Seen]:
        """Remember it; returns those that were forgotten for it, oldest first."""
        self._add(item)
        forgotten = []
        while len(self.seen) > SEEN_OBJECTS:
            oldest = next(iter(self.seen.values()))
            if abs(item.position - oldest.position) < SEEN_BYTES:  # farther ahead only where it stood in another journal
                break
            self._drop(oldest)
            forgotten.append(oldest)
        return forgotten

    def take_back(self, item: Seen, forgotten: list[Seen]) -> None:
        """Undo one `keep`."""
        self._drop(item)
        for old in reversed(forgotten):
            self._add(old)
            self.seen.move_to_end((old.boot, old.seq, old.digest), last=False)

    def _add(self, item: Seen) -> None:
        self.seen[(item.boot, item.seq, item.digest)] = item
        self.numbers[(item.boot, item.seq)] += 1
        self.times.add(item.time)

    def _drop(self, item: Seen) -> None:
        number = (item.boot, item.seq)
        del self.seen[(*number, item.digest)]
        self.times.discard(item.time)
        self.numbers[number] -= 1
        if not self.numbers[number]:
            del self.numbers[number]


class Memory:
    """What is remembered of one device. `current`: the span of the boot it spoke in last, which is the last of `boots`."""

    __slots__ = ("boots", "current", "objects")

    def __init__(self) -> None:
        self.boots: dict[int, Span] = {}  # the one used last stands last
        self.current: Span | None = None
        self.objects: _Objects | None = None  # only of a clockless device


class Identities:
    """The memory of all devices met since start. One per processor."""

    def __init__(self) -> None:
        self._devices: dict[str, Memory] = {}
        self._new_seen: dict[tuple[str, int, int, bytes], Seen] = {}
        self._dirty: list[Span] = []
        self.undo: Undo = []
        self._settled = 0  # how many of them are settled and gone
        self.stamp = 1  # of the batch that is being read

    def knows(self, device: str) -> bool:
        """False where `load` must be called first."""
        return device in self._devices

    def of(self, device: str) -> Memory:
        """The memory of a device that was loaded."""
        return self._devices[device]

    def is_clockless(self, device: str) -> bool:
        """Whether it was met without a clock."""
        memory = self._devices.get(device)
        return memory is not None and memory.objects is not None

    def load(self, device: str, seen: Iterable[Seen], boots: Iterable[BootSpan]) -> None:
        """Take in what the database remembers of a device."""
        memory = Memory()
        for item in seen:
            memory.objects = memory.objects or _Objects()
            memory.objects.keep(item)
        for span in sorted(boots, key=lambda b: b.last_time)[-MAX_BOOTS:]:  # a boot may be a random number
            memory.boots[span.boot] = Span(span.device, span.boot, span.lowest, span.highest, span.holes, span.last_time, span.fallen_back)
            memory.current = memory.boots[span.boot]
        self._devices[device] = memory

    @property
    def held(self) -> int:
        """How many objects wait for the next commit."""
        return len(self._new_seen)

    # ------------------------------------------------------------ what a batch changed

    def begin(self) -> int:
        """A new batch; returns the place to go back to, where it fails."""
        self.stamp += 1
        return self.place

    @property
    def place(self) -> int:
        """How many changes were made."""
        return self._settled + len(self.undo)

    def take_back(self, to: int | None = None) -> None:
        """Everything is again as it was at that place, or as it was last settled."""
        keep = 0 if to is None else to - self._settled
        while len(self.undo) > keep:
            before = self.undo.pop()
            if callable(before):
                before()
            else:
                before[0].restore(before)

    def settle(self, to: int) -> None:
        """What was changed before that place stays, and goes with the next commit."""
        done = self.undo[: to - self._settled]
        del self.undo[: len(done)]
        self._settled += len(done)
        for before in done:
            if not callable(before) and not before[0].dirty:
                before[0].dirty = True
                self._dirty.append(before[0])

    def forget(self) -> tuple[tuple[Seen, ...], tuple[BootSpan, ...]]:
        """What changed since the last call and is settled, for the next commit."""
        self.settle(self.place)
        boots = tuple(
            BootSpan(device=s.device, boot=s.boot, lowest=s.lowest, highest=s.highest, holes=s.holes, last_time=s.last_time, fallen_back=s.fallen_back)
            for s in self._dirty
        )
        for span in self._dirty:
            span.dirty = False
        changed = tuple(self._new_seen.values()), boots
        self._new_seen, self._dirty = {}, []
        return changed

    def touch(self, span: Span) -> None:
        """Before its first change in a batch."""
        span.stamp = self.stamp
        self.undo.append((span, span.lowest, span.highest, span.holes, span.last_time, span.fallen_back))

    # ------------------------------------------------------------ one object

    def remembers(self, device: str, record: Record) -> bool:
        """True where this clockless object arrived before."""
        objects = self._devices[device].objects
        return objects is not None and record.boot is not None and record.seq is not None and (record.boot, record.seq) in objects.numbers

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
        duplicate, fallen_back = self.count(memory, device, record.boot, record.seq, record.time, received)
        return Resolved(record.time, received, duplicate=duplicate, conflicting=False, fallen_back=fallen_back)

    def _clockless(self, memory: Memory, arrived: Seen) -> Resolved:
        if memory.objects is None:
            memory.objects = _Objects()
        objects = memory.objects
        known = objects.seen.get((arrived.boot, arrived.seq, arrived.digest))
        if known is not None:
            return Resolved(known.time, known.received, duplicate=known.position != arrived.position, conflicting=False, fallen_back=False)
        # the same number for another content: both are kept, each at its own time
        conflicting = (arrived.boot, arrived.seq) in objects.numbers
        # Two objects that would fall on one millisecond (a burst, or a backlog whose ages were counted once) are two
        # readings, and a store knows a reading by its time: the later one takes the next free millisecond.
        time = arrived.time
        while time in objects.times:
            time += 1
        if time != arrived.time:
            arrived = replace(arrived, time=time)
        self._keep_object(objects, arrived)
        return Resolved(arrived.time, arrived.received, duplicate=False, conflicting=conflicting, fallen_back=False)

    def _keep_object(self, objects: _Objects, item: Seen) -> None:
        forgotten = objects.keep(item)
        key = (item.device, item.boot, item.seq, item.digest)
        self._new_seen[key] = item

        def undo() -> None:
            objects.take_back(item, forgotten)
            self._new_seen.pop(key, None)

        self.undo.append(undo)

    def count(self, memory: Memory, device: str, boot: int | None, seq: int, time: int, received: int) -> tuple[bool, bool]:
        """Count an object with a time: whether its number was here before, and whether its clock fell back."""
        number = IMPLIED_BOOT if boot is None else boot
        span = memory.boots.get(number)
        if boot is None and span is not None and seq < span.highest:
            span = None  # seq fell without boot: a restart is assumed, and no gap is counted
        sane = Y2000_MS <= time <= received + AHEAD_MS
        if span is None:
            self._new_span(memory, Span(device, number, seq, seq, (), time if sane else 0, ()))
            return False, False
        filled = _fill(span.holes, seq) if span.lowest <= seq <= span.highest else ()
        if filled is None:
            return True, seq in span.fallen_back
        self._use(memory, span)
        if seq > span.highest:
            return False, _forward(span, seq, time, received, sane)
        if seq < span.lowest:
            if seq + 1 < span.lowest:
                span.holes = ((seq + 1, span.lowest - 1), *span.holes)[-MAX_HOLES:]
            span.lowest = seq
        else:
            span.holes = filled
        return False, False

    def _use(self, memory: Memory, span: Span) -> None:
        """It is about to change, and is the one used last."""
        if span.stamp != self.stamp:
            self.touch(span)
        if memory.current is not span:
            self._undo_boots(memory)
            del memory.boots[span.boot]
            memory.boots[span.boot] = memory.current = span

    def _new_span(self, memory: Memory, span: Span) -> None:
        self._undo_boots(memory)
        self.touch(span)
        memory.boots.pop(span.boot, None)
        memory.boots[span.boot] = memory.current = span
        if len(memory.boots) > MAX_BOOTS:
            del memory.boots[next(iter(memory.boots))]

    def _undo_boots(self, memory: Memory) -> None:
        boots, current = dict(memory.boots), memory.current

        def undo() -> None:
            memory.boots, memory.current = boots, current

        self.undo.append(undo)


def _forward(span: Span, seq: int, time: int, received: int, sane: bool) -> bool:
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
    return fell


def _fill(holes: _Holes, seq: int) -> _Holes | None:
    """The holes without `seq`; None where it lies in none (so it was here before)."""
    for i, (low, high) in enumerate(holes):
        if low <= seq <= high:
            rest = [(a, b) for a, b in ((low, seq - 1), (seq + 1, high)) if a <= b]
            return (*holes[:i], *rest, *holes[i + 1 :])
    return None
