"""24 hours in a table cell: a line with its gaps hatched, never flat, and a dot in the band's colour where it ends."""

from __future__ import annotations

from collections.abc import Sequence

from api.web.charts.chart import Chart
from api.web.charts.runs import runs, thin
from api.web.charts.scale import position
from api.web.charts.svg import EDGE, INK, INK2, Point, element, fill_of, hatch, picture, polyline
from api.web.words import value_text
from core.bands import band
from core.texts import say

WIDTH, HEIGHT = 128, 36
_PAD = 5


def sparkline(
    times: Sequence[int], values: Sequence[float], flags: Sequence[int], *, start: int, end: int, limit: float, lang: str, unknown_from: int | None = None
) -> Chart:
    """From `start` to `end` [ms]; a dotted line at `limit` [g/L]. Nothing is known from `unknown_from` on."""
    found = runs(times, values, flags, start=start, end=end, unknown_from=unknown_from)

    def place(sample: tuple[int, float]) -> Point:
        across = (sample[0] - start) / max(1, end - start)
        return _PAD + across * (WIDTH - 2 * _PAD), HEIGHT - _PAD - position(sample[1]) * (HEIGHT - 2 * _PAD)

    parts = [hatch(place((a, 0.0))[0], 2, place((b, 0.0))[0] - place((a, 0.0))[0], HEIGHT - 4) for a, b in found.holes]
    level = place((start, limit))[1]
    parts.append(polyline([[(0, level), (WIDTH, level)]], stroke=INK2, stroke_width="1.5", stroke_dasharray="1.5 3.5"))
    lines = [thin([place(s) for s in line], 1.0) for line in found.lines]
    parts.append(polyline([line for line in lines if len(line) > 1], stroke=INK, stroke_width=2, stroke_linejoin="round", stroke_linecap="round"))
    parts.extend(element("circle", cx=line[0][0], cy=line[0][1], r=1.6, fill=INK) for line in lines if len(line) == 1)
    last = found.last
    if last is not None and (not found.holes or found.holes[-1][1] < end):
        x, y = place(last)
        parts.append(element("circle", cx=x, cy=y, r=4, fill=fill_of(band(last[1])), stroke=EDGE, stroke_width=1.5))
    good = [v for line in found.lines for _, v in line]
    sentence = (
        say(lang, "chart.sparkline", low=value_text(min(good), lang, unit=""), high=value_text(max(good), lang)) if good else say(lang, "chart.sparkline.none")
    )
    head = (say(lang, "chart.low"), say(lang, "chart.high"))
    rows = ((value_text(min(good), lang), value_text(max(good), lang)),) if good else ()
    return Chart(svg=picture(WIDTH, HEIGHT, sentence, "sparkline", *parts), sentence=sentence, head=head, rows=rows)
