"""Who is logged in: a signed cookie that names a person and a generation, checked against the database on every request.

The cookie holds no right of its own: role and org are read from the account (at most `FOR_S` old), and an account that was
closed, or whose generation rose (password, role), is nobody at once. Absolute life `LIFE_MS`; nothing prolongs it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import problem
from api.access import ANONYMOUS, Caller
from api.backend import Backend
from api.problem import Problem
from core.errors import RefusedError, UnavailableError
from core.person import Person

COOKIE = "canhman_session"
LIFE_MS = 12 * 3_600_000
AHEAD_MS = 60_000  # the clock of a machine that was set back
FOR_S = 1.0
KEPT = 1000  # accounts remembered at once
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = ("/static/", "/healthz", "/readyz")  # they ask for nobody, and answer while the database is away


class Sessions:
    """Makes and reads the cookie, and keeps accounts for a second."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        key = hmac.digest(backend.secret, b"canhman session 1", hashlib.sha256)
        self._signer = URLSafeSerializer(key, salt="canhman.session", signer_kwargs={"digest_method": hashlib.sha256})
        self._kept: OrderedDict[str, tuple[float, Person | None]] = OrderedDict()

    def sign(self, person: Person) -> str:
        """A new cookie's text for `person` as the account stands now."""
        return str(self._signer.dumps([person.name, person.generation, self._backend.system.now_ms()]))

    async def person(self, text: str) -> Person | None:
        """Whose cookie this is; None where it is forged, too old, or its account closed or changed. Raises UnavailableError."""
        try:
            name, generation, issued = self._signer.loads(text[:500])
        except (BadSignature, ValueError, TypeError):
            return None
        if not -AHEAD_MS <= self._backend.system.now_ms() - issued < LIFE_MS:
            return None
        person = await self._account(name)
        if person is None or not person.active or person.generation != generation:
            return None
        return person

    def forget(self, name: str) -> None:
        """The account was changed here: read it again."""
        self._kept.pop(name, None)

    async def _account(self, name: str) -> Person | None:
        found = self._kept.get(name)
        if found is not None and time.monotonic() - found[0] <= FOR_S:
            return found[1]
        begun = time.monotonic()
        person = await self._backend.people.person(name)
        self._kept[name] = (begun, person)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return person


def is_secure(request: HTTPConnection, url: str) -> bool:
    """Whether the cookie may be kept to https: the request came so, or the public address is so."""
    return request.url.scheme == "https" or url.startswith("https://")


def set_cookie(response: Response, request: Request, text: str) -> None:
    """Log this browser in."""
    secure = is_secure(request, request.app.state.backend.url)
    response.set_cookie(COOKIE, text, max_age=LIFE_MS // 1000, path="/", secure=secure, httponly=True, samesite="lax")
    response.headers["Cache-Control"] = "no-store"


def drop_cookie(response: Response, request: Request) -> None:
    """Log this browser out."""
    response.delete_cookie(COOKIE, path="/", secure=is_secure(request, request.app.state.backend.url), httponly=True, samesite="lax")
    response.headers["Cache-Control"] = "no-store"


def _netloc(text: str) -> tuple[str, str]:
    """Host and port of an address without the port its scheme implies, and the scheme."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "", ""
    implied = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    return (host if port in (None, implied) else f"{host}:{port}"), parts.scheme


def comes_from_us(headers: Headers, scheme: str, url: str) -> bool | None:
    """Whether a request was made by our own pages: True, False (by another site's), or None where it does not say.

    Browsers say it in Sec-Fetch-Site or Origin, old ones in Referer; a page of another site can set none of these.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    source = headers.get("origin") or headers.get("referer")
    if source is None:
        return None
    host, source_scheme = _netloc(source)
    if not host:
        return False  # "null": a sandboxed frame, a file
    own, _ = _netloc(f"{source_scheme}://{headers.get('host', '')}")  # a proxy in front may have ended TLS: the scheme is the source's
    return host == own or (bool(url) and (host, source_scheme) == _netloc(url))


class SessionMiddleware:
    """Sets `request.state.caller`, `.person` and `.must_change`; refuses a change asked for by another site's page.

    A session of a one-time password is nobody's (`caller` is anonymous) until another password was chosen.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions, url: str) -> None:
        self._app = app
        self._sessions = sessions
        self._url = url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        state = request.state
        state.caller, state.person, state.must_change = ANONYMOUS, None, False
        text = request.cookies.get(COOKIE)
        if request.method not in SAFE:
            ours = comes_from_us(request.headers, request.url.scheme, self._url)
            if ours is False or (ours is None and text is not None and "x-requested-with" not in request.headers):
                await problem.respond(request, Problem(403, "cross_site"))(scope, receive, send)
                return
        if text is not None and not request.url.path.startswith(OPEN_PATHS):
            try:
                person = await self._sessions.person(text)
            except (UnavailableError, RefusedError) as error:
                await problem.respond(request, error)(scope, receive, send)
                return
            state.person = person
            if person is not None and person.must_change:
                state.must_change = True
            elif person is not None:
                state.caller = Caller(name=person.name, role=person.role, org="" if person.role == "admin" else person.org)
        await self._app(scope, receive, send)
