"""Areas coloured by the bands they pass through: one paint per panel, whose stripes are the bands of the scale."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.web.charts.scale import BANDS
from api.web.charts.svg import EDGE, Point, element, fill_of, polygon

Slice = tuple[float, float, float]  # x [px], y of the lower and of the upper end [px]


def paint_name(top: float, bottom: float) -> str:
    """What a panel between these two y fills with. Panels of the same place have the same paint, in whatever chart of a page."""
    return f"bands-{top:.0f}-{bottom:.0f}"


def paints(panels: Sequence[tuple[float, float]]) -> Markup:
    """Stripes with hard edges for panels between (top, bottom) [px]: each band its own, from the fresh end at the bottom to the salty one."""
    stops = [
        element("stop", offset=f"{100 * (band + end) // BANDS}%", stop_color=fill_of(band))  # two at each line: no shade between
        for band in range(BANDS)
        for end in (0, 1)
    ]
    shared = f"{paint_name(*panels[0])}-stops"  # a page holds several charts
    places = [
        element("linearGradient", id=paint_name(top, bottom), href=f"#{shared}", gradientUnits="userSpaceOnUse", x1="0", x2="0", y1=bottom, y2=top)
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
