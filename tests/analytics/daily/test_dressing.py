"""From a rule's past errors to quantiles and chances, in the scale that fits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.daily.dressing import BENDS, LEAST, SIZES, dressing, scale_of
from analytics.daily.model import LEVELS

LINES = (0.5, 1.0, 4.0)


def test_nineteen_errors_are_the_nineteen_quantiles() -> None:
    """Below 0 the scale is straight: with errors −9 … 9 the quantiles of a value are it −9 … +9, and half a step over it 47.5 % are left."""
    said = np.linspace(-300.0, -100.0, 19)
    dressed = dressing(said, said + np.random.default_rng(1).permutation(np.arange(-9.0, 10.0)))
    assert dressed is not None
    found = dressed.say(np.array([-20.0, np.nan]), [-19.5, 4000.0])
    assert found.point[0] == -20.0
    assert found.quantiles[0] == pytest.approx(-20 + np.arange(-9.0, 10.0))
    assert found.p_gt[0] == pytest.approx([0.475, 0.5 / 20])
    assert np.isnan(found.point[1])
    assert np.isnan(found.quantiles[1]).all()
    assert np.isnan(found.p_gt[1]).all()


def test_errors_that_grow_with_the_value_bend_the_scale() -> None:
    """Errors in per cent: a bent scale with a small unit. Errors alike at any value: a straight one. Values below 0: straight, without a floor."""
    rng = np.random.default_rng(2)
    said = np.exp(rng.normal(1, 1.5, 2000))
    per_cent = scale_of(said, said * rng.lognormal(0, 0.3, 2000))
    assert per_cent.curved
    assert per_cent.unit < np.median(said) / 5
    miles = rng.uniform(55, 90, 2000)
    assert not scale_of(miles, miles + rng.laplace(0, 3, 2000)).curved
    level = rng.normal(0, 80, 2000)
    assert scale_of(level, level + 1).floor == -np.inf


def test_a_sensor_a_little_below_zero_measures_a_concentration() -> None:
    """7 % of days at −0.01 of values of some 1: the scale of 7 % at 0, and no quantile below it. The same at −0.5 is an elevation."""
    rng = np.random.default_rng(3)
    came = np.exp(rng.normal(-0.5, 1.0, 2000))
    fresh = rng.random(2000) < 0.07
    at_zero, below, far = (scale_of(np.roll(came, 1), np.where(fresh, value, came)) for value in (0.0, -0.01, -0.5))
    assert below == at_zero
    assert below.floor == 0
    assert far.floor == -np.inf


@given(values=st.lists(st.floats(0, 50), min_size=30, max_size=200), k=st.sampled_from([1e-3, 0.37, 1000.0]), value=st.floats(0, 60))
def test_the_unit_plays_no_part(values: list[float], k: float, value: float) -> None:
    """What is said of k times the data is k times what is said of the data; the chances are the same."""
    series = np.array(values)
    one, other = dressing(series[:-1], series[1:]), dressing(k * series[:-1], k * series[1:])
    assert one is not None
    assert other is not None
    if one.scale.curved != other.scale.curved or not np.isclose(other.scale.unit, k * one.scale.unit):
        return  # two scales were equally good
    lines = np.array([0.513, 1.017, 3.99])
    there, here = other.say(np.array([k * value]), (k * lines).tolist()), one.say(np.array([value]), lines.tolist())
    assert there.quantiles == pytest.approx(k * here.quantiles, rel=1e-6, abs=1e-6 * k)
    assert there.p_gt == pytest.approx(here.p_gt, abs=1e-3)


def test_each_size_has_its_own_errors() -> None:
    """Fresh water that stays fresh keeps a narrow interval beside salt water that does not; at most so many sizes, each of enough errors."""
    rng = np.random.default_rng(4)
    said = np.concatenate((np.zeros(300), rng.uniform(4, 8, 300)))
    dressed = dressing(said, np.concatenate((rng.uniform(0, 0.02, 300), rng.uniform(1, 12, 300))))
    assert dressed is not None
    assert 2 <= len(dressed.curves) <= SIZES
    assert all(len(c.error) >= LEAST for c in dressed.curves)
    fresh, salt = dressed.say(np.array([0.0, 6.0]), [1.0]).quantiles
    assert fresh[-1] < 0.03
    assert salt[-1] - salt[0] > 5


@st.composite
def records(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """What a rule said and what came, of two waters of unlike size and unlike errors; some of them whole numbers of tenths, so that many are alike."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    said = np.concatenate((rng.exponential(draw(st.sampled_from([0.05, 1.0])), 200), rng.uniform(2, draw(st.sampled_from([4, 30])), 300)))
    came = np.maximum(said + rng.normal(0, 0.05 + draw(st.sampled_from([0.0, 0.3, 1.0])) * said), 0.0)
    return (said.round(1), came.round(1)) if draw(st.booleans()) else (said, came)


