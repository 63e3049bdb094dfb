"""Services beside each other in one process: one that cannot start ends all, a fault later ends none, a stop ends all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from canhman import up
from canhman.services import Started, attended
from canhman.signals import Signals
from core.errors import ConfigError

Work = Callable[[Started], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that failed begins again at once."""
    monkeypatch.setattr(up, "_FIRST_PAUSE_S", 0.001)


def in_threads(signals: Signals, *works: Work, until: threading.Event | None = None) -> tuple[list[str], list[str]]:
    """Start them one after the other, wait for `until`, stop; (what they said at their start, who was late)."""
    said: list[str] = []

    async def run() -> list[str]:
        threads = up.Threads(signals)
        try:
            for number, work in enumerate(works):
                await threads.start(f"s{number}", work, said.append)  # type: ignore[arg-type]  # only what is used of it is there
            if until is not None:
                assert await asyncio.to_thread(until.wait, 10)
        finally:
            signals.stop()
            late = await threads.over(seconds=5)
        return late

    return said, asyncio.run(run())


def waiting(signals: Signals) -> Work:
    """A service that does nothing until the stop."""

    async def work(started: Started) -> None:
        started("waits")
        await signals.wait()

    return work


def test_all_run_in_loops_of_their_own_until_the_stop() -> None:
    """Each in another thread than the others."""
    signals = Signals()
    seen: set[int] = set()

    async def work(started: Started) -> None:
        seen.add(threading.get_ident())
        started("here")
        await signals.wait()

    assert in_threads(signals, work, work, work) == (["here"] * 3, [])
    assert len(seen | {threading.get_ident()}) == 4


def test_one_that_cannot_start_ends_all() -> None:
    """Its own error is raised, after the others have ended."""
    signals = Signals()
    ended = threading.Event()

    async def first(started: Started) -> None:
        started("first")
        await signals.wait()
        ended.set()

    async def second(started: Started) -> None:
        raise ConfigError("port 8000 is taken")

    with pytest.raises(ConfigError, match="port 8000"):
        in_threads(signals, first, second)
    assert ended.is_set()


@pytest.mark.parametrize("fault", [ValueError("a fault of ours"), SystemExit(1), None], ids=["exception", "exit", "end"])
def test_a_fault_later_ends_nobody_else(fault: BaseException | None) -> None:
    """The one that failed, or ended unasked, begins again; its neighbour never notices."""
    signals = Signals()
    again = threading.Event()
    starts: list[int] = []
    neighbour: list[int] = []

    async def steady(started: Started) -> None:
        neighbour.append(1)
        started("steady")
        await signals.wait()

    async def faulty(started: Started) -> None:
        starts.append(1)
        started("faulty")
        if len(starts) < 3:
            if fault is not None:
                raise fault
            return
        again.set()
        await signals.wait()

    said, late = in_threads(signals, steady, faulty, until=again)
    assert (said, late) == (["steady", "faulty"], [])  # its later starts are for the log
    assert (len(neighbour), len(starts)) == (1, 3)


def test_who_does_not_end_is_named() -> None:
    """A thread that hangs does not hold up the end of the process for ever."""
    signals = Signals()
    release = threading.Event()

    async def stuck(started: Started) -> None:
        started("stuck")
        release.wait(10)  # blocks its loop

    async def run() -> list[str]:
        threads = up.Threads(signals)
        await threads.start("stuck", stuck, lambda what: None)
        await threads.start("good", waiting(signals), lambda what: None)  # type: ignore[arg-type]  # only what is used of it is there
        signals.stop()
        late = await threads.over(seconds=0.2)
        release.set()
        await threads.over(seconds=5)
        return late

    assert asyncio.run(run()) == ["stuck"]


def test_a_stop_ends_a_service_that_still_waits_for_a_server() -> None:
    """Before it has started it is cut short; after that it ends by itself, and its answer comes through."""
    signals = Signals()

    async def never(started: Started) -> int:
        signals.stop()
        await asyncio.sleep(60)
        return 1

    async def orderly(started: Started) -> int:
        started("here")
        signals.stop()
        await asyncio.sleep(0.01)
        return 2

    assert asyncio.run(attended(never, signals, lambda what: None)) is None
    signals = Signals()
    assert asyncio.run(attended(orderly, signals, lambda what: None)) == 2


def test_up_ends_where_a_service_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest comes first, for it makes what the others read."""
    order: list[str] = []

    def service(name: str) -> up.Service:
        async def run(settings: object, *, wait_s: float, signals: Signals, started: Started) -> None:
            order.append(name)
            if name == "serve":
                raise ConfigError("CANHMAN_LISTEN: taken")
            started(name)
            await signals.wait()

        return run

    monkeypatch.setattr(up, "all_services", lambda: {name: service(name) for name in ("forecast", "ingest", "serve")})
    with pytest.raises(ConfigError, match="taken"):
        asyncio.run(up.up(None, wait_s=0, signals=Signals(), started=lambda name, what: None))  # type: ignore[arg-type]  # only what is used of it is there
    assert order == ["ingest", "forecast", "serve"]
