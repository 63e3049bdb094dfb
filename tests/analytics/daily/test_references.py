"""Persistence, climatology, logistic persistence: what they say, and that they learn from training days of trained stations only."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from analytics.daily.panel import Daily, Floats, Pairs
from analytics.daily.references import References, Stated, features, fit_references, season, week_mean
from core.errors import ConfigError

ALL = np.ones(3, dtype=bool)
FIELDS = ("persistence", "climatology", "p_persistence", "p_climatology", "p_logistic")


def daily(values: Floats, first: str = "2021-01-01") -> Daily:
    """One value a day at stations a, b, c …"""
    days = np.datetime64(first) + np.arange(len(values))
    same = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), values)
    return Daily(zone="Asia/Ho_Chi_Minh", days=days, stations=tuple("abcdefghijklmnopqrst"[: values.shape[1]]), drivers={}, **same)


def walk(days: int, seed: int = 0, stations: int = 3) -> Floats:
    """Salinity that remembers itself: an autoregressive log1p, with a tenth missing."""
    rng = np.random.default_rng(seed)
    x = np.zeros((days, stations))
    for i in range(1, days):
        x[i] = 0.9 * x[i - 1] + rng.normal(0.1, 0.25, stations)
    return np.where(rng.random(x.shape) < 0.1, np.nan, np.expm1(np.maximum(x, 0)))


def same(one: Stated, other: Stated) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


def test_persistence_is_today() -> None:
    """The value of the issue's day; as a probability 1 where it is over the line, 0 on the line and under it."""
    data = daily(np.array([[0.5], [1.0], [1.5], [4.5]]))
    stated = fit_references(data, ALL[:1], 1, (1.0, 4.0)).say(data, Pairs.of(data, 1))
    assert stated.persistence.tolist() == [0.5, 1.0, 1.5]
    assert stated.p_persistence.tolist() == [[0, 0], [0, 0], [1, 0]]


def test_climatology_is_per_station_and_pooled_elsewhere() -> None:
    """a: mean 2, half over 1; b: mean 5, always; c was not trained: the four days of a and b together, c's own 100 nowhere."""
    data = daily(np.array([[1.0, 4.0, 100.0], [3.0, 6.0, 100.0], [np.nan, np.nan, 100.0]]))
    stated = fit_references(data, np.array([True, True, False]), 1, (1.0,)).say(data, Pairs(day=np.zeros(3, dtype=np.int64), station=np.arange(3), lead=1))
    assert stated.climatology.tolist() == [2.0, 5.0, 3.5]
    assert stated.p_climatology.tolist() == [[0.5], [1.0], [0.75]]


def test_climatology_goes_by_the_station_s_name() -> None:
    """Trained on one set, asked about another in another order: a's climate is a's, and a stranger gets the pooled one."""
    train = daily(np.array([[1.0, 4.0], [3.0, 6.0]]))
    asked = replace(daily(np.ones((3, 3))), stations=("b", "stranger", "a"))
    stated = fit_references(train, ALL[:2], 1, ()).say(asked, Pairs(day=np.zeros(3, dtype=np.int64), station=np.arange(3), lead=1))
    assert stated.climatology.tolist() == [5.0, 3.5, 2.0]
    assert stated.p_logistic.shape == (3, 0)


def test_week_mean_by_hand() -> None:
    """The day and the six before it, of those that were observed; NaN until something was."""
    values = np.array([np.nan, 1.0, np.nan, 3.0, 5.0, 5.0, 5.0, 5.0, 11.0])
    expected = [np.nan, 1.0, 1.0, 2.0, 3.0, 3.5, 19 / 5, 24 / 6, 34 / 6]
    assert week_mean(values[:, None])[:, 0] == pytest.approx(expected, nan_ok=True)
    assert week_mean(np.ones((2, 1)))[:, 0].tolist() == [1.0, 1.0]


def test_season_by_hand() -> None:
    """1 January is at (1, 0); half a year on it is opposite; the same day of another year is the same."""
    cos, sin = season(np.array(["2021-01-01", "2021-07-02", "2009-07-02"], dtype="datetime64[D]"))
    assert cos == pytest.approx([1.0, -1.0, -1.0], abs=1e-3)
    assert sin == pytest.approx([0.0, 0.0, 0.0], abs=0.02)


def test_whole_years_know_the_season_and_dry_seasons_the_week() -> None:
    """Decided by the months training issues stand in: ten of twelve are a whole year, nine are not."""
    values = walk(365)
    days = daily(values).days
    for months, whole in ((10, True), (9, False), (6, False)):
        late = days >= np.datetime64("2021-01") + months
        data = daily(np.where(late[:, None], np.nan, values))
        fitted = fit_references(data, ALL, 1, (1.0,))
        assert fitted.whole_year is whole
        assert fitted.logistic[0].weights.shape == ((3,) if whole else (2,))


@pytest.mark.parametrize("curved", [False, True])
def test_logistic_persistence_finds_the_odds_it_was_made_from(curved: bool) -> None:
    """Tomorrow is over 1 with odds −2 + 1.5 today (or 3 log1p(today)), the week says nothing more: 4,000 rows give these back within the noise."""

    def odds(today: Floats) -> Floats:
        return 1 / (1 + np.exp(2 - (3 * np.log1p(today) if curved else 1.5 * today)))

    rng = np.random.default_rng(4)
    today = rng.gamma(2.0, 0.6, (200, 20))
    over = rng.random(today.shape) < odds(today)
    values = np.full((1600, 20), np.nan)  # a pair of days, then a week without any: then the mean of the week is today's value
    values[::8], values[1::8] = today, np.where(over, 2.0, 0.0)
    data = daily(values, "2020-02-01")
    months = data.days.astype("datetime64[M]").astype(int) % 12
    data = replace(data, target=np.where((months < 6)[:, None], values, np.nan))
    fitted = fit_references(data, np.ones(20, dtype=bool), 1, (1.0,), curved=curved)
    assert not fitted.whole_year
    for value in (0.2, 1.0, 3.0):
        asked = daily(np.array([[value], [0.0]]))
        assert fitted.say(asked, Pairs.of(asked, 1)).p_logistic[0, 0] == pytest.approx(odds(np.array(value)), abs=0.04)


