"""What is SQLite's own: the file's format, another process on it, and a disk that takes nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from adapters import sqlite_store
from adapters.sqlite_store import FORMAT, SqliteStore
from core.batch import Batch
from core.errors import FormatError, UnavailableError
from core.series import SeriesKey

T = 1_772_323_800_000
DAY = 86_400_000
EC = SeriesKey("default", "kl-01", "main", "kl01", "water.ec")


def _open(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    asyncio.run(store.open())
    return store


def _write(store: SqliteStore, value: float = 1.0, cursor: int | None = None) -> None:
    asyncio.run(store.write(Batch.of([0], [T], [value]), [EC], cursor, journal="j"))


def test_another_format_is_refused_with_both_numbers(tmp_path: Path) -> None:
    """A newer file is named with its version and ours, and stays as it is."""
    path = tmp_path / "series.db"
    asyncio.run(_open(path).close())
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(FormatError, match=rf"series\.db has series format 7, expected {FORMAT}"):
        _open(path)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """Another program's database, and a file that is none, are refused and not touched."""
    other, text = tmp_path / "other.db", tmp_path / "notes.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine(a)")
    db.close()
    text.write_text("not a database " * 100)
    for path in (other, text):
        before = path.read_bytes()
        with pytest.raises(FormatError, match=path.name):
            _open(path)
        assert path.read_bytes() == before


