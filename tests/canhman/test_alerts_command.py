"""`canhman alerts`: the list, the service with a receiver of its own, its settings and its reload."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers.front import Front
from servers.waiting import until

from adapters.sql.database import SqlDatabase
from adapters.sqlite_store import SqliteStore
from canhman import heartbeat
from canhman.alerting import alerts, numbers
from canhman.settings import read_settings
from canhman.signals import Signals
from core.alert import Alert, Intent, Step
from core.batch import Batch
from core.errors import ConfigError, UnavailableError
from core.place import Deployment, Device, Org, Station
from core.series import SeriesKey
from core.state import Latest, SeriesState

KEY = SeriesKey("o", "kl", "main", "d", "water.salinity")
SECRET = "a-secret-of-this-test"
TOKEN = "a-token-in-the-address"


def seed(front: Front) -> None:
    """One station with one sensor."""
    items = (
        Org(id="o", name="O"),
        Station(id="kl", org="o", name="Kênh Lầu", public=True),
        Device(id="d", org="o"),
        Deployment(device="d", channel="main", station="kl", point="main", interval_s=900),
    )
    front.database(lambda db: db.put(*items, actor="test"))


def feed(front: Front, value: float, *, ago_s: float = 0.0) -> int:
    """One reading, stored and judged; its time."""
    at = int((time.time() - ago_s) * 1000)
    latest = Latest(time=at, value=value, flag=1)
    state = SeriesState(key=KEY, role="primary", newest=latest, received=at, judged=latest, good=latest, dirty_from=None, changed=0)

    async def write(db: SqlDatabase) -> None:
        store = SqliteStore(front.data / "series.db")
        await store.open()
        await store.write(Batch.of([0], [at], [value], flag=[1]), [KEY])
        await store.close()
        await db.replace([state])

    front.database(write)
    return at


def an_alert(line: float, level: int, **given: Any) -> Step:
    base: dict[str, Any] = {"opened_at": 1_772_420_400_000, "updated_at": 1_772_420_400_000, "value": 5.0, "time": 1_772_420_400_000, "state": "open"}
    return Step(alert=Alert(org="o", station="kl", point="main", kind="observed", line=line, level=level, **(base | given)))


def test_the_list(front: Front) -> None:
    """What is open, of each place the highest line, with its text; JSON as the API has it; nothing open is said."""
    seed(front)
    assert front.ok("alerts", "--list").out.strip() == "No open alerts."
    front.database(lambda db: db.take_steps([an_alert(1.0, 2), an_alert(4.0, 4), an_alert(2.0, 3, state="cleared", cleared_at=1_772_420_400_000)]))
    shown = front.ok("alerts", "--list").out
    assert "Kênh Lầu: Đóng cống, bọng. Đừng lấy nước." in shown
    assert "Chờ nước ròng" not in shown
    assert "Shut sluices" in front.ok("alerts", "--list", "--lang", "en").out
    (item,) = front.ok("alerts", "--list", "--json").json["items"]
    assert (item["line"], item["level"], item["state"], item["opened_at"]) == (4.0, 4, "open", "2026-03-02T03:00:00Z")
    assert set(item["text"]) == {"vi", "en"}


def test_the_outbox(front: Front) -> None:
    """The newest 50 messages with what became of them, for people and machines; never an address."""
    seed(front)
    assert front.ok("alerts", "--outbox").out.strip() == "No messages."
    assert front.ok("alerts", "--outbox", "--json").json == {"items": []}
    given = [Intent(key=f"webhook:k{n}", channel="webhook", recipient=f"https://x/{TOKEN}", due_at=1_772_420_400_000) for n in range(51)]
    given[50] = replace(given[50], state="failed", attempts=12, receipt="given up after 12 tries: HTTP 404")
    front.database(lambda db: db.take_steps([replace(an_alert(4.0, 4), intents=tuple(given))]))
    items = front.ok("alerts", "--outbox", "--json").json["items"]
    assert [i["key"] for i in items] == [f"webhook:k{n}" for n in range(50, 0, -1)]
    assert items[0] == {
        "id": 51,
        "key": "webhook:k50",
        "channel": "webhook",
        "alert": 1,
        "state": "failed",
        "attempts": 12,
        "due_at": None,
        "receipt": "given up after 12 tries: HTTP 404",
    }
    assert (items[1]["state"], items[1]["due_at"]) == ("waiting", "2026-03-02T03:00:00Z")
    shown = front.ok("alerts", "--outbox").out
    assert "given up after 12 tries: HTTP 404" in shown
    assert "webhook:k0 " not in shown
    assert TOKEN not in shown + str(items)


@pytest.mark.parametrize("words", [("alerts", "--json"), ("alerts", "--list", "--outbox"), ("alerts", "--list", "--lang", "fr"), ("alerts", "--wait", "-1")])
def test_used_wrongly(front: Front, words: tuple[str, ...]) -> None:
    """Options that do not go together, and values that are none, end with 2."""
    assert front(*words).code == 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://example.org/hook", "expected https"),
        ("ftp://example.org/hook", "expected https"),
        ("https://", "no host"),
        ("hook", "no host"),
        ("https://lan:geheim@example.org/hook", "do not belong"),
        ("https://example.org:99999/hook", "cannot be read"),
        ("https://example.org/ho ok", "no host"),
        ("http://127.0.0.1.example.org/hook", "expected https"),
    ],
)
def test_an_address_that_is_none(front: Front, value: str, words: str) -> None:
    """CANHMAN_WEBHOOK is https, or http at this machine; the error repeats nothing that may be secret."""
    line = front("alerts", "--list", WEBHOOK=value).line
    assert "CANHMAN_WEBHOOK" in line
    assert words in line
    assert "geheim" not in line
    assert "/hook" not in line


@pytest.mark.parametrize("value", ["https://example.org/hook?x=1", "http://127.0.0.1:8080/hook", "http://localhost/", "http://[::1]:9/hook", ""])
def test_an_address_that_is_one(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Taken as it is, and printed nowhere."""
    monkeypatch.setenv("CANHMAN_WEBHOOK", value)
    settings = read_settings()
    assert settings.webhook.get_secret_value() == value
    assert not value or value not in repr(settings)


