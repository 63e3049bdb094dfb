"""Tổng quan against a real InfluxDB: every query finds rows, points stay apart, and what is not fresh and good feeds no colour."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from core.alert import Alert
from core.batch import Batch
from core.board import NO_PUMP, Pump, Shown, TakenBack, forecast_rows
from core.forecast import Forecast
from core.place import Station
from core.series import SeriesKey
from dashboards.build import as_json, boards
from dashboards.colour_rules import colours_by_band
from dashboards.queries import Bound, bound

pytestmark = pytest.mark.servers

BOARD = as_json(boards()["canhman-tong-quan"], "vi")
DATABASE = "canhman"
NOW = time.time_ns() // 1_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
QUARTER = 15 * MINUTE
STRANGER = "<img src=x onerror=alert(1)>"
ODD = 'Sông "Hậu"/(cũ) [a-z]+ \\ $1\'; DROP'

NUMBER = re.compile(r"\s*(-?(\d*\.\d+|\d+)(e-?\d+)?|NaN)\s*$", re.IGNORECASE)  # what Grafana takes for one
BOARD_PANELS = {p["id"]: p for p in BOARD["panels"]}
REFS = {(p["id"], t["refId"]) for p in BOARD["panels"] for t in p["targets"]}

Row = dict[str, Any]

# station: (points, salinity of each now, minutes since the newest reading, fresh, flag of the newest)
FRESH = {("0012", "main"): 0.4, ("cong-ba", "in"): 0.3, ("cong-ba", "out"): 5.2, ("hai-tang", "top"): 1.0, ("hai-tang", "bottom"): 3.9, ("la", "main"): 0.8}
NOT_FRESH = {"1e5": (3.1, 2 * DAY, 1), "im": (2.7, 3 * DAY, 1), "nghi": (4.4, MINUTE, 3), "cu": (6.1, 90 * MINUTE, 1), "chua-xet": (1.4, 2 * HOUR, 2)}
GONE = ("ruong", "main")  # its forecasts were taken back
WATERWAYS = {"cai-lon": "Sông Cái Lớn", "hau": ODD}
MIRRORED_ODD = ODD.replace("$", "＄")  # Grafana up to 11 would look for a variable in it


def stations() -> list[Station]:
    given = {"org": "default", "lat": 9.8, "lon": 105.5, "km": 40.0, "waterway": "cai-lon"}
    known = [Station(id=name, name=f"Trạm {name}", **given) for name in ("cong-ba", "hai-tang", "im", "nghi", "cu", "chua-xet", "ruong")]
    numbers = [Station(id="0012", name="007", **given), Station(id="1e5", name="1e3", **given)]  # nothing but texts that look like numbers
    return [*known, *numbers, Station(id="la", name=STRANGER, org="default", waterway="hau")]


def shown(station: str, point: str, salinity: float, seen: int, *, flag: int = 1, fresh: bool = True) -> Shown:
    """The row as canhman alerts writes it: until an hour after what was seen where it may be believed."""
    verdict = point in ("main", "in", "top")
    until = seen + HOUR if flag == 1 else seen
    pump = Pump(start=NOW + 4 * HOUR, end=NOW + 8 * HOUR, of_ten=9, limit=1.0) if salinity < 1 else NO_PUMP
    given = {"org": "default", "name": station, "waterway": "", "is_verdict_point": verdict, "pump": pump}
    return Shown(station=station, point=point, salinity=salinity, seen=seen, time=until, fresh=fresh, flag=flag, **given)  # type: ignore[arg-type]  # a test names the fields it changes


def rows() -> list[Shown]:
    found = [shown(station, point, value, NOW - MINUTE) for (station, point), value in FRESH.items()]
    for station, (value, age, flag) in NOT_FRESH.items():
        found.append(shown(station, "main", value, NOW - age, flag=flag, fresh=flag == 1))
    # what was fresh and was taken back when the suspect reading came: it stands in the future with fresh 0
    found.append(Shown(**{name: getattr(shown("nghi", "main", 4.4, NOW - MINUTE), name) for name in Shown.__slots__} | {"fresh": False}))
    return found


def readings() -> tuple[Batch, list[SeriesKey]]:
    """Two days by the quarter of an hour: two depths, both sides of a sluice, a check sensor beside the first, soil, and devices."""
    sensors = {
        ("cong-ba", "in"): ["cb"],
        ("cong-ba", "out"): ["cb/ngoai"],
        ("hai-tang", "top"): ["ht", "kiem"],
        ("hai-tang", "bottom"): ["ht/day"],
        ("la", "main"): ["la"],
    }
    keys = [SeriesKey("default", s, p, sensor, "water.salinity") for (s, p), found in sensors.items() for sensor in found]
    keys += [SeriesKey("default", "ruong", p, f"r/{p}", q) for p in ("d10", "d30") for q in ("soil.moisture", "soil.ec_pore")]
    keys += [SeriesKey("default", s, "device", s, q) for s in ("cong-ba", "ruong") for q in ("device.battery", "device.rssi")]
    series, times, values, flags = [], [], [], []
    for i in range(len(keys)):
        for k in range(2 * DAY // QUARTER):
            series.append(i)
            times.append(NOW - MINUTE - k * QUARTER)
            values.append(0.3 + (i % 3))
            flags.append({5: 3, 6: 4, 0: 2}.get(k, 1))
    return Batch.of(series, times, values, flag=flags, tests=[int(f > 2) for f in flags], received=times), keys


def forecasts() -> list[Forecast]:
    found = []
    for station, point in (*FRESH, GONE):
        for target, step, n in (("hour", HOUR, 72), ("day_max", DAY, 5)):
            first = NOW - NOW % step + (step if target == "hour" else 0)
            given: Row = {"org": "default", "model": "persistence", "version": "1", "issued_at": NOW, "data_until": NOW, "inputs": ""}
            leads = tuple(range(1, n + 1))
            quantiles, p_gt = ((0.1, 0.2, 0.9, 1.4, 2.1),) * n, ((0.8, 0.4, 0.1, 0.0),) * n
            times = tuple(first + i * step for i in range(n))
            found.append(Forecast(station=station, point=point, target=target, leads=leads, times=times, quantiles=quantiles, p_gt=p_gt, **given))
    return found


def alerts() -> list[Alert]:
    def one(station: str, kind: str, line: float | None, level: int, state: str) -> Alert:
        given: Row = {"org": "default", "point": "main", "opened_at": NOW - HOUR, "updated_at": NOW - HOUR, "value": 4.2, "p": 0.7}
        return Alert(station=station, kind=kind, line=line, level=level, state=state, **given)

    return [
        one("cong-ba", "observed", 1.0, 2, "open"),
        one("cong-ba", "observed", 4.0, 4, "acknowledged"),
        one("cong-ba", "observed", 0.5, 1, "cleared"),
        one("hai-tang", "forecast", 2.0, 3, "cleared"),
        one("im", "silent", None, 0, "open"),
    ]


async def fill(store: InfluxStore) -> None:
    await store.create()
    await store.open()
    batch, keys = readings()
    assert await store.write(batch, keys) == []
    await store.mirror_stations(stations(), WATERWAYS, NOW - 30 * DAY)
    await store.mirror_latest(rows())
    said = forecasts()
    gone = [f for f in said if (f.station, f.point) == GONE]
    marks = [TakenBack(org=f.org, station=f.station, point=f.point, target=f.target, rows=tuple(forecast_rows(f.target, f.leads, f.times))) for f in gone]
    await store.mirror_forecasts([*said, *marks])
    await store.mirror_alerts(alerts())
    await store.close()


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    server.start()
    asyncio.run(fill(InfluxStore(server.url, database=DATABASE, shared=True)))
    yield server
    server.stop()


EVERY = {"of_waterway": [], "station": ["cong-ba", "hai-tang", "ruong"]}


def queries(**values: list[str]) -> list[Bound]:
    return bound(BOARD, start=NOW - 2 * DAY, end=NOW + 3 * DAY, interval_ms=QUARTER, values=EVERY | values)


def answer(influxd: InfluxD, panel: int, ref: str, **values: list[str]) -> list[Row]:
    """The series of one query."""
    text = next(q.text for q in queries(**values) if (q.panel, q.ref) == (panel, ref))
    return influxd.query(text, db=DATABASE)


def table(influxd: InfluxD, panel: int, ref: str, **values: list[str]) -> list[Row]:
    """The rows of a query that gives one table, as dicts."""
    found = answer(influxd, panel, ref, **values)
    assert len(found) <= 1, "newer Grafana shows only the first frame"
    return [dict(zip(s["columns"], row, strict=True)) for s in found for row in s["values"]]


def lines(influxd: InfluxD, panel: int, ref: str, **values: list[str]) -> dict[tuple[str, str, str], int]:
    """The series of a query by station, point and sensor, with the number of values that are not null."""
    found = answer(influxd, panel, ref, **values)
    keys = [(s["tags"]["station"], s["tags"]["point"], s["tags"].get("sensor", "")) for s in found]
    assert len(set(keys)) == len(keys)
    return {key: sum(row[1] is not None for row in s["values"]) for key, s in zip(keys, found, strict=True)}


@pytest.mark.parametrize("query", [pytest.param(q, id=f"{q.panel}-{q.ref}") for q in queries()])
def test_every_query_finds_rows(influxd: InfluxD, query: Bound) -> None:
    """It parses, is one statement, and gives something that is not null; `ec_bulk` alone is measured nowhere here."""
    found = influxd.query(query.text, db=DATABASE)
    values = [value for series in found for row in series["values"] for value in row[1:]]
    assert any(value is not None for value in values) or (query.panel, query.ref) == (13, "B")


def test_points_are_lines_of_their_own(influxd: InfluxD) -> None:
    """Both sides of a sluice, two depths, and a check sensor beside the first: five lines; soil by depth: two."""
    salt = {("cong-ba", "in", "cb"), ("cong-ba", "out", "cb/ngoai"), ("hai-tang", "top", "ht"), ("hai-tang", "top", "kiem"), ("hai-tang", "bottom", "ht/day")}
    assert set(lines(influxd, 10, "A")) == salt
    assert set(lines(influxd, 11, "A")) == salt
    assert set(lines(influxd, 12, "A")) == set(lines(influxd, 13, "A")) == {("ruong", "d10", "r/d10"), ("ruong", "d30", "r/d30")}
    assert {key[1] for key in lines(influxd, 10, "A", point=["in", "bottom"])} == {"in", "bottom"}


def test_flagged_values_are_apart(influxd: InfluxD) -> None:
    """A line holds good values alone; suspect and failed ones and the unjudged are series of their own, and none is lost."""
    total = 2 * DAY // QUARTER
    good, flagged, unjudged = (lines(influxd, 10, ref) for ref in "ABC")
    assert set(flagged.values()) == {2}
    assert set(unjudged.values()) == {1}
    assert set(good.values()) == {total - 3}


def test_a_gap_is_a_gap(influxd: InfluxD) -> None:
    """Where there is no good value the line has null, up to the end of the range: nothing is carried on."""
    series = next(s for s in answer(influxd, 10, "A") if s["tags"]["point"] == "in")
    times = [row[0] for row in series["values"]]
    assert times[-1] > NOW + 2 * DAY
    assert all(row[1] is None for row in series["values"] if row[0] > NOW)
    assert {b - a for a, b in pairwise(times)} == {QUARTER}


def test_the_forecast_begins_now(influxd: InfluxD) -> None:
    """Its band has hours from the running one on, and nothing of the past."""
    for series in answer(influxd, 10, "D"):
        assert series["columns"] == ["time", "q05", "q50", "q95"]
        assert NOW - HOUR < series["values"][0][0] <= NOW + HOUR
        assert len(series["values"]) >= 70


def test_a_forecast_that_was_taken_back_is_told_as_none(influxd: InfluxD) -> None:
    """No hour and no day of it is shown; the table of days has a row for it without numbers, whose age says why, and no row of any other station."""
    assert ("ruong", "main", "") not in lines(influxd, 10, "D")
    days, none = table(influxd, 9, "A"), table(influxd, 9, "B")
    assert {r["station"] for r in days} == {"cong-ba", "hai-tang"}
    assert min(r["issued"] for r in days) > 0
    assert {(r["station"], r["point"], r["issued"]) for r in none} == {("ruong", "main", 0)}
    assert 1 <= len(none) <= 2
    panel = BOARD_PANELS[9]
    assert panel["fieldConfig"]["defaults"]["noValue"] == "không có dự báo"
    of_issued = next(o["properties"] for o in panel["fieldConfig"]["overrides"] if o["matcher"]["options"] == "issued")
    mapped = next(p["value"] for p in of_issued if p["id"] == "mappings")
    assert mapped[0]["options"]["0"]["text"] == "đã rút, hoặc đã cũ"


def colouring() -> list[Bound]:
    """Every query of every panel that fills by band."""
    panels = {p["id"] for p in BOARD["panels"] if colours_by_band(p)}
    return [q for q in queries() if q.panel in panels]


@pytest.mark.parametrize("query", [pytest.param(q, id=f"{q.panel}-{q.ref}") for q in colouring()])
def test_only_fresh_and_good_values_feed_a_colour(influxd: InfluxD, query: Bound) -> None:
    """No query of a panel that colours gives a salinity of a silent, a stale, a suspect or an unjudged station; of the fresh ones the right one."""
    found = influxd.query(query.text, db=DATABASE)
    coloured = {}
    for row in (dict(zip(s["columns"], values, strict=True)) for s in found for values in s["values"]):
        for name in ("salinity", "band"):
            if row.get(name) is not None:
                assert row["station"] not in NOT_FRESH
                coloured[row["station"], row.get("point")] = row[name]
    expected = FRESH if query.panel == 7 else {(s, None): v for (s, p), v in FRESH.items() if p in ("main", "in", "top")}
    assert coloured in ({}, expected)
    assert bool(coloured) == (query.ref == "B")


def test_there_are_panels_that_colour() -> None:
    """The test above has the map and the table to look at, and no chart."""
    assert {q.panel for q in colouring()} == {6, 7}


def test_hours_to_pump_stand_beside_fresh_good_values_alone(influxd: InfluxD) -> None:
    """A row for each point whose row of `latest` is fresh and has hours; they leave the board with it, and those of no hours are not in it."""
    rows = {(r["station"], r["point"]): r for r in table(influxd, 15, "A")}
    assert set(rows) == {place for place, value in FRESH.items() if value < 1}
    assert {(r["pump_from"], r["pump_to"], r["pump_of_ten"], r["pump_limit"]) for r in rows.values()} == {(NOW + 4 * HOUR, NOW + 8 * HOUR, 9, 1.0)}
    assert table(influxd, 15, "A", of_waterway=["im", "cu", "nghi"]) == []


def test_the_counts(influxd: InfluxD) -> None:
    """At the verdict points: 1.0 g/L stands at the line and counts; an old 6.1, a suspect 4.4 and a silent 2.7 do not; 0 is 0."""
    assert [table(influxd, panel, "A")[0]["over"] for panel in (1, 2)] == [1, 0]
    assert table(influxd, 3, "A")[0]["known"] == 4
    assert table(influxd, 4, "A")[0]["stations"] == len(stations())
    assert table(influxd, 5, "A")[0]["open"] == 2


def test_the_counts_with_nobody_fresh(influxd: InfluxD) -> None:
    """Where no station is known there is no row, and not 0 stations over the line: the panel says not known."""
    silent = {"of_waterway": ["im", "cu", "nghi"]}
    assert table(influxd, 1, "A", **silent) == table(influxd, 2, "A", **silent) == table(influxd, 3, "A", **silent) == []
    assert table(influxd, 7, "B", **silent) == []
    assert [(row["salinity"], row["band"]) for row in table(influxd, 7, "N", **silent)] == [(None, None)]  # the columns are there


def test_the_table_has_every_point(influxd: InfluxD) -> None:
    """A row for each point with the flag and the time of its newest reading; a station that never sent is there by its name."""
    rows = {(r["station"], r["point"]): r for r in table(influxd, 7, "A")}
    assert set(rows) == set(FRESH) | {(station, "main") for station in NOT_FRESH}
    assert {station: rows[station, "main"]["flag"] for station in ("im", "cu", "chua-xet")} == {"im": 1, "cu": 1, "chua-xet": 2}
    assert rows["im", "main"]["seen"] == NOW - 3 * DAY
    assert {r["station"] for r in table(influxd, 7, "C")} == {s.id for s in stations()}


def test_a_station_without_a_position_is_not_on_the_map(influxd: InfluxD) -> None:
    """It would stand in the sea off Africa."""
    placed = {r["station"] for r in table(influxd, 6, "A")}
    assert placed == {s.id for s in stations()} - {"la"}


def test_the_highest_line_of_an_alert(influxd: InfluxD) -> None:
    """One row of each point and kind that has not cleared, with its highest line."""
    found = {(r["station"], r["kind"]): (r["level"], r["state"]) for r in table(influxd, 8, "A")}
    assert found == {("cong-ba", "observed"): (4, "acknowledged"), ("im", "silent"): (0, "open")}


def test_a_waterway_of_any_name(influxd: InfluxD) -> None:
    """Its name holds quotes, slashes, brackets and a backslash: its stations are found, and only they."""
    assert {r["distinct"] for r in table(influxd, 0, "waterway")} == {"Sông Cái Lớn", MIRRORED_ODD}
    assert [r["station"] for r in table(influxd, 0, "of_waterway", waterway=[MIRRORED_ODD])] == ["la"]
    assert [r["station"] for r in table(influxd, 7, "C", waterway=[MIRRORED_ODD])] == ["la"]
    assert len(table(influxd, 0, "of_waterway", waterway=["Sông Cái Lớn"])) == len(stations()) - 1
    assert table(influxd, 0, "of_waterway", waterway=["Sông"]) == []


@pytest.mark.parametrize("panel", [6, 7, 9, 14])
def test_heads_are_texts_of_their_own(influxd: InfluxD, panel: int) -> None:
    """The first frame of a merge is one row of texts that are no numbers, which gives the columns their type; no station is called so."""
    rows = table(influxd, panel, "H")
    assert len(rows) == 1
    texts = {value for name, value in rows[0].items() if name != "time"}
    drop = next(s["options"]["filters"][0]["config"]["options"]["value"] for s in BOARD_PANELS[panel]["transformations"] if s["id"] == "filterByValue")
    assert all(re.search(drop, text) and not NUMBER.match(text) for text in texts)
    assert not any(re.search(drop, s.id) for s in stations())
    shown = {name for ref in "ABC" if (panel, ref) in REFS for row in table(influxd, panel, ref) for name, value in row.items() if isinstance(value, str)}
    assert shown <= set(rows[0])


def test_ids_that_look_like_numbers(influxd: InfluxD) -> None:
    """They come as they are, and the variable links each to its own station."""
    assert {r["station"] for r in table(influxd, 7, "A")} >= {"0012", "1e5"}
    assert [(r["station"], r["salinity"]) for r in table(influxd, 6, "B") if r["station"] in ("0012", "1e5")] == [("0012", 0.4)]
    variable = next(v for v in BOARD["templating"]["list"] if v["name"] == "station")
    pattern = re.compile(variable["regex"].strip("/").replace("(?<", "(?P<"))
    options = {m["value"]: m["text"] for r in table(influxd, 0, "station") if (m := pattern.search(r["label"]))}
    assert options["0012"] == "007 (0012)"
    assert set(options) == {s.id for s in stations()}
    assert not set(options) & set(options.values())  # 9.4 takes a text of another station for its id


def test_a_strangers_name_stays_text(influxd: InfluxD) -> None:
    """It comes as it was written; no panel and no cell of the board renders markup, so it is shown as text."""
    assert STRANGER in {r["name"] for r in table(influxd, 7, "C")}
    assert f"{STRANGER} (la)" in {r["label"] for r in table(influxd, 0, "station")}
    cells = [
        p["value"]["type"] for panel in BOARD["panels"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"].endswith("cellOptions")
    ]
    assert set(cells) == {"color-background", "auto"}
    assert not {panel["type"] for panel in BOARD["panels"]} & {"text", "news", "annolist", "canvas"}


def test_silence_is_seen_among_the_sensors(influxd: InfluxD) -> None:
    """Each sensor once, with when it was heard last; battery and signal beside it."""
    water = {(r["station"], r["sensor"]): r["measured"] for r in table(influxd, 14, "A")}
    assert len(water) == 6
    assert set(water.values()) == {NOW - MINUTE}
    assert {(r["station"], r["battery"] is not None) for r in table(influxd, 14, "C")} == {("cong-ba", True), ("ruong", True)}
