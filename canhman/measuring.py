"""What a run cost and how long it took: CPU and memory of processes by /proc, and a clock on the store's cursor.

The cursor is asked, not the store: counting queries would slow what is measured. It is read past our own code.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_RECORD = 64  # bytes of one journal's place in the cursor file; the position stands at byte 24


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, all its threads; 0 where it is gone or /proc is not there."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mb(pid: int) -> float:
    """Memory in RAM now [MiB]."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0.0


def listener_pid(port: int) -> int | None:
    """The process that listens on this TCP port of this machine; None where there is none, or we may not look."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for row in Path(table).read_text().splitlines()[1:]:
                words = row.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{words[9]}]")
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            if any(os.readlink(entry) in inodes for entry in (folder / "fd").iterdir()):
                return int(folder.name)
    return None


def influx_cursor(path: Path) -> Callable[[], int]:
    """The cursor of the only journal in the file beside it."""

    def read() -> int:
        with suppress(OSError):
            data = path.read_bytes()
            return max((int(struct.unpack_from("<Q", data, at + 24)[0]) for at in range(0, len(data) - _RECORD + 1, _RECORD)), default=0)
        return 0

    return read


def sqlite_cursor(path: Path) -> Callable[[], int]:
    """The cursor in the store's file."""

    def read() -> int:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            return max((int(row[0]) for row in db.execute("SELECT position FROM cursor")), default=0)
        return 0

    return read


@dataclass(slots=True)
class CursorClock:
    """A thread that looks at a cursor every `every_s` and notes when it moved; and at a process's memory."""

    read: Callable[[], int]
    pid: int = 0
    every_s: float = 0.001
    moves: list[tuple[float, int]] = field(default_factory=list)  # (monotonic s, position)
    most_mb: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> CursorClock:
        """Begin."""
        self.moves = [(time.monotonic(), self.read())]
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def position(self) -> int:
        """The last seen."""
        return self.moves[-1][1]

    def _work(self) -> None:
        looked = 0.0
        while not self._over.wait(self.every_s):
            position = self.read()
            now = time.monotonic()
            if position != self.moves[-1][1]:
                self.moves.append((now, position))
            if self.pid and now - looked > 0.05:
                looked = now
                self.most_mb = max(self.most_mb, resident_mb(self.pid))


def speed(moves: list[tuple[float, int]], count: int, end: int) -> float:
    """Messages a second while the cursor went from its first move to `end`; `count` messages lie between where it stood and there."""
    begin = moves[0][1]
    moved = [move for move in moves[1:] if move[1] > begin]
    last = next((move for move in moved if move[1] >= end), moved[-1] if moved else moves[0])
    if not moved or last[0] <= moved[0][0]:
        return 0.0
    return count * (last[1] - moved[0][1]) / (end - begin) / (last[0] - moved[0][0])
