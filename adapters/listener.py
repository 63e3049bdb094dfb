"""The embedded listener: devices connect to us where no broker is installed. It routes nothing and keeps nothing.

MQTT 3.1.1 and 5; PUBLISH at QoS 0 and 1, PUBACK only when `acknowledge` is called; last will; SUBSCRIBE to what the
authority allows. docs/mqtt.md tells what it claims of the standard, and how the rest is refused. RETAIN is taken as any
publish: firmware written for a broker sets it, and nobody may subscribe to what another one publishes. A session holds
no message of ours: see `listener_sessions`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import itertools
import os
import resource
import socket
import ssl as tls
from collections.abc import Sequence
from pathlib import Path

import structlog

from adapters.listener_book import SessionFile
from adapters.listener_connection import Connection
from adapters.listener_door import Door
from adapters.listener_inbox import Inbox
from adapters.listener_limits import Addresses
from adapters.listener_shared import TOKEN_SHIFT, Authority, Limits, Shared
from core.clock import Clock
from core.errors import ConfigError, UnavailableError
from core.message import Message

__all__ = ["Authority", "Limits", "Listener"]

log = structlog.get_logger(__name__)

_CLOSE_S = 1.0  # how long clients may take over our goodbye
_ACCEPTED_AT_ONCE = 128  # asyncio takes so many before the first of them is counted
_WAITING = 4096  # that the system holds for us meanwhile, e.g. when power comes back
_OTHER_FILES = 256  # descriptors left to journal, store, database and log


class Listener:
    """A `core.ports.MessageSource` that devices connect to. All calls belong into the event loop that opened it.

    Every batch is to be acknowledged in the end (QoS 0 may be left out): at `max_pending` messages or
    `max_pending_bytes`, queued or unacknowledged, nothing more is read from any device until there is room.
    With `sessions` (a file) clients find their sessions again after a restart.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        authority: Authority,
        clock: Clock,
        limits: Limits | None = None,
        linger_s: float = 0.010,
        max_batch: int = 2000,
        sessions: Path | None = None,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._serials = itertools.count(1)
        self._book = SessionFile(sessions) if sessions else None
        limits = _within_descriptors(limits or Limits())
        self._shared = Shared(
            limits=limits,
            authority=authority,
            clock=clock,
            inbox=Inbox(max_batch=max_batch, linger_s=linger_s, max_messages=limits.max_pending, max_bytes=limits.max_pending_bytes, on_pause=self._on_pause),
            addresses=Addresses(
                most=limits.max_of_address, most_strangers=limits.max_strangers_of_address, rate=limits.connects_per_s, burst=limits.connects_at_once
            ),
        )

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

    @property
    def trouble(self) -> str:
        """Why devices cannot reach us, in words; empty where nothing is known to be wrong."""
        most = self._shared.limits.max_connections
        if len(self._shared.sockets) >= most:
            return f"{most} connections are the most it takes, and they are taken: who comes new is closed at once (files a process may open: ulimit -n)"
        return ""

    async def open(self) -> None:
        """Listen. Raises UnavailableError where the port is taken, ConfigError where the address cannot be used."""
        where = f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"
        loop = asyncio.get_running_loop()
        try:
            if self._host == "::" and socket.has_dualstack_ipv6():  # asyncio would leave IPv4 out
                both = socket.create_server((self._host, self._port), family=socket.AF_INET6, dualstack_ipv6=True)
                self._server = await loop.create_server(self._new, sock=both, backlog=_ACCEPTED_AT_ONCE)
            else:
                self._server = await loop.create_server(self._new, self._host, self._port, backlog=_ACCEPTED_AT_ONCE)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UnavailableError(f"cannot listen on {where}: another program has that port") from error
            number = error.errno or 0  # getaddrinfo's are below 0 and bring their own text
            raise ConfigError(f"cannot listen on {where}: {os.strerror(number) if number > 0 else error.strerror or error}") from error
        except (OverflowError, UnicodeError) as error:
            raise ConfigError(f"cannot listen on {where}: not an address and port") from error
        for listening in self._server.sockets:
            with socket.socket(fileno=os.dup(listening.fileno())) as same:
                same.listen(_WAITING)
        if self._book:
            self._shared.sessions.restore(self._book, self._book.open())
        log.info("mqtt listener open", host=self._host, port=self.port, tls=self._ssl is not None)

    async def batch(self) -> list[Message]:
        """Wait for at least one message, linger, return what came from all devices in order of arrival."""
        return await self._shared.inbox.batch()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK these in this order, in one write a connection; what came over a connection that is gone is skipped."""
        live = self._shared.live
        answers: dict[Connection, list[int]] = {}
        serial, in_flight, waiting = 0, {}, list[int]()
        for message in messages:
            token = message[8]
            if token >> TOKEN_SHIFT != serial:
                serial = token >> TOKEN_SHIFT
                connection = live.get(serial)
                in_flight = connection.publishes.in_flight if connection else {}
                waiting = answers.setdefault(connection, []) if connection else []
            if answer := in_flight.pop(token, 0):  # 0 for QoS 0, a lost connection, or a second acknowledgement
                waiting.append(answer)
        for connection, pubacks in answers.items():
            if pubacks:
                connection.acknowledge(pubacks)
        self._shared.inbox.release(messages)

    async def close(self) -> None:
        """Stop listening and say goodbye; what was not acknowledged stays with its sender. No wills: it is us who go."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self._shared.wills.close()
        connections = list(self._shared.sockets)
        for connection in connections:
            connection.shut_down()
        if connections:
            _, slow = await asyncio.wait([connection.gone for connection in connections], timeout=_CLOSE_S)
            for connection in connections if slow else ():
                connection.abort()
        await server.wait_closed()
        if self._book:
            self._book.close()
        log.info("mqtt listener closed", host=self._host)

    def _new(self) -> asyncio.BaseProtocol:
        connection = Connection(self._shared, next(self._serials))
        return Door(self._shared, connection, self._ssl) if self._ssl else connection

    def _on_pause(self, paused: bool) -> None:
        if paused:
            self._shared.counters["pauses"] += 1
        for connection in list(self._shared.live.values()):
            connection.adjust_reading()


def _within_descriptors(limits: Limits) -> Limits:
    """At most as many connections as this process may have files open: one more, and no journal could be written."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    most = max(soft // 2, soft - _OTHER_FILES - _ACCEPTED_AT_ONCE)
    if most >= limits.max_connections:
        return limits
    log.warning("mqtt connections are bounded by the files this process may open", connections=most, files=soft)
    return dataclasses.replace(limits, max_connections=most)
