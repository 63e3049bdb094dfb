"""How far the salt reaches: each river as a line from the sea, coloured by band, its stations as stops, flags where 1 and 4 g/L stand.

Drawn twice, for a phone and for a desk; the style sheet shows the one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.frame import box, closed
from api.web.charts.svg import CARD, EDGE, INK, INK2, RULE, element, fill_of, hatch, picture, polyline, rect, text
from api.web.words import band_word, plain, value_text
from core.bands import LINES, band
from core.reach import LEAST, Reach
from core.texts import NO_NUMBER, number, say
from core.verdict import UNIT

LINE_PX, ROW_PX, LETTER_PX, NAME_LETTERS = 13, 18, 8.0, 22
LAYOUTS = ((304.0, "river up"), (880.0, "river across"))  # [px] and the class: for a phone, for a desk
SEA_PX = 22  # room for the sea left of km 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A station: km from the start of its waterway, and its highest of the last 25 h [g/L], None where no good data say it."""

    name: str
    km: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiverNow:
    """A waterway: its stops, and where the lines stand on it. `start_km` is where it leaves another one, from the sea along that one.

    `lasts`: as of when [ms], and how much longer, an open page that hears nothing new may go on showing its values, colours and lines.
    """

    name: str
    sea: str
    length_km: float
    stops: tuple[Stop, ...]
    reaches: tuple[Reach, ...] = ()
    start_km: float = 0.0
    lasts: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """Kilometres from the sea as px, in a picture so wide [px]."""

    width: float
    end_km: float
    px: float

    def x(self, km: float) -> float:
        return SEA_PX + km * self.px


def river(waterways: Sequence[RiverNow], *, lang: str, labelled_by: str | None = None) -> Chart:
    """The waterways that have stops, one under the other on one ruler of km. `labelled_by`: the element of the page that says it in words."""
    shown = [w for w in waterways if w.stops]
    words = " ".join([*(line_sentence(w, lang) for w in shown), say(lang, "chart.river.how" if shown else "chart.river.none")])
    rows = tuple(
        (w.name, s.name, number(s.km, 0 if s.km == round(s.km) else 1, lang), *_value_words(s.value, lang)) for w in shown for s in sorted(w.stops, key=_km)
    )
    head = tuple(say(lang, f"chart.{key}") for key in ("river", "station", "km", "value", "band"))
    svg = Markup("").join(_layout(shown, words, lang, width, kind, labelled_by) for width, kind in LAYOUTS) if shown else Markup("")
    return Chart(svg=svg, sentence=words, head=head, rows=rows)


def _layout(waterways: Sequence[RiverNow], words: str, lang: str, width: float, kind: str, labelled_by: str | None) -> Markup:
    axis = _axis(waterways, lang, width)
    blocks, y = [], 0.0
    for w in waterways:
        block, y = _waterway(w, axis, y, lang)
        blocks.append(block)
    return picture(width, y + 34, words, kind, _rules(axis, y), *blocks, _ruler(axis, y + 2, lang), labelled_by=labelled_by)


def _axis(waterways: Sequence[RiverNow], lang: str, width: float) -> _Axis:
    """As many px a km as leave room for every label on one side of its place."""
    end = max(10.0, math.ceil(max(w.start_km + s.km for w in waterways for s in w.stops) + 2))
    px = (width - SEA_PX - 4) / end
    every = [labels for w in waterways for labels in (_stop_labels(w, lang), _flag_labels(w, lang))]
    for _ in range(sum(map(len, every)) + 1):  # each round sets one more label right of its place, if need be all of them
        misfits = [
            (width - SEA_PX - wide) / km
            for labels in every
            for (km, wide), (_, right) in zip(labels, _boxes([(SEA_PX + km * px, wide) for km, wide in labels], width), strict=True)
            if right > width and km > 0
        ]
        if not misfits:
            break
        px = min(px * 0.999, *misfits)
    return _Axis(width=width, end_km=end, px=px)


def _stop_labels(w: RiverNow, lang: str) -> list[tuple[float, float]]:
    """Km from the sea and width [px] of each station's label, in order."""
    return [(w.start_km + s.km, LETTER_PX * len(f"{_name(s)} {_shown(s, lang)}") + 10) for s in sorted(w.stops, key=_km)]


def _flag_labels(w: RiverNow, lang: str) -> list[tuple[float, float]]:
    """Likewise of each flag."""
    return [(w.start_km + (r.km or 0), LETTER_PX * len(_flag_words(r, lang)) + 12) for r in _flags(w)]


def _boxes(labels: Sequence[tuple[float, float]], width: float) -> list[tuple[float, float]]:
    """From where to where [px] each label (x, width) reaches: right of its place, or as far left as it must, where no other place is in the way."""
    found = []
    for i, (x, wide) in enumerate(labels):
        left = min(x, width - wide)
        crowded = any(left - 4 < other <= x for j, (other, _) in enumerate(labels) if j != i)
        found.append((x, x + wide) if crowded or left < 0 else (left, left + wide))
    return found


