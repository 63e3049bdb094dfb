"""The rule of each baseline, by values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.daily.model import LEVELS, Said
from analytics.daily.models.analogue import DAY_MODEL as ANALOGUE
from analytics.daily.models.climatology import DAY_MODEL as CLIMATOLOGY
from analytics.daily.models.logistic import DAY_MODEL as LOGISTIC
from analytics.daily.models.persistence import DAY_MODEL as PERSISTENCE
from analytics.daily.panel import Daily, Floats, Pairs
from analytics.daily.references import fit_references

LINES = (1.0, 4.0)


def daily(target: Floats, *, first: str = "2021-01-01", stations: tuple[str, ...] | None = None) -> Daily:
    """One value a day: (n, m), or (n,) of one station."""
    values = target.reshape(len(target), -1).astype(np.float64)
    names = stations or tuple("abcdef"[: values.shape[1]])
    days = np.datetime64(first) + np.arange(len(values))
    return Daily(zone="UTC", days=days, stations=names, target=values, high=values, low=values, mean=values, last=values, evening=values, drivers={})


def said(found: dict[int, Said], lead: int) -> float:
    return float(found[lead].point[0])


def one(day: int, station: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.array([day], dtype=np.int64), np.array([station], dtype=np.int64)


def walk(n: int, m: int, seed: int = 1) -> Floats:
    """Salt of days that follow from the days before."""
    rng = np.random.default_rng(seed)
    z = np.zeros((n, m))
    for i in range(1, n):
        z[i] = 0.9 * z[i - 1] + rng.normal(0, 0.35, m)
    return np.exp(z + 0.6)


def test_persistence_is_the_value_of_the_day() -> None:
    """At every lead; its 90 % interval is made of its own steps: of steps −9 … 9 the outermost two; without a value nothing is said."""
    steps = np.random.default_rng(2).permutation(np.arange(-9.0, 10.0))
    trained = np.concatenate(([0.0], np.cumsum(steps))) - 500  # an elevation, say: no scale bends
    model = PERSISTENCE.fit(daily(trained), (1, 7), LINES)
    found = model.say(daily(np.array([-480.0, np.nan])), *one(0))
    assert [said(found, lead) for lead in (1, 7)] == [-480.0, -480.0]
    assert found[1].quantiles[0] == pytest.approx(-480 + np.arange(-9.0, 10.0))
    assert np.isnan(said(model.say(daily(np.array([-480.0, np.nan])), *one(1)), 1))


@pytest.mark.parametrize(("lead", "back"), [(1, 14.765294), (14, 14.765294), (15, 29.530588), (29, 29.530588), (30, 44.295882)])
def test_analogue_is_the_day_of_the_same_tide(lead: int, back: float) -> None:
    """On a ramp of 1 a day: the day ahead less 14.77 days, or as many times that as reach behind the issue day."""
    ramp = np.arange(200.0)
    found = ANALOGUE.fit(daily(ramp), (lead,), LINES).say(daily(ramp[:101]), *one(100))
    assert said(found, lead) == pytest.approx(100 + lead - back, abs=1e-9)


def test_analogue_with_one_day_or_none() -> None:
    """Of the days 15 and 14 before the day ahead one is enough; of none nothing is said, though the issue day has a value."""
    ramp = np.arange(200.0)
    model = ANALOGUE.fit(daily(ramp), (3,), LINES)
    for missing, wanted in (((), 103 - 14.765294), ((89,), 88.0), ((88,), 89.0), ((88, 89), np.nan)):
        shown = ramp[:101].copy()
        shown[list(missing)] = np.nan
        assert said(model.say(daily(shown), *one(100)), 3) == pytest.approx(wanted, nan_ok=True)


def test_climatology_is_the_station_s_mean_and_a_new_year_may_lie_off() -> None:
    """Years about 2 and about 4: the point is 3, and the 90 % interval reaches beyond both. Of one year alone it stays within it."""
    rng = np.random.default_rng(6)
    values = np.full(425, np.nan)
    values[:60], values[365:425] = 2 + rng.uniform(-0.1, 0.1, 60), 4 + rng.uniform(-0.1, 0.1, 60)
    found = CLIMATOLOGY.fit(daily(values), (1,), LINES).say(daily(values), *one(10))
    assert said(found, 1) == pytest.approx(3, abs=0.03)
    assert found[1].quantiles[0, 0] < 1.8
    assert found[1].quantiles[0, -1] > 4.2
    alone = CLIMATOLOGY.fit(daily(values[:60]), (1,), LINES).say(daily(values), *one(10))[1]
    assert said({1: alone}, 1) == pytest.approx(2, abs=0.02)
    assert 1.9 <= alone.quantiles[0, 0] < alone.quantiles[0, -1] <= 2.1


def test_climatology_knows_the_season_where_years_agree_on_it() -> None:
    """Four years of fresh Januaries and salt Julys: about 1 and about 9 for the day ahead, not the issue's."""
    days = np.arange(4 * 365)
    values = 5 - 4 * np.cos(2 * np.pi * days / 365.25) + np.random.default_rng(7).uniform(-0.5, 0.5, len(days))
    model = CLIMATOLOGY.fit(daily(values), (1, 180), LINES)
    found = model.say(daily(values), *one(3))
    assert said(found, 1) == pytest.approx(1, abs=0.3)
    assert said(found, 180) == pytest.approx(9, abs=0.3)


