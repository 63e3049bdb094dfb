"""A learned model of hours as it issues."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_hours import BEGIN, DAYS, LEARNED, PANEL, fitted, history

from analytics.history import MINUTE_MS, History
from analytics.hourly.histories import hourly_of
from analytics.hourly.learned import HOURS, hours_model
from analytics.hourly.model import ExplainedHours
from analytics.model import Issue, Model
from core.bands import LINES
from core.forecast import HOUR_MS, QUANTILES, REASONS
from core.model_card import ModelCard

DAY_MS = 24 * HOUR_MS
AT = BEGIN + DAYS * DAY_MS - 3 * DAY_MS + 20 * MINUTE_MS
STEPS = (2 * HOUR_MS, HOUR_MS, 15 * MINUTE_MS)
EMPTY = History(station="new", point="main", zone="Asia/Ho_Chi_Minh", time=np.zeros(0, dtype=np.int64), value=np.zeros(0))


def model() -> Model:
    card = ModelCard(
        target="hour",
        model="boosted",
        version="1.20260301-abc",
        trained_at=0,
        data_from="2026-01-10",
        data_until="2026-02-14",
        stations=(),
        drivers=(),
        rows=1,
        source="store",
        held_out=None,
    )
    return hours_model(fitted(), card)


def one(h: History, at: int = AT) -> Issue | None:
    (found,) = model().say("hour", [h], [0], at, ())
    return found


@pytest.mark.parametrize("step", STEPS)
def test_an_issue(step: int) -> None:
    """Leads 1 to 72, lead 1 the hour that holds the issue; five rising quantiles, four falling chances; in the model's own name."""
    assert (model().name, model().version, model().targets) == ("boosted", "1.20260301-abc", ("hour",))
    found = one(history(1, step=step))
    assert found is not None
    assert found.leads == tuple(range(1, 73))
    assert found.times[0] == AT - 20 * MINUTE_MS
    assert all(z - a == HOUR_MS for a, z in pairwise(found.times))
    for q, p in zip(found.quantiles, found.p_gt, strict=True):
        assert (len(q), len(p)) == (len(QUANTILES), len(LINES))
        assert all(a <= b for a, b in pairwise(q))
        assert all(a >= b for a, b in pairwise(p))
        assert all(0 < x < 1 for x in p)


@pytest.mark.parametrize(
    ("days", "old", "speaks"),
    [(30, 0, True), (30, 5, True), (30, 7, False), (3.3, 0, True), (2.0, 0, False), (0.2, 0, False)],
)
def test_when_it_says_nothing(days: float, old: int, speaks: bool) -> None:
    """Where the newest reading is older than 6 h, and where under three days were read."""
    h = history(1, lost=0).between(AT - int(days * DAY_MS), AT - old * HOUR_MS)
    assert (one(h) is not None) == speaks
    assert one(EMPTY) is None


@settings(max_examples=8)
@given(seed=st.integers(0, 1000), shift=st.integers(-30 * 60, 30 * 60), step=st.sampled_from(STEPS))
def test_nothing_from_the_issue_on_changes_it(seed: int, shift: int, step: int) -> None:
    """Readings at or after the issue altered, removed and added, at any point: the same to the bit."""
    at = AT + shift * MINUTE_MS
    rng = np.random.default_rng(seed)
    whole = [history(i, step=step) for i in (0, 1)]
    other = []
    for h in whole:
        before = h.time < at
        late = np.unique(np.concatenate([[at], at + rng.integers(0, 3 * DAY_MS, 30)]))
        other.append(
            History(
                station=h.station,
                point=h.point,
                zone=h.zone,
                time=np.concatenate([h.time[before], late]),
                value=np.concatenate([h.value[before], rng.uniform(0, 40, len(late))]),
            )
        )
    assert model().say("hour", whole, [0, 1], at, ()) == model().say("hour", other, [0, 1], at, ())


def test_points_beside_one_another() -> None:
    """Order, who else is asked for, a point without readings and one of another zone change nothing of a point's issue."""
    a, b = history(0), history(1, step=15 * MINUTE_MS)
    far = History(station="far", point="main", zone="America/New_York", time=b.time, value=b.value)
    alone = [one(h) for h in (a, b, far)]
    assert model().say("hour", [far, EMPTY, b, a], [3, 2, 1, 0], AT, ()) == [alone[0], alone[1], None, alone[2]]
    assert alone[1] != alone[2]  # the tide there is another


def test_reasons() -> None:
    """Of 24 hours ahead what moved the median most, the strongest first, none under 0.2 g/L; a last day twice as salt is told of otherwise."""
    h = history(1, lost=0)
    salter = History(station=h.station, point=h.point, zone=h.zone, time=h.time, value=np.where(h.time >= AT - DAY_MS, 2 * h.value, h.value))
    model = fitted()
    assert isinstance(model, ExplainedHours)
    told = []
    for each in (h, salter):
        found = one(each)
        assert found is not None
        effects = model.effects(hourly_of([each], AT, hours=HOURS), np.array([HOURS - 1]), np.array([0]), 24)
        wanted = {code: round(float(effect[0]), 3) for (code, _), effect in effects.items() if abs(effect[0]) >= max(0.2, 0.05 * found.quantiles[23][2])}
        assert {r.code: r.effect for r in found.reasons} == wanted
        assert all(r.code in REASONS and r.lead == 24 for r in found.reasons)
        assert all(abs(a.effect) >= abs(b.effect) for a, b in pairwise(found.reasons))
        told.append(wanted)
    assert told[0] != told[1]
    assert told[1]


def test_the_tide_is_a_reason() -> None:
    """Of an hour that is salt by the tide alone the tide speaks for saltier water more often than for fresher, of a fresh one the other way round."""
    place, hours = np.full(300, 1), np.arange(LEARNED, LEARNED + 300)
    model = fitted()
    assert isinstance(model, ExplainedHours)
    tide = model.effects(PANEL, hours, place, 24)["tide", ""]
    ahead = PANEL.value[hours + 23, 1]
    known = np.isfinite(ahead) & np.isfinite(tide)
    usual = np.nanmedian(PANEL.value[:, 1])
    assert tide[known & (ahead > usual)].mean() > tide[known & (ahead < usual)].mean()


def test_it_follows_the_tide() -> None:
    """The next day's median lies nearer to what comes than the same hour yesterday, with an issue every two hours, on the hour and within it."""
    h = history(1, lost=0)
    own, other = [], []
    for at in range(AT - 20 * MINUTE_MS - DAY_MS, AT, 2 * HOUR_MS):
        for minute in (0, 70):
            found = one(h, at + minute * MINUTE_MS)
            assert found is not None
            for time, q in zip(found.times[1:24], found.quantiles[1:24], strict=True):
                there = np.searchsorted(h.time, (time, time - DAY_MS))
                if (h.time[there] == (time, time - DAY_MS)).all():
                    own.append(abs(q[2] - h.value[there[0]]))
                    other.append(abs(h.value[there[1]] - h.value[there[0]]))
    assert len(own) > 200
    assert np.mean(own) < 0.5 * np.mean(other)
