"""Blocking adapters behind a thread: the loop goes on, errors pass, calls on one connection take turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from adapters.offload import WORKERS, offload
from adapters.sql import SqlDatabase, open_database, prepare
from adapters.sqlite_store import SqliteStore
from core.batch import Batch
from core.errors import ConflictError, UnavailableError
from core.place import Station
from core.ports import Alerts, Cursors, Forecasts, People, Registry, SeriesStore, States
from core.series import SeriesKey

WAIT_S = 20.0  # nothing waits so long: it ends a test that hangs
KEYS = [SeriesKey("default", "kl", "main", "kl", f"water.q{n}") for n in range(8)]


class Door:
    """An adapter whose calls block until the test lets them go on."""

    name = "door"

    def __init__(self, *, any_thread: bool = False) -> None:
        self.any_thread = any_thread
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.full = threading.Event()
        self.go = threading.Event()
        self.done: list[int] = []

    async def through(self, n: int) -> int:
        """Block."""
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == WORKERS:
                self.full.set()
        assert self.go.wait(WAIT_S)
        with self.lock:
            self.inside -= 1
            self.done.append(n)
        return n

    async def refuse(self, error: BaseException) -> None:
        """Raise."""
        raise error

    async def awaits(self) -> None:
        """What no adapter behind a thread may do."""
        await asyncio.sleep(0)

    def sync(self) -> threading.Thread:
        """As it is."""
        return threading.current_thread()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqlDatabase]:
    url = f"sqlite:///{tmp_path}/registry.db"
    prepare(url)
    found = open_database(url)
    yield found
    found.close()


def test_the_loop_goes_on_while_a_call_blocks() -> None:
    """What else the loop has to do is what lets the call go on: it could not, were the loop blocked."""

    async def scenario() -> int:
        door = Door()
        call = asyncio.create_task(offload(door).through(7))
        asyncio.get_running_loop().call_later(0.01, door.go.set)
        return await asyncio.wait_for(call, WAIT_S)

    assert asyncio.run(scenario()) == 7


def test_calls_take_turns_in_their_order() -> None:
    """One connection: never two calls at once, the first one first."""

    async def scenario() -> Door:
        door = Door()
        behind = offload(door)
        door.go.set()
        assert await asyncio.gather(*(behind.through(n) for n in range(50))) == list(range(50))
        return door

    door = asyncio.run(scenario())
    assert (door.most, door.done) == (1, list(range(50)))


def test_brief_calls_wait_where_they_are_called() -> None:
    """One with a short argument runs in the caller's thread, after what is under way elsewhere; a longer one, or another method, does not."""

    class Where:
        def __init__(self) -> None:
            self.begun, self.go, self.inside = threading.Event(), threading.Event(), 0

        async def write(self, rows: list[int]) -> int:
            assert self.inside == 0
            self.inside += 1
            if len(rows) == 3:
                self.begun.set()
                assert self.go.wait(WAIT_S)
            self.inside -= 1
            return threading.get_ident()

        async def flush(self) -> int:
            return threading.get_ident()

    async def scenario() -> None:
        where = Where()
        behind = offload(where, brief={"write": 2})
        here = threading.get_ident()
        assert [await behind.write([1]), await behind.flush() != here, await behind.write([1, 2]) != here] == [here, True, True]
        long = asyncio.create_task(behind.write([1, 2, 3]))
        assert await asyncio.to_thread(where.begun.wait, WAIT_S)
        threading.Timer(0.01, where.go.set).start()
        assert await behind.write([1]) == here
        assert await long != here

    asyncio.run(scenario())


def test_calls_beside_each_other() -> None:
    """An adapter that allows it is asked by several threads at once."""

    async def scenario() -> Door:
        door = Door(any_thread=True)
        behind = offload(door)
        calls = [asyncio.create_task(behind.through(n)) for n in range(3 * WORKERS)]
        assert await asyncio.to_thread(door.full.wait, WAIT_S)
        door.go.set()
        assert await asyncio.gather(*calls) == list(range(3 * WORKERS))
        return door

    assert asyncio.run(scenario()).most == WORKERS


