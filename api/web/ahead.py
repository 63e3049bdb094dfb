"""What a station's page shows of the next three days: the chart, when to pump, and when to open a sluice that is measured on both sides."""

from __future__ import annotations

from api.web.charts.ahead import ahead
from api.web.charts.chart import Chart
from api.web.charts.week_words import days_ahead
from api.web.moment import Moment
from api.web.view import Card
from api.web.windows import gate, port_for, pumping
from core.forecast import Forecast
from core.place import Station
from core.window import Windows
from registry.situation import Situation


def ahead_part(at: Moment, known: Station, c: Card, days: Forecast | None = None) -> dict[str, object]:
    """`ahead`, `pumping` and `gate` for `windows.html`, each None where there is nothing of it at this station.

    `days` is the issue of days that the page tells of.

    `ahead_lasts`: as of when, and how much longer [ms], an open page that hears nothing new may go on showing the chart.
    """
    situation, lang, zone = at.situation, at.lang, known.timezone
    of = situation.source_of(known.id)
    found = situation.windows(known.id, at.now, limit=c.verdict.limit)
    sluice = situation.sluice(known.id, at.now, limit=c.verdict.limit)
    point = situation.verdict_point(of)
    issue = believed(situation, of, point, at.now) if point is not None else None
    pump = pumping(situation, found, of, now=at.now, timezone=zone, lang=lang) if situation.readings(of) else None
    ticked = (pump.as_of, pump.good_for) if pump is not None else (None, None)
    return {
        "ahead": _chart(at, known, c, found, issue, days) if point is not None else None,
        "ahead_lasts": ticked if ticked[1] is not None else told_for(situation, issue),
        "pumping": pump,
        "gate": gate(situation, sluice, known.id, limit=c.verdict.limit, now=at.now, timezone=zone, lang=lang) if sluice is not None else None,
    }


def _chart(at: Moment, known: Station, c: Card, found: Windows, issue: Forecast | None, days: Forecast | None) -> Chart:
    """The newest reading stands on it where the verdict believes it."""
    situation = at.situation
    last = (c.last.time, c.last.value) if c.last is not None and c.ground is not None else None
    port = port_for(situation, situation.directory.station(situation.source_of(known.id)) or known)
    told = days_ahead(days, issue, at.now, known.timezone)
    return ahead(issue, found.windows, now=at.now, limit=c.verdict.limit, last=last, port=port, days=told, lang=at.lang, timezone=known.timezone)


def believed(situation: Situation, station: str, point: str, now: int) -> Forecast | None:
    """The newest forecast of hours there; one that is too old is none."""
    issue = situation.forecast(station, point)
    return issue if issue is not None and situation.believes(issue, now) else None


def told_for(situation: Situation, *issues: Forecast | None) -> tuple[int | None, int | None]:
    """As of when, and how much longer [ms], a page may tell of these issues: as long as the oldest of them may be believed."""
    oldest = min((issue for issue in issues if issue is not None), key=lambda issue: issue.issued_at, default=None)
    return (None, None) if oldest is None else (oldest.issued_at, situation.told_until(oldest) - oldest.issued_at)
