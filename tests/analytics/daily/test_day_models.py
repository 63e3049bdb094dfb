"""Rules for every model of days, parametrised over the registry: a new model file is tested the moment it exists."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.daily.model import LEVELS, DayModel, Fitted, Said, day_models
from analytics.daily.panel import Daily, Floats

MODELS = day_models()
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
LEADS = (1, 3, 14)
LINES = (0.5, 1.0, 2.0, 4.0)
ARRAYS = ("target", "high", "low", "mean", "last", "evening")
DAYS = 440
TRAINED = 380  # two winters of salt, the second one only begun


def world(seed: int = 0, *, days: int = DAYS, stations: tuple[str, ...] = ("an", "binh", "cai", "dai"), scale: float = 1.0) -> Daily:
    """Salt that rises with springs and falls with discharge, with noise and gaps; the last station was never read. Nothing of it can be written to."""
    rng = np.random.default_rng(seed)
    t = np.arange(days)[:, None]
    season = 1.2 + np.cos(2 * np.pi * (t - 90) / 365) + 0.8 * np.cos(2 * np.pi * t / 14.765) + np.cumsum(rng.normal(0, 0.12, (days, 1)), axis=0)
    high = np.round(np.maximum(np.exp(0.7 * season) * np.linspace(0.2, 1.5, len(stations)) * rng.lognormal(0, 0.1, (days, len(stations))) - 0.2, 0), 2) * scale
    high[rng.random(high.shape) < 0.05] = np.nan
    high[60:75] = np.nan
    high[:, -1] = np.nan
    drivers = {"discharge": np.exp(4 - season) + 0 * high, "level": np.where(np.arange(len(stations)) == 1, np.cos(2 * np.pi * t / 14.765), np.nan)}
    parts = {"target": high, "high": high.copy(), "low": 0.4 * high, "mean": 0.7 * high, "last": 0.8 * high, "evening": 0.75 * high}
    for array in (*parts.values(), *drivers.values()):
        array.setflags(write=False)
    return Daily(zone="Asia/Ho_Chi_Minh", days=np.datetime64("2020-11-01") + np.arange(days), stations=stations, drivers=drivers, **parts)


WORLD = world()


@cache
def fitted(name: str) -> Fitted:
    return MODELS[name].fit(WORLD.first(TRAINED), LEADS, LINES)


def say(model: Fitted, daily: Daily, days: Floats | list[int]) -> Mapping[int, Said]:
    """Of all stations on these days."""
    day, station = np.meshgrid(np.array(days, dtype=np.int64), np.arange(len(daily.stations), dtype=np.int64), indexing="ij")
    return model.say(daily, day.ravel(), station.ravel())


def bits(said: Mapping[int, Said]) -> dict[int, tuple[bytes, bytes, bytes]]:
    return {lead: (s.point.tobytes(), s.quantiles.tobytes(), s.p_gt.tobytes()) for lead, s in said.items()}


def tampered(daily: Daily, day: int, seed: int) -> Daily:
    """The same up to and with `day`; later values altered, removed and added, days cut off or appended."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(day + 1, len(daily.days) + 30))

    def other(values: Floats) -> Floats:
        late = rng.uniform(-5, 60, (n - day - 1, values.shape[1]))
        late[rng.random(late.shape) < 0.4] = np.nan
        return np.concatenate((values[: day + 1], late))

    arrays = {name: other(getattr(daily, name)) for name in ARRAYS}
    return replace(daily, days=daily.days[0] + np.arange(n), drivers={name: other(values) for name, values in daily.drivers.items()}, **arrays)


def rows(said: Said) -> np.ndarray:
    """Everything of a row beside one another."""
    return np.column_stack((said.point, said.quantiles, said.p_gt))


