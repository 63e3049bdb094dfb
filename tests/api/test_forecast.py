"""`/api/v1/stations/{id}/forecast` and `/forecasts`: as they were issued, two issues as two."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from servers.backend import DAY_MS, NOW, Rig, forecast

from core.clock import rfc3339
from core.forecast import HOUR_MS

KEYS = [
    "station",
    "point",
    "target",
    "issued_at",
    "model",
    "version",
    "data_until",
    "inputs",
    "unit",
    "leads",
    "times",
    "q05",
    "q25",
    "q50",
    "q75",
    "q95",
    "p_gt",
    "reasons",
    "missing",
    "fresh",
]


def read(rig: Rig, path: str, **more: Any) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/stations/{path}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_shape(rig: Rig) -> None:
    """The newest issue, with one entry per lead in every array and a probability per line."""
    found = read(rig, "kenh-lau/forecast?target=day_max")
    assert list(found) == KEYS
    assert (found["station"], found["point"], found["target"], found["unit"], found["model"]) == ("kenh-lau", "main", "day_max", "g/L", "persistence")
    assert (found["issued_at"], found["data_until"]) == (rfc3339(NOW - 5 * HOUR_MS), rfc3339(NOW - 5 * HOUR_MS - 60_000))
    assert found["leads"] == list(range(1, 15))
    assert {len(found[k]) for k in ("times", "q05", "q25", "q50", "q75", "q95")} == {14}
    assert list(found["p_gt"]) == ["0.5", "1", "2", "4"]
    assert found["p_gt"]["1"] == [0.02] * 14
    assert [found[q][13] for q in ("q05", "q25", "q50", "q75", "q95")] == pytest.approx([0.18, 0.19, 0.2, 0.21, 0.22])
    assert len(read(rig, "cai-lon/forecast?target=hour")["leads"]) == 72
    assert read(rig, "cai-lon/forecast?target=hour")["point"] == "in"


@pytest.mark.parametrize("target", ["day_max", "day_min", "hour"])
def test_an_issue_too_old_to_be_told_of_is_marked(rig: Rig, target: str) -> None:
    """It is given all the same, a day old and a millisecond more: nothing on a page is of it. Where there is none, nothing is fresh."""
    issued = NOW - (1 if target == "hour" else 5) * HOUR_MS
    for now, fresh in ((NOW, True), (issued + DAY_MS, True), (issued + DAY_MS + 1, False)):
        rig.clock.now = now
        found = read(rig, f"kenh-lau/forecast?target={target}")
        assert (found["issued_at"], found["fresh"]) == (rfc3339(issued), fresh)
    assert read(rig, "kenh-nam/forecast")["fresh"] is False


def test_reasons_and_what_was_silent(rig: Rig) -> None:
    """Each reason with its words in both languages, and the drivers that were silent; in the list of all issues too."""
    found = read(rig, "cai-lon/forecast?target=day_max")
    assert found["reasons"][0] == {
        "code": "tide",
        "name": "",
        "effect": 0.42,
        "lead": 1,
        "text": {
            "vi": "Con nước đang vào kỳ đẩy mặn lên, mặn thêm chừng 0,4\u00a0g/L.",
            "en": "The spring-neap tide is in the days that push salt up, about 0.4\u00a0g/L saltier.",
        },
    }
    assert found["missing"] == ["discharge"]
    assert read(rig, "cai-lon/forecasts?target=day_max")["items"][-1] == found
    quiet = read(rig, "kenh-lau/forecast?target=day_max")
    assert (quiet["reasons"], quiet["missing"]) == ([], [])


def test_the_chance_to_be_over_a_limit_of_ones_own(rig: Rig) -> None:
    """Beside the four lines, between those around it; a limit that is one of them changes nothing, none yet has an empty column."""
    plain, asked = read(rig, "cai-lon/forecast?target=day_max"), read(rig, "cai-lon/forecast?target=day_max&limit=4.8")
    assert list(asked["p_gt"]) == ["0.5", "1", "2", "4", "4.8"]
    assert {k: v for k, v in asked["p_gt"].items() if k != "4.8"} == plain["p_gt"]
    issue = forecast("cai-lon", "in", "day_max", 5.0, NOW)
    assert asked["p_gt"]["4.8"] == pytest.approx([issue.exceedance(0, 4.8)] * 14)
    assert 0 < asked["p_gt"]["4.8"][0] < asked["p_gt"]["4"][0]
    assert read(rig, "cai-lon/forecast?target=day_max&limit=4")["p_gt"] == plain["p_gt"]
    assert read(rig, "tram-moi/forecast?limit=0.8")["p_gt"]["0.8"] == []
    assert rig.get("/api/v1/stations/cai-lon/forecast?limit=0").json()["parameter"] == "limit"


def test_none_yet(rig: Rig) -> None:
    """200 with `issued_at` null, every array empty and every line named."""
    found = read(rig, "tram-moi/forecast?target=day_max")
    assert list(found) == KEYS
    assert (found["issued_at"], found["model"], found["version"], found["data_until"]) == (None, None, None, None)
    assert found["leads"] == found["times"] == found["q50"] == []
    assert found["p_gt"] == {"0.5": [], "1": [], "2": [], "4": []}


def test_older_issues(rig: Rig) -> None:
    """`issued_before` gives the newest issue before that time; before the first there is none."""
    newest, older = NOW - 5 * HOUR_MS, NOW - DAY_MS - 5 * HOUR_MS
    assert read(rig, f"kenh-lau/forecast?issued_before={rfc3339(newest)}")["issued_at"] == rfc3339(older)
    assert read(rig, f"kenh-lau/forecast?issued_before={rfc3339(newest + 1)}")["issued_at"] == rfc3339(newest)
    assert read(rig, f"kenh-lau/forecast?issued_before={rfc3339(older)}")["issued_at"] is None
    assert rig.get("/api/v1/stations/kenh-lau/forecast?issued_before=2026-03-01").json()["parameter"] == "issued_before"


def test_an_issue_of_the_future_is_not_shown(rig: Rig) -> None:
    """What a clock set back left ahead of now is no forecast of now."""
    rig.clock.now = NOW - 12 * HOUR_MS
    assert read(rig, "kenh-lau/forecast?target=day_max")["issued_at"] == rfc3339(NOW - DAY_MS - 5 * HOUR_MS)


def test_two_issues_read_back_as_two(rig: Rig) -> None:
    """Two issues of 14 days are two issues of 14 days, oldest first, each as the route of the newest gave it."""
    found = read(rig, "kenh-lau/forecasts?target=day_max")
    assert [f["issued_at"] for f in found["items"]] == [rfc3339(NOW - DAY_MS - 5 * HOUR_MS), rfc3339(NOW - 5 * HOUR_MS)]
    assert [len(f["leads"]) for f in found["items"]] == [14, 14]
    assert found["items"][1] == read(rig, "kenh-lau/forecast?target=day_max")
    assert found["next"] is None


@pytest.mark.parametrize("limit", range(1, 10))
def test_pages_of_issues(rig: Rig, limit: int) -> None:
    """Every issue once for any page size, two models at one time too, and those issued between two pages behind them."""
    base = forecast("kenh-nam", "main", "day_max", 1.5, NOW, leads=2)
    issues = [dataclasses.replace(base, issued_at=NOW - h * HOUR_MS, model=m, data_until=NOW - 9 * HOUR_MS) for h in (5, 4, 3) for m in ("a", "b")]
    rig.run(lambda: rig.backend.forecasts.issue(issues))
    seen: list[tuple[str, str]] = []
    token = ""
    while True:
        page = read(rig, f"kenh-nam/forecasts?target=day_max&limit={limit}{token}")
        assert len(page["items"]) <= limit
        if not seen:
            late = [dataclasses.replace(base, issued_at=NOW - 3 * HOUR_MS, model="c"), dataclasses.replace(base, issued_at=NOW)]
            rig.run(lambda late=late: rig.backend.forecasts.issue(late))
        seen += [(f["issued_at"], f["model"]) for f in page["items"]]
        if page["next"] is None:
            break
        token = f"&next={page['next']}"
    old = [(rfc3339(f.issued_at), f.model) for f in issues]
    assert [row for row in seen if row in old] == old
    assert len(seen) == len(set(seen))
    assert limit >= len(old) or (rfc3339(NOW), "persistence") in seen


def test_issues_within_a_time(rig: Rig) -> None:
    """`start` is included, `end` excluded; the wrong way round is a 422."""
    older, newest = rfc3339(NOW - DAY_MS - 5 * HOUR_MS), rfc3339(NOW - 5 * HOUR_MS)
    assert [f["issued_at"] for f in read(rig, f"kenh-lau/forecasts?start={older}&end={newest}")["items"]] == [older]
    assert [f["issued_at"] for f in read(rig, f"kenh-lau/forecasts?start={newest}")["items"]] == [newest]
    assert rig.get(f"/api/v1/stations/kenh-lau/forecasts?start={newest}&end={older}").status_code == 422


@pytest.mark.parametrize("leaf", ["forecast", "forecasts"])
def test_what_is_refused(rig: Rig, leaf: str) -> None:
    """An unknown target is a 422, an unknown point a 404 that names the points, another's private station a 404."""
    target = rig.get(f"/api/v1/stations/kenh-lau/{leaf}?target=week").json()
    assert (target["status"], target["parameter"]) == (422, "target")
    point = rig.get(f"/api/v1/stations/cai-lon/{leaf}?point=main").json()
    assert point["status"] == 404
    assert "in, out" in point["detail"]
    assert rig.get(f"/api/v1/stations/rieng/{leaf}").status_code == 404
    assert rig.get(f"/api/v1/stations/rieng/{leaf}", as_="be").status_code == 200
