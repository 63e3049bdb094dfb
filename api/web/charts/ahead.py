"""The next 72 hours: the forecast as a fan on the one scale, the limit, the hours to pump as boxes with a tick, and the tide under it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.course import course, cut, interval
from api.web.charts.fan import paints
from api.web.charts.frame import Frame, behind, box, closed, limit_line
from api.web.charts.runs import Sample
from api.web.charts.scale import ticks_for
from api.web.charts.svg import CARD, EDGE, INK, INK2, RULE, SILT, SILT2, element, fill_of, picture, polygon, polyline, text
from api.web.charts.week_words import Coming, Days, ahead_of, range_text
from api.web.hours_words import clock_hours
from api.web.words import date_words, hour_words, local, may_reach, midnight, plain, value_text
from core.bands import band
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.texts import NO_NUMBER, say
from core.tide import Port, level
from core.verdict import UNIT
from core.window import AHEAD_H, Window

WIDTH, LEFT, RIGHT = 304, 38, 298
TOP, BOTTOM = 30, 180
BACK_H = 1  # room for the dot of the newest reading
BOX = 18  # of a tick [px]
LETTER = 8.4  # how wide a sign of the hours under a box is [px]
LONGEST_H = 12  # a longer window has its box, and its hours in the list
TIDE_HIGH = 36  # of the tide's wave [px]


def ahead(
    forecast: Forecast | None,
    windows: Sequence[Window],
    *,
    now: int,
    limit: float,
    last: Sample | None,
    port: Port | None,
    days: Days | None = None,
    lang: str,
    timezone: str,
) -> Chart:
    """`forecast` of target `hour` where one may be believed, the windows of `core.window`, the newest reading where it is good and fresh, and the port.

    `days` are those of the chart of a week below: of a whole day both tables say the same.

    Without such a reading the sentence begins with when the hours were forecast, and that nobody knows the water now.
    """
    coming = [row for row in ahead_of(forecast, now, HOUR_MS) if row[0] < now - now % HOUR_MS + AHEAD_H * HOUR_MS]
    first = now - now % HOUR_MS
    shown = [limit, *(value for _, q in coming for value in q), *((last[1],) if last is not None else ())]
    hours = {"start": first - BACK_H * HOUR_MS, "end": first + AHEAD_H * HOUR_MS}
    frame = Frame(left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM, **hours, timezone=timezone, ticks=ticks_for(shown))
    boxes, bottom = _boxes(windows, frame, lang)
    wave, foot = _tide(port, frame, bottom + 8)
    parts = [
        paints([(frame.top, frame.bottom)], len(frame.ticks) - 1),
        _legend(limit, lang),
        *behind([frame], lang, nights=[frame]),
        *interval(coming, frame, now, lang),
        limit_line([frame], limit),
        *course(coming, frame, lang),
        *wave,
        *_days(frame, foot, now, lang),
        *boxes,
    ]
    if last is not None:
        x, y = frame.x(min(max(last[0], frame.start), first)), frame.y(last[1])
        parts.append(element("circle", cx=x, cy=y, r=4.5, fill=fill_of(band(last[1])), stroke=EDGE, stroke_width=2, class_="newest"))
    since = forecast.issued_at if forecast is not None and last is None else None
    words = _sentence(coming, windows, port, since=since, beyond=cut(coming, frame, lang), now=now, limit=limit, timezone=timezone, lang=lang)
    head = tuple(say(lang, f"chart.{key}") for key in ("day", "low", "high", "range", "pump"))
    table = _rows(coming, windows, days or Days(), now=now, timezone=timezone, lang=lang)
    return Chart(svg=picture(WIDTH, foot + 20, words, "ahead", *parts), sentence=words, head=head, rows=table)


def _legend(limit: float, lang: str) -> Markup:
    words = say(lang, "chart.limit", limit=plain(limit, lang, unit=UNIT))
    return Markup("").join([polyline([[(0, 10), (28, 10)]], stroke=INK, stroke_width=2, stroke_dasharray="5 4"), text(34, 15, words, fill=INK2)])


def _boxes(windows: Sequence[Window], frame: Frame, lang: str) -> tuple[list[Markup], float]:
    """Each window as a bar under the panel with dotted ends, a box with a tick and its hours; and where all that ends [px]."""
    if not windows:
        return [], frame.bottom
    edges, bars, ticks, hours = [], [], [], []
    rows = [0.0, 0.0]  # where the last words of each of two lines end
    box_end = -float(BOX)
    top = frame.bottom + 10
    for window in windows:
        a, b = frame.x(window.start), min(frame.x(window.end), frame.right)
        edges += [[(x, frame.top + (frame.bottom - frame.top) * 0.45), (x, top)] for x in (a, b)]
        bars.append([(a, top), (b, top)])
        middle = min(max((a + b) / 2, frame.left + BOX / 2), frame.right - BOX / 2)
        if middle - BOX / 2 < box_end + 2:
            continue  # windows of single hours, as from two-hourly readings: the bars alone
        box_end = middle + BOX / 2
        ticks.append(middle)
        label = short_hours(window, frame.timezone)
        wide = LETTER * len(label)
        start = min(middle - wide / 2, WIDTH - wide)
        line = next((n for n, taken in enumerate(rows) if start >= taken + 4), None)
        if line is not None and window.end - window.start <= LONGEST_H * HOUR_MS:
            rows[line] = start + wide
            hours.append(text(start + wide / 2, top + 5 + BOX + 16 + 16 * line, label, bold=True, anchor="middle", halo=True))
    squares = [box(x - BOX / 2, top + 5, x + BOX / 2, top + 5 + BOX) for x in ticks]
    check = "".join(f"M{x - 4.5:.1f} {top + 14.5:.1f}l3.2 3.4 5.6-6.6" for x in ticks)
    parts = [
        polyline(edges, stroke=INK, stroke_width="1.5", stroke_dasharray="1.5 3"),
        polyline(bars, stroke=INK, stroke_width=4),
        closed(squares, fill=CARD, stroke=EDGE, stroke_width=2, stroke_linejoin="round"),
        element("path", d=check, fill="none", stroke=INK, stroke_width=2, stroke_linecap="round", stroke_linejoin="round"),
        *hours,
    ]
    lines = 2 if rows[1] > 0 else 1 if rows[0] > 0 else 0
    return parts, top + 5 + BOX + 4 + 16 * lines


def short_hours(window: Window, timezone: str) -> str:
    """`14–18`, in both languages: a clock of 24 hours takes least room."""
    a, b = local(window.start, timezone).hour, local(window.end, timezone).hour
    return f"{a}–{b or 24}"


def _tide(port: Port | None, frame: Frame, top: float) -> tuple[list[Markup], float]:
    """The tide as a wave from `top` on, and where it ends [px]; nothing where no port stands for this place."""
    if port is None:
        return [], top
    times = np.arange(frame.start, frame.end + 1, HOUR_MS, dtype=np.int64)
    levels = level(port, times)
    low, high = float(levels.min()), float(levels.max())
    bottom = top + TIDE_HIGH
    points = [(frame.x(int(t)), bottom - 4 - (float(v) - low) / max(high - low, 0.1) * (TIDE_HIGH - 8)) for t, v in zip(times, levels, strict=True)]
    ground = polygon([[*points, (points[-1][0], bottom), (points[0][0], bottom)]], fill=SILT2)
    return [ground, polyline([points], stroke=SILT, stroke_width=2, stroke_linejoin="round")], bottom


def _days(frame: Frame, foot: float, now: int, lang: str) -> list[Markup]:
    """The days ruled down to their names, as much of these as there is room for; today's in bold."""
    parts = [polyline([[(frame.x(a), frame.bottom), (frame.x(a), foot + 4)] for a, _ in frame.days() if a > frame.start], stroke=RULE)]
    for a, b in frame.days():
        then = local(a, frame.timezone)
        date = f"{then.day}/{then.month}"
        room = frame.x(b) - frame.x(a)
        name = next((n for n in (f"{say(lang, f'weekday.short.{then.isoweekday()}')} {date}", date) if room >= 8 * len(n)), None)
        if name is not None:
            parts.append(text((frame.x(a) + frame.x(b)) / 2, foot + 17, name, anchor="middle", fill=INK2, bold=a <= now < b))
    return parts


