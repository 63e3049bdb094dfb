"""The salinity ruler: five equal fields with their words, a pointer with the value, a black bar for the limit."""

from __future__ import annotations

import math

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.scale import BANDS, TICKS, TOP, is_beyond, position
from api.web.charts.svg import CARD, EDGE, INK, INK2, element, fill_of, on_fill, picture, polyline, rect, short, text
from api.web.words import band_word, plain, value_text
from core.bands import band
from core.texts import number, say

WIDTH = 304
_FIELD = WIDTH / BANDS
_TOP = 46


def ruler(value: float | None, limit: float, lang: str, *, stale: bool) -> Chart:
    """Where `value` stands, by `limit` (both g/L). None, or a value that is no number, leaves the pointer out; `stale` draws it dashed."""
    known = value if value is not None and math.isfinite(value) else None
    words = [band_word(i, lang).split(" ") if lang == "en" else [band_word(i, lang)] for i in range(BANDS)]
    deep = 12 + 16 * max(len(lines) for lines in words)
    parts = [_field(i, lines, deep) for i, lines in enumerate(words)]
    parts.append(rect(1, _TOP, WIDTH - 2, deep, rx=3, fill="none", stroke=EDGE, stroke_width=2))
    foot = _TOP + deep
    for i, tick in enumerate(TICKS[1:-1], 1):
        parts.append(polyline([[(i * _FIELD, foot), (i * _FIELD, foot + 6)]], stroke=EDGE, stroke_width=2))
        parts.append(text(i * _FIELD, foot + 21, number(tick, 1 if tick < 1 else 0, lang), size=15, anchor="middle"))
    parts.append(text(WIDTH, foot + 21, "g/L", size=15, anchor="end", fill=INK2))
    parts.extend(_limit(limit, known, lang, foot))
    parts.append(_pointer(known, lang, stale))
    if known is None:
        sentence, kind = say(lang, "chart.ruler.none"), band_word("unknown", lang)
    elif stale:
        sentence, kind = say(lang, "chart.ruler.stale", value=value_text(known, lang)), band_word("stale", lang)
    else:
        kind = band_word(band(known), lang)
        sentence = say(lang, "chart.ruler", value=value_text(known, lang), band=band_word(band(known), lang, upper=False))
    row = ("–" if known is None else value_text(known, lang), kind, plain(limit, lang, unit="g/L"))
    head = (say(lang, "chart.value"), say(lang, "chart.band"), say(lang, "chart.limit.head"))
    return Chart(svg=picture(WIDTH, foot + 26, sentence, "ruler", *parts), sentence=sentence, head=head, rows=(row,))


def _field(i: int, lines: list[str], deep: float) -> Markup:
    """A band's field with its word in one or two lines."""
    left, right = max(i * _FIELD, 1.2), min((i + 1) * _FIELD, WIDTH - 1.2)  # inside the round corners of the frame
    first = _TOP + deep / 2 + 5 - 8 * (len(lines) - 1)
    words = [
        text((i + 0.5) * _FIELD, first + 16 * n, line, size=13 if len(line) > 7 else 14, bold=True, anchor="middle", fill=on_fill(i))
        for n, line in enumerate(lines)
    ]
    return Markup("").join([rect(left, _TOP + 0.2, right - left, deep - 0.4, fill=fill_of(i)), *words])


def _limit(limit: float, value: float | None, lang: str, foot: float) -> list[Markup]:
    """A black bar, its words on the side away from the pointer and clear of it; within a field it leaves the field's word free."""
    if not 0 < limit <= TOP:
        return []
    x = position(limit) * WIDTH
    tip = None if value is None else min(position(value) * WIDTH, WIDTH - 1)
    words = say(lang, "chart.limit", limit=plain(limit, lang))
    room = 7.8 * len(words) + 8
    left = x > room if tip is None else (tip >= x and x > room) or x + room > WIDTH
    away = 6.0 if tip is None or abs(tip - x) > 14 else 20.0
    top, bottom = _TOP - 12.0, float(foot)
    ends = [(top, bottom)] if limit in TICKS else [(top, _TOP + 7.0), (bottom - 7, bottom)]
    bar = polyline([[(x, a), (x, b)] for a, b in ends], stroke=INK, stroke_width=3)
    return [bar, text(x - away if left else x + away, _TOP - 6, words, bold=True, anchor="end" if left else None)]


def _pointer(value: float | None, lang: str, stale: bool) -> Markup:
    """A plate with the value over a triangle; dashed when old; beyond the scale an arrow points out of it."""
    if value is None:
        return Markup("")
    shown = value_text(value, lang, unit="")
    wide = 22 + 9 * len(shown)
    if is_beyond(value):
        left, tip = WIDTH - wide - 16.0, f"M{WIDTH - 12} 4l11 9.5-11 9.5z"
    else:
        x = min(max(position(value) * WIDTH, 9), WIDTH - 9)
        left, tip = min(max(x - wide / 2, 1), WIDTH - wide - 1), f"M{short(x)} {_TOP + 3}l-8-23h16z"
    plate: dict[str, str | float | None] = {"fill": CARD, "stroke": INK2, "stroke_width": 2, "stroke_dasharray": "5 3"} if stale else {"fill": INK}
    words = text(left + wide / 2, 19, shown, size=17, bold=True, anchor="middle", fill=INK if stale else CARD)
    return Markup("").join([element("path", d=tip, fill=INK2 if stale else INK), rect(left, 1, wide, 25, rx=6, **plate), words])
