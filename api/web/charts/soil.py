"""Salt in the soil by day: each depth as measured, the root zone in the days ahead, and what the crop bears. In ink: a band's colour speaks of water."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.svg import CARD, INK, INK2, RULE, SILT, Point, element, picture, polygon, polyline, text
from api.web.words import local, plain
from core.texts import number, say

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 304, 30, 298, 46, 170
DAY_MS = 86_400_000
UNIT = "dS/m"
Place = Callable[[float, float], Point]
STEPS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # between two lines of the scale [dS/m]
ROOM, APART = 50, 15  # of a depth's name, across and down [px]
DASHES = (None, "7 3", "2 3", "9 3 2 3")  # of depths, the shallowest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """From and to [dS/m] on each local day that begins at `starts` [ms]; a day that is not known is left out."""

    name: str
    starts: Sequence[int]
    low: Sequence[float]
    high: Sequence[float]


def soil(depths: Sequence[Days], ahead: Days | None, chances: Sequence[str], *, now: int, threshold: float | None, lang: str, timezone: str) -> Chart:
    """Depths of the days behind, the shallowest first; the root zone `ahead`, and in words the chance that the water of each of its days is too salty."""
    coming = _known(ahead)
    drawn = [d for d in depths if len(d.starts)]
    first = min((d.starts[0] for d in drawn), default=now - 14 * DAY_MS)
    last = max([now, *(d.starts[-1] + DAY_MS for d in drawn), *(start + DAY_MS for start, _, _ in coming)])
    tops = [high for d in drawn for high in d.high] + [high for _, _, high in coming] + ([threshold] if threshold is not None else [])
    step, top = _scale(max(tops, default=1.0))

    def place(ms: float, value: float) -> Point:
        return LEFT + (ms - first) / (last - first) * (RIGHT - LEFT), BOTTOM - min(value, top) / top * (BOTTOM - TOP)

    ticks = [i * step for i in range(round(top / step) + 1)]
    parts = [polyline([[(LEFT, place(now, v)[1]), (RIGHT, place(now, v)[1])] for v in ticks], stroke=RULE)]
    parts += [text(LEFT - 4, place(now, v)[1] + 5, number(v, 1 if step < 1 else 0, lang), anchor="end", fill=INK2) for v in ticks]
    parts.append(text(0, TOP - 12, UNIT, fill=INK2))
    if coming:
        ring = [place(s + DAY_MS, high) for s, _, high in coming] + [place(s + DAY_MS, low) for s, low, _ in reversed(coming)]
        parts.append(polygon([ring], fill=SILT, opacity=".35", stroke=INK2))
    for d, dash in zip(drawn, DASHES * 3, strict=False):
        parts.extend(_depth(d, dash, place))
    if threshold is not None:
        y = place(now, threshold)[1]
        legend = [(0.0, 10.0), (28.0, 10.0)]  # its words stand above: beside the line they would lie on the names of the depths
        parts.append(polyline([legend, [(LEFT, y), (RIGHT, y)]], stroke=INK, stroke_width=2, stroke_dasharray="5 4"))
        parts.append(text(34, 15, say(lang, "soil.chart.bears", most=plain(threshold, lang, unit=UNIT)), fill=INK2))
    x = place(now, 0.0)[0]
    parts.append(polyline([[(x, TOP - 4), (x, BOTTOM)]], stroke=INK, stroke_width=1.5))
    parts.append(text(min(x, RIGHT - 14), TOP - 9, say(lang, "chart.now"), anchor="middle", bold=True))
    parts.extend(_names(drawn, x, place))
    for at in (first, now + (last - now) // 2 if coming else now):
        then = local(at, timezone)
        parts.append(text(place(at, 0.0)[0], BOTTOM + 18, f"{then.day}/{then.month}", anchor="start" if at == first else "middle", fill=INK2))
    words = _sentence(drawn, coming, lang)
    head = (say(lang, "chart.day"), *(d.name for d in drawn), say(lang, "soil.chart.root"), say(lang, "soil.chart.water"))
    rows = _rows(drawn, ahead, chances, lang, timezone)
    return Chart(svg=picture(WIDTH, BOTTOM + 26, words, "soil", *parts), sentence=words, head=head, rows=rows)


Known = list[tuple[int, float, float]]


def _known(days: Days | None) -> Known:
    if days is None:
        return []
    rows = zip(days.starts, days.low, days.high, strict=True)
    return [(start, low, high) for start, low, high in rows if math.isfinite(low) and math.isfinite(high)]


def _scale(most: float) -> tuple[float, float]:
    """The step between lines and the upper end [dS/m]: at most five steps."""
    step = next((s for s in STEPS if most <= 5 * s), STEPS[-1])
    return step, step * max(1, min(5, math.ceil(most / step - 1e-9)))


def _depth(d: Days, dash: str | None, place: Place) -> list[Markup]:
    """Its span pale, its middle as a line with its name; days that do not follow each other are not joined."""
    runs: list[list[tuple[float, float, float]]] = []
    before = -math.inf
    for start, low, high in zip(d.starts, d.low, d.high, strict=True):
        if start - before > 1.5 * DAY_MS:
            runs.append([])
        runs[-1].append((start + DAY_MS / 2, low, high))
        before = start
    rings = [[place(t, high) for t, _, high in run] + [place(t, low) for t, low, _ in reversed(run)] for run in runs if len(run) > 1]
    middles = [[place(t, (low + high) / 2) for t, low, high in run] for run in runs]
    parts = [polygon(rings, fill=INK, opacity=".09")]
    lines = [line for line in middles if len(line) > 1]
    parts.append(polyline(lines, stroke=INK, stroke_width=2, stroke_dasharray=dash, stroke_linejoin="round"))
    parts += [element("circle", cx=line[0][0], cy=line[0][1], r=3, fill=INK, stroke=CARD) for line in middles if len(line) == 1]
    return parts


def _names(depths: Sequence[Days], x: float, place: Place) -> list[Markup]:
    """Each depth's name where its line ends, beside the line of now at `x`; two that would touch stand apart, none lower than the ground line."""
    ends = sorted((place(0.0, (d.low[-1] + d.high[-1]) / 2)[1], d.name) for d in depths)
    beside, anchor = (x + 5, None) if RIGHT - x > ROOM else (x - 5, "end")
    lines: list[float] = []
    for y, _ in ends:
        lines.append(max(y + 5, lines[-1] + APART if lines else TOP + APART))
    lowest = BOTTOM - 3.0
    for i in reversed(range(len(lines))):
        lines[i] = min(lines[i], lowest)
        lowest = lines[i] - APART
    return [text(beside, y, name, anchor=anchor, halo=True, size=13) for y, (_, name) in zip(lines, ends, strict=True)]


