"""How a connection to the embedded listener ends: wills, take-over, keep-alive, strangers, and the listener's own end."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from servers.listener_bench import NOW, TOPIC, Doorman, FixedClock, bench, qos1, run, tls_contexts
from servers.ports import free_port

from adapters.listener import Listener
from adapters.mqtt_codec import (
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Puback,
    Publish,
    Reason,
    Will,
    encode,
)
from core.errors import ConfigError, UnavailableError
from core.message import Message

pytestmark = pytest.mark.sockets

VERSIONS = pytest.mark.parametrize("version", [V311, V5])


# ---------------------------------------------------------------- wills, take-over, keep-alive

WILL = Will(topic="canhman/kg/kl01/status", payload=b"offline", qos=1, retain=True)


@VERSIONS
def test_a_lost_connection_leaves_its_will(version: int) -> None:
    """The will comes as a live message of its device, to be neither acknowledged nor lost."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(version, will=WILL)
            await peer.lose()
            (message,) = await b.messages(1)
            assert message == Message(WILL.topic, b"offline", NOW, "device:kl01", 0)
            b.listener.acknowledge([message])
            b.delta(will=1)

    run(scene())


@pytest.mark.parametrize(("version", "reason", "left"), [(V311, 0, False), (V5, 0, False), (V5, Reason.DISCONNECT_WITH_WILL, True)])
def test_a_goodbye_discards_the_will(version: int, reason: int, left: bool) -> None:
    """DISCONNECT takes the will back, except with reason 4."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(version, will=WILL)
            await peer.send(Disconnect(reason=reason), Publish(TOPIC, b"after goodbye"))
            assert await peer.receive() is None
            b.delta(**({"will": 1} if left else {}))
            assert not b.listener.counters["publishes"]
            if left:
                assert [m.payload for m in await b.messages(1)] == [b"offline"]

    run(scene())


def test_a_will_for_a_foreign_topic_is_dropped() -> None:
    """A will may say no more than a publish."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(will=dataclasses.replace(WILL, topic="canhman/kg/other/status"))
            await peer.send(Disconnect(reason=Reason.DISCONNECT_WITH_WILL))
            assert await peer.receive() is None
            b.delta(refused_wills=1)

    run(scene())


@VERSIONS
def test_the_same_client_takes_its_connection_over(version: int) -> None:
    """The old connection is told (MQTT 5) and closed, its will left; a namesake of another principal is left alone."""

    async def scene() -> None:
        async with bench() as b:
            namesake = await b.login(version, device="other", client_id="c")
            old = await b.login(version, client_id="c", will=WILL)
            new = await b.login(version, client_id="c")
            if version == V5:
                assert await old.receive() == Disconnect(reason=Reason.SESSION_TAKEN_OVER)
            assert await old.receive() is None
            assert [m.payload for m in await b.messages(1)] == [b"offline"]
            assert await new.quiet()
            assert await namesake.quiet()
            assert b.listener.connected == 2
            b.delta(taken_over=1, will=1)

    run(scene())


# ---------------------------------------------------------------- strangers


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (bytes.fromhex("160301020001000002"), "malformed"),  # TLS at the plain port
        (encode(Publish(TOPIC), V311), "protocol_errors"),  # not CONNECT
        (encode(Pingreq()), "protocol_errors"),
        (b"\x10\xff\xff\xff\x2f", "too_large"),  # a CONNECT of 100 MB
        (b"\x10\x80\x80\x10", "too_large"),  # 256 KiB: under the limit of packets, too much for a stranger
        (b"\x10\xff\xff\xff\xff\x01", "malformed"),
    ],
)
def test_what_is_not_mqtt_is_shut_out(data: bytes, counter: str) -> None:
    """The connection is closed without an answer, and counted."""

    async def scene() -> None:
        async with bench() as b:
            peer = await b.dial()
            await peer.send_bytes(data)
            assert await peer.receive() is None
            b.delta(**{counter: 1})

    run(scene())


