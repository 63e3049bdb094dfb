"""Of few rows it is asked whether learning was worth it."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.daily.crossfit import better
from analytics.daily.dressing import Scale

SCALE = Scale(unit=1.0, curved=True, floor=0.0)


@pytest.mark.parametrize(("error", "worth"), [(0.1, True), (0.6, False)])
def test_who_forecasts_the_seasons_left_out_better_speaks(error: float, worth: bool) -> None:
    """The Gaussian process is off by a spread of .3; learners off by a third of it are better, off by twice as much they are not, at any level of salt."""
    draw = np.random.default_rng(3)
    days = np.concatenate([np.datetime64(f"{year}-01-01") + np.arange(100) for year in (2020, 2021)])
    season = np.repeat([0, 1], 100)
    now, change = draw.uniform(0.5, 2.5, 200), draw.normal(0, 0.5, 200)
    inputs = {"y": now, "gp": change + draw.normal(0, 0.3, 200)}
    assert better(inputs, change + draw.normal(0, error, 200), change, np.full(200, error), days, season, SCALE) is worth
