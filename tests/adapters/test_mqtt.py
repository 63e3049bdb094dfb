"""Both clients of a broker, paho's and our own: what they subscribe to, acknowledge and survive, against a scripted server and a real Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from servers import mqtt_clients
from servers.fake_mqtt import FakeMqtt, Line, connack5
from servers.mosquitto import Mosquitto
from servers.mqtt_clients import CLIENTS, TOPIC, Source, run
from servers.ports import free_port
from structlog.testing import capture_logs

from adapters.mqtt_filters import is_shared, shared_form
from adapters.mqtt_publisher import PahoPublisher
from core.errors import ConfigError, RefusedError, UnavailableError
from core.message import Message
from core.ports import Delivery
from registry.broker_files import INGEST_USER, configuration, hash_password
from registry.permissions import BROKER_STATE, FILTERS


class Maker:
    """Makes sources of one client, at a port."""

    def __init__(self, client: str) -> None:
        self.client = client

    def __call__(self, port: int, **more: Any) -> Source:
        return mqtt_clients.source_of(self.client, port, **more)


@pytest.fixture(params=CLIENTS)
def source_of(request: pytest.FixtureRequest) -> Maker:
    """Each client in turn."""
    return Maker(request.param)


async def receive(source: Source, n: int) -> list[Message]:
    got: list[Message] = []
    while len(got) < n:
        got += await source.batch()
    return got


@pytest.mark.sockets
def test_nobody_listens_is_unavailable_in_one_line(source_of: Maker) -> None:
    """Nobody listens: UnavailableError, one line that names host and port."""

    async def test() -> None:
        port = free_port()
        with pytest.raises(UnavailableError, match=rf"\AMQTT broker 127\.0\.0\.1:{port} cannot be reached: [^\n]+\Z"):
            await source_of(port).open()

    run(test())


@pytest.mark.sockets
@pytest.mark.parametrize(("host", "kind"), [("a..b", ConfigError), ("no-such-host.invalid", UnavailableError)])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_host_that_is_none_is_named(client: str, host: str, kind: type[Exception]) -> None:
    """A name that cannot be one is configuration, one that nobody knows may be known later."""
    with pytest.raises(kind, match=re.escape(host)):
        run(CLIENTS[client](host, 1883, client_id="ingest").open())


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("says", "says5", "kind", "words"),
    [
        (b"\x20\x02\x00\x04", connack5(0x86), RefusedError, "refuses user 'u': Bad user name or password"),
        (b"\x20\x02\x00\x05", connack5(0x87), RefusedError, "refuses user 'u': Not authorized"),
        (b"\x20\x02\x00\x03", connack5(0x88), UnavailableError, "is not available"),
        (b"", b"", UnavailableError, "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20, b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20, UnavailableError, "closed the connection"),
    ],
)
def test_open_tells_refusal_from_absence(source_of: Maker, says: bytes, says5: bytes, kind: type[Exception], words: str) -> None:
    """A wrong password is configuration, all else is weather; garbage never ends in a traceback of paho's."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(says5 if line.version == 5 else says)

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(kind, match=words) as caught:
                await source_of(server.port, username="u", password="secret").open()
            assert f"127.0.0.1:{server.port}" in str(caught.value)
            assert "secret" not in str(caught.value)

    run(test())


@pytest.mark.sockets
def test_silence_at_open_is_unavailable(source_of: Maker) -> None:
    """A server that accepts and says nothing is given up after the timeout."""

    async def script(line: Line) -> None:
        await line.packet()
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
                await source_of(server.port, timeout_s=0.2).open()

    run(test())


@pytest.mark.sockets
def test_a_refused_subscription_is_refused_at_open(source_of: Maker) -> None:
    """SUBACK 0x80 at open is RefusedError, and names the filter."""

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed(0x80)

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(RefusedError, match="the subscription to canhman/"):
                await source_of(server.port).open()

    run(test())


@pytest.mark.sockets
def test_subscribes_one_by_one_and_gives_up_the_other_form_afterwards(source_of: Maker) -> None:
    """Each filter by itself, data ones shared where asked; the other form is unsubscribed, after the subscriptions."""
    seen: list[list[str]] = []

    async def script(line: Line) -> None:
        await line.greet(session=True)
        seen.append(await line.subscribed())
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            for share in (None, "work"):
                source = source_of(server.port, share=share)
                await source.open()
                await source.close()

    run(test())
    # the broker's own count of what it dropped is asked for beside them
    plain, shared = ([f for f in filters if f != BROKER_STATE] for filters in seen)
    assert [BROKER_STATE in filters for filters in seen] == [True, True]
    data = [f for f in FILTERS if not f.endswith(("/status", "/command/ack"))]
    assert plain[: len(FILTERS)] == list(FILTERS)
    assert set(plain[len(FILTERS) :]) == {f"-$share/ingest/{f}" for f in data}
    assert shared[: len(FILTERS)] == [shared_form(f, "work") for f in FILTERS]
    assert {f for f in shared[: len(FILTERS)] if not f.startswith("$share/work/")} == {"canhman/+/+/status", "canhman/+/+/command/ack"}
    assert set(shared[len(FILTERS) :]) == {f"-{f}" for f in data} | {f"-$share/ingest/{f}" for f in data}


