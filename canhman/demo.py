"""`canhman demo`: the whole path on one machine with nothing installed, on a simulated clock that this process owns.

Our listener, twelve simulated devices that really connect to it, ingest and judge, SQLite, forecasts, alerts, pages and
API. The clock stands while the devices send sixty days of history over their own connections; there is no other way in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shlex
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from adapters.sql.database import SqlDatabase
from canhman import device_log, publishing, wiring
from canhman.clocks import saved_each_second, shared_in_process
from canhman.configuration import read_text
from canhman.demo_view import View
from canhman.device_log import DeviceLog
from canhman.judge_lock import JudgeLock
from canhman.logs import LogFile
from canhman.settings import PREFIX, Settings
from canhman.signals import Signals
from canhman.up import Threads, all_services, bound
from core.clock import SimClock
from core.errors import CanhManError, ConfigError
from core.place import FOREVER, Waterway
from core.ports import Publisher
from firmware_sim.network import FieldDevice, Network, registry_items, with_faults
from firmware_sim.network_file import load_network
from firmware_sim.noise import DAY_MS
from firmware_sim.probe import Fault
from firmware_sim.run import Fleet

T = TypeVar("T")

ORG = "default"
DAYS = 60.0  # from the network's start to the moment the demo begins
SILENT = "hoc-po"  # whose device stopped …
SILENT_MS = (9 * 60 + 5) * 60_000  # … so long before that moment
SENSOR = "sensor.txt"  # how a real sensor publishes, for when the screen no longer shows it
ADDRESS = "demo.url"  # beside the lock: where the running one can be opened
PORTS = 100  # tried, from the usual one on
ENOUGH_DAYS = 4  # of history: less may be too little for a forecast
FORECASTS_S = 10.0  # how long the clock waits for the first forecasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the command line asked for. `port` 0 = the usual one."""

    data: Path
    port: int
    speed: float
    history_days: float


def settings_of(given: Settings, plan: Plan) -> Settings:
    """The demo's own settings: everything in one folder and on this machine. Its ports may be taken."""
    host, _, usual = given.listen.rpartition(":")
    address = given.broker_address
    return given.model_copy(
        update={
            "data": plan.data,
            "broker": f"embedded://{address.host if address.embedded else '127.0.0.1'}:{address.port if address.embedded else 1883}",
            "store": "",
            "database": "",
            "clock": "sim",
            "enrol": "open",
            "enrol_public": True,
            "webhook": SecretStr(""),  # what is simulated alarms nobody
            "listen": f"{host}:{plan.port or int(usual)}",
        }
    )


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """The folder is this demo's alone, can be written, and its HTTP port is free. Raises ConfigError; then nothing new was made."""
    folder = settings.data
    lock = JudgeLock(folder, "demo.lock")
    try:
        if folder.is_dir():
            _take(lock, folder)
        host, _, port = settings.listen.rpartition(":")
        if not _is_free(host, int(port)):
            raise _taken(settings)
        try:
            wiring.data_folder(settings)
        except ConfigError as error:
            raise _unwritable(folder, error.__cause__) from error
        _take(lock, folder)
        try:
            (folder / ADDRESS).write_text(url(settings), "utf-8")
            LogFile(folder / "demo.log").take_all()
        except OSError as error:
            raise _unwritable(folder, error) from error
        yield
    finally:
        lock.release()


def _take(lock: JudgeLock, folder: Path) -> None:
    try:
        taken = lock.take()
    except ConfigError as error:
        raise _unwritable(folder, error.__cause__) from error
    if not taken:
        try:
            address = (folder / ADDRESS).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            address = ""
        where = f": open {address}" if address else ""
        raise ConfigError(f"the demo runs already on {folder}{where}; stop that one, or choose another folder with --data")


def _unwritable(folder: Path, error: BaseException | None) -> ConfigError:
    why = f"{error.strerror or error}: {error.filename or folder}" if isinstance(error, OSError) else str(error)
    return ConfigError(f"the demo's folder {folder} cannot be written ({why}); choose another one with --data")


def _taken(settings: Settings) -> ConfigError:
    host, _, port = settings.listen.rpartition(":")
    return ConfigError(f"port {port} on {host} is taken by another program: choose one with --port, e.g. --port {_next_free(host, int(port) + 1)}")


