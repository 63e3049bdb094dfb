"""Batches: columns that stay together, and last-wins as a dict would have it."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch

COLUMNS = {"series": np.int32, "time": np.int64, "value": np.float64, "flag": np.uint8, "tests": np.int64, "received": np.int64}

rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-3, 3), st.floats(-1, 1), st.sampled_from([1, 2, 3, 4, 9]), st.integers(0, 2**40), st.integers(0, 9)), max_size=30
)


def batch_of(rows: list[tuple[int, int, float, int, int, int]]) -> Batch:
    columns = list(zip(*rows, strict=True)) or [()] * 6
    return Batch.of(columns[0], columns[1], columns[2], flag=columns[3], tests=columns[4], received=columns[5])


def rows_of(batch: Batch) -> list[tuple[float, ...]]:
    return list(zip(*(getattr(batch, name).tolist() for name in COLUMNS), strict=True))


@given(rows)
def test_last_wins_as_in_a_dict(rows: list[tuple[int, int, float, int, int, int]]) -> None:
    """Law: one row per (series, time), the one that came last, sorted; a second time changes nothing."""
    expected = {(row[0], row[1]): row for row in rows}
    won = batch_of(rows).last_wins()
    assert rows_of(won) == [expected[key] for key in sorted(expected)]
    assert rows_of(won.last_wins()) == rows_of(won)


@given(rows, st.integers(0, 30))
def test_concat_undoes_any_split(rows: list[tuple[int, int, float, int, int, int]], at: int) -> None:
    """Law: a batch cut anywhere and put together again is the same, column types included."""
    whole = batch_of(rows)
    again = Batch.concat([whole.take(slice(0, at)), Batch.empty(), whole.take(slice(at, None))])
    assert rows_of(again) == rows_of(whole) == rows
    assert len(again) == len(rows)
    assert {name: getattr(again, name).dtype for name in COLUMNS} == COLUMNS


def test_what_is_not_said() -> None:
    """Without flags a row is not evaluated (2) with no test bits; without `received` it came at its time, as a copy."""
    batch = Batch.of([0, 1], [10, 20], [1.5, float("nan")])
    assert batch.flag.tolist() == [2, 2]
    assert batch.tests.tolist() == [0, 0]
    assert batch.received.tolist() == [10, 20]
    assert batch.received is not batch.time
    assert {f.name for f in dataclasses.fields(Batch)} == COLUMNS.keys()


def test_take_by_mask_index_and_slice() -> None:
    """The three ways to choose rows agree."""
    batch = Batch.of([0, 1, 2], [10, 20, 30], [1.0, 2.0, 3.0])
    mask = np.array([True, False, True])
    assert rows_of(batch.take(mask)) == rows_of(batch.take(np.array([0, 2]))) == rows_of(batch.take(slice(0, None, 2)))


def test_nothing_of_nothing() -> None:
    """Empty batches are batches."""
    assert len(Batch.concat([])) == len(Batch.empty().last_wins()) == 0
