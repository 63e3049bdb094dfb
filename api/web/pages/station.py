"""`/stations/{id}`: what to do here, how salty it is and will be, and why this may be believed."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.access import PUBLIC, Caller
from api.backend import Backend
from api.places import station_for
from api.web.ahead import ahead_part, believed, told_for
from api.web.charts.ruler import ruler
from api.web.charts.week import BACK_DAYS, week
from api.web.charts.week_words import DAY_MS
from api.web.history import HOUR_MS, checks, history, trend
from api.web.moment import Moment, moment, page
from api.web.pages.home import hours
from api.web.reasons import card_of, why
from api.web.soil import soil_part
from api.web.trust import points, record_line, season, technical, trust
from api.web.view import Card, card, limit_text, where
from api.web.words import full_date, value_text
from core.errors import CanhManError, RefusedError, UnavailableError
from core.forecast import Forecast
from core.reasons import Called, capitals
from core.texts import say
from registry.situation import SALINITY, Reading, Situation

router = APIRouter(include_in_schema=False)

LIMITS = (0.5, 1.0, 2.0, 4.0)  # offered; every other one works as well
Limit = Annotated[float | None, Query(gt=0, le=100, allow_inf_nan=False, description="The salinity the verdict is about [g/L]; else the installation's.")]
CropId = Annotated[str | None, Query(max_length=64, description="Id of the crop its soil is judged for; one there is not is as none.")]
StageId = Annotated[str | None, Query(max_length=64, description="Id of the crop's stage; one it has not is as none.")]


@router.get("/stations/{id}")
async def station(request: Request, id: str, caller: Annotated[Caller, PUBLIC], limit: Limit = None, crop: CropId = None, stage: StageId = None) -> Response:
    """One station; its verdict by `limit` [g/L], else by the configured one; the soil of a field for `crop` in `stage`."""
    at = await moment(request, caller)
    backend: Backend = request.app.state.backend
    situation, lang = at.situation, at.lang
    known = station_for(situation.directory, caller, id)
    c = card(situation, known, at.now, lang, limit=limit, alerts=at.alerts_at(known.id))
    of = situation.source_of(known.id)
    point = situation.verdict_point(of)
    coming = None
    words: dict[str, object] = {"ruler": None, "past": None, "source_station": situation.directory.station(of) if of != known.id else None}
    if point is not None and (reading := situation.reading(of, point, SALINITY)) is not None:
        value = c.last.value if c.last is not None else None
        words["ruler"] = ruler(value, c.verdict.limit, lang, stale=c.ground is None)
        words["withdrawn_ruler"] = ruler(value, c.verdict.limit, lang, stale=True)
        try:
            newest = await _days(at, backend, reading)
            coming = newest if newest is not None and situation.believes(newest, at.now) else None
            words["past"] = await _past(at, backend, reading, c, newest)
        except (UnavailableError, RefusedError):
            words["past"] = None  # the verdict needs no store: it is shown all the same
    words |= {
        "station": known,
        "c": c,
        "where": where(situation, known, lang),
        "measured_on": full_date(c.last.time, known.timezone, lang) if c.last is not None else "",
        "limits": [(value, limit_text(value, lang), value == c.verdict.limit) for value in LIMITS],
        "strip": hours(at, c),
        **ahead_part(at, known, c, coming),
        "points": points(situation, known, now=at.now, lang=lang),
        "alerts": at.alerts_at(known.id),
        "soil": await soil_part(at, known, crop=crop, stage=stage, limit=c.verdict.limit),
    }
    return page("station.html", at, words, place="home")


def _called(situation: Situation) -> Called:
    """The name of the public station a driver is called after, with its accents."""

    def called(place: str) -> str:
        known = situation.directory.station(place)
        return known.name if known is not None and known.public else capitals(place)

    return called


async def _days(at: Moment, backend: Backend, reading: Reading) -> Forecast | None:
    """The newest issue of days there, however old. Raises UnavailableError."""
    found = await backend.forecasts.latest_forecasts(target="day_max", station=reading.station, until=at.now)
    return next((f for f in found if f.point == reading.point), None)


async def _past(at: Moment, backend: Backend, reading: Reading, c: Card, newest: Forecast | None) -> dict[str, object]:
    """What the store adds: the week as a chart, the trend, and the checks behind the newest value. Raises UnavailableError."""
    situation, lang, zone = at.situation, at.lang, c.station.timezone
    place = {"station": reading.station, "point": reading.point, "quantity": SALINITY}
    past = await history(backend, situation.directory, **place, start=at.now - BACK_DAYS * DAY_MS, end=at.now + 1)
    coming = newest if newest is not None and situation.believes(newest, at.now) else None
    hourly = believed(situation, reading.station, reading.point, at.now)
    scores = await backend.records.scores(stations=[reading.station], target="day_max", leads=(1,), since=season(at.now, zone))
    learned = None
    if coming is not None and backend.models is not None:
        with suppress(CanhManError):  # a card that cannot be read keeps nobody from the page; `doctor` names it
            speaks = await backend.models.speaking("day_max")
            learned = card_of(coming, (speaks,) if speaks is not None else ()) or card_of(coming, await backend.models.cards())
    beside = checks(await backend.states.states(station=reading.station), situation.directory, **place, now=at.now)
    rows = past.rows
    hour_ago = past.before(c.last.time - HOUR_MS) if c.last is not None else None
    return {
        "week": week(
            rows.time.tolist(),
            rows.value.tolist(),
            rows.flag.tolist(),
            coming,
            hourly,
            is_known=c.ground is not None,
            old=newest.issued_at if newest is not None and newest.leads and coming is None else None,
            now=at.now,
            limit=c.verdict.limit,
            lang=lang,
            timezone=zone,
        ),
        "week_lasts": told_for(situation, coming, hourly) if coming is not None else (None, None),
        "trend": trend(past, c.last) if c.last is not None and c.ground is not None else 0,
        "hour_ago": "" if hour_ago is None else say(lang, "page.hour.ago", value=value_text(hour_ago, lang)),
        "why": why(coming, hourly, card=learned, called=_called(situation), now=at.now, lang=lang, timezone=zone) if coming is not None else None,
        "trust": [
            *trust(situation, reading, past, beside, now=at.now, lang=lang, timezone=zone),
            record_line((s for s in scores if s.point == reading.point), lang=lang),
        ],
        "technical": technical(situation, reading, beside, coming, now=at.now, lang=lang),
    }
