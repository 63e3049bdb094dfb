"""`/api/v1/stations/{id}/forecast`, the newest issue, and `/forecasts`, all of them as they were issued."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from api.access import PUBLIC, Caller
from api.backend import Backend
from api.caching import answer
from api.paging import PAGE, Next, PageSize, decode, encode
from api.places import point_for, station_for
from api.present import Present
from api.problem import bad_value
from api.schemas.forecast import ForecastList, ForecastShape, forecast_shape
from api.times import End, IssuedBefore, Start
from core.clock import rfc3339
from core.place import FOREVER
from registry.situation import SALINITY, Situation

router = APIRouter(prefix="/stations/{id}", tags=["forecast"])

Target = Annotated[
    Literal["day_max", "day_min", "hour"], Query(description="A local day's maximum (leads 1-14), its minimum, or an hour's maximum (leads 1-72).")
]
Point = Annotated[str | None, Query(max_length=64, description="`main` where nothing is said; the verdict point where there is no `main`.")]
Limit = Annotated[float | None, Query(gt=0, le=100, allow_inf_nan=False, description="A salinity [g/L], such as what a crop bears.")]


async def _place(request: Request, caller: Caller, id: str, point: str | None) -> tuple[Situation, str, str]:
    present: Present = request.app.state.present
    situation = await present.look()
    station = station_for(situation.directory, caller, id).id
    return situation, station, point_for(situation, station, point, quantity=SALINITY)


@router.get("/forecast", response_model=ForecastShape, summary="The newest forecast")
async def forecast(
    request: Request,
    id: str,
    caller: Annotated[Caller, PUBLIC],
    target: Target = "day_max",
    point: Point = None,
    issued_before: IssuedBefore = None,
    limit: Limit = None,
) -> Response:
    """As it was issued, however long ago (`fresh`). None yet: 200 with `issued_at` null and empty arrays. `p_gt` has the chance to be over `limit` too."""
    backend: Backend = request.app.state.backend
    situation, station, place = await _place(request, caller, id, point)
    now = backend.clock.now_ms()
    until = now if issued_before is None else issued_before - 1
    issued = await backend.forecasts.latest_forecasts(target=target, station=station, until=until)
    found = next((f for f in issued if f.point == place), None)
    fresh = found is not None and situation.believes(found, now)
    return answer(request, caller, forecast_shape(found, station=station, point=place, target=target, fresh=fresh, limit=limit))


@router.get("/forecasts", response_model=ForecastList, summary="Every issue of a forecast, oldest first")
async def forecasts(
    request: Request,
    id: str,
    caller: Annotated[Caller, PUBLIC],
    target: Target = "day_max",
    point: Point = None,
    start: Start = None,
    end: End = None,
    limit: PageSize = PAGE,
    next: Next = None,
) -> Response:
    """Issues with start ≤ `issued_at` < end; all where nothing is said. An issue is never changed."""
    backend: Backend = request.app.state.backend
    situation, station, place = await _place(request, caller, id, point)
    now = backend.clock.now_ms()
    since, until = 0 if start is None else start, FOREVER if end is None else end
    if until < since:
        raise bad_value("end", rfc3339(until), must="later", start=rfc3339(since))
    scope = f"forecasts {station} {place} {target}"
    after = decode(scope, next, int, int)
    # issues of several models may carry one time: as many of it as were given already are asked for again, and passed over
    since, given = (int(after[0]), int(after[1])) if after else (since, 0)
    found = await backend.forecasts.forecasts(station=station, point=place, target=target, since=since, until=until, limit=limit + given + 1)
    page = found[given : given + limit]
    onward = None
    if len(found) > given + limit:
        last = page[-1].issued_at
        onward = encode(scope, last, sum(f.issued_at == last for f in found[: given + limit]))
    items = [forecast_shape(f, station=station, point=place, target=target, fresh=situation.believes(f, now)) for f in page]
    return answer(request, caller, ForecastList(items=items, next=onward))
