"""Scores of values, distributions and probabilities: hand-computed figures, closed forms, and the laws they follow."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analytics.daily.model import LEVELS
from analytics.daily.panel import Floats
from analytics.daily.scores import NOTHING_TO_WIN, bias, brier, coverage, crps_quantiles, false_alarm_ratio, hit_rate, nse, rmse, skill, within_30pct
from core.errors import ConfigError

TRUTH = np.array([1.0, 2.0, 3.0, 6.0])
NORMAL = NormalDist()
PS = st.floats(0.0, 1.0)
ODDS = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6)


def normal_quantiles(levels: Floats, sigma: float = 1.0) -> Floats:
    return np.array([NORMAL.inv_cdf(level) * sigma for level in levels])


def crps_of_normal(y: float) -> float:
    """Of N(0, 1) at y, closed form: Gneiting & Raftery 2007, doi:10.1198/016214506000001437, section 4.2."""
    return y * (2 * NORMAL.cdf(y) - 1) + 2 * NORMAL.pdf(y) - 1 / math.sqrt(math.pi)


def test_errors_of_a_value_by_hand() -> None:
    """Errors 1, −1, 0, −2: mean square 6/4, mean −2/4; the truths have mean 3 and variance 14/4."""
    forecast = TRUTH + np.array([1.0, -1.0, 0.0, -2.0])
    assert rmse(forecast, TRUTH) == pytest.approx(math.sqrt(1.5))
    assert bias(forecast, TRUTH) == pytest.approx(-0.5)
    assert nse(forecast, TRUTH) == pytest.approx(1 - 6 / 14)


def test_a_perfect_forecast() -> None:
    """No error, all efficiency, every maximum within 30 %, every interval of no width holds."""
    event = TRUTH > 2
    assert (rmse(TRUTH, TRUTH), bias(TRUTH, TRUTH), nse(TRUTH, TRUTH)) == (0.0, 0.0, 1.0)
    assert (within_30pct(TRUTH, TRUTH), coverage(TRUTH, TRUTH, TRUTH)) == (1.0, 1.0)
    assert (brier(event.astype(float), event), hit_rate(event.astype(float), event), false_alarm_ratio(event.astype(float), event)) == (0.0, 1.0, 0.0)
    assert crps_quantiles(np.repeat(TRUTH[:, None], 19, axis=1), np.array(LEVELS), TRUTH).tolist() == [0.0] * 4


def test_nash_sutcliffe_of_the_mean_is_zero() -> None:
    """That is its definition; a truth that never varies has none."""
    assert nse(np.full(4, TRUTH.mean()), TRUTH) == 0.0
    assert math.isnan(nse(np.ones(3), np.full(3, 2.0)))
    assert math.isnan(nse(np.ones(3), np.full(3, 0.1)))  # their mean is 0.10000000000000002


def test_the_official_rule_includes_its_edge() -> None:
    """1.3 and 0.7 of a true 1 are within 30 %, 1.31 and 0.69 are not; of a true 0 only 0 is."""
    assert within_30pct(np.array([1.3, 0.7, 1.31, 0.69]), np.ones(4)) == 0.5
    assert within_30pct(np.array([2.6, 0.39]), np.array([2.0, 0.3])) == 1.0
    assert within_30pct(np.array([0.0, 0.01]), np.zeros(2)) == 0.5


def test_coverage_includes_both_ends() -> None:
    """A truth on the 5 % or 95 % quantile is covered."""
    assert coverage(np.array([1.0, 1.0, 3.1, 1.0]), np.array([4.0, 2.0, 4.0, 5.9]), TRUTH) == 0.5


def test_a_value_that_never_changes_is_covered() -> None:
    """By whatever was made of it on a scale of logarithms and back; what lies a millionth outside is not."""
    computed = np.expm1(np.log1p(np.array([0.1, 5.3, 0.3, 0.0]) / 0.03)) * 0.03
    truth = np.array([0.1, 5.3, 0.3, 0.0])
    assert not (computed == truth).all()
    assert coverage(computed, computed, truth) == 1.0
    assert coverage(truth + 1e-6, truth + 1.0, truth) == 0.0


def test_warnings_begin_at_one_half() -> None:
    """Of three events two were warned of (.5 is a warning); of four warnings two were false."""
    p, event = np.array([0.5, 0.9, 0.49, 0.7, 0.6, 0.1]), np.array([True, True, True, False, False, False])
    assert hit_rate(p, event) == pytest.approx(2 / 3)
    assert false_alarm_ratio(p, event) == 0.5


def test_brier_by_hand() -> None:
    """(.2² + .6² + .1²)/3; always one half gets a quarter."""
    event = np.array([True, False, False])
    assert brier(np.array([0.8, 0.6, 0.1]), event) == pytest.approx(0.41 / 3)
    assert brier(np.full(3, 0.5), event) == 0.25


def test_what_does_not_exist_is_nan() -> None:
    """Without rows, events, warnings or a loss of the reference nothing flattering is said."""
    none, never = np.empty(0), np.zeros(2, dtype=bool)
    for value in (rmse(none, none), bias(none, none), nse(none, none), within_30pct(none, none), coverage(none, none, none), brier(none, none > 0)):
        assert math.isnan(value)
    assert math.isnan(hit_rate(np.ones(2), never))
    assert math.isnan(false_alarm_ratio(np.zeros(2), never))
    assert math.isnan(skill(0.0, 0.0))
    assert math.isnan(skill(1.0, 0.0))
    assert math.isnan(skill(0.5, 0.9e-6, NOTHING_TO_WIN))


def test_skill() -> None:
    """Half the loss is one half; the reference against itself is 0; twice its loss is −1."""
    assert skill(2e-6, 1e-6, NOTHING_TO_WIN) == -1.0
    assert (skill(1.0, 2.0), skill(2.0, 2.0), skill(4.0, 2.0), skill(0.0, 2.0)) == (0.5, 0.0, -1.0, 1.0)


@pytest.mark.parametrize("y", [0.0, 0.3, -1.0, 2.5])
def test_crps_with_many_levels_is_that_of_the_normal(y: float) -> None:
    """At 0 the closed form is (√2 − 1)/√π = 0.23369…; 1,999 levels meet it to 0.1 %."""
    assert crps_of_normal(0.0) == pytest.approx(0.23369497725510913)
    levels = np.arange(1, 2000) / 2000
    assert crps_quantiles(normal_quantiles(levels)[None], levels, np.array([y]))[0] == pytest.approx(crps_of_normal(y), rel=1e-3)


def test_crps_is_the_integral_over_the_distribution() -> None:
    """∫ (F(x) − 1{x ≥ y})² dx, summed over a fine grid for a skewed distribution (exponential), equals the score by quantiles."""
    levels = np.arange(1, 4000) / 4000
    x = np.linspace(0.0, 40.0, 400_001)
    for y in (0.1, 1.0, 4.0):
        integral = float((((1 - np.exp(-x)) - (x >= y)) ** 2).sum() * (x[1] - x[0]))
        assert crps_quantiles(-np.log1p(-levels)[None], levels, np.array([y]))[0] == pytest.approx(integral, rel=2e-3)


def test_crps_with_our_levels() -> None:
    """0.05 … 0.95: within 2.5 % of the closed form at any y up to 5 σ, and 1.5 % above its mean, 1/√π, as the docstring says."""
    levels = np.array(LEVELS)
    at = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0])
    said = np.repeat(normal_quantiles(levels)[None], len(at), axis=0)
    assert crps_quantiles(said, levels, at) == pytest.approx([crps_of_normal(y) for y in at], rel=0.025)
    truths = np.array([NORMAL.inv_cdf(p) for p in (np.arange(20_000) + 0.5) / 20_000])
    mean = crps_quantiles(np.repeat(normal_quantiles(levels)[None], len(truths), axis=0), levels, truths).mean()
    assert mean == pytest.approx(1.015 / math.sqrt(math.pi), rel=1e-3)


@given(st.floats(-50, 50), st.floats(-50, 50), st.integers(1, 30))
def test_crps_of_a_value_is_its_absolute_error(value: float, truth: float, n: int) -> None:
    """Where all quantiles agree nothing is left but the error, however many levels there are."""
    levels = np.arange(1, n + 1) / (n + 1)
    assert crps_quantiles(np.full((1, n), value), levels, np.array([truth]))[0] == pytest.approx(abs(value - truth), abs=1e-9)


@given(PS, PS)
def test_no_hedged_probability_beats_the_true_one(true: float, said: float) -> None:
    """Brier is proper: expected over the event, the true p loses least."""

    def expected(p: float) -> float:
        return true * brier(np.array([p]), np.array([True])) + (1 - true) * brier(np.array([p]), np.array([False]))

    assert expected(true) <= expected(said) + 1e-12


@given(ODDS, arrays(np.float64, len(LEVELS), elements=st.floats(0, 6)))
def test_no_other_quantiles_beat_the_true_ones(odds: list[float], said: Floats) -> None:
    """The score by quantiles is proper: expected over a truth of 0, 1, 2 … with any odds, its own quantiles lose least."""
    values, share, levels = np.arange(float(len(odds))), np.array(odds) / sum(odds), np.array(LEVELS)
    own = values[np.minimum(np.searchsorted(np.cumsum(share), levels), len(values) - 1)]

    def expected(quantiles: Floats) -> float:
        return float(share @ crps_quantiles(np.repeat(quantiles[None], len(values), axis=0), levels, values))

    assert expected(own) <= expected(np.sort(said)) + 1e-9


@given(arrays(np.float64, 5, elements=st.floats(0, 30)), arrays(np.float64, 5, elements=st.floats(0, 30)), st.permutations(range(5)))
def test_order_of_rows_changes_nothing(forecast: Floats, truth: Floats, order: list[int]) -> None:
    """Scores are means over rows."""
    for measure in (rmse, bias, within_30pct):
        assert measure(forecast[order], truth[order]) == pytest.approx(measure(forecast, truth), abs=1e-12)


def test_quantiles_that_fit_no_truth_or_level_are_refused() -> None:
    """The error names the shapes, or the levels, and the way out."""
    with pytest.raises(ConfigError, match=r"\(2, 3\).*one row per truth, one column per level"):
        crps_quantiles(np.zeros((2, 3)), np.array([0.25, 0.75]), np.zeros(2))
    for levels in ([0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [0.75, 0.25]):
        with pytest.raises(ConfigError, match="must rise between 0 and 1: sort them"):
            crps_quantiles(np.zeros((2, 2)), np.array(levels), np.zeros(2))
