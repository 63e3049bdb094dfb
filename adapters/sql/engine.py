"""Connections: one kind of transaction to read, one to write, and every error of the driver as one readable line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from adapters.private import make_private
from core.errors import CanhManError, ConfigError, ConflictError, FormatError, RefusedError, UnavailableError

BUSY_SECONDS = 10.0
_WRITE = "canhman_write"
_SETTING = "CANHMAN_DATABASE"

_OURS = (DataError, ProgrammingError, NotSupportedError)

T = TypeVar("T")
Row = Mapping[str, Any]


def parse_url(text: str) -> URL:
    """`sqlite:///path` or `postgresql+psycopg://user:password@host/database`. Raises ConfigError."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigError(f"{_SETTING} cannot be read: write sqlite:///path or postgresql+psycopg://user@host/database") from error
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ConfigError(f"{_SETTING} {shown(url)} names no file: write sqlite:///path, without options")
        if not Path(url.database).absolute().parent.is_dir():
            raise ConfigError(f"{_SETTING} {shown(url)}: the folder {Path(url.database).absolute().parent} does not exist: create it")
        if Path(url.database).is_dir():
            raise ConfigError(f"{_SETTING} {shown(url)} is a folder: name a file in it")
    elif url.drivername != "postgresql+psycopg":
        raise ConfigError(f"{_SETTING} {shown(url)}: only sqlite:///path and postgresql+psycopg://… are supported")
    return url


def shown(url: URL) -> str:
    """The URL without its password, for messages."""
    return url.render_as_string(hide_password=True)


def make_engine(url: URL) -> Engine:
    """An engine whose connections wait for other writers and check foreign keys. Opens nothing yet."""
    try:
        if url.drivername == "sqlite":
            engine = create_engine(url, json_serializer=_json, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})
        else:
            engine = create_engine(url, json_serializer=_json, pool_pre_ping=True, connect_args={"connect_timeout": int(BUSY_SECONDS)})
    except ModuleNotFoundError as error:
        raise ConfigError(f"{_SETTING} {shown(url)} needs the Python package {error.name}: install it beside canhman") from error
    if url.drivername == "sqlite":
        event.listen(engine, "do_connect", _on_do_connect)
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # forecasts are mostly commas


def _on_do_connect(_dialect: object, _record: object, arguments: list[Any], _options: object) -> None:
    make_private(Path(arguments[0]))  # password hashes


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    # FULL: an audit row or an approval is never lost to a power cut; ingest commits once a second at most
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "journal_size_limit = 16777216"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    # a deferred transaction that reads and then writes fails at once where another one wrote in between; IMMEDIATE waits its turn
    write = connection.get_execution_options().get(_WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database from its first read to its end."""
    options: dict[str, Any] = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with plain_errors(engine.url), engine.execution_options(**options).begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: all of it or nothing; on SQLite it is the only one meanwhile."""
    with plain_errors(engine.url), engine.execution_options(**{_WRITE: True}).begin() as connection:
        yield connection


def upsert(connection: Connection, table: Table, rows: Sequence[Row], *, key: Sequence[str], update: Mapping[str, Any] | None = None) -> None:
    """INSERT … ON CONFLICT (key): do nothing, or set `update` (column → expression over `excluded(table)`, see `incoming`)."""
    if not rows:
        return
    insert = insert_into(connection.dialect.name, table)
    columns = [table.c[name] for name in key]
    if update is None:
        connection.execute(insert.on_conflict_do_nothing(index_elements=columns), list(rows))
    else:
        connection.execute(insert.on_conflict_do_update(index_elements=columns, set_=dict(update)), list(rows))


def insert_into(dialect: str, table: Table) -> Any:
    """INSERT with ON CONFLICT, which each database has in a form of its own."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def incoming(table: Table) -> Any:
    """The row that met a conflict: its columns, as `excluded.…`, the same on both databases."""
    return sqlite.insert(table).excluded


def others(table: Table, key: Iterable[str]) -> dict[str, Column[Any]]:
    """`update` of `upsert` for "the last one wins": every column but `key` as it comes in."""
    excluded = incoming(table)
    return {c.name: excluded[c.name] for c in table.columns if c.name not in set(key)}


def in_chunks(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Lists of at most `size`, for `IN (…)`: databases bound the number of variables."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


@contextmanager
def plain_errors(url: URL) -> Iterator[None]:
    """Errors of the driver as UnavailableError, RefusedError, ConfigError, FormatError or ConflictError, in one line.

    What no waiting, setting or other value cures (a number out of range, wrong SQL) is a fault of ours and stays as it is.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError(f"database {shown(url)}: all connections are in use") from error
    except DBAPIError as error:
        plain = _plain(error, url)
        if plain is None:
            raise
        raise plain from error


def _plain(error: DBAPIError, url: URL) -> CanhManError | None:
    where, words = f"database {shown(url)}", " ".join(str(error.orig).split())
    if isinstance(error, IntegrityError):
        return ConflictError(f"{where}: {words}")
    if url.drivername != "sqlite":
        return _plain_postgresql(error, where, words)
    name = getattr(error.orig, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return UnavailableError(f"{where} is locked by another process (waited {BUSY_SECONDS:g} s)")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return RefusedError(f"{where} cannot be written ({words}): check who owns the file and its folder")
    if name.startswith("SQLITE_CANTOPEN"):
        return ConfigError(f"{where} cannot be opened ({words}): check the path, and who may read and write it")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return FormatError(f"{where} is not a sound SQLite database ({words}): check {_SETTING}, or restore a backup")
    return None if isinstance(error, _OURS) else UnavailableError(f"{where}: {words}")


def _plain_postgresql(error: DBAPIError, where: str, words: str) -> CanhManError | None:
    state = getattr(error.orig, "sqlstate", None) or ""
    # a refused connection carries no SQLSTATE in psycopg, only the server's words
    refused = ("authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied", "no password supplied")
    if state.startswith(("28", "3D", "42501")) or (not state and any(r in words for r in refused)):
        return RefusedError(f"{where} refuses us ({words}): check {_SETTING}")
    return None if isinstance(error, _OURS) else UnavailableError(f"{where}: {words}")
