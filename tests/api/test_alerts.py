"""`/api/v1/alerts`: which are listed to whom, in pages, one with its history, and acknowledging it."""

from __future__ import annotations

from typing import Any

import pytest
from servers.backend import NOW, Rig

from api.routes import alerts as routes
from core.alert import Alert, AlertEvent, Step
from core.bands import level
from core.clock import rfc3339
from core.forecast import HOUR_MS
from core.place import Station

FIELDS = ["id", "station", "point", "kind", "line", "level", "state", "opened_at", "updated_at", "cleared_at", "value", "unit", "time", "p", "text"]


def read(rig: Rig, query: str = "", **more: Any) -> list[dict[str, Any]]:
    answer = rig.get(f"/api/v1/alerts{query}", **more)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def brief(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(i["station"], i["kind"], i["line"], i["state"]) for i in items]


def id_of(rig: Rig, station: str, **more: Any) -> int:
    return next(int(i["id"]) for i in read(rig, "?state=all", **more) if i["station"] == station)


def opened(station: str, line: float | None, at: int, *, kind: str = "observed", state: str = "open", org: str = "vithanh") -> Step:
    alert = Alert(
        org=org,
        station=station,
        point="main",
        kind=kind,
        line=line,
        level=0 if line is None else level(line),
        state=state,
        opened_at=at,
        updated_at=at,
        cleared_at=at if state == "cleared" else None,
    )
    return Step(alert=alert, event=AlertEvent(at=at, kind="opened"))


def test_the_shape(rig: Rig) -> None:
    """An item has the fields of the contract, its words in both languages, and nobody's name."""
    item = read(rig)[0]
    assert list(item) == FIELDS
    assert (item["station"], item["point"], item["kind"], item["line"], item["level"], item["state"]) == ("cai-lon", "in", "observed", 4.0, 4, "open")
    assert (item["value"], item["unit"], item["time"], item["p"], item["cleared_at"]) == (5.0, "g/L", "2026-03-02T02:55:00Z", None, None)
    assert (item["opened_at"], item["updated_at"]) == (rfc3339(NOW - 6 * HOUR_MS), rfc3339(NOW - 5 * HOUR_MS))
    assert "Cống Cái Lớn" in item["text"]["vi"]
    assert "5,0" in item["text"]["vi"]
    assert "5.0" in item["text"]["en"]


def test_states(rig: Rig) -> None:
    """Open and acknowledged ones where nothing is said; `open` alone, `acknowledged`, `cleared`, `all`."""
    done = id_of(rig, "kenh-nam")
    assert rig.post(f"/api/v1/alerts/{done}/acknowledge", as_="lan").status_code == 200
    assert brief(read(rig)) == [("cai-lon", "observed", 4.0, "open"), ("kenh-nam", "silent", None, "acknowledged")]
    assert brief(read(rig, "?state=open")) == [("cai-lon", "observed", 4.0, "open")]
    assert brief(read(rig, "?state=acknowledged")) == [("kenh-nam", "silent", None, "acknowledged")]
    assert brief(read(rig, "?state=cleared")) == [("kenh-lau", "observed", 0.5, "cleared")]
    assert len(read(rig, "?state=all")) == 3
    assert rig.get("/api/v1/alerts?state=over").json()["parameter"] == "state"


def test_only_the_highest_line_unless_asked(rig: Rig) -> None:
    """Of the lines passed at a point only the highest is listed; `all_lines` lists each; among open ones an acknowledged higher one hides nothing."""
    assert [i["line"] for i in read(rig, "?station=cai-lon")] == [4.0]
    every = read(rig, "?station=cai-lon&all_lines=true")
    assert sorted((i["kind"], i["line"]) for i in every) == [("forecast", 4.0), ("observed", 1.0), ("observed", 2.0), ("observed", 4.0)]
    for i in every:
        if i["line"] == 4.0:
            rig.post(f"/api/v1/alerts/{i['id']}/acknowledge", as_="lan")
    assert [i["line"] for i in read(rig, "?station=cai-lon")] == [4.0]
    assert [i["line"] for i in read(rig, "?station=cai-lon&state=open")] == [2.0]


