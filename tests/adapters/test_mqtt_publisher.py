"""The paho publisher: window, order, resending and answers, against a scripted server and a real Mosquitto."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from servers.fake_mqtt import FakeMqtt, Line, connack5, puback5, publish5_parts
from servers.mosquitto import Mosquitto

from adapters.mqtt import PahoSource
from adapters.mqtt_publisher import PahoPublisher
from core.errors import RefusedError, UnavailableError
from core.ports import Delivery

TOPIC = "canhman/o/d/telemetry"


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(bounded())


def publisher_of(port: int, **more: Any) -> PahoPublisher:
    return PahoPublisher("127.0.0.1", port, client_id="p", **{"timeout_s": 2.0, **more})


async def next_publish(line: Line) -> tuple[int, bool, bytes]:
    """(mid, dup, payload) of the next PUBLISH."""
    while True:
        first, body = await line.packet()
        if first & 0xF0 == 0x30:
            return publish5_parts(first, body)


@pytest.mark.sockets
def test_what_has_no_puback_is_sent_again_in_order_before_anything_new() -> None:
    """After a cut: the unacknowledged in their order with dup and the same mids, then what waited; all end acknowledged."""
    seen: list[list[tuple[int, bool, bytes]]] = [[], []]

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5(session=line.number > 0))
        while True:
            mid, dup, payload = await next_publish(line)
            seen[line.number].append((mid, dup, payload))
            if line.number or mid <= 3:
                line.send(puback5(mid))
            elif len(seen[0]) == 8:
                return

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port, window=5)
            await publisher.open()
            answers = await asyncio.gather(*(publisher.publish(TOPIC, str(i).encode()) for i in range(20)))
            assert answers == [Delivery.ACKNOWLEDGED] * 20
            await publisher.close()

    run(test())
    assert seen[0] == [(i + 1, False, str(i).encode()) for i in range(8)]
    assert seen[1] == [(i + 1, i < 8, str(i).encode()) for i in range(3, 20)]


@pytest.mark.sockets
@pytest.mark.parametrize(("window", "receive_maximum", "most"), [(3, None, 3), (100, 5, 5), (4, 9, 4)])
def test_never_more_in_flight_than_window_and_receive_maximum(window: int, receive_maximum: int | None, most: int) -> None:
    """The server sees exactly min(window, Receive Maximum) messages and no more until it acknowledges one."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5(receive_maximum=receive_maximum))
        waiting = [(await next_publish(line))[0] for _ in range(most)]
        await line.quiet()
        while waiting[-1] < 30:
            line.send(puback5(waiting.pop(0)))
            waiting.append((await next_publish(line))[0])
            await line.quiet(20)
        for mid in waiting:
            line.send(puback5(mid))
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port, window=window)
            await publisher.open()
            answers = await asyncio.gather(*(publisher.publish(TOPIC, str(i).encode()) for i in range(30)))
            assert answers == [Delivery.ACKNOWLEDGED] * 30
            await publisher.close()

    run(test())


@pytest.mark.sockets
def test_a_smaller_receive_maximum_after_a_reconnect_holds_for_the_resent() -> None:
    """A server that comes back with room for 2 gets 2 at a time, still in order."""
    order: list[bytes] = []

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5(receive_maximum=10 if line.number == 0 else 2))
        if line.number == 0:
            for _ in range(10):
                await next_publish(line)
            return
        while True:
            pair = [await next_publish(line) for _ in range(2)]
            await line.quiet()
            order.extend(payload for _, _, payload in pair)
            line.send(puback5(pair[0][0]) + puback5(pair[1][0]))

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port)
            await publisher.open()
            await asyncio.gather(*(publisher.publish(TOPIC, str(i).encode()) for i in range(20)))
            await publisher.close()

    run(test())
    assert order == [str(i).encode() for i in range(20)]


@pytest.mark.sockets
def test_reason_codes_become_deliveries() -> None:
    """0x00 acknowledged, 0x10 nobody subscribed, 0x80 and above refused."""
    reasons = [0x00, 0x10, 0x87, 0x80, 0x97]

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5())
        for reason in reasons:
            line.send(puback5((await next_publish(line))[0], reason))
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port)
            await publisher.open()
            answers = await asyncio.gather(*(publisher.publish(TOPIC, b"") for _ in reasons))
            assert answers == [Delivery.ACKNOWLEDGED, Delivery.NO_SUBSCRIBERS] + [Delivery.REFUSED] * 3
            await publisher.close()

    run(test())


