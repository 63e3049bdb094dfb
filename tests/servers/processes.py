"""Processes that run `python WORDS…`: forked off a server that has loaded the program already, where a test session has one."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

ROOT = Path(__file__).parents[2]
_SERVER = Path(__file__).with_name("fork_server.py")
START_S = 120.0
_open: list[socket.socket] = []  # the server's other end; empty: every process is started as ever


class Forked:
    """A process the server forked, with what tests use of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], report: socket.socket) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        self._report = report
        self.pid = int(report.recv(64))

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code once it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def _end(self) -> None:
        with self._report:
            told = self._report.recv(64)
            assert told, "the fork server has gone"
            self.returncode = int(told)

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[bytes] | Forked


@contextmanager
def fork_server(bytecode: Path) -> Iterator[None]:
    """While it is open, `start` and `run` fork. Linux; elsewhere it does nothing."""
    if sys.platform != "linux":
        yield
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_") and k != "PYTHONDONTWRITEBYTECODE"}
    env = clean | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(bytecode)}
    with theirs:
        words = [sys.executable, str(_SERVER), str(theirs.fileno())]
        server = subprocess.Popen(words, pass_fds=[theirs.fileno()], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        ours.settimeout(START_S)
        assert ours.recv(64) == b"ready", "the fork server did not start: what it says is on standard error"
        _open.append(ours)
        yield
    finally:
        _open.clear()
        ours.close()
        server.wait(30)


def start(words: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None, out: IO[bytes], err: IO[bytes] | None = None) -> Process:
    """`python WORDS…` beside the test, with nothing on standard input; what it says goes to `out`, its errors too unless `err` is given."""
    if not _open or env.get("PYTHONPATH") != str(ROOT):
        return subprocess.Popen([sys.executable, *words], env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err or out)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, open(os.devnull, "rb") as nothing:
        asked = json.dumps({"words": list(words), "env": dict(env), "cwd": str(cwd or Path.cwd())}).encode()
        socket.send_fds(_open[0], [asked], [nothing.fileno(), out.fileno(), (err or out).fileno(), theirs.fileno()])
    return Forked(words, ours)


def run(words: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """`python WORDS…` to its end. Raises subprocess.TimeoutExpired, and then it is killed."""
    with TemporaryFile() as out, TemporaryFile() as err:
        process = start(words, env=env, cwd=cwd, out=out, err=err)
        try:
            code = process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
        return subprocess.CompletedProcess(process.args, code, *said)
