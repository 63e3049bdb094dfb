"""When a sluice is better open or shut: where the medians cross, how sure at least, and never from what is not known."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.bands import LINES
from core.forecast import HOUR_MS, QUANTILES, Forecast
from core.sluice import INSIDE, OPEN, OUTSIDE, SHUT, Sluice, crossing, least_below, sluice
from core.state import Latest
from core.verdict import Verdict, WaterState, verdict
from core.window import AHEAD_H

Floats = NDArray[np.float64]
NOW = 1_772_422_200_000  # 2026-03-02T03:30:00Z
HOUR = NOW - NOW % HOUR_MS
SPREAD = (0.8, 0.9, 1.0, 1.1, 1.2)


def chances(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    """P(S > line) of each line, straight between the quantiles."""
    return tuple(float(np.interp(line, quantiles, [1 - q for q in QUANTILES], left=1.0, right=0.0)) for line in LINES)


def forecast(medians: dict[int, float], point: str = OUTSIDE, *, spread: tuple[float, ...] = SPREAD, issued: int = NOW) -> Forecast:
    """Hours from the one that runs → the likeliest salinity, with a fifth around it."""
    rows = [tuple(m * s for s in spread) for m in medians.values()]
    return Forecast(
        org="o",
        station="s",
        point=point,
        target="hour",
        model="m",
        version="1",
        issued_at=issued,
        data_until=issued,
        inputs="",
        leads=tuple(n + 1 for n in medians),
        times=tuple(HOUR + n * HOUR_MS for n in medians),
        quantiles=tuple(rows),
        p_gt=tuple(chances(q) for q in rows),
    )


def tide(hours: int = AHEAD_H) -> Forecast:
    """Outside: 0.5 g/L in hours 4–7 of every 12, else 3."""
    return forecast({n: 0.5 if 4 <= n % 12 < 8 else 3.0 for n in range(hours)})


def even(value: float = 1.0, hours: int = AHEAD_H, *, issued: int = NOW) -> Forecast:
    """Inside: always the same."""
    return forecast(dict.fromkeys(range(hours), value), INSIDE, issued=issued)


def judged(f: Forecast | None, *, age: int = 0, flag: int = 1, value: float = 1.0) -> Verdict:
    """The verdict of a newest reading with that forecast."""
    last = Latest(time=NOW - age, value=value, flag=flag)
    return verdict(WaterState(newest=last, judged=last, interval_s=900.0), f, None, NOW)


def test_open_while_the_water_outside_is_fresher() -> None:
    """Each ebb from its first hour to its last, with the values of its surest hour; between them the inside is fresher."""
    sides = crossing(even(), tide(), NOW, limit=2.0)
    assert [((s.start - HOUR) // HOUR_MS, (s.end - HOUR) // HOUR_MS, s.better) for s in sides[:4]] == [
        (0, 4, SHUT),
        (4, 8, OPEN),
        (8, 16, SHUT),
        (16, 20, OPEN),
    ]
    ebb = sides[1]
    assert (ebb.outside, ebb.inside, ebb.turns) == (0.5, 1.0, True)
    assert ebb.p == pytest.approx(0.95 - 0.025)  # at .8 g/L: the inside is over it in 95 of 100, the outside half-way from 5 in 100 at .6 to none at 1
    assert not sides[-1].turns  # the forecast ends there: nothing is known of what follows


def test_the_best_moment_is_the_surest_hour() -> None:
    """Of an ebb the hour in which the outside lies deepest under the inside."""
    sides = crossing(even(1.0, 8), forecast({0: 3.0, 1: 3.0, 2: 0.95, 3: 0.8, 4: 0.3, 5: 0.9, 6: 2.0, 7: 3.0}), NOW, limit=2.0)
    (ebb,) = [s for s in sides if s.better == OPEN]
    assert ((ebb.best - HOUR) // HOUR_MS, ebb.outside) == (4, 0.3)


def test_alike_is_no_reason_to_open() -> None:
    """Where both read the same it is better shut, and nothing is sure."""
    (side,) = crossing(even(), even(), NOW, limit=2.0)
    assert side.better == SHUT
    assert side.p == pytest.approx(0.0)


def test_fresher_is_not_fresh() -> None:
    """Water outside that is over the limit is no reason to open, however salty the inside; the chance holds for both at once."""
    salty, ebb = even(5.0), tide()
    (shut,) = crossing(salty, forecast(dict.fromkeys(range(AHEAD_H), 2.5)), NOW, limit=2.0)
    assert (shut.better, shut.p >= 0.95) == (SHUT, True)  # over the limit in 95 of 100
    sides = [s for s in crossing(salty, ebb, NOW, limit=1.0) if s.better == OPEN]
    assert [((s.start - HOUR) // HOUR_MS, (s.end - HOUR) // HOUR_MS) for s in sides[:2]] == [(4, 8), (16, 20)]
    assert sides[0].p == pytest.approx(1.0)  # 1 g/L: under it outside, over it inside
    assert next(s for s in crossing(salty, ebb, NOW, limit=0.55) if s.better == OPEN).p < sides[0].p
    assert not [s for s in crossing(salty, ebb, NOW, limit=0.5) if s.better == OPEN]


def test_missing_and_unsound_hours_part() -> None:
    """An hour that one of them leaves out, or in which one is no number, is not bridged; hours of the past and beyond 72 are not looked at."""
    outside = forecast(dict.fromkeys(range(-3, 90), 0.5))
    whole = even(1.0, AHEAD_H)
    bad = replace(whole, p_gt=(*whole.p_gt[:9], (math.nan,) * 4, *whole.p_gt[10:]))
    holed = forecast({n: 1.0 for n in range(AHEAD_H) if n != 9}, INSIDE)
    for inside, expected in ((whole, [(0, 72)]), (bad, [(0, 9), (10, 72)]), (holed, [(0, 9), (10, 72)])):
        found = crossing(inside, outside, NOW, limit=2.0)
        assert [((s.start - HOUR) // HOUR_MS, (s.end - HOUR) // HOUR_MS) for s in found] == expected
        assert not any(s.turns for s in found)


@pytest.mark.parametrize(
    ("flag", "age", "reason"), [(3, 0, "suspect"), (4, 0, "fault"), (1, 3 * HOUR_MS, "stale"), (1, 50 * HOUR_MS, "silent"), (2, 0, "no_data")]
)
@pytest.mark.parametrize("side", [0, 1])
def test_nothing_is_said_where_one_side_is_not_known(flag: int, age: int, reason: str, side: int) -> None:
    """The reason is that of the side that is not known."""
    good, bad = judged(even()), judged(even(), flag=flag, age=age)
    told = sluice((bad, good) if side else (good, bad), even(), tide(), NOW)
    assert told == Sluice(reason=reason)


def test_nothing_is_said_without_both_forecasts() -> None:
    """None, or one that the verdict did not take."""
    good = judged(even())
    assert sluice((good, good), None, tide(), NOW).reason == "no_forecast"
    assert sluice((good, good), even(), None, NOW).reason == "no_forecast"
    old = even(issued=NOW - 25 * HOUR_MS)
    assert sluice((judged(old), good), old, tide(), NOW) == Sluice(reason="no_forecast")
    assert len(sluice((good, good), even(), tide(), NOW).sides) == 13


QUANTILE_ROWS = st.lists(st.floats(0, 30), min_size=5, max_size=5).map(lambda x: tuple(sorted(x)))


def of(quantiles: tuple[float, ...]) -> Forecast:
    return replace(forecast({0: 1.0}), quantiles=(quantiles,), p_gt=(chances(quantiles),))


@given(a=QUANTILE_ROWS, b=QUANTILE_ROWS, limit=st.floats(0.1, 9))
def test_both_at_once_is_no_surer_than_each(a: tuple[float, ...], b: tuple[float, ...], limit: float) -> None:
    """Law: the chance to be fresher and under a limit is at most that to be under it."""
    assert least_below(of(a), 0, of(b), 0, most=limit) <= 1.0 - of(a).exceedance(0, limit) + 1e-9


@given(a=QUANTILE_ROWS, b=QUANTILE_ROWS)
def test_it_is_a_chance_and_both_sides_together_are_at_most_one(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    """Law: 0 ≤ p ≤ 1, and P(a < b) and P(b < a) are not sure at once."""
    low, high = least_below(of(a), 0, of(b), 0), least_below(of(b), 0, of(a), 0)
    assert 0.0 <= low <= 1.0
    assert low + high <= 1.0 + 1e-9


@given(a=st.floats(0.1, 3), b=st.floats(0.1, 3), same=st.booleans())
def test_no_dependence_makes_it_less(a: float, b: float, same: bool) -> None:
    """Law: with values drawn from both, rising together or against each other, at least so many lie below."""
    low, high = of(tuple(a * s for s in SPREAD)), of(tuple(b * s for s in SPREAD))
    u = (np.arange(2000) + 0.5) / 2000
    v = u if same else 1 - u

    def draw(f: Forecast, at: Floats) -> Floats:  # the ends as far out as the forecast leaves open
        q = f.quantiles[0]
        drawn: Floats = np.interp(at, [0.0, *QUANTILES, 1.0], [0.0, *q, max(4.0, 2 * q[-1])])
        return drawn

    assert float((draw(low, u) < draw(high, v)).mean()) >= least_below(low, 0, high, 0) - 0.051  # what lies beyond the outer quantiles is 5 %


@given(st.lists(st.tuples(st.integers(-3, 80), QUANTILE_ROWS, QUANTILE_ROWS), max_size=30, unique_by=lambda r: r[0]))
def test_sides_are_apart_and_in_order(rows: list[tuple[int, tuple[float, ...], tuple[float, ...]]]) -> None:
    """Law: disjoint, rising, within 72 hours, and what turns is followed by the other side."""
    base = forecast(dict.fromkeys((n for n, _, _ in rows), 1.0))
    inside = replace(base, quantiles=tuple(a for _, a, _ in rows), p_gt=tuple(chances(a) for _, a, _ in rows))
    outside = replace(base, quantiles=tuple(b for _, _, b in rows), p_gt=tuple(chances(b) for _, _, b in rows))
    sides = crossing(inside, outside, NOW, limit=2.0)
    assert all(HOUR <= s.start <= s.best < s.end <= HOUR + AHEAD_H * HOUR_MS for s in sides)
    assert all(a.end <= b.start for a, b in pairwise(sides))
    for a, b in pairwise(sides):
        assert a.turns == (a.end == b.start)
        assert not a.turns or a.better != b.better
