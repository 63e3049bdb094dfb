"""A panel of a chart over time: where a moment and a salinity stand, and what lies behind them (scale, nights, days, limit)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from api.web.charts.fan import paint_name
from api.web.charts.runs import Sample
from api.web.charts.scale import TICKS, is_beyond, position
from api.web.charts.svg import EDGE, INK, INK2, RULE, Point, element, polyline, short, text
from api.web.words import local, midnight
from core.texts import number

GAUGE = 8  # the painted gauge left of the axis [px]
EVENING, MORNING = 18, 6  # a night, local hours
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A box in px and the time it spans [ms]; salinity stands by the one scale, `ticks` [g/L], the salty end up."""

    left: float
    right: float
    top: float
    bottom: float
    start: int
    end: int
    timezone: str
    ticks: tuple[float, ...] = TICKS

    @property
    def paint(self) -> str:
        """What its areas fill with."""
        return paint_name(self.top, self.bottom, len(self.ticks) - 1)

    def x(self, ms: float) -> float:
        """Across [px]."""
        return self.left + (ms - self.start) / (self.end - self.start) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Up [px], for a value in g/L."""
        return self.bottom - position(value, self.ticks) * (self.bottom - self.top)

    def place(self, sample: Sample) -> Point:
        """Of a reading."""
        return self.x(sample[0]), self.y(sample[1])

    def days(self) -> list[tuple[int, int]]:
        """Start and end [ms] of each local day it touches, cut to it."""
        found = []
        at = midnight(self.start, self.timezone)
        while at < self.end:
            after = midnight(at, self.timezone, 1)
            found.append((max(at, self.start), min(after, self.end)))
            at = after
        return found

    def nights(self) -> list[tuple[int, int]]:
        """Likewise of each night."""
        found = []
        day = local(self.start, self.timezone).replace(hour=EVENING, minute=0, second=0, microsecond=0) - timedelta(days=1)
        while (dusk := round(day.timestamp() * 1000)) < self.end:
            dawn = dusk + (24 - EVENING + MORNING) * HOUR_MS
            if dawn > self.start:
                found.append((max(dusk, self.start), min(dawn, self.end)))
            day += timedelta(days=1)
        return found


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """The corners of a box."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def closed(boxes: Iterable[Sequence[Point]], **attributes: str | float | None) -> Markup:
    """Boxes as one path."""
    data = "".join(f"M{short(a[0])} {short(a[1])}H{short(c[0])}V{short(c[1])}H{short(a[0])}z" for a, _, c, _ in boxes)
    return element("path", d=data, **attributes) if data else Markup("")


def behind(frames: Sequence[Frame], lang: str, *, nights: Sequence[Frame] = ()) -> list[Markup]:
    """What stands behind the lines of all panels: nights shaded, the scale's lines and their numbers, days ruled, the painted gauge."""
    shaded = [box(f.x(a), f.top, f.x(b), f.bottom) for f in nights for a, b in f.nights()]
    lines = [[(f.left, f.y(tick)), (f.right, f.y(tick))] for f in frames for tick in f.ticks[1:-1]]
    rules = [[(f.x(a), f.top), (f.x(a), f.bottom)] for f in frames for a, _ in f.days() if a > f.start]
    parts = [closed(shaded, fill=INK, opacity=".07"), polyline([*lines, *rules], stroke=RULE)]
    for f in frames:
        gauge = closed([box(1, f.top, 1 + GAUGE, f.bottom)], fill=f"url(#{f.paint})", stroke=EDGE, stroke_width="1.5")
        parts.append(gauge)
        parts.extend(text(f.left - 4, f.y(tick) + 5, number(tick, 1 if tick < 1 else 0, lang), anchor="end", fill=INK2) for tick in f.ticks[1:-1])
    parts.append(polyline([[(1, f.y(tick)), (1 + GAUGE, f.y(tick))] for f in frames for tick in f.ticks[1:-1]], stroke=EDGE, stroke_width="1.5"))
    return parts


def limit_line(frames: Sequence[Frame], limit: float) -> Markup:
    """The crop's limit, dashed across all panels; nowhere where it lies above their scale."""
    lines = [[(f.left, f.y(limit)), (f.right, f.y(limit))] for f in frames if not is_beyond(limit, f.ticks)]
    return polyline(lines, stroke=INK, stroke_width=2, stroke_dasharray="5 4")
