"""Batches as lines: whatever the templates make is what one would write row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point

from adapters import influx_lines
from adapters.influx_lines import encode_flags, encode_rows, group
from adapters.influx_places import NOWHERE, Places
from adapters.line_protocol import Lines, escape_tag, place
from core.batch import Batch
from core.series import SeriesKey

T = 1_772_323_800_000
EC = SeriesKey("default", "kl-01", "main", "kl01", "water.ec")
TEMPERATURE = EC._replace(quantity="water.temperature")
HEAD = "water,org=default,point=main,sensor=kl01,station=kl-01"
QUANTITIES = ("water.ec", "water.level", "device.battery", "air.rain")
KEYS = [SeriesKey("default", station, "main", station, quantity) for station in ("a", "b c") for quantity in QUANTITIES]

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def _writable(value: str) -> bool:
    try:
        escape_tag(value)
    except ValueError:
        return False
    return True


def encoded(batch: Batch, keys: Sequence[SeriesKey], explicit: Sequence[bool] | None = None) -> Lines:
    places = Places()
    grouped = group(replace(batch, series=places.numbers(keys)[batch.series]), places)
    return encode_rows(grouped, places, np.zeros(len(grouped.time), dtype=bool) if explicit is None else np.array(explicit, dtype=bool))


@given(text.filter(_writable), text.filter(_writable), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9), st.integers(0, 1 << 62))
def test_a_line_is_what_the_library_would_write(station: str, sensor: str, value: float, flag: int, tests: int) -> None:
    """Tags, integers and time are the library's text; a float is the same number (it writes 3.0 as 3)."""
    key = SeriesKey("default", station, "main", sensor, "water.ec")
    lines = encoded(Batch.of([0], [T], [value], flag=[flag], tests=[tests], received=[T + 5]), [key], [True])
    point = Point("water").tag("org", "default").tag("station", station).tag("point", "main").tag("sensor", sensor)
    point = point.field("ec", 0.5).field("ec_qc", flag).field("ec_qt", tests).field("rx", T + 5).time(T, "ms")
    theirs = point.to_line_protocol()
    head, written = lines.texts[0].split(" ec=", 1) if " ec=" in lines.texts[0] else ("", "")
    number = written.split(",", 1)[0]
    assert float(number) == value
    assert f"{head} ec={written}".replace(f" ec={number},", " ec=0.5,") == theirs


def plainly(batch: Batch, keys: Sequence[SeriesKey], explicit: bool) -> dict[tuple[str, int], tuple[list[Any], int]]:
    """{(head, time): ([(field, value, flag, tests or None)], rx)}, row by row."""
    lines: dict[tuple[str, int], tuple[list[Any], int]] = {}
    columns = (batch.series, batch.time, batch.value, batch.flag, batch.tests, batch.received)
    for series, time, value, flag, tests, received in zip(*(column.tolist() for column in columns), strict=True):
        where = place(keys[series])
        cells, _ = lines.get((where.head, time), ([], 0))
        lines[where.head, time] = ([*cells, (where.field, value, flag, tests if tests or explicit else None)], received)
    return lines


def parsed(lines: Lines) -> dict[tuple[str, int], tuple[list[Any], int]]:
    found = {}
    for line in lines.texts:
        rest, _, time = line.rpartition(" ")
        head, _, fields = rest.rpartition(" ")
        *cells, (rx, at) = [tuple(cell.split("=")) for cell in fields.split(",")]
        assert rx == "rx"
        values = dict(cells)
        names = [name for name, _ in cells if not name.endswith(("_qc", "_qt"))]
        rows = [(n, float(values[n]), int(values[f"{n}_qc"][:-1]), int(values[f"{n}_qt"][:-1]) if f"{n}_qt" in values else None) for n in names]
        assert len(cells) == sum(2 + (tests is not None) for *_, tests in rows)
        found[head, int(time)] = (rows, int(at[:-1]))
    assert len(found) == len(lines.texts)
    return found


rows = st.tuples(
    st.integers(0, len(KEYS) - 1),
    st.integers(-2, 3),
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.1, 1e-7, 5e-324, 1e16, 1e22, -0.0, 3.0, 123456.789])),
    st.sampled_from([1, 1, 1, 1, 2, 3, 9]),
    st.sampled_from([0, 0, 0, 0, 4]),
)


