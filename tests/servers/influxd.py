"""Debian's influxd 1.6 on free loopback ports in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.ports import free_port
from servers.waiting import until

_CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{http}"
log-enabled = false
auth-enabled = {auth}
max-body-size = {max_body}
"""


class InfluxD:
    """A server that can be stopped, killed and started again on the same folder and ports.

    `admin` = (user, password) turns authentication on. `max_body` is the largest write taken [bytes].
    """

    def __init__(self, folder: Path, *, admin: tuple[str, str] | None = None, max_body: int = 25_000_000) -> None:
        self._binary = shutil.which("influxd")
        if self._binary is None:
            reason = "no influxd here (Debian package influxdb)"
            if os.environ.get("REQUIRE_SERVERS") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._admin = admin
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        rpc = free_port()
        while rpc == self.port:
            rpc = free_port()
        auth = "true" if admin else "false"
        self._config = folder / "influxdb.conf"
        self._config.write_text(_CONFIG.format(folder=folder, http=self.port, rpc=rpc, auth=auth, max_body=max_body))

    def start(self) -> InfluxD:
        """Start and wait until it answers; makes the admin where there is none yet."""
        assert self._binary is not None
        self._http = httpx.Client(base_url=self.url, auth=self._admin, timeout=60, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        with (self.folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, "-config", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"influxd did not start: {(self.folder / 'influxd.log').read_text()[-2000:]}")
            time.sleep(0.02)  # nothing to await: it says only by answering that it is up
        if self._admin:
            self.query(f"CREATE USER {self._admin[0]} WITH PASSWORD '{self._admin[1]}' WITH ALL PRIVILEGES")
        return self

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: it takes connections and never answers. On a busy machine its threads stop one after the other: until all have."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self._process.pid}/task")
        until(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in tasks.glob("*/stat")), 10, "influxd stands still")

    def resume(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def query(self, q: str, *, db: str = "") -> list[dict[str, Any]]:
        """Plain InfluxQL, past our own code; the series of all statements, times in ms."""
        answer = self._http.post("/query", data={"q": q, "db": db, "epoch": "ms"})
        answer.raise_for_status()
        results = answer.json()["results"]
        errors = [r["error"] for r in results if "error" in r]
        assert not errors, errors
        return [series for result in results for series in result.get("series", [])]

    def _answers(self) -> bool:
        try:
            return self._http.get("/ping", timeout=5).status_code == 204
        except httpx.TransportError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._http.close()
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(30)
        self._process = None