def _rows(boxes: Sequence[tuple[float, float]]) -> list[int]:
    """A row for each label, in order of place: under all that it would reach to its right. So none meets another, nor another's leader."""
    rows = [0] * len(boxes)
    for i in range(len(boxes) - 1, -1, -1):
        rows[i] = max((rows[j] + 1 for j in range(i + 1, len(boxes)) if boxes[j][0] < boxes[i][1]), default=0)
    return rows


def _waterway(w: RiverNow, axis: _Axis, top: float, lang: str) -> tuple[Markup, float]:
    """A waterway from `top` down, and the y where it ends: its name, flags, the line with its stops, the names under it.

    What a script may withdraw has a data-part, as on the card: stripes lie under the colours, and words behind the flags.
    """
    boxes = _boxes([(axis.x(km), wide) for km, wide in _flag_labels(w, lang)], axis.width)
    levels = _rows(boxes)
    line = top + 28 + 26 * (max(levels, default=-1) + 1) + 4
    start, end = axis.x(w.start_km), axis.x(min(axis.end_km, w.start_km + w.length_km))
    left = min(start, axis.width - 10 * len(w.name)) if w.start_km else 0
    parts = [text(left, top + 18, w.name, size=16, bold=True)]
    if w.sea:
        parts.append(text(left + 9.6 * len(w.name) + 8, top + 18, say(lang, "chart.river.sea", sea=w.sea), fill=INK2))
    if w.lasts is not None:
        parts.append(hatch(start, line, end - start, LINE_PX))
    parts.append(element("g", *_water(w, axis, line, end), data_part="ahead"))
    parts.append(rect(start, line, end - start, LINE_PX, fill="none", stroke=EDGE, stroke_width="1.5"))
    if w.sea and w.start_km == 0:
        parts.append(element("path", d=f"M1 {line + 7:.0f}c3-5 6-5 9 0s6 5 9 0", fill="none", stroke=INK, stroke_width=2, stroke_linecap="round"))
    flags = [_flag(r, axis.x(w.start_km + (r.km or 0)), at[0], line, level, lang) for r, at, level in zip(_flags(w), boxes, levels, strict=True)]
    if flags:
        parts.append(element("g", *flags, data_part="ahead"))
    below, bottom = _stops(w, axis, line + LINE_PX, lang)
    if w.lasts is None:
        return Markup("").join([*parts, *below]), bottom + 16
    words = say(lang, "chart.river.old")
    parts.append(element("g", text(max(0, min(start, axis.width - LETTER_PX * len(words))), line - 12, words, bold=True), class_="instead"))
    since, good_for = (str(ms) for ms in w.lasts)
    return element("g", *parts, *below, data_as_of=since, data_good_for=good_for), bottom + 16


def _water(w: RiverNow, axis: _Axis, y: float, end: float) -> list[Markup]:
    """The line's fill: band by band between good neighbours, stripes where a silent station stands between or none beyond."""
    stops = sorted(w.stops, key=_km)
    good = [s for s in stops if _known(s.value)]
    parts = []
    at = axis.x(w.start_km)
    for a, b in pairwise(good):
        if any(a.km < s.km < b.km for s in stops if not _known(s.value)):
            continue  # left to the stripes
        left, right = axis.x(w.start_km + a.km), axis.x(w.start_km + b.km)
        parts.append(hatch(at, y, left - at, LINE_PX))
        parts.extend(closed([box(x, y, to, y + LINE_PX)], fill=fill_of(kind)) for x, to, kind in _bands(a, b, left, right))
        at = right
    parts.append(hatch(at, y, end - at, LINE_PX))
    return parts


def _bands(a: Stop, b: Stop, left: float, right: float) -> list[tuple[float, float, int]]:
    """Stretches of one band between two good stations, log-linear in km as the lines themselves (`core.reach`)."""
    low, high = max(a.value or 0.0, LEAST), max(b.value or 0.0, LEAST)
    crossed = [line for line in LINES if min(low, high) < line < max(low, high)]
    shares = sorted(math.log(low / line) / math.log(low / high) for line in crossed)
    ends = [0.0, *shares, 1.0]
    return [(left + s * (right - left), left + t * (right - left), band(low * (high / low) ** ((s + t) / 2))) for s, t in pairwise(ends)]


