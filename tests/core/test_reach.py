"""How far the salt reaches."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reach import Reach, StationMax, reach


def along(*pairs: tuple[float, float | None]) -> list[StationMax]:
    """Stations by km and maximum."""
    return [StationMax(station=f"s{km:g}", km=km, value=value) for km, value in pairs]


def test_a_line_is_log_linear_between_its_neighbours() -> None:
    """8 g/L at km 20 and 2 g/L at km 40: 4 g/L lies in the middle, 1 g/L is not yet passed."""
    assert reach(along((20, 8.0), (40, 2.0)), 4.0) == Reach(line=4.0, side="at", km=30.0)


def test_beyond_the_last_good_station_nothing_is_extrapolated() -> None:
    """Over it or under it, and where that station is."""
    assert reach(along((20, 8.0), (40, 2.0)), 1.0) == Reach(line=1.0, side="over", km=40)
    assert reach(along((20, 0.8), (40, 0.2)), 1.0) == Reach(line=1.0, side="under", km=20)


def test_across_a_silent_station_it_is_hatched() -> None:
    """Interpolated between the good ones, and said to be so; a silent one elsewhere changes nothing."""
    assert reach(along((20, 8.0), (25, None), (40, 2.0)), 4.0) == Reach(line=4.0, side="at", km=30.0, hatched=True)
    assert reach(along((10, None), (20, 8.0), (40, 2.0)), 4.0) == Reach(line=4.0, side="at", km=30.0)
    assert reach(along((20, 8.0), (40, None)), 4.0) == Reach(line=4.0, side="over", km=20, hatched=True)


@pytest.mark.parametrize("stations", [[], along((20, None)), along((20, math.nan))])
def test_without_a_good_station_the_line_is_unknown(stations: list[StationMax]) -> None:
    """Never a number out of nothing."""
    assert reach(stations, 1.0) == Reach(line=1.0, side="unknown", km=None)


def test_of_several_crossings_the_furthest_counts() -> None:
    """A patch of fresh water nearer the sea does not hide the salt beyond it."""
    assert reach(along((10, 8.0), (20, 0.5), (30, 4.0), (40, 1.0)), 2.0).km == pytest.approx(35.0)


def test_a_reading_of_nothing_has_a_place_too() -> None:
    """0 g/L has no logarithm; it counts as 0.01."""
    assert reach(along((10, 1.0), (20, 0.0)), 0.1).km == pytest.approx(15.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(0, 40)), max_size=8), st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_a_saltier_line_never_stands_further_inland(pairs: list[tuple[float, float | None]], line: float) -> None:
    """The 2·line stands at or seaward of the line."""
    stations = along(*pairs)
    here, salty = reach(stations, line), reach(stations, 2 * line)
    if here.km is not None and salty.km is not None and salty.side != "under":
        assert here.side != "under"
        assert salty.km <= here.km + 1e-9
