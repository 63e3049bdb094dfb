"""Who may speak: only what was better, on the same days, than the one that speaks and than the best baseline; and the words say which it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.promotion import LEAST, LEAST_DAYS, LEAST_SALTY, Claim, Ruling, judge

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
CAME = np.exp(np.random.default_rng(0).normal(0, 1, 200))
NEAR = np.arange(200) < 50
DAY = np.datetime64("2026-01-01") + np.arange(200) % 20


def claim(off: float, *, wide: float = 0.3) -> Claim:
    """Off by so many g/L, and as sure of it as of anything."""
    middle = CAME + off
    return Claim(
        quantiles=middle[:, None] + wide * np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), p_gt=np.repeat([[0.8, 0.5, 0.2, 0.1]], len(CAME), axis=0), levels=LEVELS
    )


def judged(candidate: Claim, spoke: Claim | None = None, **baselines: Claim) -> Ruling:
    baselines = baselines or {"persistence": claim(1.0), "climatology": claim(2.0)}
    return judge(candidate, spoke, baselines, CAME, near=NEAR, day=DAY, since="2026-01-01", until="2026-01-20")


def test_better_than_the_best_baseline_is_enough_where_no_model_speaks() -> None:
    """Its card tells on how many days, how it scored and against whom."""
    found = judged(claim(0.5))
    assert found.better
    held = found.held_out
    assert held is not None
    assert (held.n, held.baseline_name, held.spoke, held.since, held.until) == (200, "persistence", None, "2026-01-01", "2026-01-20")
    assert held.crps < held.baseline
    assert held.error == pytest.approx(0.5)
    assert (held.coverage90, judged(claim(0.7)).held_out.coverage90) == (1.0, 0.0)  # type: ignore[union-attr]  # scored, too
    assert found.why.startswith("better: ")


@pytest.mark.parametrize(
    ("off", "spoke", "worse"), [(1.5, 1.2, "the best baseline and the one that speaks"), (1.5, 1.8, "the best baseline"), (0.5, 0.2, "the one that speaks")]
)
def test_what_is_not_better_than_both_does_not_speak(off: float, spoke: float, worse: str) -> None:
    """The words name whom it did not beat, with the numbers of all three."""
    found = judged(claim(off), claim(spoke))
    assert not found.better
    assert found.why.startswith(f"not better than {worse}: ")
    assert found.held_out is not None
    assert all(f"{x:.3f}" in found.why for x in (found.held_out.crps, found.held_out.spoke, found.held_out.baseline) if x is not None)


def test_as_good_is_not_better() -> None:
    """The same model again changes nothing."""
    assert not judged(claim(0.5), claim(0.5)).better
    assert not judged(claim(1.0)).better


def silent(one: Claim, rows: slice) -> Claim:
    q, p = one.quantiles.copy(), one.p_gt.copy()
    q[rows] = np.nan
    p[rows] = np.nan
    return replace(one, quantiles=q, p_gt=p)


def test_silence_where_a_baseline_speaks_is_no_way_to_be_better() -> None:
    """Silent on more than a tenth it is not promoted, however good the rest; on less the rest is compared."""
    found = judged(silent(claim(0.1), slice(0, 21)))
    assert not found.better
    assert "silent on 21 of 200" in found.why
    found = judged(silent(claim(0.1), slice(0, 19)))
    assert found.better
    assert found.held_out is not None
    assert found.held_out.n == 181


def test_all_are_compared_on_the_same_forecasts() -> None:
    """A baseline that is right where it speaks, and speaks half of the time, does not decide; the error is of the next day's alone."""
    assert judged(claim(0.5), persistence=claim(1.0), lucky=silent(claim(0.0), slice(0, 100))).better
    near = NEAR.copy()
    near[20:] = False
    held = judge(silent(claim(0.5), slice(0, 20)), None, {"persistence": claim(1.0)}, CAME, near=near, day=DAY, since="", until="").held_out
    assert held is not None
    assert held.n == 180
    assert held.error is None, "all of the next day were among the silent ones"


