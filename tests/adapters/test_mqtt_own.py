"""What our own client does beyond paho's: MQTT 5's session, its receive maximum, its reasons, and strictness."""

from __future__ import annotations

import asyncio
import unittest.mock
from collections.abc import Coroutine
from typing import Any

import pytest
from servers.fake_mqtt import CONNACK3, FakeMqtt, Line, connack5, publish5
from structlog.testing import capture_logs

import adapters.mqtt_keeper
from adapters.mqtt_own import FOR_EVER, RECEIVE_MAXIMUM, SHARE_EXPIRY_S, OwnSource
from core.errors import RefusedError
from core.message import Message

pytestmark = pytest.mark.sockets
TOPIC = b"canhman/o/d/telemetry"


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 30))


def source_of(port: int, **more: Any) -> OwnSource:
    return OwnSource("127.0.0.1", port, client_id="ingest", **{"linger_s": 0.0, "timeout_s": 2.0, **more})


async def receive(source: OwnSource, n: int) -> list[Message]:
    got: list[Message] = []
    while len(got) < n:
        got += await source.batch()
    return got


@pytest.mark.parametrize(("share", "expiry"), [(None, FOR_EVER), ("ingest", SHARE_EXPIRY_S)])
def test_its_session_waits_for_ever_or_as_a_member_of_a_share_for_a_day(share: str | None, expiry: int) -> None:
    """CONNECT: MQTT 5, clean start 0, the expiry, the receive maximum, keep-alive."""
    bodies: list[bytes] = []

    async def script(line: Line) -> None:
        bodies.append(await line.greet())
        await line.subscribed()
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, share=share)
            await source.open()
            await source.close()

    run(test())
    properties = b"\x11" + expiry.to_bytes(4, "big") + b"\x21" + RECEIVE_MAXIMUM.to_bytes(2, "big")
    assert bodies == [b"\x00\x04MQTT\x05\x00" + (30).to_bytes(2, "big") + bytes([len(properties)]) + properties + b"\x00\x06ingest"]


def test_more_in_flight_than_asked_is_taken() -> None:
    """A broker that sends 40 times the receive maximum is no reason to fall: all of it comes, and is acknowledged in order."""
    acknowledged = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        for i in range(400):
            line.publish(str(i).encode(), i + 1)
        for i in range(400):
            assert await line.expect(0x40) == (i + 1).to_bytes(2, "big")
        acknowledged.set()
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, receive_maximum=10)
            await source.open()
            got = await receive(source, 400)
            assert [int(m.payload) for m in got] == list(range(400))
            source.acknowledge(got)
            await acknowledged.wait()
            await source.close()

    run(test())


def test_a_window_that_is_full_ends_the_linger() -> None:
    """Nothing more can come before an acknowledgement: no waiting for it, however long the linger."""

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        for i in range(10):
            line.publish(b"x", i + 1)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port, receive_maximum=10, linger_s=1000.0)
            await source.open()
            assert len(await source.batch()) == 10
            await source.close()

    run(test())


def test_a_batch_is_acknowledged_in_one_piece() -> None:
    """One PUBACK of four bytes a message, in one write."""
    writes: list[bytes] = []

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        for i in range(50):
            line.publish(b"x", i + 1)
        while True:
            await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            got = await receive(source, 50)
            assert source._line is not None
            with unittest.mock.patch.object(source._line, "send", writes.append):
                source.acknowledge(got)
            await source.close()

    run(test())
    assert writes == [b"".join(b"\x40\x02" + (i + 1).to_bytes(2, "big") for i in range(50))]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"\x36\x07\x00\x01a\x00\x05\x00x", 0x81),
        (publish5(TOPIC, b"x", 5, properties=b"\x23\x00\x01"), 0x94),
        (b"\x20\x03\x00\x00\x00", 0x82),
        (b"\xc0\x00", 0x82),
    ],
)
def test_a_broker_that_breaks_the_protocol_is_told_and_left(bad: bytes, reason: int) -> None:
    """QoS 3, a topic alias, a second CONNACK, a PINGREQ: DISCONNECT with the standard's reason, then a new connection; what came before is delivered."""
    told: list[bytes] = []
    opened = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        if line.number:
            line.publish(b"after", 6)
            await line.expect(0xE0)
            return
        await line.subscribed()
        await opened.wait()
        line.send(publish5(TOPIC, b"before", 4) + bad)
        told.append(await line.expect(0xE0))

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            opened.set()
            assert [m.payload for m in await receive(source, 2)] == [b"before", b"after"]
            await source.close()

    with capture_logs() as logs:
        run(test())
    assert told == [bytes([reason])]
    assert any("breaks the protocol" in line["event"] for line in logs)


def test_a_session_taken_over_is_told_and_not_fought_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ingests of one name would throw each other out for ever: the reason is in the log, and the next try is the patient one."""
    monkeypatch.setattr(adapters.mqtt_keeper, "FIRST_DELAY_S", 1000.0)  # so that only the patient delay can bring it back
    monkeypatch.setattr(adapters.mqtt_keeper, "LAST_DELAY_S", 0.05)
    opened = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        if line.number == 0:
            await line.subscribed()
            await opened.wait()
            line.publish(b"a", 1)
            line.send(b"\xe0\x02\x8e\x00")
            return
        line.publish(b"a", 1, dup=True)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            opened.set()
            first, again = await receive(source, 2)
            assert (first.dup, again.dup) == (False, True)
            source.acknowledge([first])
            assert source.counters["stale"] == 1
            await source.close()

    with capture_logs() as logs:
        run(test())
    (lost,) = [line["reason"] for line in logs if line["event"] == "mqtt connection lost"]
    assert "Session taken over: somebody else connects as 'ingest'" in lost


@pytest.mark.parametrize("answer", [CONNACK3[:-1] + b"\x01", connack5(0x84)])
def test_a_broker_of_311_alone_is_told_with_the_way_out(answer: bytes) -> None:
    """RefusedError names ?client=paho."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(answer)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(RefusedError, match=r"speaks MQTT 3\.1\.1 and not 5; .*\?client=paho"):
                await source_of(server.port).open()

    run(test())


def test_a_broker_without_shared_subscriptions_is_refused_as_a_member() -> None:
    """Property 0x2A = 0: said at open, before anything is subscribed."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(b"\x20\x05\x00\x00\x02\x2a\x00")
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(RefusedError, match="no shared subscriptions"):
                await source_of(server.port, share="ingest").open()

    run(test())


def test_the_brokers_keep_alive_counts() -> None:
    """Server keep alive 1 s where we asked 30: pings come in time."""

    async def script(line: Line) -> None:
        await line.packet()
        line.send(b"\x20\x06\x00\x00\x03\x13\x00\x01")
        await line.subscribed()
        assert (await line.packet())[0] == 0xC0
        line.publish(b"pinged", 1)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(server.port)
            await source.open()
            assert (await source.batch())[0].payload == b"pinged"
            await source.close()

    run(test())
