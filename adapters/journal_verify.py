"""Looking the journal through: what is in each segment, and every damage by name. Read-only; ingest may be writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.journal_reading import JournalReader
from adapters.journal_sealed import Sealed
from adapters.journal_segments import HEADER_BYTES, Gaps, Segment

_SLICE = 5000

Moved = Callable[[int], None]
"""Told how far a look has come [position]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One segment: positions `start` to `stop`, arrivals [ms] (None without a record), size on disk, and what of its file is damaged."""

    file: str
    start: int
    stop: int
    records: int
    oldest: int | None
    newest: int | None
    size: int
    sealed: bool
    damage: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Bytes that hold no record any more: which positions, between which arrivals [ms] (None = none kept on that side), and
    the topic the damaged record still names, which may be wrong itself."""

    file: str
    start: int
    stop: int
    after: int | None
    before: int | None
    topic: str


@dataclass(slots=True)
class Report:
    """What a look at everything found."""

    records: int = 0
    bytes: int = 0
    damage: list[Damage] = field(default_factory=list)
    files: list[str] = field(default_factory=list)  # damage that cost no record yet: of headers, indices and checksums

    @property
    def damaged_bytes(self) -> int:
        """How many are lost."""
        return sum(d.stop - d.start for d in self.damage)

    @property
    def is_whole(self) -> bool:
        """Nothing at all is damaged."""
        return not self.damage and not self.files


def contents(journal: JournalReader, number: int) -> Contents | None:
    """What is in segment `number`: of a sealed one as its index has it, of a plain one as it reads; None where it was removed meanwhile."""
    segment, stop = journal.segments[number], max(journal.stop_of(number), journal.segments[number].base + HEADER_BYTES)
    with journal.source(segment) as source:
        if source is None:
            return None
        damage: tuple[str, ...] = () if segment.intact else ("header",)
        if isinstance(source, Sealed) and source.index_is_intact:
            filled = [b for b in source.blocks if b.records]
            records = sum(b.records for b in filled)
            arrivals = [b.oldest for b in filled] + [b.newest for b in filled]
        else:
            damage += ("index",) if isinstance(source, Sealed) else ()
            records, arrivals = _read(journal, segment, stop)
    return Contents(
        file=segment.path.name,
        start=segment.base + HEADER_BYTES,
        stop=stop,
        records=records,
        oldest=min(arrivals, default=None),
        newest=max(arrivals, default=None),
        size=_size(segment),
        sealed=segment.sealed,
        damage=damage,
    )


def _read(journal: JournalReader, segment: Segment, stop: int) -> tuple[int, list[int]]:
    """Records and span of arrivals of a segment, by reading it."""
    at, count = segment.base + HEADER_BYTES, 0
    span: list[int] = []
    while at < stop:
        part = journal.read(at, limit=_SLICE)
        if part.next <= at:
            break
        mine = [message.received for position, message in part.records if position < stop]
        count, at = count + len(mine), part.next
        if mine:
            span = [min([*span, *mine]), max([*span, *mine])]
    return count, span


def verify(journal: JournalReader, moved: Moved = lambda position: None) -> Report:
    """Read everything, check every checksum, and name what is damaged."""
    report = Report()
    for segment in journal.segments:
        report.files += _file_damage(journal, segment)
        report.bytes += _size(segment)
    at, last = journal.start, None
    open_gaps: list[tuple[int, int, int | None]] = []  # without the arrival after them yet
    while at < journal.end:
        gaps: Gaps = []
        part = journal.read(at, limit=_SLICE, gaps=gaps)
        if part.next <= at:
            break
        arrivals = [(position, message.received) for position, message in part.records]
        for start, stop in gaps:
            before = next((received for position, received in reversed(arrivals) if position < start), last)
            open_gaps.append((start, stop, before))
        for gap in list(open_gaps):
            after = next((received for position, received in arrivals if position >= gap[1]), None)
            if after is not None:
                open_gaps.remove(gap)
                report.damage.append(_damage(journal, *gap, after))
        report.records += len(arrivals)
        last = arrivals[-1][1] if arrivals else last
        at = part.next
        moved(at)
    report.damage += [_damage(journal, *gap, None) for gap in open_gaps]
    report.damage.sort(key=lambda d: d.start)
    return report


def _damage(journal: JournalReader, start: int, stop: int, after: int | None, before: int | None) -> Damage:
    segment = [s for s in journal.segments if s.base <= start][-1]
    return Damage(file=segment.path.name, start=start, stop=stop, after=after, before=before, topic=journal.topic_at(start))


def _file_damage(journal: JournalReader, segment: Segment) -> list[str]:
    """What of the file itself is damaged, in words; None of it alone costs a record."""
    name = segment.path.name
    found = [] if segment.intact else [f"{name}: its header is damaged; its name says what is needed"]
    with journal.source(segment) as source:
        if isinstance(source, Sealed):
            if not source.index_is_intact:
                found.append(f"{name}: its index is damaged; it is made from the blocks at each read")
            found += [f"{name}: the block of positions {segment.base + b.offset} to {segment.base + b.offset + b.length} is damaged" for b in source.damaged()]
    return found


def _size(segment: Segment) -> int:
    try:
        return segment.path.stat().st_size
    except OSError:
        return 0
