"""The app factory: every `router` of `api/routes` (under /api/v1) and `api/web/pages` (at /), on one backend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute

import api.routes
import api.web.pages
from api import problem
from api.access import Access
from api.backend import Backend
from api.frame import Frame
from api.login import LogIns
from api.parameters import only_known
from api.present import Present
from api.schemas.problem import ProblemShape
from api.session import SessionMiddleware, Sessions
from api.static import Static
from api.web.charts.shapes import icon, shape
from api.web.language import RememberLanguage, switch
from core.errors import ConfigError
from core.plugins import collect
from core.texts import say

PREFIX = "/api/v1"
AT_ROOT = frozenset({"health"})  # routers of api/routes that are no part of the API's versions
WEB = Path(api.web.__path__[0])
_COMPONENT = "#/components/schemas/{model}"
_PROBLEM = {problem.MEDIA_TYPE: {"schema": {"$ref": _COMPONENT.format(model=ProblemShape.__name__)}}}
RESPONSES: dict[int | str, dict[str, object]] = {
    "4XX": {"description": "What was wrong with the request (RFC 9457)", "content": _PROBLEM},
    422: {"description": "A parameter that cannot be used (RFC 9457)", "content": _PROBLEM},
    503: {"description": "The database or store is away; Retry-After says when to ask again", "content": _PROBLEM},
}


class _App(FastAPI):
    """With the shape of problems among the components: FastAPI puts there only what it answers as application/json itself."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document = super().openapi()
        shape = ProblemShape.model_json_schema(ref_template=_COMPONENT)
        document["components"]["schemas"] |= shape.pop("$defs") | {ProblemShape.__name__: shape}
        return document


def create_app(backend: Backend) -> FastAPI:
    """The whole HTTP front. Raises ConfigError where a route does not say who may call it."""
    app = _App(title="Canh Mặn", version=backend.version or "0", docs_url=None, redoc_url=None, openapi_url=None, description=ABOUT)
    static = Static(WEB / "static")
    sessions = Sessions(backend)
    app.state.backend = backend
    app.state.present = Present(backend)
    app.state.sessions = sessions
    app.state.log_ins = LogIns(backend)
    app.state.requests = Counter[tuple[str, str, int]]()  # (route, method, status) → how many, for /metrics
    app.state.templates = templates(static, simulated=backend.simulated)
    app.mount("/static", static, name="static")
    paths: dict[int, str] = {}  # by route: how it is mounted
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for prefix, router in routers():
        for route in _checked(router):
            paths[id(route)] = prefix + route.path
            methods[prefix + route.path] |= (route.methods or set()) | ({"HEAD"} if "GET" in (route.methods or ()) else set())  # the frame answers it
        app.include_router(router, prefix=prefix, responses=RESPONSES if prefix else None, dependencies=[Depends(only_known)] if prefix == PREFIX else None)
    problem.install(app)

    def count(route: BaseRoute | None, method: str, status: int) -> None:
        app.state.requests[paths.get(id(route), "none"), method, status] += 1

    app.state.methods_of = lambda route: sorted(methods.get(paths.get(id(route), ""), ()))  # for the Allow of a 405
    app.add_middleware(SessionMiddleware, sessions=sessions, url=backend.url)
    app.add_middleware(RememberLanguage)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=6)
    app.add_middleware(Frame, count=count)
    return app


ABOUT = (
    "Salinity, forecasts and warnings of the Mekong Delta's dry season. Times are RFC 3339 in UTC; errors are RFC 9457 problem+json "
    "in the language of Accept-Language (vi, en); lists take `limit` and the opaque `next` of the page before."
)


def routers() -> Iterator[tuple[str, APIRouter]]:
    """Every router with the prefix it is mounted at."""
    for name, router in collect(api.routes, "router", APIRouter).items():
        yield ("" if name in AT_ROOT else PREFIX), router
    for router in collect(api.web.pages, "router", APIRouter).values():
        yield "", router


def templates(static: Static, *, simulated: bool = False) -> Environment:
    """The templates of `api/web/templates`: every value escaped, a name that is not given is an error."""
    env = Environment(loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.globals["static_url"] = static.url
    env.globals["fonts"] = (WEB / "static" / "fonts" / "fonts.css").is_file()  # put there by `make web`
    env.globals["say"] = say
    env.globals["simulated"] = simulated
    env.globals.update(icon=icon, shape=shape, switch=switch)
    return env


def _checked(router: APIRouter) -> list[APIRoute]:
    """The routes of a router, each with exactly one `Access`. Raises ConfigError."""
    found = []
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise ConfigError(f"{route!r}: only routes made with @router.get and its like can say who may call them")
        declared = access_of(route)
        if len(declared) != 1:
            what = "declares no access" if not declared else f"declares {len(declared)} accesses ({', '.join(a.role for a in declared)})"
            raise ConfigError(f"{sorted(route.methods or ())} {route.path} {what}: give it exactly one of PUBLIC, OFFICER, ADMIN of api.access")
        found.append(route)
    return found


def access_of(route: APIRoute) -> list[Access]:
    """Who may call this route, as it and its dependencies declare."""
    return list({id(a): a for a in _accesses(route.dependant)}.values())


def _accesses(dependant: Dependant) -> Iterator[Access]:
    if isinstance(dependant.call, Access):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _accesses(inner)
