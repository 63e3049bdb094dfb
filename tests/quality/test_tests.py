"""Rules for every QC test, parametrised over the registry: a new test file is tested the moment it exists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.batch import Batch
from core.flags import GIVEN_BITS, Flag
from core.series import SeriesKey
from quality.judge import context, judge
from quality.qc import Block, QcTest
from quality.rules import TESTS, Rules, parse

HOUR = 3_600_000
START = 1_772_420_400_000
KEY = SeriesKey("default", "kl01", "main", "kl01", "water.ec")
every_test = pytest.mark.parametrize("test", TESTS.values(), ids=TESTS.keys())


def rules_of(test: QcTest) -> Rules:
    settings = {"stuck": {"resolution": 0.01, "floor": 0.62}, "agree": {"share": 0.2, "least": 0.05}, "ahead": {"ahead_s": 60.0}}.get(test.name, {})
    return Rules(parse({test.name: {"water.ec": settings}} if settings else {}), [KEY])


rows = st.lists(
    st.tuples(st.integers(1, 200), st.one_of(st.sampled_from([5.02, 5.02, 5.03, 0.2, 70.0]), st.floats(-5, 80, allow_nan=False))), min_size=1, max_size=60
)


def batch_of(steps: list[tuple[int, float]], *, start: int = START) -> Batch:
    times = start + np.cumsum([step * 60_000 for step, _ in steps])
    return Batch.of([0] * len(steps), times, [value for _, value in steps])


@every_test
def test_bits_are_fixed_and_never_shared(test: QcTest) -> None:
    """A bit number below 32 belongs to one test alone; the given bits lie above."""
    assert 0 <= test.bit < 32
    assert [t.bit for t in TESTS.values()].count(test.bit) == 1
    assert min(GIVEN_BITS.values()) >= 32
    assert test.vi
    assert test.en


@every_test
@given(steps=rows, hours=st.integers(-20_000, 20_000))
def test_shift_in_time_changes_nothing(test: QcTest, steps: list[tuple[int, float]], hours: int) -> None:
    """Only differences of time matter."""
    rules = rules_of(test)
    here, there = batch_of(steps), batch_of(steps, start=START + hours * HOUR)
    assert judge(here, rules, tests=[test])[0].tolist() == judge(there, rules, tests=[test])[0].tolist()


@every_test
@given(steps=rows)
def test_input_is_never_changed(test: QcTest, steps: list[tuple[int, float]]) -> None:
    """A test leaves block and parameters as it found them, and answers with QARTOD flags, one per row."""
    rules = rules_of(test)
    rules.grow()
    block = Block.of(batch_of(steps))
    params = rules.params(test.name, block.series)
    before = [block.series.copy(), block.time.copy(), block.value.copy(), *(p.copy() for p in params.values())]
    flags = test.run(block, params)
    after = [block.series, block.time, block.value, *params.values()]
    assert all(np.array_equal(x, y, equal_nan=True) for x, y in zip(before, after, strict=True))
    assert flags.dtype == np.uint8
    assert set(flags.tolist()) <= {1, 2, 3, 4}
    assert len(flags) == len(steps)


@every_test
@given(steps=rows, holes=st.sets(st.integers(0, 59)))
def test_missing_values_are_9_and_touch_nobody(test: QcTest, steps: list[tuple[int, float]], holes: set[int]) -> None:
    """NaN is MISSING; the values beside it are judged as if it were not there."""
    rules = rules_of(test)
    whole = batch_of(steps)
    gap = np.isin(np.arange(len(whole)), list(holes))
    value = np.where(gap, np.nan, whole.value)
    flags, _ = judge(Batch.of(whole.series, whole.time, value), rules, tests=[test])
    assert set(flags[gap].tolist()) <= {Flag.MISSING}
    assert flags[~gap].tolist() == judge(whole.take(~gap), rules, tests=[test])[0].tolist()


@every_test
@given(steps=rows, cut=st.integers(0, 59))
def test_context_is_enough(test: QcTest, steps: list[tuple[int, float]], cut: int) -> None:
    """A block cut out with the declared context gives the flags of the whole series."""
    rules = rules_of(test)
    whole = batch_of(steps)
    cut = min(cut, len(whole) - 1)
    before, _ = context([test])
    from_hours = int(np.searchsorted(whole.time, whole.time[cut] - int(before.hours * HOUR)))
    first = min(from_hours, max(0, cut - before.samples))
    part = judge(whole.take(slice(first, None)), rules, tests=[test])[0]
    assert part[cut - first :].tolist() == judge(whole, rules, tests=[test])[0][cut:].tolist()


@every_test
@given(steps=rows, other=rows)
def test_series_do_not_touch_each_other(test: QcTest, steps: list[tuple[int, float]], other: list[tuple[int, float]]) -> None:
    """Two series in one block are judged as each alone."""
    keys = [KEY, KEY._replace(station="kl02")]
    rules = Rules(rules_of(test).config, keys)
    a, b = batch_of(steps), batch_of(other)
    b = Batch.of(np.ones(len(b), dtype=np.int32), b.time, b.value)
    both = judge(Batch.concat([a, b]), rules, tests=[test])[0].tolist()
    assert both == [*judge(a, rules, tests=[test])[0].tolist(), *judge(b, rules, tests=[test])[0].tolist()]
