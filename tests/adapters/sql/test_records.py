"""The Records port over SQL: sums that add up, and a cursor that moves with them or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from adapters.sql import SqlDatabase, open_database
from core.record import VALUES, Score

ONE = Score(
    station="kenh-lau", point="main", target="day_max", model="m", lead=1, line=1.0, bin=7, month=202603, n=2, said=1.4, events=1, squares=0.58, right=1
)
VALUE = replace(ONE, line=VALUES, bin=0, n=1, missing=3, said=0.0, events=0, squares=0.0, right=0, inside=1, error=0.25)


def add(database: SqlDatabase, *scores: Score, was: int = 0, value: int = 1, name: str = "record kenh-lau main") -> bool:
    return asyncio.run(database.add_scores(scores, name=name, was=was, value=value))


def read(database: SqlDatabase, *stations: str, target: str = "day_max", leads: tuple[int, ...] = ()) -> list[Score]:
    found = asyncio.run(database.scores(stations=stations or ("kenh-lau",), target=target, leads=leads))
    assert all(s.month == 0 for s in found)  # of all months
    return [replace(s, month=202603) for s in found]


def test_sums_add_up(url: str, database: SqlDatabase) -> None:
    """The same key again is added to, in every column; a restart finds it."""
    assert add(database, ONE, VALUE)
    assert add(database, ONE, VALUE, was=1, value=2)
    again = open_database(url)
    assert read(again) == [
        replace(VALUE, n=2, missing=6, inside=2, error=0.5),
        replace(ONE, n=4, said=2.8, events=2, squares=1.16, right=2),
    ]
    again.close()


def test_a_stretch_is_added_once(database: SqlDatabase) -> None:
    """Where the cursor stands elsewhere nothing is added and it stays; other cursors stand for themselves."""
    assert add(database, ONE, value=5)
    assert not add(database, ONE, value=5)
    assert not add(database, ONE, was=4, value=9)
    assert read(database) == [ONE]
    assert asyncio.run(database.load_cursor("record kenh-lau main")) == 5
    assert add(database, replace(ONE, station="b"), name="record b main")


def test_nothing_to_add_moves_the_cursor(database: SqlDatabase) -> None:
    """Days without an issue are over too."""
    assert add(database, value=5)
    assert asyncio.run(database.load_cursor("record kenh-lau main")) == 5
    assert read(database) == []


def test_by_station_target_and_lead(database: SqlDatabase) -> None:
    """Only what was asked for, months added up, sorted by key."""
    others = [replace(ONE, station="b"), replace(ONE, lead=3), replace(ONE, target="hour", lead=24), replace(ONE, month=202604)]
    add(database, *others, ONE)
    april = replace(ONE, n=4, said=2.8, events=2, squares=1.16, right=2)  # with March
    assert read(database) == [april, replace(ONE, lead=3)]
    assert read(database, leads=(3,)) == [replace(ONE, lead=3)]
    assert read(database, "b", "none") == [replace(ONE, station="b")]
    assert read(database, target="hour") == [replace(ONE, target="hour", lead=24)]
    assert read(database, *(f"s{i}" for i in range(1200)), "b") == [replace(ONE, station="b")]
