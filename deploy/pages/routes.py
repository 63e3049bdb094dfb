"""Routes: method, path, who may call, parameters and answers, from the application itself."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from itertools import groupby
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.app import PREFIX, access_of, routers
from deploy.page import Page, mark, table
from deploy.reached import Graph

LARGEST = 2**63 - 1  # of a database: no limit anybody meets
PACKAGES = ("api", "registry", "core")
RAISED = {
    "Unauthorized": (401, "log_in"),
    "Forbidden": (403, "forbidden"),
    "NotFoundError": (404, "unknown"),
    "ConflictError": (409, "conflict"),
    "ConfigError": (422, "refused"),
}  # as api.problem tells them


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One route under its whole path."""

    method: str
    path: str
    route: APIRoute

    @property
    def is_page(self) -> bool:
        """Whether it answers a person's browser."""
        return not self.route.include_in_schema

    @property
    def text(self) -> str:
        """What it says of itself."""
        summary, text = self.route.summary or "", " ".join(self.route.description.split())
        return f"{summary}. {text}" if summary else text


@cache
def found() -> tuple[Found, ...]:
    """Every route, the API's first, by path."""
    return tuple(sorted(_found(), key=lambda f: (f.is_page, f.path, f.method)))


def _found() -> Iterator[Found]:
    for prefix, router in routers():
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in sorted(route.methods or ()):
                    yield Found(method=method, path=prefix + route.path, route=route)


@cache
def document() -> dict[str, Any]:
    """OpenAPI of all of them; of the pages too, which the published document leaves out."""
    shown = []
    for f in found():
        route = copy(f.route)
        route.include_in_schema, route.path_format, route.unique_id = True, f.path, f"{f.method} {f.path}"
        shown.append(route)
    return get_openapi(title="Canh Mặn", version="0", routes=shown)


def operation(f: Found) -> dict[str, Any]:
    """What OpenAPI says of it."""
    about: dict[str, Any] = document()["paths"][f.path][f.method.lower()]
    return about


def asked(f: Found) -> list[dict[str, Any]]:
    """Its query parameters."""
    return [p for p in operation(f).get("parameters", ()) if p["in"] == "query"]


def body() -> str:
    """The page below its head."""
    head = ("Route", "Who", "What it does", "Parameters", "Answer", "Refusals")
    api = table(head, (_row(f) for f in found() if not f.is_page))
    pages = table(head, (_row(f) for f in found() if f.is_page))
    parameters = table(
        ("Route", "Parameter", "Form", "What it is"),
        ((f"`{f.method} {f.path}`", mark(p["name"]), _form(p), p.get("description", "")) for f in found() for p in asked(f)),
    )
    return f"""What holds for all of them (log-in, errors, lists, limits): [api.md](api.md). The shapes of the answers, field by field: `/docs` of a running
installation. *public* is everybody; an *officer* works for an org; an *admin* runs the installation. HEAD is answered wherever GET is.

## The API

Refusals name status and kind; they are found in the code behind each route. Beside them every route under `{PREFIX}` answers 422 `no_parameter` or `twice`
to a parameter it does not have or that comes twice, 403 `cross_site` to a change that another site asked for, 503 `away` where database or store is away,
and what the registry refuses as 409 `conflict` or 422 `refused`.

{api}

## Pages

For people: HTML in Vietnamese or English, without scripts of others. An error is a page too.

{pages}

## Parameters

{parameters}

## Beside them

`/static/…` are style, scripts and icons of the pages. `/metrics` and a `/readyz` in words are on `CANHMAN_METRICS`: [metrics.md](metrics.md)."""


def _row(f: Found) -> tuple[object, ...]:
    about = operation(f)
    names = ", ".join(mark(p["name"]) for p in asked(f))
    sent = _sent(about)
    role = access_of(f.route)[0].role
    return (f"`{f.method} {f.path}`", role, f.text, ", ".join(filter(None, (names, sent))), _answer(f, about), _refusals(f, role, about))


def _sent(about: dict[str, Any]) -> str:
    """What the body holds."""
    for kind, content in about.get("requestBody", {}).get("content", {}).items():
        shape = str(content["schema"].get("$ref", "")).rpartition("/")[2]
        return f"form: {', '.join(map(mark, _fields_of(shape)))}" if "form" in kind else f"body {mark(shape)}"
    return ""


def _fields_of(shape: str) -> list[str]:
    return list(document()["components"]["schemas"][shape]["properties"])


def _answer(f: Found, about: dict[str, Any]) -> str:
    code = f.route.status_code or 200
    if code == HTTPStatus.NO_CONTENT:
        return "204"
    if f.is_page:
        return "JSON" if f.path.endswith(".json") else "page" if f.method == "GET" else "303 to a page"
    shape = about["responses"][str(code)]["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")[2]
    return f"{code} {mark(shape)}"


def _refusals(f: Found, role: str, about: dict[str, Any]) -> str:
    """By who may call, by what its parameters and body must be, and by what its code comes to raise."""
    found = {(401, "log_in"), (403, "forbidden")} if role != "public" else set()
    found |= {(422, "invalid")} if about.get("parameters") or about.get("requestBody") else set()
    found |= {(int(code), "") for code in f.route.responses if str(code).isdigit()}
    endpoint = f.route.endpoint
    for part in graph().reached((endpoint.__module__, endpoint.__name__), but=["api.problem", "core.texts"]):
        if isinstance(part, ast.Raise):
            found |= _raised(part.exc)
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "bad_value":
            found.add((422, "invalid"))
    by_code = groupby(sorted(found), key=lambda one: one[0])
    return "; ".join(f"{code} {', '.join(mark(kind) for _, kind in kinds)}".strip() for code, kinds in by_code)


def _raised(what: ast.expr | None) -> set[tuple[int, str]]:
    """Status and kind of what is raised."""
    name = what.func if isinstance(what, ast.Call) else what
    if not isinstance(name, ast.Name):
        return set()
    if name.id == "Problem" and isinstance(what, ast.Call):
        status, kind = (ast.literal_eval(argument) for argument in what.args[:2])
        return {(status, kind)}
    return {RAISED[name.id]} if name.id in RAISED else set()


@cache
def graph() -> Graph:
    """The code behind the routes."""
    return Graph(*PACKAGES)


def _form(p: dict[str, Any]) -> str:
    schema = p["schema"]
    kinds = [s for s in schema.get("anyOf", [schema]) if s.get("type") != "null"]
    one = kinds[0]
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`", "date-time": "time"}
    kind = " or ".join(map(mark, one["enum"])) if "enum" in one else words[one.get("format") or one["type"]]
    low = [f"> {one['exclusiveMinimum']:g}"] if "exclusiveMinimum" in one else [f"≥ {one['minimum']:g}"] if "minimum" in one else []
    high = [f"≤ {one['maximum']:,g}"] if one.get("maximum", LARGEST) < LARGEST else []
    longest = [f"at most {one['maxLength']} characters"] if "maxLength" in one else []
    default = schema.get("default")
    given = [f"default {mark(json.dumps(default).strip(chr(34)))}"] if default not in (None, "") else ["required"] if p.get("required") else []
    return ", ".join([kind, *low, *high, *longest, *given])


PAGE = Page(
    title="Routes",
    about="Every HTTP route: method, path, who may call, parameters, answer, refusals; pages too.",
    source="`api/routes/`, `api/web/pages/`",
    body=body,
)
