"""Rules for every model of hours, parametrised over the registry: a new model file is tested the moment it exists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_hours import DAYS, LEARNED, OFTEN, PANEL, fitted

from analytics.hourly.model import LEADS, HourModel, SaidHours, hour_models
from analytics.hourly.panel import Hourly
from analytics.packing import packed, unpacked
from core.bands import LINES
from core.forecast import QUANTILES

MODELS = hour_models()
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
END = DAYS * 24
SOME = (1, 2, 7, 24, 25, 60, 72)


def both(said: SaidHours) -> np.ndarray:
    """Everything of a row beside one another (k, L, 9)."""
    return np.concatenate((said.quantiles, said.p_gt), axis=2)


def say(model: HourModel, hourly: Hourly, hours: list[int], leads: tuple[int, ...] = SOME) -> np.ndarray:
    """Of all stations in these hours (hours, stations, leads, 9)."""
    m = len(hourly.stations)
    said = fitted(model.name).say(hourly, np.repeat(np.array(hours, dtype=np.int64), m), np.tile(np.arange(m, dtype=np.int64), len(hours)), leads)
    return both(said).reshape(len(hours), m, len(leads), -1)


def tampered(hourly: Hourly, hour: int, seed: int) -> Hourly:
    """The same as an issue within `hour` may know it; all later is altered, removed and added, hours are cut off or appended."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(hour + 1, END + 30))

    def other(values: np.ndarray, known: int) -> np.ndarray:
        late = rng.uniform(0, 60, (n - known, values.shape[1]))
        late[rng.random(late.shape) < 0.4] = np.nan
        return np.concatenate((values[:known], late))

    return replace(hourly, value=other(hourly.value, hour), begun=other(hourly.begun, hour + 1))


def assert_sound(found: np.ndarray) -> None:
    """Whole or silent rows, 0 < p < 1, order, and quantiles and chances of one distribution."""
    known = np.isfinite(found)
    assert (known.all(axis=-1) == known.any(axis=-1)).all()
    rows = found[known.all(axis=-1)]
    q, p = rows[:, : len(QUANTILES)], rows[:, len(QUANTILES) :]
    assert (q >= 0).all()
    assert (np.diff(q, axis=1) >= 0).all()
    assert ((p > 0) & (p < 1)).all()
    assert (np.diff(p, axis=1) <= 0).all()
    for line, chance in zip(LINES, p.T, strict=True):
        for level, value in zip(QUANTILES, q.T, strict=True):
            assert (chance[value > line + 1e-9] >= 1 - level - 1e-9).all()  # what it stays under with 5 % lies over the line, so the line is passed with 95 %
            assert (chance[value < line - 1e-9] <= 1 - level + 1e-9).all()


@every_model
def test_what_a_model_is(model: HourModel) -> None:
    """Its name is its file's, and it has a version."""
    assert MODELS[model.name] is model
    assert model.version


@every_model
@pytest.mark.parametrize("hourly", [PANEL, OFTEN], ids=["every two hours", "every quarter of an hour"])
def test_it_speaks_of_every_hour(model: HourModel, hourly: Hourly) -> None:
    """Of all 72 hours, those between two readings too, wherever something was read in the six hours before: the other rules are not kept by silence."""
    found = say(model, hourly, [LEARNED, LEARNED + 1, END - 1], LEADS)
    assert np.isfinite(found[:, :-1]).all()
    assert_sound(found)


@every_model
@settings(max_examples=12)
@given(hour=st.integers(LEARNED - 1, END - 1), seed=st.integers(0, 10_000), often=st.booleans())
def test_nothing_after_the_issue_changes_what_is_said(model: HourModel, hour: int, seed: int, often: bool) -> None:
    """Altering, adding or removing anything an issue in that hour does not know, at any station, changes no bit; nor do later hours at all."""
    hourly = OFTEN if often else PANEL
    said = say(model, hourly, [hour]).tobytes()
    assert say(model, tampered(hourly, hour, seed), [hour]).tobytes() == said
    assert say(model, hourly.between(0, hour + 1), [hour]).tobytes() == said


