"""What is said of the highest of the next hours against what came: as issued, once each, without a look at what came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from analytics.daily.reliability import wilson
from analytics.history import DAY_MS, History
from analytics.hours_ahead import hours_ahead, said, window
from analytics.record import FEW, Record, records
from core.bands import LINES
from core.forecast import HINDCAST, HOUR_MS, Forecast
from core.highest import chance_within
from core.record import AHEAD, VALUES, Score, bin_of

ZONE = "Asia/Ho_Chi_Minh"
DAY0 = 1_772_298_000_000  # midnight there, 1 March 2026
QUARTER = HOUR_MS // 4
LIMITS = (0.32, 0.8)


def history(value: Callable[[int], float] = lambda t: 0.2, *, days: int = 4, step: int = QUARTER, gone: Sequence[tuple[int, int]] = ()) -> History:
    """From DAY0 on, but for what lies within `gone`."""
    times = np.arange(DAY0, DAY0 + days * DAY_MS, step, dtype=np.int64)
    for start, end in gone:
        times = times[(times < start) | (times >= end)]
    return History(station="a", point="main", zone=ZONE, time=times, value=np.array([value(t) for t in times.tolist()]))


def issue(at: int = DAY0, p: Sequence[float] = (0.3,) * 72, *, step: int = 1, **more: object) -> Forecast:
    """P(S > any line) hour by hour, from the hour that runs on."""
    times = tuple(at // HOUR_MS * HOUR_MS + i * step * HOUR_MS for i in range(len(p)))
    found = Forecast(
        org="o",
        station="a",
        point="main",
        target="hour",
        model="m",
        version="1",
        issued_at=at,
        data_until=at,
        inputs="",
        leads=tuple(1 + step * i for i in range(len(p))),
        times=times,
        quantiles=((0.1, 0.2, 0.3, 0.4, 0.5),) * len(p),
        p_gt=tuple((x,) * 4 for x in p),
    )
    return replace(found, **more)  # type: ignore[arg-type]  # a test names the fields it changes


def whole(issues: Sequence[Forecast], readings: History, *, limits: Sequence[float] = (), until: int = DAY0 + 30 * DAY_MS) -> list[Score]:
    return hours_ahead(issues, readings, after=0, until=until, limits=limits)[0]


def counts(scores: Sequence[Score]) -> dict[str, tuple[int, int]]:
    """(scored, missing) by target."""
    return {
        target: (sum(s.n for s in its), sum(s.missing for s in its))
        for target in AHEAD
        for its in [[s for s in scores if (s.target, s.line) == (target, VALUES)]]
    }


def test_what_the_verdict_and_the_alert_said_is_held_against_the_highest_of_these_hours() -> None:
    """One issue: of 6 h the highest chance, of 24 h that of the highest; salt in the 7th hour passes the line within 24 h and not within 6."""
    f = issue(p=[0.3, 0.1, 0.4] * 24)
    salty = history(lambda t: 1.5 if t == DAY0 + 6 * HOUR_MS else 0.2)
    found = whole([f], salty)
    assert len(found) == 2 * (1 + len(LINES))
    for target, hours in AHEAD.items():
        p = 0.4 if target == "max_6h" else chance_within(f, DAY0, DAY0 + hours * HOUR_MS, 1.0)
        [one] = [s for s in found if (s.target, s.line) == (target, 1.0)]
        event = target == "max_24h"
        assert (one.lead, one.bin, one.said, one.n, one.events, one.month) == (hours, bin_of(p), p, 1, event, 202603)
        assert one.squares == pytest.approx((p - event) ** 2)
        assert (one.known, one.compared) == (0, 0)


def test_crops_limits_are_scored_of_six_hours() -> None:
    """What pages state at them; alerts are about lines."""
    found = whole([issue()], history(lambda t: 0.5), limits=LIMITS)
    assert {s.line for s in found if s.target == "max_6h"} == {VALUES, *LINES, *LIMITS}
    assert {s.line for s in found if s.target == "max_24h"} == {VALUES, *LINES}
    assert [(s.line, s.events) for s in found if s.line in LIMITS] == [(0.32, 1), (0.8, 0)]


@pytest.mark.parametrize(("gap", "six", "day"), [(3, True, True), (4, False, True), (5, False, False)])
@pytest.mark.parametrize("value", [0.2, 9.0])
def test_whether_hours_count_does_not_hang_on_their_salt(gap: int, six: bool, day: bool, value: float) -> None:
    """A gap over 3 h of six, over 4 h of 24: missing, whether or not a reading beside it was over the line; else a line would seem passed too often."""
    hole = (DAY0 + HOUR_MS, DAY0 + (1 + gap) * HOUR_MS - QUARTER)
    found = whole([issue()], history(lambda t: value, gone=[hole]))
    assert counts(found) == {"max_6h": (six, not six), "max_24h": (day, not day)}


def test_two_hourly_readings_count() -> None:
    """Every second hour read and forecast is enough; a sample every six hours is not."""
    f = issue(p=(0.3,) * 36, step=2)
    assert counts(whole([f], history(step=2 * HOUR_MS))) == {"max_6h": (1, 0), "max_24h": (1, 0)}
    assert counts(whole([f], history(step=6 * HOUR_MS))) == {"max_6h": (0, 1), "max_24h": (0, 1)}


def test_only_what_was_said() -> None:
    """With a hole in the next hours the verdict has no forecast, the alert still states a chance; without leads nothing is said; a hindcast never was."""
    holed = issue()
    keep = [i for i in range(72) if i not in (3, 4)]
    holed = replace(holed, **{name: tuple(getattr(holed, name)[i] for i in keep) for name in ("leads", "times", "quantiles", "p_gt")})
    assert (said(holed, "max_6h", LINES), len(said(holed, "max_24h", LINES))) == ((), 4)
    assert counts(whole([holed], history())) == {"max_6h": (0, 0), "max_24h": (1, 0)}
    for none in (issue(p=()), issue(version=f"1{HINDCAST}"), issue(target="day_max")):
        assert whole([none], history()) == []


def test_the_hours_that_are_meant() -> None:
    """Whole hours, from the one that runs to the one in which the time is up; what comes after them changes nothing."""
    f = issue(DAY0 + 20 * 60_000)
    assert window(f, "max_6h") == (DAY0, DAY0 + 7 * HOUR_MS)
    assert window(issue(), "max_24h") == (DAY0, DAY0 + 24 * HOUR_MS)
    for hour, passed in ((0, True), (6, True), (7, False)):
        found = whole([f], history(lambda t, at=DAY0 + hour * HOUR_MS: 9.0 if t == at else 0.2))  # type: ignore[misc]  # the default binds the hour
        assert [s.events for s in found if (s.target, s.line) == ("max_6h", 1.0)] == [int(passed)]


def test_the_first_said_counts_and_every_split_is_the_same() -> None:
    """A service that was restarted says of the same hours again: once. Scored at once, or in stretches: the same sums, and a row of each hour."""
    rng = np.random.default_rng(1)
    readings = history(lambda t: float(rng.gamma(2.0)), days=6)
    issues = [issue(DAY0 + h * HOUR_MS + 1000, rng.random(72).tolist()) for h in range(60)]
    again = issue(DAY0 + 5 * HOUR_MS + 60_000, (1.0,) * 72)
    until = DAY0 + 5 * DAY_MS
    at_once, rows = hours_ahead([again, *issues[::-1]], readings, after=0, until=until)
    assert counts(at_once) == {"max_6h": (60, 0), "max_24h": (60, 0)}
    parts = [hours_ahead(issues, readings, after=a, until=z) for a, z in pairwise((0, DAY0 + DAY_MS, DAY0 + 2 * DAY_MS + HOUR_MS, until))]
    split = records(s for scores, _ in parts for s in scores)
    assert [(r.target, r.n, [(x.n, x.events, round(x.brier or 0, 9)) for x in r.lines]) for r in split] == [
        (r.target, r.n, [(x.n, x.events, round(x.brier or 0, 9)) for x in r.lines]) for r in records(at_once)
    ]
    assert sorted((d.target, d.time, d.came) for _, days in parts for d in days) == sorted((d.target, d.time, d.came) for d in rows)
    assert len(rows) == 120
    first = next(d for d in rows if d.target == "max_6h")
    assert first.said == said(issues[0], "max_6h", LINES)
    assert first.came == readings.between(DAY0, DAY0 + 7 * HOUR_MS).value.max()


def record(n: int, *, target: str = "max_6h") -> Record:
    lead = AHEAD[target]
    facts = {"station": "a", "point": "main", "target": target, "model": "m", "lead": lead, "month": 202603}
    scores = [
        Score(**facts, line=VALUES, bin=0, n=n),  # type: ignore[arg-type]  # the names in `facts` are its fields
        *(Score(**facts, line=line, bin=7, n=n, said=0.75 * n, events=n // 2, right=n // 2, squares=0.3 * n) for line in (1.0, 0.8)),  # type: ignore[arg-type]  # likewise
    ]
    [found] = records(scores)
    return found


@pytest.mark.parametrize(("target", "hours"), AHEAD.items())
def test_hours_that_overlap_count_as_one(target: str, hours: int) -> None:
    """Issues of one hour and the next speak of nearly the same: rates and intervals go by windows that do not overlap. No value is scored."""
    few, enough = record(FEW * hours - 1, target=target), record(FEW * hours, target=target)
    assert (few.lines[1].right, enough.lines[1].right) == (None, 0.5)
    assert (enough.inside, enough.within, enough.error) == (None, None, None)
    [tenth] = enough.lines[1].tenths
    assert (tenth.low, tenth.high) == wilson(FEW / 2, FEW)
    assert [x.line for x in enough.lines] == [*LINES, 0.8]
