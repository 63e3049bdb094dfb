"""Subscriptions over a connection that came back: whatever a broker answers, or does not, devices are heard or somebody is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from servers.fake_mqtt import FakeMqtt, Line, connack5
from servers.mosquitto import Mosquitto
from servers.mqtt_clients import CLIENTS, TOPIC, Source, run, seen, source_of
from structlog.testing import capture_logs

from adapters import mqtt_held, mqtt_keeper
from adapters.mqtt_publisher import PahoPublisher
from core.errors import RefusedError, UnavailableError
from core.ports import RegistrySnapshot
from registry.broker_files import INGEST_USER, acl_file, hash_password
from registry.permissions import BROKER_STATE, FILTERS

pytestmark = [pytest.mark.sockets, pytest.mark.parametrize("client", CLIENTS)]


def test_one_refused_filter_leaves_the_others_as_they_are(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages go on over the same connection, the refusal is a trouble, and it is asked again until it is granted."""
    monkeypatch.setattr(mqtt_held, "SOON_S", 0.01)
    cut, heard = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if await line.cut(cut):
            return
        await line.subscribed(but={FILTERS[6]: 0x87 if line.version == 5 else 0x80})
        line.publish(b"others", 1)
        await heard.wait()
        await line.subscribed()
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            cut.set()
            assert (await source.batch())[0].payload == b"others"
            await seen(lambda: source.trouble)
            assert f"the subscription to {FILTERS[6]}" in source.trouble
            heard.set()
            await seen(lambda: not source.trouble)
            assert source.connections == 2
            await source.close()

    run(test())


def test_a_subscription_that_is_never_answered_costs_the_connection(client: str) -> None:
    """A broker that says nothing is left, and asked again over another connection."""
    cut = asyncio.Event()

    async def script(line: Line) -> None:
        if await line.cut(cut):
            return
        if line.number == 1:
            while True:
                await line.packet()
        else:
            await line.subscribed()
            line.publish(b"heard", 1)
            await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port, timeout_s=0.2)
            await source.open()
            cut.set()
            assert (await source.batch())[0].payload == b"heard"
            assert source.connections == 3
            await source.close()

    run(test())


