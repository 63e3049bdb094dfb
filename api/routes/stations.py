"""`/api/v1/stations`: every station with its newest readings and its verdict; one of them with all that is known of it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.access import PUBLIC, Caller
from api.caching import answer
from api.paging import PAGE, Next, PageSize, decode, encode
from api.places import station_for
from api.present import Present
from api.schemas.stations import AliasShape, Entry, PointEntry, SensorShape, StationDetail, StationItem, StationList, VerdictShape
from core import verdict as rule
from core.clock import rfc3339
from core.place import ALWAYS, FOREVER, MAIN, Deployment, Station, sensor_tag
from core.quantities import QUANTITIES
from registry.directory import Directory
from registry.ids import fold
from registry.situation import SALINITY, Reading, Situation

router = APIRouter(prefix="/stations", tags=["stations"])

COARSE = 20  # parts of a degree a field's position is told in to strangers: 0.05°, about a commune
COARSE_KM = 5.0

SalinityLimit = Annotated[
    float | None, Query(gt=0, le=100, allow_inf_nan=False, description="The salinity the verdict is about [g/L]; else the installation's.")
]


@router.get("", response_model=StationList, summary="Stations with their newest readings and their verdict")
async def stations(
    request: Request,
    caller: Annotated[Caller, PUBLIC],
    q: Annotated[str, Query(max_length=200, description="Words of a name, an alias or the id; accents, case and đ do not matter.")] = "",
    waterway: Annotated[str, Query(max_length=64, description="Id of a waterway.")] = "",
    org: Annotated[str, Query(max_length=64, description="Id of an organisation.")] = "",
    salinity_limit: SalinityLimit = None,
    limit: PageSize = PAGE,
    next: Next = None,
) -> Response:
    """Public stations; for an officer also those of their organisation, for an admin all. By id."""
    present: Present = request.app.state.present
    situation = await present.look()
    now = request.app.state.backend.clock.now_ms()
    scope = f"stations {fold(q)} {waterway} {org}"
    after = decode(scope, next, str)
    found = [s for s in _seen(situation.directory, caller) if waterway in ("", s.waterway) and org in ("", s.org) and _matches(s, fold(q))]
    first = bisect_right([s.id for s in found], str(after[0])) if after else 0
    page, more = found[first : first + limit], len(found) > first + limit
    # a thousand verdicts take over half a second: the loop answers others meanwhile
    items = await asyncio.to_thread(lambda: [_item(situation, s, caller, now, salinity_limit) for s in page])
    return answer(request, caller, StationList(items=items, next=encode(scope, page[-1].id) if more else None), verdict=True)


@router.get("/{id}", response_model=StationDetail, summary="One station with its points and sensors")
async def station(
    request: Request,
    id: str,
    caller: Annotated[Caller, PUBLIC],
    limit: SalinityLimit = None,
) -> Response:
    """All its newest readings by point, its names and sensors, and its verdict by `limit`."""
    present: Present = request.app.state.present
    situation = await present.look()
    now = request.app.state.backend.clock.now_ms()
    return answer(request, caller, _detail(situation, station_for(situation.directory, caller, id), caller, now, limit), verdict=True)


def _seen(directory: Directory, caller: Caller) -> list[Station]:
    return sorted((s for s in directory.snapshot.stations if caller.sees(org=s.org, public=s.public)), key=lambda s: s.id)


def _matches(s: Station, words: str) -> bool:
    """Whether every word of a folded search stands in one of the station's names."""
    names = [fold(name) for name in (s.name, s.id, *(alias.name for alias in s.aliases))]
    return any(all(word in name for word in words.split()) for name in names)


