"""Live flags equal batch flags: for any split, order of arrival, duplicate or restart, through the real pipeline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import ingest.pipeline
from adapters.memory_store import MemoryStore
from adapters.sql import SqlDatabase
from canhman.configuration import read_qc
from core.batch import Batch
from core.clock import rfc3339
from core.errors import UnavailableError
from core.flags import Flag
from core.series import SeriesKey
from core.state import Commit, Latest, Written
from quality.judge import judge
from quality.qc import Block, Context, Floats, QcTest
from quality.rules import TESTS, Rules
from quality.sweep import sweep

MIN = 60_000
START = 1_772_000_000_000


def spike(block: Block, params: Mapping[str, Floats]) -> NDArray[np.uint8]:
    """4 where a value stands off both neighbours by more than `height`, 2 at the ends of a series."""
    n = len(block.value)
    flags = np.full(n, Flag.NOT_EVALUATED, dtype=np.uint8)
    middle = np.arange(1, n - 1)
    middle = middle[(block.series[middle - 1] == block.series[middle]) & (block.series[middle + 1] == block.series[middle])]
    off = block.value[middle] - (block.value[middle - 1] + block.value[middle + 1]) / 2
    flags[middle] = np.where(np.abs(off) > params["height"][middle], Flag.FAIL, Flag.GOOD)
    return flags


def step(block: Block, params: Mapping[str, Floats]) -> NDArray[np.uint8]:
    """4 where a value stands off the third before it by more than `height`, 2 where there is none."""
    n = len(block.value)
    flags = np.full(n, Flag.NOT_EVALUATED, dtype=np.uint8)
    rows = np.arange(3, n)
    rows = rows[block.series[rows - 3] == block.series[rows]]
    flags[rows] = np.where(np.abs(block.value[rows] - block.value[rows - 3]) > params["height"][rows], Flag.FAIL, Flag.GOOD)
    return flags


# No test that is shipped needs samples, or what comes after: this one shows that the mechanism can.
SPIKE = QcTest(
    name="spike",
    bit=30,
    before=Context(samples=1),
    after=Context(samples=1),
    params={"height": 1.0},
    run=spike,
    vi="Gai",
    en="Spike",
)
BACK = replace(SPIKE, name="back", before=Context(samples=3), after=Context(), run=step)
CONFIGS = {
    "shipped": read_qc(None),
    "spike": replace(read_qc(None), tests={"spike": SPIKE}),
    "all": replace(read_qc(None), tests={**TESTS, "spike": SPIKE}),
    "looks back": replace(read_qc(None), tests={"range": TESTS["range"], "back": BACK}),
    "after hours": replace(read_qc(None), tests={**TESTS, "spike": replace(SPIKE, before=Context(samples=3), after=Context(samples=1, hours=2.5))}),
}


# what looks ahead is never judged in memory
WAYS = [("shipped", False), ("spike", False), ("all", False), ("after hours", False), ("shipped", True), ("looks back", True)]


@pytest.fixture(scope="module", params=WAYS, ids=[f"{name}{', tails in memory' if tails else ''}" for name, tails in WAYS])
def any_line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, open_line: Callable[..., Any]) -> Iterator[Any]:
    """One line for all examples of a configuration: each has a device of its own."""
    name, tails = request.param
    line = open_line(tmp_path_factory.mktemp("line"), config=CONFIGS[name], tails=tails)
    yield line
    line.close()


# minutes since the reading before, and a value that is often the same (stuck), impossible (range) or fresh (floor)
readings = st.lists(st.tuples(st.integers(1, 150), st.sampled_from([5.02, 5.02, 5.02, 5.02, 5.3, 0.2, 99.0])), min_size=1, max_size=40)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[tuple[int, float]], list[list[int]], list[str]]:
    """Readings, the order in which they arrive (some twice) cut into batches, and what happens after each batch."""
    steps = draw(readings)
    order = draw(st.permutations(range(len(steps)))) if draw(st.booleans()) else list(range(len(steps)))
    sequence = [*order, *draw(st.lists(st.sampled_from(order), max_size=8))]
    cuts = sorted(draw(st.sets(st.integers(1, len(sequence)), max_size=6)))
    parts = [sequence[a:b] for a, b in zip([0, *cuts], [*cuts, len(sequence)], strict=True) if sequence[a:b]]
    events = draw(st.lists(st.sampled_from(["judge", "commit", "nothing", "restart"]), min_size=len(parts), max_size=len(parts)))
    return steps, parts, events


def in_batch_form(line: Any, station: str) -> tuple[Batch, list[Any], list[int], list[int]]:
    """The stored rows of a station, and what the judge says of all of them at once, knowing nothing of live flags."""
    keys = asyncio.run(line.store.series(station=station))
    stored = asyncio.run(line.store.read(keys, 0, 1 << 62))
    flags, bits = judge(Batch.of(stored.series, stored.time, stored.value), Rules(line.config, keys))
    return stored, keys, flags.tolist(), bits.tolist()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=arrivals(), block_rows=st.sampled_from([1, 5, 50_000]))
def test_live_equals_batch(any_line: Any, case: tuple[list[tuple[int, float]], list[list[int]], list[str]], block_rows: int) -> None:
    """Whatever came in between, in the end every row has the flag and bits of the batch form, and `series_state` says the same."""
    line = any_line
    steps, parts, events = case
    device = line.fresh()
    times, at = [], START
    for minutes, _ in steps:
        at += minutes * MIN
        times.append(at)
    for part, event in zip(parts, events, strict=True):
        for i in part:
            line.send(device, json.dumps({"time": rfc3339(times[i]), "readings": {"water.ec": steps[i][1]}}))
        line.work(commit=event in ("commit", "judge"), judge=event == "judge")
        if event == "restart":
            line.restart()
    line.work(judge=False)
    asyncio.run(line.sweep(block_rows=block_rows))

    stored, keys, flags, bits = in_batch_form(line, device)
    assert {k.quantity for k in keys} == {"water.ec", "water.salinity"}
    assert sorted(set(stored.time.tolist())) == sorted(set(times))
    assert stored.flag.tolist() == flags
    assert stored.tests.tolist() == bits
    for state in asyncio.run(line.database.states(station=device)):
        rows = [i for i in range(len(stored)) if keys[stored.series[i]] == state.key]
        good = [i for i in rows if flags[i] == 1]
        newest = Latest(time=int(stored.time[rows[-1]]), value=float(stored.value[rows[-1]]), flag=flags[rows[-1]])
        assert state.dirty_from is None
        assert state.newest == state.judged == newest
        assert state.good == (Latest(time=int(stored.time[good[-1]]), value=float(stored.value[good[-1]]), flag=1) if good else None)


# ---------------------------------------------------------------- judged in memory


def states_of(line: Any, device: str) -> list[Any]:
    return asyncio.run(line.database.states(station=device))


@pytest.mark.parametrize(("config", "found"), [("shipped", {1, 3, 4}), ("looks back", {1, 4})])
def test_rows_in_order_are_judged_before_they_are_committed(
    make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, config: str, found: set[int]
) -> None:
    """No round of the judge is needed, nothing is read back: flags, `judged`, `good`, hash and interval are those of the batch form."""
    line = make_line(tails=True, config=CONFIGS[config])
    device = line.fresh()
    line.station(device)

    async def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is read back")

    monkeypatch.setattr(MemoryStore, "read", never)
    for n in range(40):
        line.send(device, json.dumps({"time": rfc3339(START + 15 * MIN * n), "readings": {"water.ec": 5.02 if n < 35 else 5.02 + n, "water.level": n / 10}}))
        if n % 3 == 0:
            line.work(judge=False)
            assert [s.dirty_from for s in states_of(line, device)] == [None] * 3
    line.work(judge=False)
    monkeypatch.undo()
    stored, keys, flags, bits = in_batch_form(line, device)
    assert stored.flag.tolist() == flags
    assert stored.tests.tolist() == bits
    assert set(flags) == found
    for state in states_of(line, device):
        rows = [i for i in range(len(stored)) if keys[stored.series[i]] == state.key]
        good = max(i for i in rows if flags[i] == 1)
        assert state.newest == state.judged == Latest(time=int(stored.time[rows[-1]]), value=float(stored.value[rows[-1]]), flag=flags[rows[-1]])
        assert state.good == Latest(time=int(stored.time[good]), value=float(stored.value[good]), flag=1)
        assert (state.dirty_from, state.config, state.interval_ms) == (None, line.config.hash, 15 * MIN)


def one(line: Any, device: str, minute: int, value: float = 5.02, **work: Any) -> list[bool]:
    """One reading; whether each of its series is dirty after the commit."""
    line.send(device, json.dumps({"time": rfc3339(START + minute * MIN), "readings": {"water.ec": value}}))
    line.work(**({"judge": False} | work))
    return [s.dirty_from is not None for s in states_of(line, device)]


def test_what_may_lack_something_is_read_back(make_line: Callable[..., Any]) -> None:
    """A late row, a replaced one, the first after a start: dirty, until the judge's round, which hands the tail over."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    assert one(line, device, 0) == [False, False]
    assert one(line, device, 60) == [False, False]
    assert one(line, device, 30) == [True, True], "late"
    assert one(line, device, 90) == [True, True], "only the judge clears"
    assert one(line, device, 120, judge=True) == [False, False]
    assert one(line, device, 120, 5.3) == [True, True], "replaced"
    assert one(line, device, 150, judge=True) == [False, False]
    line.restart()
    assert one(line, device, 180) == [True, True], "its tail is in the store alone"
    line.work()
    assert one(line, device, 210) == [False, False]
    line.restart()
    assert one(line, device, 210 + 9 * 60 + 1) == [False, False], "no test looks back so far"
    stored, _, flags, _ = in_batch_form(line, device)
    assert stored.flag.tolist() == flags


