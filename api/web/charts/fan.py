"""Areas coloured by the bands they pass through: one paint per panel, whose stripes are the bands of the scale."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.web.charts.scale import BANDS
from api.web.charts.svg import EDGE, Point, element, fill_of, polygon

Slice = tuple[float, float, float]  # x [px], y of the lower and of the upper end [px]


def paint_name(top: float, bottom: float, steps: int) -> str:
    """What a panel between these two y, of a scale of so many steps, fills with. Equal panels have the same paint, in whatever chart of a page."""
    return f"bands-{top:.0f}-{bottom:.0f}" + (f"-{steps}" if steps != BANDS else "")


def paints(panels: Sequence[tuple[float, float]], steps: int) -> Markup:
    """Stripes with hard edges for panels between (top, bottom) [px]: each band its own, from the fresh end at the bottom to the salty one."""
    stops = [
        element("stop", offset=f"{100 * place:.6g}%", stop_color=fill_of(band))  # two at each line: no shade between
        for band in range(BANDS)
        for place in (band / steps, (band + 1) / steps if band < BANDS - 1 else 1)
    ]
    shared = f"{paint_name(*panels[0], steps)}-stops"  # a page holds several charts
    places = [
        element("linearGradient", id=paint_name(top, bottom, steps), href=f"#{shared}", gradientUnits="userSpaceOnUse", x1="0", x2="0", y1=bottom, y2=top)
        for top, bottom in panels
    ]
    return element("defs", element("linearGradient", *stops, id=shared), *places)


def fan(runs: Sequence[Sequence[Slice]], name: str) -> Markup:
    """The area between lower and upper ends in that paint, outlined so that dark mode shows the darkest band too."""
    rings = [_outline(run) for run in runs if len(run) > 1]
    return polygon(rings, fill=f"url(#{name})", stroke=EDGE, stroke_width=".8", stroke_linejoin="round")


def _outline(run: Sequence[Slice]) -> list[Point]:
    """There along the upper ends, back along the lower ones."""
    return [(x, upper) for x, _, upper in run] + [(x, lower) for x, lower, _ in reversed(run)]
