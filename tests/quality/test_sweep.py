"""The judge's round: blocks, the last good reading, what changed meanwhile, and flags that follow their source's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory_store import MemoryStore
from canhman.configuration import read_qc
from core.batch import Batch
from core.errors import UnavailableError
from core.flags import CLOCK_BIT, INHERITED_BIT, WITHDRAWN_BIT
from core.series import SeriesKey
from core.state import Judged, Latest, SeriesState
from quality.judge import judge
from quality.rules import QcConfig, Rules, parse
from quality.sweep import Sweep, sweep

T0 = 1_772_420_400_000
MIN = 60_000
HOUR = 3_600_000
EC = SeriesKey("default", "kl01", "main", "kl01", "water.ec")
SALINITY = EC._replace(quantity="water.salinity")
LEVEL = EC._replace(quantity="water.level")
RANGE = 1 << 0  # its bit
A = TypeVar("A")


def ask(call: Coroutine[Any, Any, A]) -> A:
    """The answer of a call that never waits."""
    try:
        call.send(None)
    except StopIteration as answer:
        return cast("A", answer.value)
    raise RuntimeError("this call waits for something")


class Books:
    """`States` in memory, as the port says; `meanwhile` happens between the judge's reading and its answer."""

    def __init__(self) -> None:
        self.rows: dict[SeriesKey, SeriesState] = {}
        self.changed = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.answers: list[Judged] = []
        self.rewritings = 0

    async def states(self, *, station: str | None = None) -> list[SeriesState]:
        return sorted((s for s in self.rows.values() if station in (None, s.key.station)), key=lambda s: s.key)

    async def dirty(self) -> list[SeriesState]:
        return [s for s in await self.states() if s.dirty_from is not None]

    async def rewriting(self) -> int:
        return self.rewritings

    async def begin_flags(self, rewriting: int, turn: str = "") -> bool:
        return rewriting == self.rewritings

    async def keep_flags(self, turn: str = "") -> bool:
        return True

    async def end_flags(self, turn: str = "") -> bool:
        return True

    async def judged(self, rows: Sequence[Judged], *, rewritten: int | None = None) -> int:
        self.meanwhile()
        self.answers += rows
        cleared = 0
        for row in rows:
            state = self.rows[row.key]
            current = state.changed == row.changed
            cleared += current
            self.changed += 1
            newest = replace(state.newest, flag=row.newest.flag) if state.newest.time == row.newest.time else state.newest
            if current and state.newest.time > row.newest.time:
                newest = row.newest
            dirty_from = None if current else state.dirty_from
            state = replace(state, interval_ms=state.interval_ms if row.interval_ms is None else row.interval_ms)
            self.rows[row.key] = replace(state, judged=row.newest, good=row.good, newest=newest, config=row.config, changed=self.changed, dirty_from=dirty_from)
        return cleared


class Bench:
    """A store and its books, written as ingest would."""

    def __init__(self, config: QcConfig | None = None) -> None:
        self.store, self.books = MemoryStore(), Books()
        self.config = config or read_qc(None)

    def write(self, key: SeriesKey, rows: dict[int, float], *, tests: int = 0) -> None:
        batch = Batch.of([0] * len(rows), list(rows), list(rows.values()), tests=[tests] * len(rows)).last_wins()
        ask(self.store.write(batch, [key]))
        state = self.books.rows.get(key)
        newest = Latest(time=int(batch.time[-1]), value=float(batch.value[-1]), flag=2)
        dirty = int(batch.time[0])
        self.books.changed += 1
        if state is None:
            state = SeriesState(key=key, role="primary", newest=newest, received=0, judged=None, good=None, dirty_from=dirty, changed=self.books.changed)
        else:
            newest = newest if newest.time >= state.newest.time else state.newest
            dirty = dirty if state.dirty_from is None else min(dirty, state.dirty_from)
            state = replace(state, newest=newest, dirty_from=dirty, changed=self.books.changed)
        self.books.rows[key] = state

    def sweep(self, block_rows: int = 50_000) -> Sweep:
        return ask(sweep(self.books, self.store, self.config, block_rows=block_rows))  # type: ignore[arg-type] # as much of States as is used

    def stored(self, key: SeriesKey) -> Batch:
        return ask(self.store.read([key], 0, 1 << 62))

    def flags(self, key: SeriesKey) -> list[int]:
        return self.stored(key).flag.tolist()

    def state(self, key: SeriesKey) -> SeriesState:
        return self.books.rows[key]


