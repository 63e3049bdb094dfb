"""The journal's last record is torn, as by a crash in the middle of a write."""

from __future__ import annotations

import os
import time

from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, together, whole
from bench.faults.world import OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Nothing is acknowledged (as in a crash before the fsync), ingest is killed, the end of the file is cut off."""
    return together([once(world, scale, f"{tag}{number}-") for number in range(scale.pick(10, 1))])


def once(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """One tear, in the last record or across several."""
    found = readings(tag, 200)
    before = world.journal_end
    world.rig.start_without(world.acknowledge)
    sending = world.sender(found).start()
    until(lambda: world.journal_end > before + 20_000 and sending.published == len(found), 30, "it is journalled")
    time.sleep(0.1)
    world.kill()
    last = world.last_segment
    os.truncate(last, last.stat().st_size - scale.dice.choice((1, 7, scale.dice.randrange(1, 150), scale.dice.randrange(150, 2000))))
    began = time.monotonic()
    world.start()
    world.recovered(sending)
    recovered = time.monotonic() - began
    return whole(world, sending, found, tag, recover_s=[recovered])


ROW = FaultRow(
    order=60,
    title="the journal's last records torn",
    what="200 readings are journalled and not acknowledged, as in a crash; ingest is killed, and 1 to 2,000 bytes are cut off the end of the "
    "journal. Ten times.",
    run=run,
)
