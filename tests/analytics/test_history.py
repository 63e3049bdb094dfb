"""Highest and lowest over stretches, and local days."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.history import DAY_MS, LONGEST_GAP_MS, History, hour_maxima, local_date, local_times, stretches
from core.forecast import HOUR_MS
from core.instant import parse_rfc3339

MINUTE = 60_000


def history(rows: dict[int, float]) -> History:
    times = sorted(rows)
    return History(
        station="s", point="main", zone="Asia/Ho_Chi_Minh", time=np.array(times, dtype=np.int64), value=np.array([rows[t] for t in times], dtype=np.float64)
    )


@given(
    rows=st.dictionaries(st.integers(0, 3000), st.floats(0, 40), max_size=60),
    bounds=st.lists(st.tuples(st.integers(-200, 3200), st.integers(0, 900)), min_size=1, max_size=20),
)
def test_stretches_are_what_they_say(rows: dict[int, float], bounds: list[tuple[int, int]]) -> None:
    """High, low and `whole` of each stretch, overlapping or empty ones too, are those of a plain loop over its readings."""
    h = history({t * MINUTE: v for t, v in rows.items()})
    found = stretches(h, np.array([a * MINUTE for a, _ in bounds]), np.array([(a + n) * MINUTE for a, n in bounds]))
    for i, (a, n) in enumerate(bounds):
        inside = sorted(t for t in rows if a <= t < a + n)
        if not inside:
            assert np.isnan(found.high[i])
            assert np.isnan(found.low[i])
            assert not found.whole[i]
            continue
        assert found.high[i] == max(rows[t] for t in inside)
        assert found.low[i] == min(rows[t] for t in inside)
        edges = [a, *inside, a + n]
        assert found.whole[i] == all((y - x) * MINUTE <= LONGEST_GAP_MS for x, y in pairwise(edges))


def test_an_hour_begins_with_its_first_and_ends_before_the_next() -> None:
    """A reading on the hour belongs to the hour that begins then."""
    h = history({10 * HOUR_MS: 1.0, 10 * HOUR_MS + 59 * MINUTE: 3.0, 11 * HOUR_MS: 9.0})
    assert hour_maxima(h, np.array([9, 10, 11, 12]) * HOUR_MS).tolist()[1:3] == [3.0, 9.0]
    assert np.isnan(hour_maxima(h, np.array([9, 12]) * HOUR_MS)).all()


def test_days_are_local() -> None:
    """05:00 in Vietnam is 22:00 UTC of the day before; the local day of 18:00 UTC is the next one."""
    assert local_times("Asia/Ho_Chi_Minh", date(2026, 3, 2), 2, hour=5).tolist() == [
        parse_rfc3339("2026-03-01T22:00:00Z"),
        parse_rfc3339("2026-03-02T22:00:00Z"),
    ]
    evening = parse_rfc3339("2026-03-01T18:00:00Z")
    assert evening is not None
    assert local_date(evening, "Asia/Ho_Chi_Minh") == date(2026, 3, 2)


def test_a_day_with_a_change_of_the_clock_is_shorter() -> None:
    """Where there is summer time, a day may have 23 hours, and 05:00 stays 05:00."""
    days = local_times("Europe/Amsterdam", date(2026, 3, 28), 3)
    assert np.diff(days).tolist() == [DAY_MS, 23 * HOUR_MS]
    assert np.diff(local_times("Europe/Amsterdam", date(2026, 3, 28), 2, hour=5)).tolist() == [23 * HOUR_MS]
