"""What is said of a sluice against what came on both its sides: as told at an issue, once each, and only where both were read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from analytics.both_sides import LIMIT, sluice_scored, tell
from analytics.history import DAY_MS, History
from analytics.record import records
from core.forecast import HINDCAST, HOUR_MS, WITHDRAWN, Forecast
from core.record import SLUICE, VALUES, Day, Score
from core.sluice import OPEN, SHUT, crossing

ZONE = "Asia/Ho_Chi_Minh"
DAY0 = 1_772_298_000_000  # midnight there, 1 March 2026
UNTIL = DAY0 + 30 * DAY_MS


def issue(point: str, level: Callable[[int], float], at: int = DAY0, **more: object) -> Forecast:
    """72 hours around `level` [g/L] of each, sure to a tenth of it."""
    times = tuple(at // HOUR_MS * HOUR_MS + i * HOUR_MS for i in range(72))
    around = [level(t) for t in times]
    found = Forecast(
        org="o",
        station="a",
        point=point,
        target="hour",
        model="m",
        version="1",
        issued_at=at,
        data_until=at,
        inputs="",
        leads=tuple(range(1, 73)),
        times=times,
        quantiles=tuple((0.8 * x, 0.9 * x, x, 1.1 * x, 1.2 * x) for x in around),
        p_gt=tuple(tuple(0.98 if x > line else 0.02 for line in (0.5, 1.0, 2.0, 4.0)) for x in around),
    )
    return replace(found, **more)  # type: ignore[arg-type]  # a test names the fields it changes


def history(point: str, value: Callable[[int], float], *, gone: tuple[int, int] = (0, 0)) -> History:
    times = np.arange(DAY0, DAY0 + 5 * DAY_MS, HOUR_MS // 4, dtype=np.int64)
    times = times[(times < gone[0]) | (times >= gone[1])]
    return History(station="a", point=point, zone=ZONE, time=times, value=np.array([value(t) for t in times.tolist()]))


def hour(t: int) -> int:
    return (t - DAY0) // HOUR_MS


def outside(t: int) -> float:
    """Fresh for the first six hours of each twelve, then salt."""
    return 0.3 if hour(t) % 12 < 6 else 3.0


def inside(t: int) -> float:
    return 0.7


def whole(a: Sequence[Forecast], b: Sequence[Forecast], *, within: History | None = None, beyond: History | None = None) -> tuple[list[Score], list[Day]]:
    return sluice_scored(a, b, (within or history("in", inside), beyond or history("out", outside)), after=0, until=UNTIL)


def told(scores: Sequence[Score], line: float = LIMIT) -> dict[tuple[str, int], tuple[int, int, int]]:
    """(scored, came, missing) by target and lead."""
    found: dict[tuple[str, int], tuple[int, int, int]] = {}
    for s in scores:
        if s.line == line:
            n, events, missing = found.get((s.target, s.lead), (0, 0, 0))
            found[s.target, s.lead] = n + s.n, events + s.events, missing + s.missing
    return found


def test_each_side_is_scored_in_the_hour_in_which_it_is_surest() -> None:
    """Six times open and six times shut in 72 hours: as the pages state them, by target and day ahead, at `p` and no other chance."""
    a, b = issue("in", inside), issue("out", outside)
    sides = crossing(a, b, DAY0, limit=LIMIT)
    assert [s.better for s in sides] == [OPEN, SHUT] * 6
    scores, _ = whole([a], [b])
    assert told(scores) == {(target, lead): (2, 2, 0) for target in SLUICE.values() for lead in (24, 48, 72)}
    assert sum(s.said for s in scores) == pytest.approx(sum(s.p for s in sides))
    assert {s.point for s in scores} == {"in"}
    assert {s.line for s in scores} == {LIMIT, VALUES}


@pytest.mark.parametrize(
    ("within", "beyond", "open_came", "shut_came"),
    [
        (0.7, 0.5, 6, 0),  # fresher outside all the time
        (0.7, 0.8, 0, 6),  # fresher inside
        (3.0, 1.5, 0, 6),  # fresher outside, and over the limit
        (0.7, 0.7, 0, 6),  # alike: nothing is won by opening
    ],
)
def test_better_open_is_fresher_and_within_the_limit(within: float, beyond: float, open_came: int, shut_came: int) -> None:
    """By the highest of the hour on both sides."""
    scores, _ = whole([issue("in", inside)], [issue("out", outside)], within=history("in", lambda t: within), beyond=history("out", lambda t: beyond))
    came = {target: sum(s.events for s in scores if s.target == target) for target in SLUICE.values()}
    assert came == {SLUICE[OPEN]: open_came, SLUICE[SHUT]: shut_came}


@pytest.mark.parametrize("side", ["in", "out"])
def test_an_hour_in_which_one_side_was_not_read_is_missing(side: str) -> None:
    """Neither open nor shut, however salty the other one was; and the rows say which side is lacking."""
    gone = DAY0, DAY0 + DAY_MS
    pair = [history("in", inside, gone=gone if side == "in" else (0, 0)), history("out", outside, gone=gone if side == "out" else (0, 0))]
    scores, rows = whole([issue("in", inside)], [issue("out", outside)], within=pair[0], beyond=pair[1])
    assert told(scores, VALUES) == {(t, lead): (0, 0, 2) if lead == 24 else (2, 0, 0) for t in SLUICE.values() for lead in (24, 48, 72)}
    assert all(s.lead > 24 for s in scores if s.line == LIMIT)
    assert {d.came is None for d in rows if d.target == f"sluice_{side}" and d.time < gone[1]} == {True}
    assert {d.came is None for d in rows if d.target != f"sluice_{side}"} == {False}


def test_the_newest_of_both_sides_is_told_at_each_issue() -> None:
    """Each hour once, by the first that told of it; not a hindcast, nothing with one side taken back or a day old, nor beyond its hours."""
    a = [issue("in", inside, DAY0 + h * HOUR_MS + m) for h, m in ((0, 0), (0, 600_000), (1, 0), (2, 0))]
    b = [issue("out", outside, DAY0), issue("out", outside, DAY0 + HOUR_MS // 2, id=2)]
    found = list(tell(a, b, since=0, until=UNTIL))
    assert [(f.at - DAY0, f.outside.issued_at - DAY0) for f in found] == [(0, 0), (HOUR_MS, HOUR_MS // 2), (2 * HOUR_MS, HOUR_MS // 2)]
    assert next(f.sides for f in found) == crossing(a[0], b[0], DAY0, limit=LIMIT)
    late = issue("in", inside, DAY0 + 25 * HOUR_MS)
    assert list(tell([late], b, since=0, until=UNTIL)) == []
    assert list(tell([replace(a[0], version="1" + HINDCAST)], b, since=0, until=UNTIL)) == []
    back = replace(b[0], version="1" + WITHDRAWN, issued_at=DAY0 + 2 * HOUR_MS, id=3, leads=(), times=(), quantiles=(), p_gt=())
    assert [f.at - DAY0 for f in tell(a, [*b, back], since=0, until=UNTIL)] == [0, HOUR_MS]
    short = replace(b[0], leads=(1, 2), times=b[0].times[:2], quantiles=b[0].quantiles[:2], p_gt=b[0].p_gt[:2])
    assert list(tell(a, [short], since=0, until=UNTIL)) == []


def test_two_models_are_named() -> None:
    """What one said of the inside and another of the outside is neither's alone."""
    scores, _ = whole([issue("in", inside)], [issue("out", outside, model="n")])
    assert {s.model for s in scores} == {"m+n"}


