"""`canhman alerts` keeps what boards read in InfluxDB; on another store it computes nothing of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.front import Front
from servers.influxd import InfluxD
from servers.waiting import until

from adapters.influx import InfluxStore
from canhman import alerting, heartbeat
from canhman.settings import read_settings
from canhman.signals import Signals
from core.errors import RefusedError
from core.place import Deployment, Device, Org, Station
from core.series import SeriesKey
from core.state import Latest, SeriesState
from registry.mirroring import Mirroring
from registry.situation import Situation

KEY = SeriesKey("o", "kl", "main", "d", "water.salinity")
STATION = Station(id="kl", org="o", name="Kênh Lầu")
COLOURED = 'SELECT last("salinity") AS "salinity", "name" FROM "latest" WHERE time > now() AND "fresh" = 1 GROUP BY "station", "point"'


@pytest.fixture
def influxd(tmp_path: Path) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path / "influxd")
    server.start()
    yield server
    server.stop()


def make_store(influxd: InfluxD, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty database, and the setting that names it."""
    monkeypatch.setenv("CANHMAN_STORE", f"influxdb://127.0.0.1:{influxd.port}/canhman?api=v1")
    store = InfluxStore(influxd.url)
    asyncio.run(store.create())
    asyncio.run(store.close())


def coloured_in(influxd: InfluxD) -> list[tuple[Any, ...]]:
    """(salinity, name) of what a board would colour now."""
    return [tuple(values[1:]) for series in influxd.query(COLOURED, db="canhman") for values in series["values"]]


def seed(front: Front) -> None:
    """One station with one sensor, that sent one good reading."""
    deployment = Deployment(device="d", channel="main", station="kl", point="main", interval_s=900)
    front.database(lambda db: db.put(Org(id="o", name="O"), STATION, Device(id="d", org="o"), deployment, actor="test"))
    feed(front, 0.3)


def feed(front: Front, value: float, flag: int = 1) -> None:
    """The newest reading, judged."""
    at = time.time_ns() // 1_000_000
    latest = Latest(time=at, value=value, flag=flag)
    state = SeriesState(key=KEY, role="primary", newest=latest, received=at, judged=latest, good=None, dirty_from=None, changed=0)
    front.database(lambda db: db.replace([state]))


@contextmanager
def service() -> Iterator[Callable[[], heartbeat.Heartbeat]]:
    """The service in a thread with a loop of its own, as `canhman up` runs it; gives its heartbeat."""
    read, signals = read_settings(), Signals()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(alerting.alerts(read, wait_s=0, signals=signals, started=lambda _: None))
        except BaseException as error:  # noqa: BLE001  shown by the test's own thread
            failed.append(error)

    def beat() -> heartbeat.Heartbeat:
        found = heartbeat.read(read.data, "alerts")
        assert found is not None
        return found

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: failed or heartbeat.read(read.data, "alerts"), 30, "it says how it is")
        assert failed == []
        yield beat
    finally:
        signals.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert failed == []


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often alerts and boards were mirrored, each fifth of a second."""
    counted = {"alerts": 0, "boards": 0}
    alerts, boards = alerting.Mirroring.run, Mirroring.latest

    async def count_alerts(self: alerting.Mirroring, now: int) -> int:
        counted["alerts"] += 1
        return await alerts(self, now)

    async def count_boards(self: Mirroring, situation: Situation, now: int) -> int:
        counted["boards"] += 1
        return await boards(self, situation, now)

    monkeypatch.setattr(alerting.Mirroring, "run", count_alerts)
    monkeypatch.setattr(Mirroring, "latest", count_boards)
    monkeypatch.setattr(alerting, "MIRROR_EVERY_S", 0.2)
    monkeypatch.setattr(alerting, "BOARDS_EVERY_S", 0.2)
    return counted


@pytest.mark.servers
def test_what_boards_read_is_kept_through_an_outage(front: Front, influxd: InfluxD, runs: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A new name is written at once; what failed while InfluxDB was away is withdrawn once it is back; the heartbeat counts and tells."""
    make_store(influxd, monkeypatch)

    def coloured() -> list[tuple[Any, ...]]:
        return coloured_in(influxd)

    seed(front)
    with service() as beat:
        until(lambda: coloured() == [(0.3, "Kênh Lầu")], 30, lambda: f"it is coloured: {beat()}")
        until(lambda: beat().figures["mirrored_latest"] == beat().figures["mirrored_stations"] == 1, 30, lambda: f"it is counted: {beat()}")
        front.database(lambda db: db.put(replace(STATION, name="Kênh Lầu mới"), actor="test"))
        until(lambda: coloured() == [(0.3, "Kênh Lầu mới")], 30, lambda: f"the new name: {beat()}")
        influxd.stop()
        feed(front, 40.0, 4)
        until(lambda: "mirror of boards" in beat().troubles, 60, lambda: f"it is told: {beat()}")
        influxd.start()
        until(lambda: coloured() == [], 60, lambda: f"it is withdrawn: {beat()}")
        until(lambda: beat().troubles == {}, 60, lambda: f"all is green: {beat()}")