def test_who_sees_which(rig: Rig) -> None:
    """Alerts go with their station: a private one's are listed and shown to its officers and admins only; acknowledging needs an officer of its own."""
    assert "rieng" not in [i["station"] for i in read(rig, "?state=all")]
    assert "rieng" not in [i["station"] for i in read(rig, "?state=all", as_="lan")]
    assert read(rig, "?station=rieng") == []
    private = id_of(rig, "rieng", as_="be")
    for more in ({}, {"as_": "lan"}):
        assert rig.get(f"/api/v1/alerts/{private}", **more).status_code == 404
    assert rig.get(f"/api/v1/alerts/{private}", as_="minh").status_code == 200
    assert rig.post(f"/api/v1/alerts/{private}/acknowledge", as_="lan").status_code == 404
    public = id_of(rig, "cai-lon")
    assert rig.post(f"/api/v1/alerts/{public}/acknowledge").status_code in (401, 403)
    assert rig.post(f"/api/v1/alerts/{public}/acknowledge", as_="be").status_code == 403
    assert rig.get(f"/api/v1/alerts/{public}").json()["state"] == "open"
    assert rig.post(f"/api/v1/alerts/{public}/acknowledge", as_="minh").status_code == 200


def test_acknowledging(rig: Rig) -> None:
    """open → acknowledged with the installation's time and one event; twice is fine and adds none; who did it is told to its officers only."""
    which = id_of(rig, "cai-lon")
    first = rig.post(f"/api/v1/alerts/{which}/acknowledge", as_="lan").json()
    rig.clock.now += HOUR_MS
    again = rig.post(f"/api/v1/alerts/{which}/acknowledge", as_="minh").json()
    assert first["state"] == again["state"] == "acknowledged"
    assert first["acknowledged_at"] == again["acknowledged_at"] == "2026-03-02T03:00:00Z"
    seen = rig.get(f"/api/v1/alerts/{which}", as_="lan").json()
    assert [(e["kind"], e["actor"]) for e in seen["events"]] == [("opened", None), ("acknowledged", "lan")]
    assert list(seen)[: len(FIELDS)] == FIELDS
    for stranger in (rig.get(f"/api/v1/alerts/{which}"), rig.get(f"/api/v1/alerts/{which}", as_="be")):
        assert "lan" not in [e["actor"] for e in stranger.json()["events"]]
        assert '"lan"' not in stranger.text


def test_an_alert_that_is_over(rig: Rig) -> None:
    """409 that says since when; one that does not exist is a 404."""
    cleared = read(rig, "?state=cleared")[0]
    refused = rig.post(f"/api/v1/alerts/{cleared['id']}/acknowledge", as_="lan", headers={"Accept-Language": "en"})
    assert refused.status_code == 409
    assert cleared["cleared_at"] in refused.json()["detail"]
    assert rig.post("/api/v1/alerts/999999/acknowledge", as_="lan").status_code == 404
    assert rig.get("/api/v1/alerts/999999").json()["type"] == "urn:canhman:problem:no_alert"
    for wrong in ("0", "-1", "99999999999999999999", "x"):
        assert rig.get(f"/api/v1/alerts/{wrong}").status_code == 422


@pytest.mark.parametrize("limit", [1, 3, 30])
@pytest.mark.parametrize("block", [1, 5, 500])
def test_pages(rig: Rig, monkeypatch: pytest.MonkeyPatch, limit: int, block: int) -> None:
    """Newest first, every old alert the caller sees once for any page size and however many are read at once, though one opens between two pages."""
    places = [Station(id=f"s{i}", org="vithanh", name=f"S{i}", public=i % 3 > 0) for i in range(12)]
    rig.run(lambda: rig.backend.registry.put(*places, actor="test"))
    rig.run(lambda: rig.backend.alerts.take_steps([opened(s.id, 1.0, NOW - (i // 2) * HOUR_MS) for i, s in enumerate(places)]))
    before = brief(read(rig, "?state=open"))
    monkeypatch.setattr(routes, "BLOCK", block)
    monkeypatch.setattr(routes, "BLOCKS", 3)  # so few that pages end early
    seen: list[tuple[Any, ...]] = []
    ids: list[int] = []
    token = ""
    for number in range(200):
        answer = rig.get(f"/api/v1/alerts?state=open&limit={limit}{token}").json()
        assert len(answer["items"]) <= limit
        seen += brief(answer["items"])
        ids += [i["id"] for i in answer["items"]]
        if number == 0:
            rig.run(lambda: rig.backend.alerts.take_steps([opened("tram-moi", 1.0, NOW + 1)]))
        if answer["next"] is None:
            break
        token = f"&next={answer['next']}"
    assert seen == before
    assert len(ids) == len(set(ids))
    assert len(before) == 8 + 2


def test_next_goes_with_its_filters(rig: Rig) -> None:
    """A `next` of open ones is no `next` of cleared ones."""
    token = rig.get("/api/v1/alerts?limit=1").json()["next"]
    assert rig.get(f"/api/v1/alerts?state=cleared&limit=1&next={token}").json()["parameter"] == "next"
