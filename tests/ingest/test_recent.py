"""Counting replaced values: against a plain dict, over any cut into batches."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch
from ingest.recent import Recent

rows = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from([1.0, 2.0])), max_size=30)


@given(rows=rows, cuts=st.sets(st.integers(0, 30), max_size=4))
def test_it_counts_what_a_dict_of_the_newest_would(rows: list[tuple[int, int, float]], cuts: set[int]) -> None:
    """A row counts where its identity had another value before it in the batch, or as the newest row of an earlier one."""
    recent, newest = Recent(), dict[int, tuple[int, float]]()
    edges = [0, *sorted(c for c in cuts if c < len(rows)), len(rows)]
    for a, b in pairwise(edges):
        part = rows[a:b]
        want: Counter[int] = Counter()
        seen: dict[tuple[int, int], float] = {}
        for series, time, value in part:
            known = seen.get((series, time), newest[series][1] if newest.get(series, (0, 0.0))[0] == time else value)
            want[series] += known != value
            seen[(series, time)] = value
        for (series, time), value in seen.items():
            if time >= newest.get(series, (0, 0.0))[0]:
                newest[series] = (time, value)
        part.sort(key=lambda row: row[:2])  # stable, as the columns are sorted
        arrived = Batch.of([r[0] for r in part], [r[1] for r in part], [r[2] for r in part])
        found = recent.overwritten(arrived)
        recent.keep(arrived.distinct())
        assert Counter(found.tolist()) == +want
