"""Reading a forecast at any limit: stated where it is stated, between that straight, and never lower than it may be."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bands import LINES, band, level
from core.forecast import MEDIAN, QUANTILES, Forecast

PLAIN = Forecast(
    org="o",
    station="s",
    point="main",
    target="hour",
    model="m",
    version="1",
    issued_at=0,
    data_until=0,
    inputs="",
    leads=(1,),
    times=(0,),
    quantiles=((0.2, 0.4, 0.6, 0.8, 1.5),),
    p_gt=((0.6, 0.15, 0.02, 0.01),),
)

rising = st.lists(st.floats(0, 30), min_size=5, max_size=5).map(lambda x: (tuple(sorted(x)),))
falling = st.lists(st.floats(0, 1), min_size=4, max_size=4).map(lambda p: (tuple(sorted(p, reverse=True)),))
forecasts = st.builds(lambda q, p: replace(PLAIN, quantiles=q, p_gt=p), rising, falling)


def test_bands_and_levels() -> None:
    """A boundary takes the saltier band; the level of a line is the band that begins there."""
    assert [band(v) for v in (0.0, 0.49, 0.5, 0.99, 1.0, 1.99, 2.0, 3.99, 4.0, 40.0)] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [level(line) for line in LINES] == [1, 2, 3, 4]
    assert QUANTILES[MEDIAN] == 0.5


@given(f=forecasts)
def test_a_line_gives_what_is_stated(f: Forecast) -> None:
    """At 0.5, 1, 2 and 4 g/L the probability is the stated one, to the bit."""
    assert tuple(f.exceedance(0, line) for line in LINES) == f.p_gt[0]


def test_between_it_is_straight() -> None:
    """Half-way between two neighbouring points, half-way between their probabilities."""
    assert PLAIN.exceedance(0, 0.7) == pytest.approx((0.5 + 0.25) / 2)  # between the quantiles .5 at 0.6 and .75 at 0.8
    assert PLAIN.exceedance(0, 0.1) == pytest.approx((1.0 + 0.95) / 2)  # between nothing at 0 and .05 at 0.2
    assert PLAIN.exceedance(0, 3.0) == pytest.approx((0.02 + 0.01) / 2)  # between 2 and 4 g/L


def test_beyond_the_highest_it_stays_too_high_rather_than_too_low() -> None:
    """Nothing is stated over 4 g/L here: its probability stands."""
    assert PLAIN.exceedance(0, 30.0) == 0.01


@given(f=forecasts, limit=st.floats(1e-6, 60))
def test_it_is_a_probability(f: Forecast, limit: float) -> None:
    """0 ≤ p ≤ 1 at every limit."""
    assert 0.0 <= f.exceedance(0, limit) <= 1.0


@given(f=forecasts, a=st.floats(1e-6, 60), b=st.floats(1e-6, 60))
def test_between_the_lines_it_falls(f: Forecast, a: float, b: float) -> None:
    """A higher limit is passed no more often, between any two neighbouring lines."""
    low, high = sorted((a, b))
    if band(low) == band(high) and low not in LINES:
        assert f.exceedance(0, low) >= f.exceedance(0, high)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, 1.1])
def test_what_is_no_probability_gives_none(bad: float) -> None:
    """A forecast that is not sound says NaN, from which no verdict is made."""
    assert math.isnan(replace(PLAIN, p_gt=((0.6, bad, 0.02, 0.01),)).exceedance(0, 0.7))
    if not 0 <= bad <= 30:
        broken = replace(PLAIN, quantiles=((0.2, 0.4, 0.6, 0.8, math.nan),))
        assert math.isnan(broken.exceedance(0, 1.0))
