"""The five bands."""

from __future__ import annotations

import pytest

from core.bands import LINES, band, level


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (0.499, 0), (0.5, 1), (0.999, 1), (1.0, 2), (2.0, 3), (3.99, 3), (4.0, 4), (35.0, 4)])
def test_a_value_on_a_boundary_takes_the_saltier_band(value: float, expected: int) -> None:
    """0.5, 1, 2 and 4 g/L belong to the band they begin."""
    assert band(value) == expected


def test_the_level_of_a_line_is_the_band_that_begins_there() -> None:
    """0.5 → 1, 1 → 2, 2 → 3, 4 → 4."""
    assert [level(line) for line in LINES] == [1, 2, 3, 4]
