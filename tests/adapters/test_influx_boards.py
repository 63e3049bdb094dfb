"""Stations and newest values for boards, read back from a real InfluxDB by the plain InfluxQL of a board."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.influx_world import rows, store_on
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from adapters.influx_boards import latest_line, station_line, write_latest
from adapters.influx_send import Answer
from adapters.memory_store import MemoryStore
from adapters.sqlite_store import SqliteStore
from core.board import NO_PUMP, Pump, Shown
from core.errors import RefusedError, UnavailableError
from core.place import Station
from core.ports import RefusedRow

HOUR = 3_600_000
AT = 1_772_420_400_000
KL = Station(id="kl-01", org="default", name="Kênh Lầu", lat=9.77, lon=105.6, waterway="cai-lon", km=41.5, commune="31318", verdict_point="in")
WATERWAYS = {"cai-lon": "Cái Lớn"}
COLOURED = 'SELECT last("salinity") AS "salinity" FROM "latest" WHERE time > now() AND "fresh" = 1 GROUP BY "station","point"'

ODD = [
    "C:\\",
    "\\",
    '\\"',
    'Cống số 2, bờ "trái"',
    "a=b,c d",
    " kl 03 ",
    "Trạm 🌊🧂",
    "ẫ" * 300,
    "x\\,y\\=z\\ w",
    "'; DROP MEASUREMENT station --",
    "tab\there",
    "<img src=x onerror=alert(1)>",
]
_numbers = itertools.count()


def shown(**change: Any) -> Shown:
    """A fresh row of one point, half an hour from now."""
    whole = Shown(
        org="default",
        station="kl-01",
        point="in",
        time=int(time.time() * 1000) + HOUR // 2,
        fresh=True,
        seen=AT,
        flag=1,
        salinity=1.8,
        is_verdict_point=True,
        name="Kênh Lầu",
        waterway="cai-lon",
    )
    return replace(whole, **change)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


class World:
    """A store on a database of its own, written through v1's or v2's API, and plain InfluxQL on what stands there."""

    def __init__(self, influxd: InfluxD, store: InfluxStore, name: str) -> None:
        self.store = store
        self._influxd = influxd
        self._name = name

    def stations(self, *stations: Station, at: int = AT) -> int:
        return asyncio.run(self.store.mirror_stations(stations, WATERWAYS, at))

    def latest(self, *rows: Shown) -> list[RefusedRow]:
        return asyncio.run(self.store.mirror_latest(rows))

    def write(self, line: str) -> None:
        """Past our own code."""
        httpx.post(f"{self._influxd.url}/write", params={"db": self._name, "precision": "ms"}, content=line.encode()).raise_for_status()

    def known(self, since: int = 0) -> list[Shown]:
        return asyncio.run(self.store.mirrored_latest(since))

    def fresh(self) -> list[Shown]:
        return [row for row in self.known() if row.fresh]

    def ask(self, q: str) -> list[dict[str, Any]]:
        """The rows of all series, as dicts."""
        return rows(self._influxd, q, self._name)


@pytest.fixture(params=["v1", "v2"])
def world(request: pytest.FixtureRequest, influxd: InfluxD) -> Iterator[World]:
    name = f"boards{next(_numbers)}"
    with store_on(influxd, request.param, name) as store:
        yield World(influxd, store, name)


# ------------------------------------------------------------------ station


@pytest.mark.servers
def test_a_station_is_read_back(world: World) -> None:
    """Tags, texts and numbers as designed, at the time of the change; numbers that nobody knows are absent."""
    assert world.stations(KL, Station(id="new", org="o2", name="new")) == 2
    rows = world.ask('SELECT * FROM "station" GROUP BY "org", "station"')
    texts = {"name": "Kênh Lầu", "label": "Kênh Lầu (kl-01)", "waterway": "cai-lon", "waterway_name": "Cái Lớn", "commune": "31318", "verdict_point": "in"}
    assert rows[0] == {"time": AT, "lat": 9.77, "lon": 105.6, "km": 41.5, "org": "default", "station": "kl-01"} | texts
    empty = {"waterway": "", "waterway_name": "", "commune": "", "verdict_point": "", "lat": None, "lon": None, "km": None}
    assert rows[1] == {"time": AT, "name": "new", "label": "new (new)", "org": "o2", "station": "new"} | empty
    types = {r["fieldKey"]: r["fieldType"] for r in world.ask('SHOW FIELD KEYS FROM "station"')}
    assert types == dict.fromkeys(texts, "string") | dict.fromkeys(("lat", "lon", "km"), "float")
    assert {r["tagKey"] for r in world.ask('SHOW TAG KEYS FROM "station"')} == {"org", "station"}


@pytest.mark.servers
def test_only_what_differs_is_written(world: World) -> None:
    """The same again, also a day later and by another process, is no second row; each change is one row of that station alone."""
    other = replace(KL, id="kl-02", name="Kênh Năm")
    assert world.stations(KL, other) == 2
    assert world.stations(KL, other, at=AT + 24 * HOUR) == 0
    changes: list[dict[str, Any]] = [{"name": "Kênh Lầu mới"}, {"km": 42.0}, {"commune": "31319"}, {"verdict_point": "out"}, {"waterway": ""}, {"lat": 9.8}]
    for n, change in enumerate(changes, 2):
        assert world.stations(replace(KL, **change), other, at=AT + n * HOUR) == 1
    assert [r["count"] for r in world.ask('SELECT count("name") FROM "station" GROUP BY "station"')] == [1 + len(changes), 1]


@pytest.mark.servers
def test_a_station_that_lost_its_position(world: World) -> None:
    """Its newest row has none, and what an older row says does not show through; getting it back is a change again."""
    lost = replace(KL, lat=None, lon=None)
    month = 30 * 24 * HOUR  # so that no two rows share a shard
    assert [world.stations(s, at=AT + n * month) for n, s in enumerate((KL, lost, lost, KL, KL))] == [1, 1, 0, 1, 0]
    rows = world.ask('SELECT "name", "lat" FROM "station"')
    assert [(r["time"], r["lat"]) for r in rows] == [(AT, 9.77), (AT + month, None), (AT + 3 * month, 9.77)]
    world.stations(lost, at=AT + 9 * month)
    newest = world.ask('SELECT last("name") AS "name", "lat", "lon", "km" FROM "station" GROUP BY "org", "station"')
    assert [(r["name"], r["lat"], r["lon"], r["km"]) for r in newest] == [("Kênh Lầu", None, None, 41.5)]


@pytest.mark.servers
def test_two_changes_in_one_instant_and_a_clock_set_back(world: World) -> None:
    """What is written later stands later, whatever the clock says: it is the newest row, whole, and the same again is no change."""
    world.stations(KL)
    lost = replace(KL, name="B", lat=None)
    assert world.stations(lost) == 1
    assert world.stations(replace(lost, name="C"), at=AT - HOUR) == 1
    assert world.stations(replace(lost, name="C"), at=AT - HOUR) == 0
    (row,) = world.ask('SELECT last("name") AS "name", "lat" FROM "station" GROUP BY "station"')
    assert (row["name"], row["lat"]) == ("C", None)


@pytest.mark.servers
def test_odd_names_come_back_as_they_are(world: World) -> None:
    """Every odd name is read back identical among normal ones, in both measurements, and twice is no second row."""
    stations = [Station(id=f"odd-{n}", org="o", name=name, commune=name) for n, name in enumerate(ODD)]
    normal = [replace(KL, id=f"kl-{n}") for n in range(100)]
    assert world.stations(*stations, *normal) == len(ODD) + 100
    assert world.stations(*stations, *normal, at=AT + 1) == 0
    rows = {r["station"]: r for r in world.ask('SELECT "name", "label", "commune" FROM "station" GROUP BY "station"')}
    assert [(rows[s.id]["name"], rows[s.id]["label"], rows[s.id]["commune"]) for s in stations] == [(s.name, f"{s.name} ({s.id})", s.name) for s in stations]
    assert len(rows) == len(ODD) + 100
    world.latest(*(shown(station=s.id, name=s.name, waterway=s.name) for s in stations))
    assert {r.station: (r.name, r.waterway) for r in world.fresh()} == {s.id: (s.name, s.name) for s in stations}


def test_no_name_is_a_variable_of_grafana() -> None:
    """Up to 11 Grafana puts variables into the value of a variable again: `$` and `[[` stand in full width, in every text of a station."""
    odd = replace(KL, name="$station [[point]] [1]", commune="${of_waterway}")
    line = station_line(odd, "Kênh $station/[[station]]", AT)
    assert "$" not in line
    assert "[[" not in line
    assert 'name="＄station ［［point]] [1]"' in line
    assert 'waterway_name="Kênh ＄station/［［station]]"' in line


@pytest.mark.servers
def test_a_line_break_stands_as_a_space(world: World) -> None:
    """A line cannot hold it; it is no reason for the board to lack the station. Nor is half of a character."""
    odd = replace(KL, name="Kênh\r\nLầu\n2\ud83d")
    assert world.stations(odd) == 1
    assert world.stations(odd, at=AT + 1) == 0
    assert [r["name"] for r in world.ask('SELECT "name" FROM "station"')] == ["Kênh Lầu 2?"]
    row = shown(name=odd.name)
    world.latest(row)
    assert [r.name for r in world.fresh()] == ["Kênh Lầu 2?"]


@pytest.mark.servers
def test_what_no_line_can_hold_keeps_no_other_from_being_written(world: World) -> None:
    """A tag that no line can hold is told by name, after all others are written; so it is with a row of `latest`."""
    with pytest.raises(RefusedError, match="ends in a backslash"):
        world.stations(replace(KL, id="a"), replace(KL, id="C:\\"), replace(KL, id="b"))
    assert {r["station"] for r in world.ask('SELECT "name" FROM "station" GROUP BY "station"')} == {"a", "b"}
    (refused,) = world.latest(shown(station="a"), shown(point="x\ny"), shown(station="b"))
    assert refused.row == 1
    assert "control character" in refused.text
    assert [r.station for r in world.fresh()] == ["a", "b"]


@pytest.mark.servers
def test_a_server_that_is_away_says_so(world: World, influxd: InfluxD) -> None:
    """UnavailableError of each call, and the same again once it is back."""
    row = shown()
    influxd.stop()
    try:
        for call in (lambda: world.stations(KL), lambda: world.latest(row), world.fresh):
            with pytest.raises(UnavailableError):
                call()
    finally:
        influxd.start()
    assert world.stations(KL) == 1
    world.latest(row)
    assert world.fresh() == [row]


# ------------------------------------------------------------------ latest


@pytest.mark.servers
def test_the_board_colours_what_is_fresh_and_nothing_else(world: World) -> None:
    """The query of a board: fresh rows after now, by station and point; what was withdrawn, is past, or has no value is not in it."""
    now = int(time.time() * 1000)
    world.latest(
        shown(),
        shown(point="out", salinity=0.3, is_verdict_point=False),
        shown(station="silent", time=now - 1000),
        shown(station="failed", fresh=False, flag=4),
        shown(station="none", fresh=False, salinity=None, time=AT),
    )
    assert {(r["station"], r["point"], r["salinity"]) for r in world.ask(COLOURED)} == {("kl-01", "in", 1.8), ("kl-01", "out", 0.3)}
    (row,) = world.ask('SELECT "salinity", "fresh", "seen", "flag", "verdict", "name" FROM "latest" WHERE "station" = \'failed\'')
    assert {k: row[k] for k in ("fresh", "seen", "flag", "verdict", "name")} == {"fresh": 0, "seen": AT, "flag": 4, "verdict": 1, "name": "Kênh Lầu"}
    types = {r["fieldKey"]: r["fieldType"] for r in world.ask('SHOW FIELD KEYS FROM "latest"')}
    assert types == {"salinity": "float", "pump_limit": "float", "name": "string", "waterway": "string"} | dict.fromkeys(
        ("fresh", "seen", "flag", "verdict", "pump_from", "pump_to", "pump_of_ten"), "integer"
    )
    assert {r["tagKey"] for r in world.ask('SHOW TAG KEYS FROM "latest"')} == {"org", "station", "point"}


@pytest.mark.servers
def test_a_withdrawn_row_is_the_same_row(world: World) -> None:
    """Written again with fresh=0 it is out of the board's query and of what may have to be withdrawn; no second row stands there."""
    row = shown()
    world.latest(row)
    world.latest(replace(row, fresh=False, salinity=7.0, flag=4))
    assert world.ask(COLOURED) == []
    assert world.fresh() == []
    assert [(r["salinity"], r["flag"]) for r in world.ask('SELECT "salinity", "flag" FROM "latest"')] == [(7.0, 4)]


