"""T19: answers of a store that look like success are none: what they were for waits in the journal, and /readyz says so meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from adapters.influx import InfluxStore
from adapters.journal import FileJournal
from adapters.sql.database import open_database
from adapters.sql.schema import prepare
from canhman import heartbeat, ingest_pulse
from canhman.configuration import read_qc
from canhman.ingest_pulse import Pulse
from canhman.serving import services, trouble_of
from canhman.settings import Settings
from core.clock import SystemClock, rfc3339
from core.message import Message
from ingest.health import Health
from ingest.meters import Meters
from ingest.pipeline import Processor
from ingest.run import Worker

pytestmark = pytest.mark.sockets

NOON = 1_772_420_400_000
LIKE_SUCCESS = ("page", "redirect", "json", "reset", "slow")


class Store(ThreadingHTTPServer):
    """Answers questions as InfluxDB 1.x does, and writes as scripted, then with 204; keeps the lines it took."""

    daemon_threads = True

    def __init__(self, script: tuple[str, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.script = list(script)
        self.lines: set[str] = set()
        self.over = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        """A question."""
        self._say(200, "application/json", json.dumps({"results": [{"statement_id": 0}]}))

    def do_POST(self) -> None:
        """A write, or a question."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        if urlsplit(self.path).path != "/write":
            self.do_GET()
            return
        match self.server.script.pop(0) if self.server.script else "":
            case "page":
                self._say(200, "text/html", "<html>log in</html>")
            case "redirect":
                self._say(302, "text/plain", "", location="/login")
            case "json":
                self._say(200, "application/json", '{"status": "ok"}')
            case "reset":
                self.connection.close()
            case "slow":
                self.server.over.wait(5)  # and nothing: by then nobody listens
            case _:
                self.server.lines.update(body.splitlines())
                self._say(204, "", "")

    def _say(self, status: int, kind: str, body: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"content-type": kind} if kind else {} | headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Not on standard error."""


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(LIKE_SUCCESS) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def test_only_204_is_success(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red by each of them, in ingest's own words and at /readyz; then everything is stored, nothing is lost, and it is green."""
    settings = Settings(data=tmp_path)
    prepare(settings.database_url)
    db = open_database(settings.database_url)
    journal = FileJournal(tmp_path / "journal")
    journal.open()
    influx = InfluxStore(
        f"http://127.0.0.1:{store.server_port}", database="canhman", api="v1", cursor_path=tmp_path / "influx.cursor", shared=False, timeout=0.3
    )
    health, meters = Health(lambda part, trouble: None), Meters()
    processor = Processor(journal=journal, store=influx, database=db, config=read_qc(None), clock=SystemClock(), mode="open", public=False)
    worker = Worker(processor=processor, journal=journal, database=db, judge=None, health=health, meters=meters)
    bodies = [json.dumps({"time": rfc3339(NOON + n * 60_000), "readings": {"water.ec": 2.0 + n}}) for n in range(3)]
    journal.append([Message("canhman/default/kl01/telemetry", body.encode(), NOON) for body in bodies])
    red: list[str] = []

    def pause(seconds: float) -> None:
        """The worker waits: what is told now, to whoever asks /readyz?"""
        heartbeat.write(tmp_path, "ingest", health.troubles, {})
        red.append(trouble_of("ingest", services(tmp_path)["ingest"]))
        assert processor.cursor == 0
        assert store.lines == set()

    monkeypatch.setattr(worker, "_pause", pause)

    def nothing_more(position: int, timeout: float) -> bool:
        worker.stop()
        return False

    monkeypatch.setattr(journal, "wait_for", nothing_more)

    async def run() -> None:
        await influx.open()
        await worker.run()
        await influx.close()

    asyncio.run(run())
    assert len(red) == len(LIKE_SUCCESS)
    assert all(text.startswith("store: ") and f":{store.server_port}" in text for text in red)
    assert (processor.cursor, meters.stored) == (journal.end, 3)
    assert {line.rpartition(" ")[2] for line in store.lines} == {str(NOON + n * 60_000) for n in range(3)}
    assert health.troubles == {}
    journal.close()
    db.close()


def test_the_pulse_tells_lag_and_troubles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind, in messages and time; a lag that grows is red at /readyz, and over when it shrinks; a line a minute in the log."""
    settings = Settings(data=tmp_path)
    prepare(settings.database_url)
    db = open_database(settings.database_url)
    journal = FileJournal(tmp_path / "journal")
    journal.open()
    clock = SystemClock()
    processor = Processor(journal=journal, store=None, database=db, config=read_qc(None), clock=clock, mode="open", public=False)  # type: ignore[arg-type]  # it is not written to
    health, meters = Health(lambda part, trouble: None), Meters()
    pulse = Pulse(settings, journal=journal, processor=processor, source=None, meters=meters, health=health, now=0.0)  # type: ignore[arg-type]  # it is not asked
    assert (pulse.lag_s, pulse.figures()["lag_messages"]) == (0, 0)
    journal.append([Message("canhman/default/kl01/telemetry", b"x" * 200, 1)] * 10)
    meters.received += 10
    meters.kept(10, 0.001)
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(ingest_pulse, "log", SimpleNamespace(info=lambda event, **about: lines.append({"event": event, **about})))

    async def beats(lags: Sequence[int], since: float) -> None:
        for i, lag in enumerate(lags):
            meters.begins(clock.now_ms() - lag * 1000)
            await pulse.beat(since + 2 * i)

    asyncio.run(beats(range(2, 82, 2), 2.0))
    assert "the lag grows" in trouble_of("ingest", services(tmp_path)["ingest"])
    figures = services(tmp_path)["ingest"].figures
    assert figures["lag_messages"] == 10
    assert figures["lag_ms"] >= 80_000
    assert heartbeat.read(tmp_path, "ingest").recent["received_per_s"] == 0  # type: ignore[union-attr]  # it was written
    assert lines
    assert lines[0]["event"] == "ingest"
    assert lines[0]["lag_messages"] == 10
    asyncio.run(beats(range(80, 10, -5), 82.0))
    assert trouble_of("ingest", services(tmp_path)["ingest"]) == ""
    journal.close()
    db.close()
