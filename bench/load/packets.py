"""The few MQTT 3.1.1 packets a load needs, written and read by hand: it must cost less than what it measures."""

from __future__ import annotations

import struct
from collections.abc import Iterator

PUBACK, CONNACK, SUBACK, PUBLISH = 4, 2, 9, 3


def length(n: int) -> bytes:
    """The remaining length, seven bits a byte."""
    found = bytearray()
    while True:
        n, low = divmod(n, 128)
        found.append(low | (128 if n else 0))
        if not n:
            return bytes(found)


def text(value: str) -> bytes:
    """A string with its length."""
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def connect(client_id: str, *, user: str = "", password: str = "", clean: bool = False, keep_alive: int = 60) -> bytes:
    """CONNECT."""
    flags = (2 if clean else 0) | (0x80 if user else 0) | (0x40 if password else 0)
    body = text("MQTT") + bytes((4, flags)) + struct.pack(">H", keep_alive) + text(client_id)
    body += (text(user) if user else b"") + (text(password) if password else b"")
    return b"\x10" + length(len(body)) + body


def subscribe(packet_id: int, *filters: str) -> bytes:
    """SUBSCRIBE at QoS 1."""
    body = struct.pack(">H", packet_id) + b"".join(text(f) + b"\1" for f in filters)
    return b"\x82" + length(len(body)) + body


def publish(topic: str, payload: bytes, packet_id: int, *, duplicate: bool = False) -> bytes:
    """PUBLISH at QoS 1."""
    body = text(topic) + struct.pack(">H", packet_id) + payload
    return (b"\x3a" if duplicate else b"\x32") + length(len(body)) + body


def puback(packet_id: int) -> bytes:
    """PUBACK."""
    return struct.pack(">BBH", 0x40, 2, packet_id)


class Stream:
    """Whole packets out of chunks of bytes: (first byte, body)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take a chunk in; every packet that is whole now."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while True:
            place, size, shift = at + 1, 0, 0
            while place < end:
                byte = data[place]
                place += 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            else:
                break
            if place + size > end:
                break
            yield data[at], data[place : place + size]
            at = place + size
        self._rest = data[at:]