def test_climatology_of_other_stations() -> None:
    """One it was not trained on has all stations' days from its first reading on; before that, nothing is said."""
    model = CLIMATOLOGY.fit(daily(np.column_stack((np.linspace(1, 3, 60), np.linspace(5, 7, 60)))), (1,), LINES)
    young = daily(np.array([np.nan, np.nan, 2.0, np.nan]), stations=("new",))
    assert np.isnan(said(model.say(young, *one(1)), 1))
    assert [said(model.say(young, *one(day)), 1) for day in (2, 3)] == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize("days", [150, 800])
def test_logistic_gives_the_chances_of_the_reference(days: int) -> None:
    """Of a dry season, and of whole years: where its lines do not cross they are those the skill is told against, and the quantiles agree."""
    shown = daily(walk(days, 3))
    trained = shown.first(days - 30)
    found = LOGISTIC.fit(trained, (3,), LINES)
    pairs = Pairs.of(shown, 3).where(Pairs.of(shown, 3).day >= days - 30)
    reference = fit_references(trained, np.ones(3, dtype=np.bool_), 3, LINES, curved=True)
    assert reference.whole_year == (days == 800)
    answer = found.say(shown, pairs.day, pairs.station)[3]
    assert answer.p_gt == pytest.approx(reference.say(shown, pairs).p_logistic, abs=1e-9)
    for line, p in zip(LINES, answer.p_gt.T, strict=True):
        levels = np.array(LEVELS)
        assert (answer.quantiles[levels <= 1 - p[:, None]] <= line).all()
        assert (answer.quantiles[levels > 1 - p[:, None]] >= line).all()


def test_logistic_s_point_is_the_expected_value() -> None:
    """Of days that are 0.9 of the day before in log, it lies nearer to what came than persistence does, and has no bias where it learned (1 %)."""
    values = daily(walk(1500, 1))
    pairs = Pairs.of(values, 5)
    came = pairs.truth(values)
    here, there = (fit(values, (5,), LINES).say(values, pairs.day, pairs.station)[5].point for fit in (LOGISTIC.fit, PERSISTENCE.fit))
    assert here.mean() == pytest.approx(came.mean(), rel=0.01)
    assert np.mean((here - came) ** 2) < 0.85 * np.mean((there - came) ** 2)


def test_a_line_never_passed_in_training_is_not_impossible() -> None:
    """No regression without events: the chance is the distribution's, above 0; a reference says 0."""
    values = walk(150, 2) / 10
    found = LOGISTIC.fit(daily(values), (1,), (50.0,)).say(daily(values), *one(100))
    assert 0 < found[1].p_gt[0, 0] < 0.02


def test_where_two_lines_cross_their_chances_are_one() -> None:
    """Over 1 g/L by even chance whatever today was, over 4 g/L after salt days alone: far beyond what was seen they cross, and both are their mean."""
    rng = np.random.default_rng(8)
    values = np.empty(400)
    values[::2] = rng.choice([0.5, 5.0], 200)
    values[1::2] = np.where(rng.random(200) < 0.5, 0.0, np.where(values[::2] > 1, 8.0, 2.0))
    extreme = daily(np.full(10, 1e4))
    issue = Pairs(day=one(9)[0], station=one(9)[1], lead=1)
    low, high = fit_references(daily(values), np.ones(1, dtype=np.bool_), 1, LINES, curved=True).say(extreme, issue).p_logistic[0]
    assert high > low + 0.1
    found = LOGISTIC.fit(daily(values), (1,), LINES).say(extreme, *one(9))[1]
    assert found.p_gt[0] == pytest.approx([(low + high) / 2] * 2)
