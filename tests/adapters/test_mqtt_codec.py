"""The MQTT codec: every packet comes back as it went, over any split of its bytes; what breaks the standard is refused."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import mqtt_decode, mqtt_fields
from adapters.mqtt_codec import (
    NO_PROPERTIES,
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    MqttError,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Publish,
    Reason,
    StreamDecoder,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
    encode,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TOPIC = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=20)
FILTER = st.lists(st.one_of(TOPIC.filter(lambda t: t != "$share"), st.just("+")), min_size=1, max_size=4).map("/".join).filter(lambda f: f[0] != "$")
FILTERS = st.one_of(FILTER, FILTER.map(lambda f: f + "/#"), st.just("#"), FILTER.map(lambda f: "$share/ingest/" + f))
PACKET_ID = st.integers(1, 0xFFFF)
BYTES = st.binary(max_size=300)
PACKETS = ["CONNECT", "WILL", "CONNACK", "PUBLISH", "PUBACK", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "DISCONNECT"]


def property_value(known: mqtt_fields._Property, packet: str) -> st.SearchStrategy[Any]:
    match known.kind:
        case "string":
            return TOPIC if known.name == "response_topic" else TEXT
        case "binary":
            return BYTES
        case "pair":
            return st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
        case "variable":
            numbers = st.integers(1, 268_435_455)
            return st.lists(numbers, max_size=3 if packet == "PUBLISH" else 1).map(tuple)
        case size:
            return st.integers(known.low, min(known.high, 256**size - 1))


def properties(packet: str, version: int) -> st.SearchStrategy[Properties]:
    if version == V311:
        return st.just(NO_PROPERTIES)
    own = {k.name: property_value(k, packet) for k in mqtt_fields.PROPERTIES.values() if packet in k.packets}
    made = st.fixed_dictionaries({}, optional=own).map(lambda fields: Properties(**fields))
    return made.filter(lambda p: p.authentication_data is None or p.authentication_method is not None)


def publishes(version: int) -> st.SearchStrategy[Publish]:
    def of(qos: int) -> st.SearchStrategy[Publish]:
        return st.builds(
            Publish,
            TOPIC,
            BYTES,
            st.just(qos),
            PACKET_ID if qos else st.just(0),
            st.booleans(),
            st.booleans() if qos else st.just(False),
            properties("PUBLISH", version),
        )

    return st.integers(0, 2).flatmap(of)


def connects(version: int) -> st.SearchStrategy[Connect]:
    qos = st.integers(0, 2)
    will = st.builds(Will, topic=TOPIC, payload=BYTES, qos=qos, retain=st.booleans(), properties=properties("WILL", version))
    made = st.builds(
        Connect,
        version=st.just(version),
        client_id=TEXT,
        clean_start=st.booleans(),
        keep_alive=st.integers(0, 0xFFFF),
        username=st.none() | TEXT,
        password=st.none() | BYTES,
        will=st.none() | will,
        properties=properties("CONNECT", version),
    )
    return made.filter(lambda c: version == V5 or c.username is not None or c.password is None)


def packets(version: int) -> st.SearchStrategy[Packet]:
    """Any packet but CONNECT, which only begins a stream."""
    v5 = version == V5

    def reasons(allowed: frozenset[int]) -> st.SearchStrategy[tuple[int, ...]]:
        return st.lists(st.sampled_from(sorted(allowed)), min_size=1, max_size=4).map(tuple)

    def reason(allowed: frozenset[int]) -> st.SearchStrategy[int]:
        return st.sampled_from(sorted(allowed)) if v5 else st.just(0)

    subscription = st.builds(
        Subscription,
        topic_filter=FILTERS,
        qos=st.integers(0, 2),
        no_local=st.booleans() if v5 else st.just(False),
        retain_as_published=st.booleans() if v5 else st.just(False),
        retain_handling=st.integers(0, 2) if v5 else st.just(0),
    ).map(lambda s: dataclasses.replace(s, no_local=s.no_local and not s.topic_filter.startswith("$share")))
    return st.one_of(
        publishes(version),
        st.builds(
            Connack, reason=st.sampled_from(sorted(mqtt_decode.CONNACK_REASONS)) if v5 else st.integers(0, 5), properties=properties("CONNACK", version)
        ).flatmap(lambda c: st.just(c) if c.reason else st.booleans().map(lambda present: dataclasses.replace(c, session_present=present))),
        st.builds(Puback, packet_id=PACKET_ID, reason=reason(mqtt_decode.PUBACK_REASONS), properties=properties("PUBACK", version)),
        st.builds(
            Subscribe, packet_id=PACKET_ID, subscriptions=st.lists(subscription, min_size=1, max_size=3).map(tuple), properties=properties("SUBSCRIBE", version)
        ),
        st.builds(
            Suback,
            packet_id=PACKET_ID,
            reasons=reasons(mqtt_decode.SUBACK_REASONS if v5 else mqtt_decode.SUBACK_RETURNS),
            properties=properties("SUBACK", version),
        ),
        st.builds(
            Unsubscribe, packet_id=PACKET_ID, topic_filters=st.lists(FILTERS, min_size=1, max_size=3).map(tuple), properties=properties("UNSUBSCRIBE", version)
        ),
        st.builds(
            Unsuback,
            packet_id=PACKET_ID,
            reasons=reasons(mqtt_decode.UNSUBACK_REASONS) if v5 else st.just(()),
            properties=properties("UNSUBACK", version),
        ),
        st.builds(Disconnect, reason=reason(mqtt_decode.DISCONNECT_REASONS), properties=properties("DISCONNECT", version)),
        st.just(Pingreq()),
        st.just(Pingresp()),
    )


def streams() -> st.SearchStrategy[tuple[int, list[Packet]]]:
    """A version, and a CONNECT with whatever follows it."""
    return st.sampled_from([V311, V5]).flatmap(
        lambda version: st.tuples(st.just(version), st.tuples(connects(version), st.lists(packets(version), max_size=6)).map(lambda t: [t[0], *t[1]]))
    )


def decode(data: bytes, version: int | None = None, *, max_packet: int = 1 << 20) -> list[Packet]:
    decoder = StreamDecoder(max_packet, version=version)
    decoder.feed(data)
    return list(decoder)


def refused(hex_or_bytes: str | bytes, version: int | None = V5) -> int:
    """The reason with which these bytes are refused."""
    with pytest.raises(MqttError) as caught:
        decode(bytes.fromhex(hex_or_bytes) if isinstance(hex_or_bytes, str) else hex_or_bytes, version)
    return caught.value.reason


@given(streams(), st.data())
def test_round_trip_over_any_split(stream: tuple[int, list[Packet]], data: st.DataObject) -> None:
    """Decoding what was encoded gives the same packets, however the bytes are cut into chunks."""
    version, sent = stream
    raw = b"".join(encode(packet, version) for packet in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    decoder, got = StreamDecoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        decoder.feed(raw[start:end])
        got += list(decoder)
    assert got == sent


@given(streams())
def test_round_trip_byte_by_byte(stream: tuple[int, list[Packet]]) -> None:
    """One byte at a time is a split like any other."""
    version, sent = stream
    decoder, got = StreamDecoder(), []
    for byte in b"".join(encode(packet, version) for packet in sent):
        decoder.feed(bytes((byte,)))
        got += list(decoder)
    assert got == sent


@given(st.lists(st.binary(max_size=200), max_size=4), st.sampled_from([None, V311, V5]))
def test_random_bytes_decode_or_raise_the_one_error(chunks: list[bytes], version: int | None) -> None:
    """No bytes make the decoder raise anything but MqttError."""
    decoder = StreamDecoder(1000, version=version)
    for chunk in chunks:
        decoder.feed(chunk)
        with contextlib.suppress(MqttError):
            list(decoder)


@given(st.sampled_from([V311, V5]).flatmap(lambda v: st.tuples(st.just(v), connects(v) | packets(v))), st.data())
def test_flipped_bits_decode_or_raise_the_one_error(packet: tuple[int, Packet], data: st.DataObject) -> None:
    """A damaged packet is another packet, an unfinished one, or MqttError; and what it is read as can be written."""
    version, sent = packet
    raw = bytearray(encode(sent, version))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(raw) - 1), min_size=1, max_size=4)):
        raw[bit // 8] ^= 1 << bit % 8
    try:
        got = decode(bytes(raw), None if isinstance(sent, Connect) else version)
    except MqttError:
        return
    for one in got:
        assert decode(encode(one, version), None if isinstance(one, Connect) else getattr(one, "version", version)) == [one]


def test_known_bytes() -> None:
    """The codec is the standard's, not only its own inverse: packets written by hand."""
    connect = bytes.fromhex("10 1b 0004 4d515454 04 c6 003c 0001 61 0001 74 0002 0f0f 0001 75 0002 7077")
    will = Will(topic="t", payload=b"\x0f\x0f")
    assert decode(connect) == [Connect(version=V311, client_id="a", clean_start=True, keep_alive=60, username="u", password=b"pw", will=will)]
    assert decode(bytes.fromhex("32 07 0003 612f62 000a"), V311) == [Publish("a/b", b"", 1, 10)]
    assert decode(bytes.fromhex("3b 0a 0003 612f62 000a 00 6869"), V5) == [Publish("a/b", b"hi", 1, 10, True, True)]
    assert encode(Puback(packet_id=10), V5) == bytes.fromhex("40 02 000a")
    assert encode(Puback(packet_id=10, reason=0x87), V5) == bytes.fromhex("40 03 000a 87")
    assert encode(Connack(properties=Properties(receive_maximum=10, maximum_qos=1)), V5) == bytes.fromhex("20 08 00 00 05 21000a 2401")
    assert encode(Disconnect(), V311) == bytes.fromhex("e000")
    assert decode(bytes.fromhex("e000"), V5) == decode(bytes.fromhex("e001 00"), V5) == decode(bytes.fromhex("e002 00 00"), V5) == [Disconnect()]


