"""MQTT control packets, value to bytes, for both versions; what cannot be said on the wire raises MqttError."""

from __future__ import annotations

from adapters.mqtt_fields import (
    PacketName,
    check_topic_filter,
    check_topic_name,
    malformed,
    protocol_error,
    write_binary,
    write_integer,
    write_properties,
    write_string,
    write_variable,
)
from adapters.mqtt_packets import (
    NO_PROPERTIES,
    V5,
    V311,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)


def encode(packet: Packet, version: int = V5) -> bytes:
    """The bytes of `packet` in `version` of the protocol (a CONNECT names its own). Raises MqttError.

    What 3.1.1 has no room for (properties, most reasons, subscription options) is refused there, not left out.
    """
    match packet:
        case Publish():
            return _publish(packet, version)
        case Puback():
            return _frame(0x40, _packet_id(packet.packet_id) + _end(packet.reason, packet.properties, version, "PUBACK"))
        case Pingreq():
            return b"\xc0\0"
        case Pingresp():
            return b"\xd0\0"
        case Disconnect():
            return _frame(0xE0, _end(packet.reason, packet.properties, version, "DISCONNECT"))
        case Connect():
            return _frame(0x10, _connect(packet))
        case Connack():
            if packet.session_present and packet.reason:
                raise protocol_error("CONNACK that refuses and has a session")
            head = bytes((packet.session_present,)) + write_integer(packet.reason, 1)
            return _frame(0x20, head + _properties(packet.properties, version, "CONNACK"))
        case Subscribe():
            body = b"".join(write_string(check_topic_filter(s.topic_filter)) + _options(s, version) for s in packet.subscriptions)
            return _listed(0x82, packet.packet_id, _properties(packet.properties, version, "SUBSCRIBE"), body)
        case Unsubscribe():
            body = b"".join(write_string(check_topic_filter(f)) for f in packet.topic_filters)
            return _listed(0xA2, packet.packet_id, _properties(packet.properties, version, "UNSUBSCRIBE"), body)
        case Suback():
            body = b"".join(write_integer(reason, 1) for reason in packet.reasons)
            return _listed(0x90, packet.packet_id, _properties(packet.properties, version, "SUBACK"), body)
        case Unsuback():
            return _unsuback(packet, version)


def _frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + write_variable(len(body)) + body


def _listed(first: int, packet_id: int, properties: bytes, items: bytes) -> bytes:
    if not items:
        raise protocol_error("a packet whose list is empty")
    return _frame(first, _packet_id(packet_id) + properties + items)


def _packet_id(packet_id: int) -> bytes:
    if not packet_id:
        raise protocol_error("packet identifier 0")
    return write_integer(packet_id, 2)


def _properties(properties: Properties, version: int, packet: PacketName) -> bytes:
    if version == V5:
        return write_properties(properties, packet)
    if properties != NO_PROPERTIES:
        raise protocol_error(f"{packet} of MQTT 3.1.1 has no properties")
    return b""


def _end(reason: int, properties: Properties, version: int, packet: PacketName) -> bytes:
    """Reason and properties at the end of PUBACK and DISCONNECT, as short as the protocol lets them be."""
    if version == V311:
        if reason:
            raise protocol_error(f"{packet} of MQTT 3.1.1 has no reason")
        return _properties(properties, version, packet)
    written = write_properties(properties, packet)
    if written == b"\0":
        return write_integer(reason, 1) if reason else b""
    return write_integer(reason, 1) + written


def _publish(packet: Publish, version: int) -> bytes:
    topic, payload, qos, packet_id, retain, dup, properties = packet
    if qos not in (0, 1, 2) or (dup and not qos):
        raise malformed(f"PUBLISH with QoS {qos}" + ", DUP" * dup)
    if not qos and packet_id:
        raise protocol_error("PUBLISH with a packet identifier at QoS 0")
    if topic or version == V311:
        check_topic_name(topic)
    elif properties.topic_alias is None:
        raise protocol_error("PUBLISH with neither topic nor topic alias")
    middle = _packet_id(packet_id) if qos else b""
    return _frame(0x30 | dup << 3 | qos << 1 | retain, write_string(topic) + middle + _properties(properties, version, "PUBLISH") + payload)


def _connect(packet: Connect) -> bytes:
    if packet.version not in (V311, V5):
        raise protocol_error(f"protocol level {packet.version}: 4 (3.1.1) and 5 are spoken here")
    if packet.version == V311 and packet.password is not None and packet.username is None:
        raise malformed("CONNECT of MQTT 3.1.1 with a password and no user name")
    flags = packet.clean_start << 1 | (packet.username is not None) << 7 | (packet.password is not None) << 6
    payload = write_string(packet.client_id)
    if will := packet.will:
        if will.qos not in (0, 1, 2):
            raise malformed(f"a will with QoS {will.qos}")
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        payload += _properties(will.properties, packet.version, "WILL") + write_string(check_topic_name(will.topic)) + write_binary(will.payload)
    if packet.username is not None:
        payload += write_string(packet.username)
    if packet.password is not None:
        payload += write_binary(packet.password)
    head = b"\0\x04MQTT" + bytes((packet.version, flags)) + write_integer(packet.keep_alive, 2)
    return head + _properties(packet.properties, packet.version, "CONNECT") + payload


def _options(subscription: Subscription, version: int) -> bytes:
    s = subscription
    if s.qos not in (0, 1, 2) or s.retain_handling not in (0, 1, 2) or (s.no_local and s.topic_filter.startswith("$share/")):
        raise protocol_error(f"the subscription options of {s}")
    if version == V311 and (s.no_local or s.retain_as_published or s.retain_handling):
        raise protocol_error("MQTT 3.1.1 has no subscription options but the QoS")
    return bytes((s.qos | s.no_local << 2 | s.retain_as_published << 3 | s.retain_handling << 4,))


def _unsuback(packet: Unsuback, version: int) -> bytes:
    if version == V5:
        body = b"".join(write_integer(reason, 1) for reason in packet.reasons)
        return _listed(0xB0, packet.packet_id, _properties(packet.properties, version, "UNSUBACK"), body)
    if packet.reasons:
        raise protocol_error("UNSUBACK of MQTT 3.1.1 has no reasons")
    return _frame(0xB0, _packet_id(packet.packet_id) + _properties(packet.properties, version, "UNSUBACK"))