def flat(n: int, *, start: int = T0, value: float = 5.02, step: int = 15 * MIN) -> dict[int, float]:
    return {start + i * step: value for i in range(n)}


def moving(n: int, *, start: int = T0, step: int = 15 * MIN, value: float = 5.0) -> dict[int, float]:
    return {start + i * step: value + 0.1 * (i % 7) for i in range(n)}


def of_ec(n: int) -> dict[int, float]:
    """Salinities that conductivities about 5 mS/cm may well be [g/L]."""
    return moving(n, value=2.7)


# ---------------------------------------------------------------- blocks


@pytest.mark.parametrize("block_rows", [1, 2, 5, 36, 37, 50, 192])
def test_a_series_longer_than_a_block(block_rows: int) -> None:
    """A flat line over many blocks has the flags of the whole, wherever a block ends; each row is judged once."""
    bench = Bench()
    bench.write(EC, flat(192))
    bench.write(SALINITY, of_ec(192))
    done = bench.sweep(block_rows)
    assert done == Sweep(series=2, judged=384, changed=384, cleared=2)
    assert bench.flags(EC) == [1] * 12 + [3] * 12 + [4] * 168
    assert bench.flags(SALINITY) == bench.flags(EC), "no better than what it came from"
    assert bench.state(EC).judged == Latest(time=T0 + 191 * 15 * MIN, value=5.02, flag=4)
    assert bench.state(EC).good == Latest(time=T0 + 11 * 15 * MIN, value=5.02, flag=1)
    assert bench.sweep() == Sweep(series=0, judged=0, changed=0, cleared=0)


@given(
    a=st.lists(st.tuples(st.integers(1, 200), st.sampled_from([5.02, 5.02, 5.3, 99.0])), min_size=1, max_size=60),
    b=st.lists(st.tuples(st.integers(1, 200), st.sampled_from([1.0, 1.0, 1.4])), min_size=1, max_size=30),
    block_rows=st.integers(1, 12),
)
def test_blocks_never_show(a: list[tuple[int, float]], b: list[tuple[int, float]], block_rows: int) -> None:
    """Two series of different density in blocks of any size: the flags of the batch form."""
    bench = Bench()
    for key, steps in ((EC, a), (SALINITY, b)):
        rows, time = {}, T0
        for minutes, value in steps:
            time += minutes * MIN
            rows[time] = value
        bench.write(key, rows)
    bench.sweep(block_rows)
    keys = [EC, SALINITY]
    stored = ask(bench.store.read(keys, 0, 1 << 62))
    flags, bits = judge(Batch.of(stored.series, stored.time, stored.value), Rules(bench.config, keys))
    assert stored.flag.tolist() == flags.tolist()
    assert stored.tests.tolist() == bits.tolist()


# ---------------------------------------------------------------- the last good reading


def test_the_last_good_reading_is_looked_for() -> None:
    """A good reading written over with a bad one is good no more; the one before it is found, far back too."""
    bench = Bench()
    bench.write(LEVEL, {T0 - 400 * 24 * HOUR: 1.0, T0: 1.2})
    bench.sweep()
    assert bench.state(LEVEL).good == Latest(time=T0, value=1.2, flag=1)
    bench.write(LEVEL, {T0: 500.0})
    bench.sweep()
    assert bench.state(LEVEL).judged == Latest(time=T0, value=500.0, flag=4)
    assert bench.state(LEVEL).good == Latest(time=T0 - 400 * 24 * HOUR, value=1.0, flag=1)
    bench.write(LEVEL, {T0 - 400 * 24 * HOUR: 500.0})
    bench.sweep()
    assert bench.state(LEVEL).good is None


def test_a_bad_reading_leaves_the_last_good_one() -> None:
    """What was good before this round stays so."""
    bench = Bench()
    bench.write(LEVEL, {T0: 1.2})
    bench.sweep()
    bench.write(LEVEL, {T0 + HOUR: 500.0})
    bench.sweep()
    assert bench.state(LEVEL).good == Latest(time=T0, value=1.2, flag=1)
    assert bench.state(LEVEL).newest == Latest(time=T0 + HOUR, value=500.0, flag=4)