@every_model
def test_what_was_read_before_counts(model: HourModel) -> None:
    """And what is known does change it: the last reading, and the first one of the hour that has begun."""
    hour = next(h for h in range(LEARNED, END) if np.isfinite(PANEL.begun[h, 1]) and np.isfinite(PANEL.value[h - 2, 1]))
    said = say(model, PANEL, [hour])[0, 1]
    for name, at in (("begun", hour), ("value", hour - 2)):
        array = getattr(PANEL, name).copy()
        array[at, 1] *= 3
        assert (say(model, replace(PANEL, **{name: array}), [hour])[0, 1] != said).any()


@every_model
def test_an_hour_that_has_begun_is_as_salt_as_it_was_read(model: HourModel) -> None:
    """No quantile of lead 1 lies under the reading, and a line under it is passed for sure; without it neither holds."""
    begun = PANEL.begun.copy()
    begun[END - 1, 1] = 9.0
    found = say(model, replace(PANEL, begun=begun), [END - 1], (1, 2))[0, 1]
    assert (found[0, : len(QUANTILES)] >= 9.0 - 1e-9).all()
    assert (found[0, len(QUANTILES) :] > 0.999).all()
    assert found[1, 0] < 9.0


@every_model
@settings(max_examples=6)
@given(some=st.lists(st.tuples(st.integers(LEARNED, END - 1), st.integers(0, 2)), min_size=1, max_size=150))
def test_what_else_is_asked_changes_nothing(model: HourModel, some: list[tuple[int, int]]) -> None:
    """A row among others, in any order and number, and a lead among others, is to the bit what it is alone."""
    hour, station = (np.array(part, dtype=np.int64) for part in zip(*some, strict=True))
    together = both(fitted(model.name).say(PANEL, hour, station, SOME))
    for i in {0, len(some) // 2, len(some) - 1}:
        alone = both(fitted(model.name).say(PANEL, hour[i : i + 1], station[i : i + 1], SOME))
        assert alone.tobytes() == together[i : i + 1].tobytes()
        one = both(fitted(model.name).say(PANEL, hour[i : i + 1], station[i : i + 1], SOME[3:4]))
        assert one.tobytes() == together[i : i + 1, 3:4].tobytes()


@every_model
@settings(max_examples=6)
@given(hour=st.integers(LEARNED, END - 1), limits=st.lists(st.floats(0, 30), min_size=2, max_size=5))
def test_the_chance_of_any_limit(model: HourModel, hour: int, limits: list[float]) -> None:
    """It rises with the limit, agrees with the lines to the bit, and lies between the levels of the quantiles on either side."""
    at = np.array([hour, hour], dtype=np.int64), np.array([0, 1], dtype=np.int64)
    limits = sorted([*limits, *LINES])
    one = fitted(model.name)
    chances = np.stack([one.p_le(PANEL, *at, SOME, limit) for limit in limits])
    assert ((np.diff(chances, axis=0) >= 0) | np.isnan(chances[:1])).all()
    said = one.say(PANEL, *at, SOME)
    for i, line in enumerate(LINES):
        assert np.array_equal(chances[limits.index(line)], 1 - said.p_gt[..., i], equal_nan=True)


@every_model
def test_the_same_again_and_the_same_from_a_file(model: HourModel) -> None:
    """Two fits say the same to the bit, and so does one that was packed and unpacked; (nothing shown may be written to: the arrays refuse)."""
    few = PANEL.between(LEARNED - 24 * 24, LEARNED)
    at = np.array([400, 500], dtype=np.int64), np.array([0, 1], dtype=np.int64)
    first, second = (model.fit(few) for _ in range(2))
    said = both(first.say(few, *at, SOME))
    assert np.isfinite(said).any()
    assert both(second.say(few, *at, SOME)).tobytes() == said.tobytes()
    assert both(unpacked(packed(first)).say(few, *at, SOME)).tobytes() == said.tobytes()


@every_model
@pytest.mark.parametrize("days", [3, 5, 16])
def test_a_young_point(model: HourModel, days: int) -> None:
    """Of a point that is read for three days it speaks, soundly, and nearer to what comes than the mean of those days."""
    young = replace(PANEL, value=PANEL.value.copy(), begun=PANEL.begun.copy())
    hour = END - 73
    for array in (young.value, young.begun):
        array[: hour - 24 * days] = np.nan
    found = say(model, young, [hour], LEADS)
    assert_sound(found)
    came = young.value[hour : hour + 72, 1]
    read = np.isfinite(came)
    error = np.abs(found[0, 1, :, QUANTILES.index(0.5)] - came)[read].mean()
    assert error < 0.8 * np.abs(np.nanmean(young.value[:hour, 1]) - came)[read].mean()


@every_model
@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), lost=st.sampled_from([0.1, 0.5, 0.9, 0.99]), often=st.booleans())
def test_gaps(model: HourModel, seed: int, lost: float, often: bool) -> None:
    """However much was lost, what is said is sound; of a point not read for six hours nothing is said."""
    hourly = OFTEN if often else PANEL
    gone = np.random.default_rng(seed).random(hourly.value.shape) < lost
    hourly = replace(hourly, value=np.where(gone, np.nan, hourly.value), begun=np.where(gone, np.nan, hourly.begun))
    hours = [LEARNED + 5, END - 30, END - 1]
    found = say(model, hourly, hours)
    assert_sound(found)
    for one, hour in zip(found, hours, strict=True):
        known = np.concatenate((hourly.value[hour - 6 : hour], hourly.begun[hour : hour + 1]))
        assert (np.isfinite(one).all(axis=(1, 2)) == np.isfinite(known).any(axis=0)).all()


