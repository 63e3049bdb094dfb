"""`score` and `compare`: which rows count, what stands in which key, and what changes nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.daily.compare import compare
from analytics.daily.model import LEVELS, MEDIAN, Said
from analytics.daily.panel import Daily, Floats, Pairs
from analytics.daily.references import fit_references
from analytics.daily.rows import scored_rows
from analytics.daily.scores import brier
from analytics.daily.verify import POOLED, Score, score
from core.errors import ConfigError

LINES = (0.5, 1.0, 1.5)
LEAD = 3
KEYS = [
    "station",
    "lead_days",
    "threshold",
    "n",
    "prevalence",
    "rmse",
    "rmse_persistence",
    "rmse_climatology",
    "nse",
    "bias",
    "crps",
    "coverage90",
    "within_30pct",
    "brier",
    "bss_climatology",
    "bss_persistence",
    "bss_logistic",
    "bss_logistic_lo",
    "bss_logistic_hi",
    "hit_rate",
    "false_alarm_ratio",
]


def daily(values: Floats, first: str) -> Daily:
    same = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), values)
    days = np.datetime64(first) + np.arange(len(values))
    return Daily(zone="Asia/Ho_Chi_Minh", days=days, stations=tuple("abcdef"[: values.shape[1]]), drivers={}, **same)


def salinity(days: int = 300, stations: int = 3) -> Floats:
    rng = np.random.default_rng(11)
    spring = 1.5 + np.sin(2 * np.pi * np.arange(days)[:, None] / 14.77) * np.linspace(0.5, 1.5, stations)
    values = np.maximum(spring + rng.normal(0, 0.6, (days, stations)), 0) * np.linspace(0.7, 2.0, stations)
    return np.where(rng.random(values.shape) < 0.1, np.nan, values)


def saying(pairs: Pairs, seed: int = 0) -> Said:
    """Something of the right shape, some of it right."""
    rng, k = np.random.default_rng(seed), len(pairs.day)
    quantiles = np.sort(rng.gamma(2.0, 1.0, (k, len(LEVELS))), axis=1)
    return Said(point=quantiles[:, MEDIAN], quantiles=quantiles, p_gt=-np.sort(-rng.random((k, len(LINES))), axis=1))


def perfect(data: Daily, pairs: Pairs) -> Said:
    truth = pairs.truth(data)
    return Said(point=truth, quantiles=np.repeat(truth[:, None], len(LEVELS), axis=1), p_gt=(truth[:, None] > np.array(LINES)).astype(float))


def issues_after_training(data: Daily) -> Pairs:
    pairs = Pairs.of(data, LEAD)
    return pairs.where(pairs.day >= 150)


DATA = daily(salinity(), "2021-12-01")
PAIRS = issues_after_training(DATA)
REFERENCES = fit_references(DATA.first(150), np.ones(3, dtype=bool), LEAD, LINES)
SAID = saying(PAIRS)


def take(rows: np.ndarray) -> tuple[Pairs, Said]:
    return Pairs(day=PAIRS.day[rows], station=PAIRS.station[rows], lead=LEAD), Said(
        point=SAID.point[rows], quantiles=SAID.quantiles[rows], p_gt=SAID.p_gt[rows]
    )


def test_the_keys_are_those_of_the_interface() -> None:
    """`--json` prints them in this order; others read them by these names."""
    assert [f.name for f in fields(Score)] == KEYS


def test_pooled_first_then_each_station_values_then_lines() -> None:
    """Of four groups one Score of values (threshold None) and one for each line; stations together are all."""
    found = score(DATA, PAIRS, SAID, LINES, REFERENCES)
    assert [(s.station, s.threshold) for s in found] == [(name, line) for name in (POOLED, "a", "b", "c") for line in (None, *LINES)]
    assert {s.lead_days for s in found} == {LEAD}
    assert sum(s.n for s in found if s.threshold is None and s.station != POOLED) == found[0].n == len(PAIRS.day)


def test_each_kind_fills_its_own_keys() -> None:
    """Scores of values have no Brier, scores of events no RMSE; with data enough nothing else is None; all of it is JSON."""
    for one in score(DATA, PAIRS, SAID, LINES, REFERENCES):
        given_here = {name for name, value in asdict(one).items() if value is not None}
        if one.threshold is None:
            assert given_here == {*KEYS[:2], "n", *KEYS[5:13]}
        else:
            assert given_here == {*KEYS[:5], *KEYS[13:]}
        assert json.loads(json.dumps(asdict(one), allow_nan=False)) == asdict(one)


def test_figures_of_a_station_by_hand() -> None:
    """Station b, line 1: every figure again from its plain formula."""
    point, event = (s for s in score(DATA, PAIRS, SAID, LINES, REFERENCES) if s.station == "b" and s.threshold in {None, 1.0})
    rows = PAIRS.station == 1
    truth, said, today, p = PAIRS.truth(DATA)[rows], SAID.point[rows], DATA.target[PAIRS.day[rows], 1], SAID.p_gt[rows, 1]
    trained = DATA.target[:150, 1]
    trained = trained[~np.isnan(trained)]
    over, stated = truth > 1.0, REFERENCES.say(DATA, PAIRS)
    assert point.rmse == pytest.approx(math.sqrt(np.mean((said - truth) ** 2)))
    assert point.rmse_persistence == pytest.approx(math.sqrt(np.mean((today - truth) ** 2)))
    assert point.rmse_climatology == pytest.approx(math.sqrt(np.mean((trained.mean() - truth) ** 2)))
    assert point.nse == pytest.approx(1 - np.mean((said - truth) ** 2) / truth.var())
    assert point.bias == pytest.approx(np.mean(said - truth))
    assert point.coverage90 == pytest.approx(np.mean((SAID.quantiles[rows, 0] <= truth) & (truth <= SAID.quantiles[rows, 18])))
    assert point.within_30pct == pytest.approx(np.mean(np.abs(said - truth) <= 0.3 * truth))
    own = np.mean((p - over) ** 2)
    assert (event.n, event.prevalence, event.brier) == pytest.approx((rows.sum(), over.mean(), own))
    assert event.bss_climatology == pytest.approx(1 - own / np.mean((np.mean(trained > 1.0) - over) ** 2))
    assert event.bss_persistence == pytest.approx(1 - own / np.mean((today > 1.0) != over))
    assert event.bss_logistic == pytest.approx(1 - own / brier(stated.p_logistic[rows, 1], over))
    assert event.hit_rate == pytest.approx(np.mean(p[over] >= 0.5))
    assert event.false_alarm_ratio == pytest.approx(np.mean(~over[p >= 0.5]))


def test_a_value_on_the_line_is_no_event() -> None:
    """Over the line is over it: of truths 1, 1 and just more, one is an event at the line 1."""
    values = DATA.target.copy()
    values[200:206, 0] = [2.0, 2.0, 2.0, 1.0, 1.0, np.nextafter(1.0, 2.0)]
    pairs = Pairs(day=np.arange(200, 203), station=np.zeros(3, dtype=np.int64), lead=LEAD)
    one = score(daily(values, "2021-12-01"), pairs, saying(pairs), LINES, REFERENCES)[2]
    assert (one.threshold, one.n, one.prevalence) == (1.0, 3, pytest.approx(1 / 3))


def test_a_perfect_forecast() -> None:
    """All error 0, all skill 1 with an interval of 1 … 1."""
    for one in score(DATA, PAIRS, perfect(DATA, PAIRS), LINES, REFERENCES):
        if one.threshold is None:
            assert (one.rmse, one.nse, one.bias, one.crps, one.coverage90, one.within_30pct) == (0.0, 1.0, 0.0, 0.0, 1.0, 1.0)
        else:
            assert (one.brier, one.bss_climatology, one.bss_persistence, one.bss_logistic) == (0.0, 1.0, 1.0, 1.0)
            assert (one.bss_logistic_lo, one.bss_logistic_hi, one.hit_rate, one.false_alarm_ratio) == (1.0, 1.0, 1.0, 0.0)


def test_a_reference_scored_as_a_forecast_has_no_skill_against_itself() -> None:
    """Logistic persistence against itself: 0, from 0 to 0; persistence's RMSE is that of persistence."""
    stated = REFERENCES.say(DATA, PAIRS)
    for one in score(DATA, PAIRS, replace(SAID, point=stated.persistence, p_gt=stated.p_logistic), LINES, REFERENCES):
        assert (one.bss_logistic, one.bss_logistic_lo, one.bss_logistic_hi) == ((None,) * 3 if one.threshold is None else (0.0,) * 3)
        assert one.rmse == one.rmse_persistence


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_order_of_rows_changes_nothing(random: object) -> None:
    """Not one bit: the rows are put in order first."""
    order = np.arange(len(PAIRS.day))
    shuffle: Callable[[object], None] = getattr(random, "shuffle")  # noqa: B009 (Hypothesis gives a random.Random)
    shuffle(order)
    pairs, said = take(order)
    assert score(DATA, pairs, said, LINES, REFERENCES) == score(DATA, PAIRS, SAID, LINES, REFERENCES)