def test_a_late_row_far_behind() -> None:
    """A backlog of a year ago is judged with its own neighbours; newest and good stay those of today."""
    bench = Bench()
    bench.write(EC, moving(50))
    bench.sweep()
    before = bench.state(EC)
    old = T0 - 365 * 24 * HOUR
    bench.write(EC, flat(30, start=old))
    done = bench.sweep()
    assert bench.flags(EC) == [1] * 12 + [3] * 12 + [4] * 6 + [1] * 50
    assert done.changed == 30
    after = bench.state(EC)
    assert (after.newest, after.judged, after.good, after.dirty_from) == (before.newest, before.judged, before.good, None)


def test_a_late_row_that_ends_a_flat_line() -> None:
    """One row between two flat halves: what lay behind it is judged again as far as its window reaches."""
    bench = Bench()
    bench.write(EC, flat(40))
    bench.sweep()
    assert bench.flags(EC)[30] == 4
    bench.write(EC, {T0 + 20 * 15 * MIN + 1: 6.0})
    bench.sweep()
    keys, stored = [EC], bench.stored(EC)
    assert stored.flag.tolist() == judge(Batch.of(stored.series, stored.time, stored.value), Rules(bench.config, keys))[0].tolist()
    assert bench.flags(EC)[31] == 1


# ---------------------------------------------------------------- what changed meanwhile


def test_written_between_reading_and_answer() -> None:
    """The row stays dirty from what was written meanwhile on, and is not cleared; the next round finishes it."""
    bench = Bench()
    bench.write(EC, moving(3))
    late = T0 + 3 * 15 * MIN

    def meanwhile() -> None:
        bench.books.meanwhile = lambda: None
        bench.write(EC, {late: 99.0})

    bench.books.meanwhile = meanwhile
    assert bench.sweep().cleared == 0
    state = bench.state(EC)
    assert state.dirty_from == T0, "the earlier mark is kept: nothing was cleared"
    assert state.newest == Latest(time=late, value=99.0, flag=2)
    assert state.judged == Latest(time=T0 + 2 * 15 * MIN, value=5.2, flag=1)
    assert bench.sweep().cleared == 1
    assert bench.state(EC).newest == bench.state(EC).judged == Latest(time=late, value=99.0, flag=4)


@pytest.mark.parametrize("block_rows", [50_000, 8])
def test_a_row_withdrawn_between_reading_and_writing_stays_so(monkeypatch: pytest.MonkeyPatch, block_rows: int) -> None:
    """The judge has read it before, and its flag comes out otherwise: nothing of that round is written, the bit is kept, and the next round judges."""
    bench = Bench()
    bench.write(EC, flat(30))
    last, read = T0 + 29 * 15 * MIN, MemoryStore.read

    async def read_before(*args: Any, **more: Any) -> Batch:
        rows = await read(*args, **more)
        monkeypatch.undo()
        bench.books.rewritings += 1
        bench.write(EC, {last: 5.0}, tests=1 << WITHDRAWN_BIT)
        return rows

    monkeypatch.setattr(MemoryStore, "read", read_before)
    assert bench.sweep(block_rows).cleared == 0
    assert bench.state(EC).dirty_from == T0
    assert bench.stored(EC).tests.tolist()[-1] == 1 << WITHDRAWN_BIT
    assert bench.sweep(block_rows).cleared == 1
    assert bench.flags(EC)[-1] == 9


