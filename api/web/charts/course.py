"""The course that a forecast of hours takes in a panel: its interval coloured by band, its likeliest line, and what lies above the scale."""

from __future__ import annotations

from markupsafe import Markup

from api.web.charts.fan import Slice, fan
from api.web.charts.frame import Frame
from api.web.charts.runs import Sample
from api.web.charts.scale import is_beyond
from api.web.charts.svg import CARD, INK, element, hatch, polyline, text
from api.web.charts.week_words import Coming
from api.web.words import plain, value_text
from core.forecast import HOUR_MS, MEDIAN
from core.texts import say
from core.verdict import UNIT


def interval(coming: Coming, frame: Frame, now: int, lang: str) -> list[Markup]:
    """The interval of each hour, and stripes over what no forecast covers."""
    height = frame.bottom - frame.top
    if not coming:
        middle = (frame.x(now) + frame.right) / 2
        stripes = hatch(frame.x(now), frame.top, frame.right - frame.x(now), height)
        return [stripes, text(middle, frame.top + height / 2 + 5, say(lang, "sure.none"), anchor="middle", bold=True, halo=True)]
    slices: list[list[Slice]] = [[(frame.x(start + HOUR_MS / 2), frame.y(q[0]), frame.y(q[-1])) for start, q in run] for run in unbroken(coming)]
    parts = [fan(slices, frame.paint)]
    last = coming[-1][0] + HOUR_MS
    if frame.end - last > 3 * HOUR_MS:
        parts.append(hatch(frame.x(last), frame.top, frame.right - frame.x(last), height))
    return parts


def course(coming: Coming, frame: Frame, lang: str) -> list[Markup]:
    """The likeliest course in ink, with a halo that keeps it readable over every colour, and the mark of what lies above the scale."""
    medians = [[(start + HOUR_MS // 2, q[MEDIAN]) for start, q in run] for run in unbroken(coming)]
    points = [[frame.place(s) for s in run] for run in medians if len(run) > 1]
    both = [polyline(points, stroke=colour, stroke_width=wide, stroke_linejoin="round", stroke_linecap="round") for colour, wide in ((CARD, 5.5), (INK, 2.5))]
    top = max((s for run in medians for s in run), key=lambda s: s[1], default=None)
    return [*both, *beyond(top, frame, lang)]


def beyond(top: Sample | None, frame: Frame, lang: str) -> list[Markup]:
    """The mark of the highest value where it lies above the scale: an arrow at its upper end, and the value."""
    if top is None or not is_beyond(top[1], frame.ticks):
        return []
    x = min(max(frame.x(top[0]), frame.left + 8), frame.right - 40)
    arrow = element("path", d=f"M{x:.0f} {frame.top + 2:.0f}l5 9h-10z", fill=INK, stroke=CARD, stroke_width=2, paint_order="stroke")
    return [arrow, text(x + 8, frame.top + 13, value_text(top[1], lang, unit=""), size=14, bold=True, halo=True)]


def cut(coming: Coming, frame: Frame, lang: str) -> str:
    """A sentence where the interval goes on above the scale; else nothing."""
    top = frame.ticks[-1]
    return say(lang, "chart.beyond", top=plain(top, lang, unit=UNIT)) if any(is_beyond(q[-1], frame.ticks) for _, q in coming) else ""


def unbroken(coming: Coming) -> list[list[tuple[int, tuple[float, ...]]]]:
    """Parts that follow each other by at most two hours, as two-hourly forecasts do."""
    parts: list[list[tuple[int, tuple[float, ...]]]] = []
    for row in coming:
        if not parts or row[0] - parts[-1][-1][0] > 2 * HOUR_MS:
            parts.append([])
        parts[-1].append(row)
    return parts