@pytest.mark.servers
def test_what_is_fresh_comes_back_whole(world: World) -> None:
    """Fresh rows after `since`, by org, station, point and time, far ahead too; without a salinity as None."""
    rows = [shown(time=AT + 1), shown(time=AT + 2, salinity=None, is_verdict_point=False), shown(station="z", time=AT + 400 * 24 * HOUR)]
    withdrawn = [shown(time=AT + 3, fresh=False), shown(time=AT + 4, fresh=False)]
    world.latest(*reversed(rows), shown(time=AT), *withdrawn)
    assert world.known(AT) == [*rows[:2], withdrawn[1], rows[2]]
    assert world.known(AT + 1) == [rows[1], withdrawn[1], rows[2]]


@pytest.mark.servers
def test_the_newest_row_of_each_org_and_point(world: World) -> None:
    """Fresh or withdrawn, past or ahead, whole: what it lacks is None and not an older row's."""
    older = [shown(org=org, point=point, time=AT) for org in ("o", "p") for point in ("in", "out")]
    newest = [replace(row, time=AT + n * 200 * 24 * HOUR + 1, fresh=n % 2 == 0, salinity=None, seen=n) for n, row in enumerate(older)]
    world.latest(*older, *newest)
    assert world.known(AT + 900 * 24 * HOUR) == newest


