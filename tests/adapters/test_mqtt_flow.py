"""Whether what must be acknowledged still comes: seen by ingest itself, with a word where nothing else tells it, and cured."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from servers.fake_mqtt import FakeMqtt, Line
from servers.mosquitto import Mosquitto

from adapters import mqtt_echo
from adapters.mqtt import PahoSource
from adapters.mqtt_flow import PATIENT, Flow
from adapters.mqtt_held import Wire
from adapters.mqtt_own import OwnSource
from adapters.mqtt_publisher import PahoPublisher
from core.errors import UnavailableError
from core.message import Message
from registry.permissions import FILTERS

TOPIC = "canhman/o/d/telemetry"


class Broker:
    """What a `Flow` says, and for what it leaves."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.left: list[str] = []
        wire = Wire(
            subscribe=lambda topic, qos, again: 1,
            unsubscribe=lambda filters: 1,
            publish=lambda topic, payload, qos: self.said.append(payload),
            flush=lambda: None,
            lose=self.left.append,
            heard_at=lambda: 0.0,
        )
        self.flow = Flow(wire, b"me=")

    def turns(self, settled: Sequence[int | None], topic: str | None = TOPIC) -> None:
        for count in settled:
            self.flow.turn(count, topic)


def test_where_messages_flow_nothing_is_said() -> None:
    """Each turn more were acknowledged, or one waits for it (the journal is full): that is proof enough, or not the broker's doing."""
    broker = Broker()
    broker.turns([1, 2, None, None, 3, 4, None, 5])
    assert (broker.said, broker.flow.trouble) == ([], "")


def test_in_a_silence_one_word_at_a_time_is_on_its_way() -> None:
    """What waits at a broker that lets nothing through stays one message, however long."""
    broker = Broker()
    broker.turns([0] * 3)
    assert len(broker.said) == 1
    assert broker.flow.heard(broker.said[0])
    broker.turns([0] * 2)
    assert len(broker.said) == 2
    assert broker.said[0] != broker.said[1]
    broker.turns([0] * 50)
    assert len(broker.said) == 2


def test_a_word_that_does_not_come_back_costs_the_connection_once_and_is_red() -> None:
    """After so many turns; red until something that must be acknowledged comes, also a word of the connection before."""
    for cure in ("word", "message"):
        broker = Broker()
        broker.turns([7] * (2 + PATIENT - 1))
        assert (broker.flow.trouble, broker.left) == ("", [])
        broker.turns([7])
        assert "QoS 1" in broker.flow.trouble
        assert len(broker.left) == 1
        broker.flow.connected()
        broker.turns([7] * 10)
        assert "QoS 1" in broker.flow.trouble
        assert len(broker.left) == 1
        if cure == "word":
            assert broker.flow.heard(broker.said[0])
        else:
            broker.turns([8])
        assert broker.flow.trouble == ""


def test_a_backlog_and_a_broker_that_hands_over_nothing_are_no_stop() -> None:
    """Behind a long queue messages flow; where words at QoS 0 do not come back either, that is told, and this is not known."""
    broker = Broker()
    broker.turns([0, 0])
    broker.turns(range(1, 50))
    assert (broker.flow.trouble, len(broker.said)) == ("", 1)
    deaf = Broker()
    deaf.turns([0] * 20, topic=None)
    assert (deaf.flow.trouble, deaf.said) == ("", [])
    deaf.turns([0] * 2)
    deaf.turns([0] * 20, topic=None)
    assert deaf.flow.trouble == ""


def test_anothers_word_tells_nothing() -> None:
    """A worker's, or that of a process before this one."""
    broker = Broker()
    assert not broker.flow.heard(b"you=1")


@pytest.mark.sockets
@pytest.mark.parametrize("client", [PahoSource, OwnSource])
def test_a_word_that_died_with_its_connection_is_not_said_again(client: type[PahoSource | OwnSource], monkeypatch: pytest.MonkeyPatch) -> None:
    """A library would: and a broker that hangs up at it would never be rid of it."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)

    async def script(line: Line) -> None:
        await line.greet(session=line.number > 0)
        if line.number:
            assert (await line.packet())[0] == 0x82  # a SUBSCRIBE
            line.publish(b"silent", 1)
            await line.expect(0xE0)
            return
        await line.subscribed()
        while (first := (said := await line.packet())[0]) != 0x32:
            line.send(bytes([first, len(said[1])]) + said[1])

    async def test() -> None:
        async with FakeMqtt(script) as server:
            source = client("127.0.0.1", server.port, client_id="me", linger_s=0.0)
            await source.open()
            while source.connections == 1 and source.connected:
                source.probe()
                await asyncio.sleep(0.001)
            assert [m.payload for m in await source.batch()] == [b"silent"]
            await source.close()

    asyncio.run(asyncio.wait_for(test(), 60))


class Forgetful:
    """A client whose acknowledgements are lost on their way; it knows nothing of it."""

    forgets = False

    def _confirm(self, packet_ids: Sequence[int]) -> None:
        if not self.forgets:
            super()._confirm(packet_ids)  # type: ignore[misc]  # of the client it stands before


class ForgetfulPaho(Forgetful, PahoSource):
    """paho's."""


