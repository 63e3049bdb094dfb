"""Streams of MQTT to the codec, to the quick ways past it, and to the listener."""

from __future__ import annotations

import asyncio
import atexit
import random
from typing import Any

from adapters.listener import Listener
from adapters.listener_connection import Connection
from adapters.listener_limits import Guesses
from adapters.mqtt_codec import (
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    MqttError,
    Packet,
    Pingreq,
    Properties,
    Puback,
    Publish,
    StreamDecoder,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
    encode,
)
from adapters.mqtt_own_read import BrokerStream
from adapters.mqtt_publishes import Known, take_publishes
from bench.fuzz.mutate import chunks, mutated
from bench.fuzz.target import Target, law
from core.message import Message

TOPIC = "canhman/kg/kl01/telemetry"
PAYLOAD = b'{"seq":1,"time":"2026-03-01T00:10:00Z","readings":{"water.ec":2.31}}'
_PROPERTIES = Properties(message_expiry_interval=60, content_type="json", user_property=(("a", "b"),), response_topic="r", payload_format_indicator=1)


def _seeds(version: int) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """CONNECTs, what a client sends behind them, and what a server sends."""
    five = version == V5
    more = Properties(session_expiry_interval=60, receive_maximum=7) if five else Properties()
    will = Will(topic="canhman/kg/kl01/status", payload=b"offline", qos=1, retain=True, properties=Properties(will_delay_interval=3) if five else Properties())
    connects = [
        Connect(version=version, client_id="c", username="kl01", password=b"pw"),
        Connect(version=version, client_id="c", username="kl01", password=b"pw", keep_alive=60, clean_start=False, will=will, properties=more),
    ]
    publishes: list[Packet] = [
        Publish(TOPIC, PAYLOAD, 1, 1),
        Publish(TOPIC, PAYLOAD * 3, 1, 2, dup=True),
        Publish(TOPIC, PAYLOAD, 0, retain=True),
        Publish("canhman/kg/trạm/telemetry", b"", 1, 65_535, properties=_PROPERTIES if five else Properties()),
        Publish(TOPIC, PAYLOAD, 2, 3),
    ]
    client: list[Packet] = [
        *publishes,
        Subscribe(packet_id=9, subscriptions=(Subscription(topic_filter="canhman/kg/kl01/command", qos=1), Subscription(topic_filter="a/+/#"))),
        Unsubscribe(packet_id=9, topic_filters=("canhman/kg/kl01/command",)),
        Pingreq(),
        Disconnect(),
        Puback(packet_id=1),
    ]
    server: list[Packet] = [*publishes[:4], Connack(), Suback(packet_id=9, reasons=(1,)), Puback(packet_id=7)]
    return [encode(c, version) for c in connects], [encode(p, version) for p in client], [encode(p, version) for p in server]


SEEDS = {version: _seeds(version) for version in (V311, V5)}


def _stream(rng: random.Random, packets: list[bytes]) -> bytes:
    """Some packets in a row, one or all of them damaged."""
    made = [rng.choice(packets) for _ in range(rng.randrange(1, 6))]
    if rng.random() < 0.7:
        at = rng.randrange(len(made))
        made[at] = mutated(rng, [made[at], *packets], most=3)
        return b"".join(made)
    return mutated(rng, [b"".join(made), *packets])


def _read(pieces: list[bytes], version: int | None) -> tuple[list[Packet], int]:
    """All packets, and the reason the stream breaks for (0: it does not)."""
    decoder, packets = StreamDecoder(1 << 20, version=version), list[Packet]()
    try:
        for piece in pieces:
            decoder.feed(piece)
            packets.extend(decoder)
    except MqttError as error:
        return packets, error.reason
    return packets, 0


