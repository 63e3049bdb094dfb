"""Shapes and icons: one grid, told apart without colour, hidden from screen readers."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from pictures import read

from api.web.charts.shapes import ICONS, Kind, icon, shape
from api.web.charts.svg import element, hatch, steps

KINDS: tuple[Kind, ...] = (0, 1, 2, 3, 4, "unknown", "stale")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filled", [False, True])
def test_a_shape_is_drawn_in_the_grid(kind: Kind, filled: bool) -> None:
    """24 units wide whatever its size, silent, coloured by tokens only; filled and plain swap ground and mark."""
    drawn = read(shape(kind, 18, filled=filled))[0]
    assert (drawn.get("width"), drawn.get("viewBox"), drawn.get("aria-hidden")) == ("18", "0 0 24 24", "true")
    colours = {e.get(a) for e in drawn for a in ("fill", "stroke")} - {None, "none"}
    assert all(re.fullmatch(r"var\(--[a-z0-9-]+\)", c or "") for c in colours)
    if isinstance(kind, int):
        assert drawn[1 if filled else 0].get("stroke" if filled else "fill") == f"var(--s{kind})"


def test_a_sign_may_stand_on_the_colour_of_another_band() -> None:
    """The shape says what to do, the ground what the water is: a gauge for "measure" on fresh water is dark with a mark in fresh water's colour."""
    body, mark = read(shape(1, 40, ground=0))[0]
    assert body.get("d") == read(shape(1, 40))[0][0].get("d")
    assert (body.get("fill"), mark.get("stroke")) == ("var(--on-light)", "var(--s0)")
    body, mark = read(shape(2, 40, ground=3))[0]
    assert (body.get("fill"), mark.get("stroke")) == ("var(--on-dark)", "var(--s3)")


def test_shapes_differ_without_colour() -> None:
    """No two shapes have the same outline and mark; what is unknown or old is dashed and never in a band's colour."""
    forms = {kind: [e.get("d") for e in read(shape(kind, 18))[0]] for kind in KINDS}
    assert all(forms[a] != forms[b] for a, b in combinations(KINDS, 2))
    for kind in ("unknown", "stale"):
        assert "stroke-dasharray" in shape(kind, 18)
        assert "--s" not in shape(kind, 18)


@pytest.mark.parametrize("name", ICONS)
def test_icons(name: str) -> None:
    """An icon takes the text's colour and is silent; the mark keeps its own."""
    drawn = icon(name, 24)
    assert read(drawn)[0].get("aria-hidden") == "true"
    assert ("currentColor" in drawn) == (name != "mark")


def test_all_icons_are_there() -> None:
    """Those the pages use."""
    assert {"home", "river", "map", "bell", "back", "chevron", "clock", "wifi-off", "lock", "person", "check", "mark"} <= set(ICONS)


def test_everything_written_is_escaped() -> None:
    """A name from a device can never become markup, neither as text nor as attribute."""
    drawn = element("text", "<script>&", aria_label='"><b>')
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    assert read(drawn)[0].text == "<script>&"
    assert read(drawn)[0].get("aria-label") == '"><b>'


def test_steps_do_not_drift() -> None:
    """The sum of the written steps is the last point to a tenth, however many there are."""
    points = [(i * 0.333, i * 0.777) for i in range(500)]
    numbers = [float(n) for n in re.findall(r"-?(?:\d+\.\d+|\.\d+|\d+)", steps(points))]
    assert sum(numbers[0::2]) == pytest.approx(points[-1][0], abs=0.051)
    assert sum(numbers[1::2]) == pytest.approx(points[-1][1], abs=0.051)


def test_an_empty_hatch_is_nothing() -> None:
    """No box, no stripes."""
    assert hatch(0, 0, 0, 10) == ""
    assert hatch(0, 0, 10, -1) == ""