@pytest.mark.sockets
def test_acks_of_an_old_connection_never_touch_a_new_one(source_of: Maker) -> None:
    """The same mid after a reconnect is another message: the late acknowledgement of the first copy is not sent."""
    acked: list[bytes] = []
    opened, left = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        if line.number == 0:
            await line.subscribed()
            line.publish(b"a", 7)
            await opened.wait()
            return
        await line.subscribed()
        line.publish(b"b", 7)
        while True:
            first, body = await line.packet()
            if first == 0xE0:
                left.set()
                return
            acked.append(body)

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            opened.set()
            first, second = await receive(source, 2)
            assert (first.payload, second.payload) == (b"a", b"b")
            source.acknowledge([first])
            assert source.counters["stale"] == 1
            assert acked == []
            source.acknowledge([second, first, second])
            assert source.counters["acknowledged"] == 1
            await source.close()
            await left.wait()

    run(test())
    assert acked == [b"\x00\x07"]


@pytest.mark.sockets
def test_what_was_read_is_delivered_after_the_connection_is_lost(source_of: Maker) -> None:
    """Read from the socket is delivered, though its connection is gone and its acknowledgement void."""
    opened, gone = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if line.number:
            gone.set()
            await line.packet()
            return
        await line.greet()
        await line.subscribed()
        line.publish(b"a", 1)
        line.publish(b"b", qos=0, retain=True)
        line.publish(b"c", 2, dup=True)
        await opened.wait()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            opened.set()
            await gone.wait()
            got = await source.batch()
            assert [(m.payload, m.qos, m.retain, m.dup) for m in got] == [(b"a", 1, False, False), (b"b", 0, True, False), (b"c", 1, False, True)]
            source.acknowledge(got)
            await source.close()

    run(test())


@pytest.mark.sockets
def test_acks_go_out_in_order_of_arrival_and_once(source_of: Maker) -> None:
    """PUBACKs follow the order of arrival (4.6) whatever the order they are asked in; QoS 0 has none."""
    left = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        for mid in (5, 9, 2):
            line.publish(b"x", mid)
        line.publish(b"y", qos=0)
        assert [await line.expect(0x40) for _ in range(3)] == [b"\x00\x05", b"\x00\x09", b"\x00\x02"]
        assert (await line.packet())[0] == 0xE0
        left.set()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            got = await receive(source, 4)
            source.acknowledge(got[::-1])
            source.acknowledge(got)
            assert source.counters == {"received": 4, "duplicates": 0, "acknowledged": 3, "stale": 3, "broker_dropped": 0}
            await source.close()
            await left.wait()

    run(test())


@pytest.mark.sockets
def test_batches_end_at_their_maximum_and_reading_stops_while_nobody_takes_them(source_of: Maker) -> None:
    """No batch above `max_batch`; a consumer that is stuck holds up the socket, not the memory; nothing is lost by it."""
    all_of_them = 20_000 if source_of.client == "own" else 500
    most = 20 if source_of.client == "paho" else 10_000  # our own takes what one read brings, 256 KiB

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        for i in range(all_of_them):
            line.publish(str(i).encode(), i + 1)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, max_batch=4)
            await source.open()
            while source.counters["received"] < 16:
                await asyncio.sleep(0)
            for _ in range(100):  # turns of the loop in which it could read on
                await asyncio.sleep(0)
            assert source.counters["received"] <= most
            got: list[Message] = []
            while len(got) < all_of_them:
                batch = await source.batch()
                assert 1 <= len(batch) <= 4
                got += batch
            assert [int(m.payload) for m in got] == list(range(all_of_them))
            await source.close()

    run(test())


@pytest.mark.sockets
@pytest.mark.parametrize("pause_s", [0.0, 0.04])
def test_open_reads_past_all_a_session_kept_before_its_answer(source_of: Maker, pause_s: float) -> None:
    """After a crash a broker sends what was in flight first, and its SUBACK behind: far more than a few batches, for longer than a mute one is waited for."""

    async def script(line: Line) -> None:
        await line.greet(session=True)
        for i in range(500):
            line.publish(str(i).encode(), i + 1, dup=True)
            if i % 10 == 0:
                await asyncio.sleep(pause_s)  # a busy broker's own time
        await line.subscribed()
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, max_batch=4, timeout_s=1.0)
            await source.open()
            assert [int(m.payload) for m in await receive(source, 500)] == list(range(500))
            await source.close()

    run(test())


