"""The version of the database: an empty one is made, an older one is named, one process at a time."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import URL

from adapters.sql.engine import make_engine, parse_url, plain_errors, reading, shown, writing
from core.errors import FormatError, RefusedError, UnavailableError

if TYPE_CHECKING:  # a fifth of a command's start, and only a migration needs it: the version is read without
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x63616E68  # "canh": any number, the same in every process
_LOCK_SECONDS = 60.0


def prepare(url: str, *, wait: float = 0.0) -> None:
    """What every service does first: make the tables of an empty database, refuse one of another version.

    `wait`: for how many seconds a server that is away is tried again. Blocks. Raises FormatError (older: names
    `canhman migrate`; newer: names both versions), ConfigError, RefusedError, UnavailableError.
    """
    engine = make_engine(parse_url(url))
    try:
        _reach(engine, wait)
        with _locked(engine), writing(engine) as connection:
            if _revision(connection, engine.url) is None:
                _upgrade(connection)
            else:
                _check(connection, engine.url)
    finally:
        engine.dispose()


def migrate(url: str, *, wait: float = 0.0) -> tuple[str | None, str]:
    """`canhman migrate`: bring the database to this version in one transaction; (revision before, revision now). Blocks."""
    engine = make_engine(parse_url(url))
    try:
        _reach(engine, wait)
        with _locked(engine), writing(engine) as connection:
            before = _revision(connection, engine.url)
            _known(before, engine.url)
            if before != head():
                _upgrade(connection)
            return before, head()
    finally:
        engine.dispose()


def check(engine: Engine) -> None:
    """Refuse a database that is not of this version. Raises FormatError."""
    with reading(engine) as connection:
        _check(connection, engine.url)


def head() -> str:
    """The revision this version of the program works with."""
    found = max(_revisions(), default=None)
    if found is None:
        raise FormatError(f"no migrations in {_MIGRATIONS}: the installation is incomplete")
    return found


def _revisions() -> set[str]:
    """Of all migrations, which follow each other by their numbers: a file's name begins with its revision."""
    return {path.stem.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection  # never the URL: it may hold a password, and % is special in it
    command.upgrade(config, "head")


def _revision(connection: Connection, url: URL) -> str | None:
    look = inspect(connection)
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() if look.has_table("alembic_version") else None
    if found is None and (tables := look.get_table_names()):
        raise FormatError(f"database {shown(url)} holds tables of something else ({', '.join(sorted(tables)[:3])}): expected none, or ours")
    return None if found is None else str(found)


def _known(revision: str | None, url: URL) -> None:
    if revision is not None and revision not in _revisions():
        raise FormatError(f"database {shown(url)} is of version {revision}, this program works with {head()}: install the newer program")


def _check(connection: Connection, url: URL) -> None:
    revision = _revision(connection, url)
    _known(revision, url)
    if revision is None:
        raise FormatError(f"database {shown(url)} is empty, expected version {head()}: run canhman migrate")
    if revision != head():
        raise FormatError(f"database {shown(url)} is of version {revision}, expected {head()}: run canhman migrate")


def _reach(engine: Engine, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            with reading(engine) as connection:
                connection.execute(text("SELECT 1"))
            return
        except UnavailableError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(0.5, left))


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    """One process at a time makes or changes tables: a lock file beside the SQLite file, an advisory lock in PostgreSQL."""
    if engine.dialect.name == "sqlite":
        with _file_locked(Path(f"{engine.url.database}.migrate.lock")):
            # kept in the file; here, because two processes that set it at once do not wait for each other
            with plain_errors(engine.url):
                raw = engine.raw_connection()
                try:
                    raw.cursor().execute("PRAGMA journal_mode = WAL")
                finally:
                    raw.close()
            yield
    else:
        with plain_errors(engine.url), engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:n)"), {"n": _ADVISORY_LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:n)"), {"n": _ADVISORY_LOCK})


@contextmanager
def _file_locked(path: Path) -> Iterator[None]:
    try:
        file = path.open("w")
    except OSError as error:
        raise RefusedError(f"{path} cannot be written ({error.strerror}): check who owns the folder of the database") from error
    with file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise UnavailableError(f"another process has held {path} for {_LOCK_SECONDS:g} s: is a migration running?") from error
                time.sleep(0.05)
        yield  # closing the file gives the lock back, a kill too
