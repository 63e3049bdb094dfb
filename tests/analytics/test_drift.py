"""Drift: said where the record is clearly worse than the card or than what was stated, and not before there are enough days of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.special import ndtr

from analytics.drift import FALSE_ALARM, LEAST_DAYS, drift, since_month, targets
from core.bands import LINES
from core.model_card import HeldOut, ModelCard
from core.record import VALUES, Score

HELD = HeldOut(since="a", until="b", n=80, crps=0.3, spoke=None, baseline=0.4, baseline_name="persistence", coverage90=0.9, error=0.4)
CARD = ModelCard(
    target="day_max", model="ensemble", version="1.x", trained_at=1, data_from="", data_until="", stations=(), drivers=(), rows=1, source="store", held_out=HELD
)


def score(*, n: int, inside: float = 0.9, error: float = 0.4, lead: int = 1, line: float = VALUES, model: str = "ensemble", target: str = "day_max") -> Score:
    return Score(
        station="a", point="main", target=target, model=model, lead=lead, line=line, bin=0, month=0, n=n, inside=round(inside * n), error=error * n
    )  # fmt: skip


def test_what_does_as_it_did_is_not_named() -> None:
    """Nor what is a little worse, nor what has no record yet."""
    for scores in ([], [score(n=500)], [score(n=500, inside=0.76, error=0.59)]):
        assert drift(CARD, scores) is None


@pytest.mark.parametrize(
    ("inside", "error", "words"), [(0.7, 0.4, "held 70% of 100 times"), (0.9, 0.7, "0.70 g/L in the mean of 100, 0.40 when"), (0.5, 0.9, " and ")]
)
def test_what_is_clearly_worse_is_named(inside: float, error: float, words: str) -> None:
    """Coverage under 75 %, or an error of the next day over one and a half times that of the card: which, and by how much."""
    found = drift(CARD, [score(n=60, inside=inside, error=error), score(n=40, inside=inside, error=error)])
    assert found is not None
    assert words in found.words
    assert (found.target, found.version) == ("day_max", "1.x")


def test_few_scored_forecasts_tell_nothing() -> None:
    """49 bad ones are no drift, 50 are."""
    assert drift(CARD, [score(n=49, inside=0.1, error=9)]) is None
    assert drift(CARD, [score(n=50, inside=0.1, error=9)]) is not None


def test_only_what_is_of_this_model_counts() -> None:
    """Another model, another target, a line's score, and for the error another day ahead are left out; hours stand under 24."""
    bad = {"n": 500, "inside": 0.1, "error": 9.0}
    others = [score(**bad, model="persistence"), score(**bad, target="day_min"), score(**bad, line=1.0), score(n=500, error=9.0, lead=7)]  # type: ignore[arg-type]  # as named
    assert drift(CARD, others) is None
    hours = replace(CARD, target="hour")
    month = 30 * 24 * 24  # each hour is told 24 times a day ahead
    assert drift(hours, [score(n=month, error=9.0, lead=24, target="hour")]) is not None
    assert drift(hours, [score(n=month, error=9.0, lead=48, target="hour")]) is None


def test_a_card_without_a_score_is_held_to_coverage_alone() -> None:
    """There is nothing its error could be held against."""
    bare = replace(CARD, held_out=None)
    assert drift(bare, [score(n=500, error=9.0)]) is None
    assert drift(bare, [score(n=500, inside=0.5)]) is not None


def test_the_record_is_looked_at_from_thirty_days_back_on() -> None:
    """By months; where it was promoted later from that month on."""
    assert since_month(CARD, date(2026, 3, 2)) == 202601
    assert since_month(replace(CARD, promoted_at=1_772_402_400_000), date(2026, 3, 20)) == 202603


# ---------------------------------------------------------------- chances, and days


def chances(
    said: float, came: float, *, stations: int = 10, days: int = 30, a_day: int = 1, lead: int = 1, line: float = 1.0, target: str = "day_max"
) -> list[Score]:
    n = days * a_day
    one = Score(station="", point="main", target=target, model="ensemble", lead=lead, line=line, bin=0, month=0, n=n, said=said * n, events=round(came * n))
    return [replace(one, station=f"s{i}") for i in range(stations)]


@pytest.mark.parametrize(("target", "lead", "a_day"), [("day_max", 1, 1), ("hour", 24, 576)])
def test_chances_that_do_not_come_as_often_as_was_said_are_named(target: str, lead: int, a_day: int) -> None:
    """Said 3 %, came 40 %, though the values are as they were; the words tell the line, what was said and what came. So are chances that are too high."""
    card = replace(CARD, target=target)
    good = [score(n=30 * a_day, lead=lead, target=target)]
    shape = {"target": target, "lead": lead, "a_day": a_day}
    found = drift(card, [*good, *chances(0.03, 0.4, **shape), *chances(0.3, 0.33, line=0.5, **shape)])  # type: ignore[arg-type]  # as named
    assert found is not None
    assert "its chances of over 1 g/L the next day are off: said 3%, came 40% (30 days)" in found.words
    assert "0.5 g/L" not in found.words
    assert drift(card, [*good, *chances(0.9, 0.4, **shape)]) is not None  # type: ignore[arg-type]  # as named
    assert drift(card, [*good, *chances(0.4, 0.47, **shape)]) is None  # type: ignore[arg-type]  # as named
    assert drift(card, [*good, *chances(0.03, 0.0, **shape)]) is None, "what is seldom may stay away for a month"  # type: ignore[arg-type]  # as named


