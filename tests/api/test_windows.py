"""`/api/v1/stations/{id}/windows`: the hours to pump with what they were read from, or why there are none; both sides of a sluice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from servers.backend import DAY_MS, NOW, Rig, forecast, make_rig

from core.clock import rfc3339
from core.forecast import HOUR_MS

KEYS = ["station", "source", "point", "limit", "unit", "promised", "issued_at", "model", "until", "verdict", "reason", "windows", "sluice"]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The app, for tests that change nothing in it."""
    made = make_rig(tmp_path_factory.mktemp("still"))
    yield made
    made.close()


def read(rig: Rig, path: str, **more: Any) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/stations/{path}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tides(point: str, low: float, high: float, *, station: str = "kenh-lau", issued: int = NOW - HOUR_MS) -> Any:
    """An hourly forecast that is `low` in hours 4–7 of every 12 from NOW on, else `high`."""
    base = forecast(station, point, "hour", low, issued)
    salty = forecast(station, point, "hour", high, issued)
    times = tuple(NOW + i * HOUR_MS for i in range(72))
    pick = [base if 4 <= i % 12 < 8 else salty for i in range(72)]
    return dataclasses.replace(base, times=times, quantiles=tuple(f.quantiles[0] for f in pick), p_gt=tuple(f.p_gt[0] for f in pick))


def test_the_shape(still: Rig) -> None:
    """Fresh water with a calm forecast: one window over what the forecast reaches, with its verdict, its issue and its words."""
    found = read(still, "kenh-lau/windows")
    assert list(found) == KEYS
    assert (found["station"], found["source"], found["point"], found["limit"], found["unit"], found["promised"]) == ("kenh-lau", None, "main", 1.0, "g/L", 0.9)
    assert (found["issued_at"], found["model"], found["reason"]) == (rfc3339(NOW - HOUR_MS), "persistence", "ok")
    assert found["verdict"] == read(still, "kenh-lau")["risk"]
    until = rfc3339(NOW + 71 * HOUR_MS)  # issued an hour ago for 72
    assert found["until"] == until
    texts = {"vi": "Suốt 71 giờ tới", "en": "For the next 71 hours"}
    assert found["windows"] == [{"start": rfc3339(NOW), "end": until, "p": 0.98, "median": 0.2, "text": texts}]
    assert found["sluice"] is None