def test_who_is_not_the_judge_leaves_it_to_him(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process judges all rows are dirty; what was kept before counts no more afterwards."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    assert one(line, device, 0) == [False, False]

    async def no() -> bool:
        return False

    yes = line.processor._judging
    line.processor._judging = no
    assert one(line, device, 30) == [True, True]
    line.processor._judging = yes
    asyncio.run(sweep(line.database, line.store, line.config))  # the other one
    assert one(line, device, 60) == [True, True]
    assert one(line, device, 90, judge=True) == [False, False]
    assert one(line, device, 120) == [False, False]


@pytest.mark.parametrize("when", ["before the batch", "before the commit"])
def test_who_writes_past_ingest_is_heard(make_line: Callable[..., Any], when: str) -> None:
    """A value rewritten in the store while its tail is in memory: once that is announced nothing in memory is believed."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    for minute in range(0, 300, 30):
        assert one(line, device, minute) == [False, False]
    [key] = [s.key for s in states_of(line, device) if s.key.quantity == "water.ec"]

    def rewrite() -> None:
        line.ask(line.database.announce_rewriting())
        line.ask(line.store.write(Batch.of([0], [START + 150 * MIN], [9.0], flag=[1]), [key]))

    if when == "before the batch":
        rewrite()
        assert one(line, device, 300) == [True, True]
    else:
        settle = line.processor._tails.settle

        async def meanwhile(store: Any) -> Any:
            settled = await settle(store)
            rewrite()
            return settled

        line.processor._tails.settle = meanwhile
        assert one(line, device, 300) == [True, True]
        line.processor._tails.settle = settle
    line.ask(line.database.commit(Commit(journal="x", state_cursor=0, written=(rewritten(key),))))
    line.work()
    stored, _, flags, _ = in_batch_form(line, device)
    assert stored.flag.tolist() == flags
    assert one(line, device, 330, judge=True) == [False, False]
    assert one(line, device, 360) == [False, False]


def test_a_rewriting_is_told_to_the_store_before_more_is_written(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store remembers of what stands there goes once with each announcement, as what is in memory of the tails."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    told: list[int] = []

    async def mistrust(store: MemoryStore) -> None:
        told.append(store.writes)

    monkeypatch.setattr(MemoryStore, "mistrust", mistrust)
    one(line, device, 0)
    assert told == []
    line.ask(line.database.announce_rewriting())
    one(line, device, 30)
    one(line, device, 60)
    assert told == [line.store.writes - 1]


def rewritten(key: SeriesKey) -> Written:
    at = START + 150 * MIN
    return Written(key=key, role="primary", newest=Latest(time=at, value=9.0, flag=1), received=at, dirty_from=at)


def test_a_row_the_store_refuses_is_in_no_tail(make_line: Callable[..., Any]) -> None:
    """What is not stored must not be looked back at."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    for minute in range(0, 200, 30):
        one(line, device, minute)
    [key] = [s.key for s in states_of(line, device) if s.key.quantity == "water.ec"]
    line.store.refuses[key] = "no"
    one(line, device, 210, 7.0)
    line.store.refuses.clear()
    one(line, device, 240)
    line.work()
    stored, _, flags, _ = in_batch_form(line, device)
    assert stored.flag.tolist() == flags


def test_a_commit_that_fails_is_made_with_all_of_it(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The store or the database is away for a second: the next commit has what both brought, and nothing is dirty."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    for minute in range(0, 180, 30):
        one(line, device, minute)

    async def away(*_: Any) -> None:
        raise UnavailableError("gone")

    for minute, what, part in ((180, SqlDatabase, "commit"), (210, MemoryStore, "write_flags")):
        monkeypatch.setattr(what, part, away)
        with pytest.raises(UnavailableError):
            one(line, device, minute)
        monkeypatch.undo()
    assert one(line, device, 240) == [False, False]
    stored, _, flags, _ = in_batch_form(line, device)
    assert stored.flag.tolist() == flags


@pytest.mark.parametrize("away", [False, True])
def test_more_than_memory_holds_is_stored_while_the_database_is_away(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, away: bool) -> None:
    """A flat line in parts without a commit between: judged in parts, or read back where the database could not be asked. The flags are those of the batch."""
    monkeypatch.setattr(ingest.pipeline, "MOST_WAITING", 5)
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)

    async def gone(*_: Any) -> bool:
        raise UnavailableError("gone")

    with monkeypatch.context() as patch:
        if away:
            patch.setattr(SqlDatabase, "begin_flags", gone)
        for n in range(30):
            line.send(device, json.dumps({"time": rfc3339(START + n * 30 * MIN), "readings": {"water.ec": 5.02}}))
            line.work(commit=False, judge=False)
    line.work(judge=False)
    assert {s.dirty_from is not None for s in states_of(line, device)} == {away}
    line.work()
    stored, _, flags, _ = in_batch_form(line, device)
    assert stored.flag.tolist() == flags
    assert Flag.FAIL in flags


FLAT = [(n, 5.02) for n in range(40, 70)]


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[str, list[tuple[int, float]]]]:
    """Live rows, rounds, restarts, and another writer step by step, in any order; rows as (half hour, value)."""
    rows = st.lists(st.tuples(st.integers(0, 90), st.sampled_from([5.02, 5.02, 5.02, 5.3, 99.0])), min_size=1, max_size=12, unique_by=lambda r: r[0])
    runs = st.tuples(st.integers(0, 40), st.integers(10, 40)).map(lambda r: [(n, 5.02) for n in range(r[0], r[0] + r[1])])
    what = st.sampled_from(["live", "next", "next", "other", "whole", "whole", "step", "step", "judge", "judge", "restart"])
    return draw(st.lists(st.tuples(what, st.one_of(rows, runs)), min_size=3, max_size=16))