def test_packets_before_a_broken_one_are_delivered() -> None:
    """What was whole before the stream broke is handed out first; then the error comes, and stays."""
    decoder = StreamDecoder(version=V5)
    decoder.feed(encode(Publish("a", b"1")) + encode(Publish("b", b"2")) + b"\x00\x00")
    assert next(decoder) == Publish("a", b"1")
    assert next(decoder) == Publish("b", b"2")
    for _ in range(2):
        with pytest.raises(MqttError):
            next(decoder)
    decoder.feed(encode(Publish("c")))
    with pytest.raises(MqttError):
        next(decoder)


def test_iterating_may_stop_and_go_on() -> None:
    """Packets not asked for yet are kept over the next feed."""
    decoder = StreamDecoder(version=V5)
    decoder.feed(encode(Publish("a")) + encode(Publish("b")))
    assert next(decoder) == Publish("a")
    decoder.feed(encode(Publish("c")))
    assert list(decoder) == [Publish("b"), Publish("c")]


def test_too_long_a_packet_is_refused_at_its_fixed_header() -> None:
    """100 MB announced is 100 MB refused, before a byte of it comes; the limit itself is allowed."""
    hundred_mb = b"\x30" + mqtt_fields.write_variable(100_000_000)
    decoder = StreamDecoder(1 << 20, version=V5)
    for byte in hundred_mb[:-1]:
        decoder.feed(bytes((byte,)))
        assert list(decoder) == []
    decoder.feed(hundred_mb[-1:])
    with pytest.raises(MqttError) as caught:
        next(decoder)
    assert caught.value.reason == Reason.PACKET_TOO_LARGE
    exact = encode(Publish("a", b"x" * 100))
    assert decode(exact, V5, max_packet=len(exact)) == [Publish("a", b"x" * 100)]
    with pytest.raises(MqttError):
        decode(exact, V5, max_packet=len(exact) - 1)


