"""`/api/v1/stations/{id}/soil` and `/crops`: what is measured, what may come, and what the crop asks for; nothing better than the readings behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers.backend import DAY_MS, NOW, Rig, make_backend
from servers.fields import FIELD, sow_soil

from adapters.sql.database import SqlDatabase
from api.backend import Backend
from canhman.configuration import read_crops
from core.batch import Batch
from core.clock import rfc3339
from core.flags import Flag
from core.forecast import HOUR_MS
from core.place import Deployment, Device
from core.series import SeriesKey
from core.state import Latest, SeriesState

CROPS = read_crops(None)


def made(folder: Path, **soil: Any) -> Rig:
    """The app with soil probes at ruong-8, whose water is kenh-lau's: 0.2 g/L, fresh, with forecasts of the days."""
    backend = make_backend(folder, crops=lambda: CROPS)
    asyncio.run(sow_soil(backend, **soil))
    return Rig(backend)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = made(tmp_path_factory.mktemp("field"))
    yield rig
    rig.close()


def soil(rig: Rig, query: str = "", station: str = FIELD, **more: Any) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/stations/{station}/soil{query}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_without_a_crop_it_tells_what_is_measured(field: Rig) -> None:
    """Each depth by local day, the shallowest first, and the water that may come; no root zone, no advice."""
    found = soil(field)
    assert [(d["point"], d["depth_m"], d["quantity"]) for d in found["depths"]] == [("p1", 0.1, "soil.ec_pore"), ("d30", 0.3, "soil.ec_pore")]
    for depth in found["depths"]:
        assert len(depth["days"]) == len(depth["low"]) == len(depth["high"]) == 14
        assert depth["newest"] == rfc3339(NOW - HOUR_MS // 2)
    assert found["depths"][0]["low"][0] == pytest.approx(6.0 * 0.8 * 0.35 / 0.60, abs=1e-3)
    assert found["depths"][0]["high"][0] == pytest.approx(6.0 * 1.2 * 0.41 / 0.45, abs=1e-3)
    assert (found["crop"], found["root_zone"], found["advice"], found["watered"]) == (None, None, None, None)
    assert (found["source"], found["point"], found["water"]["limit"]) == ("kenh-lau", "main", None)
    assert found["water"]["p_above_limit"] == [None] * 14


def test_with_a_crop_it_tells_what_it_asks_for(field: Rig) -> None:
    """The root zone of the crop's depth, the chances by its limit as the forecast states them, ECe and loss ahead, and advice in both languages."""
    found = soil(field, "?crop=rice&stage=ripening")
    shallow, deep = found["depths"]
    assert found["root_zone"]["low"] == pytest.approx((2 * shallow["low"][-1] + deep["low"][-1]) / 3, abs=2e-3)
    assert found["root_zone"]["depth_m"] == 0.3
    assert found["water"]["limit"] == 1.0
    assert found["water"]["p_above_limit"] == field.get("/api/v1/stations/kenh-lau/forecast?target=day_max").json()["p_gt"]["1"]
    watered = found["watered"]
    assert len(found["water"]["days"]) == len(watered["low"]) == len(watered["loss_high"]) == 14
    assert all(low <= high for low, high in zip(watered["low"], watered["high"], strict=True))
    assert all(high <= any_hour for high, any_hour in zip(watered["high"], found["any_hour"]["high"], strict=True))
    assert found["advice"]["act"] == "measure"
    assert found["advice"]["why"] == "unsure"
    assert not found["advice"]["approved"]
    assert any("chưa được duyệt" in line for line in found["advice"]["text"]["vi"])
    assert found["advice"]["text"]["en"][0] == "Measure first."
    assert {f["name"] for f in found["assumed"]} == {"use_least", "use_most", *(f for f in found_ground())}
    assert not any(f["verified"] or f["approved_by"] for f in found["assumed"])


def found_ground() -> set[str]:
    """The figures that are assumed of the ground."""
    return {
        "wilting",
        "field_capacity",
        "saturation_least",
        "saturation_most",
        "efficiency_least",
        "efficiency_most",
        "rise_most",
        "ec_rise",
    }


def test_salty_soil_and_fresh_water_are_leached(tmp_path: Path) -> None:
    """All of the span over what the crop bears: leach, with the share that drains, and the course of the soil with and without."""
    rig = made(tmp_path, pore={"p1": 20.0, "d30": 20.0})
    try:
        found = soil(rig, "?crop=rice&stage=flowering")
        assert found["advice"]["act"] == "leach"
        assert found["leached"]["leaching"] == found["advice"]["leaching"] > 0
        assert found["watered"]["leaching"] == 0
        assert found["leached"]["high"][-1] < found["watered"]["high"][-1]
    finally:
        rig.close()


@pytest.mark.parametrize(
    ("hours", "waits", "reason"),
    [
        (0, Latest(time=NOW - 60_000, value=45.0, flag=Flag.FAIL), "fault"),
        (0, Latest(time=NOW - 60_000, value=0.2, flag=Flag.SUSPECT), "suspect"),
        (4, None, "stale"),
    ],
)
def test_nobody_is_told_to_wash_with_water_that_is_not_known(tmp_path: Path, hours: int, waits: Latest | None, reason: str) -> None:
    """A newest reading that is bad though the judge has not come to it, an intake that is quiet: the verdict is unknown, and the advice is to measure."""
    rig = made(tmp_path, pore={"p1": 20.0, "d30": 20.0})
    try:
        if waits is not None:
            states = rig.run(lambda: rig.backend.states.states(station="kenh-lau"))
            rig.run(lambda: rig.backend.states.replace([replace(s, newest=waits) for s in states if s.key.quantity == "water.salinity"]))
        rig.clock.now = NOW + hours * HOUR_MS
        found = soil(rig, "?crop=rice&stage=flowering")
        assert (found["verdict"]["verdict"], found["verdict"]["reason"]) == ("unknown", reason)
        assert (found["advice"]["act"], found["advice"]["why"], found["leached"]) == ("measure", "no_water", None)
        assert "wait until the station has a fresh and good reading of the water" in found["advice"]["text"]["en"][1]
    finally:
        rig.close()


def test_the_advice_rests_on_the_verdict_by_the_lower_limit(tmp_path: Path) -> None:
    """The crop's, or the one the reader is shown the verdict by: rice bears 1 g/L, and beside a verdict at 0.3 g/L nobody washes with 0.2."""
    rig = made(tmp_path, pore={"p1": 20.0, "d30": 20.0})
    try:
        told = [soil(rig, f"?crop=rice&limit={limit}") for limit in ("4", "1", "0.3")]
        assert [(f["verdict"]["limit"], f["verdict"]["verdict"], f["advice"]["act"]) for f in told] == [
            (1.0, "take", "leach"),
            (1.0, "take", "leach"),
            (0.3, "measure", "measure"),
        ]
        assert told[2]["advice"]["why"] == "unsure_water"
        assert soil(rig)["verdict"] is None
    finally:
        rig.close()


@pytest.mark.parametrize(
    ("sown", "why"),
    [
        ({"last": NOW - 49 * HOUR_MS}, "no_reading"),
        ({"flag": Flag.SUSPECT}, "no_reading"),
        ({"flag": Flag.NOT_EVALUATED}, "no_reading"),
        ({"moisture": None}, "no_reading"),
        ({"moisture": 0.08}, "no_reading"),
    ],
)
def test_without_good_and_fresh_readings_nothing_is_known(tmp_path: Path, sown: dict[str, Any], why: str) -> None:
    """Old, suspect, not judged, without moisture or too dry: unknown with the reason, no root zone and no day ahead."""
    rig = made(tmp_path, pore={"p1": 0.5, "d30": 0.5}, **sown)
    try:
        found = soil(rig, "?crop=rice")
        assert (found["advice"]["act"], found["advice"]["why"]) == ("unknown", why)
        assert (found["root_zone"]["low"], found["root_zone"]["high"], found["root_zone"]["time"]) == (None, None, None)
        assert found["root_zone"]["silent"] == ["p1", "d30"]
        assert found["watered"] is None
        assert found["water"]["p_above_limit"]
    finally:
        rig.close()


def test_what_the_judge_has_not_seen_yet_does_not_count(tmp_path: Path) -> None:
    """Rows from `dirty_from` on wait for the judge: the soil is as old as the newest before them."""
    rig = made(tmp_path)
    try:
        states: list[SeriesState] = rig.run(lambda: rig.backend.states.states(station=FIELD))
        waits = [replace(s, dirty_from=NOW - 5 * HOUR_MS) for s in states if s.key.quantity == "soil.ec_pore"]
        rig.run(lambda: rig.backend.states.replace(waits))
        newest = soil(rig)["depths"][0]["newest"]
        assert newest == rfc3339(NOW - 5 * HOUR_MS - HOUR_MS // 2)
    finally:
        rig.close()


def test_an_old_forecast_is_none(tmp_path: Path) -> None:
    """A day after the newest issue the water of the days ahead is not told; the soil now still is."""
    rig = made(tmp_path)
    try:
        rig.clock.now = NOW + 20 * HOUR_MS
        found = soil(rig, "?crop=rice")
        assert (found["water"], found["watered"]) == (None, None)
        assert found["root_zone"]["time"] is not None
    finally:
        rig.close()


def test_a_probe_that_was_taken_away_is_not_asked(tmp_path: Path) -> None:
    """Its point is left out once nothing stands there, and no longer makes the root zone unknown."""
    rig = made(tmp_path, last=NOW - 3 * DAY_MS)
    try:
        assert soil(rig, "?crop=rice")["root_zone"]["silent"] == ["p1", "d30"]
        ended = Deployment(device="soil-1", channel="d30", station=FIELD, point="d30", interval_s=3600, start=NOW - 30 * DAY_MS, end=NOW - DAY_MS)
        db = rig.backend.registry
        assert isinstance(db, SqlDatabase)
        rig.run(lambda: db.put(ended, actor="test"))
        rig.app.state.present._read_at = 0.0
        found = soil(rig, "?crop=rice")
        assert [d["point"] for d in found["depths"]] == ["p1"]
        assert found["root_zone"]["silent"] == ["p1"]
    finally:
        rig.close()


def test_a_station_without_probes(field: Rig) -> None:
    """Its water and the crop's limit are told all the same; the soil is not known."""
    found = soil(field, "?crop=durian", station="kenh-lau")
    assert found["depths"] == []
    assert found["advice"]["act"] == "unknown"
    assert found["water"]["limit"] == 0.5
    assert len(found["water"]["p_above_limit"]) == 14
    assert soil(field, "?crop=durian", station="tram-moi")["water"] is None


@pytest.mark.parametrize(
    ("query", "kind", "names"),
    [("?crop=cassava", "no_crop", "rice, durian"), ("?crop=rice&stage=x", "no_stage", "seedling, tillering"), ("?stage=seedling", "no_stage", "–")],
)
def test_a_crop_or_stage_there_is_not(field: Rig, query: str, kind: str, names: str) -> None:
    """422, and what there is."""
    answer = field.get(f"/api/v1/stations/{FIELD}/soil{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, f"urn:canhman:problem:{kind}")
    assert names in answer.json()["detail"]


def test_a_private_field_is_not_there(field: Rig) -> None:
    """404, as for one that does not exist; its org's officer sees it."""
    assert field.get("/api/v1/stations/rieng/soil").json()["type"] == field.get("/api/v1/stations/x/soil").json()["type"] == "urn:canhman:problem:no_station"
    assert field.get("/api/v1/stations/rieng/soil", as_="be").status_code == 200


def test_the_crops_with_what_stands_behind_them(field: Rig) -> None:
    """Every figure with source, verified and approved_by; nobody's name is on what is shipped."""
    found = field.get("/api/v1/crops").json()
    assert found["approved_by"] == ""
    assert [c["id"] for c in found["items"]] == [c.id for c in CROPS.crops]
    rice = found["items"][0]
    assert [s["id"] for s in rice["stages"]] == ["seedling", "tillering", "flowering", "ripening"]
    assert rice["stages"][0]["threshold"]["value"] == 1.9
    for crop in found["items"]:
        assert all(f["source"] and f["approved_by"] == "" for f in crop["figures"])
    assert not next(f for f in rice["figures"] if f["name"] == "slope")["verified"]


def test_rain_that_was_measured_washes(tmp_path: Path) -> None:
    """200 mm at the intake after the soil was read lower what is reckoned for the days ahead."""
    rig = made(tmp_path)
    try:
        dry = soil(rig, "?crop=rice")["watered"]
        for at, washes in ((NOW - HOUR_MS, False), (NOW - HOUR_MS // 4, True)):  # the probe was read in between, and felt the first
            rig.run(lambda at=at: _rain(rig.backend, at))
            rig.app.state.present._read_at = 0.0
            wet = soil(rig, "?crop=rice")["watered"]
            assert (wet["high"][0] < 0.8 * dry["high"][0]) == washes
    finally:
        rig.close()


async def _rain(backend: Backend, at: int) -> None:
    db = backend.registry
    assert isinstance(db, SqlDatabase)
    key = SeriesKey("vithanh", "kenh-lau", "mast", "rain-1", "air.rain")
    last = Latest(time=at, value=200.0, flag=int(Flag.GOOD))
    await db.put(Device(id="rain-1", org="vithanh"), Deployment(device="rain-1", channel="main", station="kenh-lau", point="mast"), actor="test")
    await backend.store.write(Batch.of([0], [last.time], [last.value], flag=np.array([1], dtype=np.uint8)), [key])
    await db.replace(
        [SeriesState(key=key, role="primary", newest=last, received=last.time, judged=last, good=last, dirty_from=None, changed=0, interval_ms=HOUR_MS)]
    )