@pytest.mark.parametrize("talks", [False, True])
def test_a_change_that_is_never_answered_holds_nobody(client: str, talks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked is told, also by a broker that hands over messages all the while; over the next connection the change holds."""
    monkeypatch.setattr(mqtt_held, "LONGEST_S", 0.5)
    words = [f for f in FILTERS if f.endswith(("status", "ack"))]
    last: list[str] = []

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        last[:] = await line.subscribed()
        if line.number:
            line.publish(b"after", 1)
            await line.packet()
        for n in range(10_000 if talks else 0):
            line.publish(b"before", n + 1)
            await asyncio.sleep(0.01)
        while True:
            await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port, timeout_s=0.2)
            await source.open()
            taking = asyncio.ensure_future(_until(source, b"after"))
            with pytest.raises(UnavailableError):
                await source.change(words)
            await taking
            assert {f for f in last if f in FILTERS} == set(words)
            await source.close()

    run(test())


async def _until(source: Source, payload: bytes) -> None:
    while payload not in [m.payload for m in await source.batch()]:
        pass


def test_an_answer_we_do_not_read_is_not_missing(client: str) -> None:
    """While the journal is full nothing is read; the answer behind what waits there may take as long as that."""
    cut, stored = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if await line.cut(cut):
            return
        await line.answer_behind(40, stored)

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port, timeout_s=0.1, max_batch=4)
            await source.open()
            cut.set()
            await seen(lambda: source.counters["received"] >= 16)
            await asyncio.sleep(0.5)  # the time is what is tried: five times as long as an answer may take
            stored.set()
            got = []
            while len(got) < 41:
                got += await source.batch()
            assert got[-1].payload == b"live"
            assert source.connections == 2
            await source.close()

    run(test())


def test_other_filters_while_the_old_ones_are_not_answered(client: str) -> None:
    """A change that comes in between holds in the end, and closing in between leaves nothing behind."""
    cut, changed = asyncio.Event(), asyncio.Event()
    words = [f for f in FILTERS if f.endswith(("status", "ack"))]
    last: list[list[str]] = []

    async def script(line: Line) -> None:
        if await line.cut(cut):
            return
        await changed.wait()
        last.extend([[f for f in await line.subscribed() if f != BROKER_STATE] for _ in range(2)])
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            cut.set()
            await seen(lambda: source.connections == 2 and source.connected)
            changing = asyncio.ensure_future(source.change(words))
            await asyncio.sleep(0)
            changed.set()
            await changing
            assert {f for f in last[-1] if not f.startswith("-")} == set(words)
            assert {f"-{f}" for f in FILTERS if f not in words} <= set(last[-1])
            await source.close()

    run(test())


def test_closing_while_the_subscriptions_are_not_answered(client: str) -> None:
    """It ends at once, without a word of an error."""
    cut = asyncio.Event()

    async def script(line: Line) -> None:
        if await line.cut(cut):
            return
        while (await line.packet())[0] != 0xE0:
            pass

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            cut.set()
            await seen(lambda: source.connections == 2 and source.connected)
            await source.close()
            assert [t for t in asyncio.all_tasks() if t.get_name().endswith("subscriptions")] == []

    with capture_logs() as logs:
        run(test())
    assert [line for line in logs if line["log_level"] == "error"] == []


def test_delivery_without_acknowledgement_is_a_trouble(client: str) -> None:
    """A broker that grants QoS 0 alone loses what is on its way: said for as long as it is so."""

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed(but={FILTERS[0]: 0})
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            assert f"{FILTERS[0]} at QoS 0" in source.trouble
            await source.close()

    run(test())


def test_a_session_the_broker_had_forgotten_is_counted_and_said(client: str) -> None:
    """What devices sent while we were away is gone with it, and nobody else can know."""
    cut = asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed()
        if line.number == 0:
            await cut.wait()
            return
        line.publish(b"later", 1)
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            assert source.sessions_lost == 0
            cut.set()
            await source.batch()
            assert source.sessions_lost == 1
            await source.close()

    with capture_logs() as logs:
        run(test())
    assert any("forgotten our session" in line["event"] for line in logs)


def test_a_broker_that_stays_away_is_a_trouble_and_one_that_blinks_is_none(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red once it is away for longer than a restart takes, with the reason; green when it is back."""
    cut, back = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if line.number and not back.is_set():
            return
        await line.greet(session=line.number > 0)
        await line.subscribed()
        if line.number == 0:
            await cut.wait()
            return
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            assert source.trouble == ""
            cut.set()
            await seen(lambda: not source.connected)
            assert source.trouble == ""
            monkeypatch.setattr(mqtt_keeper, "GRACE_S", 0.3)
            await seen(lambda: source.trouble)
            assert "no connection" in source.trouble
            assert f"127.0.0.1:{server.port}" in source.trouble
            back.set()
            await seen(lambda: source.connected)
            assert source.trouble == ""
            await source.close()

    run(test())


def test_a_broker_that_lets_us_in_no_more_is_not_said_to_keep_anything(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mosquitto hands a session nothing while its log-in is wrong: said meanwhile, and once more when it lets us in."""
    monkeypatch.setattr(mqtt_keeper, "GRACE_S", 0.0)
    cut, right = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if line.number and not right.is_set():
            await line.packet()
            line.send(connack5(0x87) if line.version == 5 else b"\x20\x02\x00\x05")
            return
        await line.greet(session=line.number > 0)
        await line.subscribed()
        if line.number == 0:
            await cut.wait()
            return
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            cut.set()
            await seen(lambda: "Not authorized" in source.trouble)
            assert "may keep nothing" in source.trouble
            right.set()
            await seen(lambda: source.connected)
            assert source.trouble == ""
            await source.close()

    with capture_logs() as logs:
        run(test())
    assert [line["log_level"] for line in logs if "may be lost" in line["event"]] == ["error"]


@pytest.mark.servers
def test_a_session_that_was_looked_after_survives_a_reload(client: str, tmp_path: Path) -> None:
    """Mosquitto 2.0.11, started again, hands nothing to a session whose client was not there since, once it read its files again; one look heals it."""

    async def test(server: Mosquitto) -> None:
        def source() -> Source:
            return source_of(client, server.port, username=INGEST_USER, password="p")

        for n in range(2):
            looks = source()
            await looks.open()
            await looks.close()  # at first as `broker init` makes it, then as `broker sync` and `doctor` look after it
            if not n:
                server.stop()
                server.start()
        server.reload()
        device = PahoPublisher("127.0.0.1", server.port, client_id="d", username="device", password="d")
        await device.open()
        await device.publish(TOPIC, b"kept")
        await device.close()
        again = source()
        await again.open()
        assert [m.payload for m in await again.batch()] == [b"kept"]
        await again.close()

    users = f"{INGEST_USER}:{hash_password('p', salt=b'x' * 12)}\ndevice:{hash_password('d', salt=b'y' * 12)}\n"
    none = RegistrySnapshot(version=1, orgs=(), devices=(), stations=(), deployments=(), waterways=())
    with Mosquitto(tmp_path, users=users, acl=f"{acl_file(none, closed=False)}user device\ntopic write {TOPIC}\n") as server:
        run(test(server))


def test_a_connection_that_does_not_last_is_a_trouble(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else with our name takes the session over again and again: connected at each look, and each time it is the other's."""
    monkeypatch.setattr(mqtt_keeper, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(mqtt_keeper, "LAST_DELAY_S", 0.001)
    opened, looked = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        await line.subscribed()
        await (looked if line.number > 3 else opened).wait()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = source_of(client, server.port)
            await source.open()
            opened.set()
            await seen(lambda: source.connections == 5)
            assert source.connected
            assert "somebody else" in source.trouble
            assert "'ingest'" in source.trouble
            looked.set()
            await source.close()

    run(test())


def test_all_refused_at_open_is_a_refusal(client: str) -> None:
    """A start says what is wrong and ends; only a service that runs goes on."""

    async def script(line: Line) -> None:
        await line.greet()
        await line.subscribed(but={FILTERS[1]: 0x80})
        await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            with pytest.raises(RefusedError, match=FILTERS[1].replace("+", r"\+")):
                await source_of(client, server.port).open()

    run(test())


@pytest.mark.servers
def test_retained_messages_come_again_over_paho_alone(client: str, tmp_path: Path) -> None:
    """MQTT 3.1.1 has no word for it: each reconnection brings them once more, marked as retained. Our own client is spared."""

    async def test(server: Mosquitto) -> None:
        publisher = PahoPublisher("127.0.0.1", server.port, client_id="p")
        await publisher.open()
        source = source_of(client, server.port)
        await source.open()
        publisher._link.client.publish(TOPIC, b"kept", qos=1, retain=True)
        publisher._link.flush()
        source.acknowledge(got := await source.batch())
        assert [(m.payload, m.retain) for m in got] == [(b"kept", False)]
        server.stop()
        server.start()
        await seen(lambda: source.connections == 2)
        while not (said := [m for m in got if m.payload == b"now"]):
            await publisher.publish(TOPIC, b"now")
            got += await source.batch()
        assert said
        again = [m for m in got if m.payload == b"kept" and m.retain]  # unmarked it may come twice: its acknowledgement died with the broker
        assert len(again) == (1 if client == "paho" else 0)
        await source.close()
        await publisher.close()

    with Mosquitto(tmp_path) as server:
        run(test(server))
