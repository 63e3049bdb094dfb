"""A scripted MQTT server: says what a broker says only on a bad day, and remembers what the client sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

from servers.ports import free_port

CONNACK3 = b"\x20\x02\x00\x00"
CONNACK3_SESSION = b"\x20\x02\x01\x00"
TOPIC = b"canhman/o/d/telemetry"


class Line:
    """One connection, seen from the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.number = number  # 0 for the first connection
        self.version = 4  # as its CONNECT says
        self._reader, self._writer = reader, writer
        self._ahead: asyncio.Future[tuple[int, bytes]] | None = None

    async def packet(self) -> tuple[int, bytes]:
        """The next packet: first byte and body. Raises EOFError (asyncio.IncompleteReadError) where the client is gone."""
        ahead, self._ahead = self._ahead, None
        return await (self._read() if ahead is None else ahead)

    async def quiet(self, turns: int = 100) -> None:
        """Assert that the client sends nothing for so many turns of the loop (it runs on the same one)."""
        self._ahead = asyncio.ensure_future(self._read())
        for _ in range(turns):
            await asyncio.sleep(0)
        assert not self._ahead.done(), f"unexpected packet {self._ahead.result()}"

    async def _read(self) -> tuple[int, bytes]:
        first = (await self._reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = await self._reader.readexactly(length)
        if first >> 4 == 1:
            self.version = body[6]
        return first, body

    async def expect(self, kind: int) -> bytes:
        """The body of the next packet of this kind (high four bits), others skipped; PINGREQs are answered."""
        while True:
            first, body = await self.packet()
            if first & 0xF0 == kind:
                return body
            if first & 0xF0 == 0xC0:
                self.send(b"\xd0\x00")

    def send(self, data: bytes) -> None:
        """Bytes to the client."""
        self._writer.write(data)

    async def greet(self, *, session: bool = False) -> bytes:
        """Take the CONNECT and let it in; returns its body."""
        body = await self.expect(0x10)
        self.send(connack5(session=session) if self.version == 5 else CONNACK3_SESSION if session else CONNACK3)
        return body

    async def cut(self, at: asyncio.Event) -> bool:
        """Greet; true once the first connection, to which all is granted, is to be hung up. The next ones are the script's."""
        await self.greet(session=self.number > 0)
        if self.number:
            return False
        await self.subscribed()
        await at.wait()
        return True

    async def answer_behind(self, waiting: int, at: asyncio.Event) -> None:
        """Hand over so many messages of a session, numbered; answer its subscriptions at the event, and then send `live`."""
        for i in range(waiting):
            self.publish(str(i).encode(), i + 1, dup=True)
        await at.wait()
        await self.subscribed()
        self.publish(b"live", waiting + 1)
        await self.packet()

    def publish(self, payload: bytes, mid: int = 0, *, topic: bytes = TOPIC, qos: int = 1, dup: bool = False, retain: bool = False) -> None:
        """A PUBLISH to the client."""
        packet = publish5 if self.version == 5 else publish3
        self.send(packet(topic, payload, mid, qos=qos, dup=dup, retain=retain))

    async def subscribed(self, code: int = 1, *, but: Mapping[str, int] | None = None) -> list[str]:
        """Answer SUBSCRIBEs (with `code`, `but` those of single filters) up to the UNSUBSCRIBE; returns what was asked, `-` before what was given up."""
        asked: list[str] = []
        while True:
            first, body = await self.packet()
            mid, names = body[:2], body[3:] if self.version == 5 else body[2:]  # the properties are none, one byte
            if first & 0xF0 == 0x80:
                asked.append(names[2:-1].decode())
                says = (but or {}).get(asked[-1], code)
                self.send(b"\x90\x04" + mid + bytes([0, says]) if self.version == 5 else b"\x90\x03" + mid + bytes([says]))
            elif first & 0xF0 == 0xA0:
                rest = names
                while rest:
                    size = int.from_bytes(rest[:2], "big")
                    asked.append("-" + rest[2 : 2 + size].decode())
                    rest = rest[2 + size :]
                left = sum(name.startswith("-") for name in asked)
                self.send(b"\xb0" + bytes([3 + left]) + mid + bytes(1 + left) if self.version == 5 else b"\xb0\x02" + mid)
                return asked

    def close(self) -> None:
        """Hang up."""
        if self._ahead is not None:
            self._ahead.cancel()
        self._writer.close()


class FakeMqtt:
    """Runs `script(line)` for each connection; an async context manager that raises what a script raised."""

    def __init__(self, script: Callable[[Line], Awaitable[None]]) -> None:
        self.port = free_port()
        self._script = script
        self._lines = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> FakeMqtt:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        for result in results:
            if isinstance(result, Exception):
                raise result from error

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer, self._lines)
        self._lines += 1
        task = asyncio.ensure_future(self._run(line, writer))
        self._tasks.add(task)
        await asyncio.wait([task])

    async def _run(self, line: Line, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(EOFError, ConnectionError):
                await self._script(line)
        finally:
            line.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def publish3(topic: bytes, payload: bytes, mid: int, *, qos: int = 1, dup: bool = False, retain: bool = False) -> bytes:
    """A PUBLISH of MQTT 3.1.1, under 128 bytes."""
    body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if qos else b"") + payload
    assert len(body) < 128
    return bytes([0x30 | dup << 3 | qos << 1 | retain, len(body)]) + body


def publish5(topic: bytes, payload: bytes, mid: int, *, qos: int = 1, dup: bool = False, retain: bool = False, properties: bytes = b"") -> bytes:
    """A PUBLISH of MQTT 5, under 128 bytes."""
    body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if qos else b"") + bytes([len(properties)]) + properties + payload
    assert len(body) < 128
    return bytes([0x30 | dup << 3 | qos << 1 | retain, len(body)]) + body


def connack5(reason: int = 0, *, receive_maximum: int | None = None, maximum_packet: int | None = None, session: bool = False) -> bytes:
    """A CONNACK of MQTT 5."""
    properties = b"" if receive_maximum is None else b"\x21" + receive_maximum.to_bytes(2, "big")
    properties += b"" if maximum_packet is None else b"\x27" + maximum_packet.to_bytes(4, "big")
    body = bytes([session, reason, len(properties)]) + properties
    return bytes([0x20, len(body)]) + body


def puback5(mid: int, reason: int = 0) -> bytes:
    """A PUBACK of MQTT 5."""
    return b"\x40\x03" + mid.to_bytes(2, "big") + bytes([reason])


def publish5_parts(first: int, body: bytes) -> tuple[int, bool, bytes]:
    """(mid, dup, payload) of a PUBLISH of MQTT 5 without properties."""
    size = int.from_bytes(body[:2], "big")
    assert body[size + 4] == 0
    return int.from_bytes(body[2 + size : 4 + size], "big"), bool(first & 8), body[size + 5 :]
