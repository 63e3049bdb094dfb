"""`/record`: how often our forecasts came true, in words, as pictures, day by day and by station."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from analytics.record import FEW, Record, Tenth, records
from api.access import PUBLIC, Caller
from api.backend import Backend
from api.places import station_for
from api.web.charts.days import DAYS, Strip, days_strip
from api.web.charts.reliability import drops, reliability, said, telling
from api.web.moment import Moment, moment, page
from api.web.openings import openings
from api.web.unforecast import why_no_record
from api.web.words import local, midnight
from core.bands import LINES
from core.place import Station
from core.reasons import model_word
from core.record import AHEAD, BINS, VALUES, Day, Score
from core.texts import number, say

router = APIRouter(include_in_schema=False)

LEADS = (1, 3, 7, 14)
LINE = LINES.index(1.0)
COLUMNS = ("hits", "vain", "persistence", "climate", "within")  # of the table of leads
HOUR_COLUMNS = ("right", "hours.hits", "vain")  # of the table of the next hours
STATIONS = 200  # rows of the table at most; the API tells of all
TRIES = 3  # where something is scored anew while we read: no page is half of before and half of after
STRIPS = 8  # stations whose 90 days are drawn on the page of all; a station's own page draws its


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A station in the table, a cell per stretch of the next hours and per lead."""

    station: Station
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRow:
    """A lead in the table: its columns, and the same and more in sentences."""

    title: str
    cells: tuple[tuple[str, str], ...]  # (head, value)
    sentences: tuple[str, ...]


@router.get("/record")
async def record(
    request: Request, caller: Annotated[Caller, PUBLIC], station: Annotated[str | None, Query(max_length=64, description="Only this station's.")] = None
) -> Response:
    """Of all stations the caller sees, or one: the day's highest salinity and the line 1 g/L, 1, 3, 7 and 14 days ahead."""
    at = await moment(request, caller)
    backend: Backend = request.app.state.backend
    one = station_for(at.situation.directory, caller, station) if station else None
    for _ in range(TRIES):
        anews = await backend.records.anews()
        words = await _words(at, backend, one)
        if anews == await backend.records.anews():
            break
    return page("record.html", at, words, place="record")


