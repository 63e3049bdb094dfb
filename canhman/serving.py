"""`canhman serve`: pages and API on CANHMAN_LISTEN, figures on CANHMAN_METRICS, until a stop. Works in any thread."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from adapters.model_folder import ModelFolder
from adapters.offload import offload
from adapters.sql.database import SqlDatabase
from analytics.crops import Crops
from api.app import create_app
from api.backend import Backend
from api.metrics import Service, metrics_app
from canhman import descriptors, heartbeat, wiring
from canhman.clocks import FollowedClock
from canhman.configuration import read_crops, read_risk
from canhman.http_guard import Guard, Limits, cap
from canhman.reloading import Reloaded
from canhman.settings import PREFIX, Settings
from canhman.signals import Signals
from core.clock import Clock, SystemClock
from core.errors import ConfigError, RefusedError, UnavailableError
from core.ports import Registry, SeriesStore
from core.risk import Risk

log = structlog.get_logger()

SERVICES = ("ingest", "judge", "forecast", "alerts")
READY_FOR_S = 2.0  # strangers may ask /readyz as often as they like; the store is asked so often
ANSWER_S = 2.0  # and how long it may take over it: who asks has a patience of his own, and a server that stands still is told by then
PATIENCE_S = 10.0  # somebody who looks at a screen
BACKLOG = 2048
AT_ONCE = 32  # connections accepted before the guard sees the first of them: each takes a descriptor
LAST_ANSWERS_S = 5  # what is under way at a stop may take so long


async def serve(settings: Settings, *, wait_s: float, signals: Signals, started: Callable[[str], None], limits: Limits | None = None) -> None:
    """Answer HTTP until `signals` stop. Raises only at start: a used port, a server that is missing or refuses us."""
    descriptors.make_ready()
    guard = Guard(limits or Limits(connections=cap(descriptors.soft_limit())))
    with _bound("LISTEN", settings.listen) as pages, _bound("METRICS", settings.metrics) as figures:
        async with _opened(settings, wait_s=wait_s, signals=signals) as backend:
            app = create_app(backend)
            folder = wiring.data_folder(settings)
            servers = [
                _Server(app, guard, settings.proxy),
                _Server(metrics_app(backend, app.state.requests, lambda: services(folder)), guard),
            ]
            _listen("LISTEN", settings.listen, pages)
            _listen("METRICS", settings.metrics, figures)
            running = [asyncio.create_task(server.serve(sockets=[place])) for server, place in zip(servers, (pages, figures), strict=True)]
            beat = asyncio.create_task(_beat(folder, app.state.requests, _url(pages)))
            try:
                started(f"pages and API at {_url(pages)}, figures at {_url(figures)}/metrics")
                await signals.wait()
            finally:
                for server in servers:
                    server.should_exit = True
                beat.cancel()
                await asyncio.gather(*running, beat, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: these are the front door's, and we may not be in the main thread."""

    def __init__(self, app: ASGIApp, guard: Guard, proxy: str = "") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=guard.protocol,
                backlog=AT_ONCE,
                log_config=None,
                access_log=False,
                proxy_headers=bool(proxy),  # a header by which anybody may say where he comes from: believed of these alone
                forwarded_allow_ips=proxy or None,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=LAST_ANSWERS_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; asyncio then accepts `AT_ONCE` per turn of the loop, while the kernel lets more of them wait."""
        await super().startup(sockets)
        for place in sockets or []:
            place.listen(BACKLOG)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of ours."""
        yield


