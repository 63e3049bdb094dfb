"""Writing SVG: elements with every text and attribute escaped, short numbers, hatches without ids.

Colours are the tokens of the style sheet as presentation attributes (`fill="var(--ink)"`): a content policy that forbids
inline styles allows them, and dark mode and print change the token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

INK, INK2, CARD, RULE, EDGE, SILT = "var(--ink)", "var(--ink-2)", "var(--card)", "var(--rule)", "var(--edge)", "var(--silt)"
SILT2 = "var(--silt-2)"
PAPER = "var(--paper)"
HATCH, HATCH_BG = "var(--hatch)", "var(--hatch-bg)"
ON_LIGHT, ON_DARK = "var(--on-light)", "var(--on-dark)"  # text on bands 0-2 and on bands 3-4, the same in dark mode
PX = 14  # the size of words where nothing is said [px]; ink is their colour
Point = tuple[float, float]


def fill_of(band: int) -> str:
    """The fill of a band."""
    return f"var(--s{band})"


def on_fill(band: int) -> str:
    """The colour of text and marks on that fill."""
    return ON_LIGHT if band <= 2 else ON_DARK


def short(value: float) -> str:
    """A coordinate to a tenth, as short as it can be written."""
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    if text in ("-0", ""):
        return "0"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def element(name: str, *inside: Markup | str, **attributes: str | float | None) -> Markup:
    """One element. `class_` is class, `stroke_width` is stroke-width; None leaves an attribute out."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), short(value) if isinstance(value, int | float) else value)
        for key, value in attributes.items()
        if value is not None
    )
    if not inside:
        return Markup("<{}{}/>").format(name, written)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, Markup("").join(escape(part) for part in inside))


def picture(width: float, height: float, label: str, kind: str, *inside: Markup, labelled_by: str | None = None) -> Markup:
    """A whole chart as wide as its place; `label` is what a screen reader says, or what stands in the element `labelled_by` of the page."""
    size = f"0 0 {short(width)} {short(height)}"
    # a viewBox of camel case, which keyword arguments carry as they are
    said = {"aria_label": label} if labelled_by is None else {"aria_labelledby": labelled_by}
    return element("svg", *inside, class_=f"chart {kind}", viewBox=size, width="100%", font_size=PX, fill=INK, role="img", **said)


def text(x: float, y: float, words: str, *, size: float = PX, bold: bool = False, anchor: str | None = None, fill: str = INK, halo: bool = False) -> Markup:
    """Words at (x, y = base line); a `halo` in the card's colour keeps them readable over lines."""
    return element(
        "text",
        words,
        x=x,
        y=y,
        font_size=None if size == PX else size,
        font_weight="700" if bold else None,
        text_anchor=anchor,
        fill=None if fill == INK else fill,
        stroke=CARD if halo else None,
        stroke_width="4" if halo else None,
        stroke_linejoin="round" if halo else None,
        paint_order="stroke" if halo else None,
    )


def rect(x: float, y: float, width: float, height: float, **attributes: str | float | None) -> Markup:
    """A rectangle."""
    return element("rect", x=x, y=y, width=width, height=height, **attributes)


def steps(points: Iterable[Point]) -> str:
    """Points as a move and relative lines in tenths, without drift: `M10 20l3-4 5 1`."""
    written: list[str] = []
    at = (0, 0)
    for x, y in points:
        to = (round(x * 10), round(y * 10))
        if to == at and written:
            continue
        across, down = (short((to[i] - at[i]) / 10) for i in (0, 1))
        start = ("M", "l")[len(written)] if len(written) < 2 else "" if across.startswith("-") else " "
        written.append(f"{start}{across}{down}" if down.startswith("-") else f"{start}{across} {down}")
        at = to
    return "".join(written)


def polyline(runs: Iterable[Sequence[Point]], **attributes: str | float | None) -> Markup:
    """Runs of points as one path, not joined with each other; nothing for no points."""
    data = "".join(steps(run) for run in runs if run)
    return element("path", d=data, fill="none", **attributes) if data else Markup("")


def polygon(rings: Iterable[Sequence[Point]], **attributes: str | float | None) -> Markup:
    """Closed rings as one path."""
    data = "".join(f"{steps(ring)}z" for ring in rings if ring)
    return element("path", d=data, **attributes) if data else Markup("")


def hatch(x: float, y: float, width: float, height: float) -> Markup:
    """45° stripes in a box: what is not known. A nested svg clips them, so no id is needed and many charts share a page."""
    if width <= 0 or height <= 0:
        return Markup("")
    reach = (width + height) / 2
    ground = element("rect", width="100%", height="100%", fill=HATCH_BG)
    # the dashes of one broad diagonal are the stripes
    stripes = element("path", d=f"M0 0l{short(reach)} {short(reach)}", stroke=HATCH, stroke_width=2 * max(width, height), stroke_dasharray="5 7")
    return element("svg", ground, stripes, x=x, y=y, width=width, height=height)