@every_model
def test_another_zone(model: HourModel) -> None:
    """Asked of a zone whose tide is not known it speaks all the same, and learns there too."""
    there = replace(PANEL, zone="Africa/Dakar")
    assert_sound(say(model, there, [END - 1]))
    assert np.isfinite(say(model, there, [END - 1])[0, 1]).all()
    own = model.fit(there.between(LEARNED - 24 * 24, LEARNED))
    assert np.isfinite(both(own.say(there, np.array([END - 1]), np.array([1]), SOME))).all()


@every_model
def test_too_little_to_learn_from(model: HourModel) -> None:
    """An hour, two days, nothing read, always the same value: sound or silent, never an error."""
    at = np.array([END - 1, 3], dtype=np.int64), np.array([1, 0], dtype=np.int64)
    still = replace(PANEL, value=np.where(np.isfinite(PANEL.value), 0.1, np.nan), begun=np.where(np.isfinite(PANEL.begun), 0.1, np.nan))
    never = replace(PANEL, value=np.full_like(PANEL.value, np.nan), begun=np.full_like(PANEL.value, np.nan))
    for few in (PANEL.between(0, 1), PANEL.between(0, 48), never, still.between(0, 20 * 24)):
        assert_sound(both(model.fit(few).say(PANEL, *at, SOME)))


@every_model
def test_a_young_installation(model: HourModel) -> None:
    """After eleven days, when no springs before are known, it learns and speaks, and weeks later too."""
    first = model.fit(OFTEN.between(0, 11 * 24))
    found = both(first.say(OFTEN, np.array([11 * 24 - 1, END - 1]), np.array([1, 1]), SOME))
    assert np.isfinite(found).all()
    assert_sound(found)


@every_model
def test_nothing_asked_nothing_said(model: HourModel) -> None:
    """No row is no error."""
    none = np.empty(0, dtype=np.int64)
    assert both(fitted(model.name).say(PANEL, none, none)).shape == (0, 72, 9)
    assert fitted(model.name).p_le(PANEL, none, none, LEADS, 1.0).shape == (0, 72)


@every_model
def test_it_learned(model: HourModel) -> None:
    """On days it has not seen its median errs under half as much as "the same hour yesterday" at hours 2 to 24, and the 90 % interval holds 80 to 99 %."""
    hours = list(range(LEARNED, END - 72, 7))
    found = say(model, PANEL, hours, tuple(range(2, 25)))[:, :2]
    target = np.array(hours)[:, None] + np.arange(1, 24)
    came = PANEL.value[target][:, :, :2].transpose(0, 2, 1)
    yesterday = PANEL.value[target - 24][:, :, :2].transpose(0, 2, 1)
    read = np.isfinite(came) & np.isfinite(yesterday)
    low, median, high = (found[..., QUANTILES.index(q)] for q in (0.05, 0.5, 0.95))
    assert np.abs(median - came)[read].mean() < 0.5 * np.abs(yesterday - came)[read].mean()
    assert 0.8 < ((came >= low) & (came <= high))[read].mean() < 0.99
