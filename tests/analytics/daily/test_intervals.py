"""Intervals of single scores: their value is the score's own, they hold what they should, and are unknown where nothing can be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.daily.compare import against
from analytics.daily.intervals import less_rmse_interval, nse_interval, rmse_interval, share_interval
from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Daily, Floats, Pairs
from analytics.daily.scores import nse, rmse
from analytics.daily.skill import Blocks, Interval

DAYS = np.arange(150)


def made(seed: int, n: int = len(DAYS)) -> tuple[Floats, Floats]:
    """A truth, and a forecast that is off by noise."""
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.normal(0, 0.3, n)) + 5
    return truth + rng.normal(0, 0.5, n), truth


@given(st.integers(0, 2**32))
def test_values_are_the_scores(seed: int) -> None:
    """The middle of each interval is what `scores` says, and lies between its ends."""
    forecast, truth = made(seed)
    blocks = Blocks.of(DAYS)
    for interval, value in (
        (rmse_interval(forecast, truth, blocks), rmse(forecast, truth)),
        (nse_interval(forecast, truth, blocks), nse(forecast, truth)),
        (share_interval(forecast > truth, blocks), float((forecast > truth).mean())),
    ):
        assert interval.value == pytest.approx(value)
        assert interval.lo <= interval.hi
    assert rmse_interval(forecast, truth, blocks).lo <= rmse(forecast, truth) <= rmse_interval(forecast, truth, blocks).hi


def test_ends_are_those_of_whole_blocks() -> None:
    """Two kinds of block, errors of 1 and of 3: every resampled RMSE lies between, and the ends are of resamples."""
    error = np.where(DAYS // 15 % 2 == 0, 1.0, 3.0)
    found = rmse_interval(error, np.zeros(len(DAYS)), Blocks.of(DAYS))
    assert found.value == pytest.approx(math.sqrt(5))
    possible = {round(math.sqrt((k * 1 + (10 - k) * 9) / 10), 9) for k in range(11)}
    assert {round(found.lo, 9), round(found.hi, 9)} <= possible
    assert found.lo < found.value < found.hi


def test_a_share_that_always_holds_is_sure() -> None:
    """All of them: 1 from 1 to 1."""
    assert share_interval(np.ones(150, dtype=bool), Blocks.of(DAYS)) == Interval(value=1.0, lo=1.0, hi=1.0)


def test_nothing_is_told_of_what_does_not_vary() -> None:
    """NSE of a constant, errors beside none, no rows, too few blocks: no number, and no ends."""
    flat, few = np.full(150, 2.0), Blocks.of(np.arange(30))
    for found in (
        nse_interval(flat + 0.1, flat, Blocks.of(DAYS)),
        less_rmse_interval(np.ones(150), np.zeros(150), Blocks.of(DAYS)),
        rmse_interval(np.empty(0), np.empty(0), Blocks.of(np.empty(0, dtype=np.int64))),
        share_interval(np.empty(0, dtype=bool), Blocks.of(np.empty(0, dtype=np.int64))),
    ):
        assert all(math.isnan(x) for x in (found.value, found.lo, found.hi))
    forecast, truth = made(0, 30)
    short = rmse_interval(forecast, truth, few)
    assert short.value == rmse(forecast, truth)
    assert math.isnan(short.lo)
    assert math.isnan(short.hi)


def test_less_error_than_a_reference() -> None:
    """Half the error is 50 % less, in every resample."""
    _, truth = made(3)
    found = less_rmse_interval((0.5 * truth) ** 2, truth**2, Blocks.of(DAYS))
    assert (found.value, found.lo, found.hi) == pytest.approx((0.5, 0.5, 0.5))


# ------------------------------------------------------------ one model beside another


def panel() -> Daily:
    values = np.random.default_rng(1).gamma(2, 1, (160, 2))
    same = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), values)
    days = np.arange("2022-01-01", "2022-06-10", dtype="datetime64[D]")
    return Daily(zone="UTC", days=days, stations=("a", "b"), drivers={}, **same)


def saying(daily: Daily, pairs: Pairs, off: float) -> Said:
    """What will come, and `off` beside it."""
    point = pairs.truth(daily) + off
    p = np.clip((pairs.truth(daily) > 1.0) + np.where(pairs.truth(daily) > 1.0, -off, off), 0, 1)
    return Said(point=point, quantiles=np.repeat(point[:, None], len(LEVELS), axis=1), p_gt=p[:, None])


def test_another_model_is_met_on_the_rows_both_speak_of() -> None:
    """Half the error of the other: skill .75 of squares and of Brier, .5 of CRPS; only shared rows count, whatever their order."""
    daily = panel()
    pairs = Pairs.of(daily, 3)
    mine, theirs = pairs.where(pairs.day >= 20), pairs.where(pairs.day < 120)
    turned = Pairs(day=theirs.day[::-1], station=theirs.station[::-1], lead=3)
    found = against(daily, (mine, saying(daily, mine, 0.1)), (turned, saying(daily, turned, 0.2)), (1.0,))
    assert [(one.measure, one.threshold, one.n) for one in found] == [("value", None, 200), ("distribution", None, 200), ("chance", 1.0, 200)]
    assert [one.skill.value for one in found] == pytest.approx([0.75, 0.5, 0.75])
    assert [one.loss for one in found] == pytest.approx([0.04, 0.2, 0.04])
    early, late = pairs.where(pairs.day < 20), pairs.where(pairs.day >= 20)
    assert against(daily, (early, saying(daily, early, 0.1)), (late, saying(daily, late, 0.2)), (1.0,)) == []
