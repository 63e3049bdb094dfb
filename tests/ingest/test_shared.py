"""Several ingests that share the devices: whatever is dealt to whom, all is stored once and counted once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import rfc3339
from core.flags import CLOCK_BIT
from ingest.identity import MAX_BOOTS

NOON = 1_772_420_400_000
MIN = 60_000
HOUR = 3_600_000
BURST = 20


def clocked(seq: int, *, boot: int | None = 1, time: int | None = None) -> str:
    body = {"seq": seq, "time": rfc3339(NOON + seq * MIN if time is None else time), "readings": {"water.ec": 1 + seq / 100}}
    return json.dumps(body if boot is None else body | {"boot": boot})


def aged(seq: int, *, age_s: float) -> str:
    return json.dumps({"seq": seq, "boot": 1, "age_s": age_s, "readings": {"water.ec": 1 + seq / 100}})


class Workers:
    """Lines on one store and one database; `line` makes one more."""

    def __init__(self, first: Any, folder: Path, count: int) -> None:
        first.shared = True
        first.restart()
        kind = type(first)
        others = [kind(folder=folder / f"journal-{n}", database=first.database, store=first.store, shared=True) for n in range(1, count)]
        self.lines = [first, *others]

    def close(self) -> None:
        for line in self.lines[1:]:
            line.journal.close()


@pytest.fixture
def workers(line: Any, tmp_path: Path) -> Iterator[Workers]:
    """Two."""
    made = Workers(line, tmp_path, 2)
    yield made
    made.close()


def test_a_number_that_came_to_another_is_no_gap_and_no_duplicate(workers: Workers) -> None:
    """Dealt in turn, committed in either order: one span without holes; what nobody has is one, and what came twice is counted once."""
    a, b = workers.lines
    for seq in range(0, BURST, 2):
        a.send("kl01", clocked(seq))
    for seq in range(1, BURST, 2):
        if seq != 7:
            b.send("kl01", clocked(seq))
    b.work()
    a.work()
    (span,) = a.ask(a.database.boots("kl01"))
    assert (span.lowest, span.highest, span.holes) == (0, 19, ((7, 7),))
    assert a.counters() == {}
    b.send("kl01", clocked(4), dup=True)  # a device that had no answer sends again, and it is dealt to the other one
    b.send("kl01", clocked(7))
    b.work()
    (span,) = a.ask(a.database.boots("kl01"))
    assert span.holes == ()
    assert a.counters() == {"duplicate:kl01": 1}
    assert len(a.rows("kl01")) == BURST


def test_a_clockless_object_keeps_the_time_of_its_first_arrival_wherever_it_comes_again(workers: Workers) -> None:
    """Read by one, sent again with the same bytes a minute later and read by the other: one row, counted as a duplicate, before any commit too."""
    a, b = workers.lines
    a.send("kl01", aged(1, age_s=60))
    a.work(commit=False, judge=False)
    b.now += MIN
    b.send("kl01", aged(1, age_s=60))
    b.work()
    a.work()
    assert [row[0] for row in a.rows("kl01")] == [a.now - 60_000]
    assert a.counters() == {"duplicate:kl01": 1}


def test_the_same_place_in_two_journals_is_two_arrivals(workers: Workers) -> None:
    """Each journal begins at the same position; that alone makes nothing the same arrival, and reading again is none."""
    a, b = workers.lines
    assert a.send("kl01", aged(1, age_s=60)) == b.send("kl01", aged(1, age_s=60))
    a.work(judge=False)
    b.work(judge=False)
    assert a.counters() == {"duplicate:kl01": 1}
    for line in (a, b):
        line.restart(stored_to=0)
        line.work()
    assert a.counters() == {"duplicate:kl01": 1}
    assert len(a.rows("kl01")) == 1


def test_a_burst_of_one_millisecond_is_kept_whole_over_both(workers: Workers) -> None:
    """Six objects of one age, three to each: six rows, a millisecond apart."""
    a, b = workers.lines
    for seq in range(6):
        (a, b)[seq % 2].send("kl01", aged(seq, age_s=60))
    a.work(commit=False, judge=False)
    b.work()
    a.work()
    assert [row[0] for row in a.rows("kl01")] == [a.now - 60_000 + n for n in range(6)]


def test_a_restart_of_a_device_without_boot_is_told_by_its_time(workers: Workers) -> None:
    """A lower number of a later time begins anew; a lower number of an earlier time fills its hole, though it comes later."""
    a, b = workers.lines
    for seq in (10, 12):
        a.send("kl01", clocked(seq, boot=None, time=NOON + seq * MIN))
    b.send("kl01", clocked(11, boot=None, time=NOON + 11 * MIN))
    a.work()
    b.work()
    (span,) = a.ask(a.database.boots("kl01"))
    assert (span.lowest, span.highest, span.holes) == (10, 12, ())
    b.send("kl01", clocked(0, boot=None, time=NOON + 13 * MIN))
    b.work()
    (span,) = a.ask(a.database.boots("kl01"))
    assert (span.lowest, span.highest) == (0, 0)


def test_a_clock_that_fell_back_is_flagged_by_whoever_sees_it(workers: Workers) -> None:
    """The next number at a time hours before: flagged, and remembered as such."""
    a, _ = workers.lines
    a.send("kl01", clocked(1, time=NOON))
    a.send("kl01", clocked(2, time=NOON - 5 * HOUR))
    a.work(judge=False)
    assert [bits >> CLOCK_BIT & 1 for bits in a.tests("kl01")] == [1, 0]
    (span,) = a.ask(a.database.boots("kl01"))
    assert span.fallen_back == (2,)


def test_boots_in_memory_are_bounded(workers: Workers) -> None:
    """A device that makes a new boot of every message fills no memory; what it sent is in the database."""
    a, _ = workers.lines
    for boot in range(MAX_BOOTS + 50):
        a.send("kl01", clocked(1, boot=boot, time=NOON + boot * 1000))
    a.work(judge=False)
    assert len(a.processor._shared.of("kl01").boots) == MAX_BOOTS
    assert len(a.ask(a.database.boots("kl01"))) == MAX_BOOTS + 50


def test_a_commit_that_failed_or_was_lost_counts_once(workers: Workers) -> None:
    """A process that dies before its commit reads again; one that dies after it, with a store's cursor behind, too: no duplicate is invented."""
    a, b = workers.lines
    for seq in range(10):
        (a, b)[seq % 2].send("kl01", clocked(seq))
    a.work(commit=False, judge=False)
    a.restart()
    a.work()
    a.restart(stored_to=0)
    a.work()
    b.work()
    assert a.counters() == {}
    (span,) = a.ask(a.database.boots("kl01"))
    assert (span.lowest, span.highest, span.holes) == (0, 9, ())


