"""The stream from a broker, MQTT 5: PUBLISH straight from the bytes to `Message`, everything else through the general codec."""

from __future__ import annotations

from adapters.mqtt_codec import StreamDecoder
from adapters.mqtt_fields import Reader, malformed, protocol_error, read_properties
from adapters.mqtt_packets import V5, MqttError, Packet, Reason
from core.message import Message
from registry.permissions import BROKER_STATE

UNREADABLE_TOPIC = "\ufffd"
_MOST_TOPICS = 100_000  # remembered as text; a sender that invents topics must not fill our memory
_STATE = BROKER_STATE.encode()


class BrokerStream:
    """One connection's bytes, in order. `serial` counts messages over all connections, for their tokens."""

    def __init__(self, serial: int = 0) -> None:
        self.serial = serial
        self.duplicates = 0  # of the messages so far
        self.broker_dropped: int | None = None  # the broker's last word on what it dropped
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
        while at < size:
            at = self._publishes(data, at, now, messages)
            if at == size:
                return
            end = _end(data, at)
            if not end or end > size:
                self._tail += data[at:]
                self._need = end - at if end else size - at + 1
                return
            if data[at] >> 4 != 3:  # a PUBLISH may follow at once
                self._decoder.feed(data[at:end])
                others.extend(self._decoder)
                at = end

    def _publishes(self, data: bytes, at: int, now: int, messages: list[Message]) -> int:
        """Take PUBLISH packets from `at` on; returns where something else begins, or one that is not whole yet."""
        make, add, known, serial = tuple.__new__, messages.append, self._topics.get, self.serial
        size = len(data)
        try:
            while True:
                first = data[at]
                if first & 0xF0 != 0x30:
                    return at
                length = data[at + 1]
                start = at + 2
                if length > 127:
                    end = _end(data, at)
                    if not end:
                        return at
                    start = _start(data, at)
                else:
                    end = start + length
                if end > size:
                    return at
                if first == 0x32:  # QoS 1, neither retained nor sent before: nearly all of them
                    topic_end = start + 2 + (data[start] << 8 | data[start + 1])
                    packet_id = data[topic_end] << 8 | data[topic_end + 1]
                    payload_at = topic_end + 3
                    if payload_at > end or not packet_id or data[topic_end + 2]:
                        payload_at = _careful(data, topic_end, packet_id, end)
                    topic = known(data[start + 2 : topic_end]) or self._name(data[start + 2 : topic_end])
                    serial += 1
                    add(make(Message, (topic, data[payload_at:end], now, "", 1, False, False, False, serial << 16 | packet_id)))
                else:
                    self.serial = serial
                    self._rare(first, data, start, end, now, messages)
                    serial = self.serial
                at = end
                if at == size:
                    return at
        except IndexError:  # the fixed header is not whole, or a field runs over the end of the last packet
            if (end := _end(data, at)) and end <= size:
                raise malformed("PUBLISH whose fields run over its end") from None
            return at
        finally:
            self.serial = serial

    def _rare(self, first: int, data: bytes, start: int, end: int, now: int, messages: list[Message]) -> None:
        """A PUBLISH with other flags."""
        qos = first >> 1 & 3
        if qos == 3 or (first & 8 and not qos):
            raise malformed("PUBLISH with QoS 3, or DUP at QoS 0")
        if qos == 2:
            raise protocol_error("PUBLISH with QoS 2, which was not asked for")
        topic_end = start + 2 + (data[start] << 8 | data[start + 1])
        token = 0
        if qos:
            packet_id = data[topic_end] << 8 | data[topic_end + 1]
            payload_at = _careful(data, topic_end, packet_id, end)
            self.serial += 1
            token = self.serial << 16 | packet_id
        else:
            payload_at = _after_properties(data, topic_end, end)
        raw = data[start + 2 : topic_end]
        if raw == _STATE:
            told = data[payload_at:end]
            self.broker_dropped = int(told) if told.isdigit() else 0
            return
        topic = self._topics.get(raw) or self._name(raw)
        dup = first & 8 != 0
        self.duplicates += dup
        messages.append(Message(topic, data[payload_at:end], now, "", qos, first & 1 != 0, dup, False, token))

    def _name(self, raw: bytes) -> str:
        """A topic as text. One that is none breaks no frame: it is journalled, and refused as outside the contract."""
        if not raw:
            raise protocol_error("PUBLISH with neither topic nor topic alias")
        try:
            topic = str(raw, "utf-8")
        except UnicodeDecodeError:
            topic = UNREADABLE_TOPIC
        if len(self._topics) >= _MOST_TOPICS:
            self._topics.clear()
        self._topics[raw] = topic
        return topic


def _careful(data: bytes, topic_end: int, packet_id: int, end: int) -> int:
    """Where the payload begins behind a packet identifier."""
    if topic_end + 3 > end:
        raise malformed("PUBLISH whose fields run over its end")
    if not packet_id:
        raise protocol_error("PUBLISH with packet identifier 0")
    return _after_properties(data, topic_end + 2, end)


def _after_properties(data: bytes, at: int, end: int) -> int:
    reader = Reader(data, at, end)
    if read_properties(reader, "PUBLISH").topic_alias is not None:
        raise MqttError(Reason.TOPIC_ALIAS_INVALID, "PUBLISH with a topic alias, which was not allowed")
    return reader.at


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
