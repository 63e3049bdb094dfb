"""What the ensemble owes beyond every model: it learns, it knows when it may not, and it is less sure without what it learned from."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from analytics.daily.crossfit import MANY, Learned
from analytics.daily.dressing import Scale
from analytics.daily.features import inputs, known
from analytics.daily.model import Said
from analytics.daily.models.ensemble import Ensemble, fit_ensemble
from analytics.daily.models.gaussian import fit_gaussian
from analytics.daily.models.logistic import fit_lead
from analytics.daily.panel import Daily, Floats, Pairs
from analytics.daily.pool import LEARNED as SPEAKS_ALONE
from analytics.daily.pool import UNTRIED
from analytics.daily.scores import rmse
from analytics.daily.spread import quiet_share, quieter, usual
from analytics.empirical import curve

NAMES = ("high", "low", "mean", "last", "evening")
LINES = (1.0, 4.0)


def river(days: int = 660, *, heard: float = 0.4, memory: float = 0.0, own: float = 0.05) -> Daily:
    """Salt that yesterday's discharge drives by `heard`, and little else; discharge of the days ahead is not to be guessed from salt.

    By `own` each station goes ways of its own besides, and has a `memory` of them.
    """
    rng = np.random.default_rng(5)
    discharge = np.zeros(days)
    for t in range(1, days):
        discharge[t] = 0.8 * discharge[t - 1] + rng.normal(0, 1)
    salt, ways = np.zeros((days, 3)), np.zeros(3)
    for t in range(1, days):
        ways = memory * ways + rng.normal(0, own, 3)
        salt[t] = 3 * np.exp(-heard * discharge[t - 1] + ways)
    drivers = {"discharge": np.repeat(discharge[:, None], 3, axis=1)}
    return Daily(
        zone="Asia/Ho_Chi_Minh",
        days=np.datetime64("2020-01-01") + np.arange(days),
        stations=("a", "b", "c"),
        target=salt,
        drivers=drivers,
        **dict.fromkeys(NAMES, salt),
    )


RIVER = river()
LEARNED = 520


@cache
def fitted() -> Ensemble:
    return fit_ensemble(RIVER.first(LEARNED), (1, 2), LINES)


def said(daily: Daily, lead: int = 1) -> tuple[Said, Floats]:
    """Of every later day, and what came."""
    pairs = Pairs.of(RIVER, lead)
    pairs = pairs.where(pairs.day >= LEARNED)
    return fitted().say(daily, pairs.day, pairs.station)[lead], pairs.truth(RIVER)


def width(one: Said) -> Floats:
    return np.log(one.quantiles[:, -1] / one.quantiles[:, 0])


def test_it_learns_from_a_driver() -> None:
    """With discharge its errors are under half of those of the Gaussian process, which does not know it."""
    pairs = Pairs.of(RIVER, 1)
    pairs = pairs.where(pairs.day >= LEARNED)
    blind = fit_gaussian(RIVER.first(LEARNED), (1,), LINES).say(RIVER, pairs.day, pairs.station)[1]
    one, came = said(RIVER)
    assert np.abs(np.log(one.point / came)).mean() < 0.5 * np.abs(np.log(blind.point / came)).mean()


@pytest.mark.parametrize("how", ["gone", "silent for a week"])
def test_without_its_driver_it_is_less_sure_and_still_right(how: str) -> None:
    """The interval is at least twice as wide, and holds about nine of ten."""
    discharge = RIVER.drivers["discharge"].copy()
    discharge[LEARNED - 6 :] = np.nan
    there = replace(RIVER, drivers={} if how == "gone" else {"discharge": discharge})
    (sure, came), (unsure, _) = said(RIVER), said(there)
    assert np.median(width(unsure)) > 2 * np.median(width(sure))
    for one in (sure, unsure):
        assert 0.82 < ((came >= one.quantiles[:, 0]) & (came <= one.quantiles[:, -1])).mean() < 0.97


@pytest.mark.parametrize("heard", [0.0, 0.05])
def test_whoever_loses_a_driver_that_hardly_told_anything_is_no_surer(heard: float) -> None:
    """Each interval is at least as wide, on the scale, as it would be with a usual value of the driver, and wider in the middle than with its own."""
    whole = river(heard=heard, memory=0.9, own=0.25)
    gone = whole.drivers["discharge"].copy()
    gone[LEARNED - 6 :] = np.nan
    silent = replace(whole, drivers={"discharge": gone})
    model = fit_ensemble(whole.first(LEARNED), (2, 8), (1.0, 2.0, 4.0))
    for lead, learned in model.leads.items():
        assert learned.driven is not None
        pairs = Pairs.of(whole, lead)
        pairs = pairs.where(pairs.day >= LEARNED)
        found = known(
            silent, pairs.day, pairs.station, scale=model.alone.scale, kernel=model.alone.kernel, drivers=model.drivers, within=model.within, furthest=8
        )
        there, without = (model.alone.scale.of(model.say(one, pairs.day, pairs.station)[lead].quantiles) for one in (whole, silent))
        width = without[:, -1] - without[:, 0]
        assert (width >= learned.driven.width(inputs(found, lead)) * (1 - 1e-9)).all()
        assert np.median(width) > np.median(there[:, -1] - there[:, 0])


def test_it_knows_who_had_its_driver() -> None:
    """By name, whatever a later panel holds."""
    assert fitted().heard == {"discharge": ("a", "b", "c")}


def test_a_day_without_a_value_is_spoken_of_as_of_the_last_one() -> None:
    """What is said of tomorrow is what yesterday said of two days on; nothing where no lead so long was learned."""
    target = RIVER.target.copy()
    target[600, 0] = np.nan
    gap = replace(RIVER, target=target)
    at = (np.array([600]), np.array([0]))
    today, before = fitted().say(gap, *at), fitted().say(gap, np.array([599]), np.array([0]))
    assert today[1].quantiles.tobytes() == before[2].quantiles.tobytes()
    assert np.isnan(today[2].quantiles).all()


def test_one_season_is_left_to_the_gaussian_process() -> None:
    """Where no season can be left out nothing is known of a new one: the two models say the same."""
    short = RIVER.first(150)
    at = (np.array([140, 149]), np.array([0, 2]))
    one, other = (fit(short, (1, 3), LINES).say(short, *at) for fit in (fit_ensemble, fit_gaussian))
    for lead in (1, 3):
        assert one[lead].quantiles.tobytes() == other[lead].quantiles.tobytes()


# ------------------------------------------------------------ who has a say where issues are few


def mouth() -> Daily:
    """Three dry seasons of 34 psu that hardly move, each day a little as the day before: the mean of the past is as good a forecast as there is."""
    rng, days = np.random.default_rng(1), np.datetime64("2020-01-01") + np.arange(3 * 366)
    x = np.zeros(len(days))
    for t in range(1, len(x)):
        x[t] = 0.8 * x[t - 1] + rng.normal(0, 1)
    dry = days.astype("datetime64[M]").astype(np.int64) % 12 < 3
    salt = np.where(dry, 34 + 0.1 * x, np.nan)[:, None]
    return Daily(zone="UTC", days=days, stations=("a",), target=salt, drivers={}, **dict.fromkeys(NAMES, salt))


def test_where_a_plain_model_is_right_it_follows_it() -> None:
    """Two weeks ahead at a mouth that hardly moves its errors are those of logistic persistence, where the Gaussian process' are half as large again."""
    daily, learned = mouth(), 731
    pairs = Pairs.of(daily, 14)
    later = pairs.where(pairs.day >= learned + 6)
    ensemble = fit_ensemble(daily.first(learned), (14,), (33.9,))
    plain = fit_lead(daily, Pairs.of(daily.first(learned), 14), (33.9,))
    assert plain is not None
    gaussian = fit_gaussian(daily.first(learned), (14,), (33.9,))
    own, other = (rmse(model.say(daily, later.day, later.station)[14].point, later.truth(daily)) for model in (ensemble, gaussian))
    assert own < 1.05 * rmse(plain.say(daily, later, (33.9,)).point, later.truth(daily))
    assert other > 1.4 * own


