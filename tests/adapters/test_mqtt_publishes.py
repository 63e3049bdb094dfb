"""The quick way through PUBLISH packets: where it takes one it says what the general codec says, and it takes no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.mqtt_codec import V5, V311, MqttError, Publish, StreamDecoder, encode
from adapters.mqtt_publishes import Known, take_publishes
from core.message import Message

TOPICS = ("canhman/kg/kl01/telemetry", "canhman/kg/trạm/status")
KNOWN: Known = {topic.encode(): (topic, n == 1, n << 40) for n, topic in enumerate(TOPICS)}

PLAIN = st.builds(
    lambda topic, payload, qos, packet_id, retain, dup: Publish(topic, payload, qos, packet_id if qos else 0, retain, dup and qos > 0),
    st.sampled_from(TOPICS),
    st.binary(max_size=200),
    st.sampled_from([0, 1]),
    st.integers(1, 0xFFFF),
    st.booleans(),
    st.booleans(),
)


def quick(data: bytes, version: int, *, largest: int = 1 << 20, room: int = 1000) -> tuple[int, list[Message], dict[int, int]]:
    messages: list[Message] = []
    in_flight: dict[int, int] = {}
    at, token = take_publishes(
        data,
        0,
        properties=version == V5,
        largest=largest,
        room=room,
        known=KNOWN,
        received=7,
        source="device:kl01",
        token=100,
        messages=messages,
        in_flight=in_flight,
    )
    assert token == 100 + len(in_flight)
    return at, messages, in_flight


def careful(data: bytes, version: int) -> list[Message]:
    """The same by the general codec. Raises MqttError."""
    decoder = StreamDecoder(version=version)
    decoder.feed(data)
    made, token = [], 100
    for packet in decoder:
        assert isinstance(packet, Publish)
        token += packet.qos
        known = KNOWN[packet.topic.encode()]
        made.append(Message(packet.topic, packet.payload, 7, "device:kl01", packet.qos, False, packet.dup, known[1], token if packet.qos else 0))
    return made


@given(st.lists(PLAIN, max_size=6), st.sampled_from([V311, V5]), st.integers(0, 8))
def test_plain_publishes_are_read_as_the_codec_reads_them(packets: list[Publish], version: int, cut: int) -> None:
    """Whole packets all come, the last one only when it is whole."""
    data = b"".join(encode(p, version) for p in packets)
    data = data[: len(data) - cut]
    at, messages, in_flight = quick(data, version)
    assert messages == careful(data, version)
    assert list(in_flight.values()) == [p.packet_id | KNOWN[p.topic.encode()][2] for p in packets[: len(messages)] if p.qos]
    assert data[at:] == b"" or len(messages) == len(packets) - 1 or cut


@given(st.lists(PLAIN, min_size=1, max_size=4), st.sampled_from([V311, V5]), st.data())
def test_damaged_ones_are_left_to_the_codec(packets: list[Publish], version: int, draw: st.DataObject) -> None:
    """Whatever byte is changed: what is taken, the codec takes too and calls the same; where it finds a fault nothing is taken from there on."""
    data = bytearray(b"".join(encode(p, version) for p in packets))
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    at, messages, _ = quick(bytes(data), version)
    try:
        expected = careful(bytes(data[:at]), version)
    except MqttError as error:
        raise AssertionError(f"taken, though {error}") from error
    assert messages == expected


def test_bounds_stop_it() -> None:
    """No room in flight, or a packet over the limit: it is left where it stands."""
    data = b"".join(encode(Publish(TOPICS[0], b"x" * 150, 1, n), V5) for n in range(1, 5))
    assert len(quick(data, V5, room=3)[1]) == 3
    assert quick(data, V5, largest=len(data) // 4 - 1)[:2] == (0, [])
    assert quick(encode(Publish(TOPICS[0], b"", 2, 1), V5), V5)[0] == 0
    assert quick(encode(Publish("canhman/kg/unseen/telemetry", b""), V5), V5)[0] == 0
