"""Messages to a broker or listener: a publisher on paho-mqtt (MQTT 5) that keeps each until its PUBACK, over reconnects too."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Unpack

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt_endpoint import Endpoint, Login
from adapters.mqtt_loop import Connack, Hooks, Link
from core.errors import UnavailableError
from core.ports import Delivery

_NO_SUBSCRIBERS = 0x10
_SESSION_S = 3600  # lets a broker recognise a resend; nothing here depends on it
_UNPUBLISHABLE = frozenset("+#\0")
_HEADER_BYTES = 16  # of a PUBLISH beside topic and payload, rounded up


@dataclass(slots=True)
class _Waiting:
    """A message without PUBACK yet, and who waits for it."""

    topic: str
    payload: bytes
    done: asyncio.Future[Delivery]


class PahoPublisher:
    """One client; hundreds may live in a process, all on its one event loop. See `core.ports.Publisher`.

    At most `window` messages are in flight (fewer where the server's Receive Maximum is smaller), further calls wait.
    `will` is (topic, payload), published by the server where this client goes without a goodbye.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str,
        window: int = 100,
        will: tuple[str, bytes] | None = None,
        **login: Unpack[Login],
    ) -> None:
        if not 1 <= window <= 65_535:
            raise ValueError(f"window: {window}, wanted 1 to 65535")
        endpoint = Endpoint(host=host, port=port, client_id=client_id, **login)
        self._window = self._limit = window
        self._largest: int | None = None  # the server's Maximum Packet Size
        self._will = will
        self._queue: deque[_Waiting] = deque()
        self._in_flight: dict[int, _Waiting] = {}  # by mid, in the order of sending
        self._closed = True
        self.counters = {"sent": 0, "acknowledged": 0, "refused": 0, "no_subscribers": 0}
        self._link = Link(endpoint, Hooks(make=self._make, connack=self._connack, up=_ready, read=self._send, lost=_wait))

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        return self._link.connected

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return self._link.connections

    async def open(self) -> None:
        """Connect. Raises UnavailableError, RefusedError or ConfigError (CA file)."""
        await self._link.open()
        self._closed = False

    async def publish(self, topic: str, payload: bytes) -> Delivery:
        """Publish at QoS 1 and wait for the PUBACK, as long as it takes; sent in the order of the calls.

        Raises UnavailableError after `close`, ValueError for a topic nobody may publish to (empty, with wildcards).
        """
        # Before it is queued: paho lets the empty topic through, and a server would hang up at it, at each resend again.
        if not topic or not _UNPUBLISHABLE.isdisjoint(topic) or len(topic.encode()) > 65_535:
            raise ValueError(f"topic {topic[:100]!r}: empty, too long, or with wildcards")
        if self._closed:
            raise UnavailableError(f"{self._link.endpoint}: the publisher {self._link.endpoint.client_id} is not open")
        waiting = _Waiting(topic, payload, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._send()
        return await waiting.done

    async def close(self) -> None:
        """Disconnect; publishers still waiting end with UnavailableError: nobody knows whether theirs arrived."""
        self._closed = True
        await self._link.close()
        for waiting in (*self._in_flight.values(), *self._queue):
            if not waiting.done.done():
                waiting.done.set_exception(UnavailableError(f"{self._link.endpoint}: closed before the acknowledgement"))
        self._in_flight.clear()
        self._queue.clear()

    # ------------------------------------------------------------ the link's events

    def _make(self) -> Client:
        where = self._link.endpoint
        client = Client(CallbackAPIVersion.VERSION2, client_id=where.client_id, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        session.SessionExpiryInterval = _SESSION_S
        client.connect_timeout = where.timeout_s
        # The window is kept here: paho's own would look through all that is in flight at each PUBACK.
        client.max_inflight_messages = 0
        if self._will is not None:
            client.will_set(*self._will, qos=1)
        client.on_publish = self._on_publish
        client.connect_async(where.host, where.port, where.keepalive_s, clean_start=MQTT_CLEAN_START_FIRST_ONLY, properties=session)
        return client

    def _connack(self, connack: Connack) -> None:
        """Paho is about to resend what was in flight, in order, with its mids; not where the server now takes fewer at once."""
        self._limit = min(self._window, getattr(connack.properties, "ReceiveMaximum", 65_535))
        self._largest = getattr(connack.properties, "MaximumPacketSize", None)
        if len(self._in_flight) > self._limit:
            self._link.client.drop_out_messages()
            self._queue.extendleft(reversed(self._in_flight.values()))
            self._in_flight.clear()

    def _send(self) -> bool:
        """Hand paho what the window allows. Always true: a publisher reads on."""
        if not self._link.connected:
            return True
        while self._queue and len(self._in_flight) < self._limit:
            waiting = self._queue.popleft()
            if waiting.done.done():  # its caller was cancelled
                continue
            if self._largest is not None and len(waiting.topic.encode()) + len(waiting.payload) + _HEADER_BYTES > self._largest:
                self._answer(waiting, Delivery.REFUSED)  # sent, it would cost the connection, and again at each resend
                continue
            try:
                info = self._link.client.publish(waiting.topic, waiting.payload, qos=1)
                while info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # this mid is still in flight from 65,535 messages ago
                    info = self._link.client.publish(waiting.topic, waiting.payload, qos=1)
            except ValueError as error:
                waiting.done.set_exception(error)
                continue
            self._in_flight[info.mid] = waiting
            self.counters["sent"] += 1
            self._link.flush_soon()
        return True

    def _answer(self, waiting: _Waiting, delivery: Delivery) -> None:
        if not waiting.done.done():
            waiting.done.set_result(delivery)
        self.counters[_COUNTED[delivery]] += 1

    def _on_publish(self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        self._link.events += 1
        waiting = self._in_flight.pop(mid, None)
        if waiting is None:
            return
        if reason.value == _NO_SUBSCRIBERS:
            self._answer(waiting, Delivery.NO_SUBSCRIBERS)
        else:
            self._answer(waiting, Delivery.REFUSED if reason.is_failure else Delivery.ACKNOWLEDGED)


_COUNTED = {Delivery.ACKNOWLEDGED: "acknowledged", Delivery.NO_SUBSCRIBERS: "no_subscribers", Delivery.REFUSED: "refused"}


async def _ready(connack: Connack) -> None:
    """A publisher has nothing to finish after the CONNACK."""


def _wait() -> None:
    """What was in flight stays with us until the next connection."""