@pytest.mark.sockets
def test_a_topic_that_is_not_utf8_is_delivered_as_unreadable(source_of: Maker) -> None:
    """Bytes that are no text neither break the connection nor hide the message."""

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        line.publish(b"x", 1, topic=b"canhman/\xff/d/telemetry")
        line.publish(b"y", 2)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            assert [(m.topic, m.payload) for m in await receive(source, 2)] == [("\ufffd", b"x"), (TOPIC, b"y")]
            await source.close()

    run(test())


@pytest.mark.sockets
def test_a_server_that_answers_no_ping_is_left(source_of: Maker) -> None:
    """Keepalive: silence is asked for a PINGRESP, and ends in a new connection where none comes."""
    again = asyncio.Event()

    async def script(line: Line) -> None:
        if line.number:
            again.set()
            return
        await line.greet()
        await line.subscribed()
        while (await line.packet())[0] != 0xC0:
            pass
        await line.packet()  # never answers

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, keepalive_s=1)
            await source.open()
            await again.wait()
            assert not source.connected
            await source.close()

    run(test())


@pytest.mark.sockets
def test_a_cancelled_open_leaves_nothing_behind(source_of: Maker) -> None:
    """Cancelling `open` closes what it opened."""
    left = asyncio.Event()

    async def script(line: Line) -> None:
        try:
            await line.packet()
            await line.packet()
        finally:
            left.set()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            task = asyncio.create_task(source_of(server.port).open())
            while not task.done() and not (await asyncio.wait([task], timeout=0.05))[0]:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await left.wait()

    run(test())


@pytest.mark.servers
def test_changing_to_a_share_delivers_once(source_of: Maker, tmp_path: Path) -> None:
    """A session that had the plain subscriptions does not get everything twice once it shares, nor the other way round."""

    async def test(server: Mosquitto) -> None:
        publisher = PahoPublisher("127.0.0.1", server.port, client_id="p")
        await publisher.open()
        for share in (None, "ingest", None):
            source = source_of(server.port, share=share)
            await source.open()
            for word in (b"one", b"end"):
                assert await publisher.publish(TOPIC, word) is Delivery.ACKNOWLEDGED
            got = await receive(source, 2)
            assert [m.payload for m in got] == [b"one", b"end"]
            source.acknowledge(got)
            await source.close()
        await publisher.close()

    with Mosquitto(tmp_path) as server:
        run(test(server))


@pytest.mark.servers
def test_the_shipped_configuration_keeps_a_long_queue_over_a_restart(source_of: Maker, tmp_path: Path) -> None:
    """3,000 messages for an ingest that was there once wait for it, over a broker restart."""
    port = free_port()
    whole = configuration(host="127.0.0.1", port=port, password_path=str(tmp_path / "users"), acl_path=str(tmp_path / "acl"), data_path=str(tmp_path))
    users = f"{INGEST_USER}:{hash_password('pw', salt=b'0' * 12)}\ndev:{hash_password('dev', salt=b'1' * 12)}\n"
    acl = f"user {INGEST_USER}\ntopic read canhman/+/+/telemetry\n\nuser dev\ntopic write {TOPIC}\n"
    server = Mosquitto(tmp_path, whole=whole, users=users, acl=acl, port=port)
    login = {"username": INGEST_USER, "password": "pw"}

    async def test() -> None:
        with pytest.raises(RefusedError, match=rf"127\.0\.0\.1:{port} refuses user 'canhman-ingest'"):
            await source_of(port, username=INGEST_USER, password="wrong").open()
        once = source_of(port, **login)
        await once.open()
        await once.close()
        publisher = PahoPublisher("127.0.0.1", port, client_id="p", username="dev", password="dev", window=500)
        await publisher.open()
        sent = await asyncio.gather(*(publisher.publish(TOPIC, str(i).encode()) for i in range(3000)))
        assert set(sent) == {Delivery.ACKNOWLEDGED}
        await publisher.close()
        server.stop()
        server.start()
        source = source_of(port, **login)
        await source.open()
        got: list[Message] = []
        while len(got) < 3000:
            batch = await source.batch()
            source.acknowledge(batch)
            got += batch
        assert [int(m.payload) for m in got] == list(range(3000))
        await source.close()

    with server:
        run(test())


