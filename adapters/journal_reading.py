"""Reading the journal's segments: by the process that writes them, and by any other beside it (no lock, nothing changed)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters import journal_segments as segments
from adapters.journal_sealed import open_source
from adapters.journal_segments import HEADER_BYTES, Gaps, Segment, Source
from core.errors import FormatError, NotFoundError, UnavailableError
from core.message import Message
from core.ports import Slice

ID_FILE = "journal.id"


class SegmentReader:
    """The reading half of a journal. `_segments` is replaced, never changed: readers take it as it is."""

    def __init__(self, folder: Path) -> None:
        self.id = ""
        self.damaged_bytes = 0  # skipped by reads since `open`, each byte counted once
        self._folder = folder
        self._keys = segments.Keys(b"", 0)
        self._segments: tuple[Segment, ...] = ()
        self._end = 0
        self._damage_counted = 0

    @property
    def end(self) -> int:
        """The position after the last durable record."""
        return self._end

    @property
    def start(self) -> int:
        """The position of the oldest record kept."""
        kept = self._segments
        return min(kept[0].base + HEADER_BYTES, self._end) if kept else self._end

    @property
    def removed_to(self) -> int:
        """Before this position records were removed, or were never here; 0 where the journal is whole."""
        kept = self._segments
        return kept[0].previous_end if kept else 0

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The files, oldest first."""
        return self._segments

    def stop_of(self, number: int) -> int:
        """The position where the records of segment `number` end at the latest."""
        kept = self._segments
        return min(self._end, kept[number + 1].previous_end) if number + 1 < len(kept) else self._end

    def read(self, position: int, *, limit: int, gaps: Gaps | None = None) -> Slice:
        """At most `limit` records from `position` on (fewer where payloads are big); none only at the end.

        Before `start` it begins there. What is damaged is skipped and counted; `gaps` takes the positions of it. Raises
        UnavailableError where a file cannot be read.
        """
        end, kept = self._end, self._segments  # in this order: a segment is listed before the end reaches into it
        records: segments.Records = []
        at, damaged = max(position, self.start), 0
        for i, segment in enumerate(kept):
            bound = min(end, kept[i + 1].previous_end) if i + 1 < len(kept) else end
            if at >= bound:
                continue
            if records or limit < 1:
                break
            at = max(at, segment.base + HEADER_BYTES)
            with self.source(segment) as source:
                if source is None:  # removed a moment ago: it is no longer kept
                    at = bound
                    continue
                run = segments.read_run(source, segment.base, at - segment.base, bound - segment.base, self._keys, limit, records, gaps)
            at = segment.base + run.next
            damaged += run.damaged
            if run.damaged:
                self._count_damage(at, run.damaged)
        return Slice(records=records, next=at, damaged_bytes=damaged)

    def get(self, position: int) -> Message | None:
        """The one record at `position`; None where it is no longer kept or damaged."""
        end, kept = self._end, self._segments
        holding = [s for s in kept if s.base + HEADER_BYTES <= position]
        if not holding or position >= end:
            return None
        with self.source(holding[-1]) as source:
            return None if source is None else segments.read_one(source, holding[-1].base, position, self._keys)

    def at_arrival(self, ms: int) -> int:
        """A position at or before every record that arrived at `ms` or later; a clock that was set back is reckoned with."""
        kept = self._segments
        for i, segment in enumerate(kept):
            if i + 1 == len(kept) or kept[i + 1].created >= ms or not kept[i + 1].created:
                return segment.base + HEADER_BYTES
        return self._end

    def topic_at(self, position: int) -> str:
        """What a damaged record says its topic is; empty where that cannot be read."""
        holding = [s for s in self._segments if s.base + HEADER_BYTES <= position]
        if not holding:
            return ""
        with self.source(holding[-1]) as source:
            return "" if source is None else segments.topic_at(source, position - holding[-1].base, self._keys)

    @contextmanager
    def source(self, segment: Segment) -> Iterator[Source | None]:
        """The bytes of a segment; None where it was removed. Raises UnavailableError, while they are read too."""
        try:
            fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            if not self._may_be_removed(segment):
                raise UnavailableError(f"journal {segment.path}: cannot read: {error.strerror}") from error
            yield None
            return
        except OSError as error:
            raise UnavailableError(f"journal {segment.path}: cannot read: {error.strerror}") from error
        try:
            yield open_source(fd, self._keys)
        except OSError as error:
            raise UnavailableError(f"journal {segment.path}: cannot read: {error.strerror or error}") from error
        finally:
            os.close(fd)

    def _may_be_removed(self, segment: Segment) -> bool:
        return all(s.base != segment.base for s in self._segments)

    def _count_damage(self, upto: int, count: int) -> None:
        if upto > self._damage_counted:
            self._damage_counted = upto
            self.damaged_bytes += count


class JournalReader(SegmentReader):
    """A journal that another process may be writing, keeping or removing from; `open` again looks for what is new.

    `unfinished_bytes` lie behind the last whole record of the last segment: being written now, or the torn end of a
    crash, and acknowledged to nobody.
    """

    unfinished_bytes = 0

    def open(self) -> None:
        """Read what there is. Raises NotFoundError (no journal in this folder), FormatError, UnavailableError."""
        path = self._folder / ID_FILE
        try:
            text = path.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            raise NotFoundError(f"no journal is in {self._folder}: ingest makes it at its first start") from None
        except OSError as error:
            raise UnavailableError(f"journal {path}: cannot read: {error.strerror}") from error
        if len(text) != 32 or not set(text) <= set("0123456789abcdef"):
            raise FormatError(f"{path}: found {text[:40]!r}, expected a journal id of 32 hex digits")
        self.id, self._keys = text, segments.keys_of(text)
        self._segments = tuple(self._inspect())
        self._end = self._find_end()

    def close(self) -> None:
        """Nothing is held open."""

    def append(self, messages: object) -> int:
        """Never: this is a reader."""
        raise RuntimeError("a JournalReader writes nothing")

    def _inspect(self) -> Iterator[Segment]:
        for path in sorted(p for p in self._folder.glob(f"*{segments.SUFFIX}") if p.stem.isdecimal()):
            try:
                yield segments.inspect(path, self.id)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise UnavailableError(f"journal {path}: cannot read: {error.strerror}") from error

    def _find_end(self) -> int:
        """The end of the last whole record."""
        if not self._segments:
            return 0
        last = self._segments[-1]
        with self.source(last) as source:
            if source is None:
                return last.previous_end
            at = intact = min(HEADER_BYTES, source.size)
            size = source.size
            while at < size:
                run = segments.read_run(source, last.base, at, size, self._keys, 10_000, [])
                at, intact = run.next, run.intact or intact
            self.unfinished_bytes = size - intact
            return max(last.base + intact, last.previous_end) if intact > HEADER_BYTES else last.previous_end

    def _may_be_removed(self, segment: Segment) -> bool:
        return True
