"""`canhman serve`: addresses, signals, readiness, configuration; in a thread, as `canhman up` runs it, and as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.waiting import until

from adapters.sql import registry
from canhman import heartbeat, serving
from canhman.settings import Settings, read_settings
from canhman.signals import Signals
from core.clock import SimClock
from core.errors import ConfigError, UnavailableError

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.sockets


class Running:
    """A `serve` in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.signals = Signals()
        self.said: list[str] = []
        self.error: BaseException | None = None
        self._settings = settings
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        until(lambda: self.said or self.error is not None or not self.thread.is_alive(), 60, "it started")

    def _run(self) -> None:
        try:
            asyncio.run(serving.serve(self._settings, wait_s=0.5, signals=self.signals, started=self.said.append))
        except BaseException as error:  # noqa: BLE001 the test looks at it
            self.error = error

    @property
    def urls(self) -> list[str]:
        """Of pages and figures."""
        return [word.rstrip(",").removesuffix("/metrics") for word in self.said[0].split() if word.startswith("http")]

    def get(self, path: str, *, of: int = 0, **more: Any) -> httpx.Response:
        """One request over a socket."""
        return httpx.get(f"{self.urls[of]}{path}", timeout=20, **more)

    def stop(self) -> None:
        """Stop, and see that it ends."""
        self.signals.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()


def settings_in(folder: Path, **more: Any) -> Settings:
    """An installation of its own on free ports."""
    return Settings(**({"data": folder / "data", "listen": "127.0.0.1:0", "metrics": "127.0.0.1:0"} | more))


@contextmanager
def serving_in(folder: Path, **more: Any) -> Iterator[Running]:
    """Started, and stopped in the end."""
    running = Running(settings_in(folder, **more))
    try:
        assert running.error is None, running.error
        yield running
    finally:
        running.stop()


def test_it_answers_on_both_addresses_from_any_thread_and_ends_at_a_stop(tmp_path: Path) -> None:
    """Port 0 works and the real addresses are told; figures are not on the pages' port; a stop ends it without an error."""
    with serving_in(tmp_path) as running:
        assert running.get("/healthz").json()["status"] == "ok"
        assert "server" not in running.get("/healthz").headers
        assert running.get("/api/v1/stations").json() == {"items": [], "next": None}
        assert running.get("/metrics").status_code == 404
        figures = running.get("/metrics", of=1)
        assert "canhman_build_info" in figures.text
        assert 'route="/api/v1/stations"' in figures.text
        assert running.get("/", of=1).status_code == 404
        beat = until(lambda: heartbeat.read(tmp_path / "data", "serve"), 10, "a heartbeat")
        assert running.get("/healthz").url.copy_with(path="/") == httpx.URL(beat.facts["address"]).copy_with(path="/"), "doctor tells where it is"
    assert running.error is None


def test_a_header_of_a_proxy_is_not_believed(tmp_path: Path) -> None:
    """X-Forwarded-Proto neither makes the cookie Secure nor X-Forwarded-For another caller."""
    with serving_in(tmp_path) as running:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1", "X-Requested-With": "test"}
        answer = httpx.delete(f"{running.urls[0]}/api/v1/session", headers=headers)
        assert answer.status_code == 204
        assert "secure" not in answer.headers["set-cookie"].lower()


def test_a_header_of_the_proxy_that_is_named_is_believed(tmp_path: Path) -> None:
    """CANHMAN_PROXY: the cookie is Secure, and each caller behind the proxy has a log-in limit of his own."""
    with serving_in(tmp_path, proxy="127.0.0.1, 10.0.0.0/8") as running:
        url = f"{running.urls[0]}/api/v1/session"
        answer = httpx.delete(url, headers={"X-Forwarded-Proto": "https", "X-Requested-With": "test"})
        assert "secure" in answer.headers["set-cookie"].lower()

        def fail(name: str, address: str) -> int:
            headers = {"X-Forwarded-For": address, "X-Requested-With": "test"}
            return httpx.post(url, json={"name": name, "password": "sai roi ma"}, headers=headers, timeout=20).status_code

        assert [fail(f"nguoi{n}", "198.51.100.1") for n in range(21)] == [401] * 20 + [429]
        assert fail("nguoi30", "198.51.100.2") == 401


@pytest.mark.parametrize("name", ["listen", "metrics"])
def test_a_used_port_is_one_line_that_names_its_setting(tmp_path: Path, name: str) -> None:
    """Told at once, before anything is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        running = Running(settings_in(tmp_path, **{name: address}))
        running.stop()
    assert isinstance(running.error, ConfigError)
    assert str(running.error) == f"CANHMAN_{name.upper()}={address}: another program uses this port; stop it, or choose another port"
    assert not running.said


def test_an_address_that_is_not_ours_is_told_too(tmp_path: Path) -> None:
    """192.0.2.1 is nobody's."""
    running = Running(settings_in(tmp_path, listen="192.0.2.1:8000"))
    running.stop()
    assert isinstance(running.error, ConfigError)
    assert str(running.error).startswith("CANHMAN_LISTEN=192.0.2.1:8000: ")


def test_a_server_that_is_missing_at_start_is_waited_for_and_then_told(tmp_path: Path) -> None:
    """UnavailableError after `wait_s`; the port is free again."""
    running = Running(settings_in(tmp_path, store="influxdb://127.0.0.1:9/canhman"))
    running.stop()
    assert isinstance(running.error, UnavailableError)