@settings(max_examples=10)
@given(st.integers(-3000, 3000), st.integers(0, 40))
def test_a_shift_in_time_changes_nothing(days: int, before: int) -> None:
    """Neither other dates nor empty days before the first, as long as the references are the same."""
    first = np.datetime64("2021-12-01") + days - before
    moved = daily(np.vstack((np.full((before, 3), np.nan), DATA.target)), str(first))
    pairs = Pairs(day=PAIRS.day + before, station=PAIRS.station, lead=LEAD)
    assert score(moved, pairs, SAID, LINES, REFERENCES) == score(DATA, PAIRS, SAID, LINES, REFERENCES)


def test_silent_rows_are_not_scored() -> None:
    """NaN throughout is silence: the scores are those of the other rows alone, references included; n says so."""
    rows = np.random.default_rng(3).random(len(PAIRS.day)) < 0.7
    silent = Said(**{f.name: getattr(SAID, f.name).copy() for f in fields(SAID)})
    for column in (silent.point, silent.quantiles, silent.p_gt):
        column[~rows] = np.nan
    assert scored_rows(DATA, PAIRS, silent).tolist() == rows.tolist()
    assert score(DATA, PAIRS, silent, LINES, REFERENCES) == score(DATA, *take(rows), LINES, REFERENCES)


