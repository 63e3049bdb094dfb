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

import pytest
from servers.front import Front
from servers.influxd import InfluxD
from servers.waiting import until

from adapters.influx import InfluxStore
from canhman import alerting, heartbeat
from canhman.settings import read_settings
from canhman.signals import Signals
from core.place import Deployment, Device, Org, Station
from core.series import SeriesKey
from core.state import Latest, SeriesState
from registry.mirroring import Mirrored, Mirroring
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
    alerts, boards = alerting.Mirroring.run, Mirroring.run

    async def count_alerts(self: alerting.Mirroring, now: int) -> int:
        counted["alerts"] += 1
        return await alerts(self, now)

    async def count_boards(self: Mirroring, situation: Situation, now: int) -> Mirrored:
        counted["boards"] += 1
        return await boards(self, situation, now)

    monkeypatch.setattr(alerting.Mirroring, "run", count_alerts)
    monkeypatch.setattr(Mirroring, "run", count_boards)
    monkeypatch.setattr(alerting, "MIRROR_EVERY_S", 0.2)
    return counted


@pytest.mark.servers
def test_what_boards_read_is_kept_through_an_outage(front: Front, influxd: InfluxD, runs: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A new name is written at once; what failed while InfluxDB was away is withdrawn once it is back; the heartbeat counts and tells."""
    monkeypatch.setenv("CANHMAN_STORE", f"influxdb://127.0.0.1:{influxd.port}/canhman?api=v1")
    store = InfluxStore(influxd.url)
    asyncio.run(store.create())
    asyncio.run(store.close())

    def coloured() -> list[tuple[Any, ...]]:
        return [tuple(values[1:]) for series in influxd.query(COLOURED, db="canhman") for values in series["values"]]

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
    monkeypatch.setenv("CANHMAN_STORE", f"influxdb://127.0.0.1:{influxd.port}/canhman?api=v1")
    store = InfluxStore(influxd.url)
    asyncio.run(store.create())
    asyncio.run(store.close())
    seed(front)
    with service() as beat:
        until(lambda: beat().figures["mirrored_latest"] == 1, 30, lambda: f"it is mirrored: {beat()}")
        before = dict(runs)
        until(lambda: runs["alerts"] >= before["alerts"] + 5, 30, "five rounds more")
        assert runs["boards"] <= before["boards"] + 1, "a minute of the clock may have begun"
        feed(front, 0.4)
        until(lambda: runs["boards"] > before["boards"], 30, "a new reading is looked at")


@pytest.mark.sockets
def test_a_store_that_no_board_reads_costs_nothing(front: Front, runs: dict[str, int]) -> None:
    """On SQLite nothing is computed for boards, however often alerts are mirrored."""
    seed(front)
    with service() as beat:
        until(lambda: runs["alerts"] >= 5, 30, lambda: f"five rounds: {beat()}")
        assert beat().figures["mirrored_latest"] == 0
    assert runs["boards"] == 0
