"""`/stations/{id}`: what to do here, how salty it is and will be, and why this may be believed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.access import PUBLIC, Caller
from api.backend import Backend
from api.places import station_for
from api.web.charts.ruler import ruler
from api.web.charts.week import BACK_DAYS, DAY_MS, week
from api.web.history import HOUR_MS, checks, history, trend
from api.web.moment import moment, page
from api.web.pages.home import hours
from api.web.trust import points, trust
from api.web.view import card, limit_text, where
from api.web.words import value_text
from core.texts import say
from registry.situation import SALINITY

router = APIRouter(include_in_schema=False)

LIMITS = (0.5, 1.0, 2.0, 4.0)  # offered; every other one works as well
Limit = Annotated[float | None, Query(gt=0, le=100, allow_inf_nan=False)]


@router.get("/stations/{id}")
async def station(request: Request, id: str, caller: Annotated[Caller, PUBLIC], limit: Limit = None) -> Response:
    """One station; its verdict by `limit` [g/L], else by the configured one."""
    at = await moment(request, caller)
    backend: Backend = request.app.state.backend
    situation, lang = at.situation, at.lang
    known = station_for(situation.directory, caller, id)
    c = card(situation, known, at.now, lang, limit=limit, alerts=at.alerts_at(known.id))
    of = situation.source_of(known.id)
    point = situation.verdict_point(of)
    words: dict[str, object] = {"ruler": None, "week": None, "strip": None, "trend": 0, "hour_ago": "", "trust": [], "source_station": None}
    if of != known.id:
        words["source_station"] = situation.directory.station(of)
    if point is not None and (reading := situation.reading(of, point, SALINITY)) is not None:
        start = at.now - BACK_DAYS * DAY_MS
        past = await history(backend, situation.directory, station=of, point=point, quantity=SALINITY, start=start, end=at.now + 1)
        days = await backend.forecasts.latest_forecasts(target="day_max", station=of, until=at.now)
        states = await backend.states.states(station=of)
        rows = past.rows
        value = c.last.value if c.last is not None else None
        words |= {
            "ruler": ruler(value, c.verdict.limit, lang, stale=c.ground is None),
            "week": week(
                rows.time.tolist(),
                rows.value.tolist(),
                rows.flag.tolist(),
                situation.forecast(of, point),
                next((f for f in days if f.point == point), None),
                now=at.now,
                limit=c.verdict.limit,
                lang=lang,
                timezone=known.timezone,
            ),
            "strip": hours(at, c),
            "trend": trend(past, c.last) if c.last is not None and c.ground is not None else 0,
            "hour_ago": _hour_ago(past.before(c.last.time - HOUR_MS) if c.last is not None else None, lang),
            "trust": trust(
                situation,
                reading,
                past,
                checks(states, situation.directory, station=of, point=point, quantity=SALINITY, now=at.now),
                now=at.now,
                lang=lang,
                timezone=known.timezone,
            ),
        }
    words |= {
        "station": known,
        "c": c,
        "where": where(situation, known, lang),
        "limits": [(value, limit_text(value, lang), value == c.verdict.limit) for value in LIMITS],
        "points": points(situation, known, now=at.now, lang=lang),
        "alerts": at.alerts_at(known.id),
    }
    return page("station.html", at, words, place="home")


def _hour_ago(value: float | None, lang: str) -> str:
    return "" if value is None else say(lang, "page.hour.ago", value=value_text(value, lang))
