"""Messages from a broker: a subscriber on paho-mqtt that acknowledges only what it is told to.

It speaks MQTT 3.1.1: on MQTT 5 paho builds a table of properties for each message, which costs more than all the rest.
Over 3.1.1 the broker's `max_inflight_messages` is the largest batch (`registry.broker_files.configuration` sets it).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from adapters.mqtt_endpoint import Endpoint
from adapters.mqtt_loop import Connack, Hooks, Link
from core.clock import Clock, SystemClock
from core.errors import RefusedError, UnavailableError
from core.message import Message
from registry.permissions import BROKER_STATE, FILTERS

DEFAULT_SHARE = "ingest"
# Mosquitto's default number of messages in flight over 3.1.1: with as many unacknowledged nothing more may be coming, and
# a linger that goes on only lets the broker's queue grow to where it drops (1000 messages by default)
_LIKELY_WINDOW = 20
_IDLE_S = 0.001
_UNSHARED = ("/status", "/command/ack")  # one process takes these; their order over all devices matters
_UNREADABLE_TOPIC = "\ufffd"

COUNTERS = {
    "received": "messages read",
    "duplicates": "messages read that the broker marks as sent before",
    "acknowledged": "messages acknowledged",
    "stale": "messages stored whose connection was gone before they could be acknowledged: the broker sends them again",
    "broker_dropped": "messages the broker says it acknowledged to publishers and then dropped",
}


def shared_form(topic_filter: str, share: str | None) -> str:
    """`$share/NAME/…` where `share` is given and this filter's messages may be divided among workers."""
    return topic_filter if share is None or topic_filter.endswith(_UNSHARED) else f"$share/{share}/{topic_filter}"


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
        username: str = "",
        password: str = "",
        clock: Clock | None = None,
        filters: Sequence[str] = FILTERS,
        share: str | None = None,
        tls: bool = False,
        tls_ca: str | None = None,
        keepalive_s: int = 30,
        timeout_s: float = 5.0,
        linger_s: float = 0.01,
        max_batch: int = 5000,
    ) -> None:
        endpoint = Endpoint(
            host=host,
            port=port,
            client_id=client_id,
            username=username,
            password=password,
            tls=tls,
            tls_ca=tls_ca,
            keepalive_s=keepalive_s,
            timeout_s=timeout_s,
        )
        self._clock: Clock = clock or SystemClock()
        self._wanted = tuple(shared_form(f, share) for f in filters)
        self._unwanted = _other_forms({*filters, *FILTERS}, share, self._wanted)
        self._linger_s = linger_s
        self._max_batch = max_batch
        self.counters = dict.fromkeys(COUNTERS, 0)
        self._arrived: deque[Message] = deque()
        self._first_at = 0.0  # when the oldest waiting message came [loop time]
        self._some, self._full = asyncio.Event(), asyncio.Event()
        self._arrivals = 0
        self._unacknowledged: dict[int, int] = {}  # mid → token, of this connection
        self._answers: dict[int, asyncio.Future[list[ReasonCode]]] = {}  # mid of a SUBSCRIBE or UNSUBSCRIBE
        self._opened = False
        self.found_session = False  # whether the broker still had our session when `open` connected
        self._link = Link(endpoint, Hooks(make=self._make, connack=_ignore, up=self._up, read=self._after_read, lost=self._lost), reads=max_batch)

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
        await self._some.wait()
        await self._linger()
        taken = [self._arrived.popleft() for _ in range(min(len(self._arrived), self._max_batch))]
        self._signal()
        self._link.resume()
        return taken

    async def _linger(self) -> None:
        """Wait for more until `linger_s` after the first, a full batch, or a stream that stops where a window may be full."""
        loop = asyncio.get_running_loop()
        end = self._first_at + self._linger_s
        while not self._full.is_set() and (rest := end - loop.time()) > 0:
            before = self._arrivals
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rest, _IDLE_S)):
                    await self._full.wait()
            if self._arrivals == before and len(self._unacknowledged) >= _LIKELY_WINDOW:
                return

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK in order of arrival; skips what came over an earlier connection, at QoS 0, or is acknowledged already."""
        tokens = [m.token for m in messages if m.qos]
        for token in sorted(tokens):  # sorted is free where they are in order, as they mostly are
            mid = token & 0xFFFF
            if self._unacknowledged.get(mid) == token:
                del self._unacknowledged[mid]
                self._link.client.ack(mid, 1)
                self.counters["acknowledged"] += 1
            else:
                self.counters["stale"] += 1
        if tokens:
            self._link.flush()

    async def close(self) -> None:
        """Disconnect; the session with its subscriptions stays at the broker and collects."""
        await self._link.close()

    # ------------------------------------------------------------ the link's events

    def _make(self) -> Client:
        where = self._link.endpoint
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=where.client_id,
            clean_session=False,
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
        """Subscribe where the broker does not know us any more, and always at `open`: the filters may have changed."""
        if connack.session_present and self._opened:
            return
        if not self._opened:
            self.found_session = connack.session_present
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
        self._signal()
        return not self._opened or len(self._arrived) < 4 * self._max_batch

    def _lost(self) -> None:
        """What was read stays to be delivered; its acknowledgements no longer mean anything to the broker."""
        self._unacknowledged.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(UnavailableError(f"{self._link.endpoint} closed the connection"))
                answer.exception()  # seen: of several answers only the first is awaited
        self._answers.clear()

    def _signal(self) -> None:
        for event, state in ((self._some, bool(self._arrived)), (self._full, len(self._arrived) >= self._max_batch)):
            if state:
                event.set()
            else:
                event.clear()

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
        token = self._arrivals << 16 | message.mid
        if message.qos:
            self._unacknowledged[message.mid] = token
        if not self._arrived:
            self._first_at = asyncio.get_running_loop().time()
        self._arrived.append(
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
        self.counters["received"] += 1
        self.counters["duplicates"] += message.dup

    def _on_answer(self, client: Client, userdata: Any, mid: int, codes: list[ReasonCode], properties: Any) -> None:
        self._link.events += 1
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)


async def create_session(
    host: str,
    port: int,
    *,
    client_id: str,
    username: str = "",
    password: str = "",
    filters: Sequence[str] = FILTERS,
    share: str | None = None,
    tls: bool = False,
    tls_ca: str | None = None,
) -> bool:
    """Make ingest's session with its subscriptions and leave: a publish before the first subscription is acknowledged and gone.

    Whether the broker had it already. Raises as `PahoSource.open`.
    """
    source = PahoSource(host, port, client_id=client_id, username=username, password=password, filters=filters, share=share, tls=tls, tls_ca=tls_ca)
    await source.open()
    await source.close()
    return source.found_session


def _other_forms(filters: Iterable[str], share: str | None, wanted: Sequence[str]) -> tuple[str, ...]:
    """Subscriptions an older configuration may have left in the session: with one of them everything would come twice."""
    forms = {shared_form(f, s) for f in filters for s in (None, DEFAULT_SHARE, share)}
    return tuple(sorted(forms - set(wanted)))


def _ignore(connack: Connack) -> None:
    """Nothing to do at once: subscribing waits for answers and is `_up`'s."""
