"""From readings to hours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.history import MINUTE_MS, History
from analytics.hourly.histories import hourly_of
from core.errors import ConfigError
from core.forecast import HOUR_MS

AT = 1_772_316_000_000 + 10 * HOUR_MS
ZONE = "Asia/Ho_Chi_Minh"


def history(minutes: list[int], values: list[float], zone: str = ZONE) -> History:
    """Readings at minutes from AT on."""
    return History(station="kl", point="main", zone=zone, time=AT + np.array(minutes, dtype=np.int64) * MINUTE_MS, value=np.array(values))


def test_hours_of_the_clock() -> None:
    """`value` is the highest of the hour, `begun` its first reading; of the hour that holds the issue only the highest so far, as `begun`."""
    found = hourly_of([history([-120, -90, -75, 0, 15, 29, 30], [1.0, 3.0, 2.0, 0.4, 0.9, 0.5, 7.0])], AT + 30 * MINUTE_MS, hours=4)
    assert found.start == AT - 3 * HOUR_MS
    assert found.stations == ("kl/main",)
    assert found.times.tolist() == [AT - 3 * HOUR_MS, AT - 2 * HOUR_MS, AT - HOUR_MS, AT]
    assert np.array_equal(found.value[:, 0], [np.nan, 3.0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(found.begun[:, 0], [np.nan, 1.0, np.nan, 0.9], equal_nan=True)


def test_below_zero_is_fresh() -> None:
    """A sensor's −0.1 g/L is 0."""
    found = hourly_of([history([-60, -30, 1], [-0.1, -0.2, -0.1])], AT + 2 * MINUTE_MS, hours=2)
    assert (found.value[0, 0], found.begun[0, 0], found.begun[1, 0]) == (0.0, 0.0, 0.0)


@given(
    minutes=st.lists(st.integers(-600, 300), max_size=40, unique=True).map(sorted),
    since=st.integers(0, 59),
    seed=st.integers(0, 1000),
)
def test_nothing_from_the_issue_on_is_looked_at(minutes: list[int], since: int, seed: int) -> None:
    """Whatever is read at or after the issue, the hours are the same."""
    at = AT + since * MINUTE_MS
    whole = history(minutes, np.random.default_rng(seed).uniform(0, 9, len(minutes)).tolist())
    one, other = (hourly_of([h], at, hours=8) for h in (whole, whole.between(0, at)))
    assert one.value.tobytes() == other.value.tobytes()
    assert one.begun.tobytes() == other.begun.tobytes()


def test_one_zone() -> None:
    """Points of two zones, or none at all: it says so."""
    for histories in ([], [history([], []), history([], [], "Asia/Jakarta")]):
        with pytest.raises(ConfigError, match="one time zone"):
            hourly_of(histories, AT, hours=3)
