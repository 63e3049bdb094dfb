"""The embedded listener under load: batches, back-pressure, many connections, and the law of acknowledgements."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.listener_bench import Wire, bench, made, qos1, run

from adapters.listener import Listener
from adapters.listener_connection import Connection
from adapters.listener_inbox import Inbox
from adapters.mqtt_codec import (
    V5,
    V311,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    StreamDecoder,
    Subscribe,
    Subscription,
    encode,
)
from core.message import Message

pytestmark = pytest.mark.sockets

VERSIONS = pytest.mark.parametrize("version", [V311, V5])


# ---------------------------------------------------------------- batches, pressure, ends


def test_cancelling_batch_loses_nothing() -> None:
    """Cancelled while waiting and while lingering, the messages are in the next batch."""

    async def scene() -> None:
        async with bench(linger_s=30) as b:
            peer = await b.login()
            waiting = asyncio.create_task(b.listener.batch())
            await asyncio.sleep(0)
            waiting.cancel()
            lingering = asyncio.create_task(b.listener.batch())
            await peer.send(qos1(1), qos1(2))
            assert await peer.quiet()
            lingering.cancel()
            for task in (waiting, lingering):
                with pytest.raises(asyncio.CancelledError):
                    await task
            b.listener._shared.inbox._linger_s = 0
            assert len(await b.messages(2)) == 2

    run(scene())


def test_batch_lingers_for_more_and_stops_at_its_size() -> None:
    """With a long linger a batch comes as soon as it is full."""

    async def scene() -> None:
        async with bench(linger_s=30, max_batch=4) as b:
            peer = await b.login()
            task = asyncio.create_task(b.listener.batch())
            for n in range(1, 5):
                await peer.send(qos1(n))
                assert await peer.quiet()
            assert len(await task) == 4

    run(scene())


def test_reading_goes_on_when_a_quarter_is_free() -> None:
    """Telling every connection costs; at the bound it is not done with each batch, and a message acknowledged twice counts once."""

    async def scene() -> None:
        told: list[bool] = []
        inbox = Inbox(max_batch=1, linger_s=0, max_messages=8, max_bytes=1 << 20, on_pause=told.append)
        inbox.put([Message("t", b"", 0, token=n) for n in range(1, 9)])
        taken = [(await inbox.batch())[0] for _ in range(8)]
        for message in taken[:2]:
            inbox.release([message])
            inbox.release([message])
        assert told == [True]
        inbox.release(taken[2:3])
        assert told == [True, False]

    asyncio.run(scene())


@pytest.mark.parametrize("options", [{"max_pending": 20}, {"max_pending_bytes": 1_000_000}])
def test_back_pressure(options: dict[str, int]) -> None:
    """Too much unacknowledged stops the reading, the bytes stay with the devices; acknowledging goes on, nothing lost."""
    payload, total = b"x" * 60_000, 400

    async def scene() -> None:
        async with bench(max_batch=7, linger_s=30, **options) as b:
            flooder = await b.login(V311)
            bystander = await b.login(V311, device="other")
            flood = asyncio.create_task(flooder.send_bytes(b"".join(encode(qos1(n, payload=payload), V311) for n in range(1, total + 1))))
            got: list[Message] = []
            while not b.listener.paused:
                got += await b.listener.batch()
            for n in range(30):
                latecomer = await b.login(V311, device=f"late{n}")  # a CONNECT is heard
            assert b.listener.counters["publishes"] < 60  # of 400: the limit, and the chunk that crossed it
            await bystander.send(Pingreq())
            await latecomer.send(Pingreq())
            before = b.listener.counters["publishes"]
            b.listener._shared.inbox._linger_s = 0
            while len(got) < before:
                got += await b.listener.batch()
            assert b.listener.paused
            assert b.listener.counters["publishes"] == before
            seen = 0
            while seen < total:
                b.listener.acknowledge(got[seen:])
                seen = len(got)
                if seen < total:
                    got += await b.listener.batch()
            await flood
            assert [(await flooder.receive()) for _ in range(total)] == [Puback(packet_id=n) for n in range(1, total + 1)]
            assert [await bystander.receive(), await latecomer.receive()] == [Pingresp(), Pingresp()]
            assert not b.listener.paused

    run(scene())


def test_a_peer_that_does_not_read_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers pile up in the peer's own socket, not in our memory; when it reads again, all come."""
    total = 500_000

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login(V311)
            peer.writer.transport.pause_reading()
            (connection,) = b.listener._shared.sockets
            connection._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
            full, tell = asyncio.Event(), Connection.pause_writing
            monkeypatch.setattr(Connection, "pause_writing", lambda self: (tell(self), full.set()))
            pings = asyncio.create_task(peer.send_bytes(encode(Pingreq()) * total))
            await full.wait()
            assert not connection._transport.is_reading()
            assert connection._transport.get_write_buffer_size() < 300_000
            peer.writer.transport.resume_reading()
            assert await peer.reader.readexactly(2 * total) == encode(Pingresp()) * total
            await pings

    run(scene())


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for 1,000 sockets in one process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard == resource.RLIM_INFINITY else max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_500_connections_at_once() -> None:
    """All log in, publish and get their PUBACK."""

    async def scene() -> None:
        async with bench(linger_s=0.01) as b:
            peers = await asyncio.gather(*(b.login(V5 if i % 2 else V311, f"d{i}") for i in range(500)))
            await asyncio.gather(*(p.send(qos1(i + 1, f"canhman/kg/d{i}/telemetry")) for i, p in enumerate(peers)))
            got = await b.messages(500)
            assert {m.source for m in got} == {f"device:d{i}" for i in range(500)}
            assert b.listener.connected == 500
            b.listener.acknowledge(got)
            assert await asyncio.gather(*(p.receive() for p in peers)) == [Puback(packet_id=i + 1) for i in range(500)]

    run(scene())


