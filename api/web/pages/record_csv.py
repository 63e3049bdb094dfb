"""`/record.csv`: every forecast of days as it was issued, and what was said of the next hours and of sluices, with what came, for whoever wants to score
us again."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from analytics.both_sides import Told, is_so, lead_of, tell
from analytics.history import DAY_MS, local_date
from analytics.hours_ahead import said, window
from api.access import PUBLIC, Caller
from api.backend import Backend
from api.places import station_for
from api.web.moment import moment
from core.bands import LINES
from core.clock import rfc3339
from core.forecast import HOUR_MS, QUANTILES, Forecast
from core.place import Station
from core.record import AHEAD, SLUICE, SLUICE_HOURS
from core.sluice import INSIDE, OUTSIDE
from core.window import AHEAD_H

router = APIRouter(include_in_schema=False)

HEAD = (
    *("station", "point", "target", "model", "version", "issued", "lead_days", "valid", "outcome", "observed"),
    *(f"q{round(100 * q):02d}" for q in QUANTILES),
    *(f"p_gt_{line:g}" for line in LINES),
)
AHEAD_HEAD = ("station", "point", "target", "model", "version", "issued", "from", "until", "outcome", "observed", *(f"p_gt_{line:g}" for line in LINES))
SLUICE_HEAD = (
    *("station", "point", "target", "model", "issued", "issued_in", "version_in", "issued_out", "version_out", "lead_hours", "from", "until", "better"),
    *("best", "p_at_least", "outcome", "inside", "outside", "was_so"),
)
ISSUES = 100  # in one read: a long record is never held in memory
ISSUES_OF_DAYS = 10_000  # of hours, of two days


@router.get("/record.csv")
async def record_csv(
    request: Request,
    caller: Annotated[Caller, PUBLIC],
    station: Annotated[str | None, Query(max_length=64, description="Only this station's.")] = None,
    target: Annotated[
        Literal["day_max", "day_min", "max_6h", "max_24h", "sluice"],
        Query(description="A local day's maximum or minimum; whether the next 6 h or 24 h pass a line; whether a sluice is better open or shut."),
    ] = "day_max",
) -> StreamingResponse:
    """One row per issue and day ahead, of the next hours one per issue, of a sluice one per side told; of the stations the caller sees, or of one.

    Hindcasts are not among them.
    """
    at = await moment(request, caller)
    backend: Backend = request.app.state.backend
    seen = [station_for(at.situation.directory, caller, station)] if station else sorted(at.seen(), key=lambda s: s.id)
    name = f"canhman-{station or 'record'}-{target}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Cookie"}
    lines = _sluices(backend, seen, at.now) if target == "sluice" else _lines(backend, seen, target, at.now)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(backend: Backend, stations: Sequence[Station], target: str, now: int) -> AsyncIterator[str]:
    issued = "hour" if target in AHEAD else target
    yield _csv([AHEAD_HEAD if target in AHEAD else HEAD])
    for station in stations:
        points = sorted({f.point for f in await backend.forecasts.latest_forecasts(target=issued, station=station.id, until=now)})
        days = await backend.records.scored_days(stations=[station.id], target=target) if points else []
        for point in points:
            came = {d.time: d.came for d in days if d.point == point}
            async for issues in _issues(backend, station.id, point, issued, now):
                real = [f for f in issues if not f.hindcast]
                yield _csv([row for f in real for row in (_ahead(f, target, came) if target in AHEAD else _rows(f, came, station.timezone))])


async def _sluices(backend: Backend, stations: Sequence[Station], now: int) -> AsyncIterator[str]:
    """From the first hour that was scored on, a day at a time: of each side told, all that `analytics.both_sides` holds against what came."""
    yield _csv([SLUICE_HEAD])
    for station in stations:
        came = {}
        for target in SLUICE_HOURS.values():
            came[target] = {d.time: d.came for d in await backend.records.scored_days(stations=[station.id], target=target)}
        first = min((time for hours in came.values() for time in hours), default=now + AHEAD_H * HOUR_MS + 1)  # none: no row
        for start in range(first - AHEAD_H * HOUR_MS, now + 1, DAY_MS):
            end = min(start + DAY_MS, now + 1)
            both = []
            for point in (INSIDE, OUTSIDE):
                found = await backend.forecasts.forecasts(
                    station=station.id, point=point, target="hour", since=max(0, start - DAY_MS), until=end, limit=ISSUES_OF_DAYS
                )
                both.append(found)
            told = await asyncio.to_thread(tell, *both, since=start, until=end)  # a day of issues is some hundredths of a second: others go on
            yield _csv([row for one in told for row in _sides(one, first, came[SLUICE_HOURS[INSIDE]], came[SLUICE_HOURS[OUTSIDE]])])


def _sides(told: Told, first: int, inside: Mapping[int, float | None], outside: Mapping[int, float | None]) -> list[tuple[object, ...]]:
    a, b = told.inside, told.outside
    rows: list[tuple[object, ...]] = []
    for side in told.sides:
        if side.best < first:
            continue
        within, beyond = inside.get(side.best), outside.get(side.best)
        if side.best not in inside:
            outcome, was_so = "waiting", ""
        elif within is None or beyond is None:
            outcome, was_so = "missing", ""
        else:
            outcome, was_so = "scored", str(int(is_so(side, within, beyond)))
        issued = (rfc3339(told.at), rfc3339(a.issued_at), a.version, rfc3339(b.issued_at), b.version, lead_of(told, side))
        hours = (rfc3339(side.start), rfc3339(side.end), side.better, rfc3339(side.best), round(side.p, 5))
        values = ("" if value is None else f"{value:.5g}" for value in (within, beyond))
        rows.append((a.station, INSIDE, SLUICE[side.better], told.model, *issued, *hours, outcome, *values, was_so))
    return rows


async def _issues(backend: Backend, station: str, point: str, target: str, now: int) -> AsyncIterator[list[Forecast]]:
    """All by now, oldest first, some at a time."""
    since, told = 0, set[int]()
    while True:
        page = await backend.forecasts.forecasts(station=station, point=point, target=target, since=since, until=now + 1, limit=ISSUES)
        if fresh := [f for f in page if f.id not in told]:
            yield fresh
        if len(page) < ISSUES or not fresh:
            return
        since = page[-1].issued_at  # issues of several models may carry one time
        told = {f.id for f in page if f.issued_at == since}


def _rows(f: Forecast, came: Mapping[int, float | None], zone: str) -> list[tuple[object, ...]]:
    return [
        (
            *(f.station, f.point, f.target, f.model, f.version, rfc3339(f.issued_at), lead, local_date(start, zone).isoformat()),
            *(*_outcome(came, start), *quantiles, *p_gt),
        )
        for lead, start, quantiles, p_gt in zip(f.leads, f.times, f.quantiles, f.p_gt, strict=True)
    ]


def _ahead(f: Forecast, target: str, came: Mapping[int, float | None]) -> list[tuple[object, ...]]:
    """What an issue of hours said of the highest of the next ones at its instant; no row where it said nothing.

    None of an issue before all that is scored: it is of a time when the highest of the chances was said instead.
    """
    start, end = window(f, target)
    if start < min(came, default=end):
        return []
    p_gt = [round(p, 5) for p in said(f, target, LINES)]
    where = (f.station, f.point, target, f.model, f.version, *map(rfc3339, (f.issued_at, start, end)))
    return [(*where, *_outcome(came, start), *p_gt)] if p_gt else []


def _outcome(came: Mapping[int, float | None], start: int) -> tuple[str, str]:
    """What became of it, and the value."""
    value = came.get(start)
    return "waiting" if start not in came else "missing" if value is None else "scored", "" if value is None else f"{value:.5g}"


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
