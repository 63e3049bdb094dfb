"""How far watchers have read: a name and a number."""

from __future__ import annotations

from sqlalchemy import Connection, select

from adapters.sql import tables as t
from adapters.sql.engine import incoming, upsert


def load(c: Connection, name: str) -> int:
    """0 where it was never saved."""
    return int(c.execute(select(t.cursor.c.value).where(t.cursor.c.name == name)).scalar_one_or_none() or 0)


def save(c: Connection, name: str, value: int) -> None:
    """Write it over."""
    upsert(c, t.cursor, [{"name": name, "value": int(value)}], key=["name"], update={"value": incoming(t.cursor).value})
