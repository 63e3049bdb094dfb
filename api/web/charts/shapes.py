"""The shapes that say a band without colour, and the icons of the pages: all drawn in one grid of 24.

A word always stands beside a shape, so it is hidden from screen readers.
"""

from __future__ import annotations

from typing import Literal

from markupsafe import Markup

from api.web.charts.svg import CARD, EDGE, INK, INK2, ON_DARK, ON_LIGHT, element, fill_of, on_fill

Kind = int | Literal["unknown", "stale"]

_BODY = {
    0: "M12 1.8a10.2 10.2 0 1 1 0 20.4a10.2 10.2 0 1 1 0-20.4z",
    1: "M5 2h14a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H5a3 3 0 0 1-3-3V5a3 3 0 0 1 3-3z",
    2: "M12 2.3L22.6 21.3H1.4z",
    3: "M7.8 1.8h8.4l6 6v8.4l-6 6H7.8l-6-6V7.8z",
    4: "M12 .9L23.1 12L12 23.1L.9 12z",
}
_MARK = {
    0: "M7.2 12.5l3.4 3.4l6.3-7.2",
    1: "M9 6v12.2M9 7.1h6.2M9 10.7h4M9 14.3h6.2M9 17.9h4",
    2: "M12 9v5.6M12 17.9v.1",
    3: "M6.9 12h10.2",
    4: "M8.7 8.7l6.6 6.6M15.3 8.7l-6.6 6.6",
    "unknown": "M9 9.2a3 3 0 1 1 4.6 2.5c-1.1.8-1.6 1.3-1.6 2.4M12 17.6v.1",
    "stale": "M12 6.3V12.2l3.6 2.2",
}
_RING = "M12 2a10 10 0 1 1 0 20a10 10 0 1 1 0-20z"

_ICON = {
    "home": "M3.8 11.6L12 4.4l8.2 7.2M6 10v9.8h4.4v-5h3.2v5H18V10",
    "river": "M3 7.5c3-2.7 6-2.7 9 0s6 2.7 9 0M3 13c3-2.7 6-2.7 9 0s6 2.7 9 0M3 18.5c3-2.7 6-2.7 9 0s6 2.7 9 0",
    "map": "M9 4.5L3.5 6.8v12.7L9 17.2l6 2.3l5.5-2.3V4.5L15 6.8zM9 4.5v12.7M15 6.8v12.7",
    "bell": "M5.6 17.2c1-1.2 1.4-2.6 1.4-4.4v-2.3a5 5 0 0 1 10 0v2.3c0 1.8.4 3.2 1.4 4.4zM10.2 20.6h3.6M12 3.2v2",
    "back": "M14.8 4.8L7.6 12l7.2 7.2",
    "chevron": "M9.2 4.8l7.2 7.2l-7.2 7.2",
    "clock": "M12 3.4a8.6 8.6 0 1 1 0 17.2a8.6 8.6 0 1 1 0-17.2zM12 7.2v5l3.3 2",
    "wifi-off": "M3.6 3.6l16.8 16.8M8.7 15.8a4.8 4.8 0 0 1 6.6 0M5.6 12.4a9.4 9.4 0 0 1 3.9-2.3M14.4 10a9.4 9.4 0 0 1 4 2.4"
    "M2.6 9a13.8 13.8 0 0 1 3.6-2.5M10.6 5.3a13.8 13.8 0 0 1 10.8 3.7M12 19.4v.1",
    "lock": "M5.4 11h13.2v9H5.4zM8.2 11V8a3.8 3.8 0 0 1 7.6 0v3M12 14.6v2",
    "person": "M12 3.8a3.9 3.9 0 1 1 0 7.8a3.9 3.9 0 1 1 0-7.8zM4.6 20.2c.5-3.7 3.3-5.8 7.4-5.8s6.9 2.1 7.4 5.8",
    "check": "M5 12.6l4.6 4.6L19.2 7",
    "gauge": "M8 3.5v17M8 5h7M8 9.6h4.5M8 14.2h7M8 18.8h4.5",
}
ICONS = (*sorted(_ICON), "mark")


def shape(kind: Kind, size: int, *, filled: bool = False, ground: int | None = None) -> Markup:
    """The shape of a band 0–4, of what is not known, or of an old reading. `filled` = for a ground in the band's own colour. Size in px.

    `ground` names another band whose colour it stands on: the sign says what to do there, the colour stays the water's.
    """
    on = kind if filled and ground is None else ground
    if isinstance(kind, int):
        body, mark = (on_fill(on), fill_of(on)) if isinstance(on, int) else (fill_of(kind), on_fill(kind))
        base = element("path", d=_BODY[kind], fill=body, stroke=body if isinstance(on, int) else EDGE, stroke_width="1.2", stroke_linejoin="round")
    else:
        base, mark = element("path", d=_RING, fill=CARD, stroke=INK2, stroke_width="1.6", stroke_dasharray="3.6 2.7"), INK
    line = element("path", d=_MARK[kind], fill="none", stroke=mark, stroke_width="2.5", stroke_linecap="round", stroke_linejoin="round")
    return element("svg", base, line, class_="shape", width=size, height=size, viewBox="0 0 24 24", aria_hidden="true")


def icon(name: str, size: int) -> Markup:
    """An icon in the colour of the text around it; `mark` is the sign of the house, a staff gauge and a wave. Size in px."""
    if name == "mark":
        inside = (
            element("path", d="M6 .8h12A5.2 5.2 0 0 1 23.2 6v12a5.2 5.2 0 0 1-5.2 5.2H6A5.2 5.2 0 0 1 .8 18V6A5.2 5.2 0 0 1 6 .8z", fill=ON_LIGHT, stroke=EDGE),
            element("path", d="M5.2 4.6h6.2v2H5.2zM5.2 8.4H9v2H5.2zM5.2 12.2h6.2v2H5.2zM5.2 16H9v2H5.2z", fill=ON_DARK),
            element("path", d="M11.8 17c1.4-2.1 2.7-2.1 4.1 0s2.6 2 3.9-.1", fill="none", stroke=fill_of(0), stroke_width="2.1", stroke_linecap="round"),
        )
        return element("svg", *inside, class_="icon", width=size, height=size, viewBox="0 0 24 24", aria_hidden="true")
    line = element("path", d=_ICON[name], fill="none", stroke="currentColor", stroke_width="2.1", stroke_linecap="round", stroke_linejoin="round")
    return element("svg", line, class_="icon", width=size, height=size, viewBox="0 0 24 24", aria_hidden="true")
