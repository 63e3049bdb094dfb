"""The embedded listener and peers that are broken, slow, greedy or hostile: each costs a bounded amount, and nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.listener_bench import Bench, Wire, bench, made, qos1, run, tls_contexts

from adapters import listener_publishes
from adapters.listener_connection import Connection
from adapters.mqtt_codec import V5, V311, Connack, Connect, Disconnect, Pingreq, Properties, Puback, Reason, encode

pytestmark = pytest.mark.sockets

LOGIN = encode(Connect(version=V311, client_id="c", username="kl01", password=b"pw"))
WRONG = encode(Connect(version=V311, client_id="c", username="kl01", password=b"no"))


# ---------------------------------------------------------------- how many, how fast


def test_strangers_of_one_address_are_bounded() -> None:
    """Peers that never log in cannot fill the listener; who has logged in does not count as one of them."""

    async def scene() -> None:
        async with bench(max_strangers_of_address=2) as b:
            await b.login(device="a")
            await b.login(device="b")
            silent = [await b.dial() for _ in range(2)]
            assert await (await b.dial()).receive() is None
            b.delta(refused_connections=1)
            await silent[0].lose()
            while len(b.listener._shared.sockets) > 3:
                await asyncio.sleep(0)
            assert await (await b.login(device="c")).quiet()

    run(scene())


def test_new_connections_of_one_address_wait_their_turn() -> None:
    """Who comes too fast is read later, not refused."""

    async def scene() -> None:
        async with bench(connects_at_once=1, connects_per_s=0.01) as b:
            peers = [await b.dial() for _ in range(3)]
            while len(b.listener._shared.sockets) < 3:
                await asyncio.sleep(0)
            for n, peer in enumerate(peers):
                await peer.send(Connect(client_id=f"c{n}", username="kl01", password=b"pw"))
            assert isinstance(await peers[0].receive(), Connack)
            waiting = [c for c in b.listener._shared.sockets if c._throttled]
            assert len(waiting) == 2
            assert b.listener.connected == 1
            for connection in waiting:
                connection._throttled_enough()  # their turn
            answers = [await peer.receive() for peer in peers[1:]]
            assert all(isinstance(a, Connack) and not a.reason for a in answers)
            b.delta()

    run(scene())


def test_a_connection_that_sends_too_fast_is_read_later() -> None:
    """All it sent arrives, in order, and nobody else waits."""

    async def scene() -> None:
        async with bench(messages_at_once=20.0, messages_per_s=400.0, max_batch=1000) as b:
            fast, other = await b.login(), await b.login(device="other")
            await fast.send(*(qos1(n) for n in range(1, 41)))  # twice what may come at once
            assert await other.quiet()
            got = await b.messages(40)
            await fast.send(*(qos1(n) for n in range(41, 51)))
            got += await b.messages(10)
            assert b.listener.counters["throttled"]
            b.listener.acknowledge(got)
            assert [await fast.receive() for _ in range(50)] == [Puback(packet_id=n) for n in range(1, 51)]

    run(scene())


def test_a_peer_that_never_reads_is_cut() -> None:
    """Its answers pile up to a bound, for a time; then it is gone, and its will is left."""

    async def scene() -> None:
        async with bench(slow_reader_s=0.05) as b:
            peer = await b.login(V311)
            peer.writer.transport.pause_reading()
            (connection,) = b.listener._shared.sockets
            connection._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            connection._transport.set_write_buffer_limits(high=4096)
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(peer.send_bytes(encode(Pingreq()) * 500_000), connection.gone)
            await connection.gone
            b.delta(slow_readers=1)
            assert not b.listener._shared.live

    run(scene())


# ---------------------------------------------------------------- guessing


def test_wrong_passwords_are_answered_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read while the answer waits; after a dozen the right one is not looked at either, and another user is."""
    waits: list[float] = []

    async def scene() -> None:
        listener = made()
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: 1000.0)  # no time goes by: nothing is forgotten
        monkeypatch.setattr(loop, "call_later", lambda wait_s, call, *rest: waits.append(wait_s) or real(wait_s, call, *rest))
        for n in range(13):
            connection, wire = Connection(listener._shared, n + 1), Wire()
            connection.connection_made(wire)
            waits.clear()
            connection.data_received(WRONG)
            connection.data_received(LOGIN)
            if waits:
                assert not wire.sent
                connection._send_refusal((4, 0x86))
            assert wire.sent.hex() == ("20020004" if n < 12 else "20020003")
            assert wire.closed
            assert waits == ([[], [], [], [], [0.25], [0.5], [1.0], [2.0], [4.0]] + [[5.0]] * 3 + [[]])[n]
            connection.connection_lost(None)
        for n, (sent, answer) in enumerate([(LOGIN, "20020003"), (LOGIN.replace(b"kl01", b"kl02"), "20020000")]):
            connection, wire = Connection(listener._shared, 100 + n), Wire()
            connection.connection_made(wire)
            connection.data_received(sent)
            assert wire.sent.hex() == answer
            connection.connection_lost(None)
        assert listener.counters["unheard_logins"] == 2
        assert not listener._shared.sockets

    loop = asyncio.new_event_loop()
    real = loop.call_later
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


