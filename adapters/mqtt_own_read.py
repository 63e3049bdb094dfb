"""The stream from a broker, MQTT 5: PUBLISH straight from the bytes to `Message`, everything else through the general codec."""

from __future__ import annotations

import struct

from adapters.mqtt_codec import StreamDecoder
from adapters.mqtt_decode import check_first_byte
from adapters.mqtt_fields import Reader, malformed, protocol_error, read_properties
from adapters.mqtt_packets import V5, MqttError, Packet, Reason
from core.message import Message
from registry.permissions import BROKER_STATE, ECHO_PREFIXES

UNREADABLE_TOPIC = "\ufffd"
_MOST_TOPICS = 100_000  # remembered as text; a sender that invents topics must not fill our memory
_LONGEST_TOPIC = 256  # bytes of one that is remembered; those of the contract are shorter
_STATE = BROKER_STATE.encode()
_ECHOES = tuple(prefix.encode() for prefix in ECHO_PREFIXES)
_HEAD_BYTES = 5
_HEAD = struct.Struct(">BBBH").unpack_from  # first byte, two of remaining length, size of the topic
_MIDDLE = struct.Struct(">HB").unpack_from  # packet identifier, size of the properties


class BrokerStream:
    """One connection's bytes, in order. `serial` counts messages over all connections, for their tokens."""

    def __init__(self, serial: int = 0) -> None:
        self.serial = serial
        self.duplicates = 0  # of the messages so far
        self.broker_dropped: int | None = None  # the broker's last word on what it dropped
        self.echoes: list[tuple[str, bytes, int]] = []  # words of an ingest to itself: topic, payload, token (0 at QoS 0)
        self._topics: dict[bytes, str] = {}
        self._decoder = StreamDecoder(version=V5)
        self._tail = bytearray()  # the beginning of a packet, until _need bytes of it are there
        self._need = 0

    def take(self, data: bytes, now: int, messages: list[Message], others: list[Packet]) -> None:
        """Add what came at `now` [ms]. Raises MqttError, after all that came before the place where the stream breaks."""
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return
            data = bytes(self._tail)
            self._tail.clear()
        at, size = 0, len(data)
        while (at := self._usual(data, at, now, messages)) < size:
            end = _end(data, at)
            if not end or end > size:
                if data[at] >> 4 != 3:
                    check_first_byte(data[at], V5)  # before anything is kept of what cannot be a packet
                self._tail += data[at:]
                self._need = end - at if end else size - at + 1
                return
            if data[at] >> 4 == 3:
                self._one(data, at, end, now, messages)
            else:
                self._decoder.feed(data[at:end])
                others.extend(self._decoder)
            at = end

    def _usual(self, data: bytes, at: int, now: int, messages: list[Message]) -> int:
        """Take from `at` on what nearly all packets are; returns where another one begins, or one that is not whole.

        A PUBLISH of QoS 1, neither retained nor sent before, of 128 to 16,383 bytes, without properties, to a topic met before.
        """
        make, add, known, serial = tuple.__new__, messages.append, self._topics.get, self.serial
        head, middle, size = _HEAD, _MIDDLE, len(data)
        last = size - _HEAD_BYTES
        while at <= last:
            first, low, high, topic_size = head(data, at)
            end = at + low + (high << 7) - 125  # three bytes of header, and 128 too many from the first of the length
            if first != 0x32 or low < 128 or not 0 < high < 128 or end > size:
                break
            topic_end = at + _HEAD_BYTES + topic_size
            payload_at = topic_end + 3
            if payload_at > end:
                break
            packet_id, properties = middle(data, topic_end)
            topic = known(data[at + _HEAD_BYTES : topic_end])
            if topic is None or properties or not packet_id:
                break
            serial += 1
            add(make(Message, (topic, data[payload_at:end], now, "", 1, False, False, False, serial << 16 | packet_id)))
            at = end
        self.serial = serial
        return at

    def _one(self, data: bytes, at: int, end: int, now: int, messages: list[Message]) -> None:
        """Any PUBLISH, whole, from `at` to `end`."""
        first, reader = data[at], Reader(data, _start(data, at), end)
        qos, dup = first >> 1 & 3, first & 8 != 0
        if qos == 3 or (dup and not qos):
            raise malformed("PUBLISH with QoS 3, or DUP at QoS 0")
        if qos == 2:
            raise protocol_error("PUBLISH with QoS 2, which was not asked for")
        raw = reader.binary()
        packet_id = reader.integer(2) if qos else 0
        if qos and not packet_id:
            raise protocol_error("PUBLISH with packet identifier 0")
        if read_properties(reader, "PUBLISH").topic_alias is not None:
            raise MqttError(Reason.TOPIC_ALIAS_INVALID, "PUBLISH with a topic alias, which was not allowed")
        payload = reader.rest()
        if raw == _STATE:
            self.broker_dropped = int(payload[:18]) if payload.isdigit() else 0
            return
        self.serial += 1
        token = self.serial << 16 | packet_id if qos else 0
        if raw.startswith(_ECHOES):  # not kept among the topics: those are taken as messages, unseen
            self.echoes.append((str(raw, "utf-8", "replace"), payload, token))
            return
        self.duplicates += dup
        topic = self._topics.get(raw) or self._name(raw)
        messages.append(Message(topic, payload, now, "", qos, first & 1 != 0, dup, False, token))

    def _name(self, raw: bytes) -> str:
        """A topic as text. One that is none breaks no frame: it is journalled, and refused as outside the contract."""
        if not raw:
            raise protocol_error("PUBLISH with neither topic nor topic alias")
        try:
            topic = str(raw, "utf-8")
        except UnicodeDecodeError:
            topic = UNREADABLE_TOPIC
        if len(raw) <= _LONGEST_TOPIC:
            if len(self._topics) >= _MOST_TOPICS:
                self._topics.clear()
            self._topics[raw] = topic
        return topic


def _start(data: bytes, at: int) -> int:
    """Where the body of the packet at `at` begins; its remaining length is whole."""
    at += 1
    while data[at] > 127:
        at += 1
    return at + 1


def _end(data: bytes, at: int) -> int:
    """Where the packet at `at` ends; 0 where its fixed header is not whole. Raises MqttError."""
    size = len(data)
    length = shift = 0
    for place in range(at + 1, at + 5):
        if place >= size:
            return 0
        byte = data[place]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if shift and not byte:
                raise malformed("a remaining length longer than it need be")
            return place + 1 + length
        shift += 7
    raise malformed("a remaining length of more than four bytes")
