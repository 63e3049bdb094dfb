"""The network before ingest is cut, slowed and gone for a while."""

from __future__ import annotations

import time

from bench.faults.line import Line
from bench.faults.row import FaultRow, Outcome, Scale, whole
from bench.faults.world import LISTENER, OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Between broker and ingest; where there is no broker, between device and listener."""
    cuts = scale.pick(20, 3)
    found = readings(f"{tag}c", scale.pick(40_000, 2000)) + readings(f"{tag}n", scale.pick(20_000, 500), clock=False)
    scale.dice.shuffle(found)
    found.sort(key=lambda reading: reading.seq)
    recovered = []
    listening = world.kind == LISTENER
    with Line(world.rig.login.port) as line, world.through(broker_port=0 if listening else line.port):
        world.start()
        sending = world.sender(found, rate=1000, port=line.port if listening else 0).start()
        for _ in range(cuts):
            time.sleep(scale.dice.uniform(0.05, scale.pick(1.0, 0.2)))
            line.cut()
            recovered.append(world.recovered(sending))
        line.rate = 30_000
        time.sleep(scale.pick(5.0, 0.3))
        line.cut()
        line.rate = None
        recovered.append(world.recovered(sending))
        line.down()
        time.sleep(scale.pick(10.0, 0.5))
        line.up()
        recovered.append(world.recovered(sending))
        sending.stop()
        return whole(world, sending, found, tag, runs=cuts + 2, recover_s=recovered)


ROW = FaultRow(
    order=80,
    title="network cut, slowed, gone",
    what="A TCP proxy before ingest (between broker and ingest; with the listener between device and listener) resets the connection 20 times at "
    "random moments, then passes 30 kB a second, then nothing for 10 s. A third of the devices have no clock.",
    run=run,
)
