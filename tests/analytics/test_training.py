"""Candidates: what is held out, that nothing of it is learned, and that everyone is asked the same about days nobody knew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import training_hours
from analytics.daily.model import LEVELS, Said
from analytics.daily.models.gaussian import fit_gaussian
from analytics.daily.panel import Daily, Floats, Index
from analytics.forecast_config import Training
from analytics.history import History
from analytics.hourly.histories import hourly_of
from analytics.hourly.model import SaidHours
from analytics.hourly.panel import Hourly
from analytics.packing import packed
from analytics.training import BASELINES, LEADS, baselines, days_read, exam, fit_candidate, held_out_days, split
from analytics.training_hours import LEADS as HOURS
from analytics.training_hours import hour_baselines, hour_exam
from core.bands import LINES

NAMES = ("target", "high", "low", "mean", "last", "evening")
RULES = Training()
HOUR = 3_600_000


def panel(days: int = 80, *, gaps: Sequence[int] = (), seed: int = 0) -> Daily:
    rng = np.random.default_rng(seed)
    salt = np.exp(0.5 * np.cos(2 * np.pi * np.arange(days)[:, None] / 14.765 + np.arange(3)) + 0.1 * rng.normal(size=(days, 3)))
    salt[list(gaps)] = np.nan
    return Daily(
        zone="Asia/Ho_Chi_Minh",
        days=np.datetime64("2026-01-01") + np.arange(days),
        stations=("a", "b", "c"),
        drivers={},
        truth=salt + 0.01,
        **dict.fromkeys(NAMES, salt),
    )


@given(st.integers(21, 2000))
def test_a_quarter_is_held_out_of_few_days_and_sixty_of_many(days: int) -> None:
    """Never under a week, never over sixty days, never all; more days never hold out fewer."""
    held = held_out_days(days, RULES)
    assert 7 <= held <= 60
    assert held <= days / 3
    assert held == 60 or held == max(days // 4, 7)
    assert held_out_days(days + 1, RULES) >= held


def test_the_last_days_with_readings_are_held_out() -> None:
    """Days without any do not count, and an installation that is too young learns nothing."""
    gaps = (*range(30, 50), *range(70, 80))
    found = split(panel(gaps=gaps), RULES)
    assert found is not None
    assert (found.days, found.learned) == (50, 70 - 12)
    assert days_read(panel(gaps=gaps)) == 50
    assert split(panel(20), RULES) is None
    assert split(panel(21), RULES) is not None


def test_nothing_that_is_held_out_is_learned() -> None:
    """Whatever is read from the first day held out on, the candidate is the same to the bit."""
    one, n = panel(60), 45
    later: dict[str, Any] = {name: np.where((np.arange(60) < n)[:, None], getattr(one, name), 99.0) for name in (*NAMES, "truth")}
    assert packed(fit_candidate(one, n)) == packed(fit_candidate(replace(one, **later), n))


@pytest.mark.parametrize(("learned", "valid_from"), [(60, None), (60, 70)])
def test_what_is_asked_about_was_learned_by_nobody(learned: int, valid_from: int | None) -> None:
    """Issued on the last day that was learned from or later, about days after it; truths are of the whole local day."""
    daily = panel()
    asked = exam(daily, learned, valid_from=valid_from)
    assert {p.lead for p in asked.pairs} == set(LEADS)
    for p in asked.pairs:
        assert (p.day >= learned - 1).all()
        assert (p.day + p.lead >= (valid_from or learned)).all()
    assert len(asked.came) == sum(len(p.day) for p in asked.pairs)
    assert daily.truth is not None
    assert set(asked.came.tolist()) <= set(daily.truth[learned:].ravel().tolist())
    assert (asked.since, asked.until) == (str(daily.days[valid_from or learned + 1]), str(daily.days[-1]))
    assert asked.near.sum() == len(asked.pairs[0].day)
    assert (asked.day == np.concatenate([daily.days[p.day + p.lead] for p in asked.pairs])).all()
    assert len(exam(daily, 80).day) == 0


@dataclass(frozen=True)
class Knowing:
    """A model that knows what comes, at some leads."""

    leads: tuple[int, ...]
    truth: Floats

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        found = {}
        for lead in self.leads:
            point = self.truth[np.minimum(day + lead, len(self.truth) - 1), station]
            found[lead] = Said(point=point, quantiles=np.repeat(point[:, None], len(LEVELS), axis=1), p_gt=(point[:, None] > LINES).astype(float))
        return found


def test_everyone_is_asked_the_same() -> None:
    """Who knows the truth scores 0 at each row, and is silent at the leads it was not fitted for."""
    daily = panel()
    asked = exam(daily, 60)
    knowing = asked.sat(Knowing(leads=LEADS[:3], truth=daily.came))
    lead = np.concatenate([np.full(len(p.day), p.lead) for p in asked.pairs])
    assert (knowing.spoke == (lead <= LEADS[2])).all()
    assert np.nanmax(knowing.crps(asked.came)) == 0
    assert knowing.leads == {1, 2, 3}, "days ahead, as they are issued"
    assert set(baselines(daily, 60, asked)) == set(BASELINES)
    assert asked.sat(fit_gaussian(daily.first(60), LEADS, LINES)).is_sound


# ---------------------------------------------------------------- hours


def hours(days: int = 30) -> tuple[Hourly, tuple[History, ...]]:
    start = 1_767_200_400_000  # midnight in Vietnam
    time = start + np.arange(0, days * 24 * HOUR, HOUR, dtype=np.int64)
    histories = tuple(
        History(station=name, point="main", zone="Asia/Ho_Chi_Minh", time=time, value=2 + np.sin(time / HOUR / 12.42 * 2 * np.pi + n))
        for n, name in enumerate("ab")
    )
    return hourly_of(histories, int(time[-1]) + HOUR, hours=days * 24 + 1), histories


@dataclass(frozen=True)
class KnowingHours:
    """A model that knows every hour, and looks at whether it is told of the one that has begun."""

    truth: Floats

    def say(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int] = HOURS) -> SaidHours:
        assert np.isnan(hourly.begun[hour]).all()
        value = self.truth[np.minimum(hour[:, None] + np.array(leads) - 1, len(self.truth) - 1), station[:, None]]
        return SaidHours(quantiles=np.repeat(value[..., None], 5, axis=2), p_gt=(value[..., None] > LINES).astype(float))

    def p_le(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int], limit: float) -> Floats:
        raise NotImplementedError


def test_everyone_is_asked_the_same_hours() -> None:
    """Who knows each hour scores 0; none is asked of before `learned`, nor of the hour that is not over; baselines speak of all of them."""
    hourly, histories = hours()
    asked = hour_exam(hourly, histories, 480)
    assert asked.issues.min() == 480
    assert asked.sat(KnowingHours(hourly.value)).crps(asked.came).max() == 0
    assert len(asked.came) == len(asked.near)
    assert asked.near.any()
    assert (str(asked.day.min()), str(asked.day.max()), len(asked.day)) == (asked.since, asked.until, len(asked.came))
    assert asked.sat(KnowingHours(hourly.value)).leads == set(HOURS)
    assert (asked.since, asked.until) == ("2026-01-21", "2026-01-30")
    for one in hour_baselines(asked, 480).values():
        assert one.is_sound
        assert one.spoke.mean() > 0.95


def test_of_many_stations_some_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ones each time, of those that were read; each with its own readings."""
    one, histories = hours()
    pick, apart = [0, 1, 0, 1, 0], 10 * np.arange(5.0)
    many = replace(one, stations=tuple("abcde"), value=one.value[:, pick] + apart, begun=one.begun[:, pick] + apart)
    many.value[480:, 1] = np.nan
    theirs = tuple(replace(histories[i % 2], station=name, value=histories[i % 2].value + apart[i]) for i, name in enumerate(many.stations))
    assert hour_exam(many, theirs, 480).hourly.stations == many.stations
    monkeypatch.setattr(training_hours, "MOST_STATIONS", 3)
    asked = hour_exam(many, theirs, 480)
    assert len(asked.hourly.stations) == 3
    assert "b" not in asked.hourly.stations
    assert [h.station for h in asked.histories] == list(asked.hourly.stations)
    assert asked.sat(KnowingHours(asked.hourly.value)).crps(asked.came).max() == 0
    assert hour_exam(many, theirs, 480).hourly.stations == asked.hourly.stations
    near = asked.persistence().quantiles[:, 2] - asked.came
    assert np.nanmedian(np.abs(near)) < 1.5, "of another station it would be off by more"


def test_baselines_of_hours_know_nothing_of_what_comes() -> None:
    """Whatever is read from the last issue on, they say the same of it."""
    hourly, histories = hours()
    last = int(hour_exam(hourly, histories, 480).issues[-1])
    later = tuple(replace(h, value=np.where(h.time >= hourly.start + last * HOUR, 50.0, h.value)) for h in histories)
    other = hourly_of(later, int(histories[0].time[-1]) + HOUR, hours=len(hourly.value))
    one, two = (hour_baselines(hour_exam(a, b, 480), 480) for a, b in ((hourly, histories), (other, later)))
    for name in one:
        assert one[name].quantiles.tobytes() == two[name].quantiles.tobytes()


def test_how_far_ahead_a_young_model_speaks_is_known_beyond_the_days_put_aside() -> None:
    """Learned from 14 days it tells fewer leads than one of 35, though the week put aside asks both for less than either tells."""
    daily = panel(21)
    asked = exam(daily, 14)
    young, older = (asked.sat(fit_candidate(panel(days), days)).leads for days in (14, 35))
    assert max(p.lead - 1 for p in asked.pairs if len(p.day)) < max(young)
    assert young < older