def test_a_stranger_takes_no_place_before_it_is_let_in(make_line: Callable[..., Any], tmp_path: Path) -> None:
    """Objects of a device that waits for approval are claimed when they are let in, not before."""
    made = Workers(make_line(mode="approve"), tmp_path, 1)
    (a,) = made.lines
    a.send("kl01", aged(1, age_s=60))
    a.work()
    assert a.ask(a.database.seen("kl01")) == []
    made.close()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_deal_ends_in_the_same_rows_spans_and_counts(data: st.DataObject, open_line: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three workers, each message dealt to any of them, some twice; batches and commits in any order: as if there were one."""
    folder = tmp_path_factory.mktemp("deal")
    made = Workers(open_line(folder), folder, 3)
    a = made.lines[0]
    numbers = data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=30))
    for n, seq in enumerate(numbers):
        line = made.lines[data.draw(st.integers(0, 2))]
        line.send("clock", clocked(seq), received=a.now + n)
        line.send("none", aged(seq, age_s=60 * (31 - seq)), received=a.now + n)
        if data.draw(st.booleans()):
            made.lines[data.draw(st.integers(0, 2))].work(commit=data.draw(st.booleans()), judge=False, limit=data.draw(st.integers(1, 5)))
    for number in data.draw(st.permutations(range(3))):
        made.lines[number].work(judge=False)
    distinct = sorted(set(numbers))
    twice = len(numbers) - len(distinct)
    assert [round(value * 100 - 100) for _, value, _ in a.rows("clock")] == distinct
    assert sorted(round(value * 100 - 100) for _, value, _ in a.rows("none")) == distinct
    (span,) = a.ask(a.database.boots("clock"))
    missing = {n for low, high in span.holes for n in range(low, high + 1)}
    assert sorted(set(range(span.lowest, span.highest + 1)) - missing) == distinct
    assert {k: v for k, v in a.counters().items() if k.startswith("duplicate")} == ({"duplicate:clock": twice, "duplicate:none": twice} if twice else {})
    made.close()
    a.close()
