"""One connection to a broker over MQTT 5, from its CONNECT to its DISCONNECT: bytes, keep-alive and the ways it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog

from adapters.mqtt_codec import Connack, Connect, Disconnect, MqttError, Packet, Pingreq, Pingresp, Puback, Reason, Suback, Unsuback, encode
from adapters.mqtt_endpoint import Endpoint
from adapters.mqtt_own_read import BrokerStream
from adapters.mqtt_own_tls import Tls, dial, take_left
from adapters.mqtt_packets import reason_text
from core.clock import Clock
from core.errors import ConfigError, RefusedError, UnavailableError
from core.message import Message

log = structlog.get_logger(__name__)

_GOODBYE_S = 1.0
_PING = encode(Pingreq())


@dataclass(frozen=True, slots=True, kw_only=True)
class LineHooks:
    """What the owner of a line does at its events."""

    received: Callable[[list[Message]], bool]  # after each read; false = read no more until `resume`
    answered: Callable[[Suback | Unsuback], None]
    lost: Callable[[str, bool], None]  # once: why, and whether coming back at once would end the same way


class Line(asyncio.Protocol):
    """A connection that is made once and ends once."""

    def __init__(self, endpoint: Endpoint, clock: Clock, stream: BrokerStream, hooks: LineHooks) -> None:
        self.patience: asyncio.Timeout | None = None  # of its making; it is extended while bytes come
        self.gone = False
        self.reason = ""
        self._endpoint = endpoint
        self._clock = clock
        self._stream = stream
        self._hooks = hooks
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._connack: asyncio.Future[Connack] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._begun = self._paused = self._leaving = False
        self._keepalive_s = float(endpoint.keepalive_s)
        self._sent_at = self._heard_at = 0.0
        self._asked_at: float | None = None  # when a PINGREQ went out that nothing was heard since
        self._timer: asyncio.TimerHandle | None = None

    @property
    def heard_at(self) -> float:
        """When the broker was last heard [s of the loop]; now, while nothing is read of it."""
        return self._loop.time() if self._paused else self._heard_at

    # ------------------------------------------------------------ what its owner does

    async def open(self, connect: Connect, tls: ssl.SSLContext | None) -> Connack:
        """Dial, log in and wait for the answer. Raises UnavailableError, RefusedError (a certificate) or ConfigError."""
        where = self._endpoint
        try:
            if tls is None:
                await self._loop.create_connection(lambda: self, where.host, where.port)
            else:
                await dial(self, where.host, where.port, tls)
        except OSError as error:
            raise where.unreachable(error) from error
        except UnicodeError as error:  # a host like "a..b" is refused before anything is looked up
            raise ConfigError(f"{where}: {where.host!r} is not a host name") from error
        self.send(encode(connect))
        connack = await self._connack
        if connack.properties.server_keep_alive is not None:
            self._keepalive_s = float(connack.properties.server_keep_alive)
        self._tick()
        return connack

    def send(self, data: bytes) -> None:
        """Bytes to the broker, at once as far as the socket takes them."""
        if self._transport is not None and not self.gone:
            self._transport.write(data)
            self._sent_at = self._loop.time()
            self._confirm_quickly()

    def _confirm_quickly(self) -> None:
        """Have the system confirm what comes at once, not with what we send next.

        A broker that holds small packets back until then (Nagle's way, Mosquitto's default) would hold the messages of a
        whole linger, only for them to wait through the next one here. The system forgets it when we send.
        """
        if self._socket is not None:
            with contextlib.suppress(OSError):  # of a line that is breaking
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def resume(self) -> None:
        """Read again after `LineHooks.received` said no."""
        if self._paused and self._transport is not None and not self.gone:
            self._paused = False
            self._heard_at, self._asked_at = self._loop.time(), None
            self._transport.resume_reading()

    async def goodbye(self) -> None:
        """DISCONNECT, and wait until the broker has taken it and all before it.

        A session opened again before that would not know of the last acknowledgements, and send these messages again.
        """
        if self._transport is None or self.gone:
            return
        self._leaving = True  # what still comes is not acknowledged, and comes again
        self.resume()
        self.send(encode(Disconnect()))
        await asyncio.wait({self._ended}, timeout=_GOODBYE_S)
        self.lose("closed by us")

    def lose(self, reason: str, *, unwelcome: bool = False, last_word: bytes = b"") -> None:
        """End it now; tells the owner once."""
        if self.gone:
            return
        self.gone, self.reason = True, reason
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            if last_word:
                self._transport.write(last_word)
                self._transport.close()
            else:
                self._transport.abort()
        if not self._connack.done():
            self._connack.set_exception(UnavailableError(f"{self._endpoint} closed the connection before it answered: {reason}"))
            self._connack.exception()  # seen: nobody may be waiting for it
        self._hooks.lost(reason, unwelcome)

    # ------------------------------------------------------------ asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line stands."""
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket") if hasattr(socket, "TCP_QUICKACK") else None
        self._heard_at = self._loop.time()
        if self.gone:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Up to 256 KiB of the stream. Whatever breaks in here breaks this connection, not the process."""
        if self.gone or self._leaving:
            return
        self._heard_at, self._asked_at = self._loop.time(), None
        messages: list[Message] = []
        others: list[Packet] = []
        broken: Exception | None = None
        go_on = True
        try:
            self._check_begin(data)
            self._stream.take(data, self._clock.now_ms(), messages, others)
        except Exception as error:  # noqa: BLE001 - what was read before is delivered all the same
            broken = error
        try:
            if others and not self._connack.done():
                self._handle(others.pop(0))  # it came before the messages; all else may follow them
            go_on = self._hooks.received(messages)
            for packet in others:
                self._handle(packet)
        except Exception as error:  # noqa: BLE001 - as above
            broken = broken or error
        if broken is not None:
            self._broken(broken)
        elif not self.gone:
            self._wait_longer()
            if not go_on and self._transport is not None:
                self._paused = True
                self._transport.pause_reading()

    def eof_received(self) -> None:
        """The broker closes its side: so do we."""

    def connection_lost(self, error: Exception | None) -> None:
        """The line is gone."""
        if not self._ended.done():
            self._ended.set_result(None)
        if error is not None and self._transport is not None and not isinstance(self._transport, Tls):  # who has done so already
            take_left(self._transport, self.data_received)
        self.lose("closed by the broker" if error is None else str(error) or repr(error))

    # ------------------------------------------------------------ packets

    def _check_begin(self, data: bytes) -> None:
        if self._begun:
            return
        self._begun = True
        if data[:2] == b"\x20\x02":  # the CONNACK of MQTT 5 is longer
            self._refuse_version()
        elif data[0] >> 4 != 2:
            raise MqttError(Reason.PROTOCOL_ERROR, "another packet before CONNACK")

    def _refuse_version(self) -> None:
        text = f"{self._endpoint} speaks MQTT 3.1.1 and not 5; paho speaks it: add ?client=paho to CANHMAN_BROKER"
        if not self._connack.done():
            self._connack.set_exception(RefusedError(text))
        raise MqttError(Reason.UNSUPPORTED_PROTOCOL_VERSION, "CONNACK of MQTT 3.1.1")

    def _handle(self, packet: Packet) -> None:
        match packet:
            case Suback() | Unsuback():
                self._hooks.answered(packet)
            case Pingresp() | Puback():
                pass
            case Connack() if not self._connack.done():
                if packet.reason == Reason.UNSUPPORTED_PROTOCOL_VERSION:
                    self._refuse_version()
                self._connack.set_result(packet)
            case Disconnect():
                taken_over = packet.reason == Reason.SESSION_TAKEN_OVER
                said = ": ".join(filter(None, (reason_text(packet.reason), packet.properties.reason_string)))
                if taken_over:
                    said += f": somebody else connects as {self._endpoint.client_id!r}; each ingest needs a name of its own (CANHMAN_WORKER)"
                self.lose(f"closed by the broker: {said}", unwelcome=taken_over)
            case _:
                raise MqttError(Reason.PROTOCOL_ERROR, f"{type(packet).__name__.upper()} from a broker, here")

    def _broken(self, error: Exception) -> None:
        """DISCONNECT with the standard's reason, and come again."""
        if isinstance(error, MqttError):
            log.error("mqtt broker breaks the protocol, connecting again", client=self._endpoint.client_id, error=str(error))
            self.lose(f"the broker breaks the protocol: {error}", last_word=encode(Disconnect(reason=error.reason)))
        else:
            log.exception("mqtt client failed, connecting again", client=self._endpoint.client_id, exc_info=error)
            self.lose(repr(error))

    def _wait_longer(self) -> None:
        """The answer comes behind what a session kept for us: whoever goes on sending is no server that does not answer."""
        if self.patience is not None and not self.patience.expired():
            try:
                self.patience.reschedule(self._loop.time() + self._endpoint.timeout_s)
            except RuntimeError:  # the time is up already, or it is made
                self.patience = None

    def _tick(self) -> None:
        """Keep-alive: a ping where nothing was sent for so long, and the end where nothing is heard after one."""
        every, now = self._keepalive_s, self._loop.time()
        if not every or self.gone:
            return
        self._timer = self._loop.call_later(min(1.0, every / 4), self._tick)
        if self._asked_at is not None and not self._paused and now - self._asked_at >= every:  # unread answers are not missing ones
            self.lose(f"no answer to a ping within {every:g} s")
        elif now - self._sent_at >= every * 0.75 or (now - self._heard_at >= every and self._asked_at is None):
            self.send(_PING)
            if self._asked_at is None:
                self._asked_at = now
