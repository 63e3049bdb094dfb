"""The app factory: who may call what, headers around every answer, static files, the reference."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from servers.backend import Rig, make_backend, make_rig

from api.access import ADMIN, OFFICER, PUBLIC, Access, Caller
from api.app import _checked, access_of, create_app, routers
from api.static import Static, version_of
from core.errors import ConfigError

# what anybody may call; a new route is not public by oversight, but by a line here
PUBLIC_ROUTES = {
    ("GET", "/"),
    ("GET", "/stations/{id}"),
    ("GET", "/river"),
    ("GET", "/record"),
    ("GET", "/record.csv"),
    ("GET", "/alerts"),
    ("GET", "/alerts/{id}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/password"),  # 401 without a session, by itself: a session of a one-time password must reach it
    ("POST", "/password"),
    ("GET", "/api/v1/session"),
    ("POST", "/api/v1/session"),
    ("DELETE", "/api/v1/session"),
    ("POST", "/api/v1/session/password"),
    ("GET", "/api/v1/stations"),
    ("GET", "/api/v1/stations/{id}"),
    ("GET", "/api/v1/stations/{id}/series"),
    ("GET", "/api/v1/stations/{id}/soil"),
    ("GET", "/api/v1/crops"),
    ("GET", "/api/v1/stations/{id}/forecast"),
    ("GET", "/api/v1/stations/{id}/forecasts"),
    ("GET", "/api/v1/stations/{id}/windows"),
    ("GET", "/api/v1/stations/{id}/record"),
    ("GET", "/api/v1/record"),
    ("GET", "/api/v1/alerts"),
    ("GET", "/api/v1/alerts/{id}"),
    ("GET", "/api/v1/waterways"),
}


def declared() -> list[tuple[str, str, str]]:
    """(method, path, role) of every route of the app."""
    return [(m, prefix + r.path, access_of(r)[0].role) for prefix, router in routers() for r in _checked(router) for m in sorted(r.methods or ())]


def filled(path: str) -> str:
    """A path with something in place of its parameters."""
    return re.sub(r"\{[^}]*\}", "1", path)


def test_every_route_answers_strangers_401_and_lower_roles_403_but_the_public_ones(rig: Rig) -> None:
    """Anonymous calls to each non-public route give 401, an officer's to an admin's route 403; what is public is listed above."""
    routes = declared()
    assert {(m, p) for m, p, role in routes if role == "public"} == PUBLIC_ROUTES
    wrong = []
    for method, path, role in routes:
        nobody = rig.request(method, filled(path))
        if role == "public":
            asks = path.endswith("/password") or (method, path) == ("POST", "/login")  # these tell by themselves who may
            if (nobody.status_code in (401, 403)) is not asks and nobody.status_code != 422:
                wrong.append((method, path, "nobody", nobody.status_code))
            continue
        if nobody.status_code != 401 or nobody.json()["type"] != "urn:canhman:problem:log_in":
            wrong.append((method, path, "nobody", nobody.status_code))
        officer = rig.request(method, filled(path), as_="lan")
        if (officer.status_code == 403) is not (role == "admin"):
            wrong.append((method, path, "officer", officer.status_code))
        fresh = rig.request(method, filled(path), as_="moi")
        if fresh.status_code != 403 or fresh.json()["type"] != "urn:canhman:problem:must_change":
            wrong.append((method, path, "one-time password", fresh.status_code))
        if rig.request(method, filled(path), as_="minh").status_code in (401, 403):
            wrong.append((method, path, "admin", "refused"))
    assert not wrong


async def inner(caller: Annotated[Caller, OFFICER]) -> Caller:
    """A dependency with an access of its own."""
    return caller


async def none() -> None:
    """No access."""


async def nested(a: Annotated[Caller, Depends(inner)]) -> None:
    """The access of a dependency."""


async def both(a: Annotated[Caller, PUBLIC], b: Annotated[Caller, ADMIN]) -> None:
    """One too many."""


def test_a_route_must_declare_exactly_one_access() -> None:
    """A route without an access, or with two, keeps the app from starting; a dependency of a dependency counts."""

    def router(endpoint: Any, **more: Any) -> APIRouter:
        made = APIRouter(**more)
        made.get("/x")(endpoint)
        return made

    assert [a.role for r in _checked(router(nested)) for a in access_of(r)] == ["officer"]
    assert [a.role for r in _checked(router(none, dependencies=[ADMIN])) for a in access_of(r)] == ["admin"]
    with pytest.raises(ConfigError, match=r"/x declares no access"):
        _checked(router(none))
    with pytest.raises(ConfigError, match=r"/x declares 2 accesses \(public, admin\)"):
        _checked(router(both))
    with pytest.raises(ConfigError, match="declares 2"):
        _checked(router(nested, dependencies=[PUBLIC]))
    plain = APIRouter()
    plain.mount("/static", Static(Path()))
    with pytest.raises(ConfigError, match="only routes made with"):
        _checked(plain)


def test_a_bare_access_of_ones_own_counts_too() -> None:
    """Access is recognised by what it is, not by being one of the three names."""
    router = APIRouter()

    @router.get("/y", dependencies=[])
    async def y(caller: Annotated[Caller, PUBLIC]) -> str:
        return caller.role

    assert isinstance(access_of(_checked(router)[0])[0], Access)


@pytest.mark.parametrize("path", ["/healthz", "/nope", "/login", "/api/v1/devices", "/api/v1/session", "/static/x/none.css"])
def test_security_headers_stand_on_every_answer(rig: Rig, path: str) -> None:
    """CSP without foreign sources, a nonce of its own per answer, nosniff and Referrer-Policy, whatever the answer is."""
    one, two = rig.get(path), rig.get(path)
    policy = one.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    nonces = [re.search(r"'nonce-([\w-]{20,})'", r.headers["content-security-policy"]) for r in (one, two)]
    assert nonces[0] is not None
    assert nonces[1] is not None
    assert nonces[0][1] != nonces[1][1]
    assert one.headers["x-content-type-options"] == "nosniff"
    assert one.headers["referrer-policy"] == "same-origin"
    assert "server" not in one.headers


def test_what_a_person_sees_is_kept_by_no_cache(rig: Rig) -> None:
    """Answers to a session are never stored; a stranger's may be, and are asked for anew."""
    assert rig.get("/api/v1/devices", as_="lan").headers["cache-control"] == "private, no-store"
    assert rig.get("/api/v1/users", as_="minh").headers["cache-control"] == "private, no-store"
    assert rig.get("/docs").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(("path", "there"), [("/alerts/", "/alerts"), ("/api/v1/stations/?limit=1", "/api/v1/stations?limit=1"), ("/static", "/static/")])