def _sentence(
    coming: Coming, windows: Sequence[Window], port: Port | None, *, since: int | None, beyond: str, now: int, limit: float, timezone: str, lang: str
) -> str:
    """What the picture says, and how to read it; first, where the water is not known now, from when (`since`) all of it is."""
    if not coming:
        return f"{say(lang, 'sure.none')}."
    top, low = max(coming, key=lambda r: r[1][MEDIAN]), min(coming, key=lambda r: r[1][MEDIAN])
    high, lowest = value_text(top[1][MEDIAN], lang), value_text(low[1][MEDIAN], lang)
    peak, ebb = hour_words(top[0], now, timezone, lang), hour_words(low[0], now, timezone, lang)
    said = [
        say(lang, "chart.week.even", value=high) if high == lowest else say(lang, "chart.week.hours", high=high, peak=peak, low=lowest, ebb=ebb),
        f"{say(lang, 'chart.week.how')} {beyond}".strip(),
    ]
    if reach := may_reach(top[1][MEDIAN], max(q[-1] for _, q in coming), lang):
        said[0] = f"{said[0]} {reach}"
    if windows:
        said.insert(1, say(lang, "chart.ahead.ticks", limit=plain(limit, lang, unit=UNIT)))
    if since is not None:
        said.insert(0, say(lang, "chart.ahead.unknown", time=hour_words(since, now, timezone, lang)))
    if port is not None:
        said.append(say(lang, "chart.ahead.tide", port=port.name))
    return " ".join(said)


