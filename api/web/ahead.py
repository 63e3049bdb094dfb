"""What a station's page shows of the next three days: the chart, when to pump, and when to open a sluice that is measured on both sides."""

from __future__ import annotations

from api.web.charts.ahead import ahead
from api.web.charts.chart import Chart
from api.web.moment import Moment
from api.web.view import Card
from api.web.windows import gate, port_for, pumping
from core.forecast import HOUR_MS, Forecast
from core.place import Station
from core.window import Windows
from registry.situation import Situation


def ahead_part(at: Moment, known: Station, c: Card) -> dict[str, object]:
    """`ahead`, `pumping` and `gate` for `windows.html`, each None where there is nothing of it at this station."""
    situation, lang, zone = at.situation, at.lang, known.timezone
    of = situation.source_of(known.id)
    found = situation.windows(known.id, at.now, limit=c.verdict.limit)
    sluice = situation.sluice(known.id, at.now, limit=c.verdict.limit)
    return {
        "ahead": _chart(at, known, c, found, of),
        "pumping": pumping(situation, found, of, now=at.now, timezone=zone, lang=lang) if situation.readings(of) else None,
        "gate": gate(situation, sluice, known.id, limit=c.verdict.limit, now=at.now, timezone=zone, lang=lang) if sluice is not None else None,
    }


def _chart(at: Moment, known: Station, c: Card, found: Windows, of: str) -> Chart | None:
    """The newest reading stands on it where the verdict believes it."""
    situation = at.situation
    point = situation.verdict_point(of)
    if point is None:
        return None
    issue = believed(situation, of, point, at.now)
    last = (c.last.time, c.last.value) if c.last is not None and c.ground is not None else None
    port = port_for(situation, situation.directory.station(of) or known)
    return ahead(issue, found.windows, now=at.now, limit=c.verdict.limit, last=last, port=port, lang=at.lang, timezone=known.timezone)


def believed(situation: Situation, station: str, point: str, now: int) -> Forecast | None:
    """The newest forecast of hours there; one that is too old is none."""
    issue = situation.forecast(station, point)
    return None if issue is None or now - issue.issued_at > situation.risk.forecast_max_age_h * HOUR_MS else issue