@VERSIONS
def test_a_publish_of_100_mb_is_refused_at_its_header(version: int) -> None:
    """Nobody has to send the 100 MB first; a packet at the limit is taken."""

    async def scene() -> None:
        async with bench(max_packet=10_000) as b:
            peer = await b.login(version)
            room = 10_000 - len(encode(qos1(1, payload=b"x" * 9000), version)) + 9000
            await peer.send(qos1(1, payload=b"x" * room))
            assert len((await b.messages(1))[0].payload) == room
            await peer.send_bytes(bytes.fromhex("32 80c2d72f"))
            if version == V5:
                assert await peer.receive() == Disconnect(reason=Reason.PACKET_TOO_LARGE)
            assert await peer.receive() is None
            b.delta(too_large=1)

    run(scene())


def test_connect_must_come_in_time() -> None:
    """A connection that says nothing, or half a CONNECT, is closed."""

    async def scene() -> None:
        async with bench(connect_timeout_s=0.05) as b:
            silent, half = await b.dial(), await b.dial()
            await half.send_bytes(b"\x10\x20\0\x04MQ")
            assert await silent.receive() is None
            assert await half.receive() is None
            b.delta(connect_timeouts=2)

    run(scene())


def test_a_login_in_time_outlives_the_connect_timeout() -> None:
    """The timeout is for CONNECT alone."""

    async def scene() -> None:
        async with bench(connect_timeout_s=0.1) as b:
            peer, silent = await b.login(), await b.dial()
            assert await silent.receive() is None  # so more than the timeout has gone by
            assert await peer.quiet()

    run(scene())


def test_max_connections() -> None:
    """One too many is closed at once, and that nobody new gets in is a trouble; when another goes there is room."""

    async def scene() -> None:
        async with bench(max_connections=2) as b:
            first = await b.login(device="a")
            assert b.listener.trouble == ""
            _second, third = await b.login(device="b"), await b.dial()
            assert await third.receive() is None
            b.delta(refused_connections=1)
            assert "2 connections are the most" in b.listener.trouble
            await first.send(Disconnect())
            assert await first.receive() is None
            assert b.listener.trouble == ""
            assert await (await b.login(device="c")).quiet()

    run(scene())


@VERSIONS
def test_close_says_goodbye(version: int) -> None:
    """MQTT 5 learns that the server goes; nobody's will is left; the port is free again; closing twice is nothing."""

    async def scene() -> None:
        async with bench() as b:
            peer, stranger = await b.login(version, will=WILL), await b.dial()
            await peer.send(qos1(1))
            await b.messages(1)
            port = b.listener.port
            await b.listener.close()
            if version == V5:
                assert await peer.receive() == Disconnect(reason=Reason.SERVER_SHUTTING_DOWN)
            assert await peer.receive() is None
            assert await stranger.receive() is None
            b.delta()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await b.listener.close()

    run(scene())


def test_an_address_that_cannot_be_used_is_named() -> None:
    """One line with the address: a taken port may be free later, a wrong address never works."""

    async def scene() -> None:
        async with bench() as b:
            for host, port, kind in [
                ("127.0.0.1", b.listener.port, UnavailableError),
                ("192.0.2.1", free_port(), ConfigError),
                ("127.0.0.1", 70_000, ConfigError),
            ]:
                with pytest.raises(kind) as caught:
                    await Listener(host, port, authority=Doorman(), clock=FixedClock()).open()
                assert f"{host}:{port}" in str(caught.value)
                assert "\n" not in str(caught.value)

    run(scene())


def test_tls(tmp_path: Path) -> None:
    """The same over TLS."""
    server, client = tls_contexts(tmp_path)

    async def scene() -> None:
        async with bench(ssl=server) as b:
            peer = await b.dial(tls=client)
            await peer.send(Connect(client_id="c", username="kl01", password=b"pw"), qos1(1, payload=b"x" * 500_000))
            assert isinstance(await peer.receive(), Connack)
            b.listener.acknowledge(await b.messages(1))
            assert await peer.receive() == Puback(packet_id=1)

    run(scene())
