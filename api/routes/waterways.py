"""`/api/v1/waterways`: the rivers and canals, and where the 1 and 4 g/L lines stand on them now."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from api.access import PUBLIC, Caller
from api.caching import answer
from api.paging import PAGE, Next, PageSize, decode, encode
from api.reach_now import WaterwayNow, reaches
from api.schemas.waterways import AlongShape, JoinShape, ReachShape, WaterwayList, WaterwayShape
from core.verdict import UNIT

router = APIRouter(prefix="/waterways", tags=["waterways"])

SCOPE = "waterways"


@router.get("", response_model=WaterwayList, summary="How far the salt reaches now")
async def waterways(request: Request, caller: Annotated[Caller, PUBLIC], limit: PageSize = PAGE, next: Next = None) -> Response:
    """The lines lie between the maxima of the last 25 h at neighbouring good stations, of those the caller sees. By id."""
    now = request.app.state.backend.clock.now_ms()
    after = decode(SCOPE, next, str)
    found = sorted(await reaches(request.app, now, caller=caller), key=lambda w: w.waterway.id)
    found = [w for w in found if after is None or w.waterway.id > str(after[0])]
    page = found[:limit]
    onward = encode(SCOPE, page[-1].waterway.id) if len(found) > limit else None
    return answer(request, caller, WaterwayList(items=[_shape(w) for w in page], next=onward))


def _shape(w: WaterwayNow) -> WaterwayShape:
    return WaterwayShape(
        id=w.waterway.id,
        name=w.waterway.name,
        sea=w.waterway.sea,
        length_km=w.waterway.length_km,
        joins=[JoinShape(waterway=j.waterway, km=j.km) for j in w.waterway.joins],
        unit=UNIT,
        reaches=[ReachShape(line=r.line, side=r.side, km=None if r.km is None else round(r.km, 2), hatched=r.hatched) for r in w.reaches],
        stations=[AlongShape(station=s.station, km=s.km, max=s.value) for s in w.stations],
    )
