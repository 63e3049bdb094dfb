"""The body of one MQTT control packet, bytes to value; the fixed header and the stream are `mqtt_codec`'s."""

from __future__ import annotations

from collections.abc import Callable, Set

from adapters.mqtt_fields import PacketName, Reader, check_topic_filter, check_topic_name, malformed, protocol_error, read_properties, text_of
from adapters.mqtt_packets import (
    NO_PROPERTIES,
    V5,
    V311,
    Connack,
    Connect,
    ConnectReturn,
    Disconnect,
    MqttError,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Publish,
    Reason,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)

# Which reason codes each packet of MQTT 5 may carry (the tables of its sections 3.2, 3.4, 3.9, 3.11, 3.14).
CONNACK_REASONS = frozenset({0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F})
PUBACK_REASONS = frozenset({0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
SUBACK_REASONS = frozenset({0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2})
UNSUBACK_REASONS = frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91})
DISCONNECT_REASONS = frozenset({0x00, 0x04, *range(0x80, 0x84), 0x87, 0x89, 0x8B, *range(0x8D, 0x91), *range(0x93, 0xA3)})
SUBACK_RETURNS = frozenset({0x00, 0x01, 0x02, 0x80})  # 3.1.1


def read_publish(data: bytes, at: int, end: int, flags: int, version: int) -> Publish:
    """A PUBLISH. Written out by hand: the one packet where a microsecond counts."""
    qos = flags >> 1 & 3
    if qos == 3 or (flags & 8 and not qos):
        raise malformed("PUBLISH with QoS 3, or DUP at QoS 0")
    topic_at = at + 2
    at = topic_at + (data[at] << 8 | data[at + 1]) if topic_at <= end else end + 1
    packet_at, at = at, at + 2 if qos else at
    if at > end:
        raise malformed("PUBLISH whose topic or packet identifier runs over its end")
    topic = text_of(data[topic_at:packet_at])
    packet_id = data[packet_at] << 8 | data[packet_at + 1] if qos else 0
    if qos and not packet_id:
        raise protocol_error("PUBLISH with packet identifier 0")
    properties = NO_PROPERTIES
    if version == V5:
        if at < end and not data[at]:
            at += 1
        else:
            reader = Reader(data, at, end)
            properties = read_properties(reader, "PUBLISH")
            at = reader.at
    if not topic and version == V5:
        if properties.topic_alias is None:
            raise protocol_error("PUBLISH with neither topic nor topic alias")
    else:
        check_topic_name(topic)
    return Publish(topic, data[at:end], qos, packet_id, bool(flags & 1), bool(flags & 8), properties)


def read_connect(reader: Reader) -> Connect:
    """A CONNECT, read to its end; of a version we do not speak it raises Reason.UNSUPPORTED_PROTOCOL_VERSION."""
    name, version = reader.binary(), reader.integer(1)
    if name == b"MQTT" and version in (V311, V5):
        try:
            return _connect_of(reader, version)
        except MqttError as error:
            if version == V5:  # 3.1.1 closes without a word (MQTT-3.1.4-1 there)
                error.connack = _refusal_of(V5, error.reason)
            raise
    if name in (b"MQTT", b"MQIsdp"):
        text = f"CONNECT with protocol level {version}: 4 (3.1.1) and 5 are spoken here"
        raise MqttError(Reason.UNSUPPORTED_PROTOCOL_VERSION, text, connack=_refusal_of(_written_as(reader, name, version), Reason.UNSUPPORTED_PROTOCOL_VERSION))
    connack = _refusal_of(V5, Reason.UNSUPPORTED_PROTOCOL_VERSION) if version == V5 else b""
    raise MqttError(Reason.MALFORMED_PACKET, "CONNECT with another protocol name than MQTT", connack=connack)


def _refusal_of(version: int, reason: int) -> bytes:
    return bytes((0x20, 3, 0, reason, 0)) if version == V5 else bytes((0x20, 2, 0, ConnectReturn.UNACCEPTABLE_PROTOCOL_VERSION))


def _written_as(reader: Reader, name: bytes, version: int) -> int:
    """In the form of which version the rest of an unknown one's CONNECT is written: that is the form its sender can read."""
    if name == b"MQIsdp":
        return V311
    for form in (V5, V311):
        try:
            _connect_of(Reader(reader.data, reader.at, reader.end), form)
        except MqttError:
            continue
        return form
    return V5 if version > V5 else V311


def _connect_of(reader: Reader, version: int) -> Connect:
    """The rest of a CONNECT, behind its protocol level."""
    flags, keep_alive = reader.integer(1), reader.integer(2)
    has_will, has_username, has_password = flags & 0x04, flags & 0x80, flags & 0x40
    if flags & 0x01 or (not has_will and flags & 0x38) or flags & 0x18 == 0x18 or (version == V311 and has_password and not has_username):
        raise malformed(f"CONNECT with flags 0x{flags:02x}")
    properties = read_properties(reader, "CONNECT") if version == V5 else NO_PROPERTIES
    client_id = reader.string()
    will = None
    if has_will:
        will_properties = read_properties(reader, "WILL") if version == V5 else NO_PROPERTIES
        topic, payload = check_topic_name(reader.string()), reader.binary()
        will = Will(topic=topic, payload=payload, qos=flags >> 3 & 3, retain=bool(flags & 0x20), properties=will_properties)
    made = Connect(
        version=version,
        client_id=client_id,
        clean_start=bool(flags & 0x02),
        keep_alive=keep_alive,
        username=reader.string() if has_username else None,
        password=reader.binary() if has_password else None,
        will=will,
        properties=properties,
    )
    reader.finish("CONNECT")
    return made


def _packet_id(reader: Reader) -> int:
    number = reader.integer(2)
    if not number:
        raise protocol_error("packet identifier 0")
    return number


