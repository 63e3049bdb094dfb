"""50,000 readings wait when ingest comes back."""

from __future__ import annotations

import time

from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, tally
from bench.faults.world import BROKER, OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """At the broker; where there is none, in the memory of the devices, which send it at once."""
    count = scale.pick(50_000, 2000)
    found = readings(tag, count, devices=50)
    world.start()
    world.stop()
    sending = world.sender(found, window=1000).start()
    if world.kind == BROKER:
        assert sending.join(120), "the broker acknowledges everything"
    before = world.journal_end
    began = time.monotonic()
    world.start()
    started = time.monotonic() - began
    assert sending.join(120), "everything is acknowledged"
    until(lambda: world.journal_end > before, 60, "it arrives")
    world.settle()
    recovered = time.monotonic() - began
    rows = world.stored(tag)
    world.stop()
    note = f"start {started:.1f} s, then {count / max(0.01, recovered - started):,.0f} readings a second"
    return tally(found, sending.acknowledged, rows, published=sending.published, recover_s=[recovered], note=note)


ROW = FaultRow(
    order=90,
    title="a burst of 50,000 backlog messages after an outage",
    what="50,000 readings of 50 devices are published while ingest is away (with the listener: devices keep them and send as fast as they are "
    "taken); then it starts.",
    run=run,
)