@pytest.mark.parametrize(
    ("data", "version", "reason"),
    [
        ("30 80808080 01", V5, Reason.MALFORMED_PACKET),  # remaining length of five bytes
        ("c0 8000", V5, Reason.MALFORMED_PACKET),  # longer than it need be
        ("00 00", V5, Reason.MALFORMED_PACKET),  # type 0
        ("f0 00", V311, Reason.MALFORMED_PACKET),  # AUTH does not exist in 3.1.1
        ("f0 00", V5, Reason.PROTOCOL_ERROR),  # AUTH is refused
        ("50 02 0001", V5, Reason.PROTOCOL_ERROR),  # PUBREC
        ("c1 00", V5, Reason.MALFORMED_PACKET),  # reserved flags
        ("80 06 0001 00 0001 61", V5, Reason.MALFORMED_PACKET),  # SUBSCRIBE without its flags
        ("c0 01 00", V5, Reason.MALFORMED_PACKET),  # a PINGREQ with a body
        ("30 01 00", V311, Reason.MALFORMED_PACKET),  # half a topic length
        ("30 00", V311, Reason.MALFORMED_PACKET),  # nothing at all
        ("30 04 0003 6161", V311, Reason.MALFORMED_PACKET),  # topic over the end
        ("32 04 0001 61 00", V311, Reason.MALFORMED_PACKET),  # half a packet identifier
        ("36 05 0001 61 0001", V311, Reason.MALFORMED_PACKET),  # QoS 3
        ("38 03 0001 61", V311, Reason.MALFORMED_PACKET),  # DUP at QoS 0
        ("32 05 0001 61 0000", V311, Reason.PROTOCOL_ERROR),  # packet identifier 0
        ("30 02 0000", V311, Reason.TOPIC_NAME_INVALID),  # empty topic
        ("30 03 0000 00", V5, Reason.PROTOCOL_ERROR),  # empty topic without alias
        ("30 06 0000 03 230000", V5, Reason.PROTOCOL_ERROR),  # topic alias 0
        ("30 03 0001 2b", V311, Reason.TOPIC_NAME_INVALID),  # "+"
        ("30 05 0003 612f23", V311, Reason.TOPIC_NAME_INVALID),  # "a/#"
        ("30 03 0001 00", V311, Reason.MALFORMED_PACKET),  # U+0000
        ("30 03 0001 ff", V311, Reason.MALFORMED_PACKET),  # not UTF-8
        ("30 05 0003 eda080", V311, Reason.MALFORMED_PACKET),  # a surrogate
        ("30 03 0001 61", V5, Reason.MALFORMED_PACKET),  # no property length
        ("30 06 0001 61 02 0101 ", V5, None),  # payload format 1
        ("30 06 0001 61 02 0102", V5, Reason.PROTOCOL_ERROR),  # payload format 2
        ("30 08 0001 61 04 01010101", V5, Reason.PROTOCOL_ERROR),  # twice
        ("30 06 0001 61 02 7f01", V5, Reason.MALFORMED_PACKET),  # unknown property
        ("30 06 0001 61 02 2401", V5, Reason.MALFORMED_PACKET),  # CONNACK's property
        ("30 06 0001 61 03 0101", V5, Reason.MALFORMED_PACKET),  # properties over the end
        ("30 08 0001 61 04 08 0001 23", V5, Reason.TOPIC_NAME_INVALID),  # response topic with a wildcard
        ("82 02 0001", V311, Reason.PROTOCOL_ERROR),  # SUBSCRIBE of nothing
        ("82 06 0001 0001 61 03", V311, Reason.MALFORMED_PACKET),  # QoS 3
        ("82 06 0001 0001 61 04", V311, Reason.MALFORMED_PACKET),  # an option of MQTT 5
        ("82 07 0001 00 0001 61 40", V5, Reason.MALFORMED_PACKET),  # reserved option
        ("82 07 0001 00 0001 61 30", V5, Reason.PROTOCOL_ERROR),  # retain handling 3
        ("82 07 0001 0002 6123 00", V311, Reason.TOPIC_FILTER_INVALID),  # "a#"
        ("82 08 0001 0003 232f61 00", V311, Reason.TOPIC_FILTER_INVALID),  # "#/a"
        ("82 05 0001 0000 00", V311, Reason.TOPIC_FILTER_INVALID),  # empty
        ("82 0b 0001 04 0b010b02 0001 61 00", V5, Reason.PROTOCOL_ERROR),  # two subscription identifiers
        ("a2 02 0001", V311, Reason.PROTOCOL_ERROR),  # UNSUBSCRIBE of nothing
        ("40 02 0000", V311, Reason.PROTOCOL_ERROR),
        ("40 03 0001 00", V311, Reason.MALFORMED_PACKET),  # 3.1.1 has no reason there
        ("40 03 0001 01", V5, Reason.MALFORMED_PACKET),  # no such reason
        ("90 03 0001 03", V311, Reason.MALFORMED_PACKET),
        ("20 02 02 00", V311, Reason.MALFORMED_PACKET),
        ("20 02 01 05", V311, Reason.MALFORMED_PACKET),  # refused, with a session
        ("20 02 00 06", V311, Reason.MALFORMED_PACKET),
        ("e0 01 01", V5, Reason.MALFORMED_PACKET),
        ("e0 01 00", V311, Reason.MALFORMED_PACKET),
        ("c0 00", None, Reason.PROTOCOL_ERROR),  # PINGREQ before CONNECT
    ],
)
def test_strict(data: str, version: int | None, reason: int | None) -> None:
    """What the standard forbids is refused with its reason code."""
    if reason is None:
        assert len(decode(bytes.fromhex(data), version)) == 1
    else:
        assert refused(data, version) == reason


