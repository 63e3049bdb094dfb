"""The Records port over SQL: sums that add up, and a cursor that moves with them or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from adapters.sql import SqlDatabase, open_database
from core.record import VALUES, Anew, Basis, Day, Score

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


def test_only_the_months_from_one_on(database: SqlDatabase) -> None:
    """The sums of this season, across the turn of the year."""
    add(database, replace(ONE, month=202511), replace(ONE, month=202512), replace(ONE, month=202601))
    [found] = asyncio.run(database.scores(stations=["kenh-lau"], target="day_max", since=202512))
    assert found == replace(ONE, month=0, n=4, said=2.8, events=2, squares=1.16, right=2)


def test_summed_up_over_stations_and_tenths(database: SqlDatabase) -> None:
    """Of the lines asked for, over the keys named; of very many stations the parts add up to the same."""
    others = [replace(ONE, station="b", point="in", model="n", bin=2), replace(ONE, line=4.0), VALUE]
    add(database, ONE, *others)

    def read(*over: str, lines: tuple[float, ...] = (1.0,), extra: int = 0) -> list[Score]:
        names = ["b", "kenh-lau", *(f"s{i}" for i in range(extra))]
        return asyncio.run(database.scores(stations=names, target="day_max", lines=lines, over=over))

    both = replace(ONE, station="", point="", model="", bin=0, month=0, n=4, said=2.8, events=2, squares=1.16, right=2)
    assert read("station", "point", "model", "bin") == [both]
    assert [(s.station, s.bin, s.n) for s in read("station", "point", "model")] == [("", 2, 2), ("", 7, 2)]
    assert [(s.station, s.bin, s.n) for s in read("point", "model", "bin", lines=(1.0, 4.0))] == [("b", 0, 2), ("kenh-lau", 0, 2), ("kenh-lau", 0, 2)]
    assert len(read(lines=())) == 4
    assert sum(s.n for s in read("station", "point", "model", "bin", extra=1200)) == 4


def test_days_come_back(database: SqlDatabase) -> None:
    """With what was said and what came, of these stations, one target and a stretch of time; they stand or fall with the cursor; the first word stands."""
    one = Day(station="kenh-lau", point="main", target="day_max", time=5, model="m", said=(0.9, 0.5, 0.25, 0.0), came=1.5)
    others = [replace(one, time=6, said=(), model="", came=None), replace(one, station="b"), replace(one, target="day_min")]
    assert asyncio.run(database.add_scores([], [one, *others], name="r", was=0, value=1))
    assert not asyncio.run(database.add_scores([], [replace(one, time=7)], name="r", was=0, value=2))
    assert asyncio.run(database.add_scores([], [replace(one, came=9.0)], name="r", was=1, value=2))

    def read(*stations: str, target: str = "day_max", since: int = 0, until: int | None = None) -> list[Day]:
        return asyncio.run(database.scored_days(stations=stations, target=target, since=since, until=until))

    assert read("kenh-lau") == [one, others[0]]
    assert read("kenh-lau", since=5, until=6) == [one]
    assert read("kenh-lau", since=6) == [others[0]]
    assert read("kenh-lau", "b") == [others[1], one, others[0]]
    assert read("kenh-lau", target="day_min") == [others[2]]
    assert read("nobody") == []


def test_what_is_scored_anew_takes_the_place_of_what_stood_there(url: str, database: SqlDatabase) -> None:
    """From that month on of that point, of every target; other months, points and stations stay; the cursor may go back."""
    january, other = replace(ONE, month=202601), replace(ONE, station="b")
    day = Day(station="kenh-lau", point="main", target="day_max", time=50, model="m", said=(0.9, 0.5, 0.25, 0.0), came=1.5)
    days = [day, replace(day, time=49), replace(day, target="max_6h", time=70), replace(day, point="in")]
    assert asyncio.run(database.add_scores([ONE, VALUE, january, replace(ONE, point="in"), other], days, name="r", was=0, value=9))
    anew = Anew(station="kenh-lau", point="main", time=50, month=202602)
    new = replace(ONE, n=1, said=0.9)
    assert not asyncio.run(database.add_scores([new], [], name="r", was=8, value=7, anew=anew))
    assert VALUE in read(database)
    assert asyncio.run(database.add_scores([new], [replace(day, came=3.0)], name="r", was=9, value=7, anew=anew))
    again = open_database(url)
    assert [(s.point, s.n) for s in read(again)] == [("in", 2), ("main", 2 + 1)]
    assert read(again, "b") == [other]
    found = [d for t in ("day_max", "max_6h") for d in asyncio.run(again.scored_days(stations=["kenh-lau"], target=t))]
    assert found == [replace(day, point="in"), replace(day, time=49), replace(day, came=3.0)]
    assert (asyncio.run(again.load_cursor("r")), asyncio.run(again.anews())) == (7, 1)
    again.close()


def test_bases_are_replaced_with_the_cursor(database: SqlDatabase) -> None:
    """What the newest days rest on, as it was given last, of each point; not where the cursor stands elsewhere."""
    one = Basis(time=5, digest="ab", targets=("max_6h",), limits=(0.32, 0.8))
    two = Basis(time=6, digest="", targets=(), limits=())

    def bases(point: str) -> list[Basis]:
        return asyncio.run(database.bases(station="s", point=point))

    assert bases("in") == []
    assert asyncio.run(database.add_scores([], name="r", was=0, value=1, bases={("s", "in"): [one, two]}))
    assert not asyncio.run(database.add_scores([], name="r", was=0, value=2, bases={("s", "in"): []}))
    assert (bases("in"), bases("out")) == ([one, two], [])
    assert asyncio.run(database.add_scores([], name="r", was=1, value=1, bases={("s", "in"): [two]}))
    assert bases("in") == [two]