def _properties(reader: Reader, version: int, packet: PacketName) -> Properties:
    return read_properties(reader, packet) if version == V5 else NO_PROPERTIES


def _reason(number: int, allowed: Set[int], packet: PacketName) -> int:
    if number not in allowed:
        raise malformed(f"{packet} with reason 0x{number:02x}")
    return number


def _connack(reader: Reader, version: int) -> Connack:
    flags, number = reader.integer(1), reader.integer(1)
    if flags > 1 or (flags and number):
        raise malformed("CONNACK with wrong flags")
    reason = _reason(number, CONNACK_REASONS if version == V5 else frozenset(ConnectReturn), "CONNACK")
    return Connack(reason=reason, session_present=bool(flags), properties=_properties(reader, version, "CONNACK"))


def _puback(reader: Reader, version: int) -> Puback:
    packet_id = _packet_id(reader)
    if version == V311 or not reader.left:
        return Puback(packet_id=packet_id)
    reason = _reason(reader.integer(1), PUBACK_REASONS, "PUBACK")
    return Puback(packet_id=packet_id, reason=reason, properties=read_properties(reader, "PUBACK") if reader.left else NO_PROPERTIES)


def _subscribe(reader: Reader, version: int) -> Subscribe:
    packet_id, properties = _packet_id(reader), _properties(reader, version, "SUBSCRIBE")
    subscriptions = []
    while reader.left:
        topic_filter, options = check_topic_filter(reader.string(), shared=version == V5), reader.integer(1)
        if options & (0xC0 if version == V5 else 0xFC) or (options & 3 == 3 and version == V311):
            raise malformed(f"SUBSCRIBE with options 0x{options:02x}")
        handling = options >> 4 & 3
        if handling == 3 or options & 3 == 3 or (options & 4 and topic_filter.startswith("$share/")):
            raise protocol_error(f"SUBSCRIBE with options 0x{options:02x}")
        subscriptions.append(
            Subscription(
                topic_filter=topic_filter,
                qos=options & 3,
                no_local=bool(options & 4),
                retain_as_published=bool(options & 8),
                retain_handling=handling,
            )
        )
    if not subscriptions:
        raise protocol_error("SUBSCRIBE without a filter")
    return Subscribe(packet_id=packet_id, subscriptions=tuple(subscriptions), properties=properties)


def _suback(reader: Reader, version: int) -> Suback:
    packet_id, properties = _packet_id(reader), _properties(reader, version, "SUBACK")
    allowed = SUBACK_REASONS if version == V5 else SUBACK_RETURNS
    reasons = tuple(_reason(number, allowed, "SUBACK") for number in reader.rest())
    if not reasons:
        raise protocol_error("SUBACK without a reason")
    return Suback(packet_id=packet_id, reasons=reasons, properties=properties)


def _unsubscribe(reader: Reader, version: int) -> Unsubscribe:
    packet_id, properties = _packet_id(reader), _properties(reader, version, "UNSUBSCRIBE")
    topic_filters = []
    while reader.left:
        topic_filters.append(check_topic_filter(reader.string(), shared=version == V5))
    if not topic_filters:
        raise protocol_error("UNSUBSCRIBE without a filter")
    return Unsubscribe(packet_id=packet_id, topic_filters=tuple(topic_filters), properties=properties)


def _unsuback(reader: Reader, version: int) -> Unsuback:
    packet_id = _packet_id(reader)
    if version == V311:
        return Unsuback(packet_id=packet_id)
    properties = read_properties(reader, "UNSUBACK")
    reasons = tuple(_reason(number, UNSUBACK_REASONS, "UNSUBACK") for number in reader.rest())
    if not reasons:
        raise protocol_error("UNSUBACK without a reason")
    return Unsuback(packet_id=packet_id, reasons=reasons, properties=properties)


def _disconnect(reader: Reader, version: int) -> Disconnect:
    if version == V311 or not reader.left:
        return Disconnect()
    reason = _reason(reader.integer(1), DISCONNECT_REASONS, "DISCONNECT")
    return Disconnect(reason=reason, properties=read_properties(reader, "DISCONNECT") if reader.left else NO_PROPERTIES)


_BODIES: dict[int, Callable[[Reader, int], Packet]] = {
    1: lambda reader, version: read_connect(reader),
    2: _connack,
    4: _puback,
    8: _subscribe,
    9: _suback,
    10: _unsubscribe,
    11: _unsuback,
    12: lambda reader, version: Pingreq(),
    13: lambda reader, version: Pingresp(),
    14: _disconnect,
}


def read_body(kind: int, data: bytes, at: int, end: int, version: int) -> Packet:
    """A packet that is not PUBLISH, of a type `check_first_byte` let through, read to its last byte."""
    reader = Reader(data, at, end)
    packet = _BODIES[kind](reader, version)
    reader.finish(type(packet).__name__.upper())
    return packet


def check_first_byte(first: int, version: int | None) -> None:
    """Raise for a first byte no packet may have here. `version` is None where CONNECT must come, else it must not."""
    kind, flags = first >> 4, first & 0x0F
    if kind in (0, 15) and (kind == 0 or version != V5 or flags):
        raise malformed(f"packet type {kind}")
    if kind != 3 and flags != (2 if kind in (6, 8, 10) else 0):
        raise malformed(f"packet type {kind} with flags {flags}")
    if (kind == 1) != (version is None):
        raise protocol_error("CONNECT is not the first packet" if kind == 1 else f"packet type {kind} before CONNECT")
    if kind in (5, 6, 7):
        raise protocol_error(f"packet type {kind}: QoS 2 is not spoken here")
    if kind == 15:
        raise protocol_error("AUTH without an authentication method agreed on")
