"""Names in line protocol: what is escaped, and what no line can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.line_protocol import escape_tag, place
from core.quantities import QUANTITIES
from core.series import SeriesKey

T = 1_772_323_800_000
EC = SeriesKey("default", "kl-01", "main", "kl01", "water.ec")
TEMPERATURE = EC._replace(quantity="water.temperature")
HEAD = "water,org=default,point=main,sensor=kl01,station=kl-01"


@given(st.sampled_from(sorted(QUANTITIES)))
def test_every_quantity_has_a_place(quantity: str) -> None:
    """Measurement is the domain, the field the rest."""
    where = place(EC._replace(quantity=quantity))
    assert (where.head.split(",")[0], where.field) == tuple(quantity.split(".", 1))


@pytest.mark.parametrize("value", ["", "a\nb", "a\rb", "a\tb", "\x00", "\x7f", "C:\\", "a\\ b", "a\\,b", "a\\=b", "\ud800"])
def test_a_tag_no_line_can_hold_is_refused(value: str) -> None:
    """Control characters, a backslash that would eat a separator, no text at all."""
    with pytest.raises(ValueError, match=r".+"):
        escape_tag(value)


@pytest.mark.parametrize(
    ("value", "escaped"), [("kl 03", "kl\\ 03"), ("a=b,c", "a\\=b\\,c"), ("C:\\x", "C:\\x"), ('"trái" 🌊', '"trái"\\ 🌊'), ("d/d10", "d/d10")]
)
def test_separators_are_escaped(value: str, escaped: str) -> None:
    """Space, comma and equals sign, and nothing else."""
    assert escape_tag(value) == escaped


def test_an_unknown_quantity_has_no_place() -> None:
    """Names come from the registry only."""
    with pytest.raises(ValueError, match=r"water\.gold"):
        place(EC._replace(quantity="water.gold"))