def test_of_one_station_s_first_season_a_third_is_logistic_persistence_s() -> None:
    """From 60 issues on; of fewer, and of several stations, it is the Gaussian process to the bit."""
    daily = mouth()
    at = (np.array([84, 89]), np.array([0, 0]))
    ensemble, gaussian = (fit(daily.first(80), (14, 21), (33.9,)) for fit in (fit_ensemble, fit_gaussian))
    one, other = (model.say(daily, *at) for model in (ensemble, gaussian))
    beside = ensemble.leads[14].beside
    assert beside is not None
    assert beside.bare == UNTRIED
    plain = beside.logistic.say(daily, Pairs(day=at[0], station=at[1], lead=14), (33.9,))
    assert one[14].point == pytest.approx(2 / 3 * other[14].point + 1 / 3 * plain.point)
    assert one[14].p_gt == pytest.approx(2 / 3 * other[14].p_gt + 1 / 3 * plain.p_gt)
    assert one[21].quantiles.tobytes() == other[21].quantiles.tobytes()


def test_of_many_issues_what_was_learned_speaks_alone() -> None:
    """Of 1,500 and more of a lead nobody else has a say, and what is said is what was learned, to the bit."""
    model = fitted()
    day, station = np.array([540, 600]), np.array([0, 2])
    for lead, one in model.leads.items():
        assert len(Pairs.of(RIVER.first(LEARNED), lead).day) >= MANY
        assert one.beside is None
        assert one.shares(driven=True) == one.shares(driven=False) == SPEAKS_ALONE
        assert one.driven is not None
        found = known(RIVER, day, station, scale=model.alone.scale, kernel=model.alone.kernel, drivers=model.drivers, within=model.within, furthest=2)
        own = one.driven.say(inputs(found, lead), model.alone.scale, model.alone.asked)
        assert model.say(RIVER, day, station)[lead].quantiles.tobytes() == own.quantiles.tobytes()


