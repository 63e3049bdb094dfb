"""TLS between a socket and `mqtt_own_line.Line`, in memory: what still lies in the socket of a broken line can be decrypted.

asyncio's own TLS closes the socket before it tells that the line broke, and what a broker sent before it died goes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable
from typing import Any, cast

RECORD_BYTES = 16_384  # the longest there is


async def dial(line: asyncio.Protocol, host: str, port: int, context: ssl.SSLContext) -> None:
    """Connect, and make TLS; `line` gets the decrypted bytes, and its connection is made when TLS is. Raises OSError (ssl.SSLError is one)."""
    loop = asyncio.get_running_loop()
    _, tls = await loop.create_connection(lambda: Tls(line, context, host), host, port)
    try:
        await asyncio.shield(tls.ready)  # who gives up does not settle it: the end of the socket does
    except BaseException:
        tls.abort()
        raise


def take_left(transport: asyncio.BaseTransport, take: Callable[[bytes], None]) -> None:
    """What had come when a write found the line broken: a broker that died may have forgotten it."""
    with contextlib.suppress(OSError, ValueError):  # dry, or the error the line broke with
        while data := os.read(transport.get_extra_info("socket").fileno(), 65_536):
            take(data)


class Tls(asyncio.Protocol, asyncio.Transport):
    """To the socket a protocol, to the line its transport."""

    def __init__(self, line: asyncio.Protocol, context: ssl.SSLContext, host: str) -> None:
        super().__init__()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line = line
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None

    # ------------------------------------------------------------ what the line does

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt, and send as far as the socket takes it."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._object.write(rest) :]
        except ssl.SSLError as error:  # it is closed already
            self._fail(error)
        self._flush()

    def pause_reading(self) -> None:
        """Read no more from the socket."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Say so, and close when all is sent."""
        with contextlib.suppress(ssl.SSLError):  # it wants the other side's word, which nobody waits for
            self._object.unwrap()
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The socket's."""
        return default if self._transport is None else self._transport.get_extra_info(name, default)

    # ------------------------------------------------------------ asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._step()

    def data_received(self, data: bytes) -> None:
        """Ciphertext, and with it perhaps the end of the handshake."""
        self._in.write(data)
        self._step()

    def eof_received(self) -> None:
        """The other side has closed: so do we."""
        self._in.write_eof()
        self._step()

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is gone; what had come before is read first."""
        if not self.ready.done():
            self._fail(error or ssl.SSLEOFError("closed during the handshake"))
        elif self.ready.exception() is None:
            if error is not None and self._transport is not None:
                take_left(self._transport, self.data_received)
            self._line.connection_lost(error or self._error)

    # ------------------------------------------------------------ TLS

    def _step(self) -> None:
        """As far as the bytes reach."""
        found: list[bytes] = []
        ended: ssl.SSLError | None = None
        try:
            if not self.ready.done():
                self._object.do_handshake()
                self.ready.set_result(None)
                self._line.connection_made(self)
            while self.ready.exception() is None and (data := self._object.read(RECORD_BYTES)):
                found.append(data)
        except ssl.SSLError as error:
            ended = error
        self._flush()  # of the handshake; and an alert, where one is due
        if found:
            self._line.data_received(b"".join(found))
        if ended is None or (isinstance(ended, ssl.SSLEOFError) and self.ready.done()):
            self.close()  # the other side said that it will, or did so without a word
        elif not isinstance(ended, ssl.SSLWantReadError):
            self._fail(ended)

    def _fail(self, error: Exception) -> None:
        self._error = error
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # seen: nobody may be waiting for it
            if self._transport is not None:
                self._transport.close()
        elif self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is not None and (data := self._out.read()):
            self._transport.write(data)
