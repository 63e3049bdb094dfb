"""Files that hold hashes and raw readings are the owner's alone, wherever their folder stands."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.journal import FileJournal
from adapters.private import make_private
from adapters.sql import open_database, prepare
from adapters.sqlite_store import SqliteStore
from core.message import Message


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """The usual one, by which files can be read by everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_the_registry_and_what_sqlite_puts_beside_it_are_private(tmp_path: Path) -> None:
    """Mode 0600, -wal and -shm too; a file that is there keeps the mode its owner gave it."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    prepare(url)
    db = open_database(url)
    asyncio.run(db.people())
    found = {name: mode for name, mode in modes(tmp_path).items() if not name.endswith(".lock")}
    db.close()
    assert found == {"registry.db": 0o600, "registry.db-wal": 0o600, "registry.db-shm": 0o600}
    (tmp_path / "registry.db").chmod(0o640)
    prepare(url)
    assert modes(tmp_path)["registry.db"] == 0o640


def test_the_series_store_is_private(tmp_path: Path) -> None:
    """As the registry."""
    store = SqliteStore(tmp_path / "series.db")
    asyncio.run(store.open())
    assert modes(tmp_path) == {"series.db": 0o600, "series.db-wal": 0o600, "series.db-shm": 0o600}
    asyncio.run(store.close())


def test_journal_segments_are_private(tmp_path: Path) -> None:
    """A segment holds what devices sent, as they sent it."""
    journal = FileJournal(tmp_path, segment_bytes=1)
    journal.open()
    for n in range(2):
        journal.append([Message("canhman/default/kl01/telemetry", b"{}", n)])
    journal.close()
    found = {name: mode for name, mode in modes(tmp_path).items() if name.endswith(".cmj")}
    assert list(found.values()) == [0o600, 0o600]


def test_a_folder_that_takes_no_file_is_left_to_who_opens_it(tmp_path: Path) -> None:
    """Its words name the setting; here nothing is raised."""
    make_private(tmp_path / "absent" / "registry.db")
    assert not (tmp_path / "absent").exists()
