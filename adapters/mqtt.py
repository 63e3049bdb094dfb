"""Messages from a broker: a subscriber on paho-mqtt that acknowledges only what it is told to.

It speaks MQTT 3.1.1: on MQTT 5 paho builds a table of properties for each message, which costs more than all the rest.
Over 3.1.1 the broker's `max_inflight_messages` is the largest batch (`registry.broker_files.configuration` sets it).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Unpack, cast

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt_codec import V311, MqttError, Publish, StreamDecoder
from adapters.mqtt_endpoint import Endpoint, Login
from adapters.mqtt_held import Wire
from adapters.mqtt_inbox import Inbox
from adapters.mqtt_loop import Connack, Hooks, Link
from adapters.mqtt_source import BrokerSource
from core.clock import Clock, SystemClock
from core.errors import UnavailableError
from core.message import Message
from registry.permissions import BROKER_STATE, ECHO_PREFIXES, FILTERS

_UNREADABLE_TOPIC = "\ufffd"


class PahoSource(BrokerSource):
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
        self._read: list[Message] = []  # in this turn of the loop
        self._duplicates = 0  # of them
        self._arrivals = 0
        link = self._link = Link(
            endpoint, Hooks(make=self._make, connack=_ignore, up=self._up, read=self._after_read, lost=self._lost, left=self._left), reads=max_batch
        )
        wire = Wire(subscribe=self._ask, unsubscribe=self._give_up, publish=self._say, flush=link.flush, lose=link.lose, heard_at=lambda: link.heard_at)
        super().__init__(endpoint, keeper=link.keeper, inbox=Inbox(linger_s=linger_s, max_batch=max_batch), wire=wire, filters=filters, share=share)

    async def close(self) -> None:
        """Disconnect; the session with its subscriptions stays at the broker and collects."""
        await self._link.close()

    async def _start(self) -> None:
        await self._link.open()

    def _read_on(self) -> None:
        self._link.resume()

    def _confirm(self, packet_ids: Sequence[int]) -> None:
        for mid in packet_ids:
            self._link.client.ack(mid, 1)
        self._link.flush()

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
        await self._stands(session=connack.session_present)

    # ------------------------------------------------------------ the wire of `Held` and `Echo`

    def _ask(self, topic_filter: str, qos: int, again: bool) -> int:
        """`again` has no form in MQTT 3.1.1: retained messages come once more."""
        return self._sent(*self._link.client.subscribe(topic_filter, qos))

    def _give_up(self, filters: Sequence[str]) -> int:
        return self._sent(*self._link.client.unsubscribe(list(filters)))

    def _say(self, topic: str, payload: bytes, qos: int) -> None:
        self._link.client.publish(topic, payload, qos)

    def _sent(self, code: MQTTErrorCode, mid: int | None) -> int:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise UnavailableError(f"{self._link.endpoint} is gone again")
        return mid

    def _after_read(self) -> bool:
        """Wake `batch`; read on while what waits stays within a few batches.

        While `open` waits nobody takes a batch, and the answer to its SUBSCRIBE comes behind all that the session kept in
        flight: read on to it. That is bounded by the 65,535 packet identifiers of MQTT 3.1.1, for nothing is acknowledged.
        """
        self._take()
        if self._inbox.aside:
            self.acknowledge(())
        return not self._opened or not self._inbox.enough

    def _take(self) -> None:
        if self._read:
            self._inbox.put(self._read, duplicates=self._duplicates)
            self._read, self._duplicates = [], 0

    def _left(self, data: bytes) -> None:
        """Messages that had reached us when the line broke: a broker that died may have forgotten them."""
        decoder = StreamDecoder(version=V311)
        decoder.feed(data)
        with contextlib.suppress(MqttError):  # what comes before the fault is taken
            for packet in decoder:
                if isinstance(packet, Publish) and packet.topic != BROKER_STATE and not packet.topic.startswith(ECHO_PREFIXES):
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
        self._take()  # what paho gave us before it lost the line
        cast("dict[int, Any]", self._link.client._out_messages).clear()  # of a word to ourselves: paho would say it again, also to a broker that hung up at it
        self._gone(self._link.keeper.reason)

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
        token = self._arrivals << 16 | message.mid if message.qos else 0
        if topic.startswith(ECHO_PREFIXES):
            self._heard(topic, bytes(message.payload), token)
            return
        self._read.append(
            Message(
                topic=topic,
                payload=bytes(message.payload),
                received=self._clock.now_ms(),
                qos=message.qos,
                retain=message.retain,
                dup=message.dup,
                token=token,
            )
        )
        self._duplicates += message.dup

    def _on_answer(self, client: Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        self._link.events += 1
        self._held.answered(mid, [code.value for code in codes])


def _ignore(connack: Connack) -> None:
    """Nothing to do at once: subscribing waits for answers and is `_up`'s."""
