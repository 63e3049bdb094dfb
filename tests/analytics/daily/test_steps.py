"""Values that are written in steps: which steps, and where a line then stands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analytics.daily.model import Fitted
from analytics.daily.models.ensemble import fit_ensemble
from analytics.daily.models.gaussian import fit_gaussian
from analytics.daily.panel import Daily, Floats
from analytics.daily.steps import midway, step_of

LINES = (0.5, 1.0, 2.0, 4.0)
TENTHS = np.arange(80) / 10


@pytest.mark.parametrize(
    ("values", "step"),
    [
        (TENTHS, 0.1),
        (-TENTHS, 0.1),
        (1000 * TENTHS, 100.0),
        (np.concatenate((TENTHS, [1.234, np.nan, 2.7182])), 0.1),
        (np.concatenate((TENTHS, TENTHS + 0.03)), 0.01),
        (np.arange(300.0), 1.0),
        (np.array([70.0, 80.0, 90.0]), 10.0),
        (np.random.default_rng(0).gamma(2.0, 1.0, 200), 0.0),
        (np.array([0.0, np.nan, 0.0]), 0.0),
        (np.concatenate((TENTHS, [1e12])), 0.1),
        (np.concatenate((np.random.default_rng(0).gamma(2.0, 1.0, 200), [9.96921e36])), 0.0),
        (np.empty(0), 0.0),
    ],
)
def test_the_step_that_nearly_all_values_keep_to(values: Floats, step: float) -> None:
    """The largest power of ten; single finer or absurd values do not change it, zeros say nothing, and what keeps to none has none."""
    assert step_of(values) == pytest.approx(step)


def test_a_line_stands_midway_to_the_first_value_over_it() -> None:
    """Over 1 is 1.1 or more, over 1.25 is 1.3 or more; nothing moves where there is no step."""
    assert midway(LINES, 0.1) == pytest.approx((0.55, 1.05, 2.05, 4.05))
    assert midway((0.3, 1.25, 1.29), 0.1) == pytest.approx((0.35, 1.25, 1.25))
    assert midway(LINES, 0.0) == LINES


def in_tenths(days: int) -> Daily:
    """Three stations about .5 g/L that remember themselves, written to the tenth."""
    rng = np.random.default_rng(8)
    x = np.zeros((days, 3))
    for t in range(1, days):
        x[t] = 0.8 * x[t - 1] + rng.normal(0, 0.2, 3)
    salt = np.round(0.5 * np.exp(x), 1)
    same = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), salt)
    return Daily(zone="UTC", days=np.datetime64("2020-01-01") + np.arange(days), stations=("a", "b", "c"), drivers={}, **same)


@pytest.mark.parametrize("fit", [fit_gaussian, fit_ensemble])
def test_what_no_value_lies_between_has_one_chance(fit: Callable[..., Fitted]) -> None:
    """Of readings to the tenth, over .5, over .55 and over .59 are the same days; over .6 are fewer."""
    daily = in_tenths(430)
    said = fit(daily, (1,), (0.5, 0.55, 0.59, 0.6)).say(daily, np.array([380, 420]), np.array([0, 2]))[1].p_gt
    assert said[:, 0].tobytes() == said[:, 1].tobytes() == said[:, 2].tobytes()
    assert (said[:, 3] < said[:, 0]).all()


def test_chances_of_a_line_come_as_often_as_they_are_said() -> None:
    """Where readings to the tenth lie within a few steps of the line, the Gaussian process' mean chance of passing it is the share that passed, to 2 %."""
    daily = in_tenths(700)
    day, station = (i.ravel() for i in np.meshgrid(np.arange(450, 699), np.arange(3)))
    said = fit_gaussian(daily.first(450), (1,), (0.5,)).say(daily, day, station)[1].p_gt[:, 0]
    assert said.mean() == pytest.approx((daily.target[day + 1, station] > 0.5).mean(), abs=0.02)