@given(st.lists(rows, max_size=40), st.booleans(), st.booleans(), st.sampled_from([1, T, -(1 << 50), 1 << 50]))
def test_templates_write_what_row_by_row_writes(found: list[Any], explicit: bool, one_weight: bool, base: int) -> None:
    """Every line, its fields in their order, numbers, flags, test bits and `rx`; also where all shapes weigh the same."""
    series, time, value, flag, tests = zip(*found, strict=True) if found else ([],) * 5
    batch = Batch.of(series, [base + t for t in time], value, flag=flag, tests=tests, received=range(100, 100 + len(found)))
    last = {(s, t): i for i, (s, t) in enumerate(zip(batch.series.tolist(), batch.time.tolist(), strict=True))}
    batch = batch.take(np.array(sorted(last.values()), dtype=np.intp))
    weights = influx_lines._WEIGHTS
    try:
        if one_weight:
            influx_lines._WEIGHTS = np.zeros_like(weights)
        places = Places()
        grouped = group(replace(batch, series=places.numbers(KEYS)[batch.series]), places)
        lines = encode_rows(grouped, places, np.full(len(grouped.time), explicit))
    finally:
        influx_lines._WEIGHTS = weights
    assert parsed(lines) == plainly(batch, KEYS, explicit)
    for i, line in enumerate(lines.texts):
        rows_of = lines.rows(i)
        head = line.rpartition(" ")[0].rpartition(" ")[0]
        assert {place(KEYS[batch.series[row]]).head for row in rows_of} == {head}
        assert {str(batch.time[row]) for row in rows_of} == {line.rpartition(" ")[2]}
    assert sorted(row for i in range(len(lines.texts)) for row in lines.rows(i)) == list(range(len(batch)))
    order = [(head, time) for head, time in zip(grouped.head.tolist(), grouped.time.tolist(), strict=True)]
    assert order == sorted(set(order))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_read_back_as_the_same(values: list[float]) -> None:
    """The text of a template's numbers is the shortest that is the same number, and `repr` where no exponent stands in it."""
    texts = influx_lines._numbers(values)
    assert [float(text) for text in texts] == values
    assert all(text == repr(value) for text, value in zip(texts, values, strict=True) if 1e-4 <= abs(value) < 1e16)


def test_quantities_of_one_point_and_time_are_one_line() -> None:
    """Grouped whatever their order; `rx` is the last arrival's; each line knows its rows; lines join to one body."""
    batch = Batch.of([0, 0, 1], [T + 1, T, T], [1.0, -0.42, 28.0], flag=[1, 3, 1], tests=[0, 4, 0], received=[T + 9, T + 7, T + 8])
    lines = encoded(batch, [EC, TEMPERATURE], [False, False])
    assert lines.texts == [
        f"{HEAD} ec=-0.42,ec_qc=3i,ec_qt=4i,temperature=28.0,temperature_qc=1i,rx={T + 8}i {T}",
        f"{HEAD} ec=1.0,ec_qc=1i,rx={T + 9}i {T + 1}",
    ]
    assert [lines.rows(0), lines.rows(1)] == [[1, 2], [0]]
    assert lines.body(0, 2) == "\n".join(lines.texts).encode()
    assert encoded(batch, [EC, TEMPERATURE], [True, True]).texts == [
        f"{HEAD} ec=-0.42,ec_qc=3i,ec_qt=4i,temperature=28.0,temperature_qc=1i,temperature_qt=0i,rx={T + 8}i {T}",
        f"{HEAD} ec=1.0,ec_qc=1i,ec_qt=0i,rx={T + 9}i {T + 1}",
    ]


def test_flags_alone() -> None:
    """Flag lines hold `_qc` and `_qt`, also 0, and neither value nor `rx`."""
    places = Places()
    batch = Batch.of(places.numbers([EC, TEMPERATURE]), [T, T], [1.0, 2.0], flag=[1, 4], tests=[0, 8])
    assert encode_flags(group(batch, places), places).texts == [f"{HEAD} ec_qc=1i,ec_qt=0i,temperature_qc=4i,temperature_qt=8i {T}"]


def test_no_rows_no_lines() -> None:
    """An empty batch is no line."""
    places = Places()
    assert encode_rows(group(Batch.empty(), places), places, np.zeros(0, dtype=bool)).texts == []
    assert encode_flags(group(Batch.empty(), places), places).texts == []


def test_places_are_numbered_once() -> None:
    """The same list may grow; another list finds the same numbers; one that no line can hold has none, and it is said why."""
    places = Places()
    bad = EC._replace(quantity="water.gold")
    keys = [EC, bad]
    assert places.numbers(keys).tolist() == [0, NOWHERE]
    assert "water.gold" in places.why(bad)
    keys += [TEMPERATURE, EC._replace(station="x"), *(EC._replace(station=f"s{i}") for i in range(200))]
    assert places.numbers(keys).tolist() == [0, NOWHERE, *range(1, 203)]
    assert places.numbers([TEMPERATURE, EC]).tolist() == [1, 0]
    assert [places.heads[places.head[n]] for n in (0, 1)] == [HEAD, HEAD]
    assert [places.fields[places.field[n]] for n in (0, 1)] == ["ec", "temperature"]
    assert places.heads[places.head[202]] == place(EC._replace(station="s199")).head
