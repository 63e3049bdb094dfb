"""Sessions on disk: one file of lines, each a crc and a session as JSON; the last line of a session counts.

A new session is handed to the system before its client hears of it, so that a `kill -9` of ours forgets none; a change is
written within a second. Both reach the disk itself within seconds: a power cut may forget the youngest. A damaged line is
skipped. Where the disk refuses, it is said once and sessions live in memory, as without a file.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from zlib import crc32

import structlog

from adapters.listener_sessions import FOREVER, Key, Session

log = structlog.get_logger(__name__)

_LATE_S = 1.0
_LEAST_LINES = 10_000  # before the file is written anew, which it is at twice as many lines as sessions


class SessionFile:
    """A `listener_sessions.Book` in a file. All calls belong into the loop it was opened in."""

    def __init__(self, path: Path, *, wall: Callable[[], float] = time.time) -> None:
        self._path = path
        self._wall = wall
        self._loop: asyncio.AbstractEventLoop
        self._fd = -1
        self._lines: dict[Key, bytes] = {}  # what stands in the file of each
        self._waiting: list[bytes] = []
        self._since: list[bytes] | None = None  # written while the file is being made anew
        self._written = 0
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._said = False
        self._torn = False  # the last write was cut short: the next begins a line of its own

    def open(self) -> dict[Key, Session]:
        """The sessions that last, on the loop's clock; from now on changes are taken."""
        self._loop = asyncio.get_running_loop()
        now, wall = self._loop.time(), self._wall()
        found: dict[Key, Session] = {}
        try:
            for line in self._path.read_bytes().split(b"\n") if self._path.exists() else ():
                self._read(line, found, now - wall)
            kept = {}
            for key, session in found.items():
                session.until = session.until or now + session.expiry_s
                if session.until > now:
                    kept[key] = session
            self._lines = {key: self._line(key, session) for key, session in kept.items()}
            self._replace(list(self._lines.values()))
        except OSError as error:
            self._trouble(error)
            return found
        return kept

    def close(self) -> None:
        """Write what waits."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def keep(self, key: Key, session: Session) -> None:
        """A new session: written before this returns."""
        self.note(key, session)
        self._flush()

    def note(self, key: Key, session: Session | None) -> None:
        """A change, written within a second."""
        if session is None:
            if self._lines.pop(key, None) is None:
                return
            line = self._line(key, None)
        else:
            line = self._line(key, session)
            if self._lines.get(key) == line:
                return
            self._lines[key] = line
        if self._fd < 0:
            return
        self._waiting.append(line)
        if self._timer is None:
            self._timer = self._loop.call_later(_LATE_S, self._late)

    # ------------------------------------------------------------ lines

    def _line(self, key: Key, session: Session | None) -> bytes:
        fields: list[object] = [*key]
        if session:
            until = 0 if not session.until or session.until == FOREVER else round(session.until - self._loop.time() + self._wall(), 3)
            fields += [-1 if session.expiry_s == FOREVER else session.expiry_s, until, *sorted(session.subscriptions)]
        text = json.dumps(fields, separators=(",", ":")).encode()
        return b"%08x %s\n" % (crc32(text), text)

    @staticmethod
    def _read(line: bytes, found: dict[Key, Session], ahead: float) -> None:
        """Take in one line; `ahead` turns the wall's time into the loop's."""
        crc, _, text = line.partition(b" ")
        if not text or crc != b"%08x" % crc32(text):
            return
        principal, client_id, *rest = json.loads(text)
        key = principal, client_id
        found.pop(key, None)  # a later line puts it last
        if rest:
            expiry_s, until, *subscriptions = rest
            lasts = FOREVER if expiry_s < 0 else float(expiry_s)
            found[key] = Session(expiry_s=lasts, subscriptions=set(subscriptions), until=until + ahead if until else 0.0)

    # ------------------------------------------------------------ writing

    def _late(self) -> None:
        self._timer = None
        self._flush()
        if self._task is None or self._task.done():
            anew = self._written > max(_LEAST_LINES, 2 * len(self._lines))
            self._task = self._loop.create_task(self._make_anew() if anew else self._sync())

    def _flush(self) -> None:
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        if self._since is not None:
            self._since.append(data)
        self._written += len(self._waiting)
        self._waiting.clear()
        try:
            done = os.write(self._fd, b"\n" + data if self._torn else data)
            self._torn = done < len(data)
        except OSError as error:
            self._trouble(error)

    async def _sync(self) -> None:
        if self._fd >= 0:
            fd = os.dup(self._fd)
            try:
                await asyncio.to_thread(os.fdatasync, fd)
            except OSError as error:
                self._trouble(error)
            finally:
                os.close(fd)

    async def _make_anew(self) -> None:
        """The file without what is over: written beside, in a thread, and what came meanwhile behind it."""
        lines, self._since = list(self._lines.values()), []
        new = self._path.with_suffix(".new")
        try:
            fd = await asyncio.to_thread(_write, new, lines)
            os.write(fd, b"".join(self._since))
            self._swap(new, fd, len(lines))
        except OSError as error:
            self._trouble(error)
        finally:
            self._since = None

    def _replace(self, lines: list[bytes]) -> None:
        new = self._path.with_suffix(".new")
        self._swap(new, _write(new, lines), len(lines))

    def _swap(self, new: Path, fd: int, written: int) -> None:
        new.replace(self._path)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._written, self._said, self._torn = fd, written, False, False

    def _trouble(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            log.error("mqtt sessions are not written down: a restart would forget them", path=str(self._path), error=error.strerror or str(error))


def _write(path: Path, lines: Iterable[bytes]) -> int:
    """Write the lines down to the disk; the file, open at its end."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        data = memoryview(b"".join(lines))
        while data:
            data = data[os.write(fd, data) :]
        os.fsync(fd)
    except OSError:
        os.close(fd)
        raise
    return fd