def _after_a_used_port(settings: Settings, name: str, error: CanhManError) -> Settings:
    """With the next free port for what `name` could not listen on. Raises `error` where that was not the trouble, or one line for the pages' port.

    Which ports are free is asked by trying: between a look and a start another program may take one.
    """
    cause = error.__cause__
    if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
        raise error
    if name == "ingest":
        address = settings.broker_address
        return settings.model_copy(update={"broker": f"embedded://{_shown(address.host)}:{_next_free(address.host, address.port + 1)}"})
    if name == "serve" and str(error).startswith(f"{PREFIX}METRICS="):
        host, _, port = settings.metrics.rpartition(":")
        return settings.model_copy(update={"metrics": f"{host}:{_next_free(host, int(port) + 1)}"})
    if name == "serve":
        raise _taken(settings) from error
    raise error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _next_free(host: str, first: int) -> int:
    for port in range(first, min(first + PORTS, 65_536)):
        if _is_free(host, port):
            return port
    raise ConfigError(f"no free port on {host} from {first} on")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise ConfigError(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
        return True


def url(settings: Settings) -> str:
    """Where a browser on this machine finds the pages."""
    host, _, port = settings.listen.rpartition(":")
    return settings.url or f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]', '::') else host}:{port}"  # noqa: S104 compared, not bound


def sensor_lines(settings: Settings, user: str, key: str) -> list[str]:
    """How a real sensor publishes here with the join key: with mosquitto_pub, and the same without it."""
    port = settings.broker_address.port
    body = """'{"age_s": 0, "boot": '$(date +%s)', "seq": '$(date +%s)', "readings": {"water.ec": 0.62, "water.temperature": 28.4}}'"""
    first = f"mosquitto_pub -h 127.0.0.1 -p {port} -u {user} -P {key} -q 1 -t canhman/{ORG}/vuon-toi/telemetry -m {body}"
    where = f"CANHMAN_DATA={shlex.quote(str(settings.data))} CANHMAN_BROKER=embedded://127.0.0.1:{port} CANHMAN_ENROL=open"
    program = ".venv/bin/canhman" if Path(".venv/bin/canhman").exists() else "canhman"
    return [first, "or, where mosquitto-clients is missing:", f"{where} {program} publish vuon-toi water.ec=0.62 water.temperature=28.4"]


def _keep(path: Path, lines: list[str]) -> None:
    """Write them down, readable by their owner alone: they hold the join key. A folder that takes no file costs only this."""
    with contextlib.suppress(OSError):
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n", "utf-8")


def demo_network(settings: Settings) -> Network:
    """The shipped network, of which one device fell silent."""
    network = load_network(read_text("network.toml", settings.config))
    begin = _begin(network) - SILENT_MS
    return with_faults(network, {SILENT: (Fault(kind="silent", start=begin, end=FOREVER),)})


def _begin(network: Network) -> int:
    return network.start_ms + round(DAYS * DAY_MS)


async def demo(settings: Settings, plan: Plan, signals: Signals, view: View) -> list[str]:
    """Run it until a stop; returns the names of services that did not end in time. Raises what keeps it from starting."""
    db = wiring.database(settings)
    threads = Threads(signals)
    try:
        network = demo_network(settings)
        clock, log = await _memories(settings, db, network, plan)
        async with saved_each_second(db, clock), _log_saved_each_second(settings, log):
            with shared_in_process(settings.database_url, clock):
                try:
                    await _run(_Demo(settings=settings, plan=plan, signals=signals, view=view, db=db, threads=threads, network=network, clock=clock, log=log))
                finally:
                    clock.set(speed=0)
                    signals.stop()
                    late = await threads.over()
    finally:
        db.close()
    return late


async def _memories(settings: Settings, db: SqlDatabase, network: Network, plan: Plan) -> tuple[SimClock, DeviceLog]:
    """The clock where it was saved, standing, and what the devices remember; at the first start also what is registered."""
    saved = await db.load_clock()
    path = settings.data / "devices.json"
    log = device_log.load(path)
    if saved is None:
        await _register(settings, db, network)
        clock = SimClock(_begin(network), 0)
        await db.save_clock(clock.save())
    else:
        clock = SimClock(saved.sim_ms, 0)
        await db.save_clock(clock.save())
    if log is None:
        log = DeviceLog(since=_begin(network) - round(plan.history_days * DAY_MS), taken={})
        device_log.save(path, log.since, log.taken)
    return clock, log


async def _register(settings: Settings, db: SqlDatabase, network: Network) -> None:
    await wiring.seed(db, settings.config)
    snapshot = await db.snapshot()
    strangers = {d.id for d in snapshot.devices} - {d.id for d in network.devices}
    if strangers:
        raise ConfigError(f"{settings.data} holds an installation that no demo made (it has {sorted(strangers)[0]}); choose another folder with --data")
    seeded = {w.id for w in snapshot.waterways}
    items = [item for item in registry_items(network, ORG) if not (isinstance(item, Waterway) and item.id in seeded)]
    await db.put(*items, actor="canhman demo", why="the simulated network")


@contextlib.asynccontextmanager
async def _log_saved_each_second(settings: Settings, log: DeviceLog) -> AsyncIterator[None]:
    path = settings.data / "devices.json"

    async def keep_saving() -> None:
        while True:
            await asyncio.sleep(1.0)
            taken = dict(log.taken)
            with contextlib.suppress(OSError):  # a full disk: then nothing is acknowledged either
                await asyncio.to_thread(device_log.save, path, log.since, taken)

    task = asyncio.create_task(keep_saving())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(OSError):
            device_log.save(path, log.since, log.taken)


