"""Several forecasts as one: shares by what was lost, and one distribution of them all."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Floats
from analytics.daily.pool import LEARNED, Shares, pooled, shares

LINES = (4.0, 1.0)


def say(middle: float, over: tuple[float, float]) -> Said:
    """One row, 2 wide, and its chances of LINES."""
    quantiles = middle + 2 * (np.array(LEVELS) - 0.5)
    return Said(point=np.array([middle]), quantiles=quantiles[None], p_gt=np.array([over]))


@pytest.mark.parametrize(
    ("losses", "each"),
    [
        ((1.0, 1.0, 1.0), (1 / 3, 1 / 3, 1 / 3)),
        ((1.0, 2.0, 2.0), (8 / 9, 1 / 18, 1 / 18)),
        ((0.0, 1.0, 0.0), (0.5, 0.0, 0.5)),
        ((0.0, 0.0, 0.0), (1 / 3, 1 / 3, 1 / 3)),
    ],
)
def test_who_loses_half_as_much_has_sixteen_times_the_say(losses: tuple[float, ...], each: tuple[float, ...]) -> None:
    """Whatever the unit, and where somebody lost nothing at all."""
    for unit in (1.0, 1000.0):
        assert astuple(shares(unit * np.array(losses), tiny=1e-9 * unit)) == pytest.approx(each, abs=1e-9)


def test_one_who_speaks_alone_is_left_to_the_bit() -> None:
    """The very forecast, not a mean of one."""
    one = say(2.0, (0.1, 0.9))
    assert pooled([(1.0, one)], LINES) is one
    assert Shares(learned=1.0) == LEARNED


def test_value_and_chances_are_means_and_quantiles_agree_with_them() -> None:
    """Of 1 and 3 g/L with a fourth and three quarters of the say: 2.5; the chance of 4 g/L is .25·0 + .75·.4, so that six of 19 quantiles lie on or over it."""
    found = pooled([(0.25, say(1.0, (0.0, 0.4))), (0.75, say(3.0, (0.4, 1.0)))], LINES)
    assert found.point == pytest.approx([2.5])
    assert found.p_gt[0] == pytest.approx([0.3, 0.85])
    q: Floats = found.quantiles[0]
    assert (np.diff(q) >= 0).all()
    assert int((q >= 4.0).sum()) == pytest.approx(6, abs=1)
    assert int((q <= 1.0).sum()) == pytest.approx(3, abs=1)
    assert q[LEVELS.index(0.5)] == pytest.approx(2.5)
