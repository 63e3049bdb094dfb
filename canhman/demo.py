"""`canhman demo`: the whole path on one machine with nothing installed, on a simulated clock that this process owns.

Our listener, twelve simulated devices that really connect to it, ingest and judge, SQLite, forecasts, alerts, pages and
API. The clock stands while the devices send sixty days of history over their own connections; there is no other way in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from adapters.sql.database import SqlDatabase
from canhman import publishing, wiring
from canhman.clocks import saved_each_second, shared_in_process
from canhman.demo_network import ORG, SILENT, brought_forward, demo_network, log_saved_each_second, memories
from canhman.demo_ports import PORTS, after_a_used_port
from canhman.demo_sensor import SENSOR, keep, sensor_lines
from canhman.demo_view import View
from canhman.device_log import DeviceLog
from canhman.settings import Settings
from canhman.signals import Signals
from canhman.up import Threads, all_services, bound
from core.clock import SimClock
from core.errors import CanhManError
from core.ports import Publisher
from firmware_sim.network import FieldDevice, Network
from firmware_sim.noise import DAY_MS
from firmware_sim.run import Fleet

T = TypeVar("T")

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


async def demo(settings: Settings, plan: Plan, signals: Signals, view: View) -> list[str]:
    """Run it until a stop; returns the names of services that did not end in time. Raises what keeps it from starting."""
    if done := brought_forward(settings):
        view.say(done)
    db = wiring.database(settings)
    threads = Threads(signals)
    try:
        network = demo_network(settings)
        clock, log = await memories(settings, db, network, plan.history_days)
        async with saved_each_second(db, clock), log_saved_each_second(settings, log):
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
        keep(d.settings.data / SENSOR, lines)
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
                d.settings = after_a_used_port(d.settings, name, error)


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
