"""The next 24 hours as cells in band colour: what the forecast thinks likeliest, hour by hour, with the hours to pump in brackets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from types import MappingProxyType

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.svg import CARD, EDGE, INK, INK2, element, fill_of, hatch, on_fill, picture, rect, short, text
from api.web.words import band_word, hour_words, local, may_reach, value_text
from core.bands import band
from core.forecast import HOUR_MS
from core.texts import say
from core.window import Window

WIDTH = 304
HOURS = 24
INSET = 1.2  # of the cells, so that none sticks out of the frame's round corners [px]
_HIGH = 24
_CELL = WIDTH / HOURS


def strip(
    hours: Sequence[tuple[int, float]], *, tops: Mapping[int, float] = MappingProxyType({}), windows: Sequence[Window] = (), now: int, timezone: str, lang: str
) -> Chart:
    """`hours` are (start [ms], median [g/L]) of a forecast, hourly or two-hourly; hours it says nothing of are hatched. `windows` as `core.window` has them.

    `tops`: by the start of an hour, the value [g/L] that its water hardly passes.
    """
    first = now - now % HOUR_MS
    known = {start: value for start, value in hours if math.isfinite(value)}
    every = 2 if _two_hourly(sorted(known)) else 1
    bands: list[int | None] = []
    for i in range(HOURS):
        at = first + i * HOUR_MS
        # a two-hourly forecast speaks for the hour after its own too
        value = known.get(at, known.get(at - HOUR_MS) if every == 2 else None)
        bands.append(None if value is None else band(value))
    parts = []
    spans: list[tuple[int, int, int | None]] = []
    for kind, cells in groupby(range(HOURS), key=lambda i: bands[i]):
        run = list(cells)
        spans.append((run[0], run[-1] + 1, kind))
        x = max(run[0] * _CELL, INSET)
        wide = min((run[-1] + 1) * _CELL, WIDTH - INSET) - x
        high = _HIGH - 2 * INSET + 2
        parts.append(hatch(x, INSET, wide, high) if kind is None else rect(x, INSET, wide, high, fill=fill_of(kind)))
    dashed = "5 3" if all(b is None for b in bands) else None
    parts.append(rect(1, 1, WIDTH - 2, _HIGH, rx=4, fill="none", stroke=INK2 if dashed else EDGE, stroke_width=2, stroke_dasharray=dashed))
    taken = [(max(0, (w.start - first) // HOUR_MS), min(HOURS, (w.end - first) // HOUR_MS)) for w in windows if w.start < first + HOURS * HOUR_MS]
    parts.extend(_brackets(taken, bands))
    parts.extend(_labels(taken, first, timezone, lang))
    when = [hour_words(first + i * HOUR_MS, now, timezone, lang) for i in range(HOURS + 1)]
    rows = tuple((when[a], when[b], band_word("unknown" if kind is None else kind, lang)) for a, b, kind in spans)
    head = (say(lang, "chart.from"), say(lang, "chart.to"), say(lang, "chart.band"))
    told = [(at, known[at]) for at in sorted(known) if first <= at < first + HOURS * HOUR_MS]
    sentence = _sentence(told, max((tops[at] for at, _ in told if at in tops), default=math.nan), now, timezone, lang)
    return Chart(svg=picture(WIDTH, _HIGH + 25, sentence, "strip", *parts), sentence=sentence, head=head, rows=rows)


def _brackets(taken: Sequence[tuple[int, int]], bands: Sequence[int | None]) -> list[Markup]:
    """A frame in ink around the cells of each window, and a tick: the colour still shows the water."""
    parts = []
    for a, b in taken:
        x, wide = a * _CELL, (b - a) * _CELL
        for colour, thick in ((INK, 6), (CARD, 2)):
            parts.append(rect(x + 3, 3, wide - 6, _HIGH - 4, rx=3, fill="none", stroke=colour, stroke_width=thick))
        kind = bands[(a + b) // 2]
        if wide >= 2 * _CELL:
            colour = INK if kind is None else on_fill(kind)
            mark = f"M{short(x + wide / 2 - 5)} {short(_HIGH / 2 + 1.5)}l3.6 3.8 6.4-7.6"
            parts.append(element("path", d=mark, fill="none", stroke=colour, stroke_width="2.4", stroke_linecap="round", stroke_linejoin="round"))
    return parts


def _labels(taken: Sequence[tuple[int, int]], first: int, timezone: str, lang: str) -> list[Markup]:
    """The hours at which windows begin and end in bold; `now`, the end and every sixth hour where these leave room."""
    parts: list[tuple[float, Markup]] = []
    used: list[tuple[float, float]] = []  # from where to where there are words

    def put(i: int, words: str, *, bold: bool) -> None:
        wide = 9.0 * len(words)
        left = min(max(0.0, i * _CELL - wide / 2), WIDTH - wide)
        if any(left < end + 4 and start < left + wide + 4 for start, end in used):
            return
        used.append((left, left + wide))
        anchor, x = (None, 0.0) if left <= 0 else ("end", float(WIDTH)) if left >= WIDTH - wide else ("middle", i * _CELL)
        parts.append((left, text(x, _HIGH + 19, words, size=15, anchor=anchor, fill=INK if bold else INK2, bold=bold)))

    def hour(i: int) -> str:
        return str(local(first + i * HOUR_MS, timezone).hour)

    for a, b in taken:
        for i in (a, b):
            if 0 < i < HOURS:
                put(i, hour(i), bold=True)
    put(0, say(lang, "chart.now"), bold=False)
    put(HOURS, say(lang, "chart.hours", hour=hour(HOURS)), bold=False)
    for i in (6, 12, 18):
        put(i, hour(i), bold=False)
    return [part for _, part in sorted(parts, key=lambda p: p[0])]


def _two_hourly(starts: Sequence[int]) -> bool:
    """Whether no hour follows the next one."""
    return len(starts) > 1 and all(b - a >= 2 * HOUR_MS for a, b in pairwise(starts))


def _sentence(inside: Sequence[tuple[int, float]], most: float, now: int, timezone: str, lang: str) -> str:
    """The highest and the lowest hour in words, and how far it may go."""
    if not inside:
        return say(lang, "chart.strip.none")
    top, low = max(inside, key=lambda h: h[1]), min(inside, key=lambda h: h[1])
    high, lowest = value_text(top[1], lang), value_text(low[1], lang)
    if high == lowest:
        told = say(lang, "chart.strip.even", value=high)
    else:
        peak, ebb = hour_words(top[0], now, timezone, lang), hour_words(low[0], now, timezone, lang)
        told = say(lang, "chart.strip", high=high, peak=peak, low=lowest, ebb=ebb)
    return f"{told} {may_reach(top[1], most, lang)}".strip()
