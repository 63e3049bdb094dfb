"""The salinity scale: equal room for each band, monotone, clamped with a mark."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.charts.scale import BANDS, FARTHER, TICKS, TOP, is_beyond, position, ticks_for
from core.bands import band


@given(st.floats(-100, 100), st.floats(-100, 100))
def test_monotone(a: float, b: float) -> None:
    """Law: the saltier of two never stands lower, and inside the scale stands higher."""
    low, high = sorted((a, b))
    assert 0 <= position(low) <= position(high) <= 1
    if low >= 0 and high <= TOP and high - low > 1e-9:
        assert position(low) < position(high)


@given(st.floats(0, TOP, exclude_max=True))
def test_a_value_stands_in_its_band(value: float) -> None:
    """Law: a value's place lies within the fifth of its band, so colour and height never disagree."""
    assert math.floor(position(value) * BANDS + 1e-9) in (band(value), band(value) + 1)
    assert band(value) / BANDS - 1e-12 <= position(value) <= (band(value) + 1) / BANDS + 1e-12


def test_each_band_has_equal_room() -> None:
    """0, 0.5, 1, 2, 4 and 8 g/L are a fifth apart."""
    assert [position(tick) for tick in TICKS] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


@pytest.mark.parametrize(("value", "place", "beyond"), [(8.0, 1, False), (8.1, 1, True), (40, 1, True), (-1, 0, False), (math.inf, 1, True)])
def test_what_is_off_the_scale(value: float, place: float, beyond: bool) -> None:
    """What is saltier than 8 stands at the end and is marked; less than nothing is nothing."""
    assert position(value) == place
    assert is_beyond(value) == beyond


@given(st.lists(st.floats(-5, 200) | st.just(math.nan), max_size=5))
def test_it_grows_with_what_is_shown(values: list[float]) -> None:
    """Law: it holds every value up to where scales end, in steps of equal room, and is no longer than that needs."""
    ticks = ticks_for(values)
    assert ticks[: len(TICKS)] == TICKS
    assert [position(tick, ticks) for tick in ticks] == pytest.approx([i / (len(ticks) - 1) for i in range(len(ticks))])
    assert all(is_beyond(v, ticks) == (v > FARTHER[-1]) for v in values if not math.isnan(v))
    assert len(ticks) == len(TICKS) or any(is_beyond(v, ticks[:-1]) for v in values)


def test_no_number_has_no_place() -> None:
    """NaN is given back, so that nobody draws it by mistake at an end."""
    assert math.isnan(position(math.nan))
