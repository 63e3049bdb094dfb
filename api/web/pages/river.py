"""`/river`: how far the salt reaches on each waterway, as a diagram and in words, and why it is not known at a station."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.access import PUBLIC, Caller
from api.reach_now import WaterwayNow, reaches
from api.web.charts.river import RiverNow, Stop, line_sentence, river
from api.web.moment import Moment, moment, page
from api.web.pages.home import never_measured
from api.web.trust import Line
from api.web.view import Card, card
from api.web.words import ago, band_word, value_text
from core.bands import band
from core.place import Station, Waterway
from core.reach import StationMax
from core.texts import NO_NUMBER, number, say
from registry.situation import SALINITY, Reading, Situation

router = APIRouter(include_in_schema=False)

NAME = 22  # letters
SAID = "river-said"  # the element whose words the diagram stands for


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A station in the table; `value` and `word` hold for `good_for` [ms] after `time`, None where nothing is said that could become untrue."""

    waterway: str
    name: str
    km: str
    value: str
    word: str
    time: int | None
    ago: str
    good_for: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """One waterway: `said` where its lines stand, `oldest` how old the oldest reading behind that is; stations of which nothing is known, with why."""

    now: RiverNow
    said: str
    oldest: Line | None
    rows: tuple[Row, ...]
    unknown: tuple[Card, ...]


@router.get("/river")
async def rivers(request: Request, caller: Annotated[Caller, PUBLIC]) -> Response:
    """Every waterway with stations that ever measured, and where the 1 and 4 g/L lines stand on it."""
    at = await moment(request, caller)
    found = [along for w in await reaches(request.app, at.now, caller=caller) if (along := _along(at, w)).now.stops]
    chart = river([along.now for along in found], lang=at.lang, labelled_by=SAID) if found else None
    return page("river.html", at, {"chart": chart, "along": found, "said_id": SAID}, place="river")


def _along(at: Moment, found: WaterwayNow) -> Along:
    """With the stations' names, from where the waterway's own km are counted."""
    situation = at.situation
    stops, rows, unknown = [], [], []
    behind: list[tuple[int, int]] = []  # when a value's station was last good, and how long that holds [ms]
    for s in found.stations:
        known = situation.directory.station(s.station)
        if known is not None and never_measured(situation, known):
            continue
        stop = Stop(name=_short(known.name if known is not None else s.station), km=s.km, value=s.value)
        stops.append(stop)
        reading = _last(situation, s.station)
        row = _row(at, found.waterway, stop, s, reading)
        rows.append(row)
        if row.time is not None and row.good_for is not None:
            behind.append((row.time, row.good_for))
        if s.value is None and known is not None and (why := _why(at, known)) is not None:
            unknown.append(why)
    w = found.waterway
    lasts = min(behind, key=sum, default=None)
    now = RiverNow(name=w.name, sea=w.sea, length_km=w.length_km, stops=tuple(stops), reaches=found.reaches, start_km=_start(w), lasts=lasts)
    oldest = None
    if behind:
        time = min(since for since, _ in behind)
        told = ago(time, at.now, at.lang)
        oldest = Line(icon="clock", text=say(at.lang, "page.river.oldest", ago=told), time=time, ago=told)
    return Along(now=now, said=line_sentence(now, at.lang), oldest=oldest, rows=tuple(rows), unknown=tuple(unknown))


def _row(at: Moment, w: Waterway, stop: Stop, s: StationMax, reading: Reading | None) -> Row:
    lang, risk = at.lang, at.situation.risk
    good = reading.good if reading is not None and s.value is not None else None
    last = good or (reading.newest if reading is not None else None)
    return Row(
        waterway=w.name,
        name=stop.name,
        km=number(s.km, 0 if s.km == round(s.km) else 1, lang),
        value=NO_NUMBER if s.value is None else value_text(s.value, lang),
        word=band_word("unknown" if s.value is None else band(s.value), lang),
        time=None if last is None else last.time,
        ago="" if last is None else ago(last.time, at.now, lang),
        good_for=None if good is None or reading is None else risk.stale_after_ms(reading.interval_s or risk.interval_s),
    )


def _last(situation: Situation, station: str) -> Reading | None:
    point = situation.verdict_point(station)
    return situation.reading(station, point, SALINITY) if point is not None else None


def _why(at: Moment, known: Station) -> Card | None:
    """The station's card, which says why nothing may be said of its water; None where it has no words for that."""
    c = card(at.situation, known, at.now, at.lang)
    return c if c.why else None


def _short(name: str) -> str:
    """A name as long as a stop has room for: one of 200 letters must not squeeze the river."""
    return name if len(name) <= NAME else f"{name[: NAME - 1].rstrip()}…"


def _start(w: Waterway) -> float:
    """How far from the sea a canal begins: where it joins the first of its waterways; 0 for what opens to the sea itself."""
    return 0.0 if w.sea or not w.joins else w.joins[0].km