@dataclass(slots=True, kw_only=True)
class _Demo:
    """What runs. `settings` change while it starts: with the ports that were free."""

    settings: Settings
    plan: Plan
    signals: Signals
    view: View
    db: SqlDatabase
    threads: Threads
    network: Network
    clock: SimClock
    log: DeviceLog


async def _run(d: _Demo) -> None:
    """History first, then live, until a stop."""
    begun = time.monotonic()
    await _start(d, "ingest", "serve")
    orgs = {o.id: o for o in (await d.db.snapshot()).orgs}
    login = wiring.login(d.settings, ORG, orgs.get(ORG))

    def publisher_for(device: FieldDevice) -> Publisher:
        return publishing.publisher(d.settings, client_id=device.id, login=login, window=10)

    fleet = Fleet(d.network, publisher_for, d.clock, org=ORG, taken=d.log.taken)
    try:
        if not await _unless_stopped(d.signals, fleet.open(wait_s=30)):
            return
        if not await _history(d, fleet):
            return
        await _start(d, "forecast")
        await _unless_stopped(d.signals, _first_forecasts(d))
        await _start(d, "alerts")
        now = d.clock.now_ms()
        d.clock.set(speed=d.plan.speed)
        lines = sensor_lines(d.settings, *login)
        _keep(d.settings.data / SENSOR, lines)
        d.view.ready(time.monotonic() - begun, [*lines, f"These lines stand in {d.settings.data / SENSOR} too."])
        await _unless_stopped(d.signals, fleet.run(start_ms=now), d.view.run(d.db, d.settings, d.network, d.log, fleet, d.clock))
    finally:
        await fleet.close()


async def _start(d: _Demo, *names: str) -> None:
    """These, one after the other; where a port turns out to be taken, on the next one."""
    services = all_services()
    for name in names:
        for _ in range(PORTS):
            if d.signals.stopped:
                return
            try:
                await d.threads.start(name, bound(services[name], d.settings, 0 if name == "ingest" else 30, d.signals), partial(d.view.started, name))
                break
            except CanhManError as error:
                d.settings = _after_a_used_port(d.settings, name, error)


async def _unless_stopped(signals: Signals, *work: Coroutine[Any, Any, Any]) -> bool:
    """Await all of `work`, which a stop cancels; whether it came to its end. Raises what one of them raised."""
    tasks = [asyncio.ensure_future(w) for w in work]
    together = asyncio.gather(*tasks)
    stop = asyncio.ensure_future(signals.wait())
    try:
        watched: set[asyncio.Future[Any]] = {together, stop}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        if together.done():
            await together
            return not signals.stopped
        return False
    finally:
        for task in (*tasks, stop):
            task.cancel()
        await asyncio.gather(together, *tasks, stop, return_exceptions=True)


async def _history(d: _Demo, fleet: Fleet) -> bool:
    """All that the devices measured and nobody took yet, while the clock stands; then until it is stored and judged."""
    now = d.clock.now_ms()
    waiting = d.log.waiting(d.network, now)
    begun = fleet.counts.acknowledged

    async def send() -> None:
        await fleet.backfill(d.log.since, now)

    with d.view.history(waiting) as bar:

        async def show() -> None:
            while True:
                bar(fleet.counts.acknowledged - begun, "")
                await asyncio.sleep(0.1)

        showing = asyncio.ensure_future(show())
        try:
            if not await _unless_stopped(d.signals, send()):
                return False
            bar(waiting, "judging")
            return await _unless_stopped(d.signals, _judged(d))
        finally:
            showing.cancel()


async def _judged(d: _Demo) -> None:
    """Until the newest that was taken of each device is stored, and nothing waits for the judge."""
    while True:
        states = await d.db.states()
        newest: dict[str, int] = {}
        for state in states:
            device = state.key.sensor.partition("/")[0]
            newest[device] = max(newest.get(device, 0), state.newest.time)
        stored = all(newest.get(device, 0) >= taken - 1 for device, taken in d.log.taken.items())
        if stored and all(s.dirty_from is None for s in states):
            return
        await asyncio.sleep(0.2)


async def _first_forecasts(d: _Demo) -> None:
    """Until every station that speaks has a forecast of its coming hours, within a bound: a short history has none."""
    if d.clock.now_ms() - d.log.since < ENOUGH_DAYS * DAY_MS:
        return
    speaking = {device.site.id for device in d.network.devices if device.id != SILENT}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FORECASTS_S):
            while not speaking <= {f.station for f in await d.db.latest_forecasts(target="hour")}:  # noqa: ASYNC110 a row in the database sends no event
                await asyncio.sleep(0.2)
