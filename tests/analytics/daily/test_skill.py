"""Intervals by blocks of time: what is drawn, what it yields, when it is not known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.daily.skill import BLOCK_DAYS, MIN_BLOCKS, RESAMPLES, Blocks, difference, skill_interval
from core.errors import ConfigError

DAYS = np.repeat(np.arange(150), 3)  # three stations each day


def losses(seed: int, n: int = len(DAYS)) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, n)


def test_a_block_is_15_days_of_all_stations() -> None:
    """Rows of the same 15 days stand in one block, whatever the station; 150 days are ten blocks, of which ten are drawn 1,000 times."""
    blocks = Blocks.of(DAYS)
    assert (BLOCK_DAYS, RESAMPLES) == (15, 1000)
    assert np.array_equal(blocks.block, DAYS // 15)
    assert blocks.drawn.shape == (1000, 10)
    assert (blocks.drawn.sum(axis=1) == 10).all()


def test_days_without_rows_are_no_blocks() -> None:
    """Between two dry seasons nothing is drawn: an empty block would only widen the interval of a sum, and a resample of them would be nothing at all."""
    day = np.concatenate((np.arange(60), np.arange(365, 425)))
    assert Blocks.of(day).n == 9  # four of the first; 365 = 24 · 15 + 5, so the second season touches five
    assert (Blocks.of(day).sums(np.ones(120)) > 0).all()


def test_a_block_is_drawn_whole() -> None:
    """Every resampled sum is a whole number of times the 45 rows of a block."""
    assert (Blocks.of(DAYS).sums(np.ones(len(DAYS))) == 450).all()
    one = (DAYS // 15 == 3).astype(float)
    assert set((Blocks.of(DAYS).sums(one) % 45).tolist()) == {0.0}


@given(st.integers(-1000, 1000))
def test_a_shift_in_time_changes_nothing(shift: int) -> None:
    """Blocks are counted from the first day there is: the same draws, the same interval."""
    assert skill_interval(losses(1), losses(2), Blocks.of(DAYS + shift)) == skill_interval(losses(1), losses(2), Blocks.of(DAYS))


@given(st.integers(0, 2**32))
def test_order_of_rows_changes_nothing(seed: int) -> None:
    """But for rounding: the same blocks hold the same rows."""
    order = np.random.default_rng(seed).permutation(len(DAYS))
    one, other = skill_interval(losses(1), losses(2), Blocks.of(DAYS)), skill_interval(losses(1)[order], losses(2)[order], Blocks.of(DAYS[order]))
    assert (other.value, other.lo, other.hi) == pytest.approx((one.value, one.lo, one.hi))


def test_a_forecast_against_itself_has_no_skill_and_no_doubt() -> None:
    """It is drawn together with its reference: 0, from 0 to 0, neither better nor worse."""
    for interval in (skill_interval(losses(1), losses(1), Blocks.of(DAYS)), difference(losses(1), losses(1), Blocks.of(DAYS))):
        assert (interval.value, interval.lo, interval.hi) == (0.0, 0.0, 0.0)
        assert not interval.significantly_worse()
        assert not interval.significantly_better()


def test_a_perfect_forecast_is_sure() -> None:
    """Skill 1 in every resample."""
    interval = skill_interval(np.zeros(len(DAYS)), losses(1), Blocks.of(DAYS))
    assert (interval.value, interval.lo, interval.hi) == (1.0, 1.0, 1.0)
    assert interval.significantly_better()


def test_worse_is_an_interval_wholly_below_zero() -> None:
    """Twice the loss is −1 in every resample; a loss that is only sometimes larger is worse, but not significantly."""
    twice = skill_interval(2 * losses(1), losses(1), Blocks.of(DAYS))
    assert (twice.value, twice.lo, twice.hi) == pytest.approx((-1.0, -1.0, -1.0))
    assert twice.significantly_worse()
    assert difference(2 * losses(1), losses(1), Blocks.of(DAYS)).significantly_worse()
    unsure = np.ones(150)
    unsure[:15] = 2.0
    unsure[15:30] = 0.5
    interval = skill_interval(unsure, np.ones(150), Blocks.of(np.arange(150)))
    assert interval.value == pytest.approx(-0.05)
    assert interval.lo < 0 < interval.hi
    assert not interval.significantly_worse()


def test_the_interval_is_that_of_the_mean_of_independent_blocks() -> None:
    """200 blocks of one row each: the ends lie 1.96 standard errors from the mean, within the noise of 1,000 draws."""
    gain = np.random.default_rng(5).normal(0.3, 1.0, 200)
    interval = difference(np.zeros(200), gain, Blocks.of(np.arange(200) * BLOCK_DAYS))
    reach = 1.96 * gain.std() / math.sqrt(200)
    assert (interval.lo, interval.hi) == pytest.approx((gain.mean() - reach, gain.mean() + reach), abs=0.15 * reach)


def test_days_that_go_together_widen_it() -> None:
    """Gains that are the same for a whole block are ten facts, not 150: the interval is far wider than that of single rows."""
    gain = np.repeat(np.random.default_rng(6).normal(0.0, 1.0, 10), 15)
    by_blocks = difference(np.zeros(150), gain, Blocks.of(np.arange(150)))
    as_if_single = difference(np.zeros(150), gain, Blocks.of(np.arange(150) * BLOCK_DAYS))
    assert by_blocks.hi - by_blocks.lo > 2.5 * (as_if_single.hi - as_if_single.lo)


def test_too_few_blocks_tell_nothing() -> None:
    """Under five blocks there is a value, no interval, and no judgement."""
    days = np.arange(BLOCK_DAYS * MIN_BLOCKS)
    assert math.isfinite(skill_interval(losses(1, len(days)), losses(2, len(days)), Blocks.of(days)).lo)
    interval = skill_interval(2 * losses(1, 60), losses(1, 60), Blocks.of(days[:60]))
    assert interval.value == pytest.approx(-1.0)
    assert math.isnan(interval.lo)
    assert math.isnan(interval.hi)
    assert not interval.significantly_worse()


def test_no_row_at_all() -> None:
    """No value and no interval, and no error."""
    none, blocks = np.empty(0), Blocks.of(np.empty(0, dtype=np.int64))
    for interval in (skill_interval(none, none, blocks), difference(none, none, blocks)):
        assert all(map(math.isnan, (interval.value, interval.lo, interval.hi)))


def test_a_reference_without_loss_bounds_nothing() -> None:
    """Where most blocks see the reference perfect and the forecast not, the lower end is −inf; where both are perfect it is 0."""
    reference, own = np.zeros(150), np.full(150, 0.1)
    reference[:15] = 1.0
    interval = skill_interval(own, reference, Blocks.of(np.arange(150)))
    assert interval.value == pytest.approx(0.0)
    assert interval.lo == -math.inf
    assert 0 < interval.hi < 1
    both = skill_interval(np.where(reference > 0, 0.5, 0.0), reference, Blocks.of(np.arange(150)))
    assert (both.value, both.lo, both.hi) == (0.5, 0.0, 0.5)


def test_nothing_to_win_from_a_reference_that_is_all_but_perfect() -> None:
    """Below `least` a row there is neither value nor interval; at it there are both; squared errors, in whatever unit, have no such size."""
    days, least = np.arange(150), 1e-6
    one = skill_interval(np.full(150, 3e-6), np.full(150, 1e-12), Blocks.of(days), least=least)
    assert all(map(math.isnan, (one.value, one.lo, one.hi)))
    assert not one.significantly_worse()
    assert skill_interval(np.full(150, 2e-6), np.full(150, 1.01e-6), Blocks.of(days), least=least).significantly_worse()
    assert skill_interval(np.full(150, 3e-12), np.full(150, 1e-12), Blocks.of(days)).value == pytest.approx(-2.0)


def test_a_resample_with_nothing_to_win_is_like_one_without_loss() -> None:
    """A reference that is not perfect but all but: the ends are those of one that is."""
    reference, own = np.full(150, 1e-12), np.full(150, 0.1)
    reference[:15] = 1.0
    interval = skill_interval(own, reference, Blocks.of(np.arange(150)), least=1e-6)
    assert interval.lo == -math.inf
    assert 0 < interval.hi < 1
    both = skill_interval(np.where(reference > 0.5, 0.5, 1e-9), reference, Blocks.of(np.arange(150)), least=1e-6)
    assert (both.lo, both.hi) == pytest.approx((0.0, 0.5))


def test_blocks_of_other_rows_are_refused() -> None:
    """A loss for each day the blocks were made of."""
    with pytest.raises(ConfigError, match="4 losses for 450 days: make the blocks from the days of the same rows"):
        Blocks.of(DAYS).sums(np.ones(4))