@pytest.mark.sockets
def test_a_message_the_server_cannot_take_is_refused_alone() -> None:
    """Above the server's Maximum Packet Size it is not sent: the server would hang up, at each resend again."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5(maximum_packet=200))
        while True:
            mid, _, payload = await next_publish(line)
            assert len(payload) < 200
            line.send(puback5(mid))

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port)
            await publisher.open()
            answers = await asyncio.gather(*(publisher.publish(TOPIC, b"x" * size) for size in (10, 1000, 20)))
            assert answers == [Delivery.ACKNOWLEDGED, Delivery.REFUSED, Delivery.ACKNOWLEDGED]
            assert publisher.connections == 1
            await publisher.close()

    run(test())


@pytest.mark.sockets
def test_close_ends_those_who_wait_and_a_cancelled_call_harms_nobody() -> None:
    """Waiting publishers end with UnavailableError; a cancelled one is forgotten, queued or in flight."""
    sent: list[bytes] = []
    three = asyncio.Event()

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5())
        while True:
            mid, _, payload = await next_publish(line)
            sent.append(payload)
            if payload == b"0":
                line.send(puback5(mid))
            if len(sent) == 3:
                three.set()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port, window=2)
            with pytest.raises(UnavailableError, match="is not open"):
                await publisher.publish(TOPIC, b"early")
            await publisher.open()
            tasks = [asyncio.create_task(publisher.publish(TOPIC, str(i).encode())) for i in range(5)]
            await three.wait()
            tasks[1].cancel()  # in flight
            tasks[4].cancel()  # in the queue
            await publisher.close()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert results[0] is Delivery.ACKNOWLEDGED
            assert [type(r) for r in results[1:]] == [asyncio.CancelledError, UnavailableError, UnavailableError, asyncio.CancelledError]
            with pytest.raises(UnavailableError):
                await publisher.publish(TOPIC, b"late")

    run(test())
    assert sent == [b"0", b"1", b"2"]


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("reason", "kind"), [(0x86, RefusedError), (0x87, RefusedError), (0x85, RefusedError), (0x88, UnavailableError), (0x89, UnavailableError)]
)
def test_open_tells_refusal_from_absence(reason: int, kind: type[Exception]) -> None:
    """A wrong password is configuration, a busy server is weather; each one line with host, port."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5(reason))

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(kind, match=rf"\AMQTT broker 127\.0\.0\.1:{server.port} [^\n]+\Z"):
                await publisher_of(server.port, username="u", password="secret").open()

    run(test())


@pytest.mark.sockets
def test_a_credential_revoked_meanwhile_is_told_and_tried_again() -> None:
    """Refused at a reconnect, it goes on trying: whoever mends the password need not restart us."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(connack5(0x87 if line.number in (1, 2) else 0))
        if line.number == 0:
            await next_publish(line)
        elif line.number == 3:
            line.send(puback5((await next_publish(line))[0]))
            await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            publisher = publisher_of(server.port)
            await publisher.open()
            assert await publisher.publish(TOPIC, b"x") is Delivery.ACKNOWLEDGED
            await publisher.close()

    run(test())


@pytest.mark.servers
def test_every_publish_is_answered_over_killed_brokers(tmp_path: Path) -> None:
    """A broker killed twice amid 3,000 publishes: every call ends with an answer of the broker's."""

    async def test(server: Mosquitto) -> None:
        publisher = publisher_of(server.port, window=50)
        await publisher.open()
        calls = [asyncio.create_task(publisher.publish(TOPIC, str(i).encode())) for i in range(3000)]
        for stop_at in (700, 1900):
            await calls[stop_at]
            server.kill()
            server.start()
        answers = set(await asyncio.gather(*calls))
        assert answers <= {Delivery.ACKNOWLEDGED, Delivery.NO_SUBSCRIBERS}
        assert publisher.connections == 3
        await publisher.close()

    with Mosquitto(tmp_path, config="max_queued_messages 0") as server:
        run(test(server))


@pytest.mark.servers
def test_hundreds_of_publishers_in_one_process_need_no_threads(tmp_path: Path) -> None:
    """300 clients on one loop, each heard, with no thread per client."""

    async def test(server: Mosquitto) -> None:
        source = PahoSource("127.0.0.1", server.port, client_id="s", linger_s=0.0)
        await source.open()
        publishers = [PahoPublisher("127.0.0.1", server.port, client_id=f"d{i}") for i in range(300)]
        await asyncio.gather(*(p.open() for p in publishers))
        answers = await asyncio.gather(*(p.publish(f"canhman/o/d{i}/telemetry", b"x") for i, p in enumerate(publishers) for _ in range(3)))
        assert set(answers) == {Delivery.ACKNOWLEDGED}
        assert threading.active_count() < 40
        topics: list[str] = []
        while len(topics) < 900:
            batch = await source.batch()
            source.acknowledge(batch)
            topics += [m.topic for m in batch]
        assert len(set(topics)) == 300
        await asyncio.gather(*(p.close() for p in publishers))
        await source.close()

    with Mosquitto(tmp_path, config="max_queued_messages 0") as server:
        run(test(server))


@pytest.mark.servers
def test_a_will_is_published_where_the_client_is_cut_off(tmp_path: Path) -> None:
    """The last will reaches the subscriber when the connection ends without a goodbye, and not after a clean close."""

    async def test(server: Mosquitto) -> None:
        source = PahoSource("127.0.0.1", server.port, client_id="s", linger_s=0.0)
        await source.open()
        will = ("canhman/o/d/status", b"offline")
        clean = publisher_of(server.port, will=will)
        await clean.open()
        await clean.close()
        cut = PahoPublisher("127.0.0.1", server.port, client_id="q", will=("canhman/o/e/status", b"offline"))
        await cut.open()
        other = PahoPublisher("127.0.0.1", server.port, client_id="q")  # takes the session over: the first is cut off
        await other.open()
        assert (await source.batch())[0].topic == "canhman/o/e/status"
        await cut.close()
        await other.close()
        await source.close()

    with Mosquitto(tmp_path) as server:
        run(test(server))
