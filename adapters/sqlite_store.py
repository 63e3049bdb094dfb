"""The series store of one machine: a SQLite file in WAL mode, one row per reading, keyed by (day, series, time).

The day comes first so that live rows of all series land on the same few pages: with (series, time) a store of 20 M rows
took 12,200 messages/s instead of 32,900. A read therefore asks for the days that exist (a skip scan) and seeks its series
in each: a year of one series among 200 (35,040 of 7 M rows) came in 42 ms, 2 of them the seeks, whether the range was
closed or open; the oldest row of each of the 200 in 5 ms.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from adapters.private import make_private
from adapters.rows import survivors
from core.alert import Alert
from core.batch import Batch
from core.board import Shown, TakenBack
from core.errors import FormatError, UnavailableError
from core.forecast import Forecast
from core.place import Station
from core.ports import RefusedRow
from core.series import SeriesKey

DAY_MS = 86_400_000
FORMAT = 1
APPLICATION_ID = 0x434D5353  # "CMSS"
BUSY_MS = 5_000
JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024  # the WAL grew to 162 MB under load without it
# A batch of 1,000 devices changes some 5,000 pages, mostly those of the batch before it: with the usual 1,000 pages each
# of them was copied into the file at every commit.
CHECKPOINT_PAGES = 8_000
CACHE_KIB = 16_000  # the pages that live rows land on; the usual 2 MB read them anew for every batch

_SCHEMA = (
    """CREATE TABLE series(
        id INTEGER PRIMARY KEY, org TEXT NOT NULL, station TEXT NOT NULL, point TEXT NOT NULL, sensor TEXT NOT NULL,
        quantity TEXT NOT NULL, UNIQUE(org, station, point, sensor, quantity))""",
    """CREATE TABLE reading(
        day INTEGER NOT NULL, series INTEGER NOT NULL, time INTEGER NOT NULL, value REAL NOT NULL, flag INTEGER NOT NULL,
        tests INTEGER NOT NULL, received INTEGER NOT NULL, PRIMARY KEY(day, series, time)) WITHOUT ROWID""",
    "CREATE TABLE cursor(journal TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)
_COLUMNS = 7
_TOGETHER = 32  # rows in one statement: a step of the driver costs as much as half a row


def _upsert(rows: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * rows)
    return f"""INSERT INTO reading(day, series, time, value, flag, tests, received) VALUES {values}
        ON CONFLICT(day, series, time) DO UPDATE SET value = excluded.value, flag = excluded.flag, tests = excluded.tests, received = excluded.received"""  # noqa: S608  question marks


_UPSERT, _UPSERT_TOGETHER = _upsert(1), _upsert(_TOGETHER)
_MOVE = "INSERT INTO cursor(journal, position) VALUES(?, ?) ON CONFLICT(journal) DO UPDATE SET position = excluded.position"
_FIND = "SELECT id FROM series WHERE org = ? AND station = ? AND point = ? AND sensor = ? AND quantity = ?"
_ADD = "INSERT INTO series(org, station, point, sensor, quantity) VALUES(?, ?, ?, ?, ?)"
_FLAGS = "UPDATE reading SET flag = ?, tests = ? WHERE day = ? AND series = ? AND time = ?"
# A skip scan: one seek per day that holds any row, whatever the range asked for.
_DAYS = """WITH RECURSIVE days(day) AS (
        SELECT min(day) FROM reading WHERE day >= :first AND day <= :last
        UNION ALL SELECT (SELECT min(day) FROM reading WHERE day > days.day AND day <= :last) FROM days WHERE days.day IS NOT NULL)
    SELECT day FROM days WHERE day IS NOT NULL"""
_ROWS = """SELECT time, value, flag, tests, received FROM reading
    WHERE day = ? AND series = ? AND time >= ? AND time < ? ORDER BY time LIMIT ?"""

_Row = tuple[int, float, int, int, int]


class SqliteStore:
    """One file, one connection; its calls take turns, whichever threads they come from, and other processes are beside it (`canhman judge`).

    `synchronous="NORMAL"` loses the commits since the last `flush` when the power goes, and then the cursor with them: enough
    where the journal stands before it. The calls block, up to the 5 s another process may hold the file.
    """

    name = "sqlite"
    durable_after = 0.0

    def __init__(self, path: Path, *, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> None:
        self.path = path
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None
        # At first too: a process that was killed before us may have left commits in the WAL that are on no disk yet.
        self._unflushed = synchronous == "NORMAL"
        # SQLite takes a connection that is closed under a running statement with the whole process: a call that was cancelled
        # goes on in its thread, and `close` waits for it.
        self._turn = threading.RLock()
        self._ids: dict[SeriesKey, int] = {}  # committed ones only: a rollback takes new numbers back

    async def open(self) -> None:
        """Open the file; an absent or empty one is made. Raises UnavailableError or FormatError."""
        try:
            with self._speaking():
                if self._connection is not None:
                    return
                self.path.parent.mkdir(parents=True, exist_ok=True)
                make_private(self.path)
                self._connection = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
                self._prepare(self._connection)
        except BaseException:
            await self.close()
            raise

    async def create(self) -> None:
        """The same as `open`: a file needs nobody's permission to be made."""
        await self.open()

    async def ping(self) -> None:
        """Take and release the write lock. Raises UnavailableError where a write would fail now."""
        with self._transaction("IMMEDIATE"):
            pass

    async def write(self, batch: Batch, keys: Sequence[SeriesKey], cursor: int | None = None, *, journal: str = "") -> list[RefusedRow]:
        """See the port. NaN and the infinities are refused; every other row and the cursor are one transaction."""
        rows, refused = survivors(batch)
        kept = batch.take(rows)
        day = kept.time // DAY_MS
        order = np.lexsort((kept.time, kept.series, day))
        kept, day = kept.take(order), day[order]
        with self._transaction("IMMEDIATE") as db:
            ids, new = self._numbers(db, kept, keys, add=True)
            columns = (kept.time.tolist(), kept.value.tolist(), kept.flag.tolist(), kept.tests.tolist(), kept.received.tolist())
            cells = list(chain.from_iterable(zip(day.tolist(), ids, *columns, strict=True)))
            step, rest = _COLUMNS * _TOGETHER, len(cells) % (_COLUMNS * _TOGETHER)
            db.executemany(_UPSERT_TOGETHER, [cells[i : i + step] for i in range(0, len(cells) - rest, step)])
            db.executemany(_UPSERT, [cells[i : i + _COLUMNS] for i in range(len(cells) - rest, len(cells), _COLUMNS)])
            if cursor is not None:
                db.execute(_MOVE, (journal, cursor))
        self._ids.update(new)
        return refused

    async def write_flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        """See the port; rows that do not exist are passed over."""
        with self._transaction("IMMEDIATE") as db:
            ids, new = self._numbers(db, batch, keys, add=False)
            day = (batch.time // DAY_MS).tolist()
            db.executemany(_FLAGS, zip(batch.flag.tolist(), batch.tests.tolist(), day, ids, batch.time.tolist(), strict=True))
        self._ids.update(new)

    async def flush(self) -> None:
        """Sync the WAL, where commits do not. What is not in it any more was synced as it was copied into the file.

        It is opened for itself: SQLite's locks are on the file and on its index, so closing this one lets go of none.
        """
        with self._speaking():
            if not self._unflushed:
                return
            with suppress(FileNotFoundError):  # nothing was written since the file was closed
                descriptor = os.open(f"{self.path}-wal", os.O_RDWR)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            self._unflushed = False

    async def mistrust(self) -> None:
        """Nothing to do: nothing is remembered here."""

    async def cursor(self, journal: str) -> int:
        """How far `journal` is stored; 0 where nothing is."""
        with self._speaking():
            row = self._db.execute("SELECT position FROM cursor WHERE journal = ?", (journal,)).fetchone()
        return int(row[0]) if row else 0

    async def read(self, keys: Sequence[SeriesKey], start: int, end: int, *, limit: int | None = None) -> Batch:
        """See the port."""
        rows: list[_Row] = []
        counts: list[int] = []
        with self._transaction("DEFERRED") as db:  # all keys as of one moment
            days = [int(d) for (d,) in db.execute(_DAYS, {"first": start // DAY_MS, "last": (end - 1) // DAY_MS})]
            for key in keys:
                series = self._ids.get(key) or self._find(db, key)
                found = _rows(db, series, days, start, end, limit) if series else []
                rows += found
                counts.append(len(found))
        if not rows:
            return Batch.empty()
        time, value, flag, tests, received = zip(*rows, strict=True)
        return Batch.of(np.repeat(np.arange(len(keys), dtype=np.int32), counts), time, value, flag=flag, tests=tests, received=received)

    async def series(self, *, station: str | None = None) -> list[SeriesKey]:
        """See the port. A series has a row from its first reading on, and keeps it."""
        with self._speaking():
            found = self._db.execute("SELECT org, station, point, sensor, quantity FROM series WHERE station = ?1 OR ?1 IS NULL", (station,)).fetchall()
        return sorted(SeriesKey(*row) for row in found)

    async def mirror_forecasts(self, rows: Sequence[Forecast | TakenBack]) -> list[RefusedRow]:
        """Takes nothing: no Grafana reads this file."""
        return []

    async def mirror_alerts(self, alerts: Sequence[Alert]) -> list[RefusedRow]:
        """Takes nothing: no Grafana reads this file."""
        return []

    async def mirror_stations(self, stations: Sequence[Station], waterways: Mapping[str, str], at: int) -> int:
        """Takes nothing: no Grafana reads this file."""
        return 0

    async def mirror_latest(self, rows: Sequence[Shown]) -> list[RefusedRow]:
        """Takes nothing: no Grafana reads this file."""
        return []

    async def mirrored_latest(self, since: int) -> list[Shown]:
        """Nothing is."""
        return []

    async def close(self) -> None:
        """Close the file; the last one to do so folds the WAL in."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._ids.clear()

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError(f"SQLite store {self.path} is not open")
        return self._connection

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        _check_format(db, self.path)  # before anything is changed in a file that may be somebody else's
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {self._synchronous}")
        db.execute(f"PRAGMA journal_size_limit = {JOURNAL_SIZE_LIMIT}")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        with self._transaction("IMMEDIATE"):
            if _check_format(db, self.path) == 0:  # asked again under the lock: another process may have been faster
                for statement in _SCHEMA:
                    db.execute(statement)

    def _numbers(self, db: sqlite3.Connection, batch: Batch, keys: Sequence[SeriesKey], *, add: bool) -> tuple[list[int], dict[SeriesKey, int]]:
        """The number of each row's series (0: unknown and not added), and those this object did not know before."""
        used, inverse = np.unique(batch.series, return_inverse=True)
        new: dict[SeriesKey, int] = {}
        numbers = np.zeros(len(used), dtype=np.int64)
        for i, index in enumerate(used.tolist()):
            key = keys[index]
            number = self._ids.get(key) or new.get(key)
            if not number:
                number = self._find(db, key) or (int(db.execute(_ADD, key).lastrowid or 0) if add else 0)
                if number:
                    new[key] = number
            numbers[i] = number
        return numbers[inverse].tolist(), new

    def _find(self, db: sqlite3.Connection, key: SeriesKey) -> int:
        row = db.execute(_FIND, key).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"]) -> Iterator[sqlite3.Connection]:
        with self._speaking():
            db = self._db
            db.execute(f"BEGIN {kind}")
            try:
                yield db
                self._unflushed |= kind == "IMMEDIATE" and self._synchronous == "NORMAL"
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has rolled back by itself on some errors (full disk, I/O)
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                raise

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """In turn with other threads; SQLite's errors (locked, full, read-only, gone) become ours, with the file's name."""
        try:
            with self._turn:
                yield
        except UnavailableError:  # an OSError too, and already ours
            raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise FormatError(f"{self.path} is not a SQLite database; move it away or set CANHMAN_STORE to another file") from error
            raise UnavailableError(f"SQLite store {self.path}: {error}") from error
        except OSError as error:
            raise UnavailableError(f"SQLite store {self.path}: {error.strerror or error}") from error


def _check_format(db: sqlite3.Connection, path: Path) -> int:
    """The file's format number; 0 for an empty file. Raises FormatError for any other than ours."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    tables = int(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if version == 0 and application == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise FormatError(f"{path} is a SQLite file of another program (application id {application:#x}, expected {APPLICATION_ID:#x})")
    if version != FORMAT:
        raise FormatError(f"{path} has series format {version}, expected {FORMAT}; use the version of canhman that wrote it, or export and import")
    return version


def _rows(db: sqlite3.Connection, series: int, days: list[int], start: int, end: int, limit: int | None) -> list[_Row]:
    rows: list[_Row] = []
    for day in days:
        left = -1 if limit is None else limit - len(rows)
        if limit is not None and left <= 0:
            break
        rows += db.execute(_ROWS, (day, series, start, end, left)).fetchall()
    return rows
