"""`/api/v1/stations/{id}/series`: what was measured, in pages that neither miss nor double a row."""

from __future__ import annotations

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray

from api.access import PUBLIC, Caller
from api.backend import Backend
from api.best import Rows, read_page, stretches
from api.caching import answer
from api.paging import Next, decode, encode
from api.places import choices, point_for, station_for
from api.present import Present
from api.problem import Problem, bad_value
from api.schemas.series import SeriesPage, Version
from api.times import End, Start
from core.clock import AHEAD_MS, rfc3339
from core.flags import Flag
from core.quantities import QUANTITIES
from core.series import SeriesKey
from core.texts import NO_NUMBER
from registry.directory import Directory
from registry.situation import SALINITY, Situation

router = APIRouter(prefix="/stations/{id}", tags=["series"])

ROWS, MOST_ROWS = 10_000, 100_000
DEFAULT_MS = 7 * 86_400_000
_VERSIONS = "`best` is the series people should use; `raw` the values as received; `corrected` with corrections where there are any (none exist yet: the same)."


@router.get("/series", response_model=SeriesPage, summary="A series, oldest first")
async def series(
    request: Request,
    id: str,
    caller: Annotated[Caller, PUBLIC],
    quantity: Annotated[str, Query(max_length=100, description="Such as `water.salinity`.")],
    point: Annotated[str | None, Query(max_length=64, description="`main` where nothing is said; the verdict point where there is no `main`.")] = None,
    start: Start = None,
    end: End = None,
    version: Annotated[Version, Query(description=_VERSIONS)] = "best",
    flags: Annotated[str | None, Query(max_length=40, description="Only rows with one of these flags, such as `1,2`; all where nothing is said.")] = None,
    sensor: Annotated[str | None, Query(max_length=200, description="Only this sensor, a `check` one too; else the primary ones.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows a page holds at most.")] = ROWS,
    next: Next = None,
) -> Response:
    """Rows with start ≤ time < end; without them the last 7 days. `next` goes on behind the last row by its time: rows that come late shift nothing."""
    present: Present = request.app.state.present
    backend: Backend = request.app.state.backend
    situation = await present.look()
    station = station_for(situation.directory, caller, id).id
    if quantity not in QUANTITIES:
        raise Problem(422, "not_measured", parameter="quantity", value=quantity, station=station, point=point or "main", choices=_stored(situation, station))
    place = point_for(situation, station, point, quantity=quantity)
    _check_measured(situation, station, place, quantity)
    wanted = _flags(flags)
    scope = f"series {station} {place} {quantity} {version} {wanted} {sensor}"
    after = decode(scope, next, int, str, int)
    since, until = _window(start, end, backend.clock.now_ms())
    if after is not None:  # the window of the first page: times not given move with the clock
        since, until = int(after[0]), int(after[2])
    keys = [state.key for state in await backend.states.states(station=station)]
    if sensor is not None:
        keys = _keys_of(situation.directory, keys, station, place, sensor, since, until)
    parts = stretches(situation.directory, keys, station=station, point=place, quantity=quantity, start=since, end=until, sensor=sensor)
    rows = await read_page(backend.store, parts, limit=limit, after=None if after is None else (int(after[0]), str(after[1])), flags=wanted)
    onward = None if rows.after is None else encode(scope, *rows.after, until)

    def build() -> tuple[SeriesPage, bytes]:
        page = _page(station, place, quantity, version, rows, onward)
        return page, page.model_dump_json().encode()

    page, body = await asyncio.to_thread(build)  # 100,000 rows take tenths of a second
    return answer(request, caller, page, body=body)


def _stored(situation: Situation, station: str) -> str:
    """Everything stored there, salinity first: a person who mistypes a name looks for the right one."""
    found = sorted({(r.quantity, r.point) for r in situation.readings(station)}, key=lambda of: (of[0] != SALINITY, of))
    return ", ".join(f"{quantity} ({point})" for quantity, point in found) or NO_NUMBER


def _check_measured(situation: Situation, station: str, point: str, quantity: str) -> None:
    """Raises Problem (404) where other quantities are stored at the point and this one never was; a new point is merely empty."""
    at_point = {r.quantity for r in situation.readings(station) if r.point == point}
    if at_point and quantity not in at_point:
        raise Problem(404, "not_measured", parameter="quantity", value=quantity, station=station, point=point, choices=_stored(situation, station))


def _flags(text: str | None) -> list[int] | None:
    """The flags asked for, sorted; None = all. Raises Problem (422)."""
    if text is None:
        return None
    named = [part.strip() for part in text.split(",")]
    known = {str(int(flag)): int(flag) for flag in Flag}
    if not all(part in known for part in named):
        raise bad_value("flags", text, must="flags")
    return sorted({known[part] for part in named})


def _window(start: int | None, end: int | None, now: int) -> tuple[int, int]:
    """Start and end [ms]; a reading may be a little ahead of our clock, and is shown. Raises Problem (422)."""
    if end is None:
        end = max(now + AHEAD_MS, start or 0)
        start = now - DEFAULT_MS if start is None else start
    if start is None:
        start = end - DEFAULT_MS
    if end < start:
        raise bad_value("end", rfc3339(end), must="later", start=rfc3339(start))
    return start, end


def _keys_of(directory: Directory, keys: list[SeriesKey], station: str, point: str, sensor: str, start: int, end: int) -> list[SeriesKey]:
    """The keys of one sensor. Raises Problem (404) that names the sensors that stood there."""
    standing = sorted({p.sensor for p in directory.sensors_at(station, point, start, end)})
    if sensor not in standing:
        raise Problem(404, "no_sensor", parameter="sensor", value=sensor, station=station, point=point, choices=choices(standing))
    return [key for key in keys if key.sensor == sensor]


def _page(station: str, point: str, quantity: str, version: Version, rows: Rows, onward: str | None) -> SeriesPage:
    return SeriesPage(
        station=station,
        point=point,
        quantity=quantity,
        unit=QUANTITIES[quantity].unit,
        version=version,
        times=_texts(rows.time),
        values=rows.value.tolist(),
        flags=rows.flag.tolist(),
        next=onward,
    )


def _texts(times: NDArray[np.int64]) -> list[str]:
    """RFC 3339 of times [ms], shape (n,)."""
    if np.any(times % 1000):
        return [rfc3339(t) for t in times.tolist()]
    return np.char.add(np.datetime_as_string(times.astype("datetime64[ms]"), unit="s"), "Z").tolist() if len(times) else []
