"""The store stands still for half a minute, then is killed and started again."""

from __future__ import annotations

import time

from bench.faults.row import FaultRow, Outcome, Scale, whole
from bench.faults.world import OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Stopped (SIGSTOP; SQLite: another process holds the lock), later killed while it is written to."""
    away = scale.pick(30.0, 1.5)
    found = readings(tag, scale.pick(60_000, 2000))
    world.start()
    sending = world.sender(found, rate=1000).start()
    time.sleep(scale.pick(2.0, 0.3))
    recovered = []
    for fault in (world.store_paused, world.store_killed):
        fault(away if fault == world.store_paused else scale.pick(5.0, 0.3))
        recovered.append(world.recovered(sending))
    sending.stop()
    return whole(world, sending, found, tag, runs=2, recover_s=recovered)


ROW = FaultRow(
    order=30,
    title="store stopped for 30 s, then killed",
    what="InfluxDB gets SIGSTOP for 30 s (of SQLite another process holds the lock), and later `kill -9` while it is written to, and is away for 5 s "
    "(SQLite lives in ingest: that is killed). Readings go on at 1,000 a second and are acknowledged all the while.",
    run=run,
)