def _item(situation: Situation, s: Station, caller: Caller, now: int, limit: float | None) -> StationItem:
    exact = not s.intake or caller.sees(org=s.org, public=False)
    verdict = rule.shape(situation.verdict(s.id, now, limit=limit))
    return StationItem(
        id=s.id,
        name=s.name,
        lat=s.lat if exact else _coarse(s.lat),
        lon=s.lon if exact else _coarse(s.lon),
        waterway=s.waterway or None,
        km=s.km if exact or s.km is None else round(s.km / COARSE_KM) * COARSE_KM,
        commune=s.commune or None,
        org=s.org,
        public=s.public,
        latest=latest(situation, s.id, now),
        risk=VerdictShape.model_validate(verdict),
    )


def _coarse(degrees: float | None) -> float | None:
    return None if degrees is None else round(round(degrees * COARSE) / COARSE, 2)


def latest(situation: Situation, station: str, now: int) -> dict[str, Entry]:
    """One entry per quantity: at the verdict point for water, else at `main`, else at the first point."""
    verdict_point = situation.verdict_point(station)
    chosen: dict[str, Reading] = {}
    for r in sorted(situation.readings(station), key=lambda r: _preference(r, verdict_point)):
        chosen.setdefault(r.quantity, r)
    return {quantity: Entry.model_validate(_entry(situation, r, now)) for quantity, r in sorted(chosen.items())}


def _preference(r: Reading, verdict_point: str | None) -> tuple[bool, bool, str]:
    return (not (r.quantity.startswith("water.") and r.point == verdict_point), r.point != MAIN, r.point)


def _entry(situation: Situation, r: Reading, now: int) -> dict[str, object]:
    known = QUANTITIES.get(r.quantity)
    return {
        "value": r.newest.value,
        "unit": known.unit if known else "",
        "time": rfc3339(r.newest.time),
        "flag": int(r.flag),
        "fresh": r.is_fresh(now, situation.risk),
        "point": r.point,
    }


def _detail(situation: Situation, s: Station, caller: Caller, now: int, limit: float | None) -> StationDetail:
    directory, risk = situation.directory, situation.risk
    points: dict[str, dict[str, PointEntry]] = {}
    for r in situation.readings(s.id):
        points.setdefault(r.point, {})[r.quantity] = PointEntry.model_validate(
            {**_entry(situation, r, now), "sensor": r.sensor, "received_at": rfc3339(r.received), **_ages(situation, r)}
        )
    point = situation.verdict_point(s.id)
    read = situation.reading(s.id, point, SALINITY) if point else None
    unknown = {"interval_s": None, "stale_after_s": risk.stale_after_ms(risk.interval_s) / 1000, "silent_after_s": risk.silent_after_ms(risk.interval_s) / 1000}
    return StationDetail.model_validate(
        {
            **_item(situation, s, caller, now, limit).model_dump(),
            **(_ages(situation, read) if read else unknown),
            "aliases": [AliasShape(name=a.name, start=a.start or None, end=a.end or None) for a in s.aliases],
            "commune_scheme": s.commune_scheme or None,
            "timezone": s.timezone,
            "level_datum": s.level_datum or None,
            "position": s.position,
            "verdict_point": point,
            "intake": s.intake or None,
            "points": points,
            "sensors": [_sensor(directory, d) for d in sorted(directory.deployments_at(s.id), key=lambda d: (d.point, d.start, d.device, d.channel))],
        }
    )


def _ages(situation: Situation, r: Reading) -> dict[str, object]:
    interval = r.interval_s or situation.risk.interval_s
    return {
        "interval_s": r.interval_s,
        "stale_after_s": situation.risk.stale_after_ms(interval) / 1000,
        "silent_after_s": situation.risk.silent_after_ms(interval) / 1000,
    }


def _sensor(directory: Directory, d: Deployment) -> SensorShape:
    device = directory.device(d.device)
    return SensorShape(
        sensor=sensor_tag(d.device, d.channel),
        model=device.model if device else "",
        point=d.point,
        role=d.role,
        start=None if d.start == ALWAYS else rfc3339(d.start),
        end=None if d.end >= FOREVER else rfc3339(d.end),
        depth_m=d.depth_m,
        interval_s=d.interval_s,
    )