def test_logistic_persistence_knows_the_value_as_it_is_measured() -> None:
    """Today's value and the plain mean of the week, in the target's unit; `curved` log1p of these two."""
    data = daily(np.array([[0.5], [2.0], [4.5]]))
    pairs = Pairs(day=np.array([2]), station=np.array([0]), lead=1)
    assert features(data, pairs, whole_year=False).tolist() == [[4.5, 7 / 3]]
    assert features(data, pairs, whole_year=False, curved=True)[0] == pytest.approx(np.log1p([4.5, 7 / 3]))


@pytest.mark.parametrize("curved", [False, True])
def test_logistic_persistence_is_calibrated_where_it_was_trained(curved: bool) -> None:
    """The unpenalised fit's own condition: probabilities and events have one sum, and one sum weighted by each feature."""
    data = daily(walk(150, seed=2))
    pairs = Pairs.of(data, 3)
    p = fit_references(data, ALL, 3, (1.0, 2.0), curved=curved).say(data, pairs).p_logistic
    x = features(data, pairs, whole_year=False, curved=curved)
    for i, line in enumerate((1.0, 2.0)):
        left = p[:, i] - (pairs.truth(data) > line)
        assert left.sum() == pytest.approx(0.0, abs=1e-3 * len(left))
        assert left @ x == pytest.approx([0.0, 0.0], abs=1e-3 * len(left))


def test_logistic_persistence_where_nothing_or_everything_was_over() -> None:
    """Training without an event says 0, with nothing else 1: no fit, no error."""
    data = daily(walk(150) + 1.0)
    p = fit_references(data, ALL, 1, (0.5, 1e6)).say(data, Pairs.of(data, 1)).p_logistic
    assert (p[:, 0] == 1.0).all()
    assert (p[:, 1] == 0.0).all()


def test_values_below_zero() -> None:
    """As they are measured, water levels among them; `curved`, where below −1 there is no log1p, as 0. Never NaN."""
    values = walk(150)
    values[40:60] = -3.0
    data = daily(values)
    at = Pairs(day=np.array([50]), station=np.array([0]), lead=1)
    assert features(data, at, whole_year=False).tolist() == [[-3.0, -3.0]]
    assert features(data, at, whole_year=False, curved=True).tolist() == [[0.0, 0.0]]
    for curved in (False, True):
        assert np.isfinite(fit_references(data, ALL, 1, (1.0,), curved=curved).say(data, Pairs.of(data, 1)).p_logistic).all()


def test_untrained_stations_teach_nothing() -> None:
    """Other values at a station outside the mask leave every fitted number as it was."""
    values = walk(150)
    changed = values.copy()
    changed[:, 2] = 50.0
    mask = np.array([True, True, False])
    one, other = (fit_references(daily(v), mask, 1, (1.0,)) for v in (values, changed))
    asked = daily(walk(60, seed=9))
    assert same(one.say(asked, Pairs.of(asked, 1)), other.say(asked, Pairs.of(asked, 1)))


def test_the_future_changes_no_reference() -> None:
    """Whatever comes after the issue's day, at any station: not one bit of what is said of it differs."""
    data = daily(walk(200))
    fitted = fit_references(data.first(100), ALL, 7, (1.0,))
    pairs = Pairs.of(data, 7)
    pairs = pairs.where(pairs.day == 150)
    scrambled = data.target.copy()
    scrambled[151:] = np.random.default_rng(1).gamma(2.0, 5.0, scrambled[151:].shape)
    assert len(pairs.day) == 3
    assert same(fitted.say(data, pairs), fitted.say(daily(scrambled), pairs))


def test_fitted_twice_or_unpickled_it_says_the_same() -> None:
    """Deterministic, and it can be kept in a file."""
    data = daily(walk(150))
    one = fit_references(data, ALL, 3, (1.0,))
    kept: References = pickle.loads(pickle.dumps(one))  # noqa: S301 (our own bytes)
    for other in (fit_references(data, ALL, 3, (1.0,)), kept):
        assert same(one.say(data, Pairs.of(data, 3)), other.say(data, Pairs.of(data, 3)))


def test_a_lead_longer_than_the_training_is_refused() -> None:
    """The error names the lead, the days there are and the way out; so does a mask without a station, or of another length."""
    data = daily(walk(10))
    with pytest.raises(ConfigError, match="lead 14: no two observed days 14 apart among 10 training days at 3 stations: end the training later"):
        fit_references(data, ALL, 14, (1.0,))
    with pytest.raises(ConfigError, match="at 0 stations"):
        fit_references(data, ~ALL, 1, (1.0,))
    with pytest.raises(ConfigError, match=r"mask of shape \(2,\) for 3 stations"):
        fit_references(data, ALL[:2], 1, (1.0,))


def test_another_lead_is_refused() -> None:
    """References are of one lead."""
    data = daily(walk(60))
    with pytest.raises(ConfigError, match="fitted for lead 1 are asked for lead 3: fit them for each lead"):
        fit_references(data, ALL, 1, (1.0,)).say(data, Pairs.of(data, 3))
