"""`/api/v1/record` and `/api/v1/stations/{id}/record`: how the forecasts we issued scored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from analytics.record import records
from api.access import PUBLIC, Caller
from api.backend import Backend
from api.caching import answer
from api.paging import PAGE, Next, PageSize, decode, encode
from api.places import station_for
from api.present import Present
from api.routes.forecast import Target
from api.schemas.record import RecordList, record_shape

router = APIRouter(tags=["forecast"])

LEADS = {"hour": (24, 48, 72)}
DAY_LEADS = (1, 3, 7, 14)  # days ahead in the record of all stations; a station's own tells all


@router.get("/record", response_model=RecordList, summary="How issued forecasts scored, station by station")
async def record(request: Request, caller: Annotated[Caller, PUBLIC], target: Target = "day_max", limit: PageSize = PAGE, next: Next = None) -> Response:
    """Days ahead 1, 3, 7 and 14 (hours: 24, 48, 72) of each station; `limit` counts stations."""
    backend: Backend = request.app.state.backend
    present: Present = request.app.state.present
    scope = f"record {target}"
    after = decode(scope, next, str)
    directory = await present.directory()
    seen = [name for name in sorted(directory.station_ids) if (s := directory.station(name)) is not None and caller.sees(org=s.org, public=s.public)]
    left = seen if after is None else [s for s in seen if s > str(after[0])]
    page = left[:limit]
    found = records(await backend.records.scores(stations=page, target=target, leads=LEADS.get(target, DAY_LEADS)))
    onward = encode(scope, page[-1]) if len(left) > limit else None
    return answer(request, caller, RecordList(items=[record_shape(r) for r in found], next=onward))


@router.get("/stations/{id}/record", response_model=RecordList, summary="How this station's forecasts scored")
async def station_record(request: Request, id: str, caller: Annotated[Caller, PUBLIC], target: Target = "day_max") -> Response:
    """Every point, model and lead, on one page."""
    backend: Backend = request.app.state.backend
    present: Present = request.app.state.present
    station = station_for(await present.directory(), caller, id).id
    found = records(await backend.records.scores(stations=[station], target=target))
    return answer(request, caller, RecordList(items=[record_shape(r) for r in found], next=None))