def test_stretches_score_each_hour_once() -> None:
    """Cut anywhere, the sums are those of one stretch."""
    a, b = ([issue(p, level, DAY0 + h * HOUR_MS) for h in range(30)] for p, level in (("in", inside), ("out", outside)))
    pair = history("in", inside), history("out", outside)
    cuts = (0, DAY0 + DAY_MS, DAY0 + 2 * DAY_MS + HOUR_MS, UNTIL)
    parts = [s for x, y in pairwise(cuts) for s in sluice_scored(a, b, pair, after=x, until=y)[0]]
    at_once = sluice_scored(a, b, pair, after=0, until=UNTIL)[0]
    assert told(parts) == told(at_once)
    assert told(parts, VALUES) == told(at_once, VALUES)
    assert sum(n for n, _, _ in told(at_once).values()) == sum(len(f.sides) for f in tell(a, b, since=0, until=UNTIL))


def test_no_rate_before_twenty_that_do_not_overlap() -> None:
    """An hour said again by each of 24 issues is one: a rate takes 480; no value is stated."""
    s = Score(station="a", point="in", target=SLUICE[OPEN], model="m", lead=24, line=LIMIT, bin=8, month=202603, n=479, events=400, said=383.0, right=400)
    few, enough = (records([replace(s, n=n), replace(s, line=VALUES, bin=0, n=n)])[0] for n in (479, 480))
    assert (few.lines[1].right, enough.lines[1].right) == (None, 400 / 480)
    assert (enough.inside, enough.error) == (None, None)
