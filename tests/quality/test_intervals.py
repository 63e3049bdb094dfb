"""Intervals of series: the median of the last gaps, however the rows come."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch
from quality.intervals import FEW_GAPS, GAPS, Intervals


@given(
    series=st.lists(st.lists(st.integers(1, 5), max_size=60), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    known=st.sampled_from([0, 3]),
)
def test_the_median_of_the_last_gaps(series: list[list[int]], cuts: list[int], known: int) -> None:
    """For any cut of the rows into batches: the median of the last 20 gaps, and what was known where there are fewer than 3."""
    intervals = Intervals()
    intervals.grow(np.full(len(series), known))
    times = [np.cumsum([10, *gaps]) for gaps in series]
    last = np.zeros(len(series), dtype=np.int64)
    for a, z in zip([0, *sorted(cuts)], [*sorted(cuts), 100], strict=True):
        parts = [(i, int(t)) for i, found in enumerate(times) for t in found[a:z]]
        if not parts:
            continue
        numbers, at = (np.array(column) for column in zip(*parts, strict=True))
        batch = Batch.of(numbers.astype(np.int32), at, np.zeros(len(at)))
        intervals.add(batch, np.where(last[numbers] == 0, at, last[numbers]))
        np.maximum.at(last, numbers, at)
    for i, gaps in enumerate(series):
        told = len(gaps) >= FEW_GAPS or (not known and gaps)
        assert intervals.median()[i] == (int(np.median(gaps[-GAPS:])) if told else known)


def test_a_late_row_closes_no_gap() -> None:
    """A row before the newest, or at its time, tells nothing of the interval."""
    intervals = Intervals()
    intervals.grow(np.array([0]))
    intervals.add(Batch.of([0, 0, 0, 0], [0, 10, 20, 30], [0.0] * 4), np.zeros(4, dtype=np.int64))
    intervals.add(Batch.of([0, 0], [5, 30], [0.0] * 2), np.array([30, 30]))
    assert intervals.median().tolist() == [10]
