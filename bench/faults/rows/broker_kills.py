"""`kill -9` of the broker while ingest is connected and keeping up."""

from __future__ import annotations

import time

from bench.faults.line import Line, PacketLog
from bench.faults.row import FaultRow, Outcome, Scale, tally, wait_all
from bench.faults.world import BROKER, OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Killed and started again; every PUBLISH it hands over goes by a log."""
    kills = scale.pick(10, 2)
    found = readings(tag, scale.pick(60_000, 3000))
    log = PacketLog()
    recovered = []
    with Line(world.broker.port, log=log) as line, world.through(broker_port=line.port):
        world.start()
        sending = world.sender(found, rate=1000).start()
        for _ in range(kills):
            time.sleep(scale.dice.uniform(0.5, scale.pick(3.0, 0.8)))
            began = time.monotonic()
            world.broker.kill()
            world.broker.start()
            world.recovered(sending)
            recovered.append(time.monotonic() - began)
        sending.stop()
        wait_all(world, sending)
        rows = world.stored(tag)
        world.stop()
    reached = {index for index, reading in enumerate(found) if (reading.device, reading.seq) in log.seen}
    there = {(row.device, row.value) for row in rows}
    gone = {i for i in sending.acknowledged - reached if (found[i].device, found[i].value) not in there}
    note = f"Mosquitto acknowledged and forgot {len(gone)}: none of them went by on the line to us"
    return tally(found, sending.acknowledged, rows, published=sending.published, runs=kills, recover_s=recovered, note=note, unreachable=gone)


ROW = FaultRow(
    order=20,
    title="broker killed (`kill -9`) while ingest keeps up",
    what="Mosquitto with persistence and `autosave_interval 1` is killed at a random moment and started again, ten times, while 1,000 readings a "
    "second go through it. A recording line between it and ingest keeps every PUBLISH it handed over. Lost is what went by there and is not "
    "stored; what Mosquitto acknowledged and forgot before it went by is told beside it.",
    run=run,
    kinds=(BROKER,),
)
