"""The journal on disk: append-only segment files; a message is acknowledged only after it is durable here.

One process writes (a lock file sees to it); one thread may append while others read. Nothing that was handed out as a
position is ever used again: after a torn end was cut off, the next segment begins past where it reached.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from adapters import journal_segments as segments
from adapters.journal_segments import HEADER_BYTES, Segment
from core.clock import Clock, SystemClock
from core.errors import ConfigError, FormatError, JournalFullError, UnavailableError
from core.message import Message
from core.ports import Slice

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 64 << 20
_DAY_MS = 86_400_000
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileJournal:
    """Journal port on segment files in `folder`. A new segment begins at `segment_bytes` or on a new day (UTC).

    With `max_bytes` it is full at that size, as with a full disk. Call `open` before anything else.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, max_bytes: int | None = None, clock: Clock | None = None) -> None:
        self.id = ""
        self.torn_bytes = 0  # cut off the end at `open`: the unfinished write of a crash
        self.damaged_bytes = 0  # skipped by reads since `open`, each byte counted once
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._clock = clock or SystemClock()
        self._keys = segments.Keys(b"", 0)
        self._segments: tuple[Segment, ...] = ()  # replaced, never changed: readers take it as it is
        self._end = 0
        self._bytes = 0  # of all segments on disk
        self._fd = -1  # of the last segment; -1 = the next append begins a new one
        self._next_base = 0
        self._damage_counted = 0
        self._lock_fd = -1
        self._write_lock = threading.Lock()
        self._grown = threading.Condition()

    # ------------------------------------------------------------ life

    def open(self, *, floor: int = 0) -> None:
        """Lock the folder (made where it is absent), check the segments and cut off a torn end.

        New records get positions ≥ `floor`: pass the furthest cursor known, so that a journal which lost its end (a disk
        that lied about its fsync) never puts new records where a cursor has been. Raises ConfigError (in use, no
        permission), FormatError (another version or journal), JournalFullError (no room for its first files).
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock()
            for leftover in self._folder.glob(f"*{segments.SUFFIX}.new"):
                leftover.unlink()
            paths = sorted(p for p in self._folder.glob(f"*{segments.SUFFIX}") if p.stem.isdecimal())
            self.id = self._read_id(paths)
            self._keys = segments.keys_of(self.id)
            self._segments = tuple(segments.inspect(p, self.id) for p in paths)
            self._bytes = sum(p.stat().st_size for p in paths)
            if self._segments:
                self._open_last(self._segments[-1])
        except OSError as error:
            self.close()
            kind = JournalFullError if error.errno in _FULL else ConfigError
            raise kind(f"journal folder {self._folder}: {error.strerror or error}") from error
        except (ConfigError, FormatError):
            self.close()
            raise
        if floor > self._end:
            self._begin_new_segment_at(floor)

    def close(self) -> None:
        """Close the files, give up the lock and wake whoever waits."""
        with self._write_lock, self._grown:
            for fd in (self._fd, self._lock_fd):
                if fd >= 0:
                    os.close(fd)
            self._fd = self._lock_fd = -1
            self._grown.notify_all()

    def _lock(self) -> None:
        fd = os.open(self._folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise ConfigError(f"journal folder {self._folder} is in use by another process; stop that one, or set another CANHMAN_DATA") from None
        self._lock_fd = fd

    def _read_id(self, paths: Sequence[Path]) -> str:
        """The journal's id from its file, else from a segment's header, else a new one; the file is (re)written if need be."""
        path = self._folder / "journal.id"
        if path.exists():
            text = path.read_text("ascii", "replace").strip()
            if len(text) != 32 or not set(text) <= set("0123456789abcdef"):
                raise FormatError(f"{path}: found {text[:40]!r}, expected a journal id of 32 hex digits; remove the file if the segments are ours")
            return text
        found = next((i for i in map(segments.id_in_header, paths) if i), None)
        if paths and found is None:
            raise FormatError(f"{path}: missing, and no segment tells the journal's id; expected 32 hex digits")
        made = found or secrets.token_hex(16)
        self._write_whole(path, made.encode("ascii") + b"\n")
        return made

    def _open_last(self, last: Segment) -> None:
        fd = os.open(last.path, os.O_RDWR | os.O_CLOEXEC)
        self._fd = fd
        size = os.fstat(fd).st_size
        at = intact = min(HEADER_BYTES, size)
        while at < size:
            run = segments.read_run(fd, last.base, at, size, self._keys, 10_000, [])
            at, intact = run.next, run.intact or intact
        os.fdatasync(fd)  # what a killed process wrote may still wait in the page cache; it counts as durable from here on
        self._end = last.base + intact
        if size > intact or intact < HEADER_BYTES:
            os.ftruncate(fd, intact)
            os.fsync(fd)
            self._bytes -= size - intact
            self.torn_bytes = size - intact
            self._begin_new_segment_at(last.base + max(size, HEADER_BYTES))
            log.warning("journal_torn_end_cut", file=str(last.path), bytes=self.torn_bytes)

    # ------------------------------------------------------------ write

    def append(self, messages: Sequence[Message]) -> int:
        """Write and fdatasync; returns the new end. Raises JournalFullError, and then nothing was added."""
        with self._write_lock:
            if self._lock_fd < 0:
                raise RuntimeError("append to a journal that is not open")
            if not messages:
                return self._end
            if self._fd < 0 or self._is_over(self._segments[-1]):
                self._roll()
            last = self._segments[-1]
            start = max(self._end, last.base + HEADER_BYTES)
            data = segments.encode(messages, start, self._keys)
            if self._max_bytes is not None and self._bytes + len(data) > self._max_bytes:
                raise JournalFullError(f"journal {self._folder} is full: {self._bytes} bytes kept, at most {self._max_bytes} allowed")
            self._write(data, start - last.base)
            self._bytes += len(data)
            with self._grown:
                self._end = start + len(data)
                self._grown.notify_all()
            return self._end

    def _is_over(self, last: Segment) -> bool:
        full = self._end - last.base >= self._segment_bytes
        return full or (self._end > last.base + HEADER_BYTES and last.created // _DAY_MS != self._clock.now_ms() // _DAY_MS)

    def _begin_new_segment_at(self, base: int) -> None:
        """Leave the last segment as it is; the next append makes a new one at `base` or later."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._next_base = max(self._next_base, base)

    def _roll(self) -> None:
        base, created = max(self._end, self._next_base), self._clock.now_ms()
        path = self._folder / segments.segment_name(base)
        first = segments.header(self.id, base, self._end, created)
        if self._max_bytes is not None and self._bytes + len(first) > self._max_bytes:
            raise JournalFullError(f"journal {self._folder} is full: {self._bytes} bytes kept, at most {self._max_bytes} allowed")
        try:
            self._write_whole(path, first)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise JournalFullError(f"journal {path}: cannot begin a segment: {error.strerror}") from error
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._bytes += len(first)
        self._segments = (*self._segments, Segment(path, base, self._end, created, intact=True))

    def _write(self, data: bytes, offset: int) -> None:
        """Put `data` at `offset` of the last segment and make it durable, or leave no trace of it."""
        fd, path = self._fd, self._segments[-1].path
        try:
            rest, at = memoryview(data), offset
            while rest:
                written = os.pwrite(fd, rest, at)
                rest, at = rest[written:], at + written
        except OSError as error:
            try:
                os.ftruncate(fd, offset)
            except OSError:
                self._begin_new_segment_at(self._end)  # what lies past the end is bounded by the next segment's header
            raise JournalFullError(f"journal {path}: cannot write: {error.strerror}") from error
        try:
            os.fdatasync(fd)
        except OSError as error:
            # After a failed fsync the kernel may hold the pages for clean, and a second one would lie: this file is done with.
            self._begin_new_segment_at(self._end)
            raise JournalFullError(f"journal {path}: cannot fsync: {error.strerror}") from error

    def _write_whole(self, path: Path, data: bytes) -> None:
        """Make a file that is there with all its bytes after a crash, or not there."""
        new = path.with_name(path.name + ".new")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:  # raw messages: the owner's alone
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.rename(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    # ------------------------------------------------------------ read

    @property
    def end(self) -> int:
        """The position after the last durable record."""
        return self._end

    @property
    def start(self) -> int:
        """The position of the oldest record kept."""
        kept = self._segments
        return min(kept[0].base + HEADER_BYTES, self._end) if kept else self._end

    def wait_for(self, position: int, timeout: float | None = None) -> bool:
        """Block until a record lies at or past `position` (end > position); False after `timeout` [s] or once closed."""
        with self._grown:
            self._grown.wait_for(lambda: self._end > position or self._lock_fd < 0, timeout)
            return self._end > position

    def read(self, position: int, *, limit: int) -> Slice:
        """At most `limit` records from `position` on (fewer where payloads are big); none only at the end.

        Before `start` it begins there. What is damaged is skipped and counted. Raises UnavailableError where a file
        cannot be read.
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
            try:
                fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    run = segments.read_run(fd, segment.base, at - segment.base, bound - segment.base, self._keys, limit, records)
                finally:
                    os.close(fd)
            except OSError as error:
                raise UnavailableError(f"journal {segment.path}: cannot read: {error.strerror}") from error
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
        segment = holding[-1]
        try:
            fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return segments.read_one(fd, segment.base, position, self._keys)
        finally:
            os.close(fd)

    def _count_damage(self, upto: int, count: int) -> None:
        if upto > self._damage_counted:
            self._damage_counted = upto
            self.damaged_bytes += count
