"""One statement for tens of thousands of rows given as tuples.

SQLAlchemy prepares every row for the driver by name, which costs more than SQLite's own work on it. Where the values are
numbers and texts nothing has to be prepared: the statement is compiled once, and the driver takes the tuples as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect

Values = Sequence[tuple[Any, ...]]
_Arrange = Callable[[Values], list[Any]]


class Many:
    """`make(dialect name)` is the statement, with a bound value for each of `names`, which say what stands where in a tuple."""

    def __init__(self, names: Sequence[str], make: Callable[[str], Any], *, columns: bool = False) -> None:
        """`columns`: the names are those of the table's columns, as in INSERT; else of bindparams, of which some may not be used."""
        self._names = tuple(names)
        self._make = make
        self._columns = list(names) if columns else None
        self._ready: dict[str, tuple[Any, _Arrange]] = {}

    def run(self, c: Connection, rows: Values) -> None:
        """Execute it for each of `rows`."""
        if not rows:
            return
        if c.dialect.name not in self._ready:
            self._ready[c.dialect.name] = self._prepare(c.dialect)
        statement, arrange = self._ready[c.dialect.name]
        if isinstance(statement, str):
            c.exec_driver_sql(statement, arrange(rows))
        else:
            c.execute(statement, arrange(rows))

    def _prepare(self, dialect: Dialect) -> tuple[Any, _Arrange]:
        statement = self._make(dialect.name)
        compiled = statement.compile(dialect=dialect, column_keys=self._columns)
        if dialect.name == "sqlite":
            order = [self._names.index(name) for name in compiled.positiontup]
            return str(compiled), list if order == list(range(len(self._names))) else partial(_picked, itemgetter(*order))
        used = [name for name in self._names if name in compiled.params]
        return statement, partial(_named, used, itemgetter(*(self._names.index(name) for name in used)))


def _picked(pick: Callable[[Any], Any], rows: Values) -> list[Any]:
    return list(map(pick, rows))


def _named(names: Sequence[str], pick: Callable[[Any], Any], rows: Values) -> list[Any]:
    return [dict(zip(names, pick(row), strict=True)) for row in rows]
