"""A day's lowest is never forecast above its highest, and the highest stays as it was said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.agreement import agree, agreed, held_under
from core.bands import LINES
from core.forecast import QUANTILES, Forecast

DAY = 86_400_000
DAYS = 3

_values = st.lists(st.floats(0, 40) | st.sampled_from((*LINES, 0.0)), min_size=len(QUANTILES), max_size=len(QUANTILES)).map(lambda v: tuple(sorted(v)))
_chances = st.lists(st.floats(0, 1), min_size=len(LINES), max_size=len(LINES)).map(lambda p: tuple(sorted(p, reverse=True)))
_rows = st.tuples(*[st.tuples(_values, _chances)] * DAYS)


Curve = tuple[list[float], list[float]]  # rising values, and the chances to be over each, falling
_curves = st.integers(2, 8).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(0.01, 40), min_size=n, max_size=n, unique=True).map(sorted),
        st.lists(st.integers(1, 999), min_size=n, max_size=n, unique=True).map(lambda p: sorted((i / 1000 for i in p), reverse=True)),
    )
)


def told(curve: Curve) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Quantiles and chances of one distribution, from 0 up to twice the last value, linear between."""
    values, over = [0.0, *curve[0], 2 * curve[0][-1]], [1.0, *curve[1], 0.0]
    quantiles = np.interp([1 - q for q in QUANTILES], over[::-1], values[::-1])
    return tuple(quantiles.tolist()), tuple(np.interp(LINES, values, over).tolist())


def said(target: str, rows: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...], *, first: int = 1, point: str = "main") -> Forecast:
    """An issue of these quantiles and chances, of days from the `first` one on."""
    days = range(first, first + len(rows))
    return Forecast(
        org="o",
        station="s",
        point=point,
        target=target,
        model="m",
        version="1",
        issued_at=0,
        data_until=0,
        inputs="",
        leads=tuple(range(1, len(rows) + 1)),
        times=tuple(day * DAY for day in days),
        quantiles=tuple(values for values, _ in rows),
        p_gt=tuple(chances for _, chances in rows),
    )


@given(_rows, _rows, st.integers(0, 3))
def test_nothing_of_the_lowest_is_over_the_highest(
    low: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...],
    high: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...],
    apart: int,
) -> None:
    """No quantile and no chance at a line, of days both tell; what it says still rises and falls. Other days stay."""
    before, highest = said("day_min", low), said("day_max", high, first=1 + apart)
    [lowest, same], _ = agreed([before, highest])
    assert same is highest
    for j, time in enumerate(lowest.times):
        if time not in highest.times:
            assert (lowest.quantiles[j], lowest.p_gt[j]) == (before.quantiles[j], before.p_gt[j])
            continue
        i = highest.times.index(time)
        assert agree(lowest, j, highest, i)
        assert lowest.quantiles[j] == tuple(sorted(lowest.quantiles[j]))
        assert lowest.p_gt[j] == tuple(sorted(lowest.p_gt[j], reverse=True))
        assert set(lowest.quantiles[j]) <= {*before.quantiles[j], *highest.quantiles[i]}
        assert all(lowest.exceedance(j, line) <= highest.exceedance(i, line) for line in LINES)
    assert held_under(lowest, highest) is lowest


@given(_curves, _curves, st.lists(st.floats(0, 45), min_size=1, max_size=5))
def test_no_chance_at_any_limit_is_over_that_of_the_highest(low: Curve, high: Curve, limits: list[float]) -> None:
    """Between lines and quantiles too, where both are told of one distribution each, as models do."""
    highest = said("day_max", (told(high),))
    lowest = held_under(said("day_min", (told(low),)), highest)
    for limit in (*limits, *LINES, *highest.quantiles[0], *lowest.quantiles[0]):
        assert lowest.exceedance(0, limit) <= highest.exceedance(0, limit) + 1e-9


def test_what_agrees_is_left_alone() -> None:
    """The same object: nothing is written that was not said."""
    fresh, salty = ((0.1,) * 5, (0.2, 0.1, 0.0, 0.0)), ((2.0,) * 5, (1.0, 0.9, 0.5, 0.1))
    lowest, highest = said("day_min", (fresh,)), said("day_max", (salty,))
    found, contradicted = agreed([highest, lowest])
    assert found[1] is lowest
    assert contradicted == set()
    assert agreed([lowest])[0][0] is lowest


def test_only_of_its_own_point_and_against_what_stands() -> None:
    """The highest issued with it comes before one that stands; a lowest that stands is named where a new highest is under it, and never changed."""
    fresh, salty = ((0.1,) * 5, (0.2, 0.1, 0.0, 0.0)), ((2.0,) * 5, (1.0, 0.9, 0.5, 0.1))
    lowest, old, new = said("day_min", (salty,)), said("day_max", (fresh,)), said("day_max", (salty,))
    assert agreed([lowest], [replace(old, point="in")])[0] == [lowest]
    assert agreed([lowest], [old])[0][0].quantiles == old.quantiles
    assert agreed([lowest, new], [old])[0][0] is lowest
    assert agreed([old], [lowest]) == ([old], {("s", "main", "day_min")})
    assert agreed([new], [lowest]) == ([new], set())
    assert agreed([], [old, lowest]) == ([], set()), "between what stands already nothing is decided"
