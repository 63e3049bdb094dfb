"""Query parameters a route does not have are refused, on every route of the API."""

from __future__ import annotations

import pytest
from servers.backend import Rig

from api.app import PREFIX, routers

SERIES = "/api/v1/stations/kenh-lau/series?quantity=water.salinity"


@pytest.mark.parametrize("wrong", ["from", "Limit", "limit[]", "\x00", "lang"])
def test_an_unknown_one_is_named_with_those_there_are(rig: Rig, wrong: str) -> None:
    """`from` for `start` would quietly give the last seven days."""
    answer = rig.get(SERIES, params={"quantity": "water.salinity", wrong: "1"}, headers={"Accept-Language": "en"})
    body = answer.json()
    assert (answer.status_code, body["type"]) == (422, "urn:canhman:problem:no_parameter")
    assert body["parameter"] == wrong.replace("\x00", "�")
    assert "end, flags, limit, next, point, quantity, sensor, start, version" in body["detail"]


def test_one_that_comes_twice_is_refused(rig: Rig) -> None:
    """Nobody can say which one is meant."""
    body = rig.get(f"{SERIES}&limit=1&limit=2").json()
    assert (body["status"], body["type"], body["parameter"]) == (422, "urn:canhman:problem:twice", "limit")


def test_no_route_is_left_out(rig: Rig) -> None:
    """Every GET of the API looks."""
    paths = [prefix + route.path for prefix, router in routers() if prefix == PREFIX for route in router.routes if "GET" in route.methods]  # type: ignore[attr-defined]  # the factory takes no other routes
    assert len(paths) >= 10
    for path in paths:
        answer = rig.get(path.replace("{id}", "1") + "?nope=1", as_="minh")
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:canhman:problem:no_parameter"), path


def test_what_it_has_it_takes(rig: Rig) -> None:
    """Each once, in any order."""
    assert rig.get(f"{SERIES}&limit=1&version=raw&start=2026-03-01T00:00:00Z").status_code == 200
    assert rig.get("/readyz?nope=1").status_code == 200
