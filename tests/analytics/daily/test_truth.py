"""Days whose columns end at 05:00 and whose truth is the calendar day: every model learns from what came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from analytics.daily.gaussian import Kernel
from analytics.daily.model import MEDIAN, DayModel, day_models
from analytics.daily.models.ensemble import fit_ensemble
from analytics.daily.panel import Daily, Days, Floats, Pairs

LINES = (1.0, 4.0)
QUICK = {name: model for name, model in day_models().items() if name != "ensemble"}


def world(days: int = 300) -> Daily:
    """Salt of two stations around 2 g/L; now and then a day without a value."""
    rng = np.random.default_rng(3)
    salt = 2 * np.exp(np.cumsum(rng.normal(0, 0.05, (days, 2)), axis=0) * 0.3 + rng.normal(0, 0.1, (days, 2)))
    salt[rng.random(salt.shape) < 0.03] = np.nan
    parts = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), salt)
    return Daily(zone="Asia/Ho_Chi_Minh", days=np.datetime64("2024-01-01") + np.arange(days), stations=("a", "b"), drivers={}, **parts)


WORLD = world()
DAY, STATION = np.arange(200, 290), np.arange(90) % 2


@pytest.mark.parametrize("model", QUICK.values(), ids=QUICK.keys())
def test_what_is_said_is_what_came(model: DayModel) -> None:
    """Where the truth is twice the columns, so is the median; where it is the same as they are, every bit is as without it."""
    with patch("analytics.daily.models.gaussian.fit_kernel", lambda values, above: Kernel()):
        plain, same, twice = (model.fit(replace(WORLD, truth=t), (2,), LINES) for t in (None, WORLD.target.copy(), 2 * WORLD.target))
    one, other, more = (fitted.say(WORLD, DAY, STATION)[2].quantiles for fitted in (plain, same, twice))
    assert one.tobytes() == other.tobytes()
    spoken = np.isfinite(one[:, MEDIAN])
    assert spoken.mean() > 0.8
    assert np.median(more[spoken, MEDIAN] / one[spoken, MEDIAN]) == pytest.approx(2, rel=0.1)


def test_the_ensemble_learns_the_change_to_what_came() -> None:
    """From the day's column to the truth of the day ahead, wherever both are known."""
    truth = WORLD.target + 1.0
    truth[50:60] = np.nan
    daily, seen = replace(WORLD, truth=truth), []

    def learn(columns: Mapping[str, Floats], change: Floats, days: Days, several: bool, logistic: object, **_: Any) -> tuple[None, None]:
        assert several
        assert logistic is not None  # of so few issues others have a say too
        seen.append((change, days))
        return None, None

    with patch("analytics.daily.models.gaussian.fit_kernel", lambda values, above: Kernel()), patch("analytics.daily.models.ensemble._learn", learn):
        model = fit_ensemble(daily, (2,), LINES)
    ((change, days),) = seen
    pairs = Pairs.of(daily, 2)
    scale = model.alone.scale
    known = np.isin(pairs.day, np.arange(3, 300))  # under three days the Gaussian process is silent, and so is the rest
    wanted = (scale.of(truth[pairs.day + 2, pairs.station]) - scale.of(WORLD.target[pairs.day, pairs.station]))[known]
    assert len(change) <= len(pairs.day)
    assert np.isin(wanted, change).mean() == 1.0
    assert not set(days) & set(WORLD.days[48:58])


def test_pairs_need_the_column_of_the_issue_and_the_truth_of_the_day_ahead() -> None:
    """A day ahead that came counts though its column has a gap, and one without a truth does not."""
    target, truth = WORLD.target.copy(), WORLD.target.copy()
    target[102], truth[102] = np.nan, 5.0
    target[202], truth[202] = 1.0, np.nan
    daily = replace(WORLD, target=target, truth=truth)
    found = Pairs.of(daily, 2)
    assert 100 in found.day
    assert 200 not in found.day
    assert set(found.truth(daily)[found.day == 100].tolist()) == {5.0}
