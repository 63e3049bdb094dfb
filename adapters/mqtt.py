"""Messages from a broker: a subscriber on paho-mqtt that acknowledges only what it is told to.

It speaks MQTT 3.1.1: on MQTT 5 paho builds a table of properties for each message, which costs more than all the rest.
Over 3.1.1 the broker's `max_inflight_messages` is the largest batch (`registry.broker_files.configuration` sets it).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Unpack

import structlog
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt_codec import V311, MqttError, Publish, StreamDecoder
from adapters.mqtt_endpoint import Endpoint, Login
from adapters.mqtt_filters import other_forms, shared_form
from adapters.mqtt_inbox import Inbox
from adapters.mqtt_loop import Connack, Hooks, Link
from core.clock import Clock, SystemClock
from core.errors import RefusedError, UnavailableError
from core.message import Message
from registry.permissions import BROKER_STATE, FILTERS

log = structlog.get_logger(__name__)

_UNREADABLE_TOPIC = "\ufffd"


class PahoSource:
    """A persistent session at a broker, known by its client id; see `core.ports.MessageSource`.

    `share` divides the data filters among all workers of that name. A message is counted in `counters` when it is read
    (`received`, `duplicates`) and acknowledged (`acknowledged`, or `stale` where its connection is gone). `broker_dropped` is
    what the broker says it acknowledged to publishers and then dropped.
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
        linger_s: float = 0.01,
        max_batch: int = 5000,
        **login: Unpack[Login],
    ) -> None:
        endpoint = Endpoint(host=host, port=port, client_id=client_id, **login)
        self._clock: Clock = clock or SystemClock()
        self._share = share
        self._want(filters)
        self._inbox = Inbox(linger_s=linger_s, max_batch=max_batch)
        self.counters = self._inbox.counters
        self._read: list[Message] = []  # in this turn of the loop
        self._duplicates = 0  # of them
        self._arrivals = 0
        self._answers: dict[int, asyncio.Future[list[ReasonCode]]] = {}  # mid of a SUBSCRIBE or UNSUBSCRIBE
        self._opened = self._clean = False
        self._renewing: asyncio.Task[None] | None = None  # held, so that it is not collected
        self.found_session = False  # whether the broker still had our session when `open` connected
        self._link = Link(
            endpoint, Hooks(make=self._make, connack=_ignore, up=self._up, read=self._after_read, lost=self._lost, left=self._left), reads=max_batch
        )

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._link.connected

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return self._link.connections

    async def open(self) -> None:
        """Connect and subscribe. Raises UnavailableError, RefusedError (log-in or a subscription) or ConfigError (CA file)."""
        self._opened = False
        await self._link.open()
        self._opened = True

    async def batch(self) -> list[Message]:
        """What came within `linger_s` of the first message, at most `max_batch`; waits while there is nothing or no broker."""
        taken = await self._inbox.batch()
        self._link.resume()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK in order of arrival; skips what came over an earlier connection, at QoS 0, or is acknowledged already."""
        packet_ids = self._inbox.settle(messages)
        for mid in packet_ids:
            self._link.client.ack(mid, 1)
        if packet_ids:
            self._link.flush()

    async def change(self, filters: Sequence[str]) -> None:
        """Hold subscriptions to these instead, from now on. Raises UnavailableError (then ask again) or RefusedError."""
        self._want(filters)
        if self.connected:
            await self._hold()
        elif self._opened:
            raise UnavailableError(f"{self._link.endpoint} is away")

    def _want(self, filters: Sequence[str]) -> None:
        self._wanted = tuple(shared_form(f, self._share) for f in filters)
        self._unwanted = other_forms({*filters, *FILTERS}, self._share, self._wanted)

    async def close(self) -> None:
        """Disconnect; the session with its subscriptions stays at the broker and collects."""
        await self._link.close()

    async def forget(self) -> None:
        """End the session at the broker, with all that waits in it. For a source that is not open. Raises as `open`."""
        self._clean = True
        try:
            await self._link.open()
            await self._link.close()
        finally:
            self._clean = False

    # ------------------------------------------------------------ the link's events

    def _make(self) -> Client:
        where = self._link.endpoint
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=where.client_id,
            clean_session=self._clean,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = where.timeout_s
        client.connect_async(where.host, where.port, where.keepalive_s)
        client.on_message = self._on_message
        client.on_subscribe = self._on_answer
        client.on_unsubscribe = self._on_answer
        return client

    async def _up(self, connack: Connack) -> None:
        """Subscribe over every connection: the filters may have changed since, and a broker that was killed may have kept our session without them."""
        if self._clean:
            return
        if not self._opened:
            self.found_session = connack.session_present
        if connack.session_present and self._opened:
            # The answers come behind all that waits there, which is read as fast as it is stored: nobody waits for them.
            self._renewing = asyncio.get_running_loop().create_task(self._renew(), name=f"{self._link.endpoint} subscriptions")
        else:
            await self._hold()

    async def _renew(self) -> None:
        try:
            await self._hold()
        except RefusedError as error:
            log.error("mqtt subscription refused", client=self._link.endpoint.client_id, error=str(error))
            self._link.lose("a subscription is refused")
        except UnavailableError:
            pass  # the line is lost, and the next one subscribes

    async def _hold(self) -> None:
        client = self._link.client
        asked = [(f, self._ask(*client.subscribe(f, 1))) for f in self._wanted]
        client.subscribe(BROKER_STATE, 0)  # where a broker does not tell, or not us, nothing comes
        # Afterwards, so that there is no moment without a subscription: a few messages twice, but none lost.
        gone = self._ask(*client.unsubscribe(list(self._unwanted)))
        self._link.flush()
        for topic_filter, answer in asked:
            if any(code.is_failure for code in await answer):
                where = self._link.endpoint
                raise RefusedError(f"{where} refuses {where.who} the subscription to {topic_filter}")
        await gone

    def _ask(self, code: MQTTErrorCode, mid: int | None) -> asyncio.Future[list[ReasonCode]]:
        answer: asyncio.Future[list[ReasonCode]] = asyncio.get_running_loop().create_future()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise UnavailableError(f"{self._link.endpoint} is gone again")
        self._answers[mid] = answer
        return answer

    def _after_read(self) -> bool:
        """Wake `batch`; read on while what waits stays within a few batches.

        While `open` waits nobody takes a batch, and the answer to its SUBSCRIBE comes behind all that the session kept in
        flight: read on to it. That is bounded by the 65,535 packet identifiers of MQTT 3.1.1, for nothing is acknowledged.
        """
        if self._read:
            self._inbox.put(self._read, duplicates=self._duplicates)
            self._read, self._duplicates = [], 0
        return not self._opened or not self._inbox.enough

    def _left(self, data: bytes) -> None:
        """Messages that had reached us when the line broke: a broker that died may have forgotten them."""
        decoder = StreamDecoder(version=V311)
        decoder.feed(data)
        with contextlib.suppress(MqttError):  # what comes before the fault is taken
            for packet in decoder:
                if isinstance(packet, Publish) and packet.topic != BROKER_STATE:
                    self._arrivals += 1
                    self._read.append(
                        Message(
                            topic=packet.topic,
                            payload=packet.payload,
                            received=self._clock.now_ms(),
                            qos=packet.qos,
                            retain=packet.retain,
                            dup=packet.dup,
                            token=self._arrivals << 16 | (packet.packet_id or 0) if packet.qos else 0,
                        )
                    )
                    self._duplicates += packet.dup

    def _lost(self) -> None:
        """What was read stays to be delivered; its acknowledgements no longer mean anything to the broker."""
        self._after_read()  # what paho gave us before it lost the line
        self._inbox.lost()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(UnavailableError(f"{self._link.endpoint} closed the connection"))
                answer.exception()  # seen: of several answers only the first is awaited
        self._answers.clear()

    # ------------------------------------------------------------ paho's callbacks

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        self._link.events += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no broker lets this through; it is journalled and refused as outside the contract
            topic = _UNREADABLE_TOPIC
        if topic == BROKER_STATE:
            self.counters["broker_dropped"] = int(message.payload) if message.payload.isdigit() else 0
            return
        self._arrivals += 1
        self._read.append(
            Message(
                topic=topic,
                payload=bytes(message.payload),
                received=self._clock.now_ms(),
                qos=message.qos,
                retain=message.retain,
                dup=message.dup,
                token=self._arrivals << 16 | message.mid if message.qos else 0,
            )
        )
        self._duplicates += message.dup

    def _on_answer(self, client: Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        self._link.events += 1
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)


def _ignore(connack: Connack) -> None:
    """Nothing to do at once: subscribing waits for answers and is `_up`'s."""