def test_it_keeps_no_object_of_the_library_it_was_learned_with() -> None:
    """Arrays alone: a model file outlives a version of scikit-learn."""
    kept = pickle.dumps(fitted())
    assert b"sklearn" not in kept
    assert b"Forest" in kept


def test_processes_side_by_side_learn_the_same() -> None:
    """Two leads in two processes, or one after the other: equal to the bit."""
    short = replace(RIVER.first(430), drivers={})
    at = (np.array([420, 429]), np.array([0, 2]))
    one, other = (fit_ensemble(short, (1, 2), LINES, jobs=jobs).say(short, *at) for jobs in (1, 2))
    for lead in (1, 2):
        assert one[lead].quantiles.tobytes() == other[lead].quantiles.tobytes()


# ------------------------------------------------------------ how large an error it expects


def learned() -> Learned:
    found = fitted().leads[1].bare
    assert found is not None
    return found


def test_usual_is_the_middle_of_what_was_seen() -> None:
    """Standard deviations of .5, 2 and 9 spreads: 2 is usual."""
    assert usual(np.array([0.5, 4.0, 9.0]), np.array([1.0, 2.0, 1.0])) == 2.0


def test_only_the_quiet_are_more_certain() -> None:
    """At the usual standard deviation or above it the spread stays; at half of it the share of the spread goes down by half; the rest is always left."""
    found = quieter(np.ones(4), np.array([2.0, 9.0, 1.0, 0.0]), 2.0, 0.6)
    assert found == pytest.approx([1.0, 1.0, 0.7, 0.4])


def test_how_quiet_a_station_has_been_tells_less_of_days_further_ahead() -> None:
    """Three quarters of the spread of tomorrow, less of each later day, and always some."""
    shares = [quiet_share(lead) for lead in range(1, 16)]
    assert shares[0] == pytest.approx(0.75)
    assert all(later < sooner for sooner, later in pairwise(shares))
    assert shares[-1] > 0


def test_the_size_of_errors_goes_with_the_station_s_own_gaussian_process() -> None:
    """With a tenth of the usual standard deviation an issue is said to be more certain, with ten times of it not less so."""
    one = learned()
    assert one.usual is not None
    x = np.zeros((2, len(one.columns)))
    still = one.spread(np.zeros((1, len(one.spread.standard.median))))[0]
    x[:, one.columns.index("gp_sd")] = np.array([0.1, 10.0]) * one.usual * still
    calm, wild = one.size(x, np.zeros(2), np.zeros(2))
    assert calm < 0.6 * wild


def test_one_station_alone_has_no_others_to_be_quieter_than() -> None:
    """Several stations teach what is usual; of one the spread knows all there is."""
    one = fit_ensemble(RIVER.only(np.array([0])).first(LEARNED), (1,), LINES).leads[1].driven
    assert one is not None
    assert one.usual is None
    assert learned().usual is not None


def test_a_large_error_counts_as_one_of_a_spread_in_the_expected_value() -> None:
    """On a straight scale: of errors of which a tenth are 1 and a tenth are 50 spreads, the mean is that of a fifth of 1."""
    errors = np.sort(np.concatenate((np.zeros(800), np.ones(100), np.full(100, 50.0))))
    one = replace(learned(), errors=curve(errors))
    found = one.expected(np.array([5.0]), np.array([2.0]), Scale(unit=1.0, curved=False, floor=0.0))
    assert found == pytest.approx([5.0 + 2.0 * 0.2], abs=0.05)
