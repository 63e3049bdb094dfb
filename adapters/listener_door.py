"""TLS in front of the listener's connections: the handshake is counted, timed and told of like everything a stranger does.

asyncio's own TLS servers make their protocol after the handshake alone: who never finishes one would be no connection yet.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from typing import cast

from adapters.listener_connection import Connection
from adapters.listener_shared import Shared

_GOODBYE_S = 5.0


class Door(asyncio.Protocol):
    """A TCP connection that is to become a `Connection` over TLS."""

    def __init__(self, shared: Shared, connection: Connection, context: tls.SSLContext) -> None:
        self._shared = shared
        self._connection = connection
        self._context = context
        self._task: asyncio.Task[None] | None = None  # the loop itself holds tasks but weakly

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer is there; the same bounds hold as without TLS."""
        plain = cast(asyncio.Transport, transport)
        plain.pause_reading()  # start_tls reads on, once it stands in between
        if self._connection.arrived(plain):
            self._task = asyncio.get_running_loop().create_task(self._shake_hands(plain))

    def connection_lost(self, exc: Exception | None) -> None:
        """It was refused, or went before the handshake began."""
        self._connection.connection_lost(exc)

    async def _shake_hands(self, plain: asyncio.Transport) -> None:
        loop, limits = asyncio.get_running_loop(), self._shared.limits
        try:
            secure = await loop.start_tls(
                plain,
                self._connection,
                self._context,
                server_side=True,
                ssl_handshake_timeout=limits.connect_timeout_s,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            self._connection.no_handshake(_why(error))
            plain.abort()
            self._connection.connection_lost(error)
            return
        if secure is None or secure.is_closing():
            self._connection.connection_lost(None)
            return
        self._connection.begin(secure)


def _why(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    if reason in ("HTTP_REQUEST", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return f"it does not speak TLS ({reason}): this port takes TLS only"
    return f"no TLS handshake: {reason}"
