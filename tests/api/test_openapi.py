"""The OpenAPI document: which paths for whom, each described, with its answers, problems and bounds. A change here is a change of contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from servers.backend import Rig

from api.app import access_of, routers
from api.problem import MEDIA_TYPE

# Only ever added to within v1.
ROUTES = {
    "GET /api/v1/alerts": "public",
    "GET /api/v1/alerts/{id}": "public",
    "POST /api/v1/alerts/{id}/acknowledge": "officer",
    "GET /api/v1/crops": "public",
    "GET /api/v1/deadletters": "officer",
    "GET /api/v1/deadletters/counts": "officer",
    "GET /api/v1/deadletters/{id}": "officer",
    "POST /api/v1/deadletters/replay": "officer",
    "POST /api/v1/deadletters/{id}/replay": "officer",
    "GET /api/v1/devices": "officer",
    "GET /api/v1/devices/{id}/gaps": "officer",
    "GET /api/v1/session": "public",
    "POST /api/v1/session": "public",
    "DELETE /api/v1/session": "public",
    "POST /api/v1/session/password": "public",
    "GET /api/v1/stations": "public",
    "GET /api/v1/stations/{id}": "public",
    "GET /api/v1/stations/{id}/forecast": "public",
    "GET /api/v1/stations/{id}/forecasts": "public",
    "GET /api/v1/stations/{id}/record": "public",
    "GET /api/v1/record": "public",
    "GET /api/v1/stations/{id}/series": "public",
    "GET /api/v1/stations/{id}/soil": "public",
    "GET /api/v1/stations/{id}/windows": "public",
    "GET /api/v1/users": "admin",
    "POST /api/v1/users": "admin",
    "PATCH /api/v1/users/{name}": "admin",
    "POST /api/v1/users/{name}/password": "admin",
    "GET /api/v1/waterways": "public",
    "GET /healthz": "public",
    "GET /readyz": "public",
}

# The parameters of each route of data; likewise only added to.
PARAMETERS = {
    "/api/v1/alerts": ["all_lines", "limit", "next", "state", "station"],
    "/api/v1/alerts/{id}": ["id"],
    "/api/v1/deadletters": ["device", "end", "limit", "next", "reason", "start", "unresolved"],
    "/api/v1/deadletters/counts": ["device", "end", "reason", "start", "unresolved"],
    "/api/v1/deadletters/{id}": ["id"],
    "/api/v1/devices/{id}/gaps": ["id"],
    "/api/v1/stations": ["limit", "next", "org", "q", "salinity_limit", "waterway"],
    "/api/v1/stations/{id}": ["id", "limit"],
    "/api/v1/stations/{id}/forecast": ["id", "issued_before", "limit", "point", "target"],
    "/api/v1/stations/{id}/forecasts": ["end", "id", "limit", "next", "point", "start", "target"],
    "/api/v1/stations/{id}/soil": ["crop", "id", "limit", "stage"],
    "/api/v1/stations/{id}/series": ["end", "flags", "id", "limit", "next", "point", "quantity", "sensor", "start", "version"],
    "/api/v1/stations/{id}/windows": ["id", "limit", "point"],
    "/api/v1/waterways": ["limit", "next"],
}

# The members of each answer; likewise only added to.
VERDICT = {"verdict", "reason", "band", "as_of", "until", "p", "limit", "unit"}
ANSWERS = {
    "StationList": {"items", "next"},
    "StationItem": {"id", "name", "lat", "lon", "waterway", "km", "commune", "latest", "risk"},
    "Entry": {"value", "unit", "time", "flag", "fresh", "point"},
    "VerdictShape": VERDICT,
    "StationDetail": {"id", "name", "latest", "risk", "points", "aliases", "timezone", "level_datum", "position", "verdict_point", "intake", "sensors"},
    "SeriesPage": {"station", "point", "quantity", "unit", "times", "values", "flags", "next"},
    "ForecastShape": {
        *("station", "point", "target", "issued_at", "model", "version", "data_until", "unit"),
        *("leads", "times", "q05", "q25", "q50", "q75", "q95", "p_gt", "fresh"),
    },
    "WindowsShape": {
        *("station", "point", "limit", "unit", "promised", "issued_at", "model", "verdict", "reason", "windows", "sluice"),
    },
    "WindowShape": {"start", "end", "p", "median"},
    "SoilShape": {
        *("station", "unit", "crop", "stage", "depths", "root_zone", "source", "point", "water", "watered", "any_hour", "leached", "advice", "assumed"),
    },
    "DepthShape": {"point", "depth_m", "quantity", "newest", "days", "low", "high"},
    "RootZoneShape": {"depth_m", "low", "high", "time", "silent"},
    "WaterDaysShape": {"limit", "unit", "issued_at", "model", "version", "days", "low", "freshest", "high", "p_above_limit", "p_always_above"},
    "CourseShape": {"leaching", "low", "high", "loss_low", "loss_high"},
    "AdviceShape": {"act", "why", "loss", "leaching", "sensitive", "approved", "text"},
    "CropList": {"items", "approved_by", "hash"},
    "CropShape": {"id", "vi", "en", "figures", "stages"},
    "FigureShape": {"name", "value", "unit", "source", "verified", "approved_by"},
    "AlertShape": {
        *("id", "station", "point", "kind", "line", "level", "state", "opened_at", "updated_at", "cleared_at"),
        *("value", "unit", "time", "p", "text"),
    },
}


@pytest.fixture
def document(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = rig.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_paths_and_who_may_call_them(document: dict[str, Any]) -> None:
    """No path comes, goes or changes its role by accident; all of the API's are in the document."""
    declared = {
        f"{method} {prefix}{route.path}": access_of(route)[0].role  # type: ignore[arg-type,attr-defined]  # the factory takes no other routes
        for prefix, router in routers()
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]  # likewise
    }
    assert {route: declared.get(route) for route in ROUTES} == ROUTES
    in_document = {f"{method.upper()} {path}" for path, method, _ in operations(document)}
    assert in_document == set(ROUTES)
    assert {route for route in declared if " /api/" in route} <= set(ROUTES)


