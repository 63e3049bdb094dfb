"""TLS in memory: what is said over it arrives whole and in order, and each way it ends is told."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
from servers.certificates import certificate

from adapters.mqtt_endpoint import tls_context
from adapters.mqtt_own import OwnSource
from adapters.mqtt_own_tls import Tls, dial
from core.errors import UnavailableError

pytestmark = pytest.mark.sockets


class Taker(asyncio.Protocol):
    """The line above: keeps what it gets."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Tls)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_megabyte_there_and_back_and_the_end(tmp_path: Path, end: str) -> None:
    """Every byte in order through records of 16 KiB; then the server ends it, with and without a word, and what is written afterwards breaks nothing."""
    cert, key = certificate(tmp_path, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    sent = bytes(range(256)) * 4096

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(len(sent)))
        await writer.drain()
        if end == "close":
            writer.close()
        else:
            await reader.readexactly(1)
            writer.transport.abort()

    async def test() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        taker = Taker()
        async with server, asyncio.timeout(20):
            await dial(taker, "127.0.0.1", server.sockets[0].getsockname()[1], tls_context(str(cert)))
            taker.transport.write(sent)
            while len(taker.got) < len(sent):
                await asyncio.sleep(0)
            taker.transport.write(b"!")
            error = await taker.lost
            taker.transport.write(b"?")
            assert bytes(taker.got) == sent
            assert error is None or isinstance(error, OSError)

    asyncio.run(test())


def test_a_server_that_says_nothing_is_given_up() -> None:
    """A port that accepts and never answers the handshake ends after the timeout, with nothing left open, and no callback fails."""
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionResetError):
            while await reader.read(4096):
                pass
        writer.close()
        closed.set()

    faults: list[dict[str, object]] = []

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
                await OwnSource("127.0.0.1", port, client_id="c", tls=True, timeout_s=0.2).open()
            await asyncio.wait_for(closed.wait(), 10)

    asyncio.run(test())
    assert not faults
