"""Parameters and sources of a growing list of series."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from canhman.configuration import read_qc
from core.derived import DERIVED
from core.series import SeriesKey
from quality.rules import Rules

QUANTITIES = sorted({q for d in DERIVED for q in (d.quantity, *d.sources)} | {"water.level"})
ALL = [SeriesKey("default", station, "main", "d", quantity) for station in ("a", "b") for quantity in QUANTITIES]


@given(keys=st.permutations(ALL), cuts=st.sets(st.integers(1, len(ALL) - 1), max_size=5))
def test_grown_in_parts_is_the_same_as_at_once(keys: list[SeriesKey], cuts: set[int]) -> None:
    """In whatever order and steps series are met: parameters and sources are those of the whole list."""
    config = read_qc(None)
    whole = Rules(config, keys)
    whole.grow()
    growing: list[SeriesKey] = []
    parts = Rules(config, growing)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(keys)], strict=True):
        growing += keys[start:end]
        parts.grow()
    series = np.arange(len(keys), dtype=np.int32)
    for test in config.tests:
        for name, column in whole.params(test, series).items():
            np.testing.assert_array_equal(column, parts.params(test, series)[name])
    for d, derived in enumerate(DERIVED):
        assert parts.sources[d].tolist() == whole.sources[d].tolist()
        for i, key in enumerate(keys):
            want = (
                [keys.index(key._replace(quantity=source)) for source in derived.sources] if key.quantity == derived.quantity else [-1] * len(derived.sources)
            )
            assert whole.sources[d][i].tolist() == want
