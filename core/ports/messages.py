"""Messages in and out: a broker's, or our own listener's."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from core.message import Message


class MessageSource(Protocol):
    """Where messages come from: a broker we subscribe to, or our own listener."""

    async def open(self) -> None:
        """Connect or listen. Raises UnavailableError (away) or RefusedError (wrong password)."""
        ...

    async def batch(self) -> list[Message]:
        """Wait for at least one message, linger some ms, return what came, in order of arrival.

        Survives a lost connection (it reconnects by itself). Cancelling it loses nothing.
        """
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK these, in order; what came over a connection that is gone is skipped (it will come again)."""
        ...

    async def close(self) -> None:
        """Disconnect cleanly; what was not acknowledged stays with its sender."""
        ...


class Delivery(Enum):
    """What became of a publish."""

    ACKNOWLEDGED = "acknowledged"
    NO_SUBSCRIBERS = "no matching subscribers"  # MQTT 5 reason 0x10: acknowledged by a broker that gave it to nobody
    REFUSED = "not authorized"


class Publisher(Protocol):
    """An MQTT client that publishes at QoS 1 and keeps each message until its PUBACK, over reconnects too."""

    async def open(self) -> None:
        """Connect. Raises UnavailableError or RefusedError."""
        ...

    async def publish(self, topic: str, payload: bytes) -> Delivery:
        """Publish and wait for the PUBACK. Many may wait at once; they are sent in the order of the calls."""
        ...

    async def close(self) -> None:
        """Disconnect; the publishes still waiting end with UnavailableError."""
        ...
