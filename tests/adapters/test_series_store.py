"""What every series store does, run against all of them: memory, SQLite, InfluxDB 1.6, and 2.x's write API before it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.influx2 import Influx2
from servers.influxd import InfluxD

from adapters.influx import InfluxStore
from adapters.memory_store import MemoryStore
from adapters.sqlite_store import SqliteStore
from core.batch import Batch
from core.errors import UnavailableError
from core.flags import WITHDRAWN_BIT
from core.ports import RefusedRow, SeriesStore
from core.series import SeriesKey

T = 1_772_323_800_000
MINUTE = 60_000
DAY = 86_400_000
FOREVER = 1 << 62

EC = SeriesKey("default", "kl-01", "main", "kl01", "water.ec")
TEMPERATURE = EC._replace(quantity="water.temperature")
OTHER_SENSOR = EC._replace(sensor="kl02")
D10 = EC._replace(point="d10", sensor="kl01/d10", quantity="soil.moisture")
D30 = EC._replace(point="d30", sensor="kl01/d30", quantity="soil.moisture")

Row = tuple[int, int, float, int, int, int]


class Driver:
    """A store, one call at a time."""

    def __init__(self, store: SeriesStore) -> None:
        self.store = store

    def open(self) -> Driver:
        asyncio.run(self.store.open())
        return self

    def create(self) -> None:
        asyncio.run(self.store.create())

    def close(self) -> None:
        asyncio.run(self.store.close())

    def ping(self) -> None:
        asyncio.run(self.store.ping())

    def write(self, batch: Batch, keys: Sequence[SeriesKey], cursor: int | None = None, *, journal: str = "") -> list[RefusedRow]:
        return asyncio.run(self.store.write(batch, keys, cursor, journal=journal))

    def flags(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        asyncio.run(self.store.write_flags(batch, keys))

    def cursor(self, journal: str) -> int:
        return asyncio.run(self.store.cursor(journal))

    def batch(self, keys: Sequence[SeriesKey], start: int = 0, end: int = FOREVER, *, limit: int | None = None) -> Batch:
        return asyncio.run(self.store.read(keys, start, end, limit=limit))

    def read(self, keys: Sequence[SeriesKey], start: int = 0, end: int = FOREVER, *, limit: int | None = None) -> list[Row]:
        b = self.batch(keys, start, end, limit=limit)
        return list(zip(b.series.tolist(), b.time.tolist(), b.value.tolist(), b.flag.tolist(), b.tests.tolist(), b.received.tolist(), strict=True))

    def series(self, station: str | None = None) -> list[SeriesKey]:
        return asyncio.run(self.store.series(station=station))


Make = Callable[[], SeriesStore]


class SeriesStoreConformance:
    """Subclasses give `make`: a store object, unopened, on the same (at first empty) data each time it is called."""

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    @pytest.fixture
    def opened(self, make: Make) -> Iterator[Callable[[], Driver]]:
        drivers: list[Driver] = []

        def again() -> Driver:
            for driver in drivers:
                driver.close()
            drivers.append(Driver(make()))
            drivers[-1].create()
            return drivers[-1].open()

        yield again
        for driver in drivers:
            driver.close()

    @pytest.fixture
    def store(self, opened: Callable[[], Driver]) -> Driver:
        return opened()

    def test_a_row_comes_back_as_written(self, store: Driver) -> None:
        """Value, flag, tests and received come back unchanged."""
        assert store.write(Batch.of([0], [T], [2.31], flag=[3], tests=[5], received=[T + 7]), [EC]) == []
        assert store.read([EC]) == [(0, T, 2.31, 3, 5, T + 7)]

    def test_empty_reads(self, store: Driver) -> None:
        """Nothing stored, nothing asked for, an empty range and a limit of none all give no rows."""
        assert store.read([EC, D10]) == []
        assert store.series() == []
        store.write(Batch.of([0], [T], [1.0]), [EC])
        assert store.read([]) == []
        assert store.read([EC], T, T) == []
        assert store.read([EC], T + 1, T) == []
        assert store.read([EC], limit=0) == []
        assert store.read([OTHER_SENSOR]) == []

    def test_the_last_write_wins_within_a_batch(self, store: Driver) -> None:
        """Rows of one identity in one batch: the last is kept, whatever stands between."""
        store.write(Batch.of([0, 0, 0], [T, T + MINUTE, T], [1.0, 9.0, 2.0], flag=[4, 1, 1], tests=[1, 0, 0], received=[T, T, T + 5]), [EC])
        assert store.read([EC]) == [(0, T, 2.0, 1, 0, T + 5), (0, T + MINUTE, 9.0, 1, 0, T)]

    def test_the_last_write_wins_later(self, store: Driver) -> None:
        """The same identity written later replaces all of it; test bits of the old value do not show through."""
        store.write(Batch.of([0], [T], [99.0], flag=[4], tests=[1], received=[T]), [EC])
        store.write(Batch.of([0], [T], [2.0], flag=[1], received=[T + 9]), [EC])
        assert store.read([EC]) == [(0, T, 2.0, 1, 0, T + 9)]

    def test_a_repeated_write_changes_nothing(self, store: Driver) -> None:
        """Writes are idempotent."""
        batch = Batch.of([0, 1], [T, T], [1.5, 28.4], flag=[1, 3], tests=[0, 2])
        for _ in range(3):
            store.write(batch, [EC, TEMPERATURE])
        assert store.read([EC, TEMPERATURE]) == [(0, T, 1.5, 1, 0, T), (1, T, 28.4, 3, 2, T)]

    def test_a_good_value_after_a_restart_hides_the_failed_one(self, opened: Callable[[], Driver]) -> None:
        """An old row overwritten by an object that did not write it leaves no test bits, though a newer row came first."""
        opened().write(Batch.of([0, 0], [T, T + MINUTE], [99.0, 98.0], flag=[4, 4], tests=[1, 1]), [EC])
        again = opened()
        again.write(Batch.of([0], [T + DAY], [1.0], flag=[1]), [EC])
        again.write(Batch.of([0, 0], [T, T + MINUTE], [2.0, 3.0], flag=[1, 1]), [EC])
        assert again.read([EC]) == [(0, T, 2.0, 1, 0, T), (0, T + MINUTE, 3.0, 1, 0, T + MINUTE), (0, T + DAY, 1.0, 1, 0, T + DAY)]

    def test_flags_are_rewritten_and_revised_to_nothing(self, store: Driver) -> None:
        """`write_flags` changes flag and tests of the rows named, also back to 0; value and received stay."""
        store.write(Batch.of([0, 0], [T, T + MINUTE], [1.0, 2.0], flag=[2, 3], tests=[0, 6], received=[T + 1, T + 2]), [EC])
        store.flags(Batch.of([0, 0], [T + MINUTE, T], [-1.0, -1.0], flag=[1, 4], tests=[0, 8]), [EC])
        assert store.read([EC]) == [(0, T, 1.0, 4, 8, T + 1), (0, T + MINUTE, 2.0, 1, 0, T + 2)]

    def test_flags_of_a_row_that_is_not_there_make_none(self, store: Driver) -> None:
        """A flag without a value is no reading."""
        store.write(Batch.of([0], [T], [1.0], flag=[1]), [EC])
        store.flags(Batch.of([0], [T + 1], [float("nan")], flag=[4], tests=[1]), [EC])
        assert store.read([EC]) == [(0, T, 1.0, 1, 0, T)]

    def test_the_last_flags_win_within_a_batch(self, store: Driver) -> None:
        """Flags given twice for one row: the later."""
        store.write(Batch.of([0], [T], [1.0]), [EC])
        store.flags(Batch.of([0, 0], [T, T], [0.0, 0.0], flag=[4, 3], tests=[1, 2]), [EC])
        assert store.read([EC]) == [(0, T, 1.0, 3, 2, T)]

    def test_withdrawn(self, store: Driver) -> None:
        """A withdrawn value keeps its number, with flag 9 and its test bit, and may come back."""
        store.write(Batch.of([0], [T], [3.25], flag=[1]), [EC])
        store.flags(Batch.of([0], [T], [0.0], flag=[9], tests=[1 << WITHDRAWN_BIT]), [EC])
        assert store.read([EC]) == [(0, T, 3.25, 9, 1 << WITHDRAWN_BIT, T)]
        store.write(Batch.of([0], [T], [3.25], flag=[1]), [EC])
        assert store.read([EC]) == [(0, T, 3.25, 1, 0, T)]

    def test_start_is_included_and_end_is_not(self, store: Driver) -> None:
        """start ≤ time < end, to the millisecond, over days."""
        times = [T - DAY, T - 1, T, T + 1, T + DAY]
        store.write(Batch.of([0] * 5, times, [0.0, 1.0, 2.0, 3.0, 4.0]), [EC])
        assert [row[1] for row in store.read([EC], T - 1, T + 1)] == [T - 1, T]
        assert [row[1] for row in store.read([EC], T, FOREVER)] == times[2:]
        assert [row[1] for row in store.read([EC], 0, T + DAY)] == times[:4]

    def test_order_and_limit(self, store: Driver) -> None:
        """Sorted by (series, time) in the order of the keys asked for; the limit counts the oldest of each series."""
        keys = [EC, TEMPERATURE, D10]
        series, time = [1, 0, 2, 0, 1, 0, 2], [T + 5, T + 9, T, T - DAY, T, T, T + 2 * DAY]
        store.write(Batch.of(series, time, [float(i) for i in range(7)]), keys)
        asked = [D10, EC, TEMPERATURE]
        assert [row[:2] for row in store.read(asked)] == [(0, T), (0, T + 2 * DAY), (1, T - DAY), (1, T), (1, T + 9), (2, T), (2, T + 5)]
        assert [row[:2] for row in store.read(asked, limit=1)] == [(0, T), (1, T - DAY), (2, T)]
        assert [row[:2] for row in store.read(asked, T, FOREVER, limit=2)] == [(0, T), (0, T + 2 * DAY), (1, T), (1, T + 9), (2, T), (2, T + 5)]

    def test_a_limit_counts_only_the_series_asked_for(self, store: Driver) -> None:
        """Rows of another quantity at the same point use nothing of the limit up."""
        times = [T + i * MINUTE for i in range(20)]
        store.write(Batch.of([0] * 20, times, [28.0] * 20), [TEMPERATURE])
        store.write(Batch.of([0], [T + 19 * MINUTE], [-0.5]), [EC])
        assert store.read([EC], limit=2) == [(0, T + 19 * MINUTE, -0.5, 2, 0, T + 19 * MINUTE)]

    def test_sensors_points_and_quantities_stay_apart(self, store: Driver) -> None:
        """Two sensors at one point, two depths, two quantities and two orgs at one time are six readings."""
        keys = [EC, OTHER_SENSOR, TEMPERATURE, D10, D30, EC._replace(org="another")]
        store.write(Batch.of(range(6), [T] * 6, [1.0, 2.0, 3.0, 0.4, 0.5, 6.0]), keys)
        assert [row[2] for row in store.read(keys)] == [1.0, 2.0, 3.0, 0.4, 0.5, 6.0]
        assert store.series() == sorted(keys)

    def test_a_second_quantity_leaves_the_first_alone(self, store: Driver) -> None:
        """A quantity written later at the same point and time changes nothing of the other's value, flag and tests."""
        store.write(Batch.of([0], [T], [1.0], flag=[3], tests=[4]), [EC])
        store.write(Batch.of([0], [T], [28.0], flag=[1]), [TEMPERATURE])
        assert store.read([EC, TEMPERATURE]) == [(0, T, 1.0, 3, 4, T), (1, T, 28.0, 1, 0, T)]

    def test_many_keys_in_one_read(self, store: Driver) -> None:
        """Far more series than go into one request come back complete, each under its own index."""
        keys = [EC._replace(station=f"st-{i}", sensor=f"Dev.{i}:a_b/c") for i in range(230)]
        store.write(Batch.of(range(230), [T] * 230, [float(i) for i in range(230)]), keys)
        assert [row[:3] for row in store.read(keys[::-1])] == [(i, T, float(229 - i)) for i in range(230)]

    def test_values_are_kept_to_the_bit(self, store: Driver) -> None:
        """Floats come back bit for bit, whole numbers too, and so do the highest test bits and far times."""
        values = [0.1, 1e-300, 40.0, -0.42, 0.0, 1 / 3, 1e22, 1.7976931348623157e308, 5e-324, 123456789012345680.0, -40.0, 3.0]
        times = [T + i for i in range(len(values))]
        store.write(Batch.of([0] * len(values), times, values, tests=[1 << 62] * len(values)), [EC])
        batch = store.batch([EC])
        assert batch.value.tobytes() == np.array(values).tobytes()
        assert set(batch.tests.tolist()) == {1 << 62}
        far = 9_223_372_036_000
        store.write(Batch.of([0], [far], [7.0]), [D10])
        assert store.read([D10]) == [(0, far, 7.0, 2, 0, far)]

    def test_what_is_no_number_is_refused_and_nothing_beside_it(self, store: Driver) -> None:
        """NaN and infinities are named by their row; they hide no good row of the same identity before them."""
        values = [1.0, float("nan"), 2.0, float("inf"), float("-inf")]
        refused = store.write(Batch.of([0] * 5, [T, T, T + 1, T + 2, T + 3], values), [EC], 12, journal="j")
        assert [r.row for r in refused] == [1, 3, 4]
        assert all("finite" in r.text for r in refused)
        assert [row[:3] for row in store.read([EC])] == [(0, T, 1.0), (0, T + 1, 2.0)]
        assert store.cursor("j") == 12

    def test_the_cursor_moves_with_the_rows(self, opened: Callable[[], Driver]) -> None:
        """Each journal has its own cursor, 0 at first; a write without rows moves it too; it outlives the object."""
        store = opened()
        assert store.cursor("a") == 0
        store.write(Batch.of([0], [T], [1.0]), [EC], 100, journal="a")
        store.write(Batch.of([0], [T], [1.0]), [EC])
        store.write(Batch.empty(), [], 5, journal="b")
        assert (store.cursor("a"), store.cursor("b"), store.cursor("c")) == (100, 5, 0)
        store.write(Batch.empty(), [], 1 << 40, journal="a")
        again = opened()
        assert (again.cursor("a"), again.cursor("b")) == (1 << 40, 5)

    def test_series_lists_what_is_stored(self, store: Driver) -> None:
        """All series sorted, or those of one station."""
        there = EC._replace(station="kl-02")
        store.write(Batch.of([0, 1, 2], [T, T + DAY, T], [1.0, 2.0, 3.0]), [TEMPERATURE, there, EC])
        assert store.series() == [EC, TEMPERATURE, there]
        assert store.series("kl-02") == [there]
        assert store.series("nowhere") == []

    def test_a_new_object_sees_everything(self, opened: Callable[[], Driver]) -> None:
        """Rows, flags and series outlive the object that wrote them."""
        store = opened()
        store.write(Batch.of([0, 1], [T, T], [1.0, 2.0], flag=[1, 3], tests=[0, 9]), [EC, D10])
        store.flags(Batch.of([0], [T], [0.0], flag=[3], tests=[2]), [EC])
        again = opened()
        assert again.read([EC, D10]) == [(0, T, 1.0, 3, 2, T), (1, T, 2.0, 3, 9, T)]
        assert again.series() == sorted([EC, D10])
        again.ping()

    @settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_sequence_of_writes_equals_a_dict(self, make: Make, data: st.DataObject) -> None:
        """Writes, flags and restarts in any order leave what the same calls leave in the memory store."""
        station = f"h-{next(_counter)}"
        keys = [key._replace(station=station) for key in (EC, TEMPERATURE, OTHER_SENSOR)]
        model = Driver(MemoryStore())
        stores = [Driver(make())]
        stores[0].create()
        stores[0].open()
        row = st.tuples(st.integers(0, 2), st.integers(0, 4), st.floats(-50, 50), st.sampled_from([1, 2, 3, 4, 9]), st.sampled_from([0, 0, 1, 6]))
        try:
            for step in data.draw(st.lists(st.sampled_from(["write", "write", "flags", "restart"]), max_size=8)):
                if step == "restart":
                    stores[-1].close()
                    stores.append(Driver(make()).open())
                    continue
                rows = data.draw(st.lists(row, min_size=1, max_size=6))
                series, time, value, flag, tests = zip(*rows, strict=True)
                batch = Batch.of(series, [T + t * DAY for t in time], value, flag=flag, tests=tests, received=[T] * len(rows))
                if step == "flags":  # only rows that exist may be named
                    there = {(r[0], r[1]) for r in model.read(keys)}
                    batch = batch.take(np.array([pair in there for pair in zip(batch.series.tolist(), batch.time.tolist(), strict=True)]))
                for driver in (model, stores[-1]):
                    driver.flags(batch, keys) if step == "flags" else driver.write(batch, keys)
            assert stores[-1].read(keys) == model.read(keys)
        finally:
            stores[-1].close()


