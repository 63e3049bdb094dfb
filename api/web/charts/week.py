"""The last seven days as measured and the highest of each of the coming days as forecast, in two panels on one scale.

Twenty-one days on one axis leave 13 px a day on a phone, less than two tides need to be told apart. The hours between stand in a chart of their own,
`api.web.charts.ahead`.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.course import beyond, cut
from api.web.charts.fan import fan, paints
from api.web.charts.frame import Frame, behind, limit_line
from api.web.charts.runs import Runs, runs, thin
from api.web.charts.scale import ticks_for
from api.web.charts.svg import CARD, EDGE, INK, INK2, element, fill_of, hatch, picture, polyline, text
from api.web.charts.week_words import DAY_MS, Coming, days_ahead, rows, sentence
from api.web.words import local, plain
from core.bands import band
from core.forecast import MEDIAN, Forecast
from core.texts import say
from core.verdict import UNIT

WIDTH, LEFT, RIGHT = 304, 38, 298
TOP, HIGH, BETWEEN = 50, 110, 60  # of the panels [px]
STEP = 18  # of the scale has at least so much room [px]
BACK_DAYS = 7


def week(
    times: Sequence[int],
    values: Sequence[float],
    flags: Sequence[int],
    days_max: Forecast | None,
    hours: Forecast | None = None,
    *,
    old: int | None = None,
    is_known: bool = True,
    now: int,
    limit: float,
    lang: str,
    timezone: str,
) -> Chart:
    """Readings [ms, g/L, flag] of the last days, the newest forecast of target `day_max` and of `hour` where one may be believed, and the limit [g/L].

    `old`: when [ms] the newest of days was made, where that is too long ago for anything of it to be shown. `is_known`: the verdict believes the newest
    reading; else its dot has no band's colour.
    """
    found = runs(times, values, flags, start=now - BACK_DAYS * DAY_MS, end=now)
    told = days_ahead(days_max, hours, now, timezone)
    days = told.rows
    ticks = ticks_for([limit, *(v for line in found.lines for _, v in line), *(v for _, q in days for v in q)])
    high = max(HIGH, STEP * (len(ticks) - 1))
    past = Frame(left=LEFT, right=RIGHT, top=TOP, bottom=TOP + high, start=now - BACK_DAYS * DAY_MS, end=now, timezone=timezone, ticks=ticks)
    frames = [past]
    if days:
        top = past.bottom + BETWEEN
        frames.append(Frame(left=LEFT, right=RIGHT, top=top, bottom=top + high, start=days[0][0], end=days[-1][0] + DAY_MS, timezone=timezone, ticks=ticks))
    parts = [paints([(f.top, f.bottom) for f in frames], len(ticks) - 1), _legend(limit, lang, bool(found.bad)), *behind(frames, lang)]
    parts.append(text(0, TOP - 8, say(lang, "chart.week.past", days=BACK_DAYS), size=15, bold=True))
    parts.extend(_measured(found, past, now, lang, is_known=is_known))
    parts.extend(_day_names(past))
    if days:
        parts.append(text(0, frames[1].top - 8, say(lang, "chart.week.days", days=len(days)), size=15, bold=True))
        parts.extend(_highest(days, frames[1], lang))
    parts.append(limit_line(frames, limit))
    words = sentence(found, told, old=old, now=now, timezone=timezone, lang=lang)
    if days:
        words = f"{words} {cut(days, frames[1], lang)}".strip()
    head = tuple(say(lang, f"chart.{key}") for key in ("day", "low", "high", "range"))
    table = rows(found, days, timezone=timezone, lang=lang)
    return Chart(svg=picture(WIDTH, frames[-1].bottom + 24, words, "week", *parts), sentence=words, head=head, rows=table)


def _legend(limit: float, lang: str, bad: bool) -> Markup:
    """What the dashed line and, where there are some, the crosses mean."""
    words = say(lang, "chart.limit", limit=plain(limit, lang, unit=UNIT))
    parts = [polyline([[(0, 10), (28, 10)]], stroke=INK, stroke_width=2, stroke_dasharray="5 4"), text(34, 15, words, fill=INK2)]
    if bad:
        parts += [element("path", d="M165 6l8 8m0-8l-8 8", stroke=INK2, stroke_width="1.6"), text(179, 15, say(lang, "chart.bad"), fill=INK2)]
    return Markup("").join(parts)


def _measured(found: Runs, frame: Frame, now: int, lang: str, *, is_known: bool) -> list[Markup]:
    """Stripes where nothing is known, the measured line, a cross for each suspect value, a dot at the newest."""
    parts = [hatch(frame.x(a), frame.top, frame.x(b) - frame.x(a), frame.bottom - frame.top) for a, b in found.holes]
    lines = [thin([frame.place(s) for s in line], 2.5) for line in found.lines]
    joined = [line for line in lines if len(line) > 1]
    parts.append(polyline(joined, stroke=INK, stroke_width=2, stroke_linejoin="round", stroke_linecap="round"))
    parts.extend(element("circle", cx=line[0][0], cy=line[0][1], r=1.8, fill=INK) for line in lines if len(line) == 1)
    crosses = thin([frame.place(s) for s in found.bad], 6.0)
    data = "".join(f"M{x - 2:.0f} {y - 2:.0f}l4 4m0-4l-4 4" for x, y in crosses)
    if data:
        parts.append(element("path", d=data, stroke=INK2, stroke_width="1.4", fill="none"))
    everything = [s for line in found.lines for s in line]
    parts.extend(beyond(max(everything, key=lambda s: s[1], default=None), frame, lang))
    last = found.last
    if last is not None and (not found.holes or found.holes[-1][1] < now):
        x, y = frame.place(last)
        ground = fill_of(band(last[1])) if is_known else CARD
        parts.append(element("circle", cx=x, cy=y, r=4.5, fill=ground, stroke=EDGE, stroke_width=2, class_="newest"))
    return parts


def _highest(days: Coming, frame: Frame, lang: str) -> list[Markup]:
    """A bar per day for the interval of its highest value, coloured by band, the likeliest as a line across it."""
    wide = min(12.0, (frame.right - frame.left) / len(days) * 0.6)
    bars, marks, names = [], [], []
    for n, (start, q) in enumerate(days):
        x = frame.x(start + DAY_MS / 2)
        ends = (frame.y(q[0]), frame.y(q[-1]))
        bars.append([(x - wide / 2, *ends), (x + wide / 2, *ends)])
        y = frame.y(q[MEDIAN])
        marks.append([(x - wide / 2 - 2, y), (x + wide / 2 + 2, y)])
        then = local(start, frame.timezone)
        if n % 2 == 0:
            names.append(text(x, frame.bottom + 17, f"{then.day}/{then.month}", anchor="middle", fill=INK2))
    parts = [fan(bars, frame.paint)]
    parts += [polyline(marks, stroke=colour, stroke_width=thick) for colour, thick in ((CARD, 5.5), (INK, 3))]
    top = max(((start + DAY_MS // 2, q[MEDIAN]) for start, q in days), key=lambda s: s[1])
    return [*parts, *names, *beyond(top, frame, lang)]


def _day_names(frame: Frame) -> list[Markup]:
    """Under each day wide enough for it: its date."""
    parts = []
    for a, b in frame.days():
        then = local(a, frame.timezone)
        name = f"{then.day}/{then.month}"
        if frame.x(b) - frame.x(a) >= 8 * len(name):
            parts.append(text((frame.x(a) + frame.x(b)) / 2, frame.bottom + 17, name, anchor="middle", fill=INK2))
    return parts
