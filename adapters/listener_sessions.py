"""MQTT sessions of the listener's clients: that one exists, and its subscriptions. There is no message in them.

Why at all: a client that is told "no session" must throw away what it has in flight (MQTT-3.2.2-5 of MQTT 5), and some
do. So a client that keeps its session finds it again after a lost connection. A restart of ours forgets them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Key = tuple[str, str]  # principal, client id

FOREVER = float("inf")
_LONGEST = 0xFFFFFFFF  # as a session expiry interval: for ever


@dataclass(slots=True, kw_only=True)
class Session:
    """What outlives a connection, for `expiry_s` after its end; `until` counts while the client is away."""

    expiry_s: float
    subscriptions: set[str] = field(default_factory=set)
    until: float = 0.0


class Sessions:
    """The sessions of clients that are away, at most `limit`: then who has been away longest is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._away: dict[Key, Session] = {}

    def begin(self, key: Key, *, clean: bool, expiry_s: float, now: float) -> tuple[Session, bool]:
        """The session of a client that connects, and whether it was there before."""
        old = self._away.pop(key, None)
        if old and not clean and old.until > now:
            old.expiry_s = expiry_s
            return old, True
        return Session(expiry_s=expiry_s), False

    def leave(self, key: Key, session: Session, *, now: float) -> None:
        """The client's connection has ended."""
        if session.expiry_s <= 0:
            return
        session.until = now + session.expiry_s
        self._away[key] = session
        if len(self._away) > self._limit:
            del self._away[next(iter(self._away))]


def expiry_seconds(interval: int | None) -> float:
    """The session expiry interval of MQTT 5 in seconds."""
    return FOREVER if interval == _LONGEST else float(interval or 0)
