"""`/api/v1/stations/{id}/soil`, how salty a field's root zone is and will be, and `/crops`, what salt does to crops."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from analytics.crops import Crop, Crops
from api.access import PUBLIC, Caller
from api.backend import Backend
from api.caching import answer
from api.field import soil_of
from api.places import choices, station_for
from api.present import Present
from api.problem import Problem
from api.schemas.soil import CropList, SoilShape, crop_list, soil_shape

router = APIRouter(tags=["soil"])

CropId = Annotated[str | None, Query(max_length=64, description="Id of a crop; without one nothing is advised.")]
Limit = Annotated[
    float | None,
    Query(gt=0, le=100, allow_inf_nan=False, description="The salinity its verdict is about [g/L], else the installation's; the crop's where that is lower."),
]
StageId = Annotated[str | None, Query(max_length=64, description="Id of one of its stages; without one the most sensitive counts.")]


@router.get("/crops", response_model=CropList, summary="What salt does to crops")
async def crops(request: Request, caller: Annotated[Caller, PUBLIC]) -> Response:
    """Every crop with its figures, their sources, whether they were verified, and who approved them."""
    backend: Backend = request.app.state.backend
    return answer(request, caller, crop_list(backend.crops()))


@router.get("/stations/{id}/soil", response_model=SoilShape, summary="Salt in the root zone, and what the crop asks for")
async def soil(request: Request, id: str, caller: Annotated[Caller, PUBLIC], crop: CropId = None, stage: StageId = None, limit: Limit = None) -> Response:
    """By day: ECe of the last 14 days at each depth, the chances that the water is above the crop's limit, and ECe under watering with it."""
    backend: Backend = request.app.state.backend
    present: Present = request.app.state.present
    situation = await present.look()
    station = station_for(situation.directory, caller, id)
    rules = backend.crops()
    chosen = chosen_crop(rules, crop, stage)
    now = backend.clock.now_ms()
    found = await soil_of(backend, situation, station, now, rules=rules, crop=chosen, stage=stage, limit=limit)
    return answer(request, caller, soil_shape(found, rules), verdict=True)


def chosen_crop(rules: Crops, crop: str | None, stage: str | None) -> Crop | None:
    """The crop asked for. Raises Problem (422) that names the crops, or the stages of this one."""
    if crop is None:
        if stage is not None:
            raise Problem(422, "no_stage", parameter="stage", value=stage, crop="–", choices="–")
        return None
    found = next((c for c in rules.crops if c.id == crop), None)
    if found is None:
        raise Problem(422, "no_crop", parameter="crop", value=crop, choices=choices([c.id for c in rules.crops]))
    if stage is not None and stage not in (s.id for s in found.stages):
        raise Problem(422, "no_stage", parameter="stage", value=stage, crop=crop, choices=choices([s.id for s in found.stages]))
    return found