def _codec(version: int, *, server: bool) -> Target:
    connects, client, other = SEEDS[version]

    def make(rng: random.Random) -> bytes:
        if server:
            return (rng.choice(connects) if rng.random() < 0.8 else mutated(rng, connects, most=3)) + _stream(rng, client)
        return _stream(rng, other)

    def feed(data: bytes) -> None:
        start = None if server else version
        packets, reason = _read([data], start)
        pieces = chunks(random.Random(len(data) * 31 + data[-1] if data else 0), data)
        law((packets, reason) == _read(pieces, start), "the packets depend on how the bytes are cut")
        law(reason == 0 or reason >= 0x80, f"reason {reason}")
        seen = version
        for packet in packets:
            seen = packet.version if isinstance(packet, Connect) else seen
            law(_again(packet, seen), f"{packet} does not come back as it was")

    side = "server" if server else "client"
    return Target(
        name=f"mqtt codec {'5' if version == V5 else '3.1.1'}, {side}",
        about="the same packets however the bytes are cut, each of which encodes and decodes to itself; nothing but MqttError",
        share=0.09,
        declared=(MqttError,),
        make=make,
        feed=feed,
    )


def _again(packet: Packet, version: int) -> bool:
    decoder = StreamDecoder(version=None if isinstance(packet, Connect) else version)
    decoder.feed(encode(packet, version))
    return list(decoder) == [packet]


# ---------------------------------------------------------------- the quick ways


def _quick(version: int) -> Target:
    _, client, _ = SEEDS[version]
    known: Known = {topic.encode(): (topic, False, 0) for topic in (TOPIC, "canhman/kg/trạm/telemetry")}

    def feed(data: bytes) -> None:
        messages: list[Message] = []
        at, _ = take_publishes(
            data, 0, properties=version == V5, largest=1 << 20, room=1000, known=known, received=1, source="", token=0, messages=messages, in_flight={}
        )
        packets, reason = _read([data[:at]], version)
        law(not reason, "bytes were taken that break the stream")
        law(all(isinstance(p, Publish) for p in packets), "another packet was taken for a PUBLISH")
        said = [(p.topic, p.payload, p.qos, p.dup) for p in packets if isinstance(p, Publish)]
        law([(m.topic, m.payload, m.qos, m.dup) for m in messages] == said, "the quick way reads another message than the codec")

    return Target(
        name=f"listener's quick PUBLISH, {'5' if version == V5 else '3.1.1'}",
        about="what it takes the codec takes, and reads the same",
        share=0.05,
        declared=(),
        make=lambda rng: _stream(rng, client[:5]),
        feed=feed,
    )


def _own_client() -> Target:
    _, _, server = SEEDS[V5]

    def read(pieces: list[bytes]) -> tuple[list[Message], list[Packet], bool]:
        stream, messages, others = BrokerStream(), list[Message](), list[Packet]()
        try:
            for piece in pieces:
                stream.take(piece, 1, messages, others)
        except MqttError:
            return messages, others, True
        return messages, others, False

    def feed(data: bytes) -> None:
        messages, others, broken = read([data])
        pieces = chunks(random.Random(len(data) * 31 + data[-1] if data else 0), data)
        law((messages, others, broken) == read(pieces), "the messages depend on how the bytes are cut")
        packets, reason = _read([data], V5)
        if not reason and not any(isinstance(p, Publish) and (p.qos == 2 or p.properties.topic_alias is not None) for p in packets):
            law(not broken, "the own client breaks where the codec reads on")
            said = [(p.topic, p.payload, p.qos, p.dup, p.retain) for p in packets if isinstance(p, Publish)]
            law([(m.topic, m.payload, m.qos, m.dup, m.retain) for m in messages] == said, "the own client reads another message than the codec")
            law(others == [p for p in packets if not isinstance(p, Publish)], "the own client reads another packet than the codec")
        law(all(m.topic for m in messages), "a message without a topic")

    return Target(
        name="own client's stream",
        about="the same messages however the bytes are cut; where the codec finds no fault, the same as the codec",
        share=0.08,
        declared=(MqttError,),
        make=lambda rng: _stream(rng, server),
        feed=feed,
    )


