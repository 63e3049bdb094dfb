"""`/api/v1/record` and `/api/v1/stations/{id}/record`: how the forecasts we issued scored."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from analytics.record import records
from api.access import PUBLIC, Caller
from api.backend import Backend
from api.caching import answer
from api.paging import PAGE, Next, PageSize, decode, encode
from api.places import station_for
from api.present import Present
from api.schemas.record import RecordList, record_shape
from core.record import AHEAD, SLUICE

router = APIRouter(tags=["forecast"])

LEADS = {**dict.fromkeys(("hour", *SLUICE.values()), (24, 48, 72)), **{target: (hours,) for target, hours in AHEAD.items()}}
DAY_LEADS = (1, 3, 7, 14)  # days ahead in the record of all stations; a station's own tells all

Target = Annotated[
    Literal["day_max", "day_min", "hour", "max_6h", "max_24h", "sluice_open", "sluice_shut"],
    Query(
        description="A local day's maximum (leads 1-14), its minimum, an hour's maximum (leads 1-72), "
        "whether the highest of the next 6 h (as verdicts say it) or 24 h (as alerts do) passes a line, "
        "or whether a sluice was better open (shut) in the hour in which that was said to be surest."
    ),
]


@router.get("/record", response_model=RecordList, summary="How issued forecasts scored, station by station")
async def record(request: Request, caller: Annotated[Caller, PUBLIC], target: Target = "day_max", limit: PageSize = PAGE, next: Next = None) -> Response:
    """Days ahead 1, 3, 7 and 14 (hours and `sluice_…`: 24, 48, 72; `max_6h`: 6; `max_24h`: 24) of each station; `limit` counts stations."""
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
