"""Ninety days of one station: of each day, whether salt was warned of the day before and whether it came. One row on a desk, three on a phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from api.web.charts.chart import Chart
from api.web.charts.svg import CARD, HATCH, INK, INK2, element, picture, rect, short, text
from api.web.words import local, value_text
from core.record import Day, outcome
from core.texts import say
from core.window import tenths

DAYS = 90
KINDS = ("hit", "missed", "vain", "quiet", "unread")  # in the legend, in this order
_HIGH, _CROSS, _LABELS = 26, 15, 25  # of a bar, of the room for a cross above it, of the dates under it [px]


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """One kind of day: its mark, its words, on how many days."""

    mark: Markup
    words: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """`wide` in one row, `tall` in three, but for those that lie before the first day; `chart` holds the sentence and the table of days that were not quiet."""

    wide: Markup
    tall: Markup
    chart: Chart
    legend: tuple[Legend, ...]


def days_strip(days: Sequence[Day], *, line: int, last: date, timezone: str, lang: str) -> Strip:
    """Of the 90 local days until `last`; `line` is a place in `core.bands.LINES`."""
    first = last - timedelta(days=DAYS - 1)
    by_date = {local(d.time, timezone).date(): d for d in days}
    kinds = {n: outcome(day, line) for n in range(DAYS) if (day := by_date.get(first + timedelta(days=n))) is not None}
    count = Counter(kinds.values())
    legend = tuple(Legend(mark=_mark(kind), words=say(lang, f"record.day.{kind}"), count=count[kind]) for kind in KINDS if count[kind] or kind != "unread")
    sentence = say(lang, "record.days.sentence", **{kind: count[kind] for kind in KINDS})
    told = [by_date[first + timedelta(days=n)] for n, kind in kinds.items() if kind in ("hit", "missed", "vain")]
    chart = Chart(
        svg=Markup(""),
        sentence=sentence,
        head=tuple(say(lang, f"record.days.{name}") for name in ("day", "said", "came", "became")),
        rows=tuple(_row(d, line, timezone, lang) for d in told),
    )
    drawn = {rows: _picture(kinds, first, rows, sentence, lang) for rows in (1, 3)}
    return Strip(wide=drawn[1], tall=drawn[3], chart=chart, legend=legend)


def _picture(kinds: Mapping[int, str], first: date, rows: int, sentence: str, lang: str) -> Markup:
    cell, across = (9.6, DAYS) if rows == 1 else (10.6, DAYS // rows)
    wide, high = cell * across + 8, _CROSS + _HIGH + _LABELS
    parts: list[Markup] = []
    start = min(kinds, default=0) // across  # what lies before the first day of a young station is no row
    for row in range(start, rows):
        shown = {n % across: kind for n, kind in kinds.items() if n // across == row}
        top = (row - start) * (high + 6)
        parts += _marks(shown, cell, top)
        parts += _dates([first + timedelta(days=row * across + i) for i in range(across)], cell, top + high, lang)
    return picture(wide, (rows - start) * (high + 6) - 6, sentence, f"days {'across' if rows == 1 else 'up'}", *parts)


def _marks(kinds: Mapping[int, str], cell: float, top: float) -> list[Markup]:
    """One path per kind: a page of many stations stays small."""
    bar, middle = cell - 2.4, top + _CROSS + _HIGH / 2
    at: dict[str, list[float]] = {}
    for i, kind in kinds.items():
        at.setdefault(kind, []).append(4 + i * cell + 1.2)

    def boxes(kind: str, inset: float) -> str:
        side, up = bar - 2 * inset, _HIGH - 2 * inset
        return "".join(f"M{short(x + inset)} {short(top + _CROSS + inset)}h{short(side)}v{short(up)}h-{short(side)}z" for x in at.get(kind, ()))

    crosses = "".join(f"M{short(x + bar / 2 - 3.4)} {short(top + 3)}l6.8 6.8m0-6.8l-6.8 6.8" for x in at.get("missed", ()))
    dots = "".join(f"M{short(x + bar / 2 - 1.2)} {short(middle - 1.2)}h2.4v2.4h-2.4z" for x in at.get("quiet", ()))
    drawn = (
        (boxes("hit", 0), {"fill": INK}),
        (boxes("vain", 0.8), {"fill": CARD, "stroke": INK, "stroke_width": "1.5"}),
        (boxes("missed", 1.3), {"fill": CARD, "stroke": INK, "stroke_width": "2.6"}),
        (crosses, {"fill": "none", "stroke": INK, "stroke_width": "2.4"}),
        (boxes("unread", 0), {"fill": HATCH}),
        (dots, {"fill": INK2}),
    )
    return [element("path", d=data, **look) for data, look in drawn if data]


def _dates(dates: Sequence[date], cell: float, bottom: float, lang: str) -> list[Markup]:
    """The first day of the row, and each month where there is room for it."""
    parts: list[Markup] = []
    free = 0.0
    for i, day in enumerate(dates):
        x = 4 + i * cell
        if i and (day.day != 1 or x < free or i > len(dates) - 6):
            continue
        month = say(lang, f"month.{day.month}")
        words = (f"{day.day}/{day.month}" if i == 0 else f"Tháng {month}") if lang == "vi" else f"{day.day} {month[:3]}"
        parts += [rect(x, bottom - _LABELS + 2, 1, 5, fill=INK2), text(x, bottom - 5, words, fill=INK2)]
        free = x + 62
    return parts


def _mark(kind: str) -> Markup:
    """The mark alone, for the legend."""
    cell = 10.6
    top = 0 if kind == "missed" else _CROSS - 2
    high = _CROSS + _HIGH + 2 - top
    return element("svg", *_marks({0: kind}, cell, 0), class_="shape", width=14, height=high, viewBox=f"2.3 {top} 14 {high}", aria_hidden="true")


def _row(day: Day, line: int, timezone: str, lang: str) -> tuple[str, ...]:
    on = local(day.time, timezone)
    said = say(lang, "record.of.ten", n=tenths(day.said[line]))  # as pages told it, and by what a warning is
    came = "–" if day.came is None else value_text(day.came, lang)
    return f"{on.day}/{on.month}", said, came, say(lang, f"record.day.{outcome(day, line)}")