def test_a_station_never_spoken_of_stands_there_with_none() -> None:
    """It is not left out: n = 0, and no score."""
    said = Said(
        **{f.name: np.where((PAIRS.station == 0).reshape(-1, *[1] * (getattr(SAID, f.name).ndim - 1)), np.nan, getattr(SAID, f.name)) for f in fields(SAID)}
    )
    of_a = [s for s in score(DATA, PAIRS, said, LINES, REFERENCES) if s.station == "a"]
    assert [s.n for s in of_a] == [0, 0, 0, 0]
    assert all(value is None for s in of_a for name, value in asdict(s).items() if name not in KEYS[:4])


def test_rows_without_truth_or_today_are_not_scored() -> None:
    """Persistence says nothing without today's value, and nothing can be judged before the truth is there."""
    values = DATA.target.copy()
    values[200, 1] = np.nan
    rows = (PAIRS.station != 1) | ((PAIRS.day != 200) & (PAIRS.day + LEAD != 200))
    assert rows.sum() == len(PAIRS.day) - 2
    assert score(daily(values, "2021-12-01"), PAIRS, SAID, LINES, REFERENCES)[0].n == rows.sum()


def test_few_days_have_scores_and_no_interval() -> None:
    """Under five blocks of 15 days the skill stands without its interval."""
    one = score(DATA, *take(PAIRS.day < 200), LINES, REFERENCES)[2]
    assert one.bss_logistic is not None
    assert (one.bss_logistic_lo, one.bss_logistic_hi) == (None, None)


