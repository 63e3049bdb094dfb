"""The line protocol writer: against influxdb-client's own `Point`, and for what that one gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point

from adapters.line_protocol import encode_flags, encode_rows, escape_tag, place
from core.batch import Batch
from core.quantities import QUANTITIES
from core.series import SeriesKey

T = 1_772_323_800_000
EC = SeriesKey("default", "kl-01", "main", "kl01", "water.ec")
TEMPERATURE = EC._replace(quantity="water.temperature")
HEAD = "water,org=default,point=main,sensor=kl01,station=kl-01"

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def _writable(value: str) -> bool:
    try:
        escape_tag(value)
    except ValueError:
        return False
    return True


@given(text.filter(_writable), text.filter(_writable), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9), st.integers(1, 1 << 62))
def test_a_line_is_what_the_library_would_write(station: str, sensor: str, value: float, flag: int, tests: int) -> None:
    """Tags, integers and time are the library's text; a float is the same number (it writes 3.0 as 3)."""
    key = SeriesKey("default", station, "main", sensor, "water.ec")
    lines = encode_rows(Batch.of([0], [T], [value], flag=[flag], tests=[tests], received=[T + 5]), [place(key)], np.array([True]))
    point = Point("water").tag("org", "default").tag("station", station).tag("point", "main").tag("sensor", sensor)
    point = point.field("ec", 0.5).field("ec_qc", flag).field("ec_qt", tests).field("rx", T + 5).time(T, "ms")
    theirs = point.to_line_protocol()
    head, written = lines.texts[0].split(" ec=", 1) if " ec=" in lines.texts[0] else ("", "")
    number = written.split(",", 1)[0]
    assert float(number) == value
    assert f"{head} ec={written}".replace(f" ec={number},", " ec=0.5,") == theirs


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


def test_quantities_of_one_point_and_time_are_one_line() -> None:
    """Grouped whatever their order; `rx` is the last arrival's; each line knows its rows; lines join to one body."""
    batch = Batch.of([0, 0, 1], [T + 1, T, T], [1.0, -0.42, 28.0], flag=[1, 3, 1], tests=[0, 4, 0], received=[T + 9, T + 7, T + 8])
    lines = encode_rows(batch, [place(EC), place(TEMPERATURE)], np.array([False, True, False]))
    assert lines.texts == [
        f"{HEAD} ec=-0.42,ec_qc=3i,ec_qt=4i,temperature=28.0,temperature_qc=1i,rx={T + 8}i {T}",
        f"{HEAD} ec=1.0,ec_qc=1i,rx={T + 9}i {T + 1}",
    ]
    assert [lines.rows(0), lines.rows(1)] == [[1, 2], [0]]
    assert lines.body(0, 2) == "\n".join(lines.texts).encode()


def test_flags_alone() -> None:
    """Flag lines hold `_qc` and `_qt`, also 0, and neither value nor `rx`."""
    lines = encode_flags(Batch.of([0, 1], [T, T], [1.0, 2.0], flag=[1, 4], tests=[0, 8]), [place(EC), place(TEMPERATURE)])
    assert lines.texts == [f"{HEAD} ec_qc=1i,ec_qt=0i,temperature_qc=4i,temperature_qt=8i {T}"]


def test_no_rows_no_lines() -> None:
    """An empty batch is no line."""
    assert encode_rows(Batch.empty(), [], np.zeros(0, dtype=bool)).texts == []
