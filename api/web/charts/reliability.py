"""Said against come: a dot per tenth of probability; on the diagonal it was said as it came, above it the danger was told too small."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from analytics.record import FEW, Tenth
from api.web.charts.chart import Chart
from api.web.charts.svg import CARD, INK, INK2, PAPER, RULE, element, picture, polygon, rect, text
from core.texts import number, say

WIDE, HIGH = 340, 330
SURE = 0.95  # from here on a forecast says hardly anything of its doubts
LEFT, TOP, SIDE = 46, 14, 262  # of the square


def reliability(tenths: Sequence[Tenth], *, lang: str) -> Chart:
    """The picture, its sentence (of the most `telling` tenth, none where that is None) and the table behind it."""
    fullest = telling(tenths)
    sentence = "" if fullest is None else said(fullest, lang)
    axes = [part for ten in range(0, 11, 2) for part in _tick(ten)]
    dots = [part for t in tenths for part in _dot(t)]
    corner = [(_x(0), _y(0)), (_x(0), _y(1)), (_x(1), _y(1))]
    words = (
        text(_x(0.04), _y(0.9), say(lang, "record.mild"), bold=True),
        text(_x(0.97), _y(0.08), say(lang, "record.grave"), bold=True, anchor="end"),
        text(_x(0.5), HIGH - 8, say(lang, "record.axis.said"), bold=True, anchor="middle"),
        element("text", say(lang, "record.axis.came"), x=14, y=_y(0.5), font_weight="700", text_anchor="middle", transform=f"rotate(-90 14 {_y(0.5):g})"),
    )
    frame = rect(LEFT, TOP, SIDE, SIDE, fill="none", stroke=INK, stroke_width=1.5)
    diagonal = element("path", d=f"M{_x(0):g} {_y(0):g}L{_x(1):g} {_y(1):g}", stroke=INK, stroke_width=1.5, stroke_dasharray="4 4")
    svg = picture(WIDE, HIGH, sentence, "reliability", polygon([corner], fill=PAPER), *axes, frame, diagonal, *words, *dots)
    head = tuple(say(lang, f"record.head.{name}") for name in ("said", "came", "between", "n"))
    return Chart(svg=svg, sentence=sentence, head=head, rows=tuple(_row(t, lang) for t in tenths))


def telling(tenths: Sequence[Tenth], *, least: int = FEW) -> Tenth | None:
    """Of the tenths behind which `least` forecasts stand: the fullest from one half on that leaves a doubt, else the fullest. None where all have fewer."""
    told = [t for t in tenths if t.n >= least]
    return max([t for t in told if 0.5 <= t.said < SURE] or [t for t in told if t.said >= 0.5] or told, key=lambda t: t.n, default=None)


def drops(p: float) -> Markup:
    """A probability as ten drops, so many of them full, but never all; what it says stands beside it in words."""
    one = "M{x} 3c4 6 8 11 8 16a8 8 0 0 1-16 0c0-5 4-10 8-16z"
    shapes = [element("path", d=one.format(x=12 + 26 * i), fill=INK if i < min(9, round(10 * p)) else CARD, stroke=INK, stroke_width=2) for i in range(10)]
    return element("svg", *shapes, class_="drops", viewBox="0 0 258 30", width=258, height=30, aria_hidden="true")


def _x(p: float) -> float:
    return LEFT + SIDE * p


def _y(p: float) -> float:
    return TOP + SIDE * (1 - p)


def _tick(ten: int) -> tuple[Markup, ...]:
    at = ten / 10
    grid = element("path", d=f"M{_x(at):g} {_y(0):g}V{_y(1):g}M{_x(0):g} {_y(at):g}H{_x(1):g}", stroke=RULE)
    return grid, text(_x(at), _y(0) + 18, str(ten), anchor="middle", fill=INK2), text(LEFT - 7, _y(at) + 5, str(ten), anchor="end", fill=INK2)


def _dot(t: Tenth) -> tuple[Markup, ...]:
    whisker = element("path", d=f"M{_x(t.said):.1f} {_y(t.low):.1f}V{_y(t.high):.1f}", stroke=INK, stroke_width=2)
    size = min(12.0, 4.0 + math.log10(t.n) * 2.5)
    return whisker, element("circle", cx=_x(t.said), cy=_y(t.came), r=size, fill=INK, stroke=CARD, stroke_width=2)


def _row(t: Tenth, lang: str) -> tuple[str, ...]:
    between = f"{number(10 * t.low, 1, lang)}–{number(10 * t.high, 1, lang)}"
    return number(10 * t.said, 1, lang), number(10 * t.came, 1, lang), between, str(t.n)


def said(t: Tenth, lang: str) -> str:
    """What was said and what came, in one sentence; nothing was ever told as certain, so none of it was said 10 times in 10."""
    return say(lang, "record.said", said=of_10(min(t.said, 0.99), lang), came=of_10(t.came, lang))


def of_10(p: float, lang: str) -> str:
    """`8`, `8,2`: whole where it is."""
    return number(10 * p, 0 if abs(10 * p - round(10 * p)) < 0.05 else 1, lang)
