"""What makes a redelivery recognisable where several ingests share the devices: each message may come to any of them.

Nothing that decides is remembered here, for another one may know better. Clockless objects are claimed in the database before
anything of them is stored; numbers of devices with a clock are merged there with the commit (`adapters.sql.shared`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.clock import Y2000_MS
from core.ports import Identities as Claims
from core.state import Arrival, BootSpan, Claim, Seen
from ingest.decoder import Plain, Record
from ingest.identity import AHEAD_MS, FALLEN_BACK_MS, IMPLIED_BOOT, MAX_BOOTS, Identities, Memory, Resolved, Span
from ingest.instants import Instants
from ingest.mail import Opened, record

_Object = tuple[str, int, int, bytes]


class SharedIdentities(Identities):
    """In place of `Identities`: answers by what was claimed for the batch that is being read."""

    def __init__(self, journal: str) -> None:
        super().__init__()
        self._journal = journal
        self._claims: dict[_Object, Claim] = {}
        self._first: dict[_Object, int] = {}  # where each of them stands first in the batch
        self._without_clock: set[str] = set()
        self._fallen: set[tuple[str, int, int]] = set()

    def load(self, device: str, seen: Iterable[Seen], boots: Iterable[BootSpan]) -> None:
        """Of a device only how far its clock was, so that a fall is noticed; `current` stays None: every number is looked at."""
        super().load(device, (), boots)
        self.of(device).current = None

    async def claim(self, opened: Sequence[Opened], database: Claims) -> None:
        """Ask for all clockless objects of a batch. Raises what the database raises."""
        asked: dict[_Object, tuple[Seen, bool]] = {}
        for _, position, message, sender, item in opened:
            if type(item) is Plain and item.time is not None:
                continue
            found = record(sender, item)
            if found.age_ms is None or found.boot is None or found.seq is None:
                continue
            seen = Seen(
                device=sender.device,
                boot=found.boot,
                seq=found.seq,
                time=message.received - found.age_ms,
                received=message.received,
                position=position,
                digest=found.digest,
                journal=self._journal,
            )
            key = (seen.device, seen.boot, seen.seq, seen.digest)
            before = asked.get(key)
            if before is None or (not before[1] and not message.retain):
                asked[key] = (seen, not message.retain)  # nobody knows how old a retained one is
        answers = await database.claim(list(asked.values())) if asked else []
        self._claims = {key: answer for key, answer in zip(asked, answers, strict=True) if answer is not None}
        self._without_clock |= {key[0] for key in asked}
        self._first = {key: seen.position for key, (seen, _) in asked.items()}

    def is_clockless(self, device: str) -> bool:
        """Whether it was met without a clock."""
        return device in self._without_clock

    def remembers(self, device: str, record: Record) -> bool:
        """True where this clockless object arrived before."""
        return record.boot is not None and record.seq is not None and (device, record.boot, record.seq, record.digest) in self._claims

    def resolve(self, device: str, record: Record, *, received: int, position: int) -> Resolved | None:
        """As `Identities.resolve`; a clockless object by its claim."""
        if record.age_ms is None or record.boot is None or record.seq is None:
            return super().resolve(device, record, received=received, position=position)
        key = (device, record.boot, record.seq, record.digest)
        claim = self._claims[key]
        again = position != self._first[key]  # twice in one batch
        return Resolved(claim.time, claim.received, duplicate=claim.duplicate or again, conflicting=claim.conflicting and not again, fallen_back=False)

    def count(self, memory: Memory, device: str, boot: int | None, seq: int, time: int, received: int) -> tuple[bool, bool]:
        """Whether its clock fell back, by what came to this ingest; duplicates are counted where all is merged."""
        number = IMPLIED_BOOT if boot is None else boot
        span = memory.boots.get(number)
        sane = Y2000_MS <= time <= received + AHEAD_MS
        if span is None:
            memory.boots[number] = Span(device, number, seq, seq, (), time if sane else 0, ())
            if len(memory.boots) > MAX_BOOTS:
                del memory.boots[next(iter(memory.boots))]
            return False, False
        if seq <= span.highest:
            fell = seq in span.fallen_back
        else:
            follows = boot is not None or seq == span.highest + 1
            fell = follows and sane and 0 < span.last_time - FALLEN_BACK_MS > time and received >= span.last_time - AHEAD_MS
            if fell:
                span.fallen_back = (*span.fallen_back, seq)[-200:]
            span.highest = seq
            span.last_time = time if sane else span.last_time
        if fell:
            self._fallen.add((device, number, seq))
        return False, fell

    def arrivals(self, opened: Sequence[Opened], instants: Instants, *, counted_from: int) -> list[Arrival]:
        """The numbered objects with a clock of a batch that was placed; those before `counted_from` an earlier commit has counted."""
        out: list[Arrival] = []
        for _, position, message, sender, item in opened:
            if type(item) is Plain:
                boot, seq, time = item.boot, item.seq, None if item.time is None else instants.read(item.time)
            else:
                found = record(sender, item)
                boot, seq, time = found.boot, found.seq, found.time
            if seq is None or time is None:
                continue
            number = IMPLIED_BOOT if boot is None else boot
            fell = (sender.device, number, seq) in self._fallen
            sane = Y2000_MS <= time <= message.received + AHEAD_MS
            counted = position >= counted_from and not message.retain  # a retained one is counted where it is placed
            out.append(Arrival(sender.device, number, seq, time if sane else 0, fell, counted))
        self._fallen.clear()
        return out
