"""Answers with an ETag: a reader who has it already gets 304, and only what everybody sees may stand in a shared cache.

A verdict is asked for anew each time, by shared caches too, and nothing is shown past its age while we are away.
"""

from __future__ import annotations

import hashlib

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.access import PUBLIC_ROLE, Caller
from api.backend import Backend
from core.clock import rfc3339

SECONDS = 10  # of the installation's clock
NOW = "Canhman-Now"  # the installation's time: ages are counted from it, and in a body it would make every answer another one


def answer(request: Request, caller: Caller, model: BaseModel, *, body: bytes | None = None, verdict: bool = False) -> Response:
    """`model` as JSON (`body`, where that was made already).

    What holds a `verdict`, and on a clock that runs fast everything, may not be shown without asking.
    """
    content = model.model_dump_json().encode() if body is None else body
    backend: Backend = request.app.state.backend
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'  # weak: the frame may compress it
    age = 0 if verdict else int(SECONDS / max(1.0, backend.speed()))
    control = "private, no-cache" if caller.role != PUBLIC_ROLE else f"public, max-age={age}, must-revalidate" if age else "no-cache"
    headers = {"ETag": tag, "Cache-Control": control, "Vary": "Cookie", NOW: rfc3339(backend.clock.now_ms())}
    if _holds(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _holds(header: str, tag: str) -> bool:
    opaque = tag.removeprefix("W/")
    return any(part.strip() == "*" or part.strip().removeprefix("W/") == opaque for part in header[:2000].split(","))
