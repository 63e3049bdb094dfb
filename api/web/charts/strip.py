"""The next 24 hours as cells in band colour: what the forecast thinks likeliest, hour by hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from api.web.charts.chart import Chart
from api.web.charts.svg import EDGE, INK2, fill_of, hatch, picture, rect, text
from api.web.words import band_word, hour_words, local, value_text
from core.bands import band
from core.forecast import HOUR_MS
from core.texts import say

WIDTH = 304
HOURS = 24
INSET = 1.2  # of the cells, so that none sticks out of the frame's round corners [px]
_HIGH = 24
_CELL = WIDTH / HOURS


def strip(hours: Sequence[tuple[int, float]], *, now: int, timezone: str, lang: str) -> Chart:
    """`hours` are (start [ms], median [g/L]) of a forecast, hourly or two-hourly; hours it says nothing of are hatched."""
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
    parts.append(text(0, _HIGH + 19, say(lang, "chart.now"), size=15, fill=INK2))
    marks = [(i * _CELL, str(local(first + i * HOUR_MS, timezone).hour)) for i in (6, 12, 18)]
    parts.extend(text(x, _HIGH + 19, hour, size=15, anchor="middle", fill=INK2) for x, hour in marks)
    end = say(lang, "chart.hours", hour=local(first + HOURS * HOUR_MS, timezone).hour)
    parts.append(text(WIDTH, _HIGH + 19, end, size=15, anchor="end", fill=INK2))
    when = [hour_words(first + i * HOUR_MS, now, timezone, lang) for i in range(HOURS + 1)]
    rows = tuple((when[a], when[b], band_word("unknown" if kind is None else kind, lang)) for a, b, kind in spans)
    head = (say(lang, "chart.from"), say(lang, "chart.to"), say(lang, "chart.band"))
    sentence = _sentence([(at, known[at]) for at in sorted(known) if first <= at < first + HOURS * HOUR_MS], now, timezone, lang)
    return Chart(svg=picture(WIDTH, _HIGH + 25, sentence, "strip", *parts), sentence=sentence, head=head, rows=rows)


def _two_hourly(starts: Sequence[int]) -> bool:
    """Whether no hour follows the next one."""
    return len(starts) > 1 and all(b - a >= 2 * HOUR_MS for a, b in pairwise(starts))


def _sentence(inside: Sequence[tuple[int, float]], now: int, timezone: str, lang: str) -> str:
    """The highest and the lowest hour in words."""
    if not inside:
        return say(lang, "chart.strip.none")
    top, low = max(inside, key=lambda h: h[1]), min(inside, key=lambda h: h[1])
    high, lowest = value_text(top[1], lang), value_text(low[1], lang)
    if high == lowest:
        return say(lang, "chart.strip.even", value=high)
    return say(
        lang,
        "chart.strip",
        high=high,
        peak=hour_words(top[0], now, timezone, lang),
        low=lowest,
        ebb=hour_words(low[0], now, timezone, lang),
    )