@pytest.mark.servers
def test_a_field_of_another_type(world: World) -> None:
    """Somebody wrote `flag` as a text at one station: only lines that conflict are refused, with the server's words."""
    world.write(f'latest,org=o,point=in,station=odd flag="four" {AT - 400 * 24 * HOUR}')
    assert [(row.station, row.flag) for row in world.known()] == [("odd", 0)], "what we begin anew from is read all the same"
    refused = world.latest(shown(station="a"), shown(station="odd", time=AT - 400 * 24 * HOUR + 1), shown(station="c"))
    assert [r.row for r in refused] == [1]
    assert "field type conflict" in refused[0].text
    assert {row.station for row in world.fresh()} == {"a", "c"}


# ------------------------------------------------------------------ without a server


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_other_stores_take_nothing(kind: str, tmp_path: Path) -> None:
    """They accept all of it and hold no trace."""
    store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "series.db")
    assert asyncio.run(store.mirror_stations([KL], WATERWAYS, AT)) == 0
    asyncio.run(store.mirror_latest([shown()]))
    assert asyncio.run(store.mirrored_latest(0)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_refused_row_among_thousands() -> None:
    """A row that the server will never take, in each of several bodies: all others are sent, and these are told by their numbers."""

    class Server:
        def __init__(self) -> None:
            self.taken: set[str] = set()

        def send(self, body: bytes) -> Answer:
            lines = body.decode().split("\n")
            if any("station=s7 " in line or "station=s7000 " in line for line in lines):
                return Answer(status=400, text="field type conflict", page=False)
            self.taken.update(lines)
            return Answer(status=204, text="", page=False)

        def create(self) -> None: ...

        def close(self) -> None: ...

    server = Server()
    rows = [shown(station=f"s{n}") for n in range(12_000)]
    rows[3] = replace(rows[3], point="x\ny")
    refused = write_latest(server, rows, "here", "canhman")
    assert [(r.row, r.text[:12]) for r in refused] == [(3, "here: cannot"), (7, "here: field "), (7000, "here: field ")]
    assert server.taken == {latest_line(row) for n, row in enumerate(rows) if n not in (3, 7, 7000)}


def test_lines_as_text() -> None:
    """One line of each, as it is sent."""
    assert station_line(KL, "Cái Lớn", AT) == (
        'station,org=default,station=kl-01 name="Kênh Lầu",label="Kênh Lầu (kl-01)",waterway="cai-lon",waterway_name="Cái Lớn",'
        f'commune="31318",verdict_point="in",lat=9.77,lon=105.6,km=41.5 {AT}'
    )
    row = shown(time=AT + HOUR, is_verdict_point=False)
    head, tail = "latest,org=default,point=in,station=kl-01", f'name="Kênh Lầu",waterway="cai-lon" {AT + HOUR}'
    tail = f"fresh=1i,seen={AT}i,flag=1i,verdict=0i,pump_from=0i,pump_to=0i,pump_of_ten=0i,pump_limit=0.0,{tail}"
    assert latest_line(row) == f"{head} salinity=1.8,{tail}"
    for none in (None, float("nan"), float("inf")):
        assert latest_line(replace(row, salinity=none)) == f"{head} {tail}"


def test_hours_to_pump_are_always_written() -> None:
    """Hours that are gone stand there as 0: a field that is left out would keep what the row had."""
    row = shown(pump=Pump(start=AT, end=AT + 4 * HOUR, of_ten=9, limit=0.5))
    assert f"pump_from={AT}i,pump_to={AT + 4 * HOUR}i,pump_of_ten=9i,pump_limit=0.5," in latest_line(row)
    assert "pump_from=0i,pump_to=0i,pump_of_ten=0i,pump_limit=0.0," in latest_line(replace(row, pump=NO_PUMP))


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_out_of_its_line(name: str, waterway: str) -> None:
    """Whatever people write, a line is one line of UTF-8, and its texts end where they should."""
    for line in (latest_line(shown(name=name, waterway=waterway)), station_line(replace(KL, name=name, commune=waterway), waterway, AT)):
        assert "\n" not in line
        line.encode()
        inside, quoted = False, iter(line)
        for c in quoted:
            if c == "\\" and inside:
                next(quoted)
            elif c == '"':
                inside = not inside
        assert not inside
