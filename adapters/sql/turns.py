"""Judge and `redecode` take turns at the store: while one writes flags the other rewrites nothing, and the other way round.

Each step is one transaction that holds the row of the number `rewriting`, so that of two who begin at once one is first.
What one of them holds ends after a minute by itself: a process may die.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from adapters.sql import leases, serials
from adapters.sql import tables as t

TURN_MS = 60_000
_REWRITING = "rewriting"
_FLAGS = "flags:"


def begin_flags(c: Connection, who: str, rewriting: int, *, at: int) -> bool:
    """Whether flags of rows that were read at this number may be written now, by `who`."""
    if serials.take(c, "rewriting", 0) != rewriting or _is_held(c, _REWRITING, at):
        return False
    return leases.take(c, _FLAGS + who, who, TURN_MS, at=at)


def end_flags(c: Connection, who: str) -> None:
    """They are written."""
    leases.release(c, _FLAGS + who, who)


def begin_rewriting(c: Connection, who: str, *, at: int) -> bool:
    """Announce it, and take the turn; False while somebody writes flags or rewrites."""
    serials.take(c, "rewriting", 1)
    if _is_held(c, _FLAGS, at):
        return False
    c.execute(delete(t.lease).where(t.lease.c.name.startswith(_FLAGS, autoescape=True)))  # of processes that died
    return leases.take(c, _REWRITING, who, TURN_MS, at=at)


def end_rewriting(c: Connection, who: str) -> None:
    """What was announced is written."""
    leases.release(c, _REWRITING, who)


def _is_held(c: Connection, begin: str, at: int) -> bool:
    """Whether a name that begins so is held; not one that ends later than anyone could have asked for, by a clock that was set back since."""
    now, until = leases.now_of(c, at), t.lease.c.expires_at
    names = select(t.lease.c.name).where(t.lease.c.name.startswith(begin, autoescape=True), until > now, until <= now + 2 * TURN_MS)
    return c.execute(names.limit(1)).first() is not None