@pytest.mark.servers
def test_comes_back_by_itself_after_a_killed_broker(source_of: Maker, tmp_path: Path) -> None:
    """`batch` waits through an outage; a broker that forgot the session gets the subscriptions again."""

    async def test(server: Mosquitto) -> None:
        source = source_of(server.port)
        await source.open()
        waiting = asyncio.create_task(source.batch())
        server.kill()
        (server.folder / "mosquitto.db").unlink(missing_ok=True)
        server.start()
        publisher = PahoPublisher("127.0.0.1", server.port, client_id="p")
        await publisher.open()
        while await publisher.publish(TOPIC, b"x") is Delivery.NO_SUBSCRIBERS:
            await asyncio.sleep(0.01)  # until the source has subscribed again: the broker is the only one to know
        assert (await waiting)[0].payload == b"x"
        assert source.connections == 2
        await source.close()
        await publisher.close()

    with Mosquitto(tmp_path) as server:
        run(test(server))


@pytest.mark.servers
def test_a_session_that_came_back_without_its_subscriptions_gets_them_again(source_of: Maker, tmp_path: Path) -> None:
    """A broker saves a session when it likes, also between CONNECT and SUBSCRIBE: killed, it knows us and sends us nothing."""

    async def test(server: Mosquitto) -> None:
        early = source_of(server.port, filters=["elsewhere"])
        await early.open()
        await early.close()
        server.stop()
        saved = (server.folder / "mosquitto.db").read_bytes()
        server.start()
        source = source_of(server.port)
        await source.open()
        assert source.found_session
        server.kill()
        (server.folder / "mosquitto.db").write_bytes(saved)
        server.start()
        publisher = PahoPublisher("127.0.0.1", server.port, client_id="p")
        await publisher.open()
        while await publisher.publish(TOPIC, b"x") is Delivery.NO_SUBSCRIBERS:
            await asyncio.sleep(0.01)  # until the source has subscribed again: the broker is the only one to know
        assert (await source.batch())[0].payload == b"x"
        await source.close()
        await publisher.close()

    with Mosquitto(tmp_path) as server:
        run(test(server))


@pytest.mark.sockets
def test_a_subscription_refused_later_ends_the_connection(source_of: Maker) -> None:
    """An ingest that hears nothing any more must not look connected: the refusal is said, and it comes back until it is granted."""
    opened = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        await line.subscribed(0x80 if line.number == 1 else 1)
        if line.number == 0:
            await opened.wait()
        elif line.number == 1:
            await line.packet()
        else:
            line.publish(b"granted", 1)
            await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            opened.set()
            assert (await source.batch())[0].payload == b"granted"
            assert source.connections == 3
            await source.close()

    with capture_logs() as logs:
        run(test())
    (said,) = [line["error"] for line in logs if line["event"] == "mqtt subscription refused"]
    assert "the subscription to canhman/" in said


@pytest.mark.sockets
def test_what_waits_in_a_session_is_stored_before_the_answer_to_its_subscription(source_of: Maker) -> None:
    """Coming back is not held up by a broker that sends a long queue before its SUBACK, of which only so much is read at a time."""
    opened, stored = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if await line.cut(opened):
            return
        await line.answer_behind(500, stored)

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, max_batch=4)
            await source.open()
            opened.set()
            assert [int(m.payload) for m in await receive(source, 500)] == list(range(500))
            stored.set()
            assert (await source.batch())[0].payload == b"live"
            assert source.connections == 2
            await source.close()

    run(test())


@pytest.mark.sockets
def test_other_filters_are_held_from_now_on(source_of: Maker) -> None:
    """A worker that takes up what cannot be shared subscribes to it while it runs, and gives it up again."""
    seen: list[list[str]] = []

    async def script(line: Line) -> None:
        await line.greet()
        seen.extend([[f for f in await line.subscribed() if f != BROKER_STATE] for _ in range(3)])
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            data = [f for f in FILTERS if is_shared(f)]
            source = source_of(server.port, share="ingest", filters=data)
            await source.open()
            await source.change(FILTERS)
            await source.change(data)
            await source.close()
            with pytest.raises(UnavailableError):
                await source.change(FILTERS)

    run(test())
    words, given_up = {"canhman/+/+/status", "canhman/+/+/command/ack"}, {"-canhman/+/+/status", "-canhman/+/+/command/ack"}
    assert [{f for f in filters if f in words | given_up} for filters in seen] == [given_up, words, given_up]


@pytest.mark.servers
def test_a_session_that_is_ended_collects_nothing(source_of: Maker, tmp_path: Path) -> None:
    """`forget` leaves neither subscriptions nor what waited."""

    async def test(server: Mosquitto) -> None:
        publisher = PahoPublisher("127.0.0.1", server.port, client_id="p")
        await publisher.open()
        source = source_of(server.port)
        await source.open()
        await source.close()
        assert await publisher.publish(TOPIC, b"x") is Delivery.ACKNOWLEDGED
        await source_of(server.port).forget()
        assert await publisher.publish(TOPIC, b"x") is Delivery.NO_SUBSCRIBERS
        await publisher.close()

    with Mosquitto(tmp_path) as server:
        run(test(server))
