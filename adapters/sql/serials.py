"""Numbers that rise, taken from one row inside the transaction: they become visible in the order they were given."""

from __future__ import annotations

from sqlalchemy import Connection, update

from adapters.sql import tables as t


def take(c: Connection, name: str, n: int) -> int:
    """Take the next `n` numbers of `name`; returns the last of them.

    The row stays locked until the transaction ends, so whoever takes the next numbers commits later. (A PostgreSQL
    sequence would not wait: a watcher could see 7 before 6 and never ask for 6 again.)
    """
    row = t.serial.c
    return int(c.execute(update(t.serial).where(row.name == name).values(value=row.value + n).returning(row.value)).scalar_one())
