"""The fields MQTT packets are made of: integers, strings, topics and the properties of MQTT 5."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from adapters.mqtt_packets import MAX_REMAINING_LENGTH, NO_PROPERTIES, MqttError, Properties, Reason

PacketName = Literal["CONNECT", "WILL", "CONNACK", "PUBLISH", "PUBACK", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "DISCONNECT"]


def malformed(text: str) -> MqttError:
    """The error for bytes that cannot be read."""
    return MqttError(Reason.MALFORMED_PACKET, text)


def protocol_error(text: str) -> MqttError:
    """The error for bytes that can be read and say what the protocol forbids."""
    return MqttError(Reason.PROTOCOL_ERROR, text)


class Reader:
    """A cursor over the body of one packet; running over its end is a malformed packet."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start, self.at = self.at, self.at + size
        if self.at > self.end:
            raise malformed("a field runs over the end of its packet")
        return self.data[start : self.at]

    def integer(self, size: int) -> int:
        """A big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def variable(self) -> int:
        """A variable byte integer, of four bytes at most and as short as can be (MQTT-1.5.5-1)."""
        value = 0
        for shift in (0, 7, 14, 21):
            byte = self.integer(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if shift and not byte:
                    raise malformed("a variable byte integer longer than it need be")
                return value
        raise malformed("a variable byte integer of more than four bytes")

    def binary(self) -> bytes:
        """Bytes behind their two-byte length."""
        return self.take(self.integer(2))

    def string(self) -> str:
        """A UTF-8 string behind its two-byte length, without U+0000 (surrogates are no UTF-8)."""
        return text_of(self.binary())

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.end - self.at)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self.end - self.at

    def finish(self, name: str) -> None:
        """Raise unless everything was read."""
        if self.at != self.end:
            raise malformed(f"{name} with {self.end - self.at} bytes too many")


def text_of(raw: bytes) -> str:
    """The string of some UTF-8 bytes."""
    try:
        text = str(raw, "utf-8")
    except UnicodeDecodeError:
        raise malformed("a string that is not UTF-8") from None
    if "\0" in text:
        raise malformed("a string with U+0000")
    return text


def check_topic_name(topic: str) -> str:
    """`topic`, which a message may be published to: not empty, no wildcard."""
    if not topic or "+" in topic or "#" in topic:
        raise MqttError(Reason.TOPIC_NAME_INVALID, "a topic name that is empty or has a wildcard")
    return topic


def check_topic_filter(topic_filter: str, *, shared: bool = True) -> str:
    """`topic_filter`, with wildcards only where they may stand; `shared`: where `$share` has its meaning, which it has not in 3.1.1."""
    levels = topic_filter.split("/")
    if shared and levels[0] == "$share" and (len(levels) < 3 or not levels[1] or "+" in levels[1] or "#" in levels[1] or not any(levels[2:])):
        raise MqttError(Reason.TOPIC_FILTER_INVALID, "a shared subscription without a share name or filter")
    if not topic_filter or "#" in levels[:-1] or any(("+" in level or "#" in level) and len(level) > 1 for level in levels):
        raise MqttError(Reason.TOPIC_FILTER_INVALID, "a topic filter that is empty or has a wildcard in the wrong place")
    return topic_filter


def write_integer(value: int, size: int) -> bytes:
    """`value`, big-endian in `size` bytes."""
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise malformed(f"{value} does not fit in {size} bytes") from None


def write_variable(value: int) -> bytes:
    """A variable byte integer."""
    if not 0 <= value <= MAX_REMAINING_LENGTH:
        raise MqttError(Reason.PACKET_TOO_LARGE, f"{value} is more than a variable byte integer can hold")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_binary(value: bytes) -> bytes:
    """Bytes behind their two-byte length."""
    if len(value) > 0xFFFF:
        raise malformed(f"a field of {len(value)} bytes: 65535 are the most")
    return len(value).to_bytes(2, "big") + value


def write_string(value: str) -> bytes:
    """A UTF-8 string behind its two-byte length."""
    if "\0" in value:
        raise malformed("a string with U+0000")
    try:
        return write_binary(value.encode())
    except UnicodeEncodeError:
        raise malformed("a string with a lone surrogate") from None


# ---------------------------------------------------------------- properties


class _Property(NamedTuple):
    """One property: its field in `Properties`, how it is written, the packets that may carry it, the values allowed."""

    name: str
    kind: Literal[1, 2, 4, "variable", "string", "binary", "pair"]  # a number is an integer of that many bytes
    packets: frozenset[str]
    low: int = 0
    high: int = 0xFFFFFFFF


def _in(packets: str) -> frozenset[str]:
    return frozenset(packets.split())


_MESSAGE = _in("PUBLISH WILL")
_REASONED = _in("CONNACK PUBACK SUBACK UNSUBACK DISCONNECT")
_CONNACK = _in("CONNACK")
_EVERY = _in("CONNECT WILL CONNACK PUBLISH PUBACK SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK DISCONNECT")

# Table 2-4 of the standard, with the ranges its sections on each packet give.
PROPERTIES: dict[int, _Property] = {
    0x01: _Property("payload_format_indicator", 1, _MESSAGE, high=1),
    0x02: _Property("message_expiry_interval", 4, _MESSAGE),
    0x03: _Property("content_type", "string", _MESSAGE),
    0x08: _Property("response_topic", "string", _MESSAGE),
    0x09: _Property("correlation_data", "binary", _MESSAGE),
    0x0B: _Property("subscription_identifier", "variable", _in("PUBLISH SUBSCRIBE"), low=1),
    0x11: _Property("session_expiry_interval", 4, _in("CONNECT CONNACK DISCONNECT")),
    0x12: _Property("assigned_client_identifier", "string", _CONNACK),
    0x13: _Property("server_keep_alive", 2, _CONNACK),
    0x15: _Property("authentication_method", "string", _in("CONNECT CONNACK")),
    0x16: _Property("authentication_data", "binary", _in("CONNECT CONNACK")),
    0x17: _Property("request_problem_information", 1, _in("CONNECT"), high=1),
    0x18: _Property("will_delay_interval", 4, _in("WILL")),
    0x19: _Property("request_response_information", 1, _in("CONNECT"), high=1),
    0x1A: _Property("response_information", "string", _CONNACK),
    0x1C: _Property("server_reference", "string", _in("CONNACK DISCONNECT")),
    0x1F: _Property("reason_string", "string", _REASONED),
    0x21: _Property("receive_maximum", 2, _in("CONNECT CONNACK"), low=1),
    0x22: _Property("topic_alias_maximum", 2, _in("CONNECT CONNACK")),
    0x23: _Property("topic_alias", 2, _in("PUBLISH"), low=1),
    0x24: _Property("maximum_qos", 1, _CONNACK, high=1),
    0x25: _Property("retain_available", 1, _CONNACK, high=1),
    0x26: _Property("user_property", "pair", _EVERY),
    0x27: _Property("maximum_packet_size", 4, _in("CONNECT CONNACK"), low=1),
    0x28: _Property("wildcard_subscription_available", 1, _CONNACK, high=1),
    0x29: _Property("subscription_identifier_available", 1, _CONNACK, high=1),
    0x2A: _Property("shared_subscription_available", 1, _CONNACK, high=1),
}
_REPEATED = {"user_property", "subscription_identifier"}  # fields that are tuples; the latter repeats in PUBLISH only


def read_properties(reader: Reader, packet: PacketName) -> Properties:
    """The properties of a packet of MQTT 5, each known, allowed there, in range, and there once."""
    size = reader.variable()
    if not size:
        return NO_PROPERTIES
    inner = Reader(reader.data, reader.at, reader.at + size)
    reader.take(size)
    found: dict[str, Any] = {}
    while inner.left:
        known = PROPERTIES.get(inner.integer(1))
        if known is None or packet not in known.packets:
            raise malformed(f"a property {packet} does not have")
        value = _read_value(inner, known)
        if known.name in _REPEATED and (known.kind == "pair" or packet == "PUBLISH" or known.name not in found):
            found.setdefault(known.name, []).append(value)
        elif known.name in found:
            raise protocol_error(f"{packet} with {known.name} twice")
        else:
            found[known.name] = value
    if "authentication_data" in found and "authentication_method" not in found:
        raise protocol_error(f"{packet} with authentication data and no method")
    fields: dict[str, Any] = {name: tuple(value) if name in _REPEATED else value for name, value in found.items()}
    return Properties(**fields)


def _read_value(reader: Reader, known: _Property) -> int | str | bytes | tuple[str, str]:
    match known.kind:
        case "string":
            text = reader.string()
            return check_topic_name(text) if known.name == "response_topic" else text
        case "binary":
            return reader.binary()
        case "pair":
            return reader.string(), reader.string()
        case "variable":
            number = reader.variable()
        case size:
            number = reader.integer(size)
    if not known.low <= number <= known.high:
        raise protocol_error(f"{known.name} {number} is not allowed")
    return number


def write_properties(properties: Properties, packet: PacketName) -> bytes:
    """The properties with their length in front."""
    if properties is NO_PROPERTIES:
        return b"\0"
    out = bytearray()
    for number, known in PROPERTIES.items():
        value = getattr(properties, known.name)
        if value is None or value == ():
            continue
        if packet not in known.packets or (packet == "SUBSCRIBE" and known.kind == "variable" and len(value) > 1):
            raise protocol_error(f"{packet} cannot have this {known.name}")
        for one in value if known.name in _REPEATED else (value,):
            out.append(number)
            out += _write_value(one, known)
    return write_variable(len(out)) + bytes(out)


def _write_value(value: Any, known: _Property) -> bytes:
    match known.kind:
        case "string":
            return write_string(check_topic_name(value) if known.name == "response_topic" else value)
        case "binary":
            return write_binary(value)
        case "pair":
            return write_string(value[0]) + write_string(value[1])
    if not known.low <= value <= known.high:
        raise protocol_error(f"{known.name} {value} is not allowed")
    return write_variable(value) if known.kind == "variable" else write_integer(value, known.kind)