def other_writer(line: Any, device: str, rows: list[tuple[int, float]]) -> Iterator[None]:
    """As `redecode` does it, one call after the other, whatever happens between."""
    keys = [SeriesKey("default", device, "main", device, quantity) for quantity in ("water.ec", "water.salinity")]
    found = {START + n * 30 * MIN: value for n, value in sorted(rows)}
    times, values = list(found), list(found.values())
    line.ask(line.database.announce_rewriting())
    yield
    line.ask(line.store.write(Batch.of([0] * len(times) + [1] * len(times), times * 2, values + [v / 2 for v in values]), keys))
    yield
    newest = Latest(time=times[-1], value=values[-1], flag=2)
    written = tuple(Written(key=k, role="primary", newest=newest, received=times[-1], dirty_from=times[0]) for k in keys)
    line.ask(line.database.commit(Commit(journal="x", state_cursor=0, written=written)))
    yield
    line.ask(line.database.announce_rewriting())


@pytest.fixture(scope="module")
def tail_line(tmp_path_factory: pytest.TempPathFactory, open_line: Callable[..., Any]) -> Iterator[Any]:
    """One line for all examples, each with a device of its own."""
    line = open_line(tmp_path_factory.mktemp("line"), tails=True)
    yield line
    line.close()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(story=stories())
