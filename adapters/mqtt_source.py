"""A session of ours at a broker, whichever client speaks for it: its subscriptions, its words to itself and what is wrong with them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

from adapters.mqtt_echo import Echo
from adapters.mqtt_endpoint import Endpoint
from adapters.mqtt_held import Held, Wire
from adapters.mqtt_inbox import Inbox
from adapters.mqtt_keeper import Keeper
from core.errors import UnavailableError
from core.message import Message


class BrokerSource(ABC):
    """What both clients of a broker are; see `core.ports.MessageSource`. A session is persistent, and known by its client id.

    A message is counted in `counters` (`mqtt_inbox.COUNTERS`) when it is read and when it is acknowledged.
    """

    def __init__(self, endpoint: Endpoint, *, keeper: Keeper, inbox: Inbox, wire: Wire, filters: Sequence[str], share: str | None) -> None:
        self.counters = inbox.counters
        self.found_session = False  # whether the broker still had our session when `open` connected
        self._endpoint = endpoint
        self._keeper = keeper
        self._inbox = inbox
        self._held = Held(endpoint, wire, filters, share=share)
        self.echo = Echo(endpoint.client_id, self._held, wire)
        self._opened = self._clean = False

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._keeper.connected

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return self._keeper.connections

    @property
    def sessions_lost(self) -> int:
        """How often the broker had forgotten our session when we came back, and with it what devices sent meanwhile."""
        return self._held.sessions_lost

    @property
    def trouble(self) -> str:
        """Why what devices send may not reach us, in words; empty where nothing is known to be wrong."""
        return self._keeper.trouble or self._held.trouble or self.echo.trouble

    async def open(self) -> None:
        """Connect and subscribe. Raises UnavailableError, RefusedError (log-in or a subscription) or ConfigError (CA file)."""
        self._opened = False
        await self._start()
        self._opened = True

    async def batch(self) -> list[Message]:
        """What came within `linger_s` of the first message, at most `max_batch`; waits while there is nothing or no broker."""
        taken = await self._inbox.batch()
        self._read_on()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """PUBACK in order of arrival; skips what came over an earlier connection, at QoS 0, or is acknowledged already."""
        if packet_ids := self._inbox.settle(messages):
            self._confirm(packet_ids)

    async def change(self, filters: Sequence[str]) -> None:
        """Hold subscriptions to these instead, from now on. Raises UnavailableError (then ask again) or RefusedError."""
        self._held.want(filters)
        if self.connected:
            await self._held.hold(again=True)
        elif self._opened:
            raise UnavailableError(f"{self._endpoint} is away")

    def forgotten(self) -> None:
        """Whoever knows that there was a session here says that `open` found none: it is counted and told as one that went while we run."""
        self._held.forgotten()

    def probe(self) -> None:
        """Say a word to ourselves where it is time (`mqtt_echo`); not while nothing is read."""
        if self.connected and not self._inbox.enough:
            self.echo.speak(asyncio.get_running_loop().time(), self._inbox.settled)

    @abstractmethod
    async def close(self) -> None:
        """Disconnect; the session with its subscriptions stays at the broker and collects."""

    async def forget(self) -> None:
        """End the session at the broker, with all that waits in it. For a source that is not open. Raises as `open`."""
        self._clean = True
        try:
            await self._start()
            await self.close()
        finally:
            self._clean = False

    # ------------------------------------------------------------ what a client does in its own way

    @abstractmethod
    async def _start(self) -> None:
        """Connect, and keep connected. Raises as `open`."""

    @abstractmethod
    def _read_on(self) -> None:
        """Read, where it was left off because enough waited."""

    @abstractmethod
    def _confirm(self, packet_ids: Sequence[int]) -> None:
        """Send a PUBACK for each, at once."""

    # ------------------------------------------------------------ what a client tells of its connections

    def _heard(self, topic: str, payload: bytes, token: int) -> None:
        """A word of an ingest to itself came, with a token where it must be acknowledged (else 0); it is no message."""
        self.echo.heard(topic, payload, asyncio.get_running_loop().time())
        if token:
            self._inbox.put_aside(token)

    async def _stands(self, *, session: bool) -> None:
        """Subscribe over every connection: the filters may have changed since, and a broker that was killed may have kept our session without them."""
        if self._clean:
            return
        self.echo.connected()
        if self._opened:
            self._held.renew(session=session)
        else:
            self.found_session = session
            await self._held.hold()

    def _gone(self, reason: str) -> None:
        """What was read stays to be delivered; its acknowledgements no longer mean anything to the broker."""
        self._inbox.lost()
        self._held.lost(reason)
        self.echo.lost(asyncio.get_running_loop().time())
