"""SIGTERM in the middle of a batch."""

from __future__ import annotations

import time

from bench.faults.row import FaultRow, Outcome, Scale, whole
from bench.faults.world import OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Asked to stop at full speed, and started again."""
    stops = scale.pick(10, 1)
    found = readings(tag, scale.pick(100_000, 3000))
    recovered = []
    sending = None
    for _ in range(stops):
        world.start()
        if sending is None:
            sending = world.sender(found, window=500).start()
        time.sleep(scale.dice.uniform(0.1, scale.pick(0.6, 0.2)))
        began = time.monotonic()
        code = world.stop()
        assert code == 0, f"SIGTERM ended it with {code}"
        recovered.append(time.monotonic() - began)
    world.start()
    assert sending is not None
    sending.stop()
    return whole(world, sending, found, tag, runs=stops, note=f"stopped within {max(recovered):.1f} s, exit code 0")


ROW = FaultRow(
    order=150,
    title="SIGTERM in the middle of a batch",
    what="Readings come in as fast as they go; ingest is asked to stop (SIGTERM) at a random moment and started again, ten times.",
    run=run,
)