def test_a_store_that_goes_away_clears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was judged before is judged again."""
    bench = Bench()
    bench.write(EC, flat(30))
    write_flags = MemoryStore.write_flags

    async def away(*_: Any) -> None:
        raise UnavailableError("memory store: connection refused")

    monkeypatch.setattr(MemoryStore, "write_flags", away)
    with pytest.raises(UnavailableError):
        bench.sweep()
    assert bench.state(EC).dirty_from == T0
    monkeypatch.setattr(MemoryStore, "write_flags", write_flags)
    assert bench.sweep().cleared == 1
    assert bench.flags(EC)[-1] == 4


def test_nothing_dirty_reads_nothing() -> None:
    """An idle round does not touch the store."""
    bench = Bench()
    bench.store.away = "connection refused"
    assert bench.sweep() == Sweep(series=0, judged=0, changed=0, cleared=0)


def test_rows_the_store_lost() -> None:
    """A dirty series of which the store holds nothing is no reason to fail; the others are judged."""
    bench = Bench()
    bench.write(EC, moving(3))
    bench.write(LEVEL, {T0: 1.0})
    bench.store._rows.pop(LEVEL)
    bench.sweep()
    assert bench.flags(EC) == [1, 1, 1]
    assert bench.state(EC).dirty_from is None


def test_the_configuration_is_recorded() -> None:
    """Every judgement carries the hash it was made with, and is made with it."""
    bench = Bench(parse({"range": {"water.ec": {"suspect_high": 5.0}}}))
    bench.write(EC, {T0: 5.1})
    bench.sweep()
    assert (bench.state(EC).config, bench.flags(EC)) == (bench.config.hash, [3])


# ---------------------------------------------------------------- given bits and inherited flags


def test_a_withdrawn_row_stays_9() -> None:
    """Its value stays, its flag is 9 whatever the tests say, and what was derived from it is 9 too; the bit is kept."""
    bench = Bench()
    bench.write(EC, moving(5))
    bench.write(EC, {T0 + 15 * MIN: 99.0}, tests=1 << WITHDRAWN_BIT)
    bench.write(SALINITY, of_ec(5))
    for _ in range(2):
        bench.sweep()
        assert bench.flags(EC) == [1, 9, 1, 1, 1]
        assert bench.flags(SALINITY) == [1, 9, 1, 1, 1]
        assert bench.stored(EC).value.tolist()[1] == 99.0
        assert bench.stored(EC).tests.tolist()[1] == 1 << WITHDRAWN_BIT
        assert bench.stored(SALINITY).tests.tolist()[1] == 1 << INHERITED_BIT
        assert bench.state(EC).dirty_from is None
        bench.books.rows[EC] = replace(bench.state(EC), dirty_from=T0)


@pytest.mark.parametrize("block_rows", [50_000, 8])
@pytest.mark.parametrize("before", [1, 3, 99.0])
def test_a_withdrawn_newest_row_is_not_the_newest(block_rows: int, before: float) -> None:
    """What stands before it is: the newest judged one, be it good or not, in blocks too, and also where it lies before all that is judged anew."""
    bench = Bench()
    bench.write(EC, moving(30))
    bench.write(EC, {T0 + 29 * 15 * MIN: before})
    bench.sweep()
    stood = bench.state(EC)
    gone = [T0 + n * 15 * MIN for n in range(30, 60)]
    bench.write(EC, dict.fromkeys(gone, 5.0))
    bench.sweep()
    bench.write(EC, dict.fromkeys(gone, 5.0), tests=1 << WITHDRAWN_BIT)
    bench.sweep(block_rows)
    state = bench.state(EC)
    assert (state.newest, state.judged, state.good, state.dirty_from) == (stood.judged, stood.judged, stood.good, None)


def test_a_series_that_is_withdrawn_as_a_whole() -> None:
    """Its newest row stays the newest, with flag 9: nothing else stands there."""
    bench = Bench()
    bench.write(EC, moving(3))
    bench.sweep()
    bench.write(EC, moving(3), tests=1 << WITHDRAWN_BIT)
    bench.sweep()
    assert (bench.state(EC).newest.flag, bench.state(EC).judged, bench.state(EC).good) == (9, bench.state(EC).newest, None)


def test_a_withdrawn_row_plays_no_part_for_its_neighbours() -> None:
    """A flat line that is broken by a withdrawn reading alone is one."""
    bench = Bench()
    bench.write(EC, flat(30))
    bench.sweep()
    flags = bench.flags(EC)
    bench.write(EC, {T0 + 20 * 15 * MIN + 1: 6.0}, tests=1 << WITHDRAWN_BIT)
    bench.sweep()
    assert bench.flags(EC) == [*flags[:21], 9, *flags[21:]]


def test_a_clock_bit_is_suspect_and_stays() -> None:
    """The judge keeps what ingest said of the clock."""
    bench = Bench()
    bench.write(EC, moving(2))
    bench.write(EC, {T0 + 1: 5.5}, tests=1 << CLOCK_BIT)
    bench.sweep()
    assert bench.flags(EC) == [1, 3, 1]
    bench.books.rows[EC] = replace(bench.state(EC), dirty_from=T0)
    bench.sweep()
    assert bench.flags(EC) == [1, 3, 1]


def test_a_derived_flag_follows_its_source_there_and_back() -> None:
    """Conductivity stands still: salinity fails with it; a late row shows that it moved: salinity is good again."""
    bench = Bench()
    for key in (EC, SALINITY):
        bench.write(key, flat(30) if key == EC else of_ec(30))
    bench.sweep()
    assert bench.flags(SALINITY) == [1] * 12 + [3] * 12 + [4] * 6
    assert bench.stored(SALINITY).tests.tolist()[-1] == 1 << INHERITED_BIT
    assert bench.state(SALINITY).judged is not None
    # conductivity alone changes; nobody writes salinity again
    bench.write(EC, {T0 + i * 15 * MIN + 1: 5.5 for i in range(29)})
    done = bench.sweep()
    assert bench.flags(SALINITY) == [1] * 30
    assert set(bench.stored(SALINITY).tests.tolist()) == {0}
    state = bench.state(SALINITY)
    assert state.judged == state.newest == state.good
    assert state.newest.flag == 1
    assert done.series == 1


def test_two_sensors_at_one_point_are_two_series() -> None:
    """A check sensor is judged by itself; it neither lends nor takes a flag."""
    other = EC._replace(sensor="kl02")
    bench = Bench()
    for key, rows in ((EC, flat(30)), (other, moving(30)), (SALINITY, of_ec(30)), (other._replace(quantity="water.salinity"), of_ec(30))):
        bench.write(key, rows)
    bench.sweep()
    assert bench.flags(EC)[-1] == bench.flags(SALINITY)[-1] == 4
    assert set(bench.flags(other)) == set(bench.flags(other._replace(quantity="water.salinity"))) == {1}


def test_many_stations_in_one_round() -> None:
    """Each station is cleared; one that is clean is not read."""
    bench = Bench()
    keys = [EC._replace(station=f"s{i}", sensor=f"s{i}") for i in range(20)]
    for key in keys:
        bench.write(key, moving(3))
    assert bench.sweep().cleared == 20
    bench.write(keys[3], {T0 + HOUR: 5.5})
    assert bench.sweep() == Sweep(series=1, judged=1, changed=1, cleared=1)


# ---------------------------------------------------------------- the interval


@pytest.mark.parametrize("block_rows", [1, 3, 20, 50_000])
@pytest.mark.parametrize("minutes", [1, 15, 120, 1440])
@pytest.mark.parametrize("key", [EC, LEVEL])
def test_the_interval_of_even_data(key: SeriesKey, minutes: int, block_rows: int) -> None:
    """A backlog tells it at once, and live rows, one a round, keep it right, wherever a block ends."""
    bench = Bench()
    bench.write(key, moving(50, step=minutes * MIN))
    bench.sweep(block_rows)
    assert bench.state(key).interval_ms == minutes * MIN
    for n in range(50, 60):
        bench.write(key, {T0 + n * minutes * MIN: 5.0 + 0.1 * (n % 7)})
        bench.sweep(block_rows)
        assert bench.state(key).interval_ms == minutes * MIN


@pytest.mark.parametrize("key", [EC, LEVEL])
def test_a_pause_is_no_interval(key: SeriesKey) -> None:
    """A week without data, then live rows: the interval stays what it was."""
    bench = Bench()
    bench.write(key, moving(50))
    bench.sweep()
    later = T0 + 7 * 24 * HOUR
    for n in range(30):
        bench.write(key, {later + n * 15 * MIN: 5.0 + 0.1 * (n % 7)})
        bench.sweep()
        assert bench.state(key).interval_ms == 15 * MIN


def test_another_interval() -> None:
    """A logger set from 15 min to two hours: after at most 21 readings, judged one by one, the new interval stands."""
    bench = Bench()
    bench.write(EC, moving(50))
    bench.sweep()
    later = T0 + 50 * 15 * MIN
    for n in range(1, 22):
        bench.write(EC, {later + n * 120 * MIN: 5.0 + 0.1 * (n % 7)})
        bench.sweep()
    assert bench.state(EC).interval_ms == 120 * MIN


def test_the_first_readings() -> None:
    """One row tells no interval; two and three tell what there is; from then on few gaps change nothing."""
    bench = Bench()
    bench.write(LEVEL, {T0: 1.0})
    bench.sweep()
    assert bench.state(LEVEL).interval_ms is None
    bench.write(LEVEL, {T0 + 10 * MIN: 1.1})
    bench.sweep()
    assert bench.state(LEVEL).interval_ms == 10 * MIN
    bench.write(LEVEL, {T0 + 300 * MIN: 1.2})
    bench.sweep()
    assert bench.state(LEVEL).interval_ms == 10 * MIN


def test_only_the_last_gaps_count() -> None:
    """A year at two hours before 20 gaps of 15 min; a late row of long ago changes nothing."""
    bench = Bench()
    bench.write(EC, moving(500, step=120 * MIN))
    bench.write(EC, moving(21, start=T0 + 600 * 120 * MIN))
    bench.sweep()
    assert bench.state(EC).interval_ms == 15 * MIN
    bench.write(EC, {T0 + 7: 5.0})
    bench.sweep()
    assert bench.state(EC).interval_ms == 15 * MIN


def test_neighbours_do_not_lend_an_interval() -> None:
    """Series judged together have each their own."""
    bench = Bench()
    bench.write(EC, moving(60, step=30 * MIN))
    bench.write(SALINITY, moving(15, step=120 * MIN))
    bench.sweep()
    assert (bench.state(EC).interval_ms, bench.state(SALINITY).interval_ms) == (30 * MIN, 120 * MIN)


def test_it_can_be_awaited_like_any_other() -> None:
    """The form services use."""
    bench = Bench()
    bench.write(EC, moving(3))
    assert asyncio.run(sweep(bench.books, bench.store, bench.config)).cleared == 1  # type: ignore[arg-type] # as above


# ---------------------------------------------------------------- many groups together


@pytest.mark.parametrize("block_rows", [3, 12, 50, 50_000])
def test_groups_of_any_density_together(block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long and short groups, dirty since days or minutes, in blocks of a few series: each has the flags of the batch form, and is cleared."""
    monkeypatch.setattr("quality.sweep.TOGETHER", 4)
    bench = Bench()
    keys = [EC._replace(station=f"s{i}", sensor=f"s{i}", quantity=q) for i in range(12) for q in ("water.ec", "water.salinity")]
    for i, key in enumerate(keys):
        start = T0 - (i % 5) * 3 * 24 * HOUR
        bench.write(key, flat(4 + 7 * (i % 4)) | flat(5 * (i % 3), start=start, step=(1 + i % 7) * 5 * MIN))
    assert bench.sweep(block_rows).cleared == len(keys)
    stored = ask(bench.store.read(keys, 0, 1 << 62))
    flags, bits = judge(Batch.of(stored.series, stored.time, stored.value), Rules(bench.config, keys))
    assert stored.flag.tolist() == flags.tolist()
    assert stored.tests.tolist() == bits.tolist()
    assert set(flags.tolist()) == {1, 3, 4}


