"""Flags: the roll-up over tests, against a brute-force worst of each row, and the numbers that never change."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.flags import GIVEN_BITS, Flag, roll_up

ORDER = [4, 3, 1, 2, 9]  # strongest first, QARTOD Data Flags manual, doi:10.7289/V5V40SD4
columns = arrays.arrays(np.uint8, (5, 4), elements=st.sampled_from(ORDER))


@given(columns, st.integers(1, 5))
def test_roll_up_is_the_strongest_of_each_row(tests: np.ndarray, count: int) -> None:
    """Law: any number of tests, rolled up, is per row the flag that stands first in 4 > 3 > 1 > 2 > 9."""
    rolled = roll_up(*tests[:count])
    assert rolled.dtype == np.uint8
    assert rolled.tolist() == [min((int(f) for f in row), key=ORDER.index) for row in tests[:count].T]


@given(columns)
def test_order_and_grouping_do_not_matter(tests: np.ndarray) -> None:
    """Law: rolled up in any order, twice over or in parts, it is the same; inputs are left alone."""
    before = tests.copy()
    whole = roll_up(*tests)
    assert np.array_equal(roll_up(*tests[::-1]), whole)
    assert np.array_equal(roll_up(roll_up(*tests[:2]), roll_up(*tests[2:]), whole), whole)
    assert np.array_equal(tests, before)


def test_numbers_are_fixed() -> None:
    """QARTOD's numbers and the bits given with a row are in stored data: they are never changed or used twice."""
    assert {f.name: int(f) for f in Flag} == {"GOOD": 1, "NOT_EVALUATED": 2, "SUSPECT": 3, "FAIL": 4, "MISSING": 9}
    assert GIVEN_BITS == {"clock": 32, "inherited": 33, "withdrawn": 34}
