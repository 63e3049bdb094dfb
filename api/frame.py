"""What stands around every answer: security headers and their nonce, HEAD, bodies without end, faults of ours, and the count of requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problem

log = structlog.get_logger()

Count = Callable[[BaseRoute | None, str, int], None]  # route (never the path: strangers make those), method, status

LARGEST_BODY = 256 << 10  # bytes: nothing larger is asked for, and it is held in memory
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page."""
    return (
        "default-src 'self'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; "
        "img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


class Frame:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, *, count: Count) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET" if head else scope["method"], "state": dict(scope.get("state") or {})}
        nonce = inner["state"]["nonce"] = secrets.token_urlsafe(16)
        status = 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _frame(MutableHeaders(scope=message), nonce, known=inner["state"].get("person") is not None)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                raise HTTPException(413)
            return message

        try:
            await self._app(inner, bounded, framed)
        except Exception as error:
            log.exception("a fault while answering", path=scope["path"], method=scope["method"])
            if status:  # begun already: cut it off, so that half an answer is not taken for a whole one
                raise
            await problem.respond(Request(inner), error)(inner, receive, framed)
        finally:
            method = scope["method"] if scope["method"] in METHODS or head else "other"
            self._count(inner.get("route"), method, status or 500)


def _here(location: str) -> str:
    """A path of ours alone: the router's redirects name the Host the caller said, and http where a proxy ended TLS."""
    parts = urlsplit(location)
    return parts._replace(scheme="", netloc="", path=f"/{parts.path.lstrip('/')}").geturl()


def _frame(headers: MutableHeaders, nonce: str, *, known: bool) -> None:
    if "location" in headers:
        headers["Location"] = _here(headers["location"])
    headers["Content-Security-Policy"] = policy(nonce)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    headers.setdefault("Cache-Control", "private, no-store" if known else "no-cache")  # what one person may see no cache keeps for another