@pytest.mark.parametrize("rows", [slice(0, 20), slice(0, 21), slice(0, 160), slice(30, None)])
def test_one_that_speaks_is_beaten_on_what_both_say(rows: slice) -> None:
    """However much it is silent on, while enough is left: the candidate must win there, and against the baselines on all that it says itself."""
    found = judged(claim(0.5), silent(claim(0.1), rows))
    assert not found.better
    assert found.why.startswith("not better than the one that speaks: ")
    left = 200 - len(range(200)[rows])
    assert f"where it is {claim(0.5).crps(CAME)[silent(claim(0.1), rows).spoke].mean():.3f}, on the {left} that both made" in found.why
    found = judged(claim(0.5), silent(claim(0.6), rows))
    assert found.better
    assert found.held_out is not None
    assert found.held_out.n == 200
    assert found.held_out.spoke == pytest.approx(claim(0.6).crps(CAME)[silent(claim(0.6), rows).spoke].mean())
    assert not judged(claim(1.5), silent(claim(1.8), rows)).better, "the baselines must be beaten all the same"


def mixed(good: Claim, bad: Claim, rows: slice) -> Claim:
    """The first, but for these rows."""
    q = good.quantiles.copy()
    q[rows] = bad.quantiles[rows]
    return replace(good, quantiles=q)


def test_the_baselines_are_beaten_where_the_other_is_silent_too() -> None:
    """Better than the one that speaks where that speaks, and worse than a baseline on all: not promoted."""
    found = judged(mixed(claim(0.1), claim(9.0), slice(0, 100)), silent(claim(0.6), slice(0, 100)))
    assert found.why.startswith("not better than the best baseline: ")


@pytest.mark.parametrize("rows", [slice(19, None), slice(None)])
def test_one_that_says_too_little_is_not_waited_for(rows: slice) -> None:
    """Under LEAST forecasts of the one that speaks, or under LEAST_DAYS days, it is left out, however good those are, and the words tell."""
    found = judged(claim(0.5), silent(claim(0.1), rows))
    assert found.better
    assert found.held_out is not None
    assert (found.held_out.n, found.held_out.spoke) == (200, None)
    left = 200 - len(range(200)[rows])
    assert f"the one that speaks said only {left} forecasts of {left} days and does not count" in found.why
    assert not judged(claim(1.5), silent(claim(0.1), rows)).better, "the baselines must be beaten all the same"
    of_few_days = replace(claim(0.1), quantiles=np.where((np.arange(200) % 20 < LEAST_DAYS - 1)[:, None], claim(0.1).quantiles, np.nan))
    assert "said only 60 forecasts of 6 days" in judged(claim(0.5), of_few_days).why


def test_silence_where_the_one_that_speaks_does_is_no_way_to_be_better() -> None:
    """On more than a tenth of what it says, baselines or not; nor is a lead that it tells and the candidate does not, though nobody could be asked there."""
    mute = {"persistence": silent(claim(1.0), slice(0, 21))}
    found = judged(silent(claim(0.1), slice(0, 21)), claim(0.6), **mute)
    assert not found.better
    assert "silent on 21 of 200 forecasts that the one that speaks makes" in found.why
    assert judged(silent(claim(0.1), slice(0, 19)), claim(0.6), **mute).better
    further = replace(claim(0.6), leads=frozenset({1, 2, 9, 10}))
    found = judged(replace(claim(0.1), leads=frozenset({1, 2})), further)
    assert not found.better
    assert found.why == "it does not tell 9, 10 days ahead, as the one that speaks does"
    assert judged(replace(claim(0.1), leads=frozenset({1, 2, 9, 10, 11})), further).better
    assert judged(replace(claim(0.1), leads=frozenset({1, 2})), silent(further, slice(None))).better, "it says nothing at all"


