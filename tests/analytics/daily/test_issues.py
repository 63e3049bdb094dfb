"""The issues that are learned from: all of them up to a bound, and beyond it a draw that seasons and rare stations survive."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.daily.dressing import Scale
from analytics.daily.gaussian import Kernel
from analytics.daily.issues import Issues, drawn
from analytics.daily.models.ensemble import fit_ensemble
from analytics.daily.models.gaussian import fit_gaussian
from analytics.daily.panel import Daily
from analytics.daily.spread import left_out, seasons

SCALE = Scale(unit=1.0, curved=True, floor=0.0)
LINES = (1.0, 4.0)
NAMES = ("target", "high", "low", "mean", "last", "evening")


def panel(days: int = 730, stations: int = 4) -> Daily:
    """Salt of springs and neaps and of winters, with noise."""
    rng, t = np.random.default_rng(1), np.arange(days)[:, None]
    salt = np.exp(np.cos(2 * np.pi * t / 365.25) + 0.4 * np.cos(2 * np.pi * t / 14.765) + rng.normal(0, 0.2, (days, stations)))
    start = np.datetime64("2020-01-01")
    return Daily(
        zone="Asia/Ho_Chi_Minh",
        days=start + np.arange(days),
        stations=tuple(f"s{i}" for i in range(stations)),
        drivers={},
        **dict.fromkeys(NAMES, salt),
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=2, max_size=300), st.data())
def test_a_draw_is_fair(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    """As many as asked for, each once and in order; of a season, and of a station in it, all or at most one fewer than of any other."""
    season, station = (np.array(part, dtype=np.int64) for part in zip(*rows, strict=True))
    most = data.draw(st.integers(1, len(rows) - 1))
    some = drawn(season, station, most)
    assert len(some) == most
    assert (np.diff(some) > 0).all()
    _fair(np.bincount(season, minlength=4), np.bincount(season[some], minlength=4))
    for one in range(4):
        _fair(np.bincount(station[season == one], minlength=6), np.bincount(station[some][season[some] == one], minlength=6))
    assert (drawn(season, station, most) == some).all()


def _fair(there: np.ndarray, taken: np.ndarray) -> None:
    cut = taken < there
    assert not cut.any() or taken[cut].min() >= taken.max() - 1


def test_a_rare_station_and_a_short_season_keep_all() -> None:
    """Twenty days of a fourth station, and a third winter of which a week is over, are all learned from; the rest is shared."""
    daily = panel(days=860)
    target = daily.target.copy()
    target[:, 3] = np.nan
    target[100:120, 3] = 1.0
    issues = Issues.of(replace(daily, target=target), SCALE, most=400)
    assert len(issues.day) == 400
    assert (issues.station == 3).sum() == 20
    shares = np.bincount(seasons(daily.days[issues.day], SCALE.of(target[issues.day, issues.station])))
    assert shares.min() > 100


@pytest.fixture
def usual_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its seven numbers cost seconds and have nothing to do with a draw."""
    monkeypatch.setattr("analytics.daily.models.gaussian.fit_kernel", lambda values, above: Kernel())


@pytest.mark.usefixtures("usual_kernel")
def test_under_the_bound_nothing_is_drawn() -> None:
    """Every day with a value, in the panel's order; a model of as many is to the bit that of any bound, of one fewer it is another."""
    daily = panel(days=200, stations=2)
    every = Issues.of(daily, SCALE, most=400)
    assert (every.day * 2 + every.station == np.arange(400)).all()
    at = (np.array([150, 199]), np.array([0, 1]))
    unbound, same, other = (fit_gaussian(daily, (1,), LINES, most=most).say(daily, *at)[1].quantiles.tobytes() for most in (10**9, 400, 399))
    assert same == unbound
    assert other != unbound


@pytest.mark.usefixtures("usual_kernel")
def test_an_ensemble_learns_from_the_draw() -> None:
    """Of 2,920 issues it learns from under 320, and speaks of all stations."""
    daily = panel()
    model = fit_ensemble(daily, (1,), LINES, most=320)
    bare = model.leads[1].bare
    assert bare is not None
    assert 300 <= len(bare.errors.error) <= 320
    assert np.isfinite(model.say(daily, np.full(4, 729), np.arange(4))[1].quantiles).all()


def test_a_season_of_few_days_is_left_out_whole() -> None:
    """Most rows on the first of its days: there are no halves; every row is left out once, and something is left to learn from."""
    days = np.concatenate((np.repeat(np.datetime64("2024-01-01") + np.arange(90), 2), np.repeat(np.datetime64("2025-01-01") + np.arange(3), (300, 20, 20))))
    parts = list(left_out(days, (days >= np.datetime64("2025-01-01")).astype(np.int64)))
    assert [int(here.sum()) for _, here in parts] == [180, 340]
    assert [int(there.sum()) for there, _ in parts] == [340, 180]


@pytest.mark.usefixtures("usual_kernel")
def test_seasons_that_touch_teach_nothing() -> None:
    """Nearly all issues lie within a week of the turn of the year, where the freshest month begins: without one season none 15 days away is left."""
    daily = panel(days=440, stations=100)
    daily = replace(daily, days=np.datetime64("2020-10-01") + np.arange(440))
    salt = np.full((440, 100), np.nan)
    salt[np.arange(440) % 15 < 2, 0] = 1.0
    salt[85:92], salt[92:99] = 2.0, 0.1
    model = fit_ensemble(replace(daily, **dict.fromkeys(NAMES, salt)), (1,), LINES)
    assert model.leads[1].bare is None
    assert model.alone.errors[1] is not None
