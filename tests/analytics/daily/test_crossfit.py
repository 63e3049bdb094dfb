"""Of few rows it is asked how much of the say learning is worth."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from analytics.daily.crossfit import compared
from analytics.daily.dressing import Scale, dressing
from analytics.daily.panel import Floats
from analytics.daily.pool import UNTRIED
from analytics.daily.spread import Mask

SCALE = Scale(unit=1.0, curved=True, floor=0.0)
DAYS = np.concatenate([np.datetime64(f"{year}-01-01") + np.arange(100) for year in (2020, 2021)])
SEASON = np.repeat([0, 1], 100)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_who_forecasts_the_seasons_left_out_better_has_more_of_the_say(best: int) -> None:
    """Two are off by a spread of .3 and keep a little, one is off by a third of it and has nearly all the say, whoever it is, at any level of salt."""
    draw = np.random.default_rng(3)
    now, change = draw.uniform(0.5, 2.5, 200), draw.normal(0, 0.5, 200)
    off = [change + draw.normal(0, 0.1 if i == best else 0.3, 200) for i in range(3)]
    came, logistic = SCALE.back(now + change), SCALE.back(now + off[2])

    def other(there: Mask, here: Mask) -> Floats:
        dressed = dressing(logistic[there], came[there])
        assert dressed is not None
        return dressed.say(logistic[here], ()).quantiles

    found = compared({"y": now, "gp": off[1]}, off[0], change, np.full(200, 0.2), DAYS, SEASON, SCALE, other)
    each = list(astuple(found))
    assert sum(each) == pytest.approx(1.0)
    assert each.pop(best) > 0.9
    assert min(each) > 0


def test_where_nothing_can_be_compared_nothing_is_claimed() -> None:
    """Logistic persistence had too few rows to learn from in each season: the shares are those of who was never tried."""
    now = np.linspace(1.0, 2.0, 200)
    assert compared({"y": now, "gp": 0 * now}, 0 * now, 0 * now, np.ones(200), DAYS, SEASON, SCALE, lambda there, here: None) == UNTRIED