# ---------------------------------------------------------------- laws, on transports that are not there


def wired(listener: Listener, device: str, serial: int, version: int, keep_alive: int = 0) -> tuple[Connection, Wire]:
    connection, wire = Connection(listener._shared, serial), Wire()
    connection.connection_made(wire)
    connection.data_received(encode(Connect(version=version, client_id=device, username=device, password=b"pw", keep_alive=keep_alive)))
    return connection, wire


def test_keep_alive_counts_the_peers_silence_not_ours() -> None:
    """Any bytes are a sign of life; while we do not read, nobody is taken for dead."""

    async def scene() -> None:
        listener = made(max_pending=1)
        connection, wire = wired(listener, "kl01", 1, V311, keep_alive=60)

        def after_silence(seconds: float) -> bool:
            connection._seen -= seconds
            connection._check_keep_alive()
            return not wire.closed

        assert after_silence(89)
        connection.data_received(encode(Pingreq()))
        assert after_silence(89)
        connection.data_received(encode(qos1(1), V311))
        assert listener.paused
        assert after_silence(1000)
        listener.acknowledge(await listener.batch())
        assert not listener.paused
        assert after_silence(89)
        assert not after_silence(2)
        connection.connection_lost(None)

    asyncio.run(scene())


def pubacks(wire: Wire, version: int) -> list[int]:
    decoder = StreamDecoder(version=version)
    decoder.feed(wire.sent)
    return [p.packet_id for p in decoder if isinstance(p, Puback)]


OPERATIONS = st.lists(st.tuples(st.sampled_from(["publish0", "publish1", "publish1", "batch", "acknowledge", "lose"]), st.integers(0, 2)), max_size=60)


@given(OPERATIONS, st.integers(1, 6), st.sampled_from([V311, V5]))
def test_acknowledgements_go_where_they_belong(operations: list[tuple[str, int]], max_pending: int, version: int) -> None:
    """Whatever is published, lost and acknowledged in whatever order: all is handed out once in order of arrival, each
    connection gets exactly the PUBACKs given while it lived, in order, and in the end nothing counts as pending."""

    async def scene() -> None:
        listener = made(max_batch=4, max_pending=max_pending)
        inbox, serial = listener._shared.inbox, 0
        ends: list[tuple[Connection, Wire]] = []
        for device in range(3):
            serial += 1
            ends.append(wired(listener, f"d{device}", serial, version))
        sent: list[bytes] = []
        expected: dict[Wire, list[int]] = {wire: [] for _, wire in ends}
        origin: dict[bytes, tuple[Wire, int]] = {}
        handed_out: list[list[Message]] = []
        got: list[Message] = []
        for operation, device in operations:
            connection, wire = ends[device]
            if operation.startswith("publish"):
                qos, payload = int(operation[-1]), b"%d" % len(sent)
                packet_id = len(sent) % 5 + 1
                sent.append(payload)
                origin[payload] = (wire, packet_id if qos else 0)
                connection.data_received(encode(Publish(f"canhman/kg/d{device}/telemetry", payload, qos, packet_id if qos else 0), version))
            elif operation == "batch" and inbox._queue:
                handed_out.append(await listener.batch())
                got += handed_out[-1]
            elif operation == "acknowledge" and handed_out:
                batch = handed_out.pop(0)
                for message in batch:
                    to, packet_id = origin[message.payload]
                    if packet_id and not to.closed:
                        expected[to].append(packet_id)
                listener.acknowledge(batch)
            elif operation == "lose":
                wire.closed = True
                connection.connection_lost(None)
                serial += 1
                ends[device] = wired(listener, f"d{device}", serial, version)
                expected[ends[device][1]] = []
        assert {wire: pubacks(wire, version) for wire in expected} == expected
        while inbox._queue:
            handed_out.append(await listener.batch())
            got += handed_out[-1]
        assert [m.payload for m in got] == sent
        for batch in handed_out:
            listener.acknowledge(batch)
        assert (inbox._bytes, inbox._awaited, inbox.paused) == (0, set(), False)
        for connection, _ in ends:
            connection.connection_lost(None)

    asyncio.run(scene())


@given(st.lists(st.binary(max_size=60), max_size=5), st.booleans(), st.sampled_from([V311, V5]), st.data())
def test_no_bytes_break_the_listener(chunks: list[bytes], logged_in: bool, version: int, data: st.DataObject) -> None:
    """Random bytes, and damaged packets after a login, end the connection or are understood; nothing is raised."""
    if logged_in:
        packets = [qos1(1), Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter="a"),)), Disconnect(), Pingreq()]
        raw = bytearray(b"".join(encode(p, version) for p in data.draw(st.permutations(packets))))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        chunks = [bytes(raw), *chunks]

    async def scene() -> None:
        listener = made(max_connections=1)
        if logged_in:
            connection, wire = wired(listener, "kl01", 1, version)
        else:
            connection, wire = Connection(listener._shared, 1), Wire()
            connection.connection_made(wire)
        for chunk in chunks:
            connection.data_received(chunk)
        connection.connection_lost(None)
        assert listener.connected == 0
        assert not listener._shared.sockets
        assert not listener._shared.by_client

    asyncio.run(scene())
