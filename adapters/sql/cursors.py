"""How far watchers have read: a name and a number."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from adapters.sql import tables as t
from adapters.sql.engine import incoming, insert_into, upsert


def load(c: Connection, name: str) -> int:
    """0 where it was never saved."""
    return int(c.execute(select(t.cursor.c.value).where(t.cursor.c.name == name)).scalar_one_or_none() or 0)


def save(c: Connection, name: str, value: int) -> None:
    """Write it over."""
    upsert(c, t.cursor, [{"name": name, "value": int(value)}], key=["name"], update={"value": incoming(t.cursor).value})


def move(c: Connection, name: str, was: int, value: int) -> bool:
    """From `was` (0: it was never saved) to `value`; False where it stands elsewhere. Of two at once the later one sees what the first one did."""
    row = t.cursor.c
    if c.execute(update(t.cursor).where(row.name == name, row.value == was).values(value=int(value)).returning(row.name)).all():
        return True
    if was:
        return False
    first = insert_into(c.dialect.name, t.cursor).on_conflict_do_nothing(index_elements=[row.name]).returning(row.name)
    return bool(c.execute(first.values(name=name, value=int(value))).all())
