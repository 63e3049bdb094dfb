"""The embedded listener: devices connect to us where no broker is installed. It routes nothing and keeps nothing.

MQTT 3.1.1 and 5; PUBLISH at QoS 0 and 1, PUBACK only when `acknowledge` is called; last will; SUBSCRIBE to what the
authority allows. A publish or will with RETAIN is taken as a live one although MQTT 5 clients are told that nothing is
retained: firmware written for a broker sets it. A will's delay is taken as 0. A session
holds no message of ours: see `listener_sessions`.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import ssl as tls
from collections.abc import Sequence

import structlog

from adapters.listener_connection import Connection
from adapters.listener_inbox import Inbox
from adapters.listener_shared import TOKEN_SHIFT, Authority, Limits, Shared
from core.clock import Clock
from core.errors import ConfigError, UnavailableError
from core.message import Message

__all__ = ["Authority", "Listener"]

log = structlog.get_logger(__name__)

_CLOSE_S = 1.0  # how long clients may take over our goodbye


class Listener:
    """A `core.ports.MessageSource` that devices connect to. All calls belong into the event loop that opened it.

    Every batch is to be acknowledged in the end (QoS 0 may be left out): at `max_pending` messages or
    `max_pending_bytes`, queued or unacknowledged, nothing more is read from any device until there is room.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        authority: Authority,
        clock: Clock,
        linger_s: float = 0.010,
        max_batch: int = 2000,
        max_packet: int = 1 << 20,
        max_connections: int = 10_000,
        max_pending: int = 20_000,
        max_pending_bytes: int = 64 << 20,
        receive_maximum: int = 1000,
        connect_timeout_s: float = 10.0,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._serials = itertools.count(1)
        inbox = Inbox(max_batch=max_batch, linger_s=linger_s, max_messages=max_pending, max_bytes=max_pending_bytes, on_pause=self._on_pause)
        limits = Limits(max_packet=max_packet, max_connections=max_connections, connect_timeout_s=connect_timeout_s, receive_maximum=receive_maximum)
        self._shared = Shared(limits=limits, authority=authority, clock=clock, inbox=inbox)

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for while it does not."""
        if self._server and self._server.sockets:
            return int(self._server.sockets[0].getsockname()[1])
        return self._port

    @property
    def counters(self) -> dict[str, int]:
        """How often what happened since the start (`listener_shared.COUNTERS` are the names)."""
        return self._shared.counters

    @property
    def connected(self) -> int:
        """How many clients are logged in."""
        return len(self._shared.live)

    @property
    def paused(self) -> bool:
        """Whether so much waits for its acknowledgement that nothing more is read."""
        return self._shared.inbox.paused

    async def open(self) -> None:
        """Listen. Raises UnavailableError where the port is taken, ConfigError where the address cannot be used."""
        where = f"{self._host}:{self._port}"
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Connection(self._shared, next(self._serials)),
                self._host,
                self._port,
                backlog=1024,
                ssl=self._ssl,
                ssl_handshake_timeout=self._shared.limits.connect_timeout_s if self._ssl else None,
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UnavailableError(f"cannot listen on {where}: another program has that port") from error
            number = error.errno or 0  # getaddrinfo's are below 0 and bring their own text
            raise ConfigError(f"cannot listen on {where}: {os.strerror(number) if number > 0 else error.strerror or error}") from error
        except (OverflowError, UnicodeError) as error:
            raise ConfigError(f"cannot listen on {where}: not an address and port") from error
        log.info("mqtt listener open", host=self._host, port=self.port, tls=self._ssl is not None)

    async def batch(self) -> list[Message]:
        """Wait for at least one message, linger, return what came from all devices in order of arrival."""
        return await self._shared.inbox.batch()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK these in this order, in one write a connection; what came over a connection that is gone is skipped."""
        live = self._shared.live
        done: list[int] = []
        answers: dict[Connection, list[bytes]] = {}
        for message in messages:
            connection = live.get(message.token >> TOKEN_SHIFT)
            puback = connection.in_flight.pop(message.token, None) if connection else None
            if connection and puback:  # neither for QoS 0, a lost connection, or a second acknowledgement
                done.append(message.token)
                answers.setdefault(connection, []).append(puback)
        for connection, pubacks in answers.items():
            connection.write(b"".join(pubacks))
        self._shared.inbox.release(done)

    async def close(self) -> None:
        """Stop listening and say goodbye; what was not acknowledged stays with its sender. No wills: it is us who go."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        connections = list(self._shared.sockets)
        for connection in connections:
            connection.shut_down()
        if connections:
            _, slow = await asyncio.wait([connection.gone for connection in connections], timeout=_CLOSE_S)
            for connection in connections if slow else ():
                connection.abort()
        await server.wait_closed()
        log.info("mqtt listener closed", host=self._host)

    def _on_pause(self, paused: bool) -> None:
        if paused:
            self._shared.counters["pauses"] += 1
        for connection in list(self._shared.live.values()):
            connection.adjust_reading()