def assert_sound(said: Mapping[int, Said], k: int) -> None:
    """Shapes, whole or silent rows, 0 ≤ p ≤ 1, order, and quantiles and chances of one distribution."""
    assert tuple(said) == LEADS
    for s in said.values():
        assert (s.point.shape, s.quantiles.shape, s.p_gt.shape) == ((k,), (k, len(LEVELS)), (k, len(LINES)))
        known = np.isfinite(rows(s))
        assert (known.all(axis=1) | ~known.any(axis=1)).all()
        assert not np.isinf(rows(s)).any()
        spoken = known.all(axis=1)
        q, p = s.quantiles[spoken], s.p_gt[spoken]
        assert (np.diff(q, axis=1) >= 0).all()
        assert ((p >= 0) & (p <= 1)).all()
        assert (np.diff(p, axis=1) <= 0).all()
        for line, chance in zip(LINES, p.T, strict=True):
            under = (q < line - 1e-6).sum(axis=1)  # so many of the quantiles lie under the line, so many over it
            over = (q > line + 1e-6).sum(axis=1)
            assert (chance <= 1 - (under - 1) * 0.05 + 1e-9).all()
            assert (chance >= (over - 1) * 0.05 - 1e-9).all()


@every_model
def test_what_a_model_is(model: DayModel) -> None:
    """Its name is its file's, and it has a version."""
    assert MODELS[model.name] is model
    assert model.version


@every_model
def test_it_speaks(model: DayModel) -> None:
    """Of most days of a station that is read, for every lead: the other rules are not kept by silence."""
    for s in say(fitted(model.name), WORLD, list(range(TRAINED, DAYS))).values():
        assert np.isfinite(rows(s)).all(axis=1).reshape(-1, len(WORLD.stations))[:, :-1].mean() > 0.75


@every_model
@settings(max_examples=20)
@given(day=st.integers(TRAINED - 1, DAYS - 1), seed=st.integers(0, 10_000))
def test_nothing_after_the_issue_day_changes_what_is_said(model: DayModel, day: int, seed: int) -> None:
    """Altering, adding or removing anything after the issue day, at any station and driver, changes no bit; nor do later days at all."""
    said = bits(say(fitted(model.name), WORLD.first(day + 1), [day]))
    assert bits(say(fitted(model.name), WORLD, [day])) == said
    assert bits(say(fitted(model.name), tampered(WORLD, day, seed), [day])) == said


@every_model
@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    days=st.lists(st.integers(0, 119), min_size=1, max_size=12),
    names=st.sampled_from([("an", "x"), ("x", "y", "z"), ("dai", "an", "x")]),
)
def test_what_is_said_is_sound(model: DayModel, seed: int, days: list[int], names: tuple[str, ...]) -> None:
    """Quantiles rise, p falls as the line rises, both are of one distribution, within one level; of stations it knows, or never saw, from the first day on."""
    other = world(seed, days=120, stations=names)
    assert_sound(say(fitted(model.name), other, days), len(days) * len(names))


@every_model
def test_the_same_again_and_the_same_when_pickled(model: DayModel) -> None:
    """Two fits say the same to the bit, and so does a pickled one; (nothing shown may be written to: the arrays refuse)."""
    said = bits(say(fitted(model.name), WORLD, [340, 350]))
    assert bits(say(model.fit(WORLD.first(TRAINED), LEADS, LINES), WORLD, [340, 350])) == said
    assert bits(say(pickle.loads(pickle.dumps(fitted(model.name))), WORLD, [340, 350])) == said  # noqa: S301 (of our own making)


@every_model
@settings(max_examples=10)
@given(some=st.lists(st.tuples(st.integers(TRAINED, DAYS - 1), st.integers(0, 3)), min_size=1, max_size=200))
def test_what_else_is_asked_changes_nothing(model: DayModel, some: list[tuple[int, int]]) -> None:
    """A row among others, in any order and number, is to the bit what it is alone."""
    day, station = (np.array(part, dtype=np.int64) for part in zip(*some, strict=True))
    together = fitted(model.name).say(WORLD, day, station)
    for i in {0, len(some) // 2, len(some) - 1}:
        alone = fitted(model.name).say(WORLD, day[i : i + 1], station[i : i + 1])
        for lead in LEADS:
            assert rows(alone[lead]).tobytes() == rows(together[lead])[i : i + 1].tobytes()


@every_model
def test_nothing_asked_nothing_said(model: DayModel) -> None:
    """No row is no error."""
    assert_sound(fitted(model.name).say(WORLD, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)), 0)


