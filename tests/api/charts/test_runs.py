"""Runs and holes: what may be joined to a line, and what thinning must keep."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from api.web.charts.runs import runs, thin

MIN = 60_000
HOUR = 60 * MIN


def series(count: int, step: int = 15 * MIN) -> tuple[list[int], list[float], list[int]]:
    return [i * step for i in range(count)], [1.0] * count, [1] * count


def test_a_whole_series_is_one_run() -> None:
    """No hole where readings come as usual."""
    found = runs(*series(97), start=0, end=24 * HOUR)
    assert len(found.lines) == 1
    assert found.holes == ()
    assert found.last == (24 * HOUR, 1.0)


def test_silence_is_a_hole() -> None:
    """A gap within, at the start or at the end is a hole and is not joined."""
    times, values, flags = series(97)
    found = runs(times[20:40] + times[60:80], values[:40], flags[:40], start=0, end=24 * HOUR)
    assert [len(line) for line in found.lines] == [20, 20]
    assert found.holes == ((0, times[20]), (times[39], times[60]), (times[79], 24 * HOUR))


def test_bad_values_are_not_known() -> None:
    """Suspect and failed values are kept aside, are never joined, and their stretch is a hole."""
    times, values, flags = series(97)
    flags[40:60] = [3] * 10 + [4] * 10
    found = runs(times, values, flags, start=0, end=24 * HOUR)
    assert len(found.bad) == 20
    assert found.holes == ((times[39], times[60]),)


def test_two_hourly_data_have_no_holes() -> None:
    """What a hole is follows the series' own interval."""
    assert runs(*series(13, 2 * HOUR), start=0, end=24 * HOUR).holes == ()


def test_unknown_from_ends_the_line() -> None:
    """Nothing is drawn as known after that."""
    found = runs(*series(97), start=0, end=24 * HOUR, unknown_from=20 * HOUR)
    assert found.holes == ((20 * HOUR, 24 * HOUR),)
    assert found.last == (20 * HOUR, 1.0)


def test_nothing_known() -> None:
    """Empty, all failed, missing or no numbers: one hole, no line."""
    for times, values, flags in (([], [], []), ([HOUR], [1.0], [4]), ([HOUR], [math.nan], [1]), ([HOUR], [1.0], [9])):
        found = runs(times, values, flags, start=0, end=24 * HOUR)
        assert found.lines == ()
        assert found.holes == ((0, 24 * HOUR),)
        assert found.last is None


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 100)), unique_by=lambda p: p[0]), st.floats(0.5, 5))
def test_thinning_keeps_extremes_and_ends(points: list[tuple[float, float]], width: float) -> None:
    """Law: first, last, highest and lowest stay; what stays is in order; there are at most 4 points more than 2 a column."""
    points = sorted(points)
    kept = thin(points, width)
    assert [p for p in points if p in kept] == kept
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert min(y for _, y in kept) == min(y for _, y in points)
        assert max(y for _, y in kept) == max(y for _, y in points)
        assert len(kept) <= 2 * (300 / width + 1) + 4
