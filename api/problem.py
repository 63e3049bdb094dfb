"""Every error as RFC 9457 problem+json in the caller's language, or as a page where a person's browser asked for one.

A problem names the parameter, its value (cut short) and the way out. Its words are the texts `problem.KIND.title` and
`problem.KIND`; its `type` is `urn:canhman:problem:KIND`, which programs may rely on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from api.access import Forbidden, MustChange, Unauthorized
from api.language import accepted, language
from core.errors import ConfigError, ConflictError, NotFoundError, RefusedError, UnavailableError
from core.texts import say, texts

log = structlog.get_logger()

TYPE = "urn:canhman:problem:"
MEDIA_TYPE = "application/problem+json"
VALUE_LENGTH = 80  # of a caller's value we say back
RETRY_S = 5
API = "/api/"


class Problem(Exception):  # noqa: N818 the RFC's name
    """Raised by a route: `Problem(404, "no_station", value=id)`. `words` fill the placeholders of its texts, `extra` is for this file."""

    def __init__(
        self,
        status: int,
        kind: str,
        *,
        parameter: str = "",
        value: object = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        **words: object,
    ) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind
        self.parameter = parameter
        self.value = value
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.words = words


def bad_value(parameter: str, value: object, *, must: str, **words: object) -> Problem:
    """422: a parameter that cannot be used as it stands; `problem.must.{must}` says what it must be."""
    return Problem(422, "invalid", parameter=parameter, value=value, headers=None, extra={"must": must}, **words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A problem in words."""

    status: int
    kind: str
    title: str
    detail: str
    headers: dict[str, str]
    members: dict[str, object]


def short(value: object, *, most: int = VALUE_LENGTH) -> str:
    """A caller's value on one line, cut; only ever put into JSON or an escaping template."""
    text = "".join(c if c.isprintable() else "�" for c in str(value))
    return text if len(text) <= most else text[:most] + "…"


def told(problem: Problem, lang: str, *, page: bool = False) -> Told:
    """The problem in `lang`; on a `page` in a person's words, without the names of programs."""
    words: dict[str, object] = {k: short(v, most=len(v) if k == "choices" else VALUE_LENGTH) if isinstance(v, str) else v for k, v in problem.words.items()}
    members: dict[str, object] = {}
    if problem.parameter:
        members["parameter"] = words["parameter"] = short(problem.parameter)
    if problem.value is not None:
        members["value"] = words["value"] = short(problem.value)
    if "must" in problem.extra:
        words["must"] = say(lang, f"problem.must.{problem.extra['must']}", **words)
    if "failures" in problem.extra:
        members["errors"] = failures = [_must(e, lang) for e in problem.extra["failures"]]
        words["must"] = failures[0]["detail"]
    kind = problem.kind
    if page and kind == "invalid" and problem.parameter:
        asked = f"page.asked.{problem.parameter}"
        words["name"] = say(lang, asked) if asked in texts(lang) else words["parameter"]
        detail = say(lang, "problem.page" if problem.value is None else "problem.page.value", **{"must": "", **words})
    elif page and f"problem.{kind}.page" in texts(lang):
        detail = say(lang, f"problem.{kind}.page", **words)
    elif kind == "invalid" and not problem.parameter:
        detail = say(lang, "problem.invalid.body", **{"must": "", **words})
    elif kind == "invalid" and problem.value is None:
        detail = say(lang, "problem.invalid.missing", **{"must": "", **words})
    else:
        detail = say(lang, f"problem.{kind}", **words)
    plain = f"problem.{kind}.page.title"
    title = say(lang, plain if page and plain in texts(lang) else f"problem.{kind}.title")
    return Told(status=problem.status, kind=kind, title=title, detail=detail, headers=problem.headers, members=members)


_MUST = {
    "missing": "given",
    "int_parsing": "whole",
    "int_type": "whole",
    "int_from_float": "whole",
    "float_parsing": "number",
    "float_type": "number",
    "finite_number": "number",
    "bool_parsing": "bool",
    "bool_type": "bool",
    "string_type": "text",
    "string_unicode": "text",
    "greater_than_equal": "at_least",
    "greater_than": "above",
    "less_than_equal": "at_most",
    "less_than": "below",
    "string_too_short": "longer",
    "string_too_long": "shorter",
    "literal_error": "one_of",
    "enum": "one_of",
    "extra_forbidden": "absent",
    "json_invalid": "json",
    "model_attributes_type": "object",
    "dict_type": "object",
}


def _must(error: Mapping[str, Any], lang: str) -> dict[str, str]:
    """One failed check of pydantic, in `lang`: which parameter, what it must be."""
    context = {k: _plain(v, lang) if isinstance(v, float) else short(v) for k, v in (error.get("ctx") or {}).items()}
    if "expected" in context:  # pydantic joins the values in English: 'cleared' or 'all'
        context["expected"] = context["expected"].replace("' or '", say(lang, "problem.or"))
    key = f"problem.must.{_MUST.get(str(error['type']), '')}"
    detail = say(lang, key, **context) if key in texts(lang) else short(error["msg"])
    return {"parameter": _where(error["loc"]), "detail": detail}


