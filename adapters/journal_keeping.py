"""Keeping the journal: finished segments are compressed, and removed when their time is over.

A thread of its own does it, with long rests: it works at most a twentieth of the time, for what it does holds up nobody's
reading. (A lower priority of the thread would not help but harm: it would hold Python's lock while it is not running.)
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from adapters import journal_sealed, journal_segments
from adapters.journal_segments import Segment
from core.clock import Clock

if TYPE_CHECKING:
    from adapters.journal import FileJournal

log = structlog.get_logger(__name__)

DAY_MS = 86_400_000
SHARE = 0.05  # of one core, at most
EVERY_S = 60.0  # between two looks
REMOVED_FILE = "removed.jsonl"
_LONGEST_STEP_MS = 7 * DAY_MS  # that counts, from one segment to the next
_MOST_REMOVED = 1 << 20  # bytes of that file; then its older half goes


class Keeper:
    """State with a lifetime: the thread. `keep_days` 0 keeps for ever."""

    def __init__(self, journal: FileJournal, *, keep_days: int, clock: Clock, rest: Callable[[float], Any] | None = None, every_s: float = EVERY_S) -> None:
        self._journal = journal
        self._keep_ms = keep_days * DAY_MS
        self._clock = clock
        self._stop = threading.Event()
        self._rest = rest or self._stop.wait
        self._every_s = every_s
        self._failed: set[int] = set()  # told already
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="journal-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a segment half compressed is begun anew another time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.once()
            except Exception:  # keeping house must never end, nor end anything else
                log.exception("a fault in keeping the journal; going on")

    def once(self) -> None:
        """One look: remove what is over its time, compress what is finished."""
        while self._is_over() and self._journal.remove_oldest("CANHMAN_JOURNAL_KEEP"):
            pass
        kept = self._journal.segments
        for segment, after in itertools.pairwise(kept):
            if self._stop.is_set():
                return
            if not segment.sealed and after.previous_end <= self._journal.released:
                self._seal(segment, after.previous_end - segment.base)

    def _is_over(self) -> bool:
        """Whether all of the oldest segment arrived longer ago than is kept: no later than the first one after it was begun.

        Time counts as segments were begun in it, at most a week between two and since the last: a clock that is a year ahead
        for an hour removes no archive, and where nothing new came for a year nothing is urgent.
        """
        begun = [s.created for s in self._journal.segments[1:] if s.created]
        steps = itertools.pairwise([*begun, self._clock.now_ms()])
        return bool(self._keep_ms and begun) and sum(min(max(after - before, 0), _LONGEST_STEP_MS) for before, after in steps) > self._keep_ms

    def _seal(self, segment: Segment, stop: int) -> None:
        new = segment.path.with_name(segment.path.name + ".new")
        try:
            worked = time.thread_time()
            for _ in journal_sealed.seal(segment, stop, journal_segments.keys_of(self._journal.id), self._journal.id, new):
                self._rest((time.thread_time() - worked) * (1 / SHARE - 1))
                if self._stop.is_set():
                    raise _Stopped
                worked = time.thread_time()
            before = segment.path.stat().st_size
            self._journal.replace(segment, new)
        except _Stopped:
            _remove(new)
        except OSError as error:  # a full disk: there is room another time
            _remove(new)
            if segment.base not in self._failed:
                self._failed.add(segment.base)
                log.warning("journal_segment_not_compressed", file=str(segment.path), error=error.strerror or str(error))
        else:
            self._failed.discard(segment.base)
            log.info("journal_segment_compressed", file=str(segment.path), before=before, bytes=segment.path.stat().st_size)


def note_removed(folder: Path, segment: Segment, stop: int, size: int, at: int, why: str) -> None:
    """Write down that a segment is removed, for `canhman journal list`. A full disk is no reason to keep it."""
    line = json.dumps({"from": segment.base, "to": stop, "created": segment.created, "bytes": size, "at": at, "why": why}) + "\n"
    path = folder / REMOVED_FILE
    with contextlib.suppress(OSError):
        if path.exists() and path.stat().st_size > _MOST_REMOVED:
            kept = path.read_text("utf-8").splitlines(keepends=True)
            draft = path.with_name(REMOVED_FILE + ".new")
            draft.write_text("".join(kept[len(kept) // 2 :]), "utf-8")
            draft.replace(path)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)


def removed(folder: Path) -> list[dict[str, Any]]:
    """What was removed, oldest first; a torn line is left out."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        for line in (folder / REMOVED_FILE).read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


class _Stopped(Exception):  # noqa: N818 it is no error
    """The keeper is to end."""
