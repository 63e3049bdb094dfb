"""`/api/v1/alerts`: the warnings there are, one with its history, and reading one."""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from alerts.listing import highest
from alerts.shape import shape
from api.access import OFFICER, PUBLIC, Caller, Forbidden
from api.backend import Backend
from api.caching import answer
from api.paging import PAGE, Next, PageSize, decode, encode
from api.present import Present
from api.problem import Problem
from api.schemas.alerts import AlertDetail, AlertList, AlertShape, EventShape
from core.alert import STATES, Alert, AlertEvent
from core.clock import rfc3339
from core.errors import ConflictError, NotFoundError
from core.place import FOREVER, Station
from registry.directory import Directory

router = APIRouter(prefix="/alerts", tags=["alerts"])

State = Literal["open", "acknowledged", "cleared", "all"]
STANDING = ("open", "acknowledged")
BLOCK = 500  # alerts read at once
BLOCKS = 20  # for one page at most: where few of them are the caller's to see, a page ends early and goes on with `next`
Id = Annotated[int, Path(ge=1, le=(1 << 63) - 1)]


@router.get("", response_model=AlertList, summary="Alerts, newest first")
async def alerts(
    request: Request,
    caller: Annotated[Caller, PUBLIC],
    state: Annotated[State | None, Query(description="Open and acknowledged ones where nothing is said.")] = None,
    station: Annotated[str | None, Query(max_length=64, description="Only of the station with this id.")] = None,
    all_lines: Annotated[bool, Query(description="Every line that is passed; else only the highest of each station and point.")] = False,
    limit: PageSize = PAGE,
    next: Next = None,
) -> Response:
    """Those of stations the caller sees. The line, level and facts are those of the alert; `text` is said as of now."""
    backend: Backend = request.app.state.backend
    present: Present = request.app.state.present
    directory = await present.directory()
    states = STANDING if state is None else STATES if state == "all" else (state,)
    scope = f"alerts {state} {station} {all_lines}"
    after = decode(scope, next, int, int)
    position = (int(after[0]), int(after[1])) if after else None
    hidden = frozenset() if all_lines else await hidden_ids(backend, states)
    if station is not None and directory.station(station) is None:
        return answer(request, caller, AlertList(items=[], next=None))
    found, position, more = await page_of(backend, directory, caller, states, station, hidden, limit, position)
    now = backend.clock.now_ms()
    items = [AlertShape.model_validate(shape(a, station=s, now=now)) for a, s in found]
    onward = encode(scope, *position) if more and position is not None else None
    return answer(request, caller, AlertList(items=items, next=onward))


@router.get("/{id}", response_model=AlertDetail, summary="One alert with its history")
async def alert(request: Request, id: Id, caller: Annotated[Caller, PUBLIC]) -> Response:
    """What happened to it, oldest first. Who acknowledged it is told to the station's own officers only."""
    backend: Backend = request.app.state.backend
    found, station = await _seen(request, caller, id)
    return answer(request, caller, await _detail(backend, found, station, caller))


@router.post("/{id}/acknowledge", response_model=AlertDetail, summary="Say that somebody has read it")
async def acknowledge(request: Request, id: Id, caller: Annotated[Caller, OFFICER]) -> AlertDetail:
    """open → acknowledged; a second time changes nothing. For officers of the station's organisation."""
    backend: Backend = request.app.state.backend
    found, station = await _seen(request, caller, id)
    if not caller.sees(org=station.org, public=False):
        raise Forbidden
    try:
        done = await backend.alerts.acknowledge(id, actor=caller.name, at=backend.clock.now_ms())
    except ConflictError:
        at = found.cleared_at if found.cleared_at is not None else backend.clock.now_ms()
        raise Problem(409, "alert_cleared", value=id, at=rfc3339(at)) from None
    return await _detail(backend, done, station, caller)


async def hidden_ids(backend: Backend, states: Container[str]) -> frozenset[int]:
    """Ids of the alerts that a higher line of their station and point hides, among those in `states`."""
    live = [a for a in await backend.alerts.live_alerts(cleared_since=FOREVER) if a.state in states]
    return frozenset(a.id for a in live) - {a.id for a in highest(live)}


async def page_of(
    backend: Backend,
    directory: Directory,
    caller: Caller,
    states: tuple[str, ...],
    station: str | None,
    hidden: frozenset[int],
    limit: int,
    position: tuple[int, int] | None,
) -> tuple[list[tuple[Alert, Station]], tuple[int, int] | None, bool]:
    """At most `limit` alerts behind `position` (opened_at, id) with their stations, the position after them, and whether there may be more."""
    found: list[tuple[Alert, Station]] = []
    for _ in range(BLOCKS):
        block = await backend.alerts.alerts(states=states, station=station, limit=BLOCK, before=position)
        for a in block:
            known = directory.station(a.station)
            if known is not None and a.id not in hidden and caller.sees(org=known.org, public=known.public):
                if len(found) == limit:
                    return found, position, True
                found.append((a, known))
            position = (a.opened_at, a.id)
        if len(block) < BLOCK:
            return found, None, False
    return found, position, True


async def _seen(request: Request, caller: Caller, id: int) -> tuple[Alert, Station]:
    """The alert and its station. Raises Problem (404), the same whether it is another's or none."""
    backend: Backend = request.app.state.backend
    present: Present = request.app.state.present
    try:
        found = await backend.alerts.alert(id)
    except NotFoundError:
        found = None
    station = (await present.directory()).station(found.station) if found is not None else None
    if found is None or station is None or not caller.sees(org=station.org, public=station.public):
        raise Problem(404, "no_alert", parameter="id", value=id)
    return found, station


async def _detail(backend: Backend, alert: Alert, station: Station, caller: Caller) -> AlertDetail:
    events = await backend.alerts.alert_events(alert.id)
    is_theirs = caller.sees(org=station.org, public=False)
    return AlertDetail.model_validate(
        {
            **shape(alert, station=station, now=backend.clock.now_ms()),
            "model": alert.model or None,
            "acknowledged_at": None if alert.acknowledged_at is None else rfc3339(alert.acknowledged_at),
            "events": [_event(e, named=is_theirs) for e in events],
        }
    )


def _event(e: AlertEvent, *, named: bool) -> EventShape:
    return EventShape(
        at=rfc3339(e.at),
        kind=e.kind,
        value=e.value,
        time=None if e.time is None else rfc3339(e.time),
        p=None if e.p is None else round(e.p, 3),
        actor=(e.actor or None) if named else None,
    )
