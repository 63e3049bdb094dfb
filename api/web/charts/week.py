"""The last seven days as measured and the coming days as forecast, on one scale, in three panels.

Twenty-one days on one axis leave 13 px a day on a phone, less than two tides need to be told apart. So: the week behind us;
half a day back to three days on, by the hour; the highest of each of the coming days.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.fan import Slice, fan, paint_name, paints
from api.web.charts.frame import Frame, behind, limit_line
from api.web.charts.runs import Runs, Sample, runs, thin
from api.web.charts.scale import is_beyond
from api.web.charts.svg import CARD, EDGE, INK, INK2, element, fill_of, hatch, picture, polyline, text
from api.web.charts.week_words import Coming, ahead_of, rows, sentence
from api.web.words import local, plain, value_text
from core.bands import band
from core.forecast import HOUR_MS, MEDIAN, Forecast
from core.texts import say
from core.verdict import UNIT

WIDTH, LEFT, RIGHT = 304, 38, 298
DAY_MS = 24 * HOUR_MS
BACK_DAYS, BACK_H, AHEAD_H = 7, 12, 72


def week(
    times: Sequence[int],
    values: Sequence[float],
    flags: Sequence[int],
    hours: Forecast | None,
    days_max: Forecast | None,
    *,
    now: int,
    limit: float,
    lang: str,
    timezone: str,
) -> Chart:
    """Readings [ms, g/L, flag] of the last days, the newest forecasts of target `hour` and `day_max` where there are any, and the limit [g/L]."""
    found = runs(times, values, flags, start=now - BACK_DAYS * DAY_MS, end=now)
    coming = ahead_of(hours, now, HOUR_MS)
    days = ahead_of(days_max, now, DAY_MS)
    ends = [start + HOUR_MS for start, _ in coming]
    end = ends[-1] if ends and 48 * HOUR_MS < ends[-1] - now < AHEAD_H * HOUR_MS else now + AHEAD_H * HOUR_MS
    past = Frame(left=LEFT, right=RIGHT, top=50, bottom=160, start=now - BACK_DAYS * DAY_MS, end=now, timezone=timezone)
    soon = Frame(left=LEFT, right=RIGHT, top=228, bottom=378, start=now - BACK_H * HOUR_MS, end=end, timezone=timezone)
    frames = [past, soon]
    if days:
        first, last = days[0][0], days[-1][0]
        frames.append(Frame(left=LEFT, right=RIGHT, top=430, bottom=540, start=first, end=last + DAY_MS, timezone=timezone))
    parts = [paints([(f.top, f.bottom) for f in frames]), _legend(limit, lang, bool(found.bad)), *behind(frames, lang, nights=[soon])]
    parts.append(text(0, 42, say(lang, "chart.week.past", days=BACK_DAYS), size=15, bold=True))
    parts.extend(_measured(found, past, now, lang))
    parts.extend(_day_names(past, lang, short=True))
    parts.append(text(0, 206, say(lang, "chart.week.soon", days=AHEAD_H // 24), size=15, bold=True))
    tail = runs(times, values, flags, start=soon.start, end=now)
    parts.extend(_coming(coming, soon, now, lang))
    parts.append(limit_line(frames, limit))
    parts.extend(_line(coming, soon, now, lang))
    parts.extend(_measured(tail, soon, now, lang))
    parts.append(polyline([[(soon.x(now), soon.top - 2), (soon.x(now), soon.bottom)]], stroke=INK, stroke_width="1.5"))
    parts.append(text(soon.x(now), soon.top - 6, say(lang, "chart.now"), anchor="middle", bold=True))
    parts.extend(_day_names(soon, lang, short=False))
    if days:
        parts.append(text(0, 422, say(lang, "chart.week.days", days=len(days)), size=15, bold=True))
        parts.extend(_highest(days, frames[2], lang))
    words = sentence(found, coming, days, now=now, timezone=timezone, lang=lang)
    head = tuple(say(lang, f"chart.{key}") for key in ("day", "low", "high", "range"))
    table = rows(found, coming, days, timezone=timezone, lang=lang)
    return Chart(svg=picture(WIDTH, frames[-1].bottom + 24, words, "week", *parts), sentence=words, head=head, rows=table)


def _legend(limit: float, lang: str, bad: bool) -> Markup:
    """What the dashed line and, where there are some, the crosses mean."""
    words = say(lang, "chart.limit", limit=plain(limit, lang, unit=UNIT))
    parts = [polyline([[(0, 10), (28, 10)]], stroke=INK, stroke_width=2, stroke_dasharray="5 4"), text(34, 15, words, fill=INK2)]
    if bad:
        parts += [element("path", d="M165 6l8 8m0-8l-8 8", stroke=INK2, stroke_width="1.6"), text(179, 15, say(lang, "chart.bad"), fill=INK2)]
    return Markup("").join(parts)


def _measured(found: Runs, frame: Frame, now: int, lang: str) -> list[Markup]:
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
    if frame.end == now:  # said once: not again where the newest hours are drawn larger
        everything = [s for line in found.lines for s in line]
        parts.extend(_beyond(max(everything, key=lambda s: s[1], default=None), frame, lang))
    last = found.last
    if last is not None and (not found.holes or found.holes[-1][1] < now):
        x, y = frame.place(last)
        parts.append(element("circle", cx=x, cy=y, r=4.5, fill=fill_of(band(last[1])), stroke=EDGE, stroke_width=2))
    return parts


def _coming(coming: Coming, frame: Frame, now: int, lang: str) -> list[Markup]:
    """The interval of the coming hours, and stripes over what no forecast covers."""
    height = frame.bottom - frame.top
    if not coming:
        stripes = hatch(frame.x(now), frame.top, frame.right - frame.x(now), height)
        middle = (frame.x(now) + frame.right) / 2
        return [stripes, text(middle, frame.top + height / 2 + 5, say(lang, "sure.none"), anchor="middle", bold=True, halo=True)]
    slices = [[_slice(start, q, frame) for start, q in run] for run in _unbroken(coming)]
    parts = [fan(slices, paint_name(frame.top, frame.bottom))]
    last = coming[-1][0] + HOUR_MS
    if frame.end - last > 3 * HOUR_MS:
        parts.append(hatch(frame.x(last), frame.top, frame.right - frame.x(last), height))
    return parts


def _line(coming: Coming, frame: Frame, now: int, lang: str) -> list[Markup]:
    """The likeliest course in ink, with a halo that keeps it readable over every colour."""
    medians = [[(start + HOUR_MS // 2, q[MEDIAN]) for start, q in run] for run in _unbroken(coming)]
    points = [[frame.place(s) for s in run] for run in medians if len(run) > 1]
    both = [polyline(points, stroke=colour, stroke_width=wide, stroke_linejoin="round", stroke_linecap="round") for colour, wide in ((CARD, 5.5), (INK, 2.5))]
    clear = now + 7 * HOUR_MS  # of the word at the line of now
    top = max((s for run in medians for s in run), key=lambda s: s[1], default=None)
    return [*both, *_beyond(top and (max(top[0], clear), top[1]), frame, lang)]


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
    parts = [fan(bars, paint_name(frame.top, frame.bottom))]
    parts += [polyline(marks, stroke=colour, stroke_width=thick) for colour, thick in ((CARD, 5.5), (INK, 3))]
    top = max(((start + DAY_MS // 2, q[MEDIAN]) for start, q in days), key=lambda s: s[1])
    return [*parts, *names, *_beyond(top, frame, lang)]


def _beyond(top: Sample | None, frame: Frame, lang: str) -> list[Markup]:
    """The mark of the highest value where it lies above the scale: an arrow at its upper end, and the value; below the panel's title."""
    if top is None or not is_beyond(top[1]):
        return []
    x = min(max(frame.x(top[0]), frame.left + 8), frame.right - 40)
    arrow = element("path", d=f"M{x:.0f} {frame.top + 2:.0f}l5 9h-10z", fill=INK, stroke=CARD, stroke_width=2, paint_order="stroke")
    return [arrow, text(x + 8, frame.top + 13, value_text(top[1], lang, unit=""), size=14, bold=True, halo=True)]


def _day_names(frame: Frame, lang: str, *, short: bool) -> list[Markup]:
    """Under each day wide enough for it: its date, with its weekday where there is room."""
    parts = []
    for a, b in frame.days():
        wide = frame.x(b) - frame.x(a)
        then = local(a, frame.timezone)
        name = f"{then.day}/{then.month}"
        if not short and wide >= 60:
            name = f"{say(lang, f'weekday.short.{then.isoweekday()}')} {name}"
        if wide >= 8 * len(name):
            parts.append(text((frame.x(a) + frame.x(b)) / 2, frame.bottom + 17, name, anchor="middle", fill=INK2))
    return parts


def _slice(start: int, q: tuple[float, ...], frame: Frame) -> Slice:
    return frame.x(start + HOUR_MS / 2), frame.y(q[0]), frame.y(q[-1])


def _unbroken(coming: Coming) -> list[list[tuple[int, tuple[float, ...]]]]:
    """Parts that follow each other by at most two hours, as two-hourly forecasts do."""
    parts: list[list[tuple[int, tuple[float, ...]]]] = []
    for row in coming:
        if not parts or row[0] - parts[-1][-1][0] > 2 * HOUR_MS:
            parts.append([])
        parts[-1].append(row)
    return parts
