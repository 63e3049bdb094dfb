"""Thirty days of fifty simulated stations through the whole path, and what every board finds of them in the real InfluxDB."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.installation import Installation, MosquittoInflux
from servers.services import Running, running
from servers.waiting import until

from adapters.sql.database import open_database
from canhman.boards import documents
from canhman.configuration import read_text
from core.clock import rfc3339
from dashboards.queries import bound
from firmware_sim.network import expand, registry_items
from firmware_sim.network_file import load_network

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

STATIONS = 50
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NATIVE = {"water.temperature": 28.4, "water.level": 1.1}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Iterator[Running]:
    """A running `canhman up` whose services have seen it all: forecasts are issued, the boards' measurements are written."""
    rig = MosquittoInflux(tmp_path_factory.mktemp("province"), bytecode)
    try:
        register(rig)
        with running(rig, together=True) as found:
            rig.run("simulate", "--devices", str(STATIONS), "--backfill", "30", "--days", "0", env=rig.device_env, timeout=600)
            beside(rig)
            rig.settle(timeout=300)
            sites = network_sites()
            until(lambda: sites <= stations(rig, "q50", "forecast", "time > now()"), 240, lambda: f"every station has a forecast:\n{found.logs}", every=0.5)
            until(lambda: sites | {"cong-1"} <= coloured(rig), 180, lambda: f"every station has its newest value:\n{found.logs}", every=0.5)
            until(lambda: stations(rig, "seen", "latest", "station = 'im-1'"), 60, lambda: f"the silent one is known:\n{found.logs}", every=0.5)
            yield found
    finally:
        rig.close()


def network_sites() -> set[str]:
    """The ids of the fifty stations."""
    return {device.site.id for device in expand(load_network(read_text("network.toml", None)), STATIONS).devices}


def register(rig: Installation) -> None:
    """The simulated network with its names and places, as an officer registers them."""
    network = expand(load_network(read_text("network.toml", None)), STATIONS)
    db = open_database(f"sqlite:///{rig.data / 'registry.db'}")
    try:
        asyncio.run(db.put(*registry_items(network, "default"), actor="test"))
    finally:
        db.close()


def beside(rig: Installation) -> None:
    """A sluice with a probe on each side, a soil probe at two depths, and a station that fell silent three days ago."""
    now = round(time.time() * 1000) // MINUTE * MINUTE
    for ago in (30, 15, 0):
        at = rfc3339(now - ago * MINUTE)
        rig.publish("cong-1", json.dumps({"time": at, "channels": {"in": {"water.ec": 1.2} | NATIVE, "out": {"water.ec": 9.8} | NATIVE}}))
        rig.publish("dat-1", json.dumps({"time": at, "channels": {"d10": {"soil.moisture": 0.31}, "d30": {"soil.moisture": 0.36}}}))
    for ago in (75, 74.75, 74.5):
        rig.publish("im-1", json.dumps({"time": rfc3339(now - round(ago * HOUR)), "readings": {"water.ec": 3.0} | NATIVE}))


def stations(rig: Any, field: str, measurement: str, where: str) -> set[str]:
    """Those that have such rows, past our own code."""
    found = rig.influx.query(f'SELECT last("{field}") FROM "{measurement}" WHERE {where} GROUP BY "station"', db="canhman")
    return {series["tags"]["station"] for series in found}


def coloured(rig: Any) -> set[str]:
    """Stations with a value that may be coloured now."""
    return stations(rig, "salinity", "latest", "time > now() AND fresh = 1")


def influx(found: Running) -> Any:
    """The InfluxDB behind it."""
    assert isinstance(found.rig, MosquittoInflux)
    return found.rig.influx


def found_by(filled: Running, fragment: str, **values: list[str]) -> list[tuple[dict[str, str], list[dict[str, Any]]]]:
    """(tags, rows by column) of every series that those queries of the boards find now whose text holds `fragment`; asked past our own code."""
    now = round(time.time() * 1000)
    series = []
    for document in documents("vi").values():
        for query in bound(document, start=now - 30 * DAY, end=now + 3 * DAY, interval_ms=15 * MINUTE, values=values):
            if query.panel and fragment in query.text:
                for answer in influx(filled).query(query.text, db="canhman"):
                    rows = [dict(zip(answer["columns"], row, strict=True)) for row in answer["values"]]
                    series.append((answer.get("tags", {}), [row for row in rows if any(v is not None for k, v in row.items() if k != "time")]))
    return series


def lines_of(filled: Running, station: str, measurement: str, field: str) -> dict[tuple[str, str], set[float]]:
    """(point, sensor) → the values of every line the boards draw of this field."""
    lines: dict[tuple[str, str], set[float]] = {}
    for tags, rows in found_by(filled, f'FROM "{measurement}"', station=[station]):
        if {"point", "sensor"} <= tags.keys() and any(field in row for row in rows):
            assert tags["station"] == station
            lines.setdefault((tags["point"], tags["sensor"]), set()).update(round(row[field], 2) for row in rows if row[field] is not None)
    return lines


def test_every_query_finds_points(filled: Running) -> None:
    """`canhman dashboards check`: no fault by the rules, no query without points or with an error; the time is told, and judged by the command."""
    done = filled.rig.run("dashboards", "check", "--days", "30", "--slow-ms", "10000", "--json", check=False)
    told = json.loads(done.stdout)
    assert (told["faults"], [q for q in told["queries"] if q["fault"]]) == ([], []), done.stderr
    assert done.returncode == 0
    assert len(told["queries"]) > 5


def test_the_sides_of_a_sluice_and_two_depths_are_lines_of_their_own(filled: Running) -> None:
    """One line a point and sensor, and no value of the one in the other."""
    sides = lines_of(filled, "cong-1", "water", "salinity")
    assert sides.keys() == {("in", "cong-1/in"), ("out", "cong-1/out")}
    assert max(sides["in", "cong-1/in"]) < 1
    assert min(sides["out", "cong-1/out"]) > 5
    assert lines_of(filled, "dat-1", "soil", "moisture") == {("d10", "dat-1/d10"): {0.31}, ("d30", "dat-1/d30"): {0.36}}


def test_a_silent_station_has_no_colour(filled: Running) -> None:
    """Every query that colours asks for fresh rows: there the silent station has none, the other fifty have theirs; it is listed all the same."""
    shown = [row["station"] for _, rows in found_by(filled, '"fresh" = 1') for row in rows if row.get("station") and row.get("salinity") is not None]
    assert "im-1" not in shown
    assert network_sites() <= set(shown)
    listed = {row["station"] for _, rows in found_by(filled, 'FROM "latest"') for row in rows if "seen" in row}
    assert "im-1" in listed
    assert stations(filled.rig, "salinity", "water", "station = 'im-1'") == {"im-1"}  # its readings are there: it is silence that takes the colour away
