"""Bytes of a broker to messages: what the general codec says of them, whatever the chunks; and nothing but MqttError."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mqtt_codec import MqttError, Packet, Pingresp, Properties, Publish, Reason, StreamDecoder, Suback, encode
from adapters.mqtt_own_read import _MOST_TOPICS, BrokerStream
from core.message import Message
from registry.permissions import BROKER_STATE

PUBLISHES = st.builds(
    lambda topic, payload, qos, mid, retain, dup, properties: Publish(topic, payload, qos, mid if qos else 0, retain, dup and qos > 0, properties),
    st.sampled_from(["canhman/o/d/telemetry", "canhman/o/ơ/telemetry", "x" * 200]),
    st.binary(max_size=300) | st.just(b"y" * 20_000),
    st.sampled_from([0, 1, 1, 1]),
    st.integers(1, 0xFFFF),
    st.booleans(),
    st.booleans(),
    st.sampled_from([Properties(), Properties(), Properties(content_type="json"), Properties(user_property=(("a", "b"),))]),
)
OTHERS: st.SearchStrategy[Packet] = st.sampled_from([Pingresp(), Suback(packet_id=7, reasons=(1,))])


def read(data: bytes, cuts: list[int]) -> tuple[list[Message], list[Packet], MqttError | None]:
    """All of `data`, cut into chunks."""
    stream, messages, others = BrokerStream(), [], []  # type: BrokerStream, list[Message], list[Packet]
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    try:
        for begin, end in itertools.pairwise(places):
            stream.take(data[begin:end], 5, messages, others)
    except MqttError as error:
        return messages, others, error
    return messages, others, None


@given(st.lists(PUBLISHES | OTHERS, max_size=12), st.lists(st.integers(0, 1 << 20), max_size=6))
def test_reads_what_was_written_whatever_the_chunks(packets: list[Packet], cuts: list[int]) -> None:
    """Every PUBLISH is a message with its fields and a token that rises with the order; the rest comes as packets."""
    messages, others, error = read(b"".join(encode(p) for p in packets), cuts)
    sent = [p for p in packets if isinstance(p, Publish)]
    assert error is None
    assert [(m.topic, m.payload, m.qos, m.retain, m.dup, m.received) for m in messages] == [(p.topic, p.payload, p.qos, p.retain, p.dup, 5) for p in sent]
    assert [m.token & 0xFFFF for m in messages] == [p.packet_id for p in sent]
    tokens = [m.token for m in messages if m.qos]
    assert tokens == sorted(set(tokens))
    assert others == [p for p in packets if not isinstance(p, Publish)]


@given(st.lists(PUBLISHES, min_size=1, max_size=4), st.integers(0, 1 << 20), st.integers(0, 255))
def test_agrees_with_the_general_codec_on_damaged_bytes(packets: list[Publish], place: int, byte: int) -> None:
    """One byte changed: what the general codec takes is taken, what it refuses is refused, at the same place."""
    data = bytearray(b"".join(encode(p) for p in packets))
    data[place % len(data)] = byte
    messages, _, error = read(bytes(data), [])
    decoder = StreamDecoder(version=5)
    decoder.feed(bytes(data))
    expected: list[Packet] = []
    refused = False
    try:
        expected.extend(decoder)
    except MqttError:
        refused = True
    publishes = [p for p in expected if isinstance(p, Publish)]
    stricter = any(p.qos == 2 or p.properties.topic_alias is not None for p in publishes)  # not asked for, so not allowed
    if stricter or (error is None) == refused:  # a wrong topic alone breaks no frame: it is told in the message
        assert stricter or any("\ufffd" in m.topic or "\0" in m.topic or "+" in m.topic or "#" in m.topic for m in messages)
    else:
        assert [(m.topic, m.payload) for m in messages] == [(p.topic, p.payload) for p in publishes]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
def test_any_bytes_end_in_packets_or_one_error(data: bytes, cuts: list[int]) -> None:
    """No exception but MqttError."""
    read(data, cuts)
    with contextlib.suppress(MqttError):
        BrokerStream().take(b"\x32" + data, 1, [], [])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x36\x00", Reason.MALFORMED_PACKET),
        (b"\x38\x04\x00\x01a\x00", Reason.MALFORMED_PACKET),
        (b"\x34\x06\x00\x01a\x00\x01\x00", Reason.PROTOCOL_ERROR),
        (b"\x32\x06\x00\x01a\x00\x00\x00", Reason.PROTOCOL_ERROR),
        (b"\x32\x05\x00\x00\x00\x01\x00", Reason.PROTOCOL_ERROR),
        (b"\x32\x09\x00\x01a\x00\x01\x03\x23\x00\x01", Reason.TOPIC_ALIAS_INVALID),
        (b"\x32\x04\x00\x09a\x00", Reason.MALFORMED_PACKET),
        (b"\x32\x80\x00", Reason.MALFORMED_PACKET),
        (b"\x32\xff\xff\xff\xff", Reason.MALFORMED_PACKET),
        (b"\x62\x02\x00\x01", Reason.PROTOCOL_ERROR),
    ],
)
def test_what_a_broker_may_not_send(data: bytes, reason: Reason) -> None:
    """QoS 3, DUP at QoS 0, QoS 2, no identifier, no topic, an alias, fields over the end, lengths, QoS 2's PUBREL; what came before is kept."""
    good = encode(Publish("t", b"x", 1, 9))
    messages, _, error = read(good + data, [])
    assert error is not None
    assert error.reason == reason
    assert [m.payload for m in messages] == [b"x"]


def test_the_brokers_own_count_is_no_message() -> None:
    """What it says it dropped is a figure; any other word is 0."""
    stream, messages = BrokerStream(), []  # type: BrokerStream, list[Message]
    for word, told in ((b"12", 12), (b"?", 0)):
        stream.take(encode(Publish(BROKER_STATE, word)), 1, messages, [])
        assert stream.broker_dropped == told
    assert messages == []


def test_long_topics_are_read_and_not_remembered() -> None:
    """What is remembered of topics is bounded in bytes, each and all: one of up to 64 KiB, new with each message, fills no memory."""
    topics = ["canhman/o/d/telemetry"] + [f"{n}/" + letter * size for n in range(5) for letter in "xơ" for size in (100, 250, 20_000)]
    stream, messages = BrokerStream(), []  # type: BrokerStream, list[Message]
    for _ in range(2):
        stream.take(b"".join(encode(Publish(t, b"y" * 150, 1, 7, False, False, Properties())) for t in topics), 5, messages, [])
    assert [m.topic for m in messages] == topics * 2
    assert max(map(len, stream._topics)) <= 256
    assert topics[0].encode() in stream._topics
    assert _MOST_TOPICS * 256 <= 32 << 20
