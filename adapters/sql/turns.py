"""Judge and `redecode` take turns at the store: while one writes flags the other rewrites nothing, and the other way round.

Each step is one transaction that holds the row of the number `rewriting`, so that of two who begin at once one is first.
What one of them holds ends after a minute by itself: a process may die. Who takes the turn to rewrite takes away what is left
of the turns of flags, so that whoever still believes to have one finds it gone. One process may have several, by name.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from adapters.sql import leases, serials
from adapters.sql import tables as t

TURN_MS = 60_000
_REWRITING = "rewriting"
_FLAGS = "flags:"


def begin_flags(c: Connection, who: str, rewriting: int, turn: str, *, at: int) -> bool:
    """Whether flags of rows that were read at this number may be written now, by `who`."""
    if serials.take(c, "rewriting", 0) != rewriting or _is_held(c, _REWRITING, at):
        return False
    return leases.take(c, _name(who, turn), who, TURN_MS, at=at)


def keep_flags(c: Connection, who: str, turn: str, *, at: int) -> bool:
    """A minute more of it; False where somebody took the turn to rewrite since it was begun."""
    serials.take(c, "rewriting", 0)
    if c.execute(select(t.lease.c.name).where(t.lease.c.name == _name(who, turn))).first() is None:
        return False
    return leases.take(c, _name(who, turn), who, TURN_MS, at=at)


def end_flags(c: Connection, who: str, turn: str) -> bool:
    """They are written; False where somebody took the turn to rewrite meanwhile."""
    return leases.release(c, _name(who, turn), who)


def begin_rewriting(c: Connection, who: str, *, at: int) -> bool:
    """Take the turn and announce it; False while somebody writes flags or rewrites. Who only waits announces nothing: it would refuse what others read."""
    serials.take(c, "rewriting", 0)
    if _is_held(c, _FLAGS, at) or not leases.take(c, _REWRITING, who, TURN_MS, at=at):
        return False
    c.execute(delete(t.lease).where(t.lease.c.name.startswith(_FLAGS, autoescape=True)))  # of processes that died, or took too long
    serials.take(c, "rewriting", 1)
    return True


def end_rewriting(c: Connection, who: str) -> None:
    """What was announced is written."""
    leases.release(c, _REWRITING, who)


def _name(who: str, turn: str) -> str:
    return f"{_FLAGS}{who}:{turn}"


def _is_held(c: Connection, begin: str, at: int) -> bool:
    """Whether a name that begins so is held; not one that ends later than anyone could have asked for, by a clock that was set back since."""
    now, until = leases.now_of(c, at), t.lease.c.expires_at
    names = select(t.lease.c.name).where(t.lease.c.name.startswith(begin, autoescape=True), until > now, until <= now + 2 * TURN_MS)
    return c.execute(names.limit(1)).first() is not None
