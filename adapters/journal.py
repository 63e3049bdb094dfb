"""The journal on disk: append-only segment files; a message is acknowledged only after it is durable here.

One process writes (a lock file sees to it); one thread may append while others read, and one may seal and remove old
segments (`journal_keeping`). Nothing that was handed out as a position is ever used again: after a torn end was cut off,
the next segment begins past where it reached.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import structlog

from adapters import journal_segments as segments
from adapters.journal_keeping import note_removed
from adapters.journal_reading import ID_FILE, SegmentReader
from adapters.journal_sealed import open_source
from adapters.journal_segments import HEADER_BYTES, Segment
from core.clock import Clock, SystemClock
from core.errors import ConfigError, FormatError, JournalFullError
from core.message import Message

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 64 << 20
_DAY_MS = 86_400_000
_MOST_SPARE = 1 << 30
SPARE = 0.02  # of the disk: room for the store's and the database's own files, so that what is acknowledged can be stored
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileJournal(SegmentReader):
    """Journal port on segment files in `folder`. A new segment begins at `segment_bytes` or on a new day (UTC).

    With `max_bytes` it is full at that size, as with a full disk; but first the oldest segments go that are stored (what
    lies before `release`), and a segment is a quarter of it at most, for the last one never goes. It leaves `spare` of the
    disk (a share, at most 1 GiB) to the others. Call `open` before anything else.
    """

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, max_bytes: int | None = None, spare: float = 0.0, clock: Clock | None = None
    ) -> None:
        super().__init__(folder)
        self.fsync_s = 0.0  # how long the last one took
        self.torn_bytes = 0  # cut off the end at `open`: the unfinished write of a crash
        self._segment_bytes = segment_bytes if max_bytes is None else max(1, min(segment_bytes, max_bytes // 4))
        self._max_bytes = max_bytes
        self._spare = spare
        self._clock = clock or SystemClock()
        self._bytes = 0  # of all segments on disk
        self._released = 0
        self._fd = -1  # of the last segment; -1 = the next append begins a new one
        self._next_base = 0
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
        path = self._folder / ID_FILE
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
        source = open_source(fd, self._keys)
        if last.sealed:  # one that follows it was lost: nothing is appended to it
            self._end = last.base + source.size
            self._begin_new_segment_at(self._end)
            return
        at = intact = min(HEADER_BYTES, size)
        while at < size:
            run = segments.read_run(source, last.base, at, size, self._keys, 10_000, [])
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
            start, data = self._encode(messages)
            if self._needs_the_last(len(data)):
                self._roll()
                start, data = self._encode(messages)
            if self._max_bytes is not None or self._spare:
                self._make_room(len(data))
            self._write(data, start - self._segments[-1].base)
            with self._grown:
                self._end = start + len(data)
                self._grown.notify_all()
            return self._end

    def _encode(self, messages: Sequence[Message]) -> tuple[int, bytes]:
        """The records of `messages` as they stand in the last segment, and from which position on."""
        start = max(self._end, self._segments[-1].base + HEADER_BYTES)
        return start, segments.encode(messages, start, self._keys)

    def _needs_the_last(self, more: int) -> bool:
        """Whether `more` bytes are over the bound, but would not be without the last segment too, of which all is stored."""
        most = self._max_bytes
        over = most is not None and self._bytes + more > most >= HEADER_BYTES + more
        return over and self._released >= self._end > self._segments[-1].base + HEADER_BYTES

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
        last = self._segments[-1] if self._segments else None
        # A base of its own, whatever failed: two segments with one would be one file, sealed or removed for the other.
        base = max(self._end, self._next_base, last.base + HEADER_BYTES if last else 0)
        unused = last is not None and not last.sealed and self._end <= last.base + HEADER_BYTES
        end = last.previous_end if last and unused else self._end
        path, created = self._folder / segments.segment_name(base), self._clock.now_ms()
        first = segments.header(self.id, base, end, created)
        self._make_room(len(first), bound=self._released < self._end)  # where all is stored, the new one is what makes room
        try:
            self._write_whole(path, first)
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            self._begin_new_segment_at(base)  # its file may be there: what the one before took now would lie past the end that it names
            raise JournalFullError(f"journal {path}: cannot begin a segment: {error.strerror}") from error
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd
        self._bytes += len(first)
        kept = self._segments[:-1] if unused else self._segments
        self._segments = (*kept, Segment(path, base, end, created, intact=True))
        if last and unused:
            self._drop(last)

    def _drop(self, unused: Segment) -> None:
        """A segment whose first write failed: with a disk that fails for hours there would be one each second."""
        with contextlib.suppress(OSError):  # it stays, and holds nothing
            size = unused.path.stat().st_size
            unused.path.unlink()
            self._bytes -= size

    def _write(self, data: bytes, offset: int) -> None:
        """Put `data` at `offset` of the last segment and make it durable, or leave no trace of it."""
        fd, last = self._fd, self._segments[-1]
        rest, at, step = memoryview(data), offset, "write"
        try:
            while rest:
                written = os.pwrite(fd, rest, at)
                rest, at = rest[written:], at + written
            step, began = "fsync", perf_counter()
            os.fdatasync(fd)
        except OSError as error:
            is_cut = self._cut(offset)
            self._bytes += 0 if is_cut else at - offset
            # After a failed fsync the kernel may hold the pages for clean, and a second one would lie: that file is done with.
            if step == "fsync" or not is_cut:
                self._begin_new_segment_at(last.base + offset + len(data))
            raise JournalFullError(f"journal {last.path}: cannot {step}: {error.strerror}") from error
        self._bytes += len(data)
        self.fsync_s = perf_counter() - began

    def _cut(self, offset: int) -> bool:
        try:
            os.ftruncate(self._fd, offset)
        except OSError:  # what lies past the end is bounded by the next segment's header
            return False
        return True

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
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    # ------------------------------------------------------------ room

    @property
    def size(self) -> int:
        """Bytes of all segments on disk."""
        return self._bytes

    @property
    def released(self) -> int:
        """What lies before is stored, and nothing waits for it."""
        return self._released

    def release(self, position: int) -> None:
        """What lies before `position` may be sealed, and removed when its time is over or the room is needed."""
        self._released = position

    def replace(self, segment: Segment, sealed: Path) -> None:
        """Put the sealed form of `segment` in its place. Raises OSError, and then one whole form stands."""
        with self._write_lock:
            if self._lock_fd < 0 or segment not in self._segments or not self._is_finished(segment):
                raise OSError(errno.EBUSY, "it is no finished segment of an open journal")
            before = segment.path.stat().st_size
            sealed.rename(segment.path)
            self._bytes += segment.path.stat().st_size - before
            self._segments = tuple(s._replace(sealed=True) if s.base == segment.base else s for s in self._segments)
            self._sync_folder()

    def _is_finished(self, segment: Segment) -> bool:
        """Whether another one is being written, to another file: a file is put in the place of one segment, never of two."""
        return segment.base < self._segments[-1].base and sum(s.base == segment.base for s in self._segments) == 1

    def remove_oldest(self, why: str) -> bool:
        """Remove the oldest segment, where all of it is released; False where it is not."""
        with self._write_lock:
            return self._remove_oldest(why)

    def _remove_oldest(self, why: str) -> bool:
        if self._lock_fd < 0 or not self._segments:
            return False
        oldest, stop = self._segments[0], self.stop_of(0)
        if stop > self._released or not self._is_finished(oldest):
            return False
        try:
            size = oldest.path.stat().st_size
            note_removed(self._folder, oldest, stop, size, self._clock.now_ms(), why)
            self._segments = self._segments[1:]  # first: a reader that finds no file looks whether it is listed
            oldest.path.unlink()
            self._bytes -= size
            self._sync_folder()
        except OSError as error:
            log.warning("journal_segment_not_removed", file=str(oldest.path), error=error.strerror or str(error))
            return False
        log.info("journal_segment_removed", file=str(oldest.path), bytes=size, why=why)
        return True

    def _make_room(self, more: int, *, bound: bool = True) -> None:
        """Raises JournalFullError where `more` bytes are over the bound, or the disk's spare share would be touched."""
        if self._max_bytes is not None and bound:
            can_fit = HEADER_BYTES + more <= self._max_bytes  # an archive does not go for what stays outside all the same
            while can_fit and self._bytes + more > self._max_bytes and self._remove_oldest("CANHMAN_JOURNAL_MAX"):
                pass
            if self._bytes + more > self._max_bytes:
                raise JournalFullError(f"journal {self._folder} is full: {self._bytes} bytes kept, at most {self._max_bytes} allowed")
        if self._spare:
            disk = os.fstatvfs(self._lock_fd)
            free, spare = disk.f_bavail * disk.f_frsize, spare_bytes(disk.f_blocks * disk.f_frsize, self._spare)
            if free - more < spare:
                text = f"{free >> 20} MiB free on its disk, of which {spare >> 20} MiB stay for store and database"
                raise JournalFullError(f"journal {self._folder} is full: {text}; make room, or set CANHMAN_JOURNAL_KEEP or CANHMAN_JOURNAL_MAX")

    # ------------------------------------------------------------ read

    def wait_for(self, position: int, timeout: float | None = None) -> bool:
        """Block until a record lies at or past `position` (end > position); False after `timeout` [s] or once closed."""
        with self._grown:
            self._grown.wait_for(lambda: self._end > position or self._lock_fd < 0, timeout)
            return self._end > position


def spare_bytes(disk: int, share: float) -> int:
    """What the journal leaves free on a disk of `disk` bytes."""
    return min(_MOST_SPARE, int(disk * share))