def _plain(bound: float, lang: str) -> str:
    """A bound as people write it: `0`, not 0.0; `0,5` in Vietnamese."""
    shown = f"{bound:g}"
    return shown.replace(".", ",") if lang == "vi" else shown


def _where(loc: Sequence[object]) -> str:
    """`limit` for ("query", "limit"); the whole body has no name."""
    return short(".".join(str(part) for part in loc[1:] if not isinstance(part, int) or len(loc) > 2))


def _of_validation(error: RequestValidationError) -> Problem:
    failures = list(error.errors())[:20]
    first = failures[0]
    absent = first["type"] in ("missing", "json_invalid")
    value = None if absent or isinstance(first.get("input"), dict | list | bytes) else first.get("input")
    secret = any("password" in str(part) or part in ("old", "new") for part in first["loc"])  # never said back
    parameter = "" if first["type"] == "json_invalid" else _where(first["loc"])
    return Problem(422, "invalid", parameter=parameter, value=None if secret else value, extra={"failures": failures})


def of(error: Exception, request: Request) -> Problem:
    """Any error as a problem."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _of_validation(error)
        case Unauthorized():
            return Problem(401, "log_in", headers={"WWW-Authenticate": 'Session realm="canhman"'})
        case MustChange():
            return Problem(403, "must_change")
        case Forbidden():
            return Problem(403, "forbidden")
        case NotFoundError():
            return Problem(404, "unknown", what=str(error))
        case ConflictError():
            return Problem(409, "conflict", what=str(error))
        case ConfigError():
            return Problem(422, "refused", what=str(error))
        case UnavailableError():
            return Problem(503, "away", headers={"Retry-After": str(RETRY_S)})
        case RefusedError():
            return Problem(503, "refused_us", headers={"Retry-After": "60"})
        case HTTPException():
            return _of_http(error, request)
        case _:
            return Problem(500, "fault")


def _of_http(error: HTTPException, request: Request) -> Problem:
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return Problem(404, "not_found", value=request.url.path)
        case 405:
            allowed = ", ".join(request.app.state.methods_of(request.scope.get("route"))) or "GET"
            return Problem(405, "method", value=request.method, headers={"Allow": allowed}, allowed=allowed)
        case 413:
            return Problem(413, "too_large")
        case status if status < 500:
            return Problem(status, "bad_request", what=str(error.detail), headers=headers)
        case status:
            return Problem(status, "fault", headers=headers)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asked for a page, not a program for data."""
    return not request.url.path.startswith(API) and "text/html" in request.headers.get("accept", "")


def respond(request: Request, error: Exception) -> Response:
    """The answer to a request that failed so."""
    if isinstance(error, UnavailableError | RefusedError):
        log.warning("a request could not be answered", path=request.url.path, why=str(error))
    problem = of(error, request)
    page = wants_page(request)
    lang = language(request) if page else accepted(request.headers.get("accept-language", ""))
    about = told(problem, lang, page=page)
    headers = {"Cache-Control": "no-store", "Content-Language": lang, "Vary": "Accept-Language", **about.headers}
    if page:
        return _page(request, about, lang, headers)
    body = {"type": TYPE + about.kind, "title": about.title, "status": about.status, "detail": about.detail, "instance": short(request.url.path)}
    return JSONResponse(body | about.members, status_code=about.status, media_type=MEDIA_TYPE, headers=headers)


_FORMS = {"log_in": "login.html", "must_change": "password.html"}


def _page(request: Request, about: Told, lang: str, headers: Mapping[str, str]) -> Response:
    """The error as a page: for 401 the log-in form, else what went wrong."""
    template = request.app.state.templates.get_template(_FORMS.get(about.kind, "error.html"))
    here = request.url.path if request.method in ("GET", "HEAD") else "/"
    words = {"request": request, "lang": lang, "nonce": getattr(request.state, "nonce", ""), "next": here, "fault": "", "problem": about}
    return HTMLResponse(template.render(words), status_code=about.status, headers=dict(headers))


KNOWN = (
    Problem,
    HTTPException,
    RequestValidationError,
    Unauthorized,
    Forbidden,
    NotFoundError,
    ConflictError,
    ConfigError,
    UnavailableError,
    RefusedError,
)


async def _handle(request: Request, error: Exception) -> Response:
    return respond(request, error)


def install(app: FastAPI) -> None:
    """Have the app answer every error so. What is none of these is caught by the frame (`api.frame`)."""
    for kind in KNOWN:
        app.add_exception_handler(kind, _handle)
