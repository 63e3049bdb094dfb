"""The Cursors port over SQL."""

from __future__ import annotations

import asyncio

from adapters.sql import SqlDatabase, open_database


def test_a_cursor_is_what_was_saved_last(url: str, database: SqlDatabase) -> None:
    """0 before the first save, then the last value, each by its name, after a restart too."""
    assert asyncio.run(database.load_cursor("alerts")) == 0
    for value in (7, 1 << 60, 5):
        asyncio.run(database.save_cursor("alerts", value))
        assert asyncio.run(database.load_cursor("alerts")) == value
    assert asyncio.run(database.load_cursor("mirror")) == 0
    again = open_database(url)
    assert asyncio.run(again.load_cursor("alerts")) == 5
    again.close()
