"""Leases: of all who share a database at most one holds a name, until the time it asked for is over."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, literal_column, or_, select

from adapters.sql import tables as t
from adapters.sql.engine import incoming, insert_into

_T = t.lease
_POSTGRES_NOW: ColumnElement[int] = literal_column("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")


def take(c: Connection, name: str, holder: str, ttl_ms: int, *, at: int) -> bool:
    """Take or renew: True where `holder` has it for `ttl_ms` from now on. One statement, so that of two who ask at once one gets it.

    Now is the clock of the database's server, where it has one, else `at`: the clocks of two machines differ. A lease that
    ends later than anyone could have asked for was taken by a clock that has been set back since, and binds nobody.
    """
    now = now_of(c, at)
    new = incoming(_T)
    free = or_(_T.c.holder == new.holder, _T.c.expires_at <= now, _T.c.expires_at > now + 2 * ttl_ms)
    insert = insert_into(c.dialect.name, _T).values(name=name, holder=holder, expires_at=now + int(ttl_ms))
    statement = insert.on_conflict_do_update(index_elements=[_T.c.name], set_={"holder": new.holder, "expires_at": new.expires_at}, where=free)
    return c.execute(statement.returning(_T.c.name)).one_or_none() is not None


def release(c: Connection, name: str, holder: str) -> bool:
    """Give it up; whether it was still `holder`'s (or ended, and nobody has taken it since)."""
    return c.execute(delete(_T).where(_T.c.name == name, _T.c.holder == holder)).rowcount > 0


def holder(c: Connection, name: str, *, at: int) -> str:
    """Who holds it now; empty where nobody does."""
    return str(c.execute(select(_T.c.holder).where(_T.c.name == name, _T.c.expires_at > now_of(c, at))).scalar_one_or_none() or "")


def now_of(c: Connection, at: int) -> int:
    """The clock of the database's server, where it has one, else `at`."""
    return int(at) if c.dialect.name == "sqlite" else int(c.execute(select(_POSTGRES_NOW)).scalar_one())