@pytest.mark.parametrize("host", ["evil.example", "evil.example/x?", "evil.example:1/#@"])
def test_a_redirect_never_leads_to_another_host(rig: Rig, path: str, there: str, host: str) -> None:
    """Where an address has a slash too many or too few the answer names a path of ours, whatever Host was said."""
    answer = rig.get(path, headers={"Host": host}, follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].startswith("/")
    assert "evil" not in answer.headers["location"]
    if host == "evil.example":
        assert answer.headers["location"] == there


def test_head_is_get_without_its_body(rig: Rig) -> None:
    """HEAD answers as GET does, with no body; monitors and link checkers use it."""
    answer = rig.request("HEAD", "/healthz")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == rig.get("/healthz").headers["content-length"]


def test_answers_are_compressed_where_asked(rig: Rig) -> None:
    """A large answer comes gzipped to who takes it, plain to who does not."""
    assert rig.get("/openapi.json", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in rig.get("/openapi.json", headers={"Accept-Encoding": "identity"}).headers


def test_static_files_are_kept_for_ever_under_the_hash_of_their_content(tmp_path: Path) -> None:
    """A changed file changes the address; the address of today is immutable, one of yesterday answers and is kept by nobody."""
    folder = tmp_path / "static"
    (folder / "js").mkdir(parents=True)
    (folder / "js" / "age.js").write_text("export {}")
    static = Static(folder)
    rig = make_rig(tmp_path, sown=False)
    rig.app.routes[:] = [r for r in rig.app.routes if getattr(r, "path", "") != "/static"]
    rig.app.mount("/static", static)
    rig.app.router.routes.insert(0, rig.app.router.routes.pop())
    today = rig.get(static.url("js/age.js"))
    assert today.text == "export {}"
    assert today.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert rig.get("/static/0000000000/js/age.js").headers["cache-control"] == "no-cache"
    assert rig.get(static.url("none.js")).status_code == 404
    assert rig.get("/static/x/..%2f..%2fregistry.db").status_code == 404
    assert rig.get("/static/x/%2e%2e/%2e%2e/registry.db").status_code == 404
    before = static.version
    (folder / "js" / "age.js").write_text("export {};")
    assert version_of(folder) != before
    (folder / "js" / "age.js").rename(folder / "js" / "old.js")
    (folder / "js" / "old.js").write_text("export {}")
    assert version_of(folder) != before
    rig.close()


def test_the_reference_needs_no_other_site(rig: Rig) -> None:
    """/docs lists every documented operation and loads nothing from elsewhere."""
    page = rig.get("/docs").text
    for method, path, _ in declared():
        if path.startswith("/api/"):
            assert f"{method} {path}" in page
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "<script" not in page


def test_the_reference_leads_from_an_answer_to_its_fields(rig: Rig) -> None:
    """Each link to a shape has its place, which lists the fields; defaults and bounds that say nothing are left out."""
    page = rig.get("/docs").text
    linked = set(re.findall(r'href="#(\w+)"><code>', page))
    assert {"StationList", "StationItem", "SeriesPage", "AlertDetail"} <= linked
    assert linked <= set(re.findall(r'<h2 id="(\w+)"', page))
    assert "<code>issued_at</code>" in page
    assert "default ." not in page
    assert "default None" not in page
    assert str((1 << 63) - 1) not in page


def test_the_openapi_names_errors_and_parameters(rig: Rig) -> None:
    """Every operation of the API tells of problem+json, and none of FastAPI's own error shape."""
    schema = rig.get("/openapi.json").json()
    text = str(schema)
    assert "HTTPValidationError" not in text
    for path, methods in schema["paths"].items():
        if path.startswith("/api/"):
            for about in methods.values():
                assert "application/problem+json" in str(about["responses"]["4XX"])


def test_requests_are_counted_by_route_never_by_path(rig: Rig) -> None:
    """Counts carry route templates: a stranger who invents paths makes one label, not thousands."""
    for n in range(20):
        rig.get(f"/invented/{n}")
        rig.get(f"/api/v1/users/{n}")
        rig.request("BREW", "/healthz")
    rig.get("/healthz")
    routes = {route for route, _, _ in rig.app.state.requests}
    assert routes <= {"none", "/healthz", "/api/v1/users/{name}", "/"}
    assert rig.app.state.requests["/healthz", "GET", 200] == 1
    assert rig.app.state.requests["none", "GET", 404] == 20
    assert {method for _, method, _ in rig.app.state.requests} <= {"GET", "other"}


def test_two_apps_stand_beside_each_other(tmp_path: Path) -> None:
    """The factory keeps nothing outside the app: two backends in one process do not mix."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = create_app(make_backend(tmp_path / "a", sown=False)), create_app(make_backend(tmp_path / "b", sown=False))
    assert one.state.sessions is not two.state.sessions
    for app in (one, two):
        app.state.backend.registry.close()
