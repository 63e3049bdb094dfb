"""`/api/v1/stations/{id}/windows`: the hours ahead in which water may be taken there, and when a sluice is better open or shut."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.access import PUBLIC, Caller
from api.caching import answer
from api.places import point_for, station_for
from api.present import Present
from api.schemas.windows import WindowsShape, windows_shape
from registry.situation import SALINITY

router = APIRouter(prefix="/stations/{id}", tags=["forecast"])

Limit = Annotated[
    float | None, Query(gt=0, le=100, allow_inf_nan=False, description="The salinity the water must stay at or under [g/L]; else the installation's.")
]
Point = Annotated[str | None, Query(max_length=64, description="The verdict point where nothing is said.")]


@router.get("/windows", response_model=WindowsShape, summary="The hours in which water may be taken")
async def windows(request: Request, id: str, caller: Annotated[Caller, PUBLIC], limit: Limit = None, point: Point = None) -> Response:
    """From the newest hourly forecast, and only where the verdict knows the water now: else `reason` says why there are none. A field's are its intake's."""
    present: Present = request.app.state.present
    situation = await present.look()
    now = request.app.state.backend.clock.now_ms()
    station = station_for(situation.directory, caller, id)
    source = situation.source_of(station.id)
    place = situation.verdict_point(source) if point is None else point_for(situation, source, point, quantity=SALINITY)
    found = situation.windows(station.id, now, limit=limit, point=place)
    shape = windows_shape(
        found,
        situation.forecast(source, place) if place is not None else None,
        situation.sluice(source, now, limit=limit),
        station=station.id,
        source=source,
        point=place,
        now=now,
        timezone=station.timezone,
    )
    return answer(request, caller, shape, verdict=True)
