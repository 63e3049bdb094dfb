"""Messages from a broker over MQTT 5, on our own codec: the fast way in, beside paho's (`adapters.mqtt`).

A receive maximum says how much the broker sends before it hears from us, whatever its configuration; what comes beyond it
is taken all the same.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import struct
from collections.abc import Sequence
from typing import Unpack

import structlog

from adapters.mqtt_codec import Connack, Connect, Properties, Publish, Suback, Subscribe, Subscription, Unsuback, Unsubscribe, encode
from adapters.mqtt_endpoint import AWAY, Endpoint, Login, tls_context
from adapters.mqtt_held import Wire
from adapters.mqtt_inbox import Inbox
from adapters.mqtt_keeper import Keeper
from adapters.mqtt_own_line import Line, LineHooks
from adapters.mqtt_own_read import BrokerStream
from adapters.mqtt_packets import reason_text
from adapters.mqtt_source import BrokerSource
from core.clock import Clock, SystemClock
from core.errors import RefusedError, UnavailableError
from core.message import Message
from registry.permissions import FILTERS

log = structlog.get_logger(__name__)

RECEIVE_MAXIMUM = 1000
FOR_EVER = 0xFFFF_FFFF  # of a lone ingest, for which its broker waits as long as it takes
SHARE_EXPIRY_S = 24 * 3600  # a member of a share that stays away keeps its part of the messages from the others until then
LINGER_S = 0.02  # each batch costs some ms of CPU, however short it is: at a thousand messages a second this is the price of a message
_PUBACK = 0x4002_0000  # its four bytes, with the packet identifier in the lower two


class OwnSource(BrokerSource):
    """A persistent session at a broker, known by its client id; see `core.ports.MessageSource`.

    `share` divides the data filters among all workers of that name. The counters are those of `mqtt_inbox.COUNTERS`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str,
        clock: Clock | None = None,
        filters: Sequence[str] = FILTERS,
        share: str | None = None,
        linger_s: float = LINGER_S,
        max_batch: int = 5000,
        receive_maximum: int = RECEIVE_MAXIMUM,
        **login: Unpack[Login],
    ) -> None:
        endpoint = Endpoint(host=host, port=port, client_id=client_id, **login)
        self._clock: Clock = clock or SystemClock()
        self._share = share
        self._receive_maximum = receive_maximum
        self._line: Line | None = None
        self._stream = BrokerStream()
        self._numbers = itertools.count()
        self._tls: ssl.SSLContext | None = None
        wire = Wire(subscribe=self._ask, unsubscribe=self._give_up, publish=self._say, flush=_at_once, lose=self._give_up_line, heard_at=self._heard_at)
        inbox = Inbox(linger_s=linger_s, max_batch=max_batch, window=receive_maximum, wake=self._read_on)
        super().__init__(endpoint, keeper=Keeper(endpoint, self._connect, self._read_on), inbox=inbox, wire=wire, filters=filters, share=share)

    async def close(self) -> None:
        """Disconnect; the session with its subscriptions stays at the broker and collects."""
        await self._keeper.close()
        if self._line is not None:
            await self._line.goodbye()

    async def _start(self) -> None:
        self._tls = tls_context(self._endpoint.tls_ca) if self._endpoint.tls else None
        await self._keeper.open()

    def _read_on(self) -> None:
        if self._line is not None and not self._inbox.enough:
            self._line.resume()

    def _confirm(self, packet_ids: Sequence[int]) -> None:
        """All in one send."""
        if self._line is not None:
            self._line.send(struct.pack(f">{len(packet_ids)}I", *[_PUBACK | number for number in packet_ids]))

    # ------------------------------------------------------------ connecting

    async def _connect(self) -> None:
        """One connection: log in, subscribe where it is needed. Raises UnavailableError or RefusedError, with nothing left open."""
        where = self._endpoint
        self._stream = BrokerStream(self._stream.serial)
        line = Line(where, self._clock, self._stream, LineHooks(received=self._received, answered=self._answered, lost=self._lost))
        self._line = line
        try:
            async with asyncio.timeout(where.timeout_s) as line.patience:
                connack = await line.open(self._greeting(), self._tls)
                if connack.reason:
                    said = ": ".join(filter(None, (reason_text(connack.reason), connack.properties.reason_string)))
                    raise where.refusal(said, away=connack.reason in AWAY)
                await self._subscribe(connack)
            if line.gone:
                raise UnavailableError(f"{where} closed the connection: {line.reason}")
        except BaseException as error:
            line.lose("given up")
            if isinstance(error, TimeoutError):
                raise UnavailableError(f"{where} gave no answer within {where.timeout_s:g} s") from error
            raise
        finally:
            line.patience = None

    def _greeting(self) -> Connect:
        where = self._endpoint
        return Connect(
            client_id=where.client_id,
            clean_start=self._clean,
            keep_alive=where.keepalive_s,
            username=where.username or None,
            password=where.password.encode() if where.username else None,
            properties=Properties(
                session_expiry_interval=0 if self._clean else FOR_EVER if self._share is None else SHARE_EXPIRY_S,
                receive_maximum=self._receive_maximum,
            ),
        )

    async def _subscribe(self, connack: Connack) -> None:
        where, says = self._endpoint, connack.properties
        if not self._clean:
            if says.shared_subscription_available == 0 and self._share is not None:
                raise RefusedError(f"{where} has no shared subscriptions, which several ingests need; leave CANHMAN_WORKER out, or use another broker")
            if says.session_expiry_interval is not None:
                log.warning("the broker keeps our session for a shorter time than asked", broker=str(where), seconds=says.session_expiry_interval)
        await self._stands(session=connack.session_present)

    # ------------------------------------------------------------ the wire of `Held` and `Echo`

    def _ask(self, topic_filter: str, qos: int, again: bool) -> int:
        """`again`: retained messages come only where the broker had lost the subscription."""
        number = self._number()
        wanted = Subscription(topic_filter=topic_filter, qos=qos, retain_handling=int(again))
        self._send(encode(Subscribe(packet_id=number, subscriptions=(wanted,))))
        return number

    def _give_up(self, filters: Sequence[str]) -> int:
        number = self._number()
        self._send(encode(Unsubscribe(packet_id=number, topic_filters=tuple(filters))))
        return number

    def _say(self, topic: str, payload: bytes, qos: int) -> None:
        self._send(encode(Publish(topic, payload, qos, self._number() if qos else 0)))

    def _number(self) -> int:
        return next(self._numbers) % 0xFFFF + 1

    def _give_up_line(self, reason: str) -> None:
        if self._line is not None:
            self._line.lose(reason)

    def _heard_at(self) -> float:
        return self._line.heard_at if self._line is not None else 0.0

    def _send(self, data: bytes) -> None:
        if self._line is None or self._line.gone:
            raise UnavailableError(f"{self._endpoint} is gone again")
        self._line.send(data)

    # ------------------------------------------------------------ the line's events

    def _received(self, messages: list[Message]) -> bool:
        """Wake `batch`; read on while what waits stays within a few batches.

        While `open` waits nobody takes a batch, and the answer to its SUBSCRIBE comes behind all that the session kept in
        flight: read on to it. That is bounded by the 65,535 packet identifiers, for nothing is acknowledged.
        """
        stream = self._stream
        if messages:
            self._inbox.put(messages, duplicates=stream.duplicates)
            stream.duplicates = 0
        if stream.echoes:
            for word in stream.echoes:
                self._heard(*word)
            stream.echoes.clear()
            self.acknowledge(())
        if stream.broker_dropped is not None:
            self.counters["broker_dropped"] = stream.broker_dropped
        return not self._opened or not (self._inbox.enough or self._inbox.rests)

    def _answered(self, packet: Suback | Unsuback) -> None:
        self._held.answered(packet.packet_id, packet.reasons)

    def _lost(self, reason: str, unwelcome: bool) -> None:
        self._gone(reason)
        self._keeper.lost(reason, unwelcome=unwelcome)


def _at_once() -> None:
    """A line sends what it is given when it is given it."""
