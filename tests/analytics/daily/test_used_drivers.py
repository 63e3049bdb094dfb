"""Which drivers a model uses is told by what it learned, and why it does not use one in words."""

from __future__ import annotations

from dataclasses import replace

import made_histories as made
import numpy as np
import pytest

from analytics.daily.explain import Drivers, drivers_heard, learned_drivers
from analytics.daily.histories import daily_of
from analytics.daily.models.ensemble import Ensemble, Lead
from analytics.daily.panel import Daily
from analytics.daily.used_drivers import Uses, uses

FLAT = "flat"
WHOLE = (made.LEARNED - made.BEGIN) // made.DAY_MS


def learned(days: int) -> Daily:
    """The last so many days before the made model stopped learning; a second driver never changes."""
    daily = daily_of(made.histories(), (made.river(),), made.LEARNED, days=days, target="day_max")
    return replace(daily, drivers={**daily.drivers, FLAT: np.ones_like(daily.target), "never": np.full_like(daily.target, np.nan)})


def without_learners() -> Ensemble:
    """What the ensemble is on too few days: its Gaussian process alone."""
    return replace(made.fitted(), leads={lead: Lead(driven=None, bare=None, beside=None) for lead in made.LEADS})


def test_what_it_learned_is_used_and_of_others_it_is_told_why() -> None:
    """A driver without a single value is no driver of the days at all."""
    assert uses(made.fitted(), learned(WHOLE)) == Uses(drivers=("discharge",), unused={FLAT: "it never changed while it learned"})
    assert learned_drivers(object()) == ()


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (60, "it learned from 116 forecasts; 120 are needed"),
        (80, "it learned from one season; two are needed"),
        (WHOLE, "without one season too few forecasts are left to learn from"),
    ],
)
def test_one_without_learners_uses_none(days: int, why: str) -> None:
    """Too few forecasts to learn from, all of one season, or of which too little is left without one; none is missed when it is silent."""
    assert uses(without_learners(), learned(days)).unused["discharge"] == why
    assert uses(without_learners().alone, learned(days)).unused["discharge"] == "a model of its kind takes none"
    daily = daily_of(made.histories(), (), made.AT, days=90, target="day_max")
    last = np.array([len(daily.days) - 1])
    assert drivers_heard(without_learners(), daily, last, np.array([0])) == [Drivers()]
    assert drivers_heard(made.fitted(), daily, last, np.array([0])) == [Drivers(silent=("discharge",))]


def test_a_driver_that_the_learners_do_not_ask_is_not_missed() -> None:
    """Where bare learners alone came of it, silence changes nothing."""
    model = made.fitted()
    bare = replace(model, leads={lead: replace(one, driven=None, bare=one.driven) for lead, one in model.leads.items()})
    assert uses(bare, learned(WHOLE)).unused["discharge"] == "it was not known through two seasons and 120 forecasts of what was learned from"
    daily = daily_of(made.histories(), (), made.AT, days=90, target="day_max")
    assert drivers_heard(bare, daily, np.array([len(daily.days) - 1]), np.array([0])) == [Drivers()]
