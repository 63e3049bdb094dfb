"""`kill -9` of ingest at random moments, again and again, while readings come in."""

from __future__ import annotations

import time

from bench.faults.row import FaultRow, Outcome, Scale, whole
from bench.faults.world import OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Killed, started again at once, killed again."""
    kills, count = scale.pick(20, 2), scale.pick(60_000, 1200)
    found = readings(tag, count)
    world.start()
    sending = world.sender(found, rate=scale.pick(1500, 1000)).start()
    recovered = []
    for _ in range(kills):
        time.sleep(scale.dice.uniform(0.02, scale.pick(1.2, 0.3)))
        began = time.monotonic()
        world.kill()
        world.start()
        world.recovered(sending)
        recovered.append(time.monotonic() - began)
    return whole(world, sending, found, tag, runs=kills, recover_s=recovered)


ROW = FaultRow(
    order=10,
    title="ingest killed (`kill -9`) at random moments",
    what="Readings come in at 1,500 a second; ingest is killed after a random 0.02 to 1.2 s and started again at once, 20 times.",
    run=run,
)
