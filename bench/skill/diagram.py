"""Reliability diagrams as SVG: did what was said 8 times in 10 come 8 times in 10? One picture for each lead, a panel for each line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.skill.numbers import days, tenths

INK, INK2, RULE, SHADE = "#0B1513", "#46514D", "#D5CFBD", "#F0EBE0"
SIDE, GAP, LEFT, TOP, BOTTOM = 200, 26, 44, 66, 62
WORDS = 700  # what title and foot need
LEAST = 10  # forecasts in a bin that is spoken of

Bin = Mapping[str, Any]


def picture(found: Mapping[str, Any], lead: Mapping[str, Any]) -> str:
    """The whole file."""
    n = len(lead["over"])
    width, height = max(LEFT + n * SIDE + (n - 1) * GAP + 16, WORDS), TOP + SIDE + BOTTOM
    title = f"{found['name']}, {days(lead['lead'])} ahead: what was said, and how often it came"
    told = "; ".join(f"over {over['line']:g} {found['unit']}: {finding(over['odds'])}" for over in lead["over"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="t d"'
        ' font-family="Roboto, Segoe UI, Noto Sans, sans-serif" font-size="12">',
        f'<title id="t">{_safe(title)}</title><desc id="d">{_safe(told)}</desc>',
        f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>',
        _text(LEFT, 20, title, weight="bold", size=14),
    ]
    for i, over in enumerate(lead["over"]):
        parts += _panel(LEFT + i * (SIDE + GAP), over, found["unit"], lead["n"], first=i == 0)
    foot = f"{found['model']} {found['version']}, n = {lead['n']}; size of a dot: how many; bars: 95 % intervals; shaded: it came more often than was said"
    return "\n".join([*parts, _text(LEFT, height - 10, foot, fill=INK2, size=11), "</svg>", ""])


def finding(odds: Sequence[Bin]) -> str:
    """What 8 in 10 was worth."""
    spoken = [b for b in odds if b["n"] >= LEAST and 0.1 < b["said"] < 0.9]
    if not spoken:
        return "it was all but sure each time"
    one = min(spoken, key=lambda b: (abs(b["said"] - 0.8), -b["n"]))
    return f"said {tenths(one['said'])}, came {tenths(one['came'][0])}"


def _panel(x: int, over: Mapping[str, Any], unit: str, n: int, *, first: bool) -> Iterator[str]:
    yield _text(x, TOP - 24, f"over {over['line']:g} {unit}", weight="bold")
    yield _text(x, TOP - 9, finding(over["odds"]), fill=INK2)
    yield f'<path d="M{x} {TOP + SIDE}L{x} {TOP}L{x + SIDE} {TOP}Z" fill="{SHADE}"/>'
    for tick in (0, 2, 4, 6, 8, 10):
        at = tick * SIDE / 10
        yield f'<path d="M{x + at:g} {TOP}V{TOP + SIDE}M{x} {TOP + SIDE - at:g}H{x + SIDE}" stroke="{RULE}" stroke-width="0.8"/>'
        yield _text(x + at, TOP + SIDE + 15, str(tick), anchor="middle", fill=INK2)
        if first:
            yield _text(x - 6, TOP + SIDE - at + 4, str(tick), anchor="end", fill=INK2)
    yield f'<path d="M{x} {TOP + SIDE}L{x + SIDE} {TOP}" stroke="{INK}" stroke-dasharray="5 4"/>'
    yield f'<path d="M{x} {TOP}V{TOP + SIDE}H{x + SIDE}" fill="none" stroke="{INK}" stroke-width="1.2"/>'
    for b in over["odds"]:
        at, (middle, low, high) = x + SIDE * b["said"], (TOP + SIDE * (1 - v) for v in b["came"])
        yield f'<path d="M{at:.1f} {low:.1f}V{high:.1f}" stroke="{INK}" stroke-width="1.6"/>'
        yield f'<circle cx="{at:.1f}" cy="{middle:.1f}" r="{2.5 + 9 * (b["n"] / n) ** 0.5:.1f}" fill="{INK}" stroke="#FFFFFF"/>'
    yield _text(x + SIDE, TOP + SIDE + 31, "said, times in 10", anchor="end", weight="bold")
    if first:
        yield f'<g transform="translate({x - 30} {TOP}) rotate(-90)">{_text(0, 0, "came, times in 10", anchor="end", weight="bold")}</g>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 12, fill: str = INK) -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{fill}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{_safe(words)}</text>'


def _safe(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
