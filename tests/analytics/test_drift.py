"""Drift: said where the record is clearly worse than the card, and not before there is enough of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from analytics.drift import drift, since_month
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
    assert drift(hours, [score(n=500, error=9.0, lead=24, target="hour")]) is not None
    assert drift(hours, [score(n=500, error=9.0, lead=48, target="hour")]) is None


def test_a_card_without_a_score_is_held_to_coverage_alone() -> None:
    """There is nothing its error could be held against."""
    bare = replace(CARD, held_out=None)
    assert drift(bare, [score(n=500, error=9.0)]) is None
    assert drift(bare, [score(n=500, inside=0.5)]) is not None


def test_the_record_is_looked_at_from_thirty_days_back_on() -> None:
    """By months; where it was promoted later from that month on."""
    assert since_month(CARD, date(2026, 3, 2)) == 202601
    assert since_month(replace(CARD, promoted_at=1_772_402_400_000), date(2026, 3, 20)) == 202603
