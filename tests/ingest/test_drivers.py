"""What moves the water comes in like any other series: a recorded CSV is replayed, judged and stored, read back over HTTP, and shown to the models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.backend import Rig, make_backend

from analytics.forecast_config import parse_forecast
from analytics.history import History
from analytics.issuing import Issuer
from analytics.model import DriverHistory, Issue, Model
from core.clock import SimClock, rfc3339
from core.instant import parse_rfc3339
from core.ports import Delivery
from core.quantities import ALIASES, QUANTITIES
from firmware_sim.replay import read_csv, replay

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z, ten in Vietnam
DAYS = 20
DRIVERS: list[dict[str, Any]] = [
    {"name": "discharge", "station": "kratie", "quantity": "water.discharge"},
    {"name": "level", "station": "kratie", "quantity": "water.level", "statistic": "max"},
    {"name": "gate", "station": "cong", "quantity": "water.gate_opening", "statistic": "last", "stations": ["kl01"]},
    {"name": "wind", "station": "nowhere", "quantity": "air.wind_speed"},
]


class Mouth:
    """A publisher whose broker is the line's journal."""

    def __init__(self, line: Any) -> None:
        self.line = line

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to leave."""

    async def publish(self, topic: str, payload: bytes) -> Delivery:
        """Into the journal, as ingest would."""
        _, org, device, leaf = topic.split("/")
        self.line.send(device, payload, org=org, leaf=leaf)
        return Delivery.ACKNOWLEDGED


def recorded(folder: Path) -> list[Path]:
    """As a province keeps them: discharge and level once a day, a sluice's openings in percent, salinity every two hours; local times."""
    start = datetime.fromisoformat("2026-03-02T07:00") - timedelta(days=DAYS)
    days = [start + timedelta(days=n) for n in range(DAYS + 1)]
    river = [f"Kratie,{t.isoformat()},{2400 - 10 * n},{180 - n}" for n, t in enumerate(days)]
    river[5] = river[5].replace(",2350,", ",-999999,")  # somebody's mark of a missing value
    river[7] = river[7].replace(",2330,", ",,")
    gate = [f"Cong,{t.isoformat()},{100 if n % 2 else 0}" for n, t in enumerate(days)]
    salt = [f"kl01,{(start + timedelta(hours=2 * n)).isoformat()},{1 + n % 7 / 10:.1f}" for n in range(12 * DAYS)]
    files = {"river.csv": ("station,time_local,discharge_m3_s,level_cm", river), "gate.csv": ("station,time_local,gate_open_percent", gate)}
    files["salt.csv"] = ("station,time_local,salinity_g_L", salt)
    for name, (head, rows) in files.items():
        (folder / name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return [folder / name for name in files]


@pytest.fixture
def filled(line: Any, tmp_path: Path) -> Any:
    """A line that has replayed and judged all three files."""
    for file in recorded(tmp_path):
        report = asyncio.run(replay(read_csv(file), lambda device: Mouth(line), SimClock(NOON, 0), org="default", speed=None, batch=96))
        assert (report.bad_count, report.waiting) == (0, 0)
    line.work()
    return line


def test_a_discharge_series_is_stored_and_judged_as_any_other(filled: Any) -> None:
    """Found by its column's name, in our units, good; what cannot be is kept with flag 4, an empty cell is no reading."""
    rows = filled.rows("Kratie", "water.discharge", station="kratie")
    assert len(rows) == DAYS
    assert [value for _, value, _ in rows][:5] == [2400.0, 2390.0, 2380.0, 2370.0, 2360.0]
    assert [flag for _, _, flag in rows] == [1] * 5 + [4] + [1] * (DAYS - 6)
    assert rows[0][0] == parse_rfc3339("2026-02-10T00:00:00Z")
    assert [value for _, value, _ in filled.rows("Kratie", "water.level", station="kratie")][:2] == [1.8, 1.79]
    assert {value for _, value, _ in filled.rows("Cong", "water.gate_opening", station="cong")} == {0.0, 1.0}
    assert filled.dead() == []


def test_it_is_read_back_over_http(filled: Any, tmp_path: Path) -> None:
    """With its unit and flags; by whoever may see the station."""
    (tmp_path / "api").mkdir()
    backend = make_backend(tmp_path / "api", sown=False, registry=filled.database, states=filled.database, forecasts=filled.database, store=filled.store)
    rig = Rig(backend)
    path = "/api/v1/stations/kratie/series?quantity=water.discharge&start=2026-02-10T00:00:00Z&end=2026-03-02T12:00:00Z"
    try:
        assert rig.get(path).status_code == 404, "a station that registered itself is not public"
        filled.put(*[replace(s, public=True) for s in filled.ask(filled.database.snapshot()).stations])
        rig.app.state.present._read_at = 0.0
        found = rig.get(path).json()
        assert (found["unit"], len(found["values"]), found["flags"][5]) == ("m3/s", DAYS, 4)
    finally:
        rig.close()


def test_models_are_shown_it(filled: Any) -> None:
    """By the name and for the stations that forecast.toml says; only good readings; one that is nowhere as an empty series."""
    shown: list[Sequence[DriverHistory]] = []

    def say(target: str, histories: Sequence[History], wanted: Sequence[int], at: int, drivers: Sequence[DriverHistory]) -> list[Issue | None]:
        shown.append(drivers)
        return [None] * len(wanted)

    model = Model(name="listener", version="1", targets=("day_max",), say=say)
    config = parse_forecast({"driver": DRIVERS})
    clock = SimClock(NOON - 2 * 3_600_000, 0)
    issuer = Issuer(database=filled.database, store=filled.store, clock=clock, models=(model,), drivers=config.drivers)
    asyncio.run(issuer.round())
    discharge, level, gate, wind = shown[0]
    assert (discharge.name, discharge.statistic, discharge.bears_on) == ("discharge", "mean", None)
    assert discharge.history.value.tolist() == [float(2400 - 10 * n) for n in range(DAYS + 1) if n not in (5, 7)]
    assert rfc3339(int(discharge.history.time[0])) == "2026-02-10T00:00:00Z"
    assert len(level.history.value) == DAYS + 1
    assert gate.bears_on == frozenset({"kl01"})
    assert len(wind.history.value) == 0


@pytest.mark.parametrize("quantity", ["water.discharge", "water.level", "water.gate_opening", "air.wind_speed", "air.wind_direction", "air.rain"])
def test_a_driver_has_a_column_by_which_files_name_it(quantity: str, tmp_path: Path) -> None:
    """By an alias and by the quantity's own name with its unit."""
    for column in (next(alias for alias, (name, _) in ALIASES.items() if name == quantity), f"{quantity}_{QUANTITIES[quantity].unit}"):
        file = tmp_path / "x.csv"
        file.write_text(f"station,time_utc,{column}\na,{datetime(2026, 3, 1, 7, tzinfo=UTC).isoformat()},0.5\n")
        assert [list(row.readings) for row in read_csv(file)] == [[quantity]]


def test_over_mqtt_it_is_native_json(line: Any) -> None:
    """A logger of a ministry says it as a probe would say conductivity."""
    line.send("tan-chau", '{"time":"2026-03-02T00:00:00Z","readings":{"water.discharge":-310.5,"water.gate_opening":0.25}}')
    line.work()
    assert line.rows("tan-chau", "water.discharge") == [(parse_rfc3339("2026-03-02T00:00:00Z"), -310.5, 1)]
    assert line.rows("tan-chau", "water.gate_opening") == [(parse_rfc3339("2026-03-02T00:00:00Z"), 0.25, 1)]
