"""The chance that the highest of some hours is over a limit: between the highest of their chances and that of independent hours."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.forecast import HOUR_MS, Forecast
from core.highest import SHARE, chance_of_highest, chance_within, covered, touching

START = 1_772_420_400_000  # 2026-03-02T03:00:00Z, an odd hour
_SAME = 1e-12  # an ulp or two

hours = st.lists(st.tuples(st.integers(0, 30).map(lambda n: START + n * HOUR_MS), st.floats(0, 1)), min_size=1, max_size=26)


def issue(*p: float, first: int = START, step: int = 1) -> Forecast:
    """P(S > any line) hour by hour."""
    n = len(p)
    return Forecast(
        org="o",
        station="s",
        point="main",
        target="hour",
        model="m",
        version="1",
        issued_at=START,
        data_until=START,
        inputs="",
        leads=tuple(range(1, n * step + 1, step)),
        times=tuple(first + i * step * HOUR_MS for i in range(n)),
        quantiles=((0.1, 0.2, 0.3, 0.4, 0.5),) * n,
        p_gt=tuple((x,) * 4 for x in p),
    )


def test_by_hand() -> None:
    """Two hours apart, .5 and .4: 1 − .5 · .6^.08. Two hours of one cell are as the surer of them."""
    even = START - START % (2 * HOUR_MS)
    assert chance_of_highest([(even, 0.5), (even + 2 * HOUR_MS, 0.4)]) == pytest.approx(1 - 0.5 * 0.6**SHARE)
    assert chance_of_highest([(even, 0.5), (even + HOUR_MS, 0.4)]) == 0.5
    assert chance_of_highest([(even, 0.3)] * 2) == 0.3


@given(said=hours)
def test_between_the_highest_and_independence(said: list[tuple[int, float]]) -> None:
    """Never under the highest chance, to the bit; never over 1 − Π(1 − p); in any order the same."""
    found = chance_of_highest(said)
    assert max(p for _, p in said) <= found <= 1 - math.prod(1 - p for _, p in said) + _SAME
    assert 0 <= found <= 1
    assert chance_of_highest(sorted(said)) == chance_of_highest(sorted(said, reverse=True)) == found


@given(said=hours, more=hours, raised=st.lists(st.floats(0, 1), min_size=26, max_size=26))
def test_it_rises_with_hours_and_with_chances(said: list[tuple[int, float]], more: list[tuple[int, float]], raised: list[float]) -> None:
    """More hours, or higher chances of them, never make it lower."""
    found = chance_of_highest(said)
    assert chance_of_highest(said + more) >= found - _SAME
    assert chance_of_highest((t, max(p, up)) for (t, p), up in zip(said, raised, strict=False)) >= found - _SAME


@given(p=st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_every_hour_or_every_second_one(p: list[float]) -> None:
    """Told of each hour or of every second, with the same chances: the same."""
    even = START - START % (2 * HOUR_MS)
    seldom = [(even + 2 * n * HOUR_MS, x) for n, x in enumerate(p)]
    assert chance_of_highest(seldom) == chance_of_highest([*seldom, *((t + HOUR_MS, x) for t, x in seldom)])


def test_nothing_is_nothing() -> None:
    """No hour, or one that is no number, is no number; certain is certain."""
    assert math.isnan(chance_of_highest([]))
    assert math.isnan(chance_of_highest([(START, 0.2), (START + HOUR_MS, math.nan)]))
    assert math.isnan(chance_of_highest([(START, math.nan), (START, 1.0)]))
    assert chance_of_highest([(START, 1.0), (START + 9 * HOUR_MS, 1.0)]) == 1.0
    assert chance_of_highest([(START, 0.0), (START + 9 * HOUR_MS, 0.0)]) == 0.0


def test_of_an_issue() -> None:
    """The hours that touch the stretch: the one that runs counts, the one that begins at its end does not; not sound anywhere in it is no number."""
    f = issue(0.1, 0.0, 0.0, 0.3, 0.0, 0.0, 0.9)
    since, until = START + HOUR_MS // 2, START + 6 * HOUR_MS
    assert touching(f, since, until) == [0, 1, 2, 3, 4, 5]
    assert touching(f, since, until + 1) == [0, 1, 2, 3, 4, 5, 6]
    assert touching(f, START + HOUR_MS, until) == [1, 2, 3, 4, 5]
    assert chance_within(f, since, until, 1.0) == chance_of_highest([(START, 0.1), (START + 3 * HOUR_MS, 0.3)])
    assert chance_within(f, since, until + 1, 1.0) > 0.9
    assert math.isnan(chance_within(issue(0.1, 1.1, 0.1), START, until, 1.0))
    assert math.isnan(chance_within(f, START + 99 * HOUR_MS, START + 105 * HOUR_MS, 1.0))


@given(p=st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=6, max_size=6), low=st.floats(0.01, 9), high=st.floats(0.01, 9))
def test_it_falls_as_the_limit_rises(p: list[tuple[float, ...]], low: float, high: float) -> None:
    """Whatever the two limits, lines or between."""
    low, high = sorted((low, high))
    f = replace(issue(*[0.0] * 6), p_gt=tuple(tuple(sorted(row, reverse=True)) for row in p))
    if {low, high}.isdisjoint((0.5, 1.0, 2.0, 4.0)):  # at a line the issue's own word stands, which quantiles may contradict
        assert chance_within(f, START, START + 6 * HOUR_MS, low) >= chance_within(f, START, START + 6 * HOUR_MS, high) - _SAME


@pytest.mark.parametrize(
    ("gone", "holds"), [((), True), ((1,), True), ((1, 3, 5), True), ((1, 2), False), ((0,), True), ((0, 1), False), ((5,), True), ((4, 5), False)]
)
def test_covered(gone: tuple[int, ...], holds: bool) -> None:
    """Every second hour may lack, two in a row may not, at the ends neither."""
    starts = [START + n * HOUR_MS for n in range(6) if n not in gone]
    assert covered(reversed(starts), START, START + 6 * HOUR_MS) is holds