def references(part: Any) -> Iterator[str]:
    """Every `$ref` within."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """Tools that read the document follow each `$ref` from its root."""
    found = set(references(document))
    assert "#/components/schemas/ProblemShape" in found
    for ref in found:
        at: Any = document
        assert ref.startswith("#/")
        for name in ref.removeprefix("#/").split("/"):
            assert name in at, ref
            at = at[name]


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """Each has a summary, a description, a tag and a name of its own."""
    names = []
    for path, method, operation in operations(document):
        assert operation.get("summary"), (method, path)
        assert operation.get("description"), (method, path)
        assert operation.get("tags"), (method, path)
        names.append(operation["operationId"])
    assert len(names) == len(set(names))


def test_every_route_says_what_it_answers(document: dict[str, Any]) -> None:
    """Each has a schema for its success and, within the API, problem+json for what goes wrong."""
    for path, method, operation in operations(document):
        responses = operation["responses"]
        for status, response in responses.items():
            if status.startswith("2") and status != "204":
                assert response["content"]["application/json"]["schema"], (method, path, status)
        if path.startswith("/api/"):
            assert {"4XX", "422", "503"} <= set(responses), (method, path)
            assert all(list(responses[status]["content"]) == [MEDIA_TYPE] for status in ("4XX", "422", "503")), (method, path)


def test_every_list_has_bounded_pages(document: dict[str, Any]) -> None:
    """`limit` on lists says its bounds and default; with it goes `next`."""
    for path, method, operation in operations(document):
        parameters = {p["name"]: p["schema"] for p in operation.get("parameters", [])}
        if "next" in parameters:
            most = 100_000 if path.endswith("/series") else 1000
            limit = parameters["limit"]
            assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, most, most // 10), (method, path)


def test_parameters_only_grow(document: dict[str, Any]) -> None:
    """No parameter of a route of data comes or goes by accident; times say that they are such."""
    found = {path: sorted(p["name"] for p in document["paths"][path]["get"].get("parameters", [])) for path in PARAMETERS}
    assert found == PARAMETERS
    for p in document["paths"]["/api/v1/stations/{id}/series"]["get"]["parameters"]:
        if p["name"] in ("start", "end"):
            assert p["schema"]["format"] == "date-time"


@pytest.mark.parametrize("name", list(ANSWERS))
def test_answers_only_grow(document: dict[str, Any], name: str) -> None:
    """Every member of the first shapes is there, and always given."""
    schema = document["components"]["schemas"][name]
    assert set(schema["properties"]) >= ANSWERS[name]
    assert set(schema["required"]) >= ANSWERS[name]