def test_chances_far_ahead_are_looked_at_too() -> None:
    """Where those of the next day hold: over all days ahead, of which fewer are independent."""
    far = [one for lead in (2, 3) for one in chances(0.03, 0.6, lead=lead, days=60)]
    found = drift(CARD, [*chances(0.03, 0.03, days=60), *far])
    assert found is not None
    assert "its chances of over 1 g/L are off: said 3%, came 41%" in found.words


@pytest.mark.parametrize(("target", "lead"), [("max_6h", 6), ("max_24h", 24)])
def test_what_is_said_of_the_highest_of_the_next_hours_is_looked_at(target: str, lead: int) -> None:
    """Verdicts and alerts speak of it: it is the model of hours that drifts then, and no other; of one day there are 24."""
    hours = replace(CARD, target="hour")
    assert target in targets(hours)
    found = drift(hours, chances(0.03, 0.4, a_day=24, lead=lead, target=target))
    assert found is not None
    assert f"its chances of over 1 g/L within {lead} h are off: said 3%, came 40% (30 days)" in found.words
    assert drift(CARD, chances(0.03, 0.4, a_day=24, lead=lead, target=target)) is None
    assert drift(hours, chances(0.03, 0.4, days=2, a_day=24, lead=lead, target=target)) is None


def test_hours_of_one_day_are_one_day() -> None:
    """Sixty hourly scores of a bad day say nothing, nor do 500 of one day at each of ten stations; days are counted, not scores."""
    hours = replace(CARD, target="hour")
    bad = {"inside": 0.6, "error": 2.0, "lead": 24, "target": "hour"}
    assert drift(hours, [score(n=60, **bad)]) is None  # type: ignore[arg-type]  # as named
    assert drift(hours, [replace(score(n=500, **bad), station=f"s{i}") for i in range(10)]) is None  # type: ignore[arg-type]  # as named
    assert drift(hours, chances(0.03, 0.4, days=1, a_day=500, lead=24, target="hour")) is None
    few = LEAST_DAYS - 1
    assert drift(CARD, [replace(score(n=few, inside=0.1, error=9), station=f"s{i}") for i in range(10)]) is None
    assert drift(CARD, [replace(score(n=few + 10, inside=0.1, error=9), station=f"s{i}") for i in range(10)]) is not None


def looks(seed: int, *, days: int, memory: float, knows: bool, leads: tuple[int, ...], said: float = 0.0) -> Iterator[list[Score]]:
    """Sums of so many days at five stations whose waters stray from springs and neaps together, day by day less (`memory`). `knows`: the model states
    just the odds that follow from the last day; else those of any day, right in the mean, and its errors go on for days. `said`: 0, or what it says of each
    line instead."""
    rng, n, first = np.random.default_rng(seed), days, max(leads)
    time = np.arange(days + first)
    while True:
        shocks, stray = rng.normal(size=len(time)), np.zeros(len(time))
        for t in time:
            stray[t] = shocks[0] if t == 0 else memory * stray[t - 1] + math.sqrt(1 - memory**2) * shocks[t]
        scores = []
        for station in range(5):
            base = 0.4 * (station - 1) + 0.6 * np.cos(2 * np.pi * time / 14.765)
            came = np.exp(base + 0.6 * stray)[first:]
            for lead in leads:
                middle = base[first:] + (0.6 * memory**lead * stray[first - lead : len(time) - lead] if knows else 0)
                width = 0.6 * math.sqrt(1 - memory ** (2 * lead)) if knows else 0.6
                one = Score(station=f"s{station}", point="main", target="day_max", model="ensemble", lead=lead, line=VALUES, bin=0, month=0, n=n)
                inside = np.abs(np.log(came) - middle) <= 1.645 * width
                scores.append(replace(one, inside=int(inside.sum()), error=float(np.abs(came - np.exp(middle)).sum())))
                for line in LINES:
                    p = np.full(n, said) if said else 1 - ndtr((math.log(line) - middle) / width)
                    scores.append(replace(one, line=line, said=float(p.sum()), events=int((came > line).sum())))
        yield scores


@pytest.mark.parametrize(
    ("days", "memory", "knows", "leads"), [(45, 0.6, False, (1, 7)), (30, 0.7, False, (1,)), (20, 0.6, False, (1,)), (60, 0.8, True, (1, 3, 7, 14))]
)
def test_a_model_that_is_what_it_claims_is_rarely_said_to_drift(days: int, memory: float, knows: bool, leads: tuple[int, ...]) -> None:
    """Under one look in twenty, though its errors go on for days and are those of all stations at once; one whose chances are wrong is found each time."""
    look = looks(1, days=days, memory=memory, knows=knows, leads=leads)
    seen = [next(look) for _ in range(200)]
    near = [[s for s in scores if s.line == VALUES and s.lead == 1] for scores in seen]
    usual = sum(s.error for scores in near for s in scores) / sum(s.n for scores in near for s in scores)
    card = replace(CARD, held_out=replace(HELD, error=usual))
    false = sum(drift(card, scores) is not None for scores in seen)
    assert false < FALSE_ALARM * len(seen)
    wrong = looks(1, days=30, memory=memory, knows=knows, leads=leads, said=0.03)
    assert all("chances of over 0.5 g/L" in (found.words if (found := drift(card, next(wrong))) else "") for _ in range(50))
