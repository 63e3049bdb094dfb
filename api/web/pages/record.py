"""`/record`: how often our forecasts came true, in words, as a picture and by station."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from analytics.record import FEW, LineRecord, Record, records
from api.access import PUBLIC, Caller
from api.backend import Backend
from api.places import station_for
from api.web.charts.reliability import reliability
from api.web.moment import moment, page
from core.bands import LINES
from core.place import Station
from core.record import Score
from core.texts import number, say

router = APIRouter(include_in_schema=False)

LEADS = (1, 3, 7, 14)
LINE = LINES.index(1.0)
STATIONS = 200  # rows of the table at most; the API tells of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A station in the table, a cell per lead."""

    station: Station
    cells: tuple[str, ...]


@router.get("/record")
async def record(
    request: Request, caller: Annotated[Caller, PUBLIC], station: Annotated[str | None, Query(max_length=64, description="Only this station's.")] = None
) -> Response:
    """Of all stations the caller sees, or one: the day's highest salinity and the line 1 g/L, 1, 3, 7 and 14 days ahead."""
    at = await moment(request, caller)
    backend: Backend = request.app.state.backend
    one = station_for(at.situation.directory, caller, station) if station else None
    seen = [one] if one is not None else at.seen()
    scores = await backend.records.scores(stations=[s.id for s in seen], target="day_max", leads=LEADS)
    whole = _pooled(scores, by_station=False)
    each = {(r.station, r.lead): r for r in _pooled(scores, by_station=True)}
    rows = [Row(station=s, cells=tuple(_cell(each.get((s.id, lead)), at.lang) for lead in LEADS)) for s in seen if any((s.id, lead) in each for lead in LEADS)]
    first = next((r for r in whole if r.lead == LEADS[0] and r.lines[LINE].n >= FEW), None)
    words: dict[str, object] = {
        "one": one,
        "chart": reliability(first.lines[LINE].tenths, lang=at.lang) if first is not None else None,
        "first": first,
        "leads": [(lead, _sentence(r, at.lang)) for lead in LEADS for r in whole if r.lead == lead],
        "days": LEADS,
        "rows": sorted(rows, key=lambda r: r.station.name)[:STATIONS] if one is None else [],
    }
    return page("record.html", at, words, place="record")


def _pooled(scores: Iterable[Score], *, by_station: bool) -> list[Record]:
    """Over points and models, and over stations unless told apart."""
    return records(replace(s, station=s.station if by_station else "", point="", model="") for s in scores)


def _sentence(r: Record, lang: str) -> Sequence[str]:
    """How often right, how often the salt was missed or cried in vain is in the API; and what could not be scored."""
    line = r.lines[LINE]
    told = say(lang, "record.few", n=line.n) if line.right is None else say(lang, "record.right", share=_of_100(line.right, lang))
    inside = say(lang, "record.inside", share=_of_100(r.inside, lang), error=number(r.error, 2, lang)) if r.inside is not None and r.error is not None else ""
    return [text for text in (told, inside, say(lang, "record.counted", n=r.n, missing=r.missing)) if text]


def _cell(r: Record | None, lang: str) -> str:
    line: LineRecord | None = r.lines[LINE] if r is not None else None
    if line is None or line.right is None:
        return say(lang, "record.cell.few", n=line.n if line is not None else 0)
    return _of_100(line.right, lang)


def _of_100(share: float, lang: str) -> str:
    return number(100 * share, 0, lang)
