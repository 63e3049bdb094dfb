"""A broker within the process, for tests: one persistent subscriber (the message source) and any number of publishers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from core.clock import Clock, SystemClock
from core.errors import UnavailableError
from core.message import Message
from core.ports import Delivery
from registry.permissions import FILTERS

Allowed = Callable[[str, str], bool]  # (source, topic) → whether it may be published


class MemoryBroker:
    """The source and its session; messages wait here until they are acknowledged. See `core.ports.MessageSource`."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        filters: Sequence[str] = FILTERS,
        allowed: Allowed | None = None,
        linger_s: float = 0.0,
        max_batch: int = 5000,
    ) -> None:
        self._clock: Clock = clock or SystemClock()
        self._filters = tuple(filters)
        self._allowed = allowed
        self._linger_s = linger_s
        self._max_batch = max_batch
        self._subscribed = self._connected = False
        self._tokens = 0
        self._kept: dict[int, Message] = {}  # token → message without acknowledgement, in order of publishing
        self._arrived: deque[Message] = deque()
        self._some = asyncio.Event()

    async def open(self) -> None:
        """Subscribe, and get what an earlier connection left without an acknowledgement."""
        self._subscribed = self._connected = True
        self.reconnect()

    async def batch(self) -> list[Message]:
        """What is there; waits for the first message and lingers."""
        await self._some.wait()
        if self._linger_s and len(self._arrived) < self._max_batch:
            await asyncio.sleep(self._linger_s)
        taken = [self._arrived.popleft() for _ in range(min(len(self._arrived), self._max_batch))]
        if not self._arrived:
            self._some.clear()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Forget these; those of an earlier connection have come again under another token and stay."""
        for message in messages:
            self._kept.pop(message.token, None)

    async def close(self) -> None:
        """Leave; the session stays subscribed and collects until `open`."""
        self._connected = False
        self._arrived.clear()
        self._some.clear()

    def reconnect(self) -> None:
        """Lose the connection and get a new one: what was not acknowledged comes again, in order, after what was read already."""
        again = list(self._kept.values())
        self._kept.clear()
        for message in again:
            self._deliver(message)

    def publisher(self, source: str = "") -> MemoryPublisher:
        """A client of this broker that publishes as `source` (`device:ID`, `org:SLUG`, or empty)."""
        return MemoryPublisher(self, source)

    def take(self, topic: str, payload: bytes, source: str) -> Delivery:
        """A PUBLISH at QoS 1, and its acknowledgement."""
        if self._allowed is not None and not self._allowed(source, topic):
            return Delivery.REFUSED
        if not self._subscribed or not any(matches(f, topic) for f in self._filters):
            return Delivery.NO_SUBSCRIBERS
        self._deliver(Message(topic=topic, payload=payload, received=self._clock.now_ms(), source=source))
        return Delivery.ACKNOWLEDGED

    def _deliver(self, message: Message) -> None:
        """Keep it under a new token, as a duplicate-to-be where it goes out now."""
        self._tokens += 1
        numbered = message._replace(token=self._tokens)
        self._kept[self._tokens] = numbered._replace(dup=True) if self._connected else numbered
        if self._connected:
            self._arrived.append(numbered)
            self._some.set()


class MemoryPublisher:
    """A publisher whose messages arrive at once. See `core.ports.Publisher`."""

    def __init__(self, broker: MemoryBroker, source: str) -> None:
        self._broker = broker
        self._source = source
        self._open = False

    async def open(self) -> None:
        """Connect."""
        self._open = True

    async def publish(self, topic: str, payload: bytes) -> Delivery:
        """Publish. Raises UnavailableError where it is not open, ValueError for a topic with wildcards."""
        if not self._open:
            raise UnavailableError("memory broker: this publisher is not open")
        if not topic or "+" in topic or "#" in topic:
            raise ValueError(f"topic {topic!r}: empty or with wildcards")
        return self._broker.take(topic, payload, self._source)

    async def close(self) -> None:
        """Disconnect."""
        self._open = False


def matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT filter takes a topic (4.7: `+` one level, `#` the rest and its parent)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(levels) or level not in ("+", levels[i]):
            return False
    return len(levels) == len(wanted)