async def _words(at: Moment, backend: Backend, one: Station | None) -> dict[str, object]:
    seen = [one] if one is not None else at.seen()
    asked: dict[str, Any] = {"stations": [s.id for s in seen], "target": "day_max", "leads": LEADS}
    whole = records(await backend.records.scores(**asked, lines=(VALUES, LINES[LINE]), over=("station", "point", "model")))
    # a row a station and lead, without its tenths: a province has a thousand stations
    apart = await backend.records.scores(**asked, lines=(LINES[LINE],), over=("bin",))
    each = {(r.station, r.target, r.lead): r for r in records(replace(s, point="", model="") for s in apart)}
    hours = [await _hours(backend, target, [s.id for s in seen], at.lang) for target in AHEAD]
    each |= {key: r for _, own, _ in hours for key, r in own.items()}
    days = _days(apart, LEADS)
    own_days = _own_days(apart) | {key: n // 24 for _, _, counts in hours for key, n in counts.items()}  # of issues of every hour
    heads = [*AHEAD.items(), *(("day_max", lead) for lead in LEADS)]
    # the values' rows stand where no day could be scored too: a station whose readings all turned out bad stays in the record
    issued = {s.station for s in (*apart, *await backend.records.scores(**asked, lines=(VALUES,), over=("point", "model")))}
    listed = sorted((s for s in seen if s.id in issued), key=lambda s: s.name)
    rows = [Row(station=s, cells=tuple(_cell(each.get((s.id, *head)), own_days.get((s.id, *head), 0), at.lang) for head in heads)) for s in listed]
    first = next((r for r in whole if r.lead == LEADS[0] and r.lines[LINE].n >= FEW and days[r.lead] >= FEW), None)
    tenths = first.lines[LINE].tenths if first is not None else ()
    most = telling(tenths)
    return {
        "one": one,
        "chart": reliability(tenths, lang=at.lang) if most is not None else None,
        "drops": drops(most.said) if most is not None else None,
        "weak": _weak(tenths, at.lang),
        "first": first,
        "first_stations": len({s.station for s in apart if s.lead == LEADS[0] and s.n}),
        "strips": await _strips(at, backend, listed[:STRIPS]),
        "leads": [_lead(r, days[r.lead], at.lang) for lead in LEADS for r in whole if r.lead == lead],
        "models": [model_word(name, at.lang) for name in sorted({s.model for s in apart if s.n})],
        "openings": await openings(backend, [s.id for s in seen], at.lang),
        "empty": ("", "") if whole else await why_no_record(backend, at.situation, one, now=at.now, lang=at.lang),
        "hours": [row for row, _, _ in hours if row is not None],
        "heads": [say(at.lang, "record.head.hours", hours=lead) if target in AHEAD else say(at.lang, "record.head.days", days=lead) for target, lead in heads],
        "rows": rows[:STATIONS] if one is None else [],
    }


async def _hours(
    backend: Backend, target: str, stations: Sequence[str], lang: str
) -> tuple[LeadRow | None, dict[tuple[str, str, int], Record], dict[tuple[str, str, int], int]]:
    """What was said of the highest of the next hours and the line 1 g/L: the row of all, None where nothing is scored; by station the record, and how many
    issues of one point stand behind it."""
    asked: dict[str, Any] = {"stations": stations, "target": target}
    whole = records(await backend.records.scores(**asked, lines=(VALUES, LINES[LINE]), over=("station", "point", "model")))
    apart = await backend.records.scores(**asked, lines=(LINES[LINE],), over=("bin",))
    each = {(r.station, r.target, r.lead): r for r in records(replace(s, point="", model="") for s in apart)}
    row = _hours_row(whole[0], _days(apart, AHEAD.values())[AHEAD[target]] // 24, lang) if whole and whole[0].n else None
    return row, each, _own_days(apart)


def _hours_row(r: Record, days: int, lang: str) -> LeadRow:
    """`days`: how many at one place at least; issues of one day are about the same water."""
    line = r.lines[LINE]
    counted = say(lang, "record.counted", n=r.n, missing=r.missing)
    if days < FEW:
        told = dict.fromkeys(HOUR_COLUMNS, say(lang, "record.cell.few", n=say(lang, "age.days", days=days)))
        sentences = [say(lang, "record.few", n=days), counted]
    else:
        rates = (line.right, line.n), (line.hit_rate, line.events), (line.false_alarms, line.warned)
        told = {name: _rate(share, n // r.lead, lang) for name, (share, n) in zip(HOUR_COLUMNS, rates, strict=True)}
        most = telling(line.tenths, least=FEW * r.lead)  # issues of every hour: so many tell of hours of their own
        sentences = [*([] if most is None else [said(most, lang)]), counted]
    title = say(lang, "record.hours.ahead", hours=r.lead)
    return LeadRow(title=title, cells=tuple((say(lang, f"record.col.{name}"), cell) for name, cell in told.items()), sentences=tuple(sentences))


async def _strips(at: Moment, backend: Backend, stations: Sequence[Station]) -> list[tuple[Station, Strip]]:
    """The last 90 local days of each, until the newest that is scored."""
    since = at.now - (DAYS + 2) * 86_400_000
    found: defaultdict[str, defaultdict[str, list[Day]]] = defaultdict(lambda: defaultdict(list))
    for day in await backend.records.scored_days(stations=[s.id for s in stations], target="day_max", since=since):
        found[day.station][day.point].append(day)
    drawn = []
    for s in stations:
        points = found[s.id]
        if points:
            days = points.get(at.situation.verdict_point(s.id) or "") or max(points.values(), key=len)
            last = max(local(days[-1].time, s.timezone).date(), local(midnight(at.now, s.timezone), s.timezone).date() - timedelta(days=2))
            drawn.append((s, days_strip(days, line=LINE, last=last, timezone=s.timezone, lang=at.lang)))
    return drawn


def _days(scores: Sequence[Score], leads: Iterable[int]) -> dict[int, int]:
    """How often at most each lead was scored at one point, of days: on how many. The stations of one day are salt together, and are no twenty cases."""
    own = _own_days(scores)
    return {lead: max((n for (_, _, of), n in own.items() if of == lead), default=0) for lead in leads}


def _own_days(scores: Sequence[Score]) -> dict[tuple[str, str, int], int]:
    """The same by station, target and lead: two points of a gate on one day are no two days."""
    at: Counter[tuple[str, str, str, int]] = Counter()
    for s in scores:
        at[s.station, s.target, s.point, s.lead] += s.n
    found: dict[tuple[str, str, int], int] = {}
    for (station, target, _, lead), n in at.items():
        found[station, target, lead] = max(n, found.get((station, target, lead), 0))
    return found


def _lead(r: Record, days: int, lang: str) -> LeadRow:
    line = r.lines[LINE]
    title = say(lang, "record.lead.one") if r.lead == 1 else say(lang, "record.lead.more", days=r.lead)
    if days < FEW:
        few = say(lang, "record.cell.few", n=say(lang, "age.days", days=days))
        counted = say(lang, "record.counted", n=r.n, missing=r.missing)
        return LeadRow(
            title=title, cells=tuple((say(lang, f"record.col.{name}"), few) for name in COLUMNS), sentences=(say(lang, "record.few", n=days), counted)
        )
    told = {
        "hits": _rate(line.hit_rate, line.events, lang),
        "vain": _rate(line.false_alarms, line.warned, lang),
        "persistence": "–" if line.skill_persistence is None else number(line.skill_persistence, 2, lang),
        "climate": "–" if line.skill is None else number(line.skill, 2, lang),
        "within": "–" if r.within is None else say(lang, "record.col.within.of", share=number(10 * r.within, 1, lang)),
    }
    return LeadRow(title=title, cells=tuple((say(lang, f"record.col.{name}"), told[name]) for name in COLUMNS), sentences=_sentences(r, lang))


def _sentences(r: Record, lang: str) -> tuple[str, ...]:
    line = r.lines[LINE]
    told = "" if line.right is None else say(lang, "record.right", share=_of_100(line.right, lang))
    inside = say(lang, "record.inside", share=_of_100(r.inside, lang), error=number(r.error, 2, lang)) if r.inside is not None and r.error is not None else ""
    return tuple(text for text in (told, inside, say(lang, "record.counted", n=r.n, missing=r.missing)) if text)


def _weak(tenths: Sequence[Tenth], lang: str) -> str:
    """The tenth that is surely off, by most; nothing where none is."""
    off = [t for t in tenths if t.n >= FEW and not t.low <= t.said <= t.high]
    if not off:
        return ""
    worst = max(off, key=lambda t: abs(t.came - t.said))
    low = min(BINS - 1, int(worst.said * BINS))
    return say(lang, "record.weak.more" if worst.came > worst.said else "record.weak.less", low=low, high=low + 1)


def _cell(r: Record | None, days: int, lang: str) -> str:
    right = r.lines[LINE].right if r is not None and days >= FEW else None
    return say(lang, "record.cell.few", n=say(lang, "age.days", days=days)) if right is None else _of_100(right, lang)


def _rate(share: float | None, n: int, lang: str) -> str:
    return say(lang, "record.cell.few", n=n) if share is None else _of_100(share, lang)


def _of_100(share: float, lang: str) -> str:
    return number(100 * share, 0, lang)