def test_ready_tells_of_services_that_ran_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red where ingest names a trouble or a service has gone quiet; one that never ran here is nobody's matter."""
    monkeypatch.setattr(serving, "READY_FOR_S", 0.0)
    data = tmp_path / "data"
    with serving_in(tmp_path) as running:
        assert running.get("/readyz").json() == {"ready": True, "red": []}
        heartbeat.write(data, "ingest", {"broker": "away since ten"}, {"bytes_behind": 5, "readings_written": 9})
        heartbeat.write(data, "forecast", {}, {})
        answer = running.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "red": ["ingest"]})
        assert running.get("/readyz", of=1).json()["troubles"] == {"ingest": "broker: away since ten"}
        assert "canhman_readings_written_total 9.0" in running.get("/metrics", of=1).text
        heartbeat.write(data, "ingest", {}, {})
        assert running.get("/readyz").status_code == 200
        beat = json.loads((data / "forecast.heartbeat.json").read_text())
        (data / "forecast.heartbeat.json").write_text(json.dumps(beat | {"at": time.time() - 60, "born": "0"}))  # its process is gone
        assert running.get("/readyz").json()["red"] == ["forecast"]
        assert "canhman forecast" in running.get("/readyz", of=1).json()["troubles"]["forecast"]


def test_readiness_is_asked_anew_only_every_two_seconds() -> None:
    """Strangers who ask a thousand times make the store answer once."""
    asked = 0

    class Port:
        async def version(self) -> int:
            nonlocal asked
            asked += 1
            return 1

        async def ping(self) -> None:
            raise UnavailableError("the store is away")

    async def burst() -> list[dict[str, str]]:
        ready = serving.Readiness(Port(), Port(), Path("/nowhere"))  # type: ignore[arg-type]  # as much of the ports as is asked
        return await asyncio.gather(*(ready.ask() for _ in range(100)))

    answers = asyncio.run(burst())
    assert asked == 1
    assert answers == [{"store": "the store is away"}] * 100


def test_a_store_that_stands_still_is_told_within_two_seconds_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for its whole patience; nothing piles up before it; once it goes on it is asked anew."""
    monkeypatch.setattr(serving, "READY_FOR_S", 0.0)
    monkeypatch.setattr(serving, "ANSWER_S", 0.02)
    asked = 0

    class Port:
        def __init__(self) -> None:
            self.goes = asyncio.Event()

        async def version(self) -> int:
            return 1

        async def ping(self) -> None:
            nonlocal asked
            asked += 1
            await self.goes.wait()

    async def story() -> None:
        port = Port()
        ready = serving.Readiness(port, port, Path("/nowhere"))  # type: ignore[arg-type]  # as much of the ports as is asked
        for _ in range(3):
            (told,) = (await ready.ask()).items()
            assert told[0] == "store"
            assert "not answered within" in told[1]
        assert asked == 1
        port.goes.set()
        assert await ready.ask() == {}
        assert asked == 2

    asyncio.run(story())


def test_a_database_that_goes_away_while_running_is_503_and_then_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing exits: pages and API answer 503 with Retry-After, readyz names the part, and all is well again afterwards."""
    monkeypatch.setattr(serving, "READY_FOR_S", 0.0)

    def away(connection: object) -> int:
        raise UnavailableError("the database is away")

    with serving_in(tmp_path) as running:
        assert running.get("/api/v1/stations").status_code == 200
        with monkeypatch.context() as patch:
            patch.setattr(registry, "version_at_once", away)
            until(lambda: running.get("/api/v1/stations").status_code == 503, 10, "503")  # what was read is shown for a second
            assert running.get("/api/v1/stations").headers["retry-after"] == "5"
            assert running.get("/readyz").json()["red"] == ["database"]
            assert running.get("/healthz").status_code == 200
        assert running.get("/api/v1/stations").status_code == 200
        assert running.get("/readyz").json()["red"] == []


def test_risk_toml_is_read_again_at_a_hangup_and_a_broken_one_keeps_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP takes in new numbers; a file that cannot be read changes nothing."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "risk.toml").write_text("limit = 1.0\n")
    monkeypatch.setenv("CANHMAN_CONFIG", str(folder))
    risk = serving.numbers(read_settings())
    first = risk.current
    (folder / "risk.toml").write_text("limit = 0.5\n")
    risk.again()
    assert risk.current.limit == 0.5
    assert risk.current.hash != first.hash
    kept = risk.current
    (folder / "risk.toml").write_text("limit = \n")
    risk.again()
    assert risk.current is kept


def test_the_speed_is_the_clocks() -> None:
    """A simulated clock tells how fast it runs; one that stands still tells 0."""
    assert serving.speed_of(SimClock(0, 600.0)) == pytest.approx(600.0)
    assert serving.speed_of(SimClock(0, 0.0)) == 0.0


def test_the_command_serves_until_sigterm_and_exits_with_0(tmp_path: Path) -> None:
    """As a process: the line with its address, an answer, SIGTERM, exit code 0; a used port exits with 1 and one line."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_")}
    env = clean | {"CANHMAN_DATA": str(tmp_path / "data"), "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    free = {"CANHMAN_LISTEN": "127.0.0.1:0", "CANHMAN_METRICS": "127.0.0.1:0"}
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "canhman", "serve"], env=env | free, stdout=out, stderr=out, cwd=tmp_path)
    try:
        until(lambda: "figures at" in log.read_text() or process.poll() is not None, 60, log.read_text)
        url = next(word for word in log.read_text().split() if word.startswith("http")).rstrip(",")
        assert httpx.get(f"{url}/healthz", timeout=20).status_code == 200
        used = env | free | {"CANHMAN_LISTEN": url.removeprefix("http://")}
        second = subprocess.run([sys.executable, "-m", "canhman", "serve"], env=used, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
        assert second.returncode == 1
        assert second.stderr.startswith("canhman: CANHMAN_LISTEN=")
        assert second.stderr.count("\n") == 1
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "Traceback" not in log.read_text()