def connect_bytes(body: str) -> bytes:
    raw = bytes.fromhex(body)
    return b"\x10" + bytes((len(raw),)) + raw


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("0004 4d515454 04 02 0000 0000", None),
        ("0004 4d515454 04 03 0000 0000", Reason.MALFORMED_PACKET),  # reserved flag
        ("0004 4d515454 04 0a 0000 0000", Reason.MALFORMED_PACKET),  # will QoS without will
        ("0004 4d515454 04 22 0000 0000", Reason.MALFORMED_PACKET),  # will retain without will
        ("0004 4d515454 04 1e 0000 0000 000161 0000", Reason.MALFORMED_PACKET),  # will QoS 3
        ("0004 4d515454 04 06 0000 0000 00012b 0000", Reason.TOPIC_NAME_INVALID),  # will topic "+"
        ("0004 4d515454 04 42 0000 0000 000161", Reason.MALFORMED_PACKET),  # password without user name
        ("0004 4d515454 05 42 0000 00 0000 000161", None),  # MQTT 5 allows that
        ("0004 4d515454 04 82 0000 0000", Reason.MALFORMED_PACKET),  # no user name there
        ("0004 4d515454 04 02 0000 0000 00", Reason.MALFORMED_PACKET),  # a byte too many
        ("0004 4d515454 03 02 0000 0000", Reason.UNSUPPORTED_PROTOCOL_VERSION),
        ("0004 4d515454 06 02 0000 0000", Reason.UNSUPPORTED_PROTOCOL_VERSION),
        ("0006 4d5149736470 03 02 0000 0000", Reason.UNSUPPORTED_PROTOCOL_VERSION),  # MQTT 3.1
        ("0004 48545450 04 02 0000 0000", Reason.MALFORMED_PACKET),  # "HTTP"
        ("0004 4d515454 05 02 0000 06 21000a21000a 0000", Reason.PROTOCOL_ERROR),  # receive maximum twice
        ("0004 4d515454 05 02 0000 03 210000 0000", Reason.PROTOCOL_ERROR),  # receive maximum 0
        ("0004 4d515454 05 02 0000 03 16 0000 0000", Reason.PROTOCOL_ERROR),  # authentication data without method
    ],
)
def test_connect_is_strict(body: str, reason: int | None) -> None:
    """CONNECT's flags, names and versions are checked as the standard says."""
    if reason is None:
        assert len(decode(connect_bytes(body))) == 1
    else:
        assert refused(connect_bytes(body), None) == reason


