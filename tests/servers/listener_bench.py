"""The embedded listener on a free port, and peers that speak to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from adapters.listener import Limits, Listener
from adapters.mqtt_codec import (
    V5,
    Connack,
    Connect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    StreamDecoder,
    encode,
)
from core.message import Message

NOW = 1_772_323_800_000
TOPIC = "canhman/kg/kl01/telemetry"


class FixedClock:
    """Always the same time."""

    def now_ms(self) -> int:
        return NOW

    def real_seconds(self, sim_seconds: float) -> float:
        return sim_seconds


class Doorman:
    """Every device may in with the password `pw` and use its own topics; `kg` its join key."""

    def authenticate(self, username: str, password: bytes, client_id: str) -> str | None:
        if password != b"pw":
            return None
        return username if username.startswith("org:") else f"device:{username}"

    def may_publish(self, principal: str, topic: str) -> bool:
        kind, _, name = principal.partition(":")
        return topic.startswith(f"canhman/{name}/" if kind == "org" else f"canhman/kg/{name}/")

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        return topic_filter == f"canhman/kg/{principal.removeprefix('device:')}/command"


class Peer:
    """A client that sends what it is told and reads what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version
        self.decoder = StreamDecoder(version=version)

    async def send(self, *packets: Packet) -> None:
        await self.send_bytes(b"".join(encode(p, self.version) for p in packets))

    async def send_bytes(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Packet | None:
        """The next packet; None where the listener has closed the connection."""
        while True:
            for packet in self.decoder:
                return packet
            try:
                data = await self.reader.read(65_536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.decoder.feed(data)

    async def quiet(self) -> bool:
        """Whether nothing was sent to us before the answer to a ping asked now."""
        await self.send(Pingreq())
        return await self.receive() == Pingresp()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def lose(self) -> None:
        """The connection breaks (RST), no goodbye."""
        self.writer.transport.abort()
        await asyncio.sleep(0)


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.sent = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await coroutine

    asyncio.run(bounded())


class Bench:
    """An open listener and the peers that dialled it."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.peers: list[Peer] = []

    async def dial(self, version: int = V5, tls: ssl.SSLContext | None = None) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.listener.port, ssl=tls), version)
        self.peers.append(peer)
        return peer

    async def login(self, version: int = V5, device: str = "kl01", **fields: Any) -> Peer:
        peer = await self.dial(version)
        fields = {"client_id": f"c-{device}", "username": device, "password": b"pw"} | fields
        await peer.send(Connect(version=version, **fields))
        answer = await peer.receive()
        assert isinstance(answer, Connack), answer
        assert not answer.reason
        return peer

    async def messages(self, count: int) -> list[Message]:
        """The next `count` messages."""
        got: list[Message] = []
        while len(got) < count:
            got += await self.listener.batch()
        assert len(got) == count
        return got

    def delta(self, **expected: int) -> None:
        """Counters are as expected, and those of trouble not named are 0."""
        usual = {"connections", "logins", "publishes"}
        assert {k: v for k, v in self.listener.counters.items() if v and k not in usual} == expected


def made(host: str = "", **options: Any) -> Listener:
    """A listener that is not open; options are its own, or of its limits."""
    own = {name: options.pop(name) for name in ("linger_s", "max_batch", "sessions", "ssl") if name in options}
    return Listener(host, 0, authority=Doorman(), clock=FixedClock(), limits=Limits(**options), **({"linger_s": 0} | own))


@contextlib.asynccontextmanager
async def bench(**options: Any) -> AsyncIterator[Bench]:
    listener = made("127.0.0.1", **options)
    await listener.open()
    opened = Bench(listener)
    try:
        yield opened
    finally:
        await listener.close()
        for peer in opened.peers:
            await peer.close()


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of its own, and a client's that trusts it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


def qos1(packet_id: int, topic: str = TOPIC, payload: bytes = b"{}") -> Publish:
    return Publish(topic, payload, 1, packet_id)