@example(story=[("whole", FLAT), ("judge", []), ("next", [])])
@example(story=[("next", []), ("restart", []), ("whole", FLAT), ("judge", []), ("next", [])])
@example(story=[("next", []), ("whole", FLAT), ("next", []), ("judge", []), ("live", [(75, 5.02)]), ("live", [(72, 9.0)])])
def test_live_equals_batch_beside_another_writer(tail_line: Any, story: list[tuple[str, list[tuple[int, float]]]]) -> None:
    """Whenever somebody writes past ingest, also to series that ingest has not met: in the end the flags are those of the batch form."""
    line = tail_line
    device = line.fresh()
    line.station(device)
    steps: Iterator[None] = iter(())
    newest = 0
    for event, rows in story:
        if event in ("live", "next"):
            for n, value in rows if event == "live" else [(newest + 1, 5.02)]:
                newest = max(newest, n)
                line.send(device, json.dumps({"time": rfc3339(START + n * 30 * MIN), "readings": {"water.ec": value}}))
            line.work(judge=False)
        elif event in ("other", "whole"):
            list(steps)
            newest = max(newest, *(n for n, _ in rows))
            steps = other_writer(line, device, rows)
            if event == "whole":
                list(steps)
        elif event == "step":
            next(steps, None)
        elif event == "restart":
            line.restart()
        else:
            line.work()
    list(steps)
    line.work()
    stored, _, flags, bits = in_batch_form(line, device)
    assert stored.flag.tolist() == flags
    assert stored.tests.tolist() == bits
    assert [s.dirty_from for s in states_of(line, device) if s.dirty_from is not None] == []


@pytest.mark.parametrize("met", ["never", "before", "since the start"])
def test_a_stuck_sensor_whose_past_somebody_else_wrote(make_line: Callable[..., Any], met: str) -> None:
    """Ten flat hours are written past ingest and judged: the next live row is bad at once or read back, never good."""
    line = make_line(tails=True)
    device = line.fresh()
    line.station(device)
    if met != "never":
        one(line, device, 0, judge=True)
    if met == "before":
        line.restart()
    list(other_writer(line, device, [(n, 5.02) for n in range(40, 70)]))
    line.work()
    assert set(one(line, device, 70 * 30)) == {met != "since the start"}, "read back, but where the round has handed it over"
    line.work()
    assert one(line, device, 71 * 30) == [False, False], "and judged in memory from then on"
    stored, _, flags, _ = in_batch_form(line, device)
    assert stored.flag.tolist() == flags
    assert [row[2] for row in line.rows(device)[-2:]] == [4, 4]
    [good] = [s.good for s in states_of(line, device) if s.key.quantity == "water.ec"]
    assert good.time < START + 65 * 30 * MIN
