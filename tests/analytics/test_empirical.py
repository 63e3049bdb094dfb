"""From past errors to quantiles and probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.empirical import MIN_ERRORS, dressed
from core.bands import LINES

errors_of = st.lists(st.floats(-3, 3), min_size=MIN_ERRORS, max_size=80).map(lambda e: np.sort(np.array(e)))


def test_quantiles_lie_at_i_over_n_plus_1() -> None:
    """Type 6 of Hyndman & Fan: of 19 errors the 1st, 5th, 10th, 15th and 19th are the five quantiles."""
    errors = np.arange(19) / 100
    quantiles, _ = dressed(np.array([3.0]), errors)
    assert np.log1p(quantiles[0]) - np.log1p(3.0) == pytest.approx(errors[[0, 4, 9, 14, 18]])


def test_probabilities_are_never_0_or_1_from_few_errors() -> None:
    """No error reached the line: half a rank is left, ½/(n + 1); all did: as much is left for staying under."""
    errors = np.zeros(49)
    _, p_gt = dressed(np.array([0.2, 9.0]), errors)
    assert p_gt[0] == pytest.approx([0.01] * 4)
    assert p_gt[1] == pytest.approx([0.99] * 4)


def test_a_line_between_two_errors_is_between_their_ranks() -> None:
    """With k of n errors above a line P lies between k/(n + 1) and (k + 1)/(n + 1)."""
    errors = np.log1p(np.array([0.6, 0.8, 0.9, 1.1, 1.3, *range(2, 16)])) - np.log1p(0.6)
    _, p_gt = dressed(np.array([0.6]), np.sort(errors))
    n = len(errors)
    for line, p in zip(LINES, p_gt[0], strict=True):
        above = int((np.expm1(np.log1p(0.6) + errors) > line + 1e-6).sum())
        assert above / (n + 1) <= p <= (above + 1) / (n + 1)


def test_a_value_on_a_line_is_not_over_it() -> None:
    """P(S > 1) of a water that always came back to exactly 1.0 is what is left, not one half or more."""
    _, p_gt = dressed(np.array([1.0]), np.zeros(40))
    assert p_gt[0][1] < 0.05
    assert p_gt[0][0] > 0.95


def test_few_errors_make_a_wide_interval() -> None:
    """Of five errors the 90 % interval is Student's prediction interval (t = 2.132 at 4 degrees of freedom), beyond the errors themselves."""
    errors = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    quantiles, _ = dressed(np.array([4.0]), errors)
    reach = 2.132 * np.std(errors, ddof=1) * np.sqrt(1 + 1 / 5)
    assert np.log1p(quantiles[0][[0, 4]]) - np.log1p(4.0) == pytest.approx([-reach, reach])
    assert reach > 0.2


@pytest.mark.parametrize("n", [5, 12, 30, 200])
def test_coverage_of_exchangeable_errors_is_what_is_stated(n: int) -> None:
    """The next of n + 1 like errors falls into the 90 % interval nine times of ten, whatever n (seeded; ±2 %)."""
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(3000):
        e = rng.normal(0, 0.3, n + 1)
        quantiles, _ = dressed(np.array([50.0]), np.sort(e[:n]))
        truth = np.expm1(np.log1p(50.0) + e[n])
        hits += quantiles[0][0] <= truth <= quantiles[0][4]
    assert hits / 3000 == pytest.approx(0.9, abs=0.02)


@given(errors=errors_of, value=st.floats(0, 40))
def test_one_curve(errors: np.ndarray, value: float) -> None:
    """Quantiles rise and probabilities fall, and they are of one distribution: P over a quantile is what the quantile leaves."""
    quantiles, p_gt = dressed(np.array([value]), errors)
    assert (np.diff(quantiles[0]) >= 0).all()
    assert (quantiles >= 0).all()
    assert (np.diff(p_gt[0]) <= 0).all()
    assert ((p_gt > 0) & (p_gt < 1)).all()
    for q, x in zip((0.05, 0.25, 0.5, 0.75, 0.95), quantiles[0], strict=True):
        for line, p in zip(LINES, p_gt[0], strict=True):
            if line > x + 1e-6:
                assert p <= 1 - q + 1e-9
            elif line < x - 1e-6:
                assert p >= 1 - q - 1e-9
