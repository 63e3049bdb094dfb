"""Hours ahead in which water may be taken, and when a sluice is better open or shut."""

from __future__ import annotations

import math

from pydantic import BaseModel, Field

from api.schemas.stations import VerdictShape
from api.web.hours_words import span, upper
from core import verdict as rule
from core.clock import rfc3339
from core.forecast import Forecast
from core.sluice import INSIDE, OUTSIDE, Side, Sluice
from core.texts import LANGUAGES
from core.verdict import UNIT
from core.window import Window, Windows


class WindowShape(BaseModel):
    """Whole hours, start ≤ t < end, in each of which the water stays at or under the limit with at least `p`."""

    start: str
    end: str
    p: float = Field(description="The least chance of its hours, each by itself; scored as `hour`, at 0.5, 1, 2 and 4 g/L only.")
    median: float = Field(description="The likeliest salinity of its freshest hour.")
    text: dict[str, str] = Field(description="The hours as people say them there now, in Vietnamese and English.")


class SideShape(BaseModel):
    """Whole hours, start ≤ t < end, in which the sluice is better open or better shut by what is likeliest."""

    start: str
    end: str
    better: str = Field(description="open: the water outside is fresher than that inside, and under the limit; else shut.")
    best: str = Field(description="Start of the hour in which that is surest.")
    p: float = Field(
        description="The chance of it in that hour, at least: whatever the two sides have to do with each other. "
        "It is scored as `sluice_open` and `sluice_shut`, at 1 g/L only."
    )
    outside: float = Field(description="The likeliest salinity outside in that hour.")
    inside: float
    turns: bool = Field(description="Whether the forecast shows the other side fresher from `end` on; else nothing is known from there.")


class SluiceShape(BaseModel):
    """Of a station that measures salinity inside (`in`) and outside (`out`)."""

    inside: str
    outside: str
    reason: str = Field(description="ok, or why nothing is said: of the two sides the one that is not known.")
    sides: list[SideShape]


class WindowsShape(BaseModel):
    """The windows of the next 72 hours, oldest first. `windows` is empty where none is sure enough (`reason` ok) or none may be told."""

    station: str
    source: str | None = Field(description="The station whose water a field takes; null where it is the station's own.")
    point: str | None = Field(description="Null where nothing that a verdict could read was ever measured.")
    limit: float
    unit: str
    promised: float = Field(description="The least chance at which an hour is offered.")
    issued_at: str | None = Field(description="Of the forecast they were read from; null where `reason` is not ok.")
    model: str | None
    until: str | None = Field(description="How far ahead the forecast speaks.")
    verdict: VerdictShape
    reason: str = Field(description="ok | stale | silent | suspect | fault | no_forecast | no_data")
    windows: list[WindowShape]
    sluice: SluiceShape | None = Field(description="Null where only one side is measured.")


def windows_shape(
    w: Windows, forecast: Forecast | None, sluice: Sluice | None, *, station: str, source: str, point: str | None, now: int, timezone: str
) -> WindowsShape:
    """The JSON of `w`; `forecast` is what it was read from."""
    read = forecast if w.reason == "ok" else None
    return WindowsShape(
        station=station,
        source=source if source != station else None,
        point=point,
        limit=w.verdict.limit,
        unit=UNIT,
        promised=w.promised,
        issued_at=None if read is None else rfc3339(read.issued_at),
        model=None if read is None else read.model,
        until=None if w.until is None else rfc3339(w.until),
        verdict=VerdictShape.model_validate(rule.shape(w.verdict)),
        reason=w.reason,
        windows=[_window(x, w, now, timezone) for x in w.windows],
        sluice=None if sluice is None else SluiceShape(inside=INSIDE, outside=OUTSIDE, reason=sluice.reason, sides=[_side(s) for s in sluice.sides]),
    )


def _window(x: Window, w: Windows, now: int, timezone: str) -> WindowShape:
    words = {lang: upper(str(span(x.start, x.end, now, timezone, lang, until=w.until))) for lang in LANGUAGES}
    return WindowShape(start=rfc3339(x.start), end=rfc3339(x.end), p=_down(x.p), median=x.median, text=words)


def _side(s: Side) -> SideShape:
    return SideShape(
        start=rfc3339(s.start),
        end=rfc3339(s.end),
        better=s.better,
        best=rfc3339(s.best),
        p=_down(s.p),
        outside=s.outside,
        inside=s.inside,
        turns=s.turns,
    )


def _down(p: float) -> float:
    """To a thousandth, never up: it is the least."""
    return math.floor(p * 1000 + 1e-9) / 1000
