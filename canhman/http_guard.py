"""Connections of strangers: how many at once, and how long one may keep us waiting. One guard counts for all servers of a process.

A connection that has begun to ask and does not go on costs a file descriptor, and the MQTT listener of the same process
needs those too. At the cap the one that has kept us waiting longest makes way, so that a thousand of them shut nobody out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

Wait = Literal["head", "body", "unread", "end"]
CAP = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`connections` at once; how long [s] for a whole request head, for its whole body, and for an answer to be read on."""

    connections: int
    head_s: float = 15.0
    body_s: float = 30.0
    unread_s: float = 60.0

    def of(self, wait: Wait) -> float:
        """How long a connection may keep us waiting so."""
        return {"head": self.head_s, "body": self.body_s, "unread": self.unread_s, "end": self.body_s}[wait]


def cap(descriptors: int) -> int:
    """How many connections a process with so many file descriptors takes: half, the rest is for MQTT, journal and stores."""
    return max(1, min(CAP, descriptors // 2))


class Guard:
    """The connections open now. Belongs to one event loop."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open: set[Guarded] = set()
        self._waiting: dict[Guarded, None] = {}  # the longest first

    @property
    def protocol(self) -> type[Guarded]:
        """uvicorn's protocol class whose connections this guard counts."""
        return type("GuardedHere", (Guarded,), {"guard": self})

    def admit(self, connection: Guarded) -> bool:
        """Whether there is room; else the one that has kept us waiting longest makes way, and where none does there is none."""
        if len(self.open) >= self.limits.connections:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            longest.drop()
        self.open.add(connection)
        return True

    def waits(self, connection: Guarded, *, waits: bool) -> None:
        """From now on it keeps us waiting, or no more."""
        self._waiting.pop(connection, None)
        if waits:
            self._waiting[connection] = None

    def gone(self, connection: Guarded) -> None:
        """It is closed."""
        self.open.discard(connection)
        self._waiting.pop(connection, None)


class Guarded(H11Protocol):
    """uvicorn's connection with a deadline for what we wait for: a byte now and then does not put it off."""

    guard: Guard

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._wait: tuple[Wait | None, object] = (None, None)  # for what, and of which request
        self._deadline: asyncio.TimerHandle | None = None
        self._clogged = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take it, or close it at once where there is no room."""
        if self.guard.admit(self):
            super().connection_made(transport)
            self._look()
        else:
            self.transport = transport
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Over."""
        self.guard.gone(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        super().data_received(data)
        self._look()

    def eof_received(self) -> None:
        """The other side says no more; the transport closes itself after this."""
        super().eof_received()
        self.loop.call_soon(self._look)

    def on_response_complete(self) -> None:
        """An answer is given."""
        super().on_response_complete()
        self._look()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more was asked."""
        super().timeout_keep_alive_handler()
        self._look()

    def shutdown(self) -> None:
        """The server stops."""
        super().shutdown()
        self._look()

    def pause_writing(self) -> None:
        """The answer is not read as fast as we write it."""
        super().pause_writing()
        self._clogged = True
        self._look()

    def resume_writing(self) -> None:
        """It is read on."""
        super().resume_writing()
        self._clogged = False
        self._look()

    def drop(self) -> None:
        """Close it now, whatever is under way: its descriptor is free in the loop's next turn."""
        self.guard.gone(self)
        self.transport.abort()

    def _awaited(self) -> Wait | None:
        if self.transport.is_closing():
            return "end"
        if self._clogged:
            return "unread"
        if self.conn.their_state is h11.IDLE:
            return "head"
        return "body" if self.conn.their_state is h11.SEND_BODY else None

    def _look(self) -> None:
        """Set the deadline anew where we wait for something else than before."""
        if self not in self.guard.open:
            return
        wait = self._awaited()
        if (wait, self.cycle) == self._wait:
            return
        self._wait = (wait, self.cycle)
        self.guard.waits(self, waits=wait is not None)
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if wait is None else self.loop.call_later(self.guard.limits.of(wait), self.drop)
