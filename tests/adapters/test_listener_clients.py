"""The embedded listener with clients people use: paho-mqtt, gmqtt and mosquitto_pub, in both versions of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gmqtt
import pytest
from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from servers.listener_bench import TOPIC, Bench, Doorman, FixedClock, bench, run, tls_contexts
from servers.ports import free_port

from adapters.listener import Listener
from core.message import Message

pytestmark = pytest.mark.sockets

PASSWORD = "pw"
STATUS = "canhman/kg/kl01/status"
VERSIONS = pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
COUNT = 15  # under mosquitto_pub's window of 20
PAYLOADS = [b'{"seq": %d}' % n for n in range(COUNT)]


async def break_connections(b: Bench) -> None:
    """Cut every connection without a word, and wait until they are gone."""
    connections = list(b.listener._shared.sockets)
    for connection in connections:
        connection.abort()
    await asyncio.wait([c.gone for c in connections])


def check(messages: list[Message], *, dup: bool, payloads: list[bytes] = PAYLOADS) -> None:
    assert [m.payload for m in messages] == payloads
    assert {(m.topic, m.source, m.qos, m.refused, m.dup) for m in messages} == {(TOPIC, "device:kl01", 1, False, dup)}


# ---------------------------------------------------------------- paho-mqtt


@asynccontextmanager
async def paho_client(b: Bench, version: int, login: str = PASSWORD, *, on_connect: Callable[..., None] | None = None) -> AsyncIterator[paho.Client]:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho", protocol=paho.MQTTProtocolVersion(version), reconnect_on_failure=login == PASSWORD)
    client.username_pw_set("kl01", login)
    client.reconnect_delay_set(1, 1)
    client.on_connect = on_connect  # before its thread runs: a refusal comes once
    await asyncio.to_thread(client.connect, "127.0.0.1", b.listener.port, 30)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_paho(version: int) -> None:
    """Messages stay in flight until acknowledged, come again after a lost connection, and are then done."""

    async def scene() -> None:
        async with bench() as b, paho_client(b, version) as client:
            infos = [client.publish(TOPIC, payload, qos=1) for payload in PAYLOADS]
            lost = await b.messages(COUNT)
            check(lost, dup=False)
            await break_connections(b)
            again = await b.messages(COUNT)
            check(again, dup=True)
            b.listener.acknowledge(lost)
            client.publish(TOPIC, b"behind", qos=0)  # comes after whatever the acknowledgement above might have sent
            assert [m.payload for m in await b.messages(1)] == [b"behind"]
            assert not any(info.is_published() for info in infos)
            b.listener.acknowledge(again)
            await asyncio.to_thread(lambda: [info.wait_for_publish(10) for info in infos])
            assert all(info.is_published() for info in infos)

    run(scene())


@pytest.mark.parametrize("version", [paho.MQTTv311, paho.MQTTv5])
def test_paho_with_a_wrong_password(version: int) -> None:
    """paho is told that its password is wrong, or that it may not."""

    async def scene() -> None:
        loop, reasons = asyncio.get_running_loop(), asyncio.Queue[str]()

        def told(client: object, userdata: object, flags: object, reason: object, properties: object) -> None:
            loop.call_soon_threadsafe(reasons.put_nowait, str(reason))

        async with bench() as b, paho_client(b, version, "wrong", on_connect=told):
            assert (await reasons.get()).lower() == "bad user name or password"

    run(scene())


def test_paho_with_a_refused_topic() -> None:
    """MQTT 5: the PUBACK of a foreign topic says so."""

    async def scene() -> None:
        loop, reasons = asyncio.get_running_loop(), asyncio.Queue[str]()
        async with bench() as b, paho_client(b, paho.MQTTv5) as client:
            client.on_publish = lambda c, u, mid, reason, properties: loop.call_soon_threadsafe(reasons.put_nowait, str(reason))
            client.publish("canhman/kg/other/telemetry", b"{}", qos=1)
            (message,) = await b.messages(1)
            assert message.refused
            assert reasons.empty()
            b.listener.acknowledge([message])
            assert await reasons.get() == "Not authorized"

    run(scene())


# ---------------------------------------------------------------- gmqtt


def test_gmqtt() -> None:
    """The same with another MQTT 5 client, which also subscribes to its command topic."""

    async def scene() -> None:
        async with bench() as b:
            client = gmqtt.Client("gmqtt", clean_session=False, session_expiry_interval=3600)
            client.set_auth_credentials("kl01", "pw")
            client.set_config({"reconnect_delay": 0, "reconnect_retries": 5})
            granted = asyncio.Queue[Any]()
            client.on_subscribe = lambda c, mid, qos, properties: granted.put_nowait(qos)
            await client.connect("127.0.0.1", b.listener.port, keepalive=30)
            client.subscribe("canhman/kg/kl01/command", qos=1)
            assert tuple(await granted.get()) == (1,)
            for payload in PAYLOADS:
                client.publish(TOPIC, payload, qos=1)
            lost = await b.messages(COUNT)
            check(lost, dup=False)
            b.listener.acknowledge(lost[:5])
            client.subscribe("canhman/kg/other/command", qos=1)  # its answer comes behind the PUBACKs
            assert tuple(await granted.get()) == (0x87,)
            assert len(client._persistent_storage.get_all()) == COUNT - 5
            await break_connections(b)
            again = await b.messages(COUNT - 5)
            assert [m.payload for m in again] == PAYLOADS[5:]
            b.listener.acknowledge(lost)
            assert len(client._persistent_storage.get_all()) == COUNT - 5
            b.listener.acknowledge(again)
            await client._persistent_storage.wait_empty()
            await client.disconnect()

    run(scene())


def test_gmqtt_and_a_killed_service(tmp_path: Path) -> None:
    """A client that forgets what it has in flight when its session is gone does not have to: all of it comes to the next life of the service."""

    async def scene() -> None:
        port, book = free_port(), tmp_path / "mqtt-sessions"
        first = Listener("127.0.0.1", port, authority=Doorman(), clock=FixedClock(), linger_s=0, sessions=book)
        await first.open()
        client = gmqtt.Client("gmqtt", clean_session=False, session_expiry_interval=3600)
        client.set_auth_credentials("kl01", "pw")
        client.set_config({"reconnect_delay": 0.05, "reconnect_retries": 50})
        await client.connect("127.0.0.1", port, keepalive=30)
        for payload in PAYLOADS:
            client.publish(TOPIC, payload, qos=1)
        check(await Bench(first).messages(COUNT), dup=False)
        assert first._server
        first._shared.sessions._book = None  # from here on nothing more is written
        first._server.close()
        for connection in list(first._shared.sockets):
            connection.abort()
        second = Listener("127.0.0.1", port, authority=Doorman(), clock=FixedClock(), linger_s=0, sessions=book)
        await second.open()
        again = await Bench(second).messages(COUNT)
        assert [m.payload for m in again] == PAYLOADS
        second.acknowledge(again)
        await client._persistent_storage.wait_empty()
        await client.disconnect()
        await second.close()
        await first.close()

    run(scene())


# ---------------------------------------------------------------- will, RETAIN, TLS, session, QoS 2


@VERSIONS
def test_paho_over_tls_with_will_and_retain(version: int, tmp_path: Path) -> None:
    """As firmware for a broker does it: status retained, `offline` as its will, over TLS; the line breaks and the will comes."""
    server, client_context = tls_contexts(tmp_path)

    async def scene() -> None:
        async with bench(ssl=server) as b:
            client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho", protocol=paho.MQTTProtocolVersion(version), reconnect_on_failure=False)
            client.username_pw_set("kl01", PASSWORD)
            client.will_set(STATUS, b"offline", qos=1, retain=True)
            client.tls_set_context(client_context)
            await asyncio.to_thread(client.connect, "127.0.0.1", b.listener.port, 30)
            client.loop_start()
            info = client.publish(STATUS, b"online", qos=1, retain=True)
            (online,) = await b.messages(1)
            assert (online.topic, online.payload, online.retain, online.source) == (STATUS, b"online", False, "device:kl01")
            b.listener.acknowledge([online])
            await asyncio.to_thread(info.wait_for_publish, 10)
            await break_connections(b)
            (offline,) = await b.messages(1)
            assert (offline.topic, offline.payload) == (STATUS, b"offline")
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    run(scene())


@VERSIONS
def test_paho_finds_its_session(version: int) -> None:
    """A client that asks to keep its session is told that it is there."""
    kept: dict[str, Any] = {"clean_session": False} if version == paho.MQTTv311 else {}
    more: dict[str, Any] = {}
    if version == paho.MQTTv5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 60
        more = {"clean_start": False, "properties": properties}

    async def scene() -> None:
        loop, present = asyncio.get_running_loop(), asyncio.Queue[bool]()
        async with bench() as b:
            for expected in (False, True):
                client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="paho", protocol=paho.MQTTProtocolVersion(version), **kept)
                client.username_pw_set("kl01", PASSWORD)
                client.on_connect = lambda c, u, flags, reason, p: loop.call_soon_threadsafe(present.put_nowait, flags.session_present)
                await asyncio.to_thread(client.connect, "127.0.0.1", b.listener.port, 30, **more)
                client.loop_start()
                assert await present.get() is expected
                client.disconnect()
                await asyncio.to_thread(client.loop_stop)

    run(scene())


# ---------------------------------------------------------------- mosquitto_pub, mosquitto_sub


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        why = f"{name} is not installed (Debian: apt-get install mosquitto-clients)"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return found


async def publish(b: Bench, version: str, *arguments: str, login: str = PASSWORD) -> asyncio.subprocess.Process:
    return await start("mosquitto_pub", b, version, *([] if "-t" in arguments else ["-t", TOPIC]), *arguments, login=login)


async def start(name: str, b: Bench, version: str, *arguments: str, login: str = PASSWORD) -> asyncio.subprocess.Process:
    base = ["-h", "127.0.0.1", "-p", str(b.listener.port), "-V", version, "-i", "pub", "-u", "kl01", "-P", login]
    return await asyncio.create_subprocess_exec(program(name), *base, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


async def output(process: asyncio.subprocess.Process) -> str:
    """What it said; it has ended then."""
    said, _ = await process.communicate()
    return said.decode().lower()


MOSQUITTO_VERSIONS = pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_pub_at_qos_1(version: str) -> None:
    """It waits for the PUBACKs, sends again over a new connection, and ends well when it has them."""

    async def scene() -> None:
        async with bench() as b:
            process = await publish(b, version, "-q", "1", "-l")
            assert process.stdin
            process.stdin.write(b"\n".join(PAYLOADS) + b"\n")
            await process.stdin.drain()
            lost = await b.messages(COUNT)
            check(lost, dup=False)
            await break_connections(b)
            again = await b.messages(COUNT)
            check(again, dup=True)
            process.stdin.write_eof()
            b.listener.acknowledge(lost)
            assert process.returncode is None
            b.listener.acknowledge(again)
            assert await output(process) == ""
            assert process.returncode == 0

    run(scene())


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_pub_at_qos_0(version: str) -> None:
    """Delivered without any acknowledgement."""

    async def scene() -> None:
        async with bench() as b:
            process = await publish(b, version, "-q", "0", "-m", "hi")
            (message,) = await b.messages(1)
            assert (message.payload, message.qos) == (b"hi", 0)
            assert await output(process) == ""
            assert process.returncode == 0

    run(scene())


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_pub_with_a_wrong_password(version: str) -> None:
    """It says so and fails."""

    async def scene() -> None:
        async with bench() as b:
            process = await publish(b, version, "-q", "1", "-m", "hi", login="wrong")
            assert "bad user name or password" in await output(process)
            assert process.returncode != 0
            b.delta(refused_logins=1)

    run(scene())


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_pub_with_too_large_a_payload(version: str, tmp_path: Path) -> None:
    """MQTT 5 knows the limit and does not send; 3.1.1 is cut off at the limit; nothing of it is taken."""
    large = tmp_path / "large"
    large.write_bytes(b"x" * 200_000)

    async def scene() -> None:
        async with bench(max_packet=100_000) as b:
            process = await publish(b, version, "-q", "1", "-f", str(large))
            said = await output(process)
            if version == "mqttv311":  # with MQTT 5, mosquitto_pub 2.0.11 says goodbye as if all were well
                assert "connection was lost" in said
                assert process.returncode != 0
            assert not b.listener.counters["publishes"]
            assert bool(b.listener.counters["too_large"]) == (version == "mqttv311")

    run(scene())


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_pub_with_a_will_over_tls(version: str, tmp_path: Path) -> None:
    """Killed, it leaves its will; the certificate is checked by its own authority."""
    server, _ = tls_contexts(tmp_path)

    async def scene() -> None:
        async with bench(ssl=server) as b:
            will = ["--will-topic", STATUS, "--will-payload", "offline", "--will-qos", "1", "--will-retain"]
            process = await publish(b, version, "-q", "1", "-r", "-l", "--cafile", str(tmp_path / "cert.pem"), *will)
            assert process.stdin
            process.stdin.write(b"hi\n")
            await process.stdin.drain()
            (message,) = await b.messages(1)
            assert (message.payload, message.retain) == (b"hi", False)
            process.kill()
            (left,) = await b.messages(1)
            assert (left.topic, left.payload) == (STATUS, b"offline")
            await process.wait()

    run(scene())


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_pub_at_qos_2(version: str) -> None:
    """Refused as the standard says: it is closed, MQTT 5 was told before that QoS 1 is the most; nothing is taken."""

    async def scene() -> None:
        async with bench() as b:
            process = await publish(b, version, "-q", "2", "-m", "hi")
            while not b.listener.counters["protocol_errors"] and process.returncode is None:
                await asyncio.sleep(0.01)
            if process.returncode is None:
                process.kill()
            await process.communicate()
            assert not b.listener.counters["publishes"]
            assert await (await b.login(device="other")).quiet()

    run(scene())


@pytest.mark.servers
@MOSQUITTO_VERSIONS
def test_mosquitto_sub(version: str) -> None:
    """Its own command topic is granted, whatever QoS it asks for; another one is refused and it says so; a wildcard ends MQTT 5."""

    async def scene() -> None:
        async with bench() as b:
            good = await start("mosquitto_sub", b, version, "-q", "2", "-t", "canhman/kg/kl01/command")
            while not any(c._session.subscriptions for c in b.listener._shared.live.values()):
                await asyncio.sleep(0.01)
            good.terminate()
            await good.communicate()
            b.delta()
            bad = await start("mosquitto_sub", b, version, "-t", "canhman/kg/other/command")
            assert "denied" in await output(bad)
            b.delta(refused_subscriptions=1)
            wild = await start("mosquitto_sub", b, version, "-t", "canhman/#")
            if version == "mqttv311":
                assert "denied" in await output(wild)
            else:
                while not b.listener.counters["protocol_errors"]:
                    await asyncio.sleep(0.01)
                with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                    wild.terminate()
                await wild.communicate()

    run(scene())