def test_each_ebb_is_a_window_by_the_limit_asked_for(rig: Rig) -> None:
    """Low water alone by 1 g/L; all hours by 4 g/L; none by 0.1, and that is no fault."""
    rig.run(lambda: rig.backend.forecasts.issue([tides("main", 0.2, 3.0, issued=NOW - HOUR_MS // 2)]))
    ebbs = read(rig, "kenh-lau/windows")["windows"]
    assert [w["start"] for w in ebbs] == [rfc3339(NOW + (4 + 12 * n) * HOUR_MS) for n in range(6)]
    assert ebbs[0]["text"] == {"vi": "Chiều nay 14–18\u00a0giờ", "en": "This afternoon 2–6\u00a0pm"}
    assert ebbs[1]["text"]["vi"] == "Rạng sáng mai 2–6\u00a0giờ"
    all_day = read(rig, "kenh-lau/windows?limit=4")
    assert (all_day["limit"], all_day["verdict"]["limit"], len(all_day["windows"])) == (4.0, 4.0, 1)
    none = read(rig, "kenh-lau/windows?limit=0.1")
    assert (none["windows"], none["reason"]) == ([], "ok")


@pytest.mark.parametrize(("station", "reason", "verdict"), [("kenh-nam", "silent", "unknown"), ("tram-moi", "no_data", "unknown"), ("cai-lon", "ok", "stop")])
def test_where_there_are_none(still: Rig, station: str, reason: str, verdict: str) -> None:
    """Silent and never measured: the verdict's reason and no issue; salty: looked at, and none is sure enough."""
    found = read(still, f"{station}/windows")
    assert (found["windows"], found["reason"], found["verdict"]["verdict"]) == ([], reason, verdict)
    assert (found["issued_at"] is None) == (reason != "ok")
    assert found["point"] == {"kenh-nam": "main", "tram-moi": None, "cai-lon": "in"}[station]


def test_an_old_forecast_gives_none(rig: Rig) -> None:
    """A day and a half after the last issue, with fresh water: no forecast."""
    rig.run(lambda: rig.backend.forecasts.issue([dataclasses.replace(tides("main", 0.2, 0.2, station="rieng"), org="longmy", issued_at=NOW - 36 * HOUR_MS)]))
    found = read(rig, "rieng/windows?limit=4", as_="be")
    assert (found["windows"], found["reason"]) == ([], "no_forecast")
    assert found["verdict"]["reason"] == "no_forecast"


def test_the_data_grow_old(rig: Rig) -> None:
    """Two hours later nothing was measured: the windows are gone."""
    assert read(rig, "kenh-lau/windows")["windows"]
    rig.clock.now = NOW + 2 * HOUR_MS
    assert (read(rig, "kenh-lau/windows")["windows"], read(rig, "kenh-lau/windows")["reason"]) == ([], "stale")


def test_a_field_has_those_of_its_intake(still: Rig) -> None:
    """The same windows, and whose water it is."""
    field, intake = read(still, "ruong-8/windows"), read(still, "kenh-lau/windows")
    assert (field["station"], field["source"], field["point"]) == ("ruong-8", "kenh-lau", "main")
    assert field["windows"] == intake["windows"]


def test_another_point_is_judged_by_its_own_water(still: Rig) -> None:
    """Outside the sluice: its own reading and its own forecast, of which there is none."""
    found = read(still, "cai-lon/windows?point=out&limit=12")
    assert (found["point"], found["reason"], found["verdict"]["verdict"]) == ("out", "no_forecast", "measure")


def test_both_sides_of_a_sluice(rig: Rig) -> None:
    """At each ebb it is better open: the water outside is the fresher one and under the limit, with the least chance of it; by a lower limit never."""
    rig.run(lambda: rig.backend.forecasts.issue([tides("out", 3.0, 9.0, station="cai-lon")]))
    sides = read(rig, "cai-lon/windows?limit=4")["sluice"]["sides"]
    assert [s["better"] for s in sides[:3]] == ["shut", "open", "shut"]
    ebb = sides[1]
    assert (ebb["start"], ebb["end"], ebb["outside"], ebb["inside"], ebb["turns"]) == (rfc3339(NOW + 4 * HOUR_MS), rfc3339(NOW + 8 * HOUR_MS), 3.0, 5.0, True)
    assert 0.9 <= ebb["p"] <= 1
    assert {s["better"] for s in read(rig, "cai-lon/windows?limit=1")["sluice"]["sides"]} == {"shut"}


def test_one_side_without_a_forecast(still: Rig) -> None:
    """Nothing is said of the sluice, and why."""
    assert read(still, "cai-lon/windows")["sluice"] == {"inside": "in", "outside": "out", "reason": "no_forecast", "sides": []}


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "x", "1000"])
def test_a_limit_that_is_none(still: Rig, limit: str) -> None:
    """422, never another limit."""
    answer = still.get(f"/api/v1/stations/kenh-lau/windows?limit={limit}")
    assert (answer.status_code, answer.json()["parameter"]) == (422, "limit")


def test_who_sees_it(still: Rig) -> None:
    """Another's private station is 404, an unknown point too, with the points there are; an unknown parameter is refused."""
    assert still.get("/api/v1/stations/rieng/windows").status_code == 404
    assert still.get("/api/v1/stations/rieng/windows", as_="be").status_code == 200
    assert "in, out" in still.get("/api/v1/stations/cai-lon/windows?point=main").json()["detail"]
    assert still.get("/api/v1/stations/kenh-lau/windows?hours=24").status_code == 422


def test_it_is_asked_for_anew(rig: Rig) -> None:
    """It holds a verdict: no cache may show it without asking, and the same answer is 304."""
    answer = rig.get("/api/v1/stations/kenh-lau/windows")
    assert answer.headers["cache-control"] == "no-cache"
    again = rig.get("/api/v1/stations/kenh-lau/windows", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    rig.clock.now = NOW + DAY_MS
    assert rig.get("/api/v1/stations/kenh-lau/windows", headers={"If-None-Match": answer.headers["etag"]}).status_code == 200