@contextmanager
def _bound(name: str, address: str) -> Iterator[socket.socket]:
    """A socket on `address`, not yet listening, so that nobody connects before we answer. Raises ConfigError in one line."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family, socket.SOCK_STREAM)
    try:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((host, int(port)))
        except OSError as error:
            raise _cannot(name, address, error) from error
        place.setblocking(False)
        yield place
    finally:
        place.close()


def _listen(name: str, address: str, place: socket.socket) -> None:
    """Let connections in: from here on they wait for us. Raises ConfigError where another one who had bound it too was quicker."""
    try:
        place.listen(BACKLOG)
    except OSError as error:
        raise _cannot(name, address, error) from error


def _cannot(name: str, address: str, error: OSError) -> ConfigError:
    used = error.errno == errno.EADDRINUSE
    why = "another program uses this port; stop it, or choose another port" if used else error.strerror or str(error)
    return ConfigError(f"{PREFIX}{name}={address}: {why}")


def _url(place: socket.socket) -> str:
    host, port = place.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@asynccontextmanager
async def _opened(settings: Settings, *, wait_s: float, signals: Signals) -> AsyncIterator[Backend]:
    """Database, store and clock, opened in this order and closed in the other."""
    db = await asyncio.to_thread(wiring.database, settings, wait_s=wait_s)
    try:
        risk = numbers(settings)
        risk.on_hangup(signals)
        crops = Reloaded(lambda: read_crops(settings.config), lambda read: {"crops": read.hash})
        crops.on_hangup(signals)
        # readiness has a connection of its own: a long question of a page is no store that stands still
        store, asked = (offload(wiring.store(settings, shared=True, journalled=False, patience_s=PATIENCE_S)) for _ in range(2))
        at = await wiring.clock(settings, db)
        follower = asyncio.create_task(at.follow()) if isinstance(at, FollowedClock) else None
        try:
            await wiring.patient(store.open, wait_s=wait_s, say=log.warning)
            await asked.open()
            yield _backend(settings, db, store, asked, at, risk, crops)
        finally:
            if follower is not None:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)
            await store.close()
            await asked.close()
    finally:
        db.close()


def _backend(settings: Settings, db: SqlDatabase, store: SeriesStore, asked: SeriesStore, at: Clock, risk: Reloaded[Risk], crops: Reloaded[Crops]) -> Backend:
    aside = offload(db)
    ready = Readiness(aside, asked, wiring.data_folder(settings))
    return Backend(
        registry=aside,
        states=aside,
        store=store,
        forecasts=aside,
        records=aside,
        alerts=aside,
        people=aside,
        dead_letters=aside,
        enrolment=aside,
        identities=aside,
        clock=at,
        system=SystemClock(),
        speed=lambda: speed_of(at),
        risk=lambda: risk.current,
        crops=lambda: crops.current,
        models=ModelFolder(wiring.data_folder(settings) / "models"),
        ready=ready.ask,
        message_at=lambda journal, position: wiring.message_at(settings, journal, position),
        secret=wiring.secret(settings),
        url=settings.url.rstrip("/"),
        version=version("canhman"),
        simulated=settings.clock == "sim",
    )


def speed_of(at: Clock) -> float:
    """How many seconds of this clock pass in a real one now; 0 while it stands still."""
    return 1.0 / at.real_seconds(1.0)


def numbers(settings: Settings) -> Reloaded[Risk]:
    """The verdict's numbers, read at start and again at each SIGHUP."""
    return Reloaded(lambda: read_risk(settings.config), lambda risk: {"risk": risk.hash})


class Readiness:
    """What is wrong now, by part; asked anew at most every two seconds, however many ask."""

    def __init__(self, registry: Registry, store: SeriesStore, folder: Path) -> None:
        self._registry = registry
        self._store = store
        self._folder = folder
        self._lock = asyncio.Lock()
        self._asking: dict[str, asyncio.Task[object]] = {}  # by part: of one that has not answered yet nothing more is asked
        self._asked_at = float("-inf")
        self._troubles: dict[str, str] = {}

    async def ask(self) -> dict[str, str]:
        """Empty where all is well."""
        async with self._lock:
            if time.monotonic() - self._asked_at > READY_FOR_S:
                self._troubles = await self._look()
                self._asked_at = time.monotonic()
            return dict(self._troubles)

    async def _look(self) -> dict[str, str]:
        parts = {"database": self._registry.version, "store": self._store.ping}
        answers = await asyncio.gather(*(self._answer(part, ask) for part, ask in parts.items()))
        found = {part: trouble for part, trouble in zip(parts, answers, strict=True) if trouble}
        for name, service in (await asyncio.to_thread(services, self._folder)).items():
            if trouble := trouble_of(name, service):
                found[name] = trouble
        return found

    async def _answer(self, part: str, ask: Callable[[], Coroutine[Any, Any, object]]) -> str:
        """What is wrong with it in words, or nothing."""
        task = self._asking.get(part)
        if task is None or task.done():  # an answer that came after its time is of another time
            if task is not None and not task.cancelled():
                task.exception()  # seen
            task = self._asking[part] = asyncio.get_running_loop().create_task(ask())
        await asyncio.wait({task}, timeout=ANSWER_S)
        if not task.done():
            return f"it has not answered within {ANSWER_S:g} s: it stands still, or has more to do than it can"
        del self._asking[part]
        try:
            task.result()
        except (UnavailableError, RefusedError) as error:
            return str(error)
        return ""


def services(folder: Path) -> dict[str, Service]:
    """The services that run, or ran, on this CANHMAN_DATA, as they last spoke."""
    beats: dict[str, heartbeat.Heartbeat | None] = {name: heartbeat.read(folder, name) for name in SERVICES}
    beats |= heartbeat.ingests(folder)
    return {name: _as_last_heard(folder, beat) for name, beat in beats.items() if beat is not None}


def _as_last_heard(folder: Path, beat: heartbeat.Heartbeat) -> Service:
    silent = "" if beat.is_fresh else heartbeat.why_silent(folder, beat)
    return Service(fresh=beat.is_fresh, silent=silent, troubles=beat.troubles, figures=beat.figures, histograms=beat.histograms)


def trouble_of(name: str, service: Service) -> str:
    """What is wrong with a service in words, or nothing."""
    if service.silent:
        return f"{service.silent} (canhman {name.partition('-')[0]})"
    if not service.fresh:
        return f"it has gone quiet: start canhman {name.partition('-')[0]} again; where it was stopped for good, remove {name}.heartbeat.json from CANHMAN_DATA"
    return "; ".join(f"{part}: {text}" for part, text in sorted(service.troubles.items()))


async def _beat(folder: Path, requests: Any, address: str) -> None:
    """Say that we live, every two seconds."""
    while True:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(heartbeat.write, folder, "serve", {}, {"requests": requests.total()}, {"address": address})
        await asyncio.sleep(heartbeat.EVERY_S)
