"""The demo's simulated network, and what it remembers from run to run: registry, clock and devices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from adapters.sql.database import SqlDatabase
from adapters.sql.schema import migrate
from canhman import device_log, wiring
from canhman.configuration import read_text
from canhman.device_log import DeviceLog
from canhman.settings import Settings
from core.clock import SimClock
from core.errors import ConfigError
from core.place import FOREVER, Waterway
from firmware_sim.network import Network, registry_items, with_faults
from firmware_sim.network_file import load_network
from firmware_sim.noise import DAY_MS
from firmware_sim.probe import Fault

ORG = "default"
DEVICES = "devices.json"  # what the devices remember; no other program makes such a file
DAYS = 60.0  # from the network's start to the moment the demo begins
SILENT = "hoc-po"  # whose device stopped …
SILENT_MS = (9 * 60 + 5) * 60_000  # … so long before that moment


def demo_network(settings: Settings) -> Network:
    """The shipped network, of which one device fell silent."""
    network = load_network(read_text("network.toml", settings.config))
    begin = begin_of(network) - SILENT_MS
    return with_faults(network, {SILENT: (Fault(kind="silent", start=begin, end=FOREVER),)})


def begin_of(network: Network) -> int:
    """The moment at which the demo goes live for the first time [ms]."""
    return network.start_ms + round(DAYS * DAY_MS)


def brought_forward(settings: Settings) -> str:
    """The database of an earlier version's demo is brought to this version: what was done, in words; empty where there was nothing to do.

    Nothing real can be lost here, and `canhman migrate` by itself looks at CANHMAN_DATA, not at this folder. A folder without
    the demo's devices may be a real installation: it is left as it is. Raises as `adapters.sql.schema.migrate`.
    """
    if not ((settings.data / DEVICES).exists() and (settings.data / "registry.db").exists()):
        return ""
    before, now = migrate(settings.database_url)
    return f"database: {before} → {now}" if before is not None and before != now else ""


async def memories(settings: Settings, db: SqlDatabase, network: Network, history_days: float) -> tuple[SimClock, DeviceLog]:
    """The clock where it was saved, standing, and what the devices remember; at the first start also what is registered."""
    saved = await db.load_clock()
    path = settings.data / DEVICES
    log = device_log.load(path)
    if saved is None:
        await _register(settings, db, network)
        clock = SimClock(begin_of(network), 0)
        await db.save_clock(clock.save())
    else:
        clock = SimClock(saved.sim_ms, 0)
        await db.save_clock(clock.save())
    if log is None:
        log = DeviceLog(since=begin_of(network) - round(history_days * DAY_MS), taken={})
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
async def log_saved_each_second(settings: Settings, log: DeviceLog) -> AsyncIterator[None]:
    """What was taken of each device stands in a file, a second old at most."""
    path = settings.data / DEVICES

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
