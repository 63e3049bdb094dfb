"""One reading from the sensor to the farmer's phone: publish → journal → store → judge → forecast → verdict → alert → inbox and page.

The best introduction to how the parts meet. On our listener with SQLite all services run in one process (`canhman up`); on
Mosquitto with InfluxDB each in a process of its own, also with PostgreSQL as their database. Nothing is faked but the receiver of the webhook.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from servers.installation import Installation, MosquittoInflux
from servers.postgres import Postgres
from servers.services import Running, running
from servers.waiting import until

from core.clock import rfc3339

pytestmark = [pytest.mark.servers, pytest.mark.sockets]

QUARTER_MS = 900_000
DAYS = 30  # of history: fourteen days ahead can only be said by whoever has seen what became of it
SECRET = "a secret of this test alone"


class Receiver:
    """A partner's server: keeps every webhook it gets."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook's far end."""
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def history(now: int) -> list[str]:
    """Thirty calm days every 15 min up to now, about 0.2 g/L with a small tide, in arrays of 96."""
    steps = range(DAYS * 96, 0, -1)
    objects = [
        {"time": rfc3339(now - n * QUARTER_MS), "readings": {"water.ec": round(0.42 + 0.05 * math.sin(n / 49.6 * 2 * math.pi), 3), "water.temperature": 28.4}}
        for n in steps
    ]
    return [json.dumps(objects[i : i + 96]) for i in range(0, len(objects), 96)]


def station(app: Running, id: str = "kl01") -> dict[str, Any]:
    """The station as the API tells it."""
    return next((item for item in app.get("/api/v1/stations")["items"] if item["id"] == id), {})


def test_one_reading_reaches_the_phone(rig: Installation, receiver: Receiver) -> None:
    """On SQLite as the database, with both set-ups."""
    reaches_the_phone(rig, receiver)


def test_on_postgresql(tmp_path: Path, bytecode: Path, receiver: Receiver) -> None:
    """The same with registry, states, forecasts, alerts and people in PostgreSQL."""
    with closing(Postgres()) as server:
        rig = MosquittoInflux(tmp_path / "rig", bytecode, CANHMAN_DATABASE=server.database(prepared=False))
        with closing(rig):
            reaches_the_phone(rig, receiver)
        assert not (rig.data / "registry.db").exists()


def reaches_the_phone(rig: Installation, receiver: Receiver) -> None:
    """Calm water is `take`; one reading of 9 g/L is `stop` on the page, an alert in the inbox, and one signed webhook."""
    settings = {"CANHMAN_ENROL_PUBLIC": "1", "CANHMAN_WEBHOOK": receiver.url, "CANHMAN_WEBHOOK_SECRET": SECRET}
    with running(rig, together=rig.name == "listener_sqlite", env=settings) as app:
        now = time.time_ns() // 1_000_000
        rig.publish("kl01", *history(now))
        until(lambda: station(app).get("risk", {}).get("verdict") == "take", 90, lambda: f"calm water may be taken: {station(app)}\n{app.logs}")
        calm = app.page("/stations/kl01")
        assert "Lấy và trữ nước được" in calm
        assert app.get("/api/v1/alerts")["items"] == []
        assert "Không có cảnh báo" in app.page("/alerts")
        assert app.get("/api/v1/stations/kl01/forecast", target="day_max")["leads"] == list(range(1, 15))

        sent = time.time_ns() // 1_000_000
        rig.publish("kl01", json.dumps({"time": rfc3339(sent), "readings": {"water.ec": 15.3, "water.temperature": 28.4}}))
        until(lambda: station(app)["risk"]["verdict"] == "stop", 30, lambda: f"salty water stops: {station(app)}\n{app.logs}")
        until(lambda: bool(app.get("/api/v1/alerts", state="open")["items"]), 30, lambda: f"an alert is open\n{app.logs}")
        alert = app.get("/api/v1/alerts", state="open")["items"][0]
        assert (alert["station"], alert["kind"], alert["line"], alert["level"], alert["state"]) == ("kl01", "observed", 4, 4, "open")
        assert alert["time"] == rfc3339(sent)
        assert alert["value"] == pytest.approx(9.0, abs=0.1)
        assert "9,0\u00a0g/L" in alert["text"]["vi"]
        assert "9.0\u00a0g/L" in alert["text"]["en"]

        salty = app.page("/stations/kl01")
        assert "Lấy và trữ nước được" not in salty
        assert "Đóng cống, bọng" in salty
        inbox = app.page("/alerts")
        assert "Đóng cống, bọng" in inbox
        assert "kl01" in inbox
        assert "Không có cảnh báo" not in inbox

        until(lambda: len(receiver.posts) >= 2, 30, lambda: f"the webhook came for each line\n{app.logs}")
        bodies = [json.loads(body) for _, body in receiver.posts]
        assert {(body["alert"]["line"], body["verdict"]["verdict"]) for body in bodies} == {(1, "stop"), (4, "stop")}
        for headers, body in receiver.posts:
            signed = f"{headers['x-canhman-timestamp']}.".encode() + body
            assert headers["x-canhman-signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert len({headers["idempotency-key"] for headers, _ in receiver.posts}) == len(receiver.posts) == 2
    assert SECRET not in app.logs