def test_compare_agrees_with_score() -> None:
    """The skills are those of the pooled Score, with an interval for each reference; a forecast of noise is significantly worse, a perfect one never."""
    pooled = {s.threshold: s for s in score(DATA, PAIRS, SAID, LINES, REFERENCES) if s.station == POOLED}
    found = {(c.threshold, c.reference): c for c in compare(DATA, PAIRS, SAID, LINES, REFERENCES)}
    assert set(found) == {(None, "persistence"), (None, "climatology")} | {
        (line, name) for line in LINES for name in ("persistence", "climatology", "logistic")
    }
    values = pooled[None]
    assert values.rmse is not None
    assert values.rmse_climatology is not None
    assert found[None, "climatology"].skill.value == pytest.approx(1 - (values.rmse / values.rmse_climatology) ** 2)
    assert found[None, "climatology"].loss == pytest.approx(values.rmse_climatology**2)
    for line in LINES:
        one, logistic = pooled[line], found[line, "logistic"].skill
        assert (one.bss_logistic, one.bss_logistic_lo, one.bss_logistic_hi) == (logistic.value, logistic.lo, logistic.hi)
        assert found[line, "persistence"].skill.value == pytest.approx(one.bss_persistence)
        assert logistic.significantly_worse()
    assert not any(c.skill.significantly_worse() for c in compare(DATA, PAIRS, perfect(DATA, PAIRS), LINES, REFERENCES))
    nothing = Said(point=SAID.point * np.nan, quantiles=SAID.quantiles * np.nan, p_gt=SAID.p_gt * np.nan)
    assert compare(DATA, PAIRS, nothing, LINES, REFERENCES) == []


def test_odds_that_only_rounding_tells_apart() -> None:
    """Logistic persistence all but sure and right: no skill of odds against it, in the scores as in the comparison; what a climate says is compared as ever."""
    values = np.repeat([0.1, 2.0, 4.0], [75, 75, 150])[:, None] + np.zeros((1, 3))
    data = daily(values, "2021-12-01")
    pairs = issues_after_training(data)
    references = fit_references(data.first(150), np.ones(3, dtype=bool), LEAD, LINES)
    assert 0 < brier(references.say(data, pairs).p_logistic[:, 0], pairs.truth(data) > LINES[0]) < 1e-6
    said = Said(point=np.full(len(pairs.day), 4.0), quantiles=np.full((len(pairs.day), len(LEVELS)), 4.0), p_gt=np.full((len(pairs.day), len(LINES)), 0.998))
    events = [one for one in score(data, pairs, said, LINES, references) if one.threshold is not None]
    assert {(one.bss_logistic, one.bss_logistic_lo, one.bss_logistic_hi, one.bss_persistence) for one in events} == {(None, None, None, None)}
    assert all(one.bss_climatology is not None and one.bss_climatology > 0.9 for one in events)
    assert not any(c.skill.significantly_worse() for c in compare(data, pairs, said, LINES, references) if c.threshold is not None)


def test_what_cannot_be_scored_is_named() -> None:
    """No row, a day that has not come, other lines, other shapes, half a row, a probability over 1: one clear line each, with the way out."""
    none = PAIRS.where(np.zeros(len(PAIRS.day), dtype=bool))
    with pytest.raises(ConfigError, match=r"lead 3: nothing to score.*widen the days"):
        score(DATA, none, saying(none), LINES, REFERENCES)
    late = Pairs(day=np.array([298]), station=np.array([0]), lead=LEAD)
    with pytest.raises(ConfigError, match="the day ahead of 2022-09-25 lies beyond 2022-09-26, the last known: score it when it has come"):
        score(DATA, late, saying(late), LINES, REFERENCES)
    with pytest.raises(ConfigError, match=r"lines \(1.0,\) are scored against references for \(0.5, 1.0, 1.5\)"):
        score(DATA, PAIRS, SAID, (1.0,), REFERENCES)
    with pytest.raises(ConfigError, match="lead 3: point, quantiles and p_gt have shapes"):
        score(DATA, PAIRS, replace(SAID, point=SAID.point[1:]), LINES, REFERENCES)
    half = SAID.point.copy()
    half[0] = np.nan
    with pytest.raises(ConfigError, match=r"^[abc], issued 2022-04-30, lead 3: some of point, quantiles and p_gt are no numbers"):
        score(DATA, PAIRS, replace(SAID, point=half), LINES, REFERENCES)
    with pytest.raises(ConfigError, match=r"probabilities from .* are said: a model keeps them within 0 and 1"):
        score(DATA, PAIRS, replace(SAID, p_gt=SAID.p_gt * 2), LINES, REFERENCES)
