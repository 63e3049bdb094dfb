"""MQTT 3.1.1 and 5 without I/O, for either side: `encode` writes a packet, a `StreamDecoder` reads them from chunks of bytes.

Not spoken: QoS 2's second half (PUBREC, PUBREL, PUBCOMP) and AUTH; a PUBLISH with QoS 2 is read, for the caller to refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.mqtt_decode import check_first_byte, read_body, read_publish
from adapters.mqtt_encode import encode
from adapters.mqtt_fields import malformed
from adapters.mqtt_packets import (
    MAX_REMAINING_LENGTH,
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

__all__ = [
    "NO_PROPERTIES",
    "V5",
    "V311",
    "Connack",
    "Connect",
    "ConnectReturn",
    "Disconnect",
    "MqttError",
    "Packet",
    "Pingreq",
    "Pingresp",
    "Properties",
    "Puback",
    "Publish",
    "Reason",
    "StreamDecoder",
    "Suback",
    "Subscribe",
    "Subscription",
    "Unsuback",
    "Unsubscribe",
    "Will",
    "encode",
]


class StreamDecoder:
    """One side's packets out of a stream: `feed` a chunk, then iterate until it ends; iterating again goes on.

    A server starts without `version`: then CONNECT must come first, once, and sets it. A client names its version.
    `max_packet` [bytes, header included] is checked when the fixed header has come, before any body is kept; it may
    be changed on the way. Iterating raises MqttError where the stream breaks the protocol, after the good packets
    before that place; it goes on raising it then.
    """

    __slots__ = ("_at", "_data", "_error", "_need", "_tail", "max_packet", "version")

    def __init__(self, max_packet: int = MAX_REMAINING_LENGTH + 5, *, version: int | None = None) -> None:
        self.max_packet = max_packet
        self.version = version
        self._data = b""  # being read, from _at on
        self._at = 0
        self._tail = bytearray()  # the beginning of a packet, until _need bytes of it are there
        self._need = 0
        self._error: MqttError | None = None

    def feed(self, data: bytes) -> None:
        """Take a chunk of the stream. Linear in the bytes, however small the chunks."""
        if self._error:
            return
        if self._tail:
            self._tail += data
            if len(self._tail) < self._need:
                return
            data = bytes(self._tail)
            self._tail.clear()
        elif self._at < len(self._data):
            data = self._data[self._at :] + data
        self._data, self._at = data, 0

    @property
    def buffered(self) -> tuple[bytes, int]:
        """What the next packet is read from, and where it begins: for a caller that takes packets itself, and then says so by `go_on_at`."""
        return self._data, self._at

    def go_on_at(self, at: int) -> None:
        """The packets before `at`, each of them whole, are done."""
        self._at = at

    def __iter__(self) -> Iterator[Packet]:
        return self

    def __next__(self) -> Packet:
        if self._error:
            raise self._error
        try:
            return self._next()
        except MqttError as error:
            self._error, self._data, self._at = error, b"", 0
            raise

    def _next(self) -> Packet:
        data, at, version = self._data, self._at, self.version
        size = len(data)
        if at == size:
            raise StopIteration
        first = data[at]
        if version is None or first >> 4 != 3:
            check_first_byte(first, version)
        start, length, shift = at + 1, 0, 0
        while True:
            if start == size:
                self._keep(size - at + 1)
                raise StopIteration
            byte = data[start]
            start += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise malformed("a remaining length of more than four bytes")
        if shift and not byte and version == V5:  # only MQTT 5 forbids it (MQTT-1.5.5-1)
            raise malformed("a remaining length longer than it need be")
        end = start + length
        if end - at > self.max_packet:
            raise MqttError(Reason.PACKET_TOO_LARGE, f"a packet of {end - at} bytes: {self.max_packet} are the most")
        if end > size:
            self._keep(end - at)
            raise StopIteration
        self._at = end
        if first >> 4 == 3 and version is not None:
            return read_publish(data, start, end, first & 0x0F, version)
        packet = read_body(first >> 4, data, start, end, version or V311)
        if isinstance(packet, Connect):
            self.version = packet.version
        return packet

    def _keep(self, need: int) -> None:
        """Put the beginning of a packet aside until `need` bytes of it have come."""
        self._tail += self._data[self._at :]
        self._need = need
        self._data, self._at = b"", 0
