"""A real Mosquitto on a free loopback port with its own folder, started, stopped, killed and started again by a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest
from servers.ports import free_port

_START_S = 15.0
_LISTENS = " running\n"


def binary() -> str:
    """Where mosquitto is; skips the test where it is nowhere, or fails it with REQUIRE_SERVERS=1."""
    # Debian puts it in /usr/sbin, which is not on the PATH of a plain user
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if found is None:
        why = "mosquitto is not installed (Debian: apt-get install mosquitto mosquitto-clients)"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return found


class Mosquitto:
    """One broker; its folder and port stay the same over stop, kill and start. Use it as a context manager.

    `config` is added to a plain base (a listener, anonymous, persistent); `whole` replaces the base and must itself
    listen on `port`. `users` and `acl` are the texts of a password and an ACL file, which then bind.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: str = "",
        whole: str | None = None,
        users: str | None = None,
        acl: str | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.users_path = folder / "users"
        self.acl_path = folder / "acl"
        self._config, self._whole, self._users, self._acl = config, whole, users, acl
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the broker wrote so far."""
        path = self.folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it listens: this one, not whoever else may answer on the port."""
        assert self._process is None, "already running"
        program = binary()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_users(self._users, self._acl)
        (self.folder / "mosquitto.conf").write_text(self._configuration())
        before = self.log.count(_LISTENS)
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while self.log.count(_LISTENS) == before:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"mosquitto did not start on port {self.port}:\n{self.log}")
            time.sleep(0.01)  # there is no event to wait for: another process binds the port and writes that it did

    def write_users(self, users: str | None, acl: str | None) -> None:
        """Write the password and ACL files (None leaves one as it is); they count from the next `start` or `reload`."""
        for text, path in ((users, self.users_path), (acl, self.acl_path)):
            if text is not None:
                path.write_text(text)
        self._users, self._acl = users or self._users, acl or self._acl

    def reload(self) -> None:
        """Have it read password and ACL files again (SIGHUP), and wait until its log says so."""
        assert self._process is not None, "not running"
        before = self.log.count("Reloading config")
        self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _START_S
        while self.log.count("Reloading config") == before:
            if time.monotonic() > deadline:
                raise RuntimeError(f"mosquitto did not reload:\n{self.log}")
            time.sleep(0.01)

    def stop(self) -> None:
        """SIGTERM: it saves its queues and goes."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what it has not saved is gone."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _configuration(self) -> str:
        lines = [] if self._whole is None else [self._whole]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user that may not write here
        if self._whole is None:
            lines += [f"listener {self.port} {self.host}", f"allow_anonymous {'true' if self._users is None else 'false'}"]
            lines += ["persistence true", f"persistence_location {self.folder}/", "autosave_interval 1"]
            if self._users is not None:
                lines.append(f"password_file {self.users_path}")
            if self._acl is not None:
                lines.append(f"acl_file {self.acl_path}")
            lines += ["log_type all", self._config]
        return "\n".join(lines) + "\n"
