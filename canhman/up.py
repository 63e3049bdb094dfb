"""`canhman up`: every service in one process, each in a thread with a loop of its own, by the same code as one process per service."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

import structlog

from canhman import terminal
from canhman.services import Started, attended
from canhman.settings import Settings
from canhman.signals import Signals

log = structlog.get_logger()

STOP_S = 20.0  # how long the threads may take to end after a stop
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0


class Service(Protocol):
    """What a service is: it runs until `signals` stop, and raises only before it called `started`."""

    def __call__(self, settings: Settings, *, wait_s: float, signals: Signals, started: Started) -> Coroutine[Any, Any, None]: ...


def all_services() -> dict[str, Service]:
    """Every service by its command, in the order of the path."""
    from canhman import alerting, forecasting, services, serving

    return {"ingest": services.ingest, "forecast": forecasting.forecast, "alerts": alerting.alerts, "serve": serving.serve}


async def up(settings: Settings, *, wait_s: float, signals: Signals, started: Callable[[str, str], None]) -> list[str]:
    """Run all of them until a stop; `started` gets a name and its words. Returns the names of those that did not end in time.

    Ingest comes first: it makes what the others read. One that cannot start ends all; its error is raised.
    """
    found = all_services()
    threads = Threads(signals)
    try:
        for name in ("ingest", *(n for n in found if n != "ingest")):
            await threads.start(name, bound(found[name], settings, wait_s, signals), partial(started, name))
        await signals.wait()
    finally:
        signals.stop()
        late = await threads.over()
    return late


def wait_no_longer(late: list[str]) -> None:
    """End the process where threads still run after their time: one line and exit code 1."""
    if late:
        terminal.say(f"canhman: {', '.join(late)} did not end within {STOP_S:.0f} s of the stop; what was acknowledged is in the journal", style="red")
        os._exit(1)


def bound(service: Service, settings: Settings, wait_s: float, signals: Signals) -> Work:
    return lambda tell: service(settings, wait_s=wait_s, signals=signals, started=tell)


Work = Callable[[Started], Coroutine[Any, Any, None]]


class Threads:
    """Services that run beside each other. A fault in one never ends another: it is logged, and that one begins again."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._running: list[_Thread] = []

    async def start(self, name: str, work: Work, started: Started) -> None:
        """Start one and wait until it has started, or a stop came. Raises what it raised before that."""
        one = _Thread(name, work, self._signals, started)
        self._running.append(one)
        await one.start()

    async def over(self, *, seconds: float = STOP_S) -> list[str]:
        """Wait until all have ended after a stop; the names of those that go on after `seconds`."""
        async with asyncio.TaskGroup() as group:
            for one in self._running:
                group.create_task(one.over(seconds))
        return [one.name for one in self._running if one.is_alive]


class _Thread:
    def __init__(self, name: str, work: Work, signals: Signals, started: Started) -> None:
        self.name = name
        self._work = work
        self._signals = signals
        self._started = started
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()  # it has started, or ended
        self._ended = asyncio.Event()
        self._has_started = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    async def start(self) -> None:
        self._thread.start()
        await self._news.wait()
        if self._failure is not None:
            raise self._failure

    async def over(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return
        await asyncio.to_thread(self._thread.join)

    def _tell(self, what: str) -> None:
        if not self._has_started:
            self._has_started = True
            self._started(what)
            self._loop.call_soon_threadsafe(self._news.set)
        else:
            log.info("a service runs again", service=self.name, what=what)

    def _run(self) -> None:
        try:
            self._again_and_again()
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._loop.call_soon_threadsafe(self._news.set)

    def _again_and_again(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._signals.stopped:
            try:
                asyncio.run(attended(self._work, self._signals, self._tell))
            except BaseException as error:  # SystemExit too: a service's end is not the process's
                if not self._has_started:
                    self._failure = error
                    return
                log.exception("a service failed; it begins again", service=self.name, pause_s=pause)
            else:
                if self._signals.stopped:
                    return
                log.error("a service ended by itself; it begins again", service=self.name, pause_s=pause)
            asyncio.run(self._signals_wait(pause))
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _signals_wait(self, seconds: float) -> None:
        await self._signals.wait(seconds)
