"""`/`: every station with its one verdict, the gravest first and large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.access import PUBLIC, Caller
from api.backend import Backend
from api.web.charts.chart import Chart
from api.web.charts.strip import strip
from api.web.history import HOUR_MS, history, trend
from api.web.moment import Moment, moment, page
from api.web.view import Card, card, gravity
from api.web.windows import pump_line
from core.errors import RefusedError, UnavailableError
from core.forecast import MEDIAN
from core.place import Station
from core.texts import say
from registry.directory import Directory
from registry.ids import fold
from registry.situation import SALINITY, Situation

router = APIRouter(include_in_schema=False)

MOST = 200  # rows on one page; who has more finds theirs by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The stations of a waterway, from the sea up."""

    name: str
    cards: tuple[Card, ...]
    is_other: bool = False  # on no waterway: the name is our words for that


@router.get("/")
async def home(
    request: Request,
    caller: Annotated[Caller, PUBLIC],
    q: Annotated[str, Query(max_length=200, description="Words of a name, an alias or the id; accents, case and đ do not matter.")] = "",
    station: Annotated[str, Query(max_length=64, description="Id of the station shown large.")] = "",
) -> Response:
    """The stations, or those whose name holds the words `q`; `station` is the one shown large, else the gravest."""
    at = await moment(request, caller)
    q = "".join(c if c.isprintable() else " " for c in q)  # no control characters in the page
    seen = at.seen()
    directory = at.situation.directory
    found = [s for s in seen if matches(directory, s, q)]
    cards = [card(at.situation, s, at.now, at.lang, alerts=at.alerts_at(s.id)) for s in found]
    silent = {c.station.id for c in cards if never_measured(at.situation, c.station)}
    first = _first([c for c in cards if c.station.id not in silent], cards, q, station)
    rows = sorted((c for c in cards if c is not first), key=lambda c: _order(directory, c.station))
    without = [c for c in rows if c.station.id in silent]
    rows = [c for c in rows if c.station.id not in silent]
    shown = [*rows[:MOST], *([first] if first is not None else [])]
    words: dict[str, object] = {
        "q": q,
        "first": first,
        "chosen": first is not None and (first.station.id == station or bool(fold(q))),
        "rising": await rising(request, at, first) if first is not None else 0,
        "strip": hours(at, first) if first is not None else None,
        "pump": {c.station.id: line for c in shown if (line := pump_line(at.situation, c.station, now=at.now, lang=at.lang)) is not None},
        "groups": groups(directory, rows[:MOST], at.lang),
        "more": len(rows) - MOST,
        "without": without[:MOST],
        "without_count": len(without),
        "is_empty": not seen,
        "found": len(found),
    }
    return page("home.html", at, words, place="home")


def never_measured(situation: Situation, station: Station) -> bool:
    """Whether nothing was ever stored there, nor where a field takes its water."""
    return not situation.readings(station.id) and not situation.readings(situation.source_of(station.id))


def matches(directory: Directory, station: Station, q: str) -> bool:
    """Whether every word of a search, without accents, stands in one of the station's names, its waterway's or its commune's."""
    known = directory.waterway(station.waterway)
    names = [station.name, station.id, station.commune, known.name if known is not None else "", *(a.name for a in station.aliases)]
    folded = fold(" ".join(names))
    return all(word in folded for word in fold(q).split())


def groups(directory: Directory, cards: Sequence[Card], lang: str) -> list[Group]:
    """By waterway, in the order given; what lies on none comes last."""
    by: dict[str, list[Card]] = {}
    for c in cards:
        known = directory.waterway(c.station.waterway)
        by.setdefault(known.name if known is not None else "", []).append(c)
    return [Group(name=name or (say(lang, "page.elsewhere") if len(by) > 1 else ""), cards=tuple(of), is_other=not name) for name, of in by.items()]


def hours(at: Moment, c: Card) -> Chart | None:
    """The coming 24 hours by the forecast that the verdict has looked at; None where it had none."""
    of = at.situation.source_of(c.station.id)
    point = at.situation.verdict_point(of)
    forecast = at.situation.forecast(of, point) if point is not None else None
    if forecast is None or c.verdict.p is None:
        return None
    coming = [(start, q[MEDIAN]) for start, q in zip(forecast.times, forecast.quantiles, strict=True)]
    tops = {start: q[-1] for start, q in zip(forecast.times, forecast.quantiles, strict=True)}
    found = at.situation.windows(c.station.id, at.now, limit=c.verdict.limit)
    return strip(coming, tops=tops, windows=found.windows, now=at.now, timezone=c.station.timezone, lang=at.lang)


async def rising(request: Request, at: Moment, c: Card) -> int:
    """Whether the water rises (1) or falls (−1) where the card's reading was taken; 0 too while the store is away."""
    backend: Backend = request.app.state.backend
    of = at.situation.source_of(c.station.id)
    point = at.situation.verdict_point(of)
    if point is None or c.last is None or c.ground is None:
        return 0
    start, end = c.last.time - 2 * HOUR_MS, c.last.time
    try:
        found = await history(backend, at.situation.directory, station=of, point=point, quantity=SALINITY, start=start, end=end)
    except (UnavailableError, RefusedError):
        return 0  # the verdict needs no store
    return trend(found, c.last)


def _first(measured: Sequence[Card], cards: Sequence[Card], q: str, station: str) -> Card | None:
    """The card shown large: the one asked for, else the only one found, else the gravest of those that ever measured.

    Of many found by name none, for nobody can say which is meant.
    """
    asked = next((c for c in cards if c.station.id == station), None)
    if asked is not None:
        return asked
    if fold(q):
        return cards[0] if len(cards) == 1 else None
    return min(measured, key=gravity, default=None)


def _order(directory: Directory, station: Station) -> tuple[bool, str, float, str]:
    known = directory.waterway(station.waterway)
    return (known is None, known.name if known is not None else "", station.km if station.km is not None else 1e9, station.name)
