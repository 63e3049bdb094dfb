"""docs/influxdb.md against a real InfluxDB: every query of the page finds something, every field that stands there is named."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from core.alert import Alert
from core.batch import Batch
from core.board import Pump, Shown
from core.forecast import Forecast
from core.place import Station
from core.quantities import QUANTITIES
from core.series import SeriesKey

PAGE = (Path(__file__).parents[2] / "docs" / "influxdb.md").read_text()
QUERIES = re.findall(r"```sql\n(.+?)\n```", PAGE, re.DOTALL)
DATABASE = "canhman"
HOUR = 3_600_000
NOW = time.time_ns() // 1_000_000

Row = dict[str, Any]


async def fill(store: InfluxStore) -> None:
    """A good and a failed reading of each domain, an issue, an alert, a station and its newest value."""
    names = ("water.salinity", "soil.moisture", "air.temperature", "device.battery")
    keys = [SeriesKey("default", "kl-01", "main", "kl01", name) for name in names]
    series = list(range(len(keys))) * 2
    times = [NOW - HOUR] * len(keys) + [NOW - 60_000] * len(keys)
    tests = [0] * len(keys) + [1] * len(keys)
    flags = [1] * len(keys) + [4] * len(keys)
    await store.create()
    await store.open()
    refused = await store.write(Batch.of(series, times, [0.3] * len(series), flag=flags, tests=tests, received=[NOW] * len(series)), keys)
    assert refused == []
    await store.mirror_forecasts([an_issue()])
    await store.mirror_alerts([an_alert("observed", 4.0), an_alert("silent", None)])
    station = Station(id="kl-01", org="default", name="Kênh Lầu", lat=9.77, lon=105.6, km=41.5)
    assert await store.mirror_stations([station], {}, NOW) == 1
    await store.mirror_latest([a_row()])
    await store.close()


def an_issue() -> Forecast:
    return Forecast(
        org="default",
        station="kl-01",
        point="main",
        target="hour",
        model="persistence",
        version="1",
        issued_at=NOW,
        data_until=NOW,
        inputs="",
        leads=(1, 2),
        times=(NOW + HOUR, NOW + 2 * HOUR),
        quantiles=((0.1, 0.2, 0.3, 0.4, 0.5),) * 2,
        p_gt=((0.4, 0.3, 0.2, 0.1),) * 2,
    )


def an_alert(kind: str, line: float | None) -> Alert:
    given: Row = {"id": 1, "org": "default", "station": "kl-01", "point": "main", "state": "open", "value": 4.2, "p": 0.7, "time": NOW}
    return Alert(**given, kind=kind, line=line, level=4, opened_at=NOW, updated_at=NOW)


def a_row() -> Shown:
    given: Row = {"org": "default", "station": "kl-01", "point": "main", "name": "Kênh Lầu", "waterway": "cai-lon", "salinity": 0.3}
    pump = Pump(start=NOW, end=NOW + 4 * HOUR, of_ten=9, limit=1.0)
    return Shown(**given, time=NOW + HOUR, fresh=True, seen=NOW, flag=1, is_verdict_point=True, pump=pump)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    server.start()
    asyncio.run(fill(InfluxStore(server.url, database=DATABASE, shared=True)))
    yield server
    server.stop()


def ask(influxd: InfluxD, q: str) -> list[Row]:
    found = influxd.query(q, db=DATABASE)
    return [dict(zip(s["columns"], values, strict=True)) | {"measurement": s["name"]} for s in found for values in s["values"]]


@pytest.mark.servers
@pytest.mark.parametrize("query", QUERIES, ids=[f"query{n}" for n in range(len(QUERIES))])
def test_every_query_of_the_page_finds_something(influxd: InfluxD, query: str) -> None:
    """At least one row, and in it no column that the store does not know."""
    rows = ask(influxd, query)
    assert rows
    assert all(any(row[column] is not None for row in rows) for column in rows[0])


def test_there_is_a_query_for_each_measurement() -> None:
    """The page tells of each measurement, and asks each once (readings by `water`)."""
    asked = set(re.findall(r'FROM "(\w+)"', " ".join(QUERIES)))
    assert asked == {"water", "forecast", "alert", "station", "latest"}
    domains = {q.measurement for q in QUANTITIES.values()}
    assert domains | asked == {"water", "soil", "air", "device", "forecast", "alert", "station", "latest"}
    assert all(f"`{name}`" in PAGE for name in domains | asked)


@pytest.mark.servers
def test_every_field_and_tag_that_stands_there_is_on_the_page(influxd: InfluxD) -> None:
    """Of the measurements beside the readings each field is named; of readings each is a quantity's, or one of its marks."""
    for row in ask(influxd, "SHOW FIELD KEYS"):
        name = row["fieldKey"]
        if row["measurement"] in ("water", "soil", "air", "device") and name != "rx":
            name = f"salinity{name[len(_field(row['measurement'])) :]}"
        assert f"`{name}`" in PAGE, row
    for row in ask(influxd, "SHOW TAG KEYS"):
        assert f"`{row['tagKey']}`" in PAGE, row


def _field(measurement: str) -> str:
    return {"water": "salinity", "soil": "moisture", "air": "temperature", "device": "battery"}[measurement]
