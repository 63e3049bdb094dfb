"""A world of the fault suite whose ingest is one of the scripts, kept alive by a supervisor as systemd would."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from servers.influxd import InfluxD
from servers.mosquitto import Mosquitto
from servers.waiting import until

from bench.faults.world import BROKER, SETTLE_S, Stored, influx_rows
from bench.load import ROOT
from bench.load.readings import Reading, encoded
from bench.load.sender import Sender

DATABASE = "scripts"
QUIET_S = 8.0  # the library tries a failed batch again after 5 s
# what `canhman broker init` writes of limits: the scripts shall not lose by Mosquitto's own
CONFIG = "max_queued_messages 1000000000\nmax_queued_bytes 2147483648\nmax_inflight_messages 1000\nlog_type error"
_numbers = itertools.count(1)


class PeerWorld:
    """`form` is `synchronous` or `batching`."""

    kind = BROKER

    def __init__(self, folder: Path, form: str) -> None:
        self.name = f"script, {form}"
        self.form = form
        self.influx = InfluxD(folder / "influx").start()
        self.influx.query(f"CREATE DATABASE {DATABASE}")
        self.broker = Mosquitto(folder / "mosquitto", config=CONFIG)
        self.broker.start()
        self.log_path = folder / "script.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._watch: threading.Thread | None = None
        self.restarts = 0

    def start(self) -> None:
        """And again whenever it ends by itself."""
        self._wanted = True
        self._launch()
        self._watch = threading.Thread(target=self._supervise, daemon=True)
        self._watch.start()

    def _launch(self) -> None:
        before = self._log().count("subscribed")
        with self.log_path.open("ab") as log:
            words = [sys.executable, "-m", "bench.peers.script", self.form, str(self.broker.port), str(self.influx.port), DATABASE]
            self._process = subprocess.Popen(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)
        process = self._process
        until(lambda: self._log().count("subscribed") > before or process.poll() is not None, 30, lambda: f"the script subscribes:\n{self._log()[-2000:]}")

    def _supervise(self) -> None:
        while self._wanted:
            if self._process is not None and self._process.poll() is not None:
                self.restarts += 1
                time.sleep(0.5)
                if self._wanted:
                    self._launch()
            time.sleep(0.05)

    @property
    def connected_at(self) -> float:
        """When it last was [monotonic s]."""
        return float(re.findall(r"^connected ([\d.]+)$", self._log(), re.MULTILINE)[-1])

    def _log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _unwatch(self) -> None:
        self._wanted = False
        if self._watch is not None:
            self._watch.join(60)
            self._watch = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the script."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9; nobody starts it again but `start`."""
        self._unwatch()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def down(self) -> None:
        """Ended."""
        self.kill()

    def stop(self) -> int:
        """SIGTERM."""
        self._unwatch()
        assert self._process is not None
        process, self._process = self._process, None
        process.terminate()
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def sender(self, found: Sequence[Reading], *, window: int = 200, rate: float | None = None, repeat: int = 0) -> Sender:
        """A publisher of these, not started."""
        return Sender("127.0.0.1", self.broker.port, encoded(found), client_id=f"load-{next(_numbers)}", window=window, rate=rate, repeat=repeat)

    def stored(self, tag: str) -> list[Stored]:
        """What InfluxDB has."""
        return influx_rows(self.influx, DATABASE, tag)

    def count(self) -> int:
        """Rows so far."""
        found = self.influx.query('SELECT count("ec") FROM "water"', db=DATABASE)
        return int(found[0]["values"][0][1]) if found else 0

    def settle(self, timeout: float = SETTLE_S) -> None:
        """Nothing more has come for so long that nothing more will."""
        deadline = time.monotonic() + timeout
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_S and time.monotonic() < deadline:
            now = self.count()
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.2)

    def store_paused(self, seconds: float) -> None:
        """SIGSTOP, SIGCONT."""
        self.influx.pause()
        time.sleep(seconds)
        self.influx.resume()

    def store_stopped(self, seconds: float) -> None:
        """SIGTERM of influxd, and a new start."""
        self.influx.stop()
        time.sleep(seconds)
        self.influx.start()

    def close(self) -> None:
        """End every process."""
        self.kill()
        self.broker.kill()
        self.influx.kill()
