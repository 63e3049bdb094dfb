"""`/alerts` and `/alerts/{id}`: the warnings as a farmer reads them: what to do, where, how much, how sure, from whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from alerts.message import AlertText, action, clock_text, event_text, line_text, sentence, sure, text
from api.access import OFFICER, PUBLIC, Caller, Forbidden
from api.backend import Backend
from api.paging import Next, decode, encode
from api.problem import Problem
from api.routes.alerts import page_of
from api.web.moment import Moment, moment, page
from api.web.view import card, title_of
from api.web.words import ago
from core.alert import Alert
from core.clock import rfc3339
from core.errors import ConflictError, NotFoundError
from core.place import Station
from core.reasons import model_word
from core.texts import say

router = APIRouter(include_in_schema=False)

PAST, PAST_ROWS = "past alerts", 50
Id = Annotated[int, Path(ge=1, le=(1 << 63) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCard:
    """An alert in a list. `ground` is the band it warns of, None for one about a machine."""

    alert: Alert
    ground: int | None
    title: str
    place: str
    facts: str
    ago: str
    read: str


@router.get("/alerts")
async def alerts(
    request: Request,
    caller: Annotated[Caller, PUBLIC],
    state: Annotated[Literal["open", "cleared"], Query(description="The standing ones, or all that are over.")] = "open",
    next: Next = None,
) -> Response:
    """The standing ones, the gravest first; below those that are over these days. `state=cleared` is all that are over, by pages."""
    at = await moment(request, caller)
    if state == "open":
        return page("alerts.html", at, {"standing": _cards(at, at.alerts), "cleared": _cards(at, at.cleared)}, place="alerts")
    after = decode(PAST, next, int, int)
    position = (int(after[0]), int(after[1])) if after else None
    backend: Backend = request.app.state.backend
    found, position, more = await page_of(backend, at.situation.directory, caller, ("cleared",), None, frozenset(), PAST_ROWS, position)
    onward = encode(PAST, *position) if more and position is not None else None
    return page("past.html", at, {"past": _cards(at, tuple(a for a, _ in found)), "onward": onward}, place="alerts")


@router.get("/alerts/{id}")
async def alert(request: Request, id: Id, caller: Annotated[Caller, PUBLIC]) -> Response:
    """One of them with its history; its station's officers may acknowledge it here."""
    at = await moment(request, caller)
    found, station = await _seen(at, id)
    backend: Backend = request.app.state.backend
    lang, now = at.lang, at.now
    events = await backend.alerts.alert_events(id)
    theirs = caller.role != "public" and caller.sees(org=station.org, public=False)
    told = text(found, station=station, lang=lang, now=now)
    title, detail = title_of(told.title)
    words = {
        "alert": found,
        "station": station,
        "ground": _ground(found),
        "told": told,
        "title": title,
        "detail": detail,
        "facts": _facts(at, found, station, told),
        "todo": _todo(found, lang),
        "opened": clock_text(found.opened_at, station=station, lang=lang, now=now),
        "updated": clock_text(found.updated_at, station=station, lang=lang, now=now),
        "read": _read(at, found, station, named=theirs),
        "events": [
            (clock_text(e.at, station=station, lang=lang, now=now), event_text(e, found, station=station, lang=lang, named=theirs)) for e in reversed(events)
        ],
        "may_read": theirs and found.state == "open",
        "verdict": card(at.situation, station, now, lang),
    }
    return page("alert.html", at, words, place="alerts")


@router.post("/alerts/{id}/acknowledge")
async def acknowledge(request: Request, id: Id, caller: Annotated[Caller, OFFICER]) -> Response:
    """An officer of the station's organisation has read it; back to the page."""
    at = await moment(request, caller)
    found, station = await _seen(at, id)
    if not caller.sees(org=station.org, public=False):
        raise Forbidden
    backend: Backend = request.app.state.backend
    try:
        await backend.alerts.acknowledge(id, actor=caller.name, at=at.now)
    except ConflictError:
        raise Problem(409, "alert_cleared", value=id, at=rfc3339(found.cleared_at or at.now)) from None
    return RedirectResponse(f"/alerts/{id}", status_code=303)


async def _seen(at: Moment, id: int) -> tuple[Alert, Station]:
    """The alert and its station. Raises Problem (404), the same whether it is another's or none."""
    backend: Backend = at.request.app.state.backend
    try:
        found = await backend.alerts.alert(id)
    except NotFoundError:
        found = None
    station = at.situation.directory.station(found.station) if found is not None else None
    if found is None or station is None or not at.caller.sees(org=station.org, public=station.public):
        raise Problem(404, "no_alert", parameter="id", value=id)
    return found, station


def _cards(at: Moment, found: tuple[Alert, ...]) -> list[AlertCard]:
    cards = []
    for a in found:
        station = at.situation.directory.station(a.station)
        if station is not None:
            told = text(a, station=station, lang=at.lang, now=at.now)
            since = ago(a.cleared_at or a.opened_at, at.now, at.lang)
            named = at.caller.role != "public" and at.caller.sees(org=station.org, public=False)
            read = _read(at, a, station, named=named)
            cards.append(
                AlertCard(alert=a, ground=_ground(a), title=title_of(told.title)[0], place=told.place, facts=" ".join(told.facts), ago=since, read=read)
            )
    return cards


def _ground(a: Alert) -> int | None:
    return action(a) if a.line is not None and 0 < a.level <= 4 else None


def _read(at: Moment, a: Alert, station: Station, *, named: bool) -> str:
    """That somebody has read it; who, only for the station's own officers."""
    if a.acknowledged_at is None:
        return ""
    time = clock_text(a.acknowledged_at, station=station, lang=at.lang, now=at.now)
    return say(at.lang, "page.alert.read.by", name=a.acknowledged_by, time=time) if named and a.acknowledged_by else say(at.lang, "page.alert.read", time=time)


def _todo(a: Alert, lang: str) -> list[str]:
    """The sentences of its level, and to measure first."""
    if a.state == "cleared":
        return []
    level = say(lang, f"verdict.{action(a)}") if _ground(a) is not None else say(lang, "unknown")
    return [*(sentence(part.strip().rstrip(".")) for part in level.split(". ")), say(lang, "window.check")]


def _facts(at: Moment, a: Alert, station: Station, told: AlertText) -> list[tuple[str, str, list[str]]]:
    """Rows of (name, first line in bold, further lines); measured and forecast never in one sentence."""
    lang = at.lang
    rows = [(say(lang, "page.alert.where"), told.place, [part for part in (_waterway(at, station),) if part])]
    facts = list(told.facts)
    if facts:
        rows.append((say(lang, "page.alert.much"), facts[0], [f for f in facts[1:] if a.p is None]))
    if a.kind == "forecast" and a.p is not None and a.line is not None:
        rows.append((say(lang, "page.alert.sure"), say(lang, "page.alert.chance", sure=sure(a.p, lang), limit=line_text(a.line, lang)), []))
    elif a.kind == "observed":
        rows.append((say(lang, "page.alert.sure"), say(lang, "page.alert.measured"), []))
    key = "page.alert.source.forecast" if a.kind == "forecast" else "page.alert.source.observed"
    rows.append((say(lang, "page.alert.source"), say(lang, key, place=told.place, model=model_word(a.model, lang)), []))
    return rows


def _waterway(at: Moment, station: Station) -> str:
    known = at.situation.directory.waterway(station.waterway)
    return known.name if known is not None else ""
