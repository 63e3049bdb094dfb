"""Live flags equal batch flags: for any split, order of arrival, duplicate or restart, through the real pipeline."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from canhman.configuration import read_qc
from core.batch import Batch
from core.clock import rfc3339
from core.flags import Flag
from core.state import Latest
from quality.judge import judge
from quality.qc import Block, Context, Floats, QcTest
from quality.rules import TESTS, Rules

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
CONFIGS = {
    "shipped": read_qc(None),
    "spike": replace(read_qc(None), tests={"spike": SPIKE}),
    "all": replace(read_qc(None), tests={**TESTS, "spike": SPIKE}),
    "looks back": replace(read_qc(None), tests={**TESTS, "back": replace(SPIKE, name="back", before=Context(samples=3), after=Context(), run=step)}),
    "after hours": replace(read_qc(None), tests={**TESTS, "spike": replace(SPIKE, before=Context(samples=3), after=Context(samples=1, hours=2.5))}),
}


WAYS = [(name, tails) for tails in (False, True) for name in CONFIGS if not tails or name != "after hours"]


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


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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