@pytest.mark.parametrize("error", [ConflictError("taken"), UnavailableError("away"), KeyError("x"), StopIteration("odd")])
def test_errors_pass(error: Exception) -> None:
    """What the adapter raises is what the caller gets, the object itself; a StopIteration as any coroutine raises it."""
    with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)) as caught:
        asyncio.run(offload(Door()).refuse(error))
    assert error in (caught.value, caught.value.__cause__)


def test_what_waits_for_its_loop_is_refused() -> None:
    """It would never be woken; better an error at its first call."""
    with pytest.raises(RuntimeError, match=r"Door\.awaits waits for its event loop"):
        asyncio.run(offload(Door()).awaits())


def test_the_rest_is_as_it_is() -> None:
    """Attributes and plain methods are the adapter's own, and what it has not it has not."""
    behind = offload(Door())
    assert behind.name == "door"
    assert behind.sync() is threading.current_thread()
    with pytest.raises(AttributeError, match="absent"):
        behind.absent  # type: ignore[attr-defined]  # noqa: B018


def test_a_cancelled_call_frees_its_caller() -> None:
    """The caller goes on at once; the call ends by itself, and the next one is answered."""

    async def scenario() -> list[int]:
        door = Door()
        behind = offload(door)
        first = asyncio.create_task(behind.through(1))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(first, WAIT_S)
        door.go.set()
        await asyncio.wait_for(behind.through(2), WAIT_S)
        return door.done

    assert asyncio.run(scenario())[-1] == 2


def test_it_is_every_port(database: SqlDatabase, tmp_path: Path) -> None:
    """As the type checker sees it, and as it runs."""
    behind = offload(database)
    registry: Registry = behind
    states: States = behind
    forecasts: Forecasts = behind
    alerts: Alerts = behind
    people: People = behind
    cursors: Cursors = behind
    store: SeriesStore = offload(SqliteStore(tmp_path / "series.db"))

    async def scenario() -> None:
        assert await registry.version() == 1
        assert await states.states() == []
        assert await forecasts.latest_forecasts(target="hour") == []
        assert await alerts.live_alerts() == []
        assert await people.people() == []
        assert await cursors.load_cursor("x") == 0
        await store.open()
        assert await store.series() == []
        await store.close()

    asyncio.run(scenario())


def test_a_database_under_concurrent_calls(database: SqlDatabase) -> None:
    """Writers and readers beside each other: every write is there, no version twice."""
    behind = offload(database)

    async def put(n: int) -> int:
        return await behind.put(Station(id=f"s{n}", org="default", name=f"S{n}"), actor="a")

    async def scenario() -> list[int]:
        done = await asyncio.gather(*(put(n) for n in range(30)), *(behind.snapshot() for _ in range(30)))
        return sorted(v for v in done if isinstance(v, int))

    assert asyncio.run(scenario()) == list(range(2, 32))
    assert len(asyncio.run(behind.snapshot()).stations) == 30


def test_a_store_under_concurrent_calls(tmp_path: Path) -> None:
    """One connection, many callers: transactions never meet, and every row is there."""
    store = offload(SqliteStore(tmp_path / "series.db"))

    async def write(n: int) -> None:
        time = np.arange(100) * 60_000 + n * 6_000_000
        assert await store.write(Batch.of(time % 8, time, time / 1e6), KEYS) == []

    async def read() -> None:
        batch = await store.read(KEYS, 0, 1 << 50)
        assert np.isfinite(batch.value).all()

    async def scenario() -> int:
        await store.open()
        await asyncio.gather(*(write(n) for n in range(20)), *(read() for _ in range(20)))
        rows = len(await store.read(KEYS, 0, 1 << 50))
        await store.close()
        return rows

    assert asyncio.run(scenario()) == 2000