def test_log_lines_of_strangers_are_few(capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred wrong packets are some twenty lines."""

    async def scene() -> None:
        listener = made()
        for n in range(100):
            connection, wire = Connection(listener._shared, n + 1), Wire()
            connection.connection_made(wire)
            connection.data_received(b"GET / HTTP/1.1\r\n")
            assert wire.closed
            connection.connection_lost(None)
        assert listener.counters["malformed"] == 100

    asyncio.run(scene())
    assert 20 <= capsys.readouterr().out.count("mqtt connection closed") <= 22


# ---------------------------------------------------------------- TLS


def test_peers_that_do_not_speak_tls_at_a_tls_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plain client, one that says nothing, and one that does not trust us are closed in time, counted, and told apart; others go on."""
    server, client = tls_contexts(tmp_path)

    async def scene() -> None:
        async with bench(ssl=server, connect_timeout_s=1.0) as b:
            good = await b.dial(tls=client)
            await good.send(Connect(client_id="c", username="kl01", password=b"pw"))
            assert isinstance(await good.receive(), Connack)
            plain, silent = await b.dial(), await b.dial()
            await plain.send_bytes(LOGIN)
            assert await plain.receive() is None
            with pytest.raises(ssl.SSLCertVerificationError):
                await b.dial(tls=ssl.create_default_context())
            assert await silent.receive() is None
            while len(b.listener._shared.sockets) > 1:
                await asyncio.sleep(0.01)
            assert await good.quiet()
            b.delta(handshakes=3)

    run(scene())
    said = capsys.readouterr().out
    assert "this port takes TLS only" in said
    assert "no TLS handshake" in said


def test_strangers_at_a_tls_port_are_counted_before_their_handshake(tmp_path: Path) -> None:
    """Who opens connections and never begins TLS meets the same bounds."""
    server, client = tls_contexts(tmp_path)

    async def scene() -> None:
        async with bench(ssl=server, max_strangers_of_address=2) as b:
            for _ in range(2):
                await b.dial()
            assert await (await b.dial()).receive() is None
            b.delta(refused_connections=1)
            for peer in b.peers:
                await peer.lose()
            while b.listener._shared.sockets:
                await asyncio.sleep(0.01)
            peer = await b.dial(tls=client)
            await peer.send(Connect(client_id="c", username="kl01", password=b"pw"), Disconnect())
            assert isinstance(await peer.receive(), Connack)

    run(scene())


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(tmp_path: Path) -> None:
    """A client of TLS 1.3 may send CONNECT in the same segment as its last word of the handshake."""
    server, client = tls_contexts(tmp_path)

    async def scene() -> None:
        async with bench(ssl=server) as b:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            line = client.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            reader, writer = await asyncio.open_connection("127.0.0.1", b.listener.port)
            while True:
                try:
                    line.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                    incoming.write(await reader.read(65_536))
            line.write(LOGIN)
            writer.write(outgoing.read())  # Finished and CONNECT
            while True:
                try:
                    assert line.read(4) == b"\x20\2\0\0"
                    break
                except ssl.SSLWantReadError:
                    incoming.write(await reader.read(65_536))
            writer.close()

    run(scene())


# ---------------------------------------------------------------- descriptors, addresses, restarts


@pytest.fixture
def few_files() -> Iterator[int]:
    """Room for some thirty more files than are open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = len(os.listdir("/proc/self/fd")) + 30
    resource.setrlimit(resource.RLIMIT_NOFILE, (room, hard))
    yield room
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_nobody_is_lost(few_files: int, caplog: pytest.LogCaptureFixture) -> None:
    """Where no more can be accepted it is said, those who are here go on, and who waits is taken when there is room."""
    caplog.set_level(logging.ERROR, "asyncio")

    async def scene() -> None:
        async with bench() as b:
            assert b.listener._shared.limits.max_connections <= few_files
            peer = await b.login()
            taken: list[int] = []
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            os.close(taken.pop())
            waiting = await asyncio.get_running_loop().run_in_executor(None, _connect, b)  # the last descriptor: none is left to accept it
            while "out of system resource" not in caplog.text:
                await asyncio.sleep(0.01)
            assert await peer.quiet()
            for fd in taken:
                os.close(fd)
            waiting.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(waiting, LOGIN)
            assert await loop.sock_recv(waiting, 4) == b"\x20\2\0\0"
            waiting.close()

    run(scene())


def _connect(b: Bench) -> socket.socket:
    return socket.create_connection(("127.0.0.1", b.listener.port))


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host: str) -> None:
    """Devices come by IPv6; `::` is every address of either kind."""

    async def scene() -> None:
        listener = made(host)
        await listener.open()
        for to in ("::1", "127.0.0.1") if host == "::" else ("::1",):
            reader, writer = await asyncio.open_connection(to, listener.port)
            writer.write(LOGIN)
            assert await reader.readexactly(4) == b"\x20\2\0\0"
            writer.close()
            await writer.wait_closed()
        await listener.close()

    run(scene())


@pytest.mark.parametrize("version", [V311, V5])
def test_a_session_outlives_the_service(tmp_path: Path, version: int) -> None:
    """A client that keeps its session is told after a `kill -9` of ours that it is there, and so keeps what it has in flight."""
    kept = Connect(
        version=version,
        client_id="c",
        clean_start=False,
        username="kl01",
        password=b"pw",
        properties=Properties(session_expiry_interval=3600) if version == V5 else Properties(),
    )

    async def one_life() -> bool:
        listener = made("127.0.0.1", sessions=tmp_path / "mqtt-sessions")
        await listener.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(encode(kept))
        answer = await reader.readexactly(4)
        for connection in listener._shared.sockets:
            connection._shared.sessions._book = None  # killed: nothing more is written
        writer.close()
        await listener.close()
        return bool(answer[2])

    async def scene() -> None:
        assert [await one_life(), await one_life(), await one_life()] == [False, True, True]

    run(scene())


def test_dead_peers_are_noticed_without_keep_alive() -> None:
    """TCP asks after a silent peer, and gives up on bytes nobody confirms."""

    async def scene() -> None:
        async with bench() as b:
            await b.login()
            (connection,) = b.listener._shared.sockets
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000

    run(scene())


def test_a_changed_right_counts_for_the_next_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the authority said of a topic is asked again: a device that lost its right is refused a moment later."""
    monkeypatch.setattr(listener_publishes, "_ASK_AGAIN_S", 0.0)

    async def scene() -> None:
        async with bench() as b:
            peer = await b.login()
            await peer.send(qos1(1), qos1(2))
            assert not any(m.refused for m in await b.messages(2))
            monkeypatch.setattr(b.listener._shared.authority, "may_publish", lambda principal, topic: False)
            await peer.send(qos1(3), qos1(4))
            got = await b.messages(2)
            assert all(m.refused for m in got)
            b.listener.acknowledge(got)
            assert [await peer.receive() for _ in range(2)] == [Puback(packet_id=n, reason=Reason.NOT_AUTHORIZED) for n in (3, 4)]
            assert b.listener.counters["refused_publishes"] == 2

    run(scene())