# ---------------------------------------------------------------- the whole listener


class _Wire(asyncio.Transport):
    """A transport whose other end checks that only whole packets come."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        law(not self.closed, "a write after the end")
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


class _Everyone:
    """Lets everybody in with the password `pw`, below their own name."""

    def authenticate(self, username: str, password: bytes, client_id: str) -> str | None:
        return f"device:{username}" if password == b"pw" else None

    def may_publish(self, principal: str, topic: str) -> bool:
        return topic.startswith(f"canhman/kg/{principal.removeprefix('device:')}/")

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        return topic_filter.endswith("/command")


class _Clock:
    def now_ms(self) -> int:
        return 1

    def real_seconds(self, sim_seconds: float) -> float:
        return sim_seconds


class _Life:
    """A listener and its loop, made anew every thousand connections."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.count = 0
        self.listener: Any = None

    def play(self, data: bytes) -> None:
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            atexit.register(self.loop.close)
        self.loop.run_until_complete(self._play(data))

    async def _play(self, data: bytes) -> None:
        if self.count % 1000 == 0:
            self.listener = Listener("", 0, authority=_Everyone(), clock=_Clock(), linger_s=0.0)
        self.count += 1
        shared, wire = self.listener._shared, _Wire()
        object.__setattr__(shared, "guesses", Guesses())  # no input is refused because of another
        connection = Connection(shared, self.count)
        connection.connection_made(wire)
        acknowledged = 0
        for piece in chunks(random.Random(len(data)), data):
            connection.data_received(piece)
            if shared.inbox._queue:
                batch = await self.listener.batch()
                self.listener.acknowledge(batch)
                acknowledged += sum(m.qos > 0 for m in batch)
        ended = wire.closed
        connection.connection_lost(None)
        law(not shared.sockets and not shared.live and not shared.by_client, "a connection that is over is still in a table")
        for handle, _ in list(shared.wills._waiting.values()):
            handle.cancel()
        shared.wills._waiting.clear()
        if shared.inbox._queue:
            self.listener.acknowledge(await self.listener.batch())
        law(not shared.inbox._awaited and shared.inbox._bytes == 0, "something counts as pending for ever")
        if wire.sent:
            _whole(wire.sent, acknowledged, ended)


def _whole(sent: bytes, acknowledged: int, ended: bool) -> None:
    """What was sent is whole packets: CONNACK first, a PUBACK for each message at most, DISCONNECT last and only at the end."""
    law(sent[0] == 0x20, "something was sent before CONNACK")
    version = V5 if sent[1] > 2 else V311
    decoder = StreamDecoder(version=version)
    decoder.feed(sent)
    packets = list(decoder)
    law(decoder.buffered[0][decoder.buffered[1] :] == b"", "half a packet was sent")
    law(sum(isinstance(p, Puback) for p in packets) <= acknowledged, "a PUBACK nobody asked for")
    ends = [n for n, p in enumerate(packets) if isinstance(p, Disconnect) or (isinstance(p, Connack) and p.reason)]
    law(not ends or (ended and ends == [len(packets) - 1]), "something was sent behind the end")


def _listener() -> Target:
    life = _Life()

    def make(rng: random.Random) -> bytes:
        connects, client, _ = SEEDS[rng.choice((V311, V5))]
        return (rng.choice(connects) if rng.random() < 0.8 else mutated(rng, connects, most=3)) + _stream(rng, client)

    return Target(
        name="listener, from CONNECT on",
        about="nothing is raised, no table or count is left behind, whole packets are sent: CONNACK first, nothing behind an end",
        share=0.09,
        declared=(),
        make=make,
        feed=life.play,
    )


TARGETS = (
    *(_codec(version, server=server) for version in (V311, V5) for server in (True, False)),
    *(_quick(version) for version in (V311, V5)),
    _own_client(),
    _listener(),
)
