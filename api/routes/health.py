"""`/healthz`: this process answers. `/readyz`: what it stands on works; which part does not, without words that tell of the inside."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from api.access import PUBLIC, Caller
from api.backend import Backend
from api.schemas.health import HealthShape, ReadyShape

router = APIRouter(tags=["health"])
Anyone = Annotated[Caller, PUBLIC]


@router.get("/healthz")
async def healthz(request: Request, response: Response, _: Anyone) -> HealthShape:
    """200 as long as the process answers."""
    response.headers["Cache-Control"] = "no-store"
    return HealthShape(status="ok", version=request.app.state.backend.version)


@router.get("/readyz", responses={503: {"model": ReadyShape, "description": "A part is in trouble"}})
async def readyz(request: Request, response: Response, _: Anyone) -> ReadyShape:
    """200 where every part works, 503 with the parts that do not; their words are in the log, in `doctor` and at CANHMAN_METRICS/readyz."""
    backend: Backend = request.app.state.backend
    red = sorted(await backend.ready())
    response.headers["Cache-Control"] = "no-store"
    if red:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return ReadyShape(ready=not red, red=red)