def test_a_judge_that_is_one_no_more_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked between blocks: what was judged by then is answered, the rest stays dirty."""
    monkeypatch.setattr("quality.sweep.TOGETHER", 2)
    bench = Bench()
    keys = [EC._replace(station=f"s{i}") for i in range(10)]
    for key in keys:
        bench.write(key, moving(3))
    left = [3]

    async def go_on() -> bool:
        left[0] -= 1
        return left[0] >= 0

    done = ask(sweep(bench.books, bench.store, bench.config, go_on=go_on))  # type: ignore[arg-type] # as much of States as is used
    assert done.cleared == 6
    assert [bench.state(key).dirty_from is None for key in keys].count(False) == 4
    assert bench.sweep().cleared == 4


@pytest.mark.parametrize("block_rows", [5, 50_000])
def test_what_was_read_is_handed_over(block_rows: int) -> None:
    """Of each series of the group all rows from a time on that reaches back as far as the tests look, whatever the blocks."""
    bench = Bench()
    bench.write(EC, moving(100))
    bench.write(LEVEL, moving(3, start=T0 + 97 * 15 * MIN))
    bench.sweep()
    bench.write(EC, {T0 + 100 * 15 * MIN: 5.5})
    heard: dict[SeriesKey, tuple[list[int], int]] = {}

    def learn(keys: Sequence[SeriesKey], rows: Batch, since: int) -> None:
        heard.update({key: (rows.time[rows.series == i].tolist(), since) for i, key in enumerate(keys)})

    ask(sweep(bench.books, bench.store, bench.config, block_rows=block_rows, learn=learn))  # type: ignore[arg-type] # as much of States as is used
    assert set(heard) == {EC, LEVEL}
    for key, (times, since) in heard.items():
        assert since <= T0 + 100 * 15 * MIN - 9 * HOUR
        assert times == [t for t in bench.stored(key).time.tolist() if t >= since]