@every_model
@pytest.mark.parametrize(("stations", "days"), [(10, 60), (1, 40), (1, 400), (3, 150)])
def test_a_young_installation(model: DayModel, stations: int, days: int) -> None:
    """Weeks of readings, or a single station: what is said is sound."""
    daily = world(4, days=days, stations=tuple(f"s{i}" for i in range(stations + 1)))
    assert_sound(say(model.fit(daily.first(days - 5), LEADS, LINES), daily, [days - 5, days - 1]), 2 * (stations + 1))


@every_model
def test_another_zone(model: DayModel) -> None:
    """Asked of a zone whose tide is not known, or of a far one, it speaks all the same, and soundly."""
    for zone in ("Africa/Dakar", "America/New_York"):
        there = replace(WORLD, zone=zone)
        assert_sound(say(fitted(model.name), there, [400, 401]), 8)
        assert np.isfinite(rows(say(fitted(model.name), there, [400])[1])[:-1]).any()


@every_model
def test_of_a_station_never_read_nothing_is_said(model: DayModel) -> None:
    """Whether it was among the trained ones or not."""
    for s in say(fitted(model.name), replace(WORLD, stations=("an", "binh", "cai", "x")), [340, 341]).values():
        assert np.isnan(rows(s)[3::4]).all()
    for s in say(fitted(model.name), WORLD, [340, 341]).values():
        assert np.isnan(rows(s)[3::4]).all()


@every_model
def test_drivers_may_be_missing(model: DayModel) -> None:
    """When it speaks, when it learns, and both: the stations are spoken of all the same."""
    bare = replace(WORLD, drivers={})
    with_drivers, without = fitted(model.name), model.fit(bare.first(TRAINED), LEADS, LINES)
    for said in (say(with_drivers, bare, [340]), say(without, bare, [340]), say(without, WORLD, [340])):
        assert_sound(said, 4)
        assert all(np.isfinite(rows(s)[1]).all() for s in said.values())


@every_model
def test_too_few_days_to_learn_from(model: DayModel) -> None:
    """One day, three days, or no reading at all: sound or silent, never an error."""
    for few in (WORLD.first(1), WORLD.first(3), replace(WORLD, **{name: np.full(WORLD.target.shape, np.nan) for name in ARRAYS})):
        assert_sound(say(model.fit(few, LEADS, LINES), WORLD, [20, 340]), 8)


@every_model
def test_another_unit(model: DayModel) -> None:
    """In mg/L it speaks of the same days, errs as much (a tenth more or less) and gives like chances as in g/L; log1p bends elsewhere, so not the same."""
    there = world(scale=1000.0)
    thousand = say(model.fit(there.first(TRAINED), LEADS, [1000 * line for line in LINES]), there, list(range(TRAINED, DAYS - 14)))
    one = say(fitted(model.name), WORLD, list(range(TRAINED, DAYS - 14)))
    for lead in LEADS:
        assert (np.isfinite(rows(thousand[lead])) == np.isfinite(rows(one[lead]))).all()
        came = WORLD.target[TRAINED + lead : DAYS - 14 + lead].ravel()
        errors = [np.sqrt(np.nanmean((s.point / unit - came) ** 2)) for s, unit in ((thousand[lead], 1000), (one[lead], 1))]
        assert errors[0] == pytest.approx(errors[1], rel=0.1)
        assert np.nanmean(np.abs(thousand[lead].p_gt - one[lead].p_gt)) < 0.1


@every_model
def test_values_far_from_zero(model: DayModel) -> None:
    """River miles between 54 and 90: quantiles stay in the neighbourhood of the data, spread about the point, and every line of salinity is surely passed."""
    rng = np.random.default_rng(3)
    miles = 70 + np.clip(np.cumsum(rng.normal(0, 1.2, (DAYS, 1)), axis=0), -16, 20)
    daily = Daily(zone="America/New_York", days=WORLD.days, stations=("front",), drivers={}, **dict.fromkeys(ARRAYS, miles))
    said = say(model.fit(daily.first(TRAINED), LEADS, LINES), daily, list(range(TRAINED, DAYS)))
    for s in said.values():
        assert (s.quantiles[:, -1] - s.quantiles[:, 0] > 1).all()
        assert np.nanmin(s.quantiles) > 20
        assert np.nanmax(s.quantiles) < 150
        assert (s.p_gt[np.isfinite(s.point)] > 0.9).all()