def _rows(coming: Coming, windows: Sequence[Window], days: Days, *, now: int, timezone: str, lang: str) -> tuple[tuple[str, ...], ...]:
    """A row a local day, or what is told of it: lowest, highest, the interval its highest lies in, and the hours to pump that begin on it.

    Of a whole day that the forecast of days tells too, its highest and interval are those of the chart of a week.
    """
    whole = days.told_twice()
    hourly: defaultdict[int, list[tuple[int, tuple[float, ...]]]] = defaultdict(list)
    for row in coming:
        hourly[midnight(row[0], timezone)].append(row)
    begins: defaultdict[int, list[str]] = defaultdict(list)
    for window in windows:
        day = midnight(window.start, timezone)
        long = window.end - window.start > LONGEST_H * HOUR_MS
        begins[day].append(
            say(lang, "window.span", start=hour_words(window.start, now, timezone, lang), end=hour_words(window.end, now, timezone, lang))
            if long
            else clock_hours(window.start, window.end, timezone, lang)
        )
    written = []
    for day, several in sorted(hourly.items()):
        top = whole.get(day) or max((q for _, q in several), key=lambda q: q[MEDIAN])
        low = min(top[MEDIAN], *(q[MEDIAN] for _, q in several))
        pump = "; ".join(begins[day]) or NO_NUMBER
        name = _told_of(day, several[0][0], several[-1][0] + HOUR_MS, timezone, lang)
        written.append((name, value_text(low, lang), value_text(top[MEDIAN], lang), range_text(top, lang), pump))
    return tuple(written)


def _told_of(day: int, start: int, end: int, timezone: str, lang: str) -> str:
    """The day; where hours are told of a part of it only, from when or until when: it is not the day another table tells of."""
    name = date_words(day, timezone, lang)
    if start - day >= 2 * HOUR_MS:
        return say(lang, "chart.day.from", day=name, hour=say(lang, f"hour.{local(start, timezone).hour}"))
    if midnight(day, timezone, 1) - end >= 2 * HOUR_MS:
        return say(lang, "chart.day.until", day=name, hour=say(lang, f"hour.{local(end, timezone).hour}"))
    return name
