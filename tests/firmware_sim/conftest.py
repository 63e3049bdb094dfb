"""A broker in memory that can be away, give a message to nobody or refuse it, and a clock that jumps to the next thing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from core.errors import UnavailableError
from core.ports import Delivery

Answer = Callable[[str, bytes, int], "Delivery | Exception"]


@dataclass
class Broker:
    """What arrived [(topic, payload)] in order; `answer(topic, payload, attempt)` decides about each publish."""

    answer: Answer = lambda topic, payload, attempt: Delivery.ACKNOWLEDGED
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    attempts: list[tuple[str, bytes]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    opened: int = 0
    closed: int = 0
    refuse_opens: int = 0

    def publisher(self) -> Publisher:
        """A new connection."""
        return Publisher(self)


@dataclass
class Publisher:
    """One connection to the broker in memory."""

    broker: Broker

    async def open(self) -> None:
        if self.broker.refuse_opens:
            self.broker.refuse_opens -= 1
            raise UnavailableError("away")
        self.broker.opened += 1

    async def close(self) -> None:
        self.broker.closed += 1

    async def publish(self, topic: str, payload: bytes) -> Delivery:
        broker = self.broker
        broker.attempts.append((topic, payload))
        broker.in_flight += 1
        broker.most_in_flight = max(broker.most_in_flight, broker.in_flight)
        attempt = len(broker.attempts)
        await asyncio.sleep(0)
        broker.in_flight -= 1
        answer = broker.answer(topic, payload, attempt)
        if isinstance(answer, Exception):
            raise answer
        if answer is Delivery.ACKNOWLEDGED:
            broker.taken.append((topic, payload))
        return answer


@dataclass
class LeapClock:
    """A clock whose waiting takes no time: asked how long something lasts, it is already there."""

    ms: int

    def now_ms(self) -> int:
        return self.ms

    def real_seconds(self, sim_seconds: float) -> float:
        self.ms += max(0, -(-int(sim_seconds * 1000) // 1))
        return 0.0


@pytest.fixture
def broker() -> Broker:
    """A broker in memory."""
    return Broker()


@pytest.fixture
def leap_clock() -> type[LeapClock]:
    """The class of clocks that jump."""
    return LeapClock