@pytest.mark.parametrize(("days", "decides"), [(1, False), (LEAST_DAYS - 1, False), (LEAST_DAYS, True)])
def test_few_days_decide_nothing(days: int, decides: bool) -> None:
    """However many forecasts there are of them: 200 of six days promote nobody, of seven they do."""
    day = np.datetime64("2026-03-01") + np.arange(200) % days
    found = judge(claim(0.1), claim(0.6), {"persistence": claim(1.0)}, CAME, near=NEAR, day=day, since="2026-03-01", until="2026-03-07")
    assert found.better is decides
    assert decides or f"only 200 forecasts of {days} days" in found.why


def test_what_is_not_a_number_promotes_nobody() -> None:
    """Neither in what was said nor in what came."""
    q = claim(0.1).quantiles.copy()
    q[0, 4] = np.inf
    assert not judged(silent(claim(0.1), slice(None))).better
    assert judged(replace(claim(0.1), quantiles=q)).held_out.n == 199  # type: ignore[union-attr]  # an infinite one is silence
    came = CAME.copy()
    came[3] = np.nan
    for spoke in (None, claim(0.6)):
        assert not judge(claim(0.1), spoke, {"persistence": claim(1.0)}, came, near=NEAR, day=DAY, since="", until="").better


@pytest.mark.parametrize(("salty", "decides"), [(0, False), (9, False), (10, True)])
def test_days_without_salt_decide_nothing(salty: int, decides: bool) -> None:
    """Where under one in twenty came to 0.5 g/L, who speaks speaks on, though the candidate scored better by a thousandth; the scores are told."""
    assert LEAST_SALTY == 0.05
    came = np.where(np.arange(200) < salty, 0.5, 0.0)

    def off(by: float) -> Claim:
        return replace(claim(0.0), quantiles=came[:, None] + by * np.array([0.5, 0.8, 1.0, 1.2, 1.5]))

    for spoke in (None, off(0.002)):
        found = judge(off(0.001), spoke, {"persistence": off(0.003)}, came, near=NEAR, day=DAY, since="2026-08-01", until="2026-08-30")
        assert found.better is decides
        assert found.held_out is not None
        assert found.held_out.crps < found.held_out.baseline
        assert decides or f"only {salty} of 200 forecasts of 2026-08-01 to 2026-08-30 came to 0.5 g/L or more" in found.why


def test_too_few_decide_nothing() -> None:
    """Under LEAST forecasts, or without a baseline, nobody is promoted and no score is stated."""
    few = LEAST - 1
    for found in (
        judged(silent(claim(0.5), slice(few, None)), persistence=silent(claim(1.0), slice(few, None))),
        judged(claim(0.5), persistence=silent(claim(1.0), slice(None))),
    ):
        assert not found.better
        assert found.held_out is None
        assert "can be held against a baseline" in found.why


@pytest.mark.parametrize("how", ["falling quantiles", "chance over 1", "chance under 0", "chances that rise"])
def test_what_cannot_be_is_not_promoted(how: str) -> None:
    """Whatever its score."""
    good = claim(0.0)
    q, p = good.quantiles.copy(), good.p_gt.copy()
    if how == "falling quantiles":
        q[3] = q[3, ::-1]
    elif how == "chances that rise":
        p[3] = p[3, ::-1]
    else:
        p[3] = 1.1 if how == "chance over 1" else -0.1
    found = judged(replace(good, quantiles=q, p_gt=p))
    assert not found.better
    assert "cannot be" in found.why


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2), st.floats(0.05, 1))
def test_promoted_is_what_has_the_lowest_score(own: float, spoke: float, base: float, wide: float) -> None:
    """Whoever takes part: it speaks exactly where its mean CRPS is the lowest of the three."""
    found = judged(claim(own, wide=wide), claim(spoke), persistence=claim(base))
    held = found.held_out
    assert held is not None
    assert held.spoke is not None
    assert found.better == (held.crps < min(held.spoke, held.baseline))