@given(record=records(), value=st.floats(0, 40))
@settings(max_examples=40, deadline=None)
def test_a_little_more_is_said_of_as_a_little_less(record: tuple[np.ndarray, np.ndarray], value: float) -> None:
    """No value is an edge: a thousandth of a g/L moves no quantile and no expected value by more than 40 times as much."""
    dressed = dressing(*record)
    assert dressed is not None
    values = np.concatenate((value + np.array([0.0, 0.001]), *(dressed.scale.back(dressed.centres) + x for x in (-0.0005, 0.0005))))
    said = dressed.say(values, LINES)
    quantiles = np.column_stack((said.quantiles, dressed.mean(values)))
    n = len(dressed.centres)
    assert np.abs(quantiles[1] - quantiles[0]).max() < 0.04
    assert np.abs(quantiles[2 + n :] - quantiles[2 : 2 + n]).max() < 0.04


@given(record=records(), values=st.lists(st.floats(0, 40), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_chances_are_those_of_the_quantiles(record: tuple[np.ndarray, np.ndarray], values: list[float]) -> None:
    """Quantiles rise, chances fall with the line; what is over a quantile is one less its level."""
    dressed = dressing(*record)
    assert dressed is not None
    for row in dressed.say(np.array(values), []).quantiles:
        assert (np.diff(row) >= 0).all()
    for value in values:
        quantiles = dressed.say(np.array([value]), []).quantiles[0]
        under, over = (dressed.say(np.array([value]), (quantiles + side * 1e-6).tolist()).p_gt[0] for side in (-1, 1))
        assert (np.diff(under) <= 0).all()
        assert ((under > 0) & (under < 1)).all()
        above_zero = quantiles > 2e-6
        assert (under >= 1 - np.array(LEVELS) - 1e-4)[above_zero].all()
        assert (over <= 1 - np.array(LEVELS) + 1e-4).all()


def test_the_expected_value_is_not_the_middle() -> None:
    """Of errors that are lognormal with s = 0.8 the mean is exp(s²/2) = 1.38 times the value (to 5 %), the middle is the value."""
    rng = np.random.default_rng(5)
    said = np.exp(rng.normal(3, 1, 4000))
    dressed = dressing(said, said * rng.lognormal(0, 0.8, 4000))
    assert dressed is not None
    values = np.array([5.0, 20.0, 60.0, np.nan])
    assert dressed.mean(values)[:3] == pytest.approx(values[:3] * np.exp(0.32), rel=0.08)
    assert dressed.say(values, []).quantiles[:3, LEVELS.index(0.5)] == pytest.approx(values[:3], rel=0.08)
    assert np.isnan(dressed.mean(values)[3])


def test_too_few_errors_are_none() -> None:
    """Four pairs that both are known do not make a distribution."""
    said = np.array([1.0, 2.0, np.nan, 3.0, 4.0, 5.0])
    assert dressing(said, np.array([1.0, 2.0, 3.0, np.nan, 4.0, 5.0])) is None
    assert dressing(said, np.array([1.0, 2.0, 3.0, 3.0, 4.0, 5.0])) is not None


def test_the_sharpest_bend_may_be_left_out() -> None:
    """Errors that grow from next to nothing on choose it; where it is not offered, the next one."""
    draw = np.random.default_rng(8)
    said = 10 ** draw.uniform(-2.5, 1, 4000)
    came = said * draw.lognormal(0, 0.2, len(said))
    size = float(np.quantile(came, 0.9))
    assert scale_of(said, came).unit == pytest.approx(0.01 * size)
    assert scale_of(said, came, BENDS[1:]).unit == pytest.approx(0.03 * size)
