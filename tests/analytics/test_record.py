"""The record: each interval scored once, by hand values, in any split; nothing dropped, nothing rated on a few."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.daily.histories import daily_of
from analytics.history import DAY_MS, History
from analytics.model import HISTORY_MS
from analytics.models.persistence import MODEL
from analytics.record import Record, days, records, scored
from core.forecast import HINDCAST, HOUR_MS, Forecast
from core.record import VALUES, Score, bin_of, warns

ZONE = "Asia/Ho_Chi_Minh"
DAY0 = 1_772_298_000_000  # midnight there, 1 March 2026
FIVE = DAY0 + 5 * HOUR_MS


def history(start: int, end: int, value: Callable[[int], float], *, step: int = HOUR_MS) -> History:
    times = np.arange(start, end, step, dtype=np.int64)
    return History(station="a", point="main", zone=ZONE, time=times, value=np.array([value(int(t)) for t in times]))


def issue(day: int = 0, *, p: float = 0.7, median: float = 2.0, target: str = "day_max", leads: int = 1, at: int | None = None, **more: object) -> Forecast:
    """Issued at 05:00 of a day for those after it; `p` of every line."""
    step, first = (HOUR_MS, FIVE + day * DAY_MS) if target == "hour" else (DAY_MS, DAY0 + (day + 1) * DAY_MS)
    found = Forecast(
        org="o",
        station="a",
        point="main",
        target=target,
        model="m",
        version="1",
        issued_at=FIVE + day * DAY_MS if at is None else at,
        data_until=0,
        inputs="",
        leads=tuple(range(1, leads + 1)),
        times=tuple(first + i * step for i in range(leads)),
        quantiles=((median / 2, median, median, median, median * 2),) * leads,
        p_gt=((p,) * 4,) * leads,
    )
    return replace(found, **more)  # type: ignore[arg-type]  # a test names the fields it changes


def whole(issues: Sequence[Forecast], readings: History, *, after: int = 0, days: int = 30) -> list[Score]:
    return scored(issues, readings, after=after, until=DAY0 + days * DAY_MS)


def value_of(scores: Sequence[Score]) -> Score:
    [found] = [s for s in scores if s.line == VALUES]
    return found


def line_of(scores: Sequence[Score], line: float) -> Score:
    [found] = [s for s in scores if s.line == line]
    return found


def test_one_day_by_hand() -> None:
    """70 % said, highest 3 g/L: Brier .09 under the lines 1 and 2, .49 for 4; the median erred by 1, the interval 1-4 held it; month of the day itself."""
    readings = history(DAY0, DAY0 + 2 * DAY_MS, lambda t: 3.0 if t == DAY0 + 30 * HOUR_MS else 0.6)
    found = whole([issue()], readings)
    assert len(found) == 5
    value = value_of(found)
    assert (value.n, value.missing, value.inside, value.error, value.lead, value.month) == (1, 0, 1, 1.0, 1, 202603)
    one, four = line_of(found, 1.0), line_of(found, 4.0)
    assert (one.n, one.bin, one.events, one.right, one.said) == (1, 7, 1, 1, 0.7)
    assert (one.squares, four.squares) == pytest.approx((0.09, 0.49))
    assert (four.events, four.right, one.known) == (0, 0, 0)


def test_the_lowest_of_the_day_and_the_highest_of_the_hour() -> None:
    """day_min is scored on the day's lowest; hours on their own highest, in blocks of 24 leads."""
    readings = history(DAY0, DAY0 + 4 * DAY_MS, lambda t: 3.0 if t // HOUR_MS % 2 else 0.6)
    low = whole([issue(target="day_min")], readings)
    assert line_of(low, 0.5).events == 1
    assert line_of(low, 1.0).events == 0
    hours = [s for s in whole([issue(target="hour", leads=72)], readings) if s.line == 1.0]
    assert {s.lead: (s.n, s.events) for s in hours} == {24: (24, 12), 48: (24, 12), 72: (24, 12)}


def test_what_has_no_truth_is_counted_missing() -> None:
    """A gap over 4 h in the day, and a day never read: missing, and in no line."""
    readings = history(DAY0, DAY0 + 2 * DAY_MS, lambda t: 2.0)
    hole = DAY0 + 30 * HOUR_MS
    keep = (readings.time < hole) | (readings.time > hole + 5 * HOUR_MS)
    holed = replace(readings, time=readings.time[keep], value=readings.value[keep])
    found = whole([issue(leads=2)], holed)
    assert [(s.line, s.lead, s.n, s.missing) for s in found] == [(VALUES, 1, 0, 1), (VALUES, 2, 0, 1)]


def test_a_day_counts_as_in_what_models_learn_from() -> None:
    """One sample a day is the day. Of a probe that was read by the hour until three weeks ago it is none; a month after it is again."""
    for often, missing in ((0, 0), (40, 0), (20, 1)):  # days since it was read by the hour, 0: never
        start = DAY0 + 7 * HOUR_MS - 60 * DAY_MS
        sampled = np.arange(start, DAY0 + 2 * DAY_MS, DAY_MS)
        hours = np.arange(start, DAY0 - (often - 1) * DAY_MS, HOUR_MS) if often else sampled
        times = np.unique(np.concatenate((sampled, hours)))
        readings = History(station="a", point="main", zone=ZONE, time=times, value=np.where(times == sampled[-1], 3.0, 0.6))
        value = value_of(whole([issue()], readings))
        assert (value.n, value.missing) == (1 - missing, missing), often
        [day] = days([issue()], readings, after=0, until=DAY0 + 2 * DAY_MS)
        assert day.came == (None if missing else 3.0)
        daily = daily_of([readings], (), DAY0 + 2 * DAY_MS, days=60, target="day_max")
        assert daily.truth is not None
        assert bool(np.isfinite(daily.truth[-1, 0])) == (not missing), "as daily_of says"


def test_nothing_is_scored_before_its_end() -> None:
    """An interval that ends behind `until` waits; one that ended by `after` was scored before."""
    readings = history(DAY0, DAY0 + 9 * DAY_MS, lambda t: 2.0)
    assert scored([issue()], readings, after=0, until=DAY0 + 2 * DAY_MS - 1) == []
    assert scored([issue()], readings, after=DAY0 + 2 * DAY_MS, until=DAY0 + 9 * DAY_MS) == []


def test_the_first_issue_of_a_slot_counts_and_no_hindcast() -> None:
    """A second issue of the same day ahead adds nothing, in whatever order they come; a hindcast adds nothing; another model has its own record."""
    readings = history(DAY0, DAY0 + 2 * DAY_MS, lambda t: 2.0)
    first, second = issue(p=0.9), issue(p=0.1, at=FIVE + HOUR_MS)
    assert whole([second, first], readings) == whole([first], readings)
    assert whole([issue(p=0.2, at=FIVE - HOUR_MS, version=f"1{HINDCAST}"), first], readings) == whole([first], readings)
    both = whole([first, issue(p=0.9, model="n")], readings)
    assert sorted(s.model for s in both if s.line == VALUES) == ["m", "n"]


def test_later_readings_than_the_interval_change_no_score() -> None:
    """No look-ahead and no look-aside: the score of a day is made of that day and of what was before the issue."""
    quiet = history(DAY0 - 61 * DAY_MS, DAY0 + 2 * DAY_MS, lambda t: 1.5)
    stormy = history(DAY0 - 61 * DAY_MS, DAY0 + 5 * DAY_MS, lambda t: 1.5 if t < FIVE or DAY0 + DAY_MS <= t < DAY0 + 2 * DAY_MS else 30.0)
    until = DAY0 + 2 * DAY_MS
    assert scored([issue()], quiet, after=0, until=until) == scored([issue()], stormy, after=0, until=until)


def test_the_reference_is_how_often_it_was_so_before() -> None:
    """Every second day over 1 g/L for 60 days: the reference says one half, and its Brier is .25; without 20 such days there is none."""
    readings = history(DAY0 - 62 * DAY_MS, DAY0 + 2 * DAY_MS, lambda t: 2.0 if (t - DAY0) // DAY_MS % 2 else 0.2)
    one = line_of(whole([issue()], readings), 1.0)
    assert (one.known, one.squares_known) == (1, pytest.approx(0.09))
    assert one.squares_reference == pytest.approx(0.25)
    short = history(DAY0 - 19 * DAY_MS, DAY0 + 2 * DAY_MS, lambda t: 2.0)
    assert line_of(whole([issue()], short), 1.0).known == 0


@given(cuts=st.sets(st.integers(1, 29), max_size=8), seed=st.integers(0, 9), order=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_in_any_split_and_order_the_sums_are_the_same(cuts: set[int], seed: int, order: random.Random) -> None:
    """Scored in one go or in stretches that follow each other, of issues in any order: the same record."""
    rng = np.random.default_rng(seed)
    readings = history(DAY0, DAY0 + 30 * DAY_MS, lambda t: float(rng.gamma(2.0)))
    issues = [issue(d, p=float(rng.random()), leads=14) for d in range(25)] + [issue(3, p=0.5, at=FIVE + 3 * DAY_MS + HOUR_MS, leads=14)]
    at_once = records(whole(issues, readings))
    order.shuffle(issues)
    bounds = [0, *(DAY0 + c * DAY_MS for c in sorted(cuts)), DAY0 + 30 * DAY_MS]
    parts = [s for a, z in pairwise(bounds) for s in scored(issues, readings, after=a, until=z)]
    order.shuffle(parts)
    split = records(parts)
    assert [(r.lead, r.n, r.missing, r.inside) for r in split] == [(r.lead, r.n, r.missing, r.inside) for r in at_once]
    for a, b in zip(split, at_once, strict=True):
        assert [(line.n, line.events, line.right) for line in a.lines] == [(line.n, line.events, line.right) for line in b.lines]
        assert [line.brier for line in a.lines] == pytest.approx([line.brier for line in b.lines])
    assert sum(r.n + r.missing for r in at_once) == sum(min(14, 29 - d) for d in range(25))


def test_warned_of_and_come() -> None:
    """From 6 in 10 on it is a warning. 30 days, 24 warned of, 25 salty: 22 of them warned of, 2 warnings in vain; right are the 22 and the 3 quiet ones."""
    salty = [d < 22 or d >= 27 for d in range(30)]
    said = [0.6 if d < 24 else 0.59 for d in range(30)]
    wet = dict(zip((DAY0 + (d + 1) * DAY_MS for d in range(30)), salty, strict=True))
    readings = history(DAY0, DAY0 + 31 * DAY_MS, lambda t: 2.0 if wet.get(t - (t - DAY0) % DAY_MS) else 0.2)
    [found] = records(whole([issue(d, p=p) for d, p in enumerate(said)], readings, days=31))
    one = found.lines[1]
    assert (one.n, one.events, one.warned, one.hits) == (30, 25, 24, 22)
    assert (one.hit_rate, one.false_alarms, one.right) == pytest.approx((22 / 25, 2 / 24, 25 / 30))
    four = found.lines[3]
    assert (four.events, four.hit_rate, four.false_alarms) == (0, None, 1.0), "no event, no rate of them"


def test_crops_limits_of_days() -> None:
    """1, 3, 7 and 14 days ahead, at what the issue says between its lines; with a reference; after the lines, rising."""
    readings = history(DAY0 - 40 * DAY_MS, DAY0 + 16 * DAY_MS, lambda t: 0.9)
    f = replace(issue(median=0.7, leads=14), p_gt=((0.8, 0.3, 0.1, 0.0),) * 14)
    found = scored([f], readings, after=0, until=DAY0 + 30 * DAY_MS, limits=(0.8, 0.32))
    assert {s.lead for s in found if s.line == 0.8} == {1, 3, 7, 14}
    [one] = [s for s in found if (s.line, s.lead) == (0.8, 1)]
    p = f.exceedance(0, 0.8)
    assert (one.n, one.said, one.bin, one.events, one.known, one.compared) == (1, p, bin_of(p), 1, 1, 0)
    assert one.squares_reference == 0.0, "it was over on each of the 60 days"
    first = records(found)[0]
    assert [line.line for line in first.lines] == [0.5, 1.0, 2.0, 4.0, 0.32, 0.8]
    assert [s for s in found if s.line not in (0.8, 0.32)] == whole([f], readings)


def test_the_official_rule() -> None:
    """An error of 30 % of the truth keeps it, a little more does not."""
    readings = history(DAY0, DAY0 + 60 * DAY_MS, lambda t: 1.0)
    for median, kept in ((1.3, 1.0), (0.7, 1.0), (1.31, 0.0), (0.69, 0.0)):
        assert records(whole([issue(d, median=median) for d in range(20)], readings))[0].within == kept


def test_persistence_against_itself_gains_nothing() -> None:
    """Issues made of what the model `persistence` says at that moment have a skill of 0 against it; none where it would have said nothing."""
    rng = np.random.default_rng(3)
    readings = history(DAY0 - 70 * DAY_MS, DAY0 + 32 * DAY_MS, lambda t: float(1 + rng.gamma(2.0)), step=2 * HOUR_MS)
    said = []
    for d in range(25):
        f = issue(d)
        [found] = MODEL.say("day_max", [readings], [0], f.issued_at, ())
        assert found is not None
        said.append(replace(f, leads=found.leads, times=found.times, quantiles=found.quantiles, p_gt=found.p_gt))
    first = records(whole(said, readings))[0]
    assert [line.skill_persistence for line in first.lines] == pytest.approx([0.0] * 4)
    better = [replace(f, p_gt=tuple(tuple(float(_high(readings, t) > line) for line in (0.5, 1, 2, 4)) for t in f.times)) for f in said]
    assert records(whole(better, readings))[0].lines[3].skill_persistence == 1.0
    young = readings.between(DAY0, DAY0 + 32 * DAY_MS)
    assert sum(s.compared for s in whole(said[:3], young) if s.line == 1.0) == 0
    assert HISTORY_MS > 70 * DAY_MS


def _high(readings: History, start: int) -> float:
    day = readings.between(start, start + DAY_MS).value
    return float(day.max()) if len(day) else 0.0


def test_days_as_said_and_as_they_came() -> None:
    """Of each forecast day that is over: what was first said one day ahead, and its highest or lowest; nothing where there is nothing, no hindcast, no hour."""
    readings = history(DAY0, DAY0 + 3 * DAY_MS, lambda t: 3.0 if t % DAY_MS == 0 else 0.5)
    issues = [
        issue(0, p=0.2, version=f"1{HINDCAST}"),
        issue(0, p=0.9, at=FIVE + HOUR_MS, model="late"),
        issue(0, p=0.7, leads=3),
        issue(1, target="day_min"),
        issue(1, target="hour", leads=72),
    ]
    found = days(issues, readings, after=0, until=DAY0 + 4 * DAY_MS)
    told = [(d.target, (d.time - DAY0) // DAY_MS, d.model, d.said[:1], d.came) for d in found]
    assert told == [
        ("day_max", 1, "m", (0.7,), 3.0),
        ("day_max", 2, "", (), 3.0),
        ("day_max", 3, "", (), None),
        ("day_min", 2, "m", (0.7,), 0.5),
    ]
    assert days(issues, readings, after=DAY0 + 4 * DAY_MS, until=DAY0 + 9 * DAY_MS) == []
    split = [d for k in range(4) for d in days(issues, readings, after=DAY0 + k * DAY_MS, until=DAY0 + (k + 1) * DAY_MS)]
    assert sorted(split, key=lambda d: (d.target, d.time)) == found


@pytest.mark.parametrize(("p", "warned"), [(0.59, False), (0.6, True), (1 - 0.4, True), (1.0, True), (0.0, False)])
def test_warns(p: float, warned: bool) -> None:
    """A warning is what opens an alert."""
    assert warns(p) == warned


def drawn(seed: int, claim: Callable[[float], float]) -> Record:
    """1,000 days, each over every line with a probability of its own, of which the forecaster says `claim`."""
    rng = np.random.default_rng(seed)
    chances = rng.random(1000)
    wet = {DAY0 + (d + 1) * DAY_MS: rng.random() < c for d, c in enumerate(chances.tolist())}
    readings = history(DAY0, DAY0 + 1002 * DAY_MS, lambda t: 9.0 if wet.get(t - (t - DAY0) % DAY_MS) else 0.1, step=4 * HOUR_MS)
    return records(whole([issue(d, p=claim(c)) for d, c in enumerate(chances.tolist())], readings, days=1002))[0]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_forecaster_who_says_the_truth_is_reliable(seed: int) -> None:
    """Said and come lie within three standard errors in each tenth; one who halves the danger does not, and loses Brier."""
    true, mild = drawn(seed, lambda c: c).lines[1], drawn(seed, lambda c: c / 2).lines[1]
    assert len(true.tenths) == 10
    assert all(abs(t.said - t.came) < 3.5 * (0.25 / t.n) ** 0.5 for t in true.tenths)
    assert sum(t.low <= t.said <= t.high for t in true.tenths) >= 8
    assert mild.tenths[4].came - mild.tenths[4].said > 0.3
    assert (true.brier or 0) < (mild.brier or 0)
    assert (true.brier or 0) == pytest.approx(1 / 6, abs=0.02)  # ∫ p(1 − p)


def test_a_rate_needs_twenty() -> None:
    """19 scored forecasts give counts and no rate; 20 give one."""
    readings = history(DAY0, DAY0 + 30 * DAY_MS, lambda t: 2.0)
    few, enough = (records(whole([issue(d) for d in range(n)], readings))[0] for n in (19, 20))
    assert (few.n, few.inside, few.error, few.lines[1].right, few.lines[1].brier) == (19, None, None, None, None)
    assert (enough.n, enough.inside, enough.error, enough.lines[1].right) == (20, 1.0, 0.0, 1.0)


@pytest.mark.parametrize(("p", "bin"), [(0.0, 0), (0.1, 1), (0.3, 3), (0.7, 7), (1 - 0.9, 1), (0.999, 9), (1.0, 9)])
def test_tenths(p: float, bin: int) -> None:
    """A probability belongs to the tenth it begins; 1 to the last."""
    assert bin_of(p) == bin