def _stops(w: RiverNow, axis: _Axis, y: float, lang: str) -> tuple[list[Markup], float]:
    """A ring on the line for each station, a leader down from it, and its name with the value; no two names meet."""
    stops = sorted(w.stops, key=_km)
    places = [axis.x(w.start_km + s.km) for s in stops]
    boxes = _boxes([(axis.x(km), wide) for km, wide in _stop_labels(w, lang)], axis.width)
    rows = _rows(boxes)
    near = min((b - a for a, b in pairwise(places) if b > a), default=20.0)
    radius = min(5.0, max(2.6, near / 2))
    # a leader ends beside its label, or above one that had to go left
    leaders = [[(x, y + 1), (x, y + (13 if at[0] == x else 4) + ROW_PX * row)] for x, at, row in zip(places, boxes, rows, strict=True)]
    rings, names = [], []
    for s, x, at, row in zip(stops, places, boxes, rows, strict=True):
        rings.append(element("circle", cx=x, cy=y - LINE_PX / 2, r=radius, stroke_dasharray=None if _known(s.value) else "2 1.6"))
        shown = element("tspan", f" {_shown(s, lang)}", font_weight="700", data_part="ahead")
        names.append(element("text", _name(s), shown, x=at[0] + 4, y=y + 17 + ROW_PX * row))
    parts = [
        polyline(leaders, stroke=INK2),
        element("g", *rings, fill=CARD, stroke=INK, stroke_width="1.6"),
        element("g", *names, stroke=CARD, stroke_width=3, paint_order="stroke"),
    ]
    return parts, y + 17 + ROW_PX * max(rows, default=0) + 4


def _flag(r: Reach, x: float, left: float, line: float, level: int, lang: str) -> Markup:
    """A plate on a pole; dashed where a silent station leaves the place in doubt or nothing is known."""
    words = _flag_words(r, lang)
    y = line - 4 - 26 * (level + 1)
    doubt = r.hatched or r.side == "unknown"
    look: dict[str, str | float | None] = {"fill": CARD, "stroke": INK2, "stroke_width": "1.5", "stroke_dasharray": "4 3"} if doubt else {"fill": INK}
    wide = LETTER_PX * len(words) + 10
    middle = max(left, 0) + wide / 2
    parts = [rect(middle - wide / 2, y, wide, 22, **look), text(middle, y + 16, words, bold=True, anchor="middle", fill=INK if doubt else CARD)]
    if r.km is not None:
        parts.append(polyline([[(x, y), (x, line + LINE_PX)]], stroke=INK, stroke_width=2))
    return Markup("").join(parts)


def _rules(axis: _Axis, bottom: float) -> Markup:
    return polyline([[(axis.x(km), 26), (axis.x(km), bottom + 6)] for km in _ticks(axis)], stroke=RULE)


def _ruler(axis: _Axis, y: float, lang: str) -> Markup:
    """The painted ruler of km, black and white by fives."""
    fives = [box(axis.x(km), y, axis.x(min(km + 5, axis.end_km)), y + 7) for km in range(0, math.ceil(axis.end_km), 10)]
    frame = rect(axis.x(0), y, axis.end_km * axis.px, 7, fill=CARD, stroke=INK, stroke_width="1.2")
    unit = say(lang, "chart.river.km")
    room = axis.width - LETTER_PX * len(unit) - 16
    names = [text(axis.x(km), y + 22, f"{km}", anchor="middle", fill=INK2) for km in _ticks(axis) if axis.x(km) < room]
    return Markup("").join([frame, closed(fives, fill=INK), *names, text(axis.width, y + 22, unit, anchor="end", fill=INK2)])


def _ticks(axis: _Axis) -> list[int]:
    """Every 10 km, or as far apart as their numbers need."""
    step = next(s for s in (10, 20, 50, 100, 200, 500, 1000, 10_000) if s * axis.px >= 34 or s == 10_000)
    return list(range(0, int(axis.end_km) + 1, step)) or [0]


def _km(stop: Stop) -> float:
    return stop.km


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _shown(s: Stop, lang: str) -> str:
    return value_text(s.value, lang, unit="") if s.value is not None and math.isfinite(s.value) else band_word("unknown", lang, upper=False)


def _name(s: Stop) -> str:
    """As much of a name as a phone has room for beside its value; the table has all of it."""
    return s.name if len(s.name) <= NAME_LETTERS else f"{s.name[: NAME_LETTERS - 1].rstrip()}…"


def _flags(w: RiverNow) -> list[Reach]:
    """In order of place; those without one stand at the sea."""
    return sorted(w.reaches, key=lambda r: -1.0 if r.km is None else r.km)


def _value_words(value: float | None, lang: str) -> tuple[str, str]:
    if value is None or not math.isfinite(value):
        return NO_NUMBER, band_word("unknown", lang)
    return value_text(value, lang), band_word(band(value), lang)


def _flag_words(r: Reach, lang: str) -> str:
    """`4 g/L: km 54`; beyond the last station, seaward of the first, or not known."""
    km = "" if r.km is None else number(r.km, 0, lang)
    return say(lang, f"chart.reach.{r.side}", line=plain(r.line, lang, unit=UNIT), km=km)


def line_sentence(w: RiverNow, lang: str) -> str:
    """`Sông Cái Lớn: 4 g/L: km 54; 1 g/L: km 66.`"""
    said = [_flag_words(r, lang) for r in sorted(w.reaches, key=lambda r: -r.line)]
    return f"{w.name}: {'; '.join(said)}." if said else f"{w.name}."