def test_numbers_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP reads alerts.toml and risk.toml again, both or neither; at start a broken one is an error."""
    monkeypatch.setenv("CANHMAN_CONFIG", str(tmp_path))
    (tmp_path / "alerts.toml").write_text("lines = [2]\n")
    config = numbers(read_settings())
    assert config.current.rules.lines == (2.0,)
    (tmp_path / "alerts.toml").write_text("lines = [0.5, 4]\n")
    (tmp_path / "risk.toml").write_text("stale_min_h = 2\n")
    config.again()
    assert (config.current.rules.lines, config.current.risk.stale_min_h) == ((0.5, 4.0), 2.0)
    (tmp_path / "alerts.toml").write_text("lines = [1]\n")
    (tmp_path / "risk.toml").write_text("stale_min = 2\n")
    config.again()
    assert (config.current.rules.lines, config.current.risk.stale_min_h) == ((0.5, 4.0), 2.0)
    with pytest.raises(ConfigError, match="stale_min"):
        numbers(read_settings())


class Receiver:
    """A partner's server on this machine, that answers with `status`."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.posts.append(({k.lower(): v for k, v in self.headers.items()}, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{TOKEN}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """On a free port."""
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@contextmanager
def service(**settings: str) -> Iterator[Callable[[], heartbeat.Heartbeat]]:
    """The service in a thread with a loop of its own, as `canhman up` runs it; gives its heartbeat, ends it by its signals."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(f"CANHMAN_{name}", value)
        read = read_settings()
    signals = Signals()
    started = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(alerts(read, wait_s=0, signals=signals, started=lambda _: started.set()))
        except BaseException as error:  # noqa: BLE001  shown by the test's own thread
            failed.append(error)

    def beat() -> heartbeat.Heartbeat:
        found = heartbeat.read(read.data, "alerts")
        assert found is not None
        return found

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: started.is_set() or failed, 30, "the service has started")
    try:
        until(lambda: heartbeat.read(read.data, "alerts"), 10, "it says how it is")
        yield beat
    finally:
        signals.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert failed == []


@pytest.mark.sockets
def test_the_service(front: Front, receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    """A salty reading is an alert within a second or two, and a signed message; a restart sends nothing again."""
    seed(front)
    settings = {"WEBHOOK": receiver.url, "WEBHOOK_SECRET": SECRET}
    with service(**settings) as beat:
        at = feed(front, 9.0)
        until(lambda: len(receiver.posts) == 2, 20, lambda: f"two messages: {beat()}")
        until(lambda: beat().figures["sent"] == 2, 10, lambda: f"counted: {beat()}")
        assert beat().troubles == {}
        assert beat().figures["events"] == 2
    bodies = [json.loads(body) for _, body in receiver.posts]
    assert {(b["alert"]["line"], b["verdict"]["verdict"], b["alert"]["time"]) for b in bodies} == {(1.0, "stop", _z(at)), (4.0, "stop", _z(at))}
    for headers, body in receiver.posts:
        signed = f"{headers['x-canhman-timestamp']}.".encode() + body
        assert headers["x-canhman-signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    with service(**settings) as beat:
        until(lambda: beat().figures["looks"] > 0, 10, "it looked")
        time.sleep(1.0)  # what should not come has no event
    assert len(receiver.posts) == 2
    said = "".join(capfd.readouterr())
    assert SECRET not in said
    assert TOKEN not in said


@pytest.mark.sockets
def test_one_service_at_a_time(front: Front) -> None:
    """A second one on the same CANHMAN_DATA ends with one line and 1; when the first has ended another may run."""
    seed(front)
    with service() as beat:
        second = front("alerts", "--wait", "0")
        assert second.code == 1
        assert second.line.startswith("another canhman alerts (or up, or demo)")
        assert front.ok("alerts", "--list").out.strip() == "No open alerts."
        assert beat().troubles == {}
    with service():
        pass


@pytest.mark.sockets
def test_a_receiver_that_is_away(front: Front, receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    """It is told in the log and counted, and no trouble of ours: /readyz stays as it is, and the alert stands all the same."""
    seed(front)
    receiver.status = 503
    with service(WEBHOOK=receiver.url) as beat:
        feed(front, 9.0)
        until(lambda: beat().figures["sent_again"] == 2, 20, lambda: f"it is counted: {beat()}")
        assert beat().troubles == {}
        assert len(front.database(lambda db: db.live_alerts())) == 2
        assert all("x-canhman-signature" not in headers for headers, _ in receiver.posts)
    said = "".join(capfd.readouterr())
    assert said.count("webhook: HTTP 503") == 1
    assert "not signed" in said


@pytest.mark.sockets
def test_a_store_that_goes_away(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """While running nothing ends because the store went: it is told, and when it is back what came meanwhile is judged."""

    async def gone(self: SqliteStore, *_: Any, **__: Any) -> Batch:
        raise UnavailableError("the store is gone")

    seed(front)
    with service() as beat:
        with monkeypatch.context() as patch:
            patch.setattr(SqliteStore, "read", gone)
            feed(front, 9.0)
            until(lambda: beat().troubles == {"store or database": "the store is gone"}, 20, lambda: f"it is told: {beat()}")
            assert front.database(lambda db: db.live_alerts()) == []
        until(lambda: beat().figures["events"] == 2, 20, lambda: f"it goes on: {beat()}")
        assert beat().troubles == {}


@pytest.mark.sockets
def test_a_stop_does_not_wait_for_the_store(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes a minute over its answer does not keep the service from ending; nothing is lost by it."""
    asked = threading.Event()

    async def slow(self: SqliteStore, *_: Any, **__: Any) -> Batch:
        asked.set()
        await asyncio.sleep(60)
        raise AssertionError

    seed(front)
    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, "read", slow)
        with service():
            feed(front, 9.0)
            until(asked.is_set, 20, "it asked")
            begun = time.monotonic()
        assert time.monotonic() - begun < 10
    with service() as beat:
        until(lambda: beat().figures["events"] == 2, 20, lambda: f"it goes on: {beat()}")


def _z(ms: int) -> str:
    from core.clock import rfc3339

    return rfc3339(ms)
