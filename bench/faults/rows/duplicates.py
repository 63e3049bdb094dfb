"""Every message is delivered three times, from devices with a clock and without, and ingest is killed in between."""

from __future__ import annotations

import time

from bench.faults.row import FaultRow, Outcome, Scale, tally, wait_all
from bench.faults.world import OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Three times with the mark of a duplicate, once more from the first on after a kill, and all of it again with ages counted anew."""
    count = scale.pick(8000, 400)
    found = readings(f"{tag}c", count) + readings(f"{tag}n", count, clock=False)
    scale.dice.shuffle(found)
    found.sort(key=lambda reading: reading.seq)
    world.start()
    sending = world.sender(found, rate=scale.pick(1500, 2000), repeat=2).start()
    time.sleep(scale.pick(3.0, 0.2))
    began = time.monotonic()
    world.kill()
    world.start()
    world.recovered(sending)
    recovered = time.monotonic() - began
    wait_all(world, sending)
    again = world.sender(found[-scale.pick(4000, 200) :], rate=3000).start()  # the same objects, with the ages they have now
    wait_all(world, again)
    rows = world.stored(tag)
    world.stop()
    return tally(found, sending.acknowledged, rows, published=sending.published, recover_s=[recovered], note="each message delivered at least three times")


ROW = FaultRow(
    order=100,
    title="duplicated deliveries, with and without a clock",
    what="Every message is sent three times (the second and third marked as duplicates), ingest is killed in the middle, and the last 4,000 are sent "
    "once more with their ages counted anew. Half of the devices have no clock: their readings are told by age, and a redelivery tells another.",
    run=run,
)
