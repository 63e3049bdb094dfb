"""`canhman simulate`'s work: the network, its clock, its connections and its progress."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable
from dataclasses import dataclass

from canhman import publishing, terminal, wiring
from canhman.clocks import KNOWN_S, saved_each_second
from canhman.configuration import read_text
from canhman.settings import Settings
from core.clock import Clock, SimClock, SystemClock
from core.errors import ConfigError
from core.instant import parse_rfc3339
from core.ports import Publisher, SimClockRow
from firmware_sim.network import FieldDevice, Network, expand
from firmware_sim.network_file import load_network
from firmware_sim.run import Counts, run_devices

DAY_MS = 86_400_000
DEFAULT_PAST_DAYS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the command line asked for."""

    devices: int | None
    seed: int | None
    org: str
    speed: float
    start: str
    days: float | None
    backfill_days: float
    rate: float | None
    wait_s: float
    quiet: bool


async def simulate(settings: Settings, plan: Plan) -> Counts:
    """Run the devices until the end asked for, or until SIGINT or SIGTERM. Raises ConfigError, RefusedError, UnavailableError."""
    network = load_network(read_text("network.toml", settings.config), seed=plan.seed)
    if plan.devices is not None:
        network = expand(network, plan.devices)
    _, login = await publishing.prepare(settings.model_copy(update={"clock": "system"}), plan.org)
    counts = Counts()
    if settings.clock == "sim":
        db = wiring.database(settings, wait_s=plan.wait_s)
        try:
            clock = await _owned(db, network, plan)
            terminal.say("the simulated clock of this installation stands; `canhman ingest` with CANHMAN_CLOCK=sim may start now")
            async with saved_each_second(db, clock):
                await _run(settings, plan, network, clock, login, counts, stop_ms=None)
        finally:
            db.close()
    else:
        at, stop_ms = _local(plan)
        await _run(settings, plan, network, at, login, counts, stop_ms=stop_ms)
    return counts


async def _owned(row: SimClockRow, network: Network, plan: Plan) -> SimClock:
    """The installation's clock: where it was saved, else at --start or the network's own beginning."""
    saved = await row.load_clock()
    if saved is not None and plan.start:
        raise ConfigError("the simulated clock of this database has begun already; leave --start out, or take a new CANHMAN_DATA")
    begin = saved.sim_ms if saved else _instant(plan.start, network.start_ms)
    clock = SimClock(begin, plan.speed)
    await row.save_clock(clock.save())
    return clock


def _local(plan: Plan) -> tuple[Clock, int | None]:
    """The clock of a simulation on the real clock, and where it must end: nothing is published from the future."""
    now = SystemClock().now_ms()
    if plan.speed == 1.0 and not plan.start:
        return SystemClock(), None
    begin = _instant(plan.start, now - DEFAULT_PAST_DAYS * DAY_MS)
    if begin > now:
        raise ConfigError(f"--start {plan.start!r} lies in the future; a reading from the future is refused (CANHMAN_CLOCK=sim has a clock of its own)")
    if plan.speed <= 0:
        raise ConfigError("--speed 0 stands still, and needs CANHMAN_CLOCK=sim; with the machine's clock give --speed 1")
    return SimClock(begin, plan.speed), now


def _instant(text: str, otherwise: int) -> int:
    if not text:
        return otherwise
    found = parse_rfc3339(text)
    if found is None:
        raise ConfigError(f"--start {text!r} is no time with a zone, such as 2026-02-01T00:00:00+07:00")
    return found


async def _run(settings: Settings, plan: Plan, network: Network, clock: Clock, login: tuple[str, str], counts: Counts, *, stop_ms: int | None) -> None:
    start = clock.now_ms()
    if plan.days is not None:
        end = start + round(plan.days * DAY_MS)
        stop_ms = end if stop_ms is None else min(end, stop_ms)

    def publisher_for(device: FieldDevice) -> Publisher:
        return publishing.publisher(settings, client_id=device.id, login=login, window=100)

    speed = clock.speed if isinstance(clock, SimClock) else 1.0
    known_s = KNOWN_S if settings.clock == "sim" else 0.0
    if isinstance(clock, SimClock) and plan.backfill_days:
        clock.set(speed=0)  # the clock stands while history is filled in
    with terminal.progress(f"{len(network.devices)} devices", None, quiet=plan.quiet) as bar:
        await _until_signal(
            run_devices(
                network,
                publisher_for,
                clock,
                org=plan.org,
                backfill_days=plan.backfill_days,
                on_backfilled=lambda: clock.set(speed=speed, after_s=known_s) if isinstance(clock, SimClock) else None,
                start_ms=start,
                stop_ms=stop_ms,
                rate=plan.rate,
                wait_s=plan.wait_s,
                on_progress=lambda found: bar(found.acknowledged, f"{found.waiting} waiting"),
                counts=counts,
            )
        )


async def _until_signal(work: Awaitable[object]) -> None:
    """Await `work`; SIGINT or SIGTERM ends it cleanly."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def as_dict(counts: Counts) -> dict[str, int]:
    """The counts for machines."""
    return {
        "made": counts.made,
        "published": counts.published,
        "acknowledged": counts.acknowledged,
        "refused": counts.refused,
        "dropped": counts.dropped,
        "waiting": counts.waiting,
    }


def as_line(counts: Counts) -> str:
    """The counts for people."""
    line = f"{counts.acknowledged} of {counts.made} samples acknowledged"
    rest = [f"{n} {word}" for n, word in ((counts.waiting, "not yet acknowledged"), (counts.refused, "refused"), (counts.dropped, "dropped")) if n]
    return ", ".join([line, *rest])
