"""A terminal somebody sits at: a pseudo-terminal of a given size, a command in it, and keys pressed in it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CTRL_C = b"\x03"


class Terminal:
    """`words` run in it as in a shell's foreground: Ctrl-C reaches all of them. What was shown so far is in `shown`."""

    def __init__(self, words: Sequence[str], *, folder: Path, env: Mapping[str, str], columns: int = 140, lines: int = 40) -> None:
        self.words = words
        self._seen = b""
        self._keys, screen = pty.openpty()
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        colour = {k: v for k, v in env.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")} | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        # setsid makes the terminal theirs, so that a key can interrupt them
        self.process = subprocess.Popen(["setsid", "--ctty", "--wait", *words], cwd=folder, env=colour, stdin=screen, stdout=screen, stderr=screen)
        os.close(screen)

    @property
    def shown(self) -> str:
        """Everything that was written to it, with its control sequences."""
        return self._seen.decode("utf-8", errors="replace")

    def read(self, seconds: float = 0.1) -> bool:
        """Take in what is written within `seconds`; whether it is still open. What nobody reads would hold the command up."""
        if select.select([self._keys], [], [], seconds)[0]:
            try:
                self._seen += os.read(self._keys, 65_536)
            except OSError:  # the other end is closed
                return False
        return True

    def wait_for(self, mark: str, seconds: float, times: int = 1) -> None:
        """Until `mark` was shown so many times."""
        deadline = time.monotonic() + seconds
        while self.shown.count(mark) < times:
            assert self.read(), f"it ended without {mark!r}:\n{self.shown[-4000:]}"
            assert time.monotonic() < deadline, f"no {mark!r} within {seconds:.0f} s:\n{self.shown[-4000:]}"

    def press(self, keys: bytes) -> None:
        """As somebody presses them."""
        os.write(self._keys, keys)

    def ended(self, seconds: float = 20.0) -> int:
        """Wait for its end; the exit code."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
        while self.read(0) and select.select([self._keys], [], [], 0)[0]:
            pass
        return self.process.wait(1)

    def close(self) -> None:
        """Close the window: what still runs in it gets SIGHUP, and is killed where that does not end it."""
        os.close(self._keys)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
