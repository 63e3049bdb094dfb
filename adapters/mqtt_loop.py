"""One paho-mqtt client driven by the running asyncio loop: connecting, reading, writing, keepalive and reconnecting.

paho's own thread is not used: an exception in a callback would end it in silence, and every acknowledgement from another
thread costs a wake-up. Only the dialling (DNS, TCP, TLS) runs in a worker thread, because paho does it blocking.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt_endpoint import AWAY, Endpoint, TlsContext, tls_context
from adapters.mqtt_keeper import Keeper
from core.errors import ConfigError, UnavailableError

log = structlog.get_logger(__name__)

_GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Connack:
    """What a CONNACK says."""

    reason: ReasonCode
    session_present: bool
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the owner of a link does at its events; `make` builds the client, `up` finishes a connection (subscribes …)."""

    make: Callable[[], Client]
    connack: Callable[[Connack], None]  # at once, before paho resends what was in flight
    up: Callable[[Connack], Awaitable[None]]  # raises RefusedError or UnavailableError to give this connection up
    read: Callable[[], bool]  # after reading; false = read no more until `resume`
    lost: Callable[[], None]
    left: Callable[[bytes], None] | None = None  # before `lost`: what had come and was not read yet, whole packets from the first byte on


class Link:
    """A connection that comes back by itself; its life begins with `open` and ends with `close`."""

    def __init__(self, endpoint: Endpoint, hooks: Hooks, *, reads: int = 2000) -> None:
        self.endpoint = endpoint
        self._reads = reads  # in one go, before `Hooks.read` is asked and other tasks get their turn
        self.keeper = Keeper(endpoint, self._connect, hooks.read)
        self.events = 0  # the owner's callbacks count here what they were given, so that reading knows when it is dry
        self._hooks = hooks
        self._sock: socket.socket | None = None
        self._tls: TlsContext | None = None
        self._connack: asyncio.Future[Connack] | None = None
        self._gone = asyncio.Event()
        self._paused = self._writing = self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._patience: asyncio.Timeout | None = None  # of a connection that is being made

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self.keeper.connected

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return self.keeper.connections

    @property
    def heard_at(self) -> float:
        """When a packet for the owner was last read [s of the loop]; now, while nothing is read."""
        return self._loop.time() if self._paused else self._heard_at

    @property
    def client(self) -> Client:
        """The paho client; `open` makes it."""
        return self._client

    async def open(self) -> None:
        """Connect, and keep connected from now on. Raises UnavailableError, RefusedError, or ConfigError (CA file)."""
        self._loop = asyncio.get_running_loop()
        self._client = self._make()
        await self.keeper.open()

    async def close(self) -> None:
        """Write what is queued, DISCONNECT, and stop coming back."""
        await self.keeper.close()
        if self._sock is not None:
            await self._say_goodbye(self._sock)
            self.lose("closed by us")

    def flush(self) -> None:
        """Write what paho has queued, now as far as the socket takes it."""
        self._flushing = False
        if self._sock is None:
            return
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001 - whatever breaks inside paho breaks this connection, not the process
            self._broken(error)
        if self._sock is None:
            return
        wants = self._client.want_write()
        if wants and not self._writing:
            self._loop.add_writer(self._sock, self.flush)
        elif self._writing and not wants:
            self._loop.remove_writer(self._sock)
        self._writing = wants

    def flush_soon(self) -> None:
        """Write once at the end of this turn of the loop, however often it is asked."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def resume(self) -> None:
        """Read again after `Hooks.read` said no."""
        if self._paused:
            self._paused = False
            self._heard_at = self._loop.time()
            if self._sock is not None:
                self._loop.add_reader(self._sock, self._readable)
                self._loop.call_soon(self._readable)  # TLS may hold decrypted bytes that no selector sees

    # ------------------------------------------------------------ connecting

    def _make(self) -> Client:
        client = self._hooks.make()
        where = self.endpoint
        if where.username:
            client.username_pw_set(where.username, where.password)
        if where.tls:
            self._tls = tls_context(where.tls_ca)
            client.tls_set_context(self._tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = _nothing  # set, so that paho queues packets and `flush` sends them together
        return client

    async def _connect(self) -> None:
        """Dial, wait for the CONNACK, let the owner finish. Raises UnavailableError or RefusedError, with nothing left open."""
        self._connack = self._loop.create_future()
        try:
            await self._dial()
            async with asyncio.timeout(self.endpoint.timeout_s) as self._patience:
                connack = await self._connack
                if connack.reason.is_failure:
                    raise self.endpoint.refusal(str(connack.reason), away=connack.reason.value in AWAY)
                await self._hooks.up(connack)
            if self._sock is None:
                raise UnavailableError(f"{self.endpoint} closed the connection: {self.keeper.reason}")
        except BaseException as error:
            self.lose("given up")
            if isinstance(error, TimeoutError):
                raise UnavailableError(f"{self.endpoint} gave no answer within {self.endpoint.timeout_s:g} s") from error
            raise
        finally:
            if self._connack.done() and not self._connack.cancelled():
                self._connack.exception()  # seen: nobody may be waiting for it any more
            self._connack = self._patience = None

    async def _dial(self) -> None:
        dialling = self._loop.run_in_executor(None, self._client.reconnect)
        try:
            await asyncio.shield(dialling)
        except asyncio.CancelledError:
            dialling.add_done_callback(self._hang_up)  # the thread cannot be stopped; what it opens is closed
            raise
        except OSError as error:
            if self._tls is not None:
                self._tls.forget()
            raise self.endpoint.unreachable(error) from error
        except UnicodeError as error:  # a host like "a..b" is refused before anything is looked up
            raise ConfigError(f"{self.endpoint}: {self.endpoint.host!r} is not a host name") from error
        sock = self._client.socket()
        if sock is None:
            raise UnavailableError(f"{self.endpoint} closed the connection at once")
        self._attach(cast("socket.socket", sock))

    async def _say_goodbye(self, sock: socket.socket) -> None:
        """DISCONNECT, and wait until the server has taken it and all before it.

        A session opened again before that would not know of the last acknowledgements, and send these messages again.
        """
        line = socket.socket(fileno=os.dup(sock.fileno()))  # paho closes its own once the DISCONNECT is written
        with line, contextlib.suppress(TimeoutError, OSError):
            line.setblocking(False)
            self._gone.clear()
            self._client.disconnect()
            self.flush()
            async with asyncio.timeout(_GOODBYE_S):
                await self._gone.wait()  # at once, but where more than the socket's buffer was waiting
                line.shutdown(socket.SHUT_WR)
                while await self._loop.sock_recv(line, 65_536):
                    pass

    def _hang_up(self, dialling: asyncio.Future[Any]) -> None:
        sock = self._client.socket()
        if (dialling.cancelled() or dialling.exception() is None) and sock is not None:
            sock.close()

    # ------------------------------------------------------------ the socket

    def _attach(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a PUBACK waits for nobody
        self._sock = sock
        self._heard_at = self._loop.time()
        self._paused = self._writing = False
        self._loop.add_reader(sock, self._readable)
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        self.flush()

    @property
    def _tick_s(self) -> float:
        return min(1.0, self.endpoint.keepalive_s / 4)

    def _tick(self) -> None:
        """Keepalive: pings, and notices an answer that does not come."""
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        if self._paused:
            return  # unread answers are not missing ones; the broker may end a connection whose reader is stuck
        try:
            self._client.loop_misc()
        except Exception as error:  # noqa: BLE001 - see flush
            self._broken(error)
        self.flush()

    def _readable(self) -> None:
        """Read until the socket is dry, the owner has enough or others should have their turn."""
        if self._sock is None or self._paused:
            return
        more, begun = True, self.events
        try:
            for _ in range(self._reads):
                before = self.events
                if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self.lose("the connection broke")
                if self._sock is None or (self.events == before and not _pending(self._sock)):
                    more = False
                    break
        except Exception as error:  # noqa: BLE001 - see flush
            self._broken(error)
        if self.events != begun:
            self._heard_at = self._loop.time()
        if self._patience is not None and self.events != begun:
            # the answer comes behind what a session kept for us: whoever goes on sending is no server that does not answer
            with contextlib.suppress(RuntimeError):  # the time is up already
                self._patience.reschedule(self._loop.time() + self.endpoint.timeout_s)
        enough = not self._hooks.read()
        if self._sock is None:
            return
        if enough:
            self._paused = True
            self._loop.remove_reader(self._sock)
        elif more and _pending(self._sock):
            self._loop.call_soon(self._readable)
        self.flush()

    def _broken(self, error: Exception) -> None:
        log.error("mqtt client failed, connecting again", client=self.endpoint.client_id, error=repr(error))
        self.lose(repr(error))

    def lose(self, reason: str) -> None:
        """End the connection where there is one: close the socket, tell the owner and the keeper once."""
        sock = self._sock
        if sock is not None:
            self._detach()
            sock.close()
        if self._connack is not None and not self._connack.done():
            self._connack.set_exception(UnavailableError(f"{self.endpoint} closed the connection before it answered: {reason}"))
        if sock is not None:
            self.keeper.lost(reason)
            self._hooks.lost()
            self._gone.set()

    def _detach(self) -> None:
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._loop.remove_reader(sock)
        self._loop.remove_writer(sock)
        self._writing = self._paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------ paho's callbacks, all within the loop's thread

    def _on_connect(self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        self.events += 1
        connack = Connack(reason=reason, session_present=bool(flags.session_present), properties=properties or _no_properties())
        if not reason.is_failure:
            self._hooks.connack(connack)
        if self._connack is not None and not self._connack.done():
            self._connack.set_result(connack)

    def _on_disconnect(self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        self.lose(str(reason))

    def _on_socket_close(self, client: Client, userdata: Any, sock: Any) -> None:
        """Paho closes the socket: out of the selector first. It calls this from the dialling thread too, for an old socket."""
        if sock is self._sock:
            if self._hooks.left is not None and self._sock is not None:
                self._hooks.left(_begun(client) + _left_in(self._sock))
            self.lose("closed by the broker")


def _pending(sock: socket.socket) -> bool:
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _left_in(sock: socket.socket) -> bytes:
    """What the system holds of a broken line. Paho closes it when a write fails, whatever came before; the broker may not have it any more."""
    parts = []
    with contextlib.suppress(OSError):  # dry, or the error the line broke with
        while data := sock.recv(65_536):
            parts.append(data)
    return b"".join(parts)


def _begun(client: Client) -> bytes:
    """The packet paho has read in part."""
    packet = cast("dict[str, Any]", client._in_packet)
    return bytes((packet["command"], *packet["remaining_count"])) + bytes(packet["packet"]) if packet["command"] else b""


def _nothing(client: Client, userdata: Any, sock: Any) -> None:
    """Writing is `Link.flush`'s business."""


def _no_properties() -> Properties:
    return Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]  # paho leaves it untyped