@pytest.mark.servers
def test_where_nothing_changed_nothing_is_computed(front: Front, influxd: InfluxD, runs: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a minute boards are mirrored again only after a change of readings or registry."""
    make_store(influxd, monkeypatch)
    seed(front)
    with service() as beat:
        until(lambda: beat().figures["mirrored_latest"] == 1, 30, lambda: f"it is mirrored: {beat()}")
        before = dict(runs)
        until(lambda: runs["alerts"] >= before["alerts"] + 5, 30, "five rounds more")
        assert runs["boards"] <= before["boards"] + 1, "a minute of the clock may have begun"
        feed(front, 0.4)
        until(lambda: runs["boards"] > before["boards"], 30, "a new reading is looked at")


@pytest.mark.servers
@pytest.mark.parametrize("part", ["alerts", "stations", "a fault in alerts"])
def test_one_mirror_that_is_refused_stops_no_other(part: str, front: Front, influxd: InfluxD, runs: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that refuses alerts, or stations, for ever: a failing value loses its colour all the same, the other is written, and it is told."""
    make_store(influxd, monkeypatch)
    refused: list[bool] = []

    async def refuse(*_: object) -> int:
        refused.append(True)
        raise RefusedError("field type conflict") if part != "a fault in alerts" else ValueError("a fault")

    monkeypatch.setattr(*((Mirroring, "stations") if part == "stations" else (alerting.Mirroring, "run")), refuse)
    seed(front)
    with service() as beat:
        until(lambda: [salinity for salinity, _ in coloured_in(influxd)] == [0.3], 30, lambda: f"it is coloured: {beat()}")
        until(lambda: len(refused) > 2, 30, "it is refused again and again")
        feed(front, 40.0, 4)
        until(lambda: coloured_in(influxd) == [], 30, lambda: f"it is withdrawn: {beat()}")
        until(lambda: beat().troubles.keys() == {"mirror of stations" if part == "stations" else "mirror"}, 30, lambda: f"it is told: {beat()}")
        if part == "stations":
            before = runs["alerts"]
            until(lambda: runs["alerts"] > before + 1, 30, lambda: f"alerts are mirrored: {beat()}")
        else:
            assert influxd.query('SELECT last("name") FROM "station"', db="canhman")


@pytest.mark.servers
def test_a_row_that_is_refused_delays_nothing(front: Front, influxd: InfluxD, runs: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """`latest` refuses one point's row: it is told as long as it lasts, and another's colour goes with the next round, not ten seconds later."""
    make_store(influxd, monkeypatch)
    monkeypatch.setattr(alerting, "MIRROR_EVERY_S", 3600.0)
    body = f'latest,org=o,point=odd,station=kl flag="four" {time.time_ns() // 1_000_000 - 60 * 24 * 3_600_000}'
    httpx.post(f"{influxd.url}/write", params={"db": "canhman", "precision": "ms"}, content=body.encode()).raise_for_status()
    seed(front)
    past = SeriesKey("o", "kl", "odd", "e", "water.salinity")
    old = Latest(time=time.time_ns() // 1_000_000 - 60 * 24 * 3_600_000 + 1, value=0.3, flag=1)
    state = SeriesState(key=past, role="primary", newest=old, received=old.time, judged=old, good=None, dirty_from=None, changed=0)
    front.database(lambda db: db.replace([state]))
    with service() as beat:
        until(lambda: "field type conflict" in beat().troubles.get("mirror of boards", ""), 30, lambda: f"it is told: {beat()}")
        assert len(coloured_in(influxd)) == 1
        feed(front, 40.0, 4)
        until(lambda: coloured_in(influxd) == [], 30, lambda: f"it is withdrawn: {beat()}")
        assert "mirror of boards" in beat().troubles


@pytest.mark.sockets
def test_a_store_that_no_board_reads_costs_nothing(front: Front, runs: dict[str, int]) -> None:
    """On SQLite nothing is computed for boards, however often alerts are mirrored."""
    seed(front)
    with service() as beat:
        until(lambda: runs["alerts"] >= 5, 30, lambda: f"five rounds: {beat()}")
        assert beat().figures["mirrored_latest"] == 0
    assert runs["boards"] == 0