def test_an_empty_file_is_made_ready_and_opening_again_changes_nothing(tmp_path: Path) -> None:
    """open() makes the folder and the file; WAL, the application id and the format number are set."""
    path = tmp_path / "new" / "series.db"
    store = _open(path)
    _write(store, cursor=3)
    asyncio.run(store.close())
    store = _open(path)
    assert asyncio.run(store.cursor("j")) == 3
    asyncio.run(store.close())
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA user_version").fetchone() == (FORMAT,)
        assert db.execute("SELECT day, time FROM reading").fetchone() == (T // DAY, T)
    db.close()


def test_synchronous_is_what_was_asked(tmp_path: Path) -> None:
    """FULL fsyncs each commit, NORMAL does not."""
    for name, number in (("FULL", 2), ("NORMAL", 1)):
        store = SqliteStore(tmp_path / name, synchronous="FULL" if name == "FULL" else "NORMAL")
        asyncio.run(store.open())
        assert store._connection is not None
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (number,)
        asyncio.run(store.close())


def test_a_locked_file_is_unavailable_and_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another process holds the file for long, the write fails as a whole, and works afterwards."""
    monkeypatch.setattr(sqlite_store, "BUSY_MS", 50)
    path = tmp_path / "series.db"
    store = _open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for call in (lambda: _write(store, cursor=9), lambda: asyncio.run(store.ping())):
        with pytest.raises(UnavailableError, match=r"series\.db: database is locked"):
            call()
    other.execute("ROLLBACK")
    other.close()
    assert asyncio.run(store.cursor("j")) == 0
    _write(store, cursor=9)
    assert asyncio.run(store.cursor("j")) == 9
    asyncio.run(store.close())


def test_a_full_disk_is_unavailable_and_loses_nothing_of_before(tmp_path: Path) -> None:
    """A write that does not fit fails as a whole with the file's name; what was there can be read; room cures it."""
    path = tmp_path / "series.db"
    store = _open(path)
    _write(store, 2.0, cursor=1)
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = Batch.of([0] * 20_000, [T + i for i in range(20_000)], [5.0] * 20_000)
    with pytest.raises(UnavailableError, match=r"series\.db: database or disk is full"):
        asyncio.run(store.write(many, [EC], 2, journal="j"))
    assert asyncio.run(store.cursor("j")) == 1
    assert asyncio.run(store.read([EC], 0, 1 << 62)).value.tolist() == [2.0]
    store._connection.execute("PRAGMA max_page_count = 1000000")
    asyncio.run(store.write(many, [EC], 2, journal="j"))
    assert len(asyncio.run(store.read([EC], 0, 1 << 62))) == 20_000
    asyncio.run(store.close())


def test_a_rolled_back_series_number_is_not_used_again(tmp_path: Path) -> None:
    """A series first seen in a write that failed gets its number anew, not that of a series that does not exist."""
    path = tmp_path / "series.db"
    store = _open(path)
    other = EC._replace(quantity="water.level")
    too_large = Batch.of([0, 1], [T, T], [1.0, 2.0])
    assert store._connection is not None
    store._connection.execute("CREATE TEMP TRIGGER no BEFORE INSERT ON main.reading BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(UnavailableError):
        asyncio.run(store.write(too_large, [EC, other]))
    store._connection.execute("DROP TRIGGER no")
    asyncio.run(store.write(Batch.of([1], [T], [2.0]), [EC, other]))
    asyncio.run(store.write(Batch.of([0], [T], [1.0]), [EC, other]))
    assert asyncio.run(store.read([EC, other], 0, 1 << 62)).value.tolist() == [1.0, 2.0]
    asyncio.run(store.close())


def test_rows_and_cursor_are_one_transaction(tmp_path: Path) -> None:
    """Where the cursor cannot be moved the rows are not there either."""
    store = _open(tmp_path / "series.db")
    assert store._connection is not None
    store._connection.execute("CREATE TEMP TRIGGER no BEFORE INSERT ON main.cursor BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(UnavailableError):
        _write(store, cursor=5)
    assert len(asyncio.run(store.read([EC], 0, 1 << 62))) == 0
    assert asyncio.run(store.series()) == []
    asyncio.run(store.close())


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A folder in the way of the file, or a file in the way of its folder, is UnavailableError with the path."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.db").mkdir()
    for path in (tmp_path / "file" / "series.db", tmp_path / "folder.db"):
        with pytest.raises(UnavailableError, match=str(path)) as caught:
            _open(path)
        assert "\n" not in str(caught.value)


def test_a_second_process_reads_and_writes(tmp_path: Path) -> None:
    """`canhman judge` revises flags in its own process while ingest holds the file open, and adds a series of its own."""
    path = tmp_path / "series.db"
    store = _open(path)
    _write(store)
    code = f"""
import asyncio
from pathlib import Path
from adapters.sqlite_store import SqliteStore
from core.batch import Batch
from core.series import SeriesKey
async def main():
    key = SeriesKey{tuple(EC)!r}
    store = SqliteStore(Path({str(path)!r}))
    await store.open()
    await store.write_flags(Batch.of([0], [{T}], [0.0], flag=[4], tests=[8]), [key])
    await store.write(Batch.of([0], [{T}], [7.0]), [key._replace(point="other")])
    await store.close()
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    batch = asyncio.run(store.read([EC, EC._replace(point="other")], 0, 1 << 62))
    assert (batch.value.tolist(), batch.flag.tolist(), batch.tests.tolist()) == ([1.0, 7.0], [4, 2], [8, 0])
    asyncio.run(store.write(Batch.of([0], [T + 1], [8.0]), [EC._replace(point="other")]))
    assert len(asyncio.run(store.series())) == 2
    asyncio.run(store.close())


def test_an_open_range_asks_only_for_days_that_exist(tmp_path: Path) -> None:
    """The range of a read costs nothing: the statements run count days with rows, not days in the range."""
    store = _open(tmp_path / "series.db")
    times = [T, T + DAY, T + 400 * DAY]
    asyncio.run(store.write(Batch.of([0] * 3, times, [1.0, 2.0, 3.0]), [EC]))
    assert store._connection is not None
    seen: list[str] = []
    store._connection.set_trace_callback(seen.append)
    assert asyncio.run(store.read([EC], 0, 1 << 62)).time.tolist() == times
    assert sum("WHERE day =" in statement for statement in seen) == 3
    store._connection.set_trace_callback(None)
    asyncio.run(store.close())


def test_closed_under_use(tmp_path: Path) -> None:
    """A thread reads on while another one closes: the reader hears that it is closed, and the process lives."""
    code = f"""
import asyncio, threading, time
from pathlib import Path
from adapters.sqlite_store import SqliteStore
from core.batch import Batch
from core.series import SeriesKey
key = SeriesKey{tuple(EC)!r}
heard = []
def use(store, begun):
    try:
        while True:
            begun.set()
            asyncio.run(store.read([key], 0, 1 << 60))
    except RuntimeError as error:
        heard.append(str(error))
for n in range(60):
    store = SqliteStore(Path({str(tmp_path / "series.db")!r}))
    asyncio.run(store.open())
    if not n:
        asyncio.run(store.write(Batch.of([0] * 20000, range(20000), [1.0] * 20000), [key]))
    begun = threading.Event()
    thread = threading.Thread(target=use, args=(store, begun))
    thread.start()
    begun.wait()
    time.sleep(0.0005 * (n % 20))
    asyncio.run(store.close())
    thread.join()
assert len(heard) == 60 and "not open" in heard[0], heard
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})


def test_a_flush_syncs_what_commits_have_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NORMAL the WAL is synced, once for all commits since the last flush and what a process before left; with FULL each commit was."""
    synced: list[str] = []
    real = os.fsync
    broken = False

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2])
        if broken:
            raise OSError(5, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = SqliteStore(tmp_path / "series.db", synchronous="NORMAL")
    asyncio.run(store.open())
    asyncio.run(store.flush())
    asyncio.run(store.flush())
    assert synced == ["series.db-wal"]
    _write(store)
    _write(store, 2.0)
    asyncio.run(store.write_flags(Batch.of([0], [T], [0.0], flag=[4]), [EC]))
    broken = True
    with pytest.raises(UnavailableError, match="Input/output error"):
        asyncio.run(store.flush())
    broken = False
    asyncio.run(store.flush())
    asyncio.run(store.flush())
    assert len(synced) == 3
    other = _open(tmp_path / "series.db")  # its locks are not lost by the flush of this one
    _write(other)
    asyncio.run(other.flush())
    assert len(synced) == 3
    for each in (store, other):
        asyncio.run(each.close())
