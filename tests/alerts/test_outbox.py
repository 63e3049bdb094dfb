"""The outbox: sent at least once with one key, tried again with patience, given up after a day, no secret told."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.alert_world import HOUR, Rig
from structlog.testing import capture_logs

from adapters.http import HttpSender
from alerts.answers import read
from alerts.message import text
from alerts.notifier import Channels, Notice, Notifier
from alerts.notifiers.webhook import signature
from alerts.outbox import BACKOFF_S, NOTIFIERS, Outbox, Sent, settle
from alerts.shape import shape
from core import verdict as rule
from core.alert import Alert, AlertEvent, Intent
from core.errors import UnavailableError
from core.http import Request, Response
from core.place import Station
from core.ports import Http
from core.texts import LANGUAGES
from core.verdict import Verdict

SECRET = "a-secret-of-this-test"
TOKEN = "a-token-in-the-address"
CHANNELS = Channels(webhook=f"https://example.org/{TOKEN}", webhook_secret=SECRET)
NOW = 1_772_420_400_000


def a_notice(*, key: str = "webhook:kl:main:observed:4:opened:1", value: float = 9.0) -> Notice:
    station = Station(id="kl", org="o", name='Cống_số_2 [ngã ba] <Cái Tư> & 3* ’thử’ "x"')
    alert = Alert(
        id=7, org="o", station="kl", point="main", kind="observed", line=4.0, level=4, state="open", opened_at=NOW, updated_at=NOW, value=value, time=NOW
    )
    return Notice(
        intent=Intent(id=3, key=key, channel="webhook", recipient="webhook", alert=7, event=11, due_at=NOW),
        alert=alert,
        event=AlertEvent(id=11, alert=7, at=NOW, kind="opened", value=value, time=NOW),
        station=station,
        texts={lang: text(alert, station=station, lang=lang, now=NOW) for lang in LANGUAGES},
        verdict=Verdict(verdict="stop", reason="ok", band=4, as_of=NOW, until=None, p=None, limit=1.0),
        now=NOW,
        sent_at=NOW + 5_500,
    )


# ---------------------------------------------------------------- every channel


@pytest.mark.parametrize("notifier", NOTIFIERS.values(), ids=NOTIFIERS)
class TestEveryChannel:
    """What holds for whatever is added to `alerts/notifiers`."""

    def test_it_is_named_as_its_module_and_off_by_default(self, notifier: Notifier) -> None:
        """An installation that set nothing sends nothing."""
        assert NOTIFIERS[notifier.name] is notifier
        assert not notifier.is_on(Channels())
        assert notifier.is_on(CHANNELS)

    def test_the_request(self, notifier: Notifier) -> None:
        """It carries the intent's key, has a timeout, goes out over TLS, and is the same for the same notice."""
        request = notifier.build(a_notice(), CHANNELS)
        assert request.headers["Idempotency-Key"] == a_notice().intent.key
        assert 0 < request.timeout_s <= 30
        assert request.url.startswith("https://")
        assert request == notifier.build(a_notice(), CHANNELS)
        assert "Cống_số_2".encode() in request.body or b"CONG" in request.body.upper()

    def test_the_secret_stays(self, notifier: Notifier) -> None:
        """The secret is neither in what is sent nor in what is printed of it; nothing is logged."""
        with capture_logs() as logs:
            request = notifier.build(a_notice(), CHANNELS)
        assert logs == []
        assert SECRET not in request.url + str(dict(request.headers)) + request.body.decode()
        assert SECRET not in repr(request) + repr(CHANNELS)
        assert TOKEN not in repr(request) + repr(CHANNELS)

    @pytest.mark.parametrize("status", [100, 200, 201, 204, 301, 302, 307, 400, 401, 403, 404, 405, 408, 410, 413, 422, 425, 429, 500, 502, 503, 504])
    def test_every_answer_has_a_receipt(self, notifier: Notifier, status: int) -> None:
        """2xx is done; what may pass (a redirect, 401, 403, 404, 408, 425, 429, 5xx) comes again; any other 4xx is final."""
        receipt = notifier.read(Response(status=status))
        again = 300 <= status < 400 or status in (401, 403, 404, 408, 425, 429) or status >= 500
        assert receipt.outcome == ("done" if 200 <= status < 300 else "retry" if again else "failed")
        assert str(status) in receipt.text

    @given(st.integers(100, 599), st.text(max_size=30), st.text(max_size=30), st.binary(max_size=50))
    def test_no_answer_breaks_it(self, notifier: Notifier, status: int, asked: str, date: str, body: bytes) -> None:
        """Law: whatever a receiver answers becomes a receipt."""
        receipt = notifier.read(Response(status=status, headers={"retry-after": asked, "date": date}, body=body))
        assert receipt.outcome in ("done", "retry", "failed")
        assert receipt.after_s is None or receipt.after_s >= 0