def test_a_second_connect_is_refused() -> None:
    """CONNECT comes once (MQTT-3.1.0-2)."""
    connect = encode(Connect())
    assert refused(connect + connect, None) == Reason.PROTOCOL_ERROR
    assert refused(connect, V5) == Reason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("packet", "version"),
    [
        (Publish("a/+"), V5),
        (Publish(""), V5),
        (Publish("a", qos=1), V5),
        (Publish("a", qos=3, packet_id=1), V5),
        (Publish("a", packet_id=1), V5),
        (Publish("a", dup=True), V5),
        (Publish("a" * 65_536), V5),
        (Publish("a\0"), V5),
        (Publish("\ud800"), V5),
        (Publish("a", qos=1, packet_id=65_536), V5),
        (Publish("a", properties=Properties(topic_alias=0)), V5),
        (Publish("a", properties=Properties(receive_maximum=1)), V5),
        (Publish("a", properties=Properties(topic_alias=1)), V311),
        (Puback(packet_id=0), V5),
        (Puback(packet_id=1, reason=0x87), V311),
        (Disconnect(reason=0x8E), V311),
        (Subscribe(packet_id=1, subscriptions=()), V5),
        (Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter="a", no_local=True),)), V311),
        (Connect(version=V311, password=b"x"), V311),
        (Connect(version=3), V311),
        (Connect(keep_alive=65_536), V5),
        (Unsuback(packet_id=1, reasons=(0,)), V311),
    ],
)
def test_what_cannot_be_said_is_not_written(packet: Packet, version: int) -> None:
    """The encoder writes no packet the standard forbids."""
    with pytest.raises(MqttError):
        encode(packet, version)


def test_the_error_and_the_values_keep_secrets() -> None:
    """A password is in no text of a CONNECT."""
    assert "geheim" not in repr(Connect(username="u", password=b"geheim"))
