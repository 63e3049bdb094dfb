"""Rules for every forecast model, parametrised over the registry: a new model file is tested the moment it exists."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.history import DAY_MS, History
from analytics.model import Issue, Model, models
from core.bands import LINES
from core.forecast import HOUR_MS, QUANTILES, TARGETS, Forecast

MODELS = models()
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
ISSUED = 1_772_316_000_000 + 22 * HOUR_MS  # 2026-03-02 05:00 in Vietnam
ZONE = "Asia/Ho_Chi_Minh"


def history(seed: int, *, days: float = 40.0, step_ms: int = HOUR_MS, lost: float = 0.0, top: float = 8.0, station: str = "kl") -> History:
    """Tides with noise and holes, up to two days beyond the issue."""
    rng = np.random.default_rng(seed)
    time = np.arange(ISSUED - int(days * DAY_MS), ISSUED + 2 * DAY_MS, step_ms, dtype=np.int64)
    time = time[rng.random(len(time)) >= lost]
    tide = 1.0 + np.sin(2 * np.pi * time / (12.42 * HOUR_MS)) * np.cos(2 * np.pi * time / (29.5 * DAY_MS))
    return History(station=f"{station}{seed}", point="main", zone=ZONE, time=time, value=np.round(top * tide * rng.random() + 0.3 * rng.random(len(time)), 2))


worlds = st.builds(
    lambda seeds, days, step, lost, top: [history(s, days=days, step_ms=step, lost=lost, top=top) for s in seeds],
    st.lists(st.integers(0, 10_000), min_size=1, max_size=3, unique=True),
    st.sampled_from([2.0, 4.0, 12.0, 30.0, 70.0]),
    st.sampled_from([HOUR_MS // 2, HOUR_MS, 2 * HOUR_MS]),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([0.0, 0.4, 3.0, 12.0]),
)
issue_times = st.integers(-26 * HOUR_MS, 26 * HOUR_MS).map(lambda shift: ISSUED + shift)


def said(model: Model, world: Sequence[History], at: int) -> dict[str, list[Issue | None]]:
    return {target: model.say(target, world, range(len(world)), at, ()) for target in model.targets}


def tampered(h: History, at: int, seed: int) -> History:
    """The same before `at`; from then on rows altered, removed and added."""
    rng = np.random.default_rng(seed)
    before = h.time < at
    late = h.time[~before][rng.random(int((~before).sum())) < 0.5]
    added = at + rng.integers(0, 3 * DAY_MS, size=20)
    time = np.concatenate([h.time[before], np.unique(np.concatenate([late, added, [at]]))])
    value = np.concatenate([h.value[before], rng.uniform(0, 40, size=len(time) - int(before.sum()))])
    return History(station=h.station, point=h.point, zone=h.zone, time=time, value=value)


@every_model
def test_what_a_model_is(model: Model) -> None:
    """Its name is its file's, it has a version, and its targets are known ones."""
    assert MODELS[model.name] is model
    assert model.version
    assert set(model.targets) <= set(TARGETS)
    assert model.targets


@every_model
@settings(max_examples=60)
@given(world=worlds, at=issue_times, seed=st.integers(0, 1000))
def test_nothing_from_the_issue_on_changes_a_forecast(model: Model, world: list[History], at: int, seed: int) -> None:
    """Altering, adding or removing anything at or after the issue time, at any point, changes no bit of any forecast."""
    assert said(model, world, at) == said(model, [tampered(h, at, seed + i) for i, h in enumerate(world)], at)


@every_model
@settings(max_examples=60)
@given(world=worlds, at=issue_times)
def test_a_forecast_is_sound(model: Model, world: list[History], at: int) -> None:
    """Leads and times rise, quantiles rise and are finite and ≥ 0, 0 < p < 1 and p falls as the line rises; so through `exceedance`."""
    for target, issues in said(model, world, at).items():
        for h, issue in zip(world, issues, strict=True):
            if issue is None:
                continue
            assert len(issue.leads) == len(issue.times) == len(issue.quantiles) == len(issue.p_gt) > 0
            assert all(a < b for a, b in pairwise(issue.leads))
            assert all(a < b for a, b in pairwise(issue.times))
            assert all(t > at or (target == "hour" and t > at - HOUR_MS) for t in issue.times)
            for q, p in zip(issue.quantiles, issue.p_gt, strict=True):
                assert (len(q), len(p)) == (len(QUANTILES), len(LINES))
                assert all(math.isfinite(x) and x >= 0 for x in q)
                assert all(a <= b for a, b in pairwise(q))
                assert all(0 < x < 1 for x in p)
                assert all(a >= b for a, b in pairwise(p))
            forecast = kept(h, target, issue, at)
            by_limit = [forecast.exceedance(0, limit) for limit in (0.1, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0)]
            assert all(a >= b for a, b in pairwise(by_limit))


@every_model
@settings(max_examples=20)
@given(world=worlds, at=issue_times)
def test_the_same_again_and_nothing_is_touched(model: Model, world: list[History], at: int) -> None:
    """Deterministic; histories are left as they were; the order of the points and who else is asked for play no part."""
    before = [(h.time.copy(), h.value.copy()) for h in world]
    first = said(model, world, at)
    backwards = {t: model.say(t, world[::-1], [len(world) - 1], at, ()) for t in model.targets}
    assert {t: issues[:1] for t, issues in first.items()} == backwards
    assert all(np.array_equal(h.time, t) and np.array_equal(h.value, v) for h, (t, v) in zip(world, before, strict=True))


@every_model
def test_no_readings_no_forecast(model: Model) -> None:
    """Of a point without readings nothing is said, whatever others have."""
    empty = History(station="e", point="main", zone=ZONE, time=np.zeros(0, dtype=np.int64), value=np.zeros(0))
    for target in model.targets:
        assert model.say(target, [empty], [0], ISSUED, ()) == [None]
        assert model.say(target, [history(1), empty], [1], ISSUED, ()) == [None]


def kept(h: History, target: str, issue: Issue, at: int) -> Forecast:
    return Forecast(
        org="o",
        station=h.station,
        point=h.point,
        target=target,
        model="m",
        version="1",
        issued_at=at,
        data_until=at,
        inputs="",
        leads=issue.leads,
        times=issue.times,
        quantiles=issue.quantiles,
        p_gt=issue.p_gt,
    )