def _sentence(depths: Sequence[Days], coming: Known, lang: str) -> str:
    told = [say(lang, "soil.chart.depth", depth=d.name, span=span_text(min(d.low), max(d.high), lang, unit=UNIT)) for d in depths]
    if coming:
        low, high = min(row[1] for row in coming), max(row[2] for row in coming)
        told.append(say(lang, "soil.chart.ahead", days=len(coming), span=span_text(low, high, lang, unit=UNIT)))
    return " ".join(told) or say(lang, "soil.chart.none")


def span_text(low: float, high: float, lang: str, *, unit: str = "") -> str:
    """`2,1–3,4 dS/m`."""
    return f"{number(low, 1, lang)}–{number(high, 1, lang, unit=unit)}"


def _rows(depths: Sequence[Days], ahead: Days | None, chances: Sequence[str], lang: str, timezone: str) -> tuple[tuple[str, ...], ...]:
    columns: list[dict[str, str]] = []
    days: dict[str, int] = {}
    for d in depths:
        columns.append({})
        for start, low, high in zip(d.starts, d.low, d.high, strict=True):
            days[name := _name(start, timezone)] = start
            columns[-1][name] = span_text(low, high, lang)
    root: dict[str, str] = {}
    water: dict[str, str] = {}
    if ahead is not None:
        for start, low, high, chance in zip(ahead.starts, ahead.low, ahead.high, chances, strict=True):
            days[name := _name(start, timezone)] = start
            root[name] = span_text(low, high, lang) if math.isfinite(high) else "–"
            water[name] = chance
    order = sorted(days, key=lambda name: days[name])
    return tuple((name, *(column.get(name, "–") for column in columns), root.get(name, "–"), water.get(name, "–")) for name in order)


def _name(start: int, timezone: str) -> str:
    then = local(start, timezone)
    return f"{then.day}/{then.month}"