_counter = itertools.count()


class TestMemoryStore(SeriesStoreConformance):
    @pytest.fixture
    def make(self) -> Make:
        store = MemoryStore()
        return lambda: store

    def test_away(self, store: Driver) -> None:
        """While `away` every call says so, and a failed write moves no cursor."""
        assert isinstance(store.store, MemoryStore)
        store.store.away = "pulled out"
        with pytest.raises(UnavailableError, match="pulled out"):
            store.write(Batch.of([0], [T], [1.0]), [EC], 9, journal="j")
        store.store.away = ""
        assert store.cursor("j") == 0
        assert store.read([EC]) == []


class TestSqliteStore(SeriesStoreConformance):
    @pytest.fixture(params=["FULL", "NORMAL"])
    def make(self, request: pytest.FixtureRequest, tmp_path: Path) -> Make:
        return lambda: SqliteStore(tmp_path / "data" / "series.db", synchronous=request.param)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxD]:
    server = InfluxD(tmp_path_factory.mktemp("influxd"))
    yield server.start()
    server.stop()


@pytest.mark.servers
class TestInfluxV1(SeriesStoreConformance):
    @pytest.fixture
    def make(self, influxd: InfluxD, tmp_path: Path) -> Make:
        database = f"v1_{next(_counter)}"
        return lambda: InfluxStore(influxd.url, database=database, cursor_path=tmp_path / "cursor")


@pytest.mark.servers
class TestInfluxV2(SeriesStoreConformance):
    @pytest.fixture
    def make(self, influxd: InfluxD, tmp_path: Path) -> Iterator[Make]:
        face = Influx2(influxd, bucket=f"v2_{next(_counter)}").start()
        yield lambda: InfluxStore(face.url, database=face.bucket, api="v2", org=face.org, token=face.token, cursor_path=tmp_path / "cursor")
        face.stop()


@pytest.mark.servers
class TestInfluxShared(SeriesStoreConformance):
    """With several writers nothing is asked and `_qt` is always written."""

    @pytest.fixture
    def make(self, influxd: InfluxD, tmp_path: Path) -> Make:
        database = f"shared_{next(_counter)}"
        return lambda: InfluxStore(influxd.url, database=database, cursor_path=tmp_path / "cursor", shared=True)
