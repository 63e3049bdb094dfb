"""MQTT sessions of the listener's clients: that one exists, and its subscriptions. There is no message in them.

Why at all: a client that is told "no session" must throw away what it has in flight (MQTT-3.2.2-5 of MQTT 5), and some
do. So a client that keeps its session finds it again after a lost connection, and with a `Book` after a restart of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

Key = tuple[str, str]  # principal, client id

FOREVER = float("inf")
_LONGEST = 0xFFFFFFFF  # as a session expiry interval: for ever


@dataclass(slots=True, kw_only=True)
class Session:
    """What outlives a connection, for `expiry_s` after its end; `until` is 0 while the client is here."""

    expiry_s: float
    subscriptions: set[str] = field(default_factory=set)
    until: float = 0.0


class Book(Protocol):
    """Where sessions are written down. `until` is on the listener's clock; `note` may be late, `keep` is on its way when it returns."""

    def keep(self, key: Key, session: Session) -> None:
        """A session that is new, or lasts otherwise: on its way to the disk before its client hears of it."""
        ...

    def note(self, key: Key, session: Session | None) -> None:
        """It has changed, or its client is away now; None: it has ended."""
        ...


class Sessions:
    """The sessions of clients that are away, at most `limit`: then who has been away longest is forgotten."""

    def __init__(self, limit: int, book: Book | None = None) -> None:
        self._limit = limit
        self._book = book
        self._away: dict[Key, Session] = {}

    def restore(self, book: Book, sessions: dict[Key, Session]) -> None:
        """Go on with what was written down, and write down in `book` what becomes of it."""
        self._away = dict(sorted(sessions.items(), key=lambda item: item[1].until)[-self._limit :])
        self._book = book

    def begin(self, key: Key, *, clean: bool, expiry_s: float, now: float) -> tuple[Session, bool]:
        """The session of a client that connects, and whether it was there before."""
        old = self._away.pop(key, None)
        present = old is not None and not clean and old.until > now
        session = old if old is not None and present else Session(expiry_s=expiry_s)
        changed = not present or session.expiry_s != expiry_s
        session.expiry_s, session.until = expiry_s, 0.0
        if self._book:
            if expiry_s > 0 and changed:
                self._book.keep(key, session)
            else:
                self._book.note(key, session if expiry_s > 0 else None)
        return session, present

    def subscribed(self, key: Key, session: Session) -> None:
        """The subscriptions of a client that is here have changed."""
        if self._book and session.expiry_s > 0:
            self._book.note(key, session)

    def leave(self, key: Key, session: Session, *, now: float) -> None:
        """The client's connection has ended."""
        if session.expiry_s <= 0:
            if self._book:
                self._book.note(key, None)
            return
        session.until = now + session.expiry_s
        self._away[key] = session
        if self._book:
            self._book.note(key, session)
        if len(self._away) > self._limit:
            forgotten = next(iter(self._away))
            del self._away[forgotten]
            if self._book:
                self._book.note(forgotten, None)


def expiry_seconds(interval: int | None) -> float:
    """The session expiry interval of MQTT 5 in seconds."""
    return FOREVER if interval == _LONGEST else float(interval or 0)
