"""A word of ingest to itself: it tells a broker that hands nothing over from one that does, and never cries where it may not speak."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from servers.fake_mqtt import FakeMqtt, Line
from servers.mosquitto import Mosquitto
from servers.mqtt_clients import CLIENTS, Source, run, seen

from adapters import mqtt_echo
from adapters.mqtt_echo import EVERY_S, HANGS_UP_S, MISSED, Echo
from adapters.mqtt_endpoint import Endpoint
from adapters.mqtt_filters import DEFAULT_SHARE
from adapters.mqtt_held import Held, Wire
from adapters.mqtt_publisher import PahoPublisher
from core.errors import UnavailableError
from core.place import SLUG
from core.ports import RegistrySnapshot
from registry.broker_files import INGEST_USER, acl_file, hash_password
from registry.permissions import ECHO, ECHO_PREFIXES, ECHOES, FILTERS, echo_topic, may_publish

EMPTY = RegistrySnapshot(version=1, orgs=(), devices=(), stations=(), deployments=(), waterways=())


class Broker:
    """What an `Echo` says, and what it is to hear of it."""

    def __init__(self, share: str | None = None) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.confirmed: list[tuple[str, bytes]] = []  # at QoS 1
        self.left: list[str] = []  # why its connection was
        self.subscribed: list[str] = []
        wire = Wire(
            subscribe=lambda topic, qos, again: self.subscribed.append(topic) or 1,  # type: ignore[func-returns-value]
            unsubscribe=lambda filters: 1,
            publish=self._take,
            flush=lambda: None,
            lose=self.left.append,
            heard_at=lambda: 0.0,
        )
        self.echo = Echo("me", Held(Endpoint(host="h", port=1, client_id="me"), wire, FILTERS, share=share), wire)

    def _take(self, topic: str, payload: bytes, qos: int) -> None:
        (self.confirmed if qos else self.said).append((topic, payload))

    def turn(self, now: float, *, but: str = "", silent: bool = False, settled: int | None = None) -> None:
        """A word at `now`, which comes back by all filters `but` one; one at QoS 1 does not by itself."""
        self.said.clear()
        self.echo.speak(now, settled)
        for topic, payload in self.said:
            if not silent and topic != echo_topic(but or "-", "me"):
                self.echo.heard(topic, payload, now + 0.01)


def test_no_device_may_speak_there() -> None:
    """The topics match their filters, lie where no org can be, and belong to nobody but ingest."""
    for topic_filter, echo in zip(FILTERS, ECHOES, strict=True):
        topic = echo_topic(topic_filter, "canhman-ingest")
        assert topic.startswith(ECHO_PREFIXES)
        assert "+" not in topic
        for pattern in (topic_filter, echo):
            assert all(p in ("+", t) for p, t in zip(pattern.split("/"), topic.split("/"), strict=True))
        assert not may_publish("device:canhman-ingest", topic, owner=lambda _: None)
    assert not SLUG.match(ECHO)  # so no org is called so, whose join key would open it
    assert f"topic write {ECHOES[0]}" in acl_file(EMPTY, closed=False)


def test_a_filter_by_which_words_do_not_come_back_any_more_is_deaf() -> None:
    """Named once a few words in a row did not, for at QoS 0 one may be dropped; and no more once one comes back."""
    broker = Broker()
    broker.turn(0)
    for n in range(1, MISSED + 1):
        broker.turn(n * EVERY_S, but=FILTERS[5])
        assert broker.echo.trouble == ""
    broker.turn((MISSED + 1) * EVERY_S, but=FILTERS[5])
    assert FILTERS[5] in broker.echo.trouble
    assert FILTERS[0] not in broker.echo.trouble
    broker.turn((MISSED + 2) * EVERY_S)
    assert broker.echo.trouble == ""


def test_silence_from_the_start_tells_nothing() -> None:
    """An installation whose account may not speak there is not red; one that is known to have heard itself is."""
    broker = Broker()
    for n in range(10):
        broker.turn(n * EVERY_S, silent=True)
    assert (broker.echo.trouble, broker.echo.took_s) == ("", None)
    broker.echo.known.add(FILTERS[0])
    assert FILTERS[0] in broker.echo.trouble


def test_words_go_out_seldom_and_at_once_over_another_connection() -> None:
    """Each half minute; and what was said over the last connection is no miss of the new one."""
    broker = Broker()
    broker.turn(0)
    assert len(broker.said) == len(FILTERS)
    broker.turn(EVERY_S - 1)
    assert broker.said == []
    for n in range(1, MISSED + 1):
        broker.turn(n * EVERY_S, silent=True)
    broker.echo.connected()
    broker.turn(MISSED * EVERY_S + 1, silent=True)
    assert len(broker.said) == len(FILTERS)
    assert broker.echo.trouble == ""


def test_only_our_own_last_word_counts() -> None:
    """Another ingest's, an old one and a stranger's leave it as it was."""
    broker = Broker()
    broker.echo.known.add(FILTERS[0])
    for n in range(MISSED + 2):
        old = list(broker.said)
        broker.turn(n * EVERY_S, silent=True)
        for topic, payload in old:
            broker.echo.heard(topic, payload, 0.0)
        broker.echo.heard(broker.said[0][0], b"stranger", 0.0)
        broker.echo.heard(echo_topic(FILTERS[0], "another"), broker.said[0][1], 0.0)
    assert broker.echo.trouble
    assert broker.echo.took_s is None


def test_a_worker_hears_itself_whatever_the_share_deals_out() -> None:
    """Of what is shared the topic itself is held, once a connection; of what is not the subscription is there."""
    broker = Broker(share=DEFAULT_SHARE)
    broker.turn(0)
    broker.turn(EVERY_S)
    assert broker.subscribed == [echo_topic(f, "me") for f in FILTERS if not f.endswith(("status", "ack"))]
    broker.echo.connected()
    broker.turn(EVERY_S + 1)
    assert len(broker.subscribed) == 2 * (len(FILTERS) - 2)
    alone = Broker()
    alone.turn(0)
    assert alone.subscribed == []


def test_a_broker_that_hangs_up_at_a_word_is_told_none() -> None:
    """Two connections lost soon after a word, and none ever came back: it is said no more. Where one came back once, or much later, that is no reason."""
    broker = Broker()
    for n in range(2):
        broker.turn(n * EVERY_S, silent=True)
        assert broker.said
        broker.echo.lost(n * EVERY_S + HANGS_UP_S)
        broker.echo.connected()
    for n in range(2, 4):
        broker.turn(n * EVERY_S, silent=True)
        assert broker.said
        broker.echo.lost(n * EVERY_S + 0.1)
        broker.echo.connected()
    broker.turn(9 * EVERY_S, silent=True)
    assert broker.said == []
    known = Broker()
    for n in range(4):
        known.turn(n * EVERY_S)
        assert known.said
        known.echo.lost(n * EVERY_S + 0.1)
        known.echo.connected()


@pytest.mark.parametrize("but", ["", FILTERS[5]])
def test_a_broker_that_begins_to_hang_up_at_a_word_is_told_none(but: str) -> None:
    """Its rules were changed, for all filters or one: what devices send comes on over a connection that holds, and that nothing tells of it any more is red."""
    broker = Broker()
    broker.turn(0)
    for n in range(2):
        broker.echo.connected()
        broker.turn(n * EVERY_S + 1, but=but, silent=not but)
        assert broker.said
        broker.echo.lost(n * EVERY_S + 1.1)
    broker.echo.connected()
    broker.turn(3 * EVERY_S)
    assert broker.said == []
    assert "hangs up" in broker.echo.trouble


def test_a_word_more_before_the_end_is_noticed_forgives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a connection that stands for longer than a broker takes to hang up was not lost by the word before."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)
    broker = Broker()
    for n in range(2):
        broker.turn(10 * n, silent=True)
        broker.turn(10 * n + 0.1, silent=True)
        broker.echo.lost(10 * n + 0.2)
        broker.echo.connected()
    broker.turn(30)
    assert broker.said == []


def test_connections_that_outlive_a_word_are_not_lost_by_it() -> None:
    """One lost soon after a word, one that stands for the next word, one lost again: nothing says that it was the word."""
    broker = Broker()
    for n in range(4):
        broker.turn(100 * n, silent=True)
        broker.echo.lost(100 * n + 0.1)
        broker.echo.connected()
        broker.turn(100 * n + 1, silent=True)
        broker.turn(100 * n + 1 + EVERY_S, silent=True)
        assert broker.said
        broker.echo.lost(100 * n + 90)
        broker.echo.connected()


@pytest.mark.sockets
@pytest.mark.parametrize("client", CLIENTS)
def test_an_installation_at_such_a_broker_stays_as_it_was(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two connections of the first seconds are the whole price: then it holds, and no light is red."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        await line.subscribed()
        first = 0
        while first & 0xF0 not in (0x30, 0xE0):
            first, _ = await line.packet()

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = CLIENTS[client]("127.0.0.1", server.port, client_id="me", linger_s=0.0)
            await source.open()
            while source.connections < 3 or not source.connected:
                with contextlib.suppress(UnavailableError):
                    source.probe()
                await asyncio.sleep(0.001)
            for _ in range(20):
                source.probe()
                await asyncio.sleep(0.001)
            assert (source.connections, source.connected, source.trouble) == (3, True, "")
            await source.close()

    run(test())


@pytest.mark.servers
@pytest.mark.parametrize("share", [None, DEFAULT_SHARE])
@pytest.mark.parametrize("client", CLIENTS)
def test_mosquitto_that_filters_in_silence_is_found_out(client: str, share: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rules we write all comes back and none of it is a message; without one line of them it is red, though connected and granted."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)
    rules = acl_file(EMPTY, closed=False)
    users = f"{INGEST_USER}:{hash_password('p', salt=b'x' * 12)}\ndevice:{hash_password('d', salt=b'y' * 12)}\n"
    rules += "user device\ntopic write canhman/o/d/telemetry\ntopic write canhman/o/d/status\n"

    async def test(server: Mosquitto) -> None:
        def source_of() -> Source:
            return CLIENTS[client]("127.0.0.1", server.port, client_id="me", username=INGEST_USER, password="p", share=share, linger_s=0.0)

        source = source_of()
        await source.open()
        source.probe()
        await seen(lambda: len(source.echo.known) == len(FILTERS))
        server.write_users(None, rules.replace("topic read canhman/+/+/telemetry\n", ""))
        server.reload()
        device = PahoPublisher("127.0.0.1", server.port, client_id="d", username="device", password="d")
        await device.open()
        for _ in range(MISSED + 1):
            source.probe()
            await device.publish("canhman/o/d/telemetry", b"unheard")
            await device.publish("canhman/o/d/status", b"online")
            assert [m.payload for m in await source.batch()] == [b"online"]  # it came behind the word, had there been one
        assert source.connected
        assert "by canhman/+/+/telemetry:" in source.trouble
        server.write_users(None, "\n".join(line for line in rules.splitlines() if "_echo" not in line))
        server.reload()
        old = source_of()  # of an installation that never had the right
        await source.close()
        await old.open()
        for _ in range(MISSED + 2):
            old.probe()
            await device.publish("canhman/o/d/status", b"online")
            await old.batch()
        assert (old.trouble, old.echo.known) == ("", set())
        await old.close()
        await device.close()

    with Mosquitto(tmp_path, users=users, acl=rules) as server:
        run(test(server))
