"""`/river`: how far the salt reaches on each waterway, as a diagram and in words."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.access import PUBLIC, Caller
from api.reach_now import WaterwayNow, reaches
from api.web.charts.river import RiverNow, Stop, river
from api.web.moment import moment, page
from api.web.pages.home import never_measured
from core.place import Waterway
from registry.situation import Situation

router = APIRouter(include_in_schema=False)

NAME = 22  # letters


@router.get("/river")
async def rivers(request: Request, caller: Annotated[Caller, PUBLIC]) -> Response:
    """Every waterway with stations that ever measured, and where the 1 and 4 g/L lines stand on it."""
    at = await moment(request, caller)
    along = [_now(at.situation, w) for w in await reaches(request.app, at.now, caller=caller)]
    found = [w for w in along if w.stops]
    return page("river.html", at, {"chart": river(found, lang=at.lang) if found else None}, place="river")


def _now(situation: Situation, found: WaterwayNow) -> RiverNow:
    """With the stations' names, from where the waterway's own km are counted."""
    stops = []
    for s in found.stations:
        known = situation.directory.station(s.station)
        if known is None or not never_measured(situation, known):
            stops.append(Stop(name=_short(known.name if known is not None else s.station), km=s.km, value=s.value))
    w = found.waterway
    return RiverNow(name=w.name, sea=w.sea, length_km=w.length_km, stops=tuple(stops), reaches=found.reaches, start_km=_start(w))


def _short(name: str) -> str:
    """A name as long as a stop has room for: one of 200 letters must not squeeze the river."""
    return name if len(name) <= NAME else f"{name[: NAME - 1].rstrip()}…"


def _start(w: Waterway) -> float:
    """How far from the sea a canal begins: where it joins the first of its waterways; 0 for what opens to the sea itself."""
    return 0.0 if w.sea or not w.joins else w.joins[0].km