# ---------------------------------------------------------------- the webhook


def test_the_webhooks_body_and_signature() -> None:
    """The alert as the API has it, the verdict as the one function shaped it, and a signature that the receiver can check."""
    notice = a_notice()
    request = NOTIFIERS["webhook"].build(notice, CHANNELS)
    body = json.loads(request.body)
    assert body["alert"] == shape(notice.alert, station=notice.station, now=NOW)
    assert body["verdict"] == rule.shape(notice.verdict)
    assert body["event"] == {"kind": "opened", "at": "2026-03-02T03:00:00Z", "value": 9.0, "time": "2026-03-02T03:00:00Z", "p": None}
    assert body["station"]["name"] == notice.station.name
    assert body["title"]["vi"] == "Đóng cống, bọng. Đừng lấy nước. Gọi cán bộ thủy lợi."
    timestamp = request.headers["X-Canhman-Timestamp"]
    assert timestamp == str((NOW + 5_500) // 1000)
    expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Canhman-Signature"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed() -> None:
    """No signature at all, rather than one with an empty key."""
    request = NOTIFIERS["webhook"].build(a_notice(), replace(CHANNELS, webhook_secret=""))
    assert "X-Canhman-Signature" not in request.headers


def test_retry_after() -> None:
    """Seconds, or a date by the receiver's own clock; nonsense counts as nothing."""

    def after(asked: str, date: str = "") -> float | None:
        return read(Response(status=429, headers={"retry-after": asked, "date": date})).after_s

    sent = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    assert after("30") == 30
    assert after(format_datetime(sent.replace(minute=2), usegmt=True), format_datetime(sent, usegmt=True)) == 120
    assert after(format_datetime(sent, usegmt=True), format_datetime(sent.replace(minute=2), usegmt=True)) == 0
    for nonsense in ("", "soon", "-5", "1e9", "٣٠"):
        assert after(nonsense) is None
    for odd in ("Mon, 01 Jan 2024 00:00:00 +9999999999999999999999999", f"Mon, 01 Jan {'9' * 22} 00:00:00 GMT"):
        assert after(odd, format_datetime(sent, usegmt=True)) is None
        assert after(format_datetime(sent, usegmt=True), odd) is None


@pytest.mark.parametrize(
    ("kind", "body", "outcome"),
    [
        ("text/html; charset=utf-8", b"\n <!doctype html><title>Wi-Fi</title>", "retry"),
        ("TEXT/HTML", b"\xef\xbb\xbf<html>", "retry"),
        ("text/html", b"ok", "done"),  # what small frameworks say when nobody chose a type
        ("text/html", b"", "done"),
        ("application/xml", b"<ok/>", "done"),
        ("", b"<ok/>", "done"),
    ],
)
def test_a_page_is_no_receipt(kind: str, body: bytes, outcome: str) -> None:
    """A 200 with a web page is a captive portal's, not the receiver's: it comes again; a word or nothing is an answer, whatever its type."""
    receipt = read(Response(status=200, headers={"content-type": kind}, body=body))
    assert receipt.outcome == outcome
    assert "HTTP 200" in receipt.text


# ---------------------------------------------------------------- tries


def test_tries_end_after_a_day() -> None:
    """Waiting times rise, sum up to about 24 h, and then it is given up with the last reason."""
    intent = a_notice().intent
    now = NOW
    waits = []
    while intent.state == "waiting":
        intent = settle(intent, read(Response(status=503)), now)
        if intent.state == "waiting":
            waits.append((intent.due_at - now) / 1000)
            now = intent.due_at
    assert waits == sorted(waits)
    assert tuple(waits) == BACKOFF_S
    assert 20 * HOUR < now - NOW <= 24 * HOUR
    assert intent.state == "failed"
    assert intent.attempts == len(BACKOFF_S) + 1
    assert "HTTP 503" in intent.receipt


@given(st.integers(0, 10), st.one_of(st.none(), st.integers(0, 10**9)))
def test_a_receiver_may_ask_for_more_time(attempts: int, asked: int | None) -> None:
    """Law: never sooner than our own back-off, never sooner than asked within a day, never later than a day."""
    headers = {} if asked is None else {"retry-after": str(asked)}
    settled = settle(replace(a_notice().intent, attempts=attempts), read(Response(status=429, headers=headers)), NOW)
    wait_s = (settled.due_at - NOW) / 1000
    assert settled.state == "waiting"
    assert BACKOFF_S[attempts] <= wait_s <= 86_400
    assert wait_s >= min(asked or 0, 86_400)


@pytest.mark.parametrize("status", [302, 401, 403, 404])
def test_what_a_deploy_answers_is_given_up_after_a_day_too(status: int) -> None:
    """A receiver that moves or forgets us for some minutes loses nothing; one that never comes back is a failed receipt with its status."""
    intent = a_notice().intent
    now = NOW
    while intent.state == "waiting":
        intent = settle(intent, read(Response(status=status)), now)
        now = max(now, intent.due_at)
    assert (intent.state, intent.attempts) == ("failed", len(BACKOFF_S) + 1)
    assert 20 * HOUR < now - NOW <= 24 * HOUR
    assert f"HTTP {status}" in intent.receipt


class Stub:
    """Answers in turn; an exception is raised."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def outbox(rig: Rig, http: Http, channels: Channels = CHANNELS) -> Outbox:
    return Outbox(rig.db, http, rig.watch, channels=lambda: channels, clock=rig.clock, system=rig.system)


def round_(rig: Rig, http: Http, channels: Channels = CHANNELS) -> Sent:
    return rig.run(lambda: outbox(rig, http, channels).round())


@pytest.fixture
def salty(rig: Rig) -> Rig:
    """Two lines open, two messages waiting."""
    rig.feed(9.0)
    rig.look()
    return rig


def test_what_is_due_is_sent_in_order(salty: Rig) -> None:
    """Oldest first, each once; the verdict is what the situation says at that moment."""
    http = Stub(Response(status=204), Response(status=200))
    assert round_(salty, http) == Sent(done=2)
    bodies = [json.loads(r.body) for r in http.requests]
    assert [b["alert"]["line"] for b in bodies] == [1.0, 4.0]
    assert {b["verdict"]["verdict"] for b in bodies} == {"stop"}
    assert {b["event"]["kind"] for b in bodies} == {"opened"}
    assert [(i.state, i.attempts, i.receipt) for i in salty.intents()] == [("sent", 1, "HTTP 204"), ("sent", 1, "HTTP 200")]
    assert round_(salty, Stub()) == Sent()


def test_a_verdict_is_of_the_moment_it_is_sent(salty: Rig) -> None:
    """Sent hours later, the reading is stale: the message says unknown, not what held when it opened."""
    salty.clock.now += 3 * HOUR
    http = Stub(Response(status=204), Response(status=204))
    round_(salty, http)
    assert {(json.loads(r.body)["verdict"]["verdict"], json.loads(r.body)["verdict"]["reason"]) for r in http.requests} == {("unknown", "stale")}


def test_a_receiver_that_is_away_is_asked_once_a_round(salty: Rig) -> None:
    """No connection: this one waits, the others stay due and are not counted; all arrive when it is back."""
    sent = round_(salty, Stub(UnavailableError("no connection")))
    assert (sent.again, sent.trouble) == (1, "webhook: no connection")
    assert [(i.attempts, i.due_at > salty.system.now) for i in salty.intents()] == [(1, True), (0, False)]
    assert round_(salty, Stub(Response(status=204))).done == 1
    salty.system.now += 5_000
    assert round_(salty, Stub(Response(status=204))).done == 1


def test_429_waits_as_long_as_it_says(salty: Rig) -> None:
    """Retry-After: 300 is honoured, by the system's clock; the installation's may run as it likes."""
    busy = Response(status=429, headers={"retry-after": "300"})
    assert round_(salty, Stub(busy, busy)).again == 2
    salty.system.now += 299_000
    salty.clock.now += 30 * HOUR
    assert round_(salty, Stub()) == Sent()
    salty.system.now += 1_000
    assert round_(salty, Stub(Response(status=204), Response(status=204))).done == 2


def test_a_refusal_is_a_receipt(salty: Rig) -> None:
    """A 400 is kept as failed with its words; the next message is sent all the same."""
    assert round_(salty, Stub(Response(status=400), Response(status=204))) == Sent(done=1, failed=1, trouble="webhook: HTTP 400")
    assert [(i.state, i.receipt) for i in salty.intents()] == [("failed", "HTTP 400"), ("sent", "HTTP 204")]


def test_a_fault_of_one_message_holds_up_no_other(salty: Rig) -> None:
    """Whatever breaks while one is sent is its receipt, by the name of its class: it waits, it is counted, the others go on; the trace is logged once."""

    def odd() -> Exception:
        return ExceptionGroup(f"https://example.org/{TOKEN}", [OverflowError(f"{SECRET}: port must be 0-65535")])

    sender = outbox(salty, http := Stub(odd(), Response(status=204), odd()))
    with capture_logs() as logs:
        assert salty.run(sender.round) == Sent(done=1, again=1, trouble="webhook: a fault of ours (ExceptionGroup), see the log")
        assert [(i.state, i.attempts, i.due_at > salty.system.now) for i in salty.intents()] == [("waiting", 1, True), ("sent", 1, False)]
        salty.system.now += 5_000
        assert salty.run(sender.round).again == 1
    assert len(http.requests) == 3
    (line,) = logs
    assert "test_outbox.py" in line["trace"]
    assert SECRET not in str(logs) + str(salty.intents())
    assert TOKEN not in str(logs) + str(salty.intents())


def test_a_message_that_cannot_be_made_is_given_up(salty: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault before the sending is bounded as well; a database that is away is none: nothing is counted as a try."""

    async def broken() -> object:
        raise KeyError(TOKEN)

    async def away() -> object:
        raise UnavailableError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(salty.watch, "situation", away)
        with pytest.raises(UnavailableError):
            round_(salty, Stub())
        assert [i.attempts for i in salty.intents()] == [0, 0]
        patch.setattr(salty.watch, "situation", broken)
        while any(i.state == "waiting" for i in salty.intents()):
            assert round_(salty, Stub()).done == 0
            salty.system.now = max(i.due_at for i in salty.intents())
    assert {(i.state, i.attempts) for i in salty.intents()} == {("failed", len(BACKOFF_S) + 1)}
    assert all("KeyError" in i.receipt and TOKEN not in i.receipt for i in salty.intents())


def test_a_channel_switched_off_is_a_receipt(salty: Rig) -> None:
    """What waits for a channel that is no longer set does not wait for ever."""
    assert round_(salty, Stub(), Channels()).failed == 2
    assert all("switched off" in i.receipt for i in salty.intents())


def test_nothing_is_told_of_address_and_secret(salty: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Neither receipts nor logs hold them, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        round_(salty, Stub(Response(status=302, headers={"location": f"https://x/{TOKEN}"}), UnavailableError("no connection")))
    said = str(logs) + caplog.text + str(salty.intents())
    assert SECRET not in said
    assert TOKEN not in said


# ---------------------------------------------------------------- a real receiver


class Receiver:
    """A web server on this machine that takes every POST."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                posts.append(({k.lower(): v for k, v in self.headers.items()}, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.channels = Channels(webhook=f"http://127.0.0.1:{self.server.server_port}/{TOKEN}", webhook_secret=SECRET)
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.sockets
def test_a_port_that_is_none(salty: Rig) -> None:
    """Whatever the client makes of an odd address, each message is settled and waits."""

    async def once() -> Sent:
        async with HttpSender() as http:
            return await outbox(salty, http, replace(CHANNELS, webhook=f"http://127.0.0.1:99999/{TOKEN}")).round()

    with capture_logs() as logs:
        assert salty.run(once).again == 2
    assert [i.attempts for i in salty.intents()] == [1, 1]
    assert TOKEN not in str(logs) + str(salty.intents())


@pytest.mark.sockets
def test_killed_between_sending_and_settling(rig: Rig, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when the receiver has it and the database does not know: it is sent twice with the same key, and never lost."""

    class Killed(BaseException):
        pass

    async def kill(intents: object) -> None:
        raise Killed

    def send_all() -> None:
        async def one() -> None:
            async with HttpSender() as http:
                await outbox(rig, http, receiver.channels).round()

        asyncio.run(one())

    rig.feed(1.5, 1.5)
    rig.look()
    with monkeypatch.context() as patch:
        patch.setattr(rig.db, "settle", kill)
        with pytest.raises(Killed):
            send_all()
    assert len(receiver.posts) == 1
    rig.restart()
    send_all()
    send_all()
    assert len(receiver.posts) == 2
    (first, body), (second, again) = receiver.posts
    assert first["idempotency-key"] == second["idempotency-key"]
    assert json.loads(body)["alert"]["id"] == json.loads(again)["alert"]["id"]
    for headers, sent in receiver.posts:
        signed = f"{headers['x-canhman-timestamp']}.".encode() + sent
        assert headers["x-canhman-signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert [i.state for i in rig.intents()] == ["sent"]


def test_the_outbox_changes_with_the_verdict(salty: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The webhook derives no verdict of its own: change the one function, and what is sent changes."""
    made: Callable[..., Verdict] = lambda *_, **__: Verdict(verdict="measure", reason="ok", band=0, as_of=None, until=None, p=None, limit=1.0)  # noqa: E731
    monkeypatch.setattr(rule, "verdict", made)
    http = Stub(Response(status=204), Response(status=204))
    round_(salty, http)
    assert {json.loads(r.body)["verdict"]["verdict"] for r in http.requests} == {"measure"}


def test_the_page_shows_what_is_sent() -> None:
    """The example and the check in docs/alerts.md are those of the code."""
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
    shown = json.loads(page.split("```json\n")[1].split("```")[0])
    request = NOTIFIERS["webhook"].build(a_notice(), CHANNELS)

    def names(value: Any) -> Any:
        return {name: names(inner) for name, inner in value.items()} if isinstance(value, dict) else None

    assert names(shown) == names(json.loads(request.body))
    assert set(request.headers) - {"Content-Type"} == set(re.findall(r"^\| `([A-Z][\w-]+)` ", page, re.MULTILINE))
    scope: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], scope)  # noqa: S102  our own page
    stamp = str(int(time.time()))
    headers = dict(request.headers) | {"X-Canhman-Timestamp": stamp, "X-Canhman-Signature": signature(SECRET, stamp, request.body)}
    assert scope["is_ours"](SECRET, headers, request.body)
    assert not scope["is_ours"](SECRET, headers, request.body + b" ")
    assert not scope["is_ours"]("another", headers, request.body)
    assert not scope["is_ours"](SECRET, headers | {"X-Canhman-Timestamp": str(int(stamp) - 301)}, request.body)