class ForgetfulOwn(Forgetful, OwnSource):
    """Our own."""


@pytest.mark.servers
@pytest.mark.parametrize(("client", "more"), [(ForgetfulPaho, {}), (ForgetfulOwn, {"receive_maximum": 2})])
def test_a_mosquitto_that_waits_for_lost_acknowledgements_is_found_and_cured(
    client: type[ForgetfulPaho | ForgetfulOwn], more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its window is full of what we acknowledged: words at QoS 0 come on, devices do not; over another connection all of it comes."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)

    async def test(server: Mosquitto) -> None:
        async def turn() -> None:
            """A word by each filter, and what there is of its answers."""
            took, source.echo.took_s = source.echo.took_s, None
            source.probe()
            async with asyncio.timeout(5):
                while source.echo.took_s is None or source.echo._out:
                    await asyncio.sleep(0.001)
            assert took is None or took >= 0

        source = client("127.0.0.1", server.port, client_id="me", linger_s=0.0, **more)
        await source.open()
        device = PahoPublisher("127.0.0.1", server.port, client_id="d")
        await device.open()
        await turn()
        source.forgets = True
        got: list[Message] = []
        for n in range(2):
            await device.publish(TOPIC, b"%d" % n)
            source.acknowledge(got := got + await source.batch())
        assert source._inbox.settled == 2
        await device.publish(TOPIC, b"stuck")
        for _ in range(1 + PATIENT):
            assert source.trouble == ""
            await turn()
        source.forgets = False
        with contextlib.suppress(UnavailableError):  # it leaves
            source.probe()
        assert "QoS 1" in source.echo.trouble
        got = []
        while b"stuck" not in [m.payload for m in got]:
            source.acknowledge(part := await source.batch())
            got += part
        assert source.connections == 2
        await turn()
        await turn()
        assert source.trouble == ""
        await source.close()
        await device.close()

    with Mosquitto(tmp_path, config="max_inflight_messages 2") as server:
        asyncio.run(asyncio.wait_for(test(server), 60))


@pytest.mark.servers
@pytest.mark.parametrize("share", [None, "ingest"])
@pytest.mark.parametrize("client", [PahoSource, OwnSource])
def test_a_broker_that_raises_words_to_qos_1_gets_them_acknowledged_in_order(
    client: type[PahoSource | OwnSource], share: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `upgrade_outgoing_qos` all come back, none is a message, and each frees its place in the window, after the messages before it."""
    monkeypatch.setattr(mqtt_echo, "EVERY_S", 0.0)

    async def test(server: Mosquitto) -> None:
        source = client("127.0.0.1", server.port, client_id="me", linger_s=0.0, share=share)
        await source.open()
        device = PahoPublisher("127.0.0.1", server.port, client_id="d")
        await device.open()
        for n in range(20):  # four times what the window holds
            source.probe()
            await device.publish(TOPIC, b"%d" % n)
            source.acknowledge(got := await source.batch())
            assert [(m.topic, m.payload) for m in got] == [(TOPIC, b"%d" % n)]
        while len(source.echo.known) < len(FILTERS):
            source.probe()
            await asyncio.sleep(0.001)
        await device.publish(TOPIC, b"first")
        (first,) = await source.batch()
        source.probe()
        while not source._inbox.aside:
            await asyncio.sleep(0.001)
        source.acknowledge([first])
        while source._inbox.aside:
            await asyncio.sleep(0.001)
        await source.close()
        await device.close()
        assert "Received PUBACK from me" in server.log
        sent = [line.split("m")[-1].partition(",")[0] for line in server.log.splitlines() if "Sending PUBLISH to me " in line and ", q1," in line]
        assert len(sent) > 20

    with Mosquitto(tmp_path, config="upgrade_outgoing_qos true\nmax_inflight_messages 30") as server:
        asyncio.run(asyncio.wait_for(test(server), 60))
