"""`canhman up` as a process: all services from one command, on both set-ups; what keeps one from starting, a stop, a reload, a fault."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from servers import processes
from servers.installation import Installation, ListenerSqlite, MosquittoInflux
from servers.ports import free_port
from servers.waiting import until

pytestmark = pytest.mark.servers


class Up:
    """One `canhman up` of an installation."""

    def __init__(self, rig: Installation) -> None:
        self.rig = rig
        self.port, self.metrics = free_port(), free_port()
        self.env = rig.env | {"CANHMAN_LISTEN": f"127.0.0.1:{self.port}", "CANHMAN_METRICS": f"127.0.0.1:{self.metrics}", "CANHMAN_ENROL_PUBLIC": "1"}
        self.log_path = rig.folder / "up.log"
        self.process: processes.Process | None = None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self, *options: str) -> None:
        with self.log_path.open("ab") as log:
            self.process = processes.start(["-m", "canhman", "up", *options], env=self.env, cwd=self.rig.folder, out=log)

    def wait_started(self) -> None:
        names = ("ingest", "forecast", "alerts", "serve")
        until(lambda: all(f"canhman {name}:" in self.log for name in names) or not self.runs, 60, lambda: self.log[-4000:])
        assert self.runs, self.log[-4000:]

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self, number: int = signal.SIGTERM, seconds: float = 15.0) -> tuple[int, float]:
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(seconds), time.monotonic() - begun

    def ask(self, path: str) -> int:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}").status_code

    def stations(self) -> dict[str, dict[str, object]]:
        return {s["id"]: s["risk"] for s in httpx.get(f"http://127.0.0.1:{self.port}/api/v1/stations").json()["items"]}


@contextmanager
def up_of(rig: Installation) -> Iterator[Up]:
    """Killed in the end where it still runs."""
    one = Up(rig)
    try:
        yield one
    finally:
        if one.process is not None and one.runs:
            one.process.kill()
            one.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_reading_becomes_a_verdict_and_a_stop_ends_it(rig: Installation, number: int) -> None:
    """Published, judged, shown with a verdict; then exit code 0 within seconds, nothing left running."""
    with up_of(rig) as up:
        up.start()
        up.wait_started()
        rig.publish("kl01", '{"age_s": 0, "boot": 1, "seq": 1, "readings": {"water.ec": 0.6, "water.temperature": 28.4}}')
        until(lambda: up.stations().get("kl01", {}).get("reason") == "no_forecast", 20, lambda: f"{up.stations()}\n{up.log[-3000:]}", every=0.2)
        figures = httpx.get(f"http://127.0.0.1:{up.metrics}/metrics").text
        assert "canhman" in figures
        code, seconds = up.end(number)
        assert code == 0, up.log[-3000:]
        assert seconds < 10
        assert "Traceback" not in up.log
    assert [row.station for row in rig.rows() if row.quantity == "water.ec"] == ["kl01"]


def test_one_that_cannot_start_ends_the_whole(listener_sqlite: ListenerSqlite) -> None:
    """A taken HTTP port: one line that names it, exit code 1; the listener's port is free again."""
    with up_of(listener_sqlite) as up, socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", up.port))
        taken.listen()
        up.start()
        assert up.process is not None
        assert up.process.wait(60) == 1
        [last] = [line for line in up.log.splitlines() if line.startswith("canhman: ")]
        assert str(up.port) in last
        assert "Traceback" not in up.log
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(listener_sqlite.env["CANHMAN_BROKER"].rpartition(":")[2])))


def test_a_stop_while_it_waits_for_a_server(mosquitto_influx: MosquittoInflux) -> None:
    """InfluxDB is away, `--wait 60` runs: a stop ends it at once, with exit code 0."""
    mosquitto_influx.influx.stop()
    with up_of(mosquitto_influx) as up:
        up.start("--wait", "60")
        until(lambda: "waiting up to" in up.log, 30, lambda: up.log)
        code, seconds = up.end()
        assert code == 0, up.log
        assert seconds < 5


def test_a_store_that_goes_away_ends_nothing(mosquitto_influx: MosquittoInflux) -> None:
    """While running: pages and API go on, /readyz says what is away, and what came meanwhile is stored afterwards."""
    rig = mosquitto_influx
    with up_of(rig) as up:
        up.start()
        up.wait_started()
        with rig.store_away():
            rig.publish("kl02", '{"age_s": 0, "boot": 1, "seq": 1, "readings": {"water.ec": 0.6}}')
            until(lambda: up.ask("/readyz") == 503, 30, lambda: up.log[-3000:], every=0.3)
            assert up.ask("/healthz") == 200
            assert up.runs
        until(lambda: any(row.station == "kl02" for row in rig.rows()), 60, lambda: up.log[-3000:], every=0.5)
        until(
            lambda: httpx.get(f"http://127.0.0.1:{up.port}/readyz").status_code == 200,
            60,
            lambda: httpx.get(f"http://127.0.0.1:{up.port}/readyz").text,
            every=0.5,
        )
        assert up.end()[0] == 0


def test_a_hangup_reads_the_configuration_again(listener_sqlite: ListenerSqlite) -> None:
    """SIGHUP reaches every service of the process, and ends none."""
    folder = listener_sqlite.folder / "config"
    folder.mkdir()
    (folder / "risk.toml").write_text("limit = 1.0\n")
    with up_of(listener_sqlite) as up:
        up.env["CANHMAN_CONFIG"] = str(folder)
        up.start()
        up.wait_started()
        listener_sqlite.publish("kl01", '{"age_s": 0, "boot": 1, "seq": 1, "readings": {"water.ec": 0.6}}')
        until(lambda: up.stations().get("kl01", {}).get("limit") == 1.0, 20, lambda: up.log[-3000:], every=0.2)
        (folder / "risk.toml").write_text("limit = 0.25\n")
        assert up.process is not None
        os.kill(up.process.pid, signal.SIGHUP)
        until(lambda: up.stations()["kl01"]["limit"] == 0.25, 10, lambda: up.log[-3000:], every=0.2)
        assert up.end()[0] == 0
