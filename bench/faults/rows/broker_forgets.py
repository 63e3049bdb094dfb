"""`kill -9` of the broker while ingest is away: what it acknowledged since its last save is gone."""

from __future__ import annotations

import time
from dataclasses import replace

from bench.faults.row import FaultRow, Outcome, Scale, tally, together, wait_all
from bench.faults.world import BROKER, OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """No ingest can repair that; the numbers of the devices tell what is missing."""
    return together([once(world, scale, f"{tag}{number}-") for number in range(scale.pick(3, 1))])


def once(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """One kill."""
    found = readings(tag, scale.pick(8000, 3000))
    before = scale.pick(1000, 400)
    world.start()
    first = world.sender(found[:before]).start()
    wait_all(world, first)
    world.stop()  # its session is there, and the devices are known
    sending = world.sender(found[before:], rate=2000).start()
    time.sleep(scale.dice.uniform(0.6, scale.pick(3.0, 1.1)))
    world.broker.kill()
    world.broker.start()
    assert sending.join(60), "everything is acknowledged"
    began = time.monotonic()
    world.start()
    wait_all(world, sending)
    recovered = time.monotonic() - began
    world.committed()
    rows, holes = world.stored(tag), world.holes(tag)
    world.stop()
    acknowledged = first.acknowledged | {index + before for index in sending.acknowledged}
    outcome = tally(found, acknowledged, rows, published=before + sending.published, recover_s=[recovered])
    named = {f"{device} seq {seq}" for device, seq in holes}
    wrong = len(named - set(outcome.lost))
    note = f"Mosquitto forgot {len(outcome.lost)}, the `seq` report named {len(named & set(outcome.lost))}" + (f" and {wrong} that are there" if wrong else "")
    return replace(outcome, note=note)


ROW = FaultRow(
    order=200,
    title="broker killed while ingest is away",
    what="After a thousand readings were stored ingest is stopped, 2,000 readings a second are published, Mosquitto (persistence, "
    "`autosave_interval 1`) is killed at a random moment and started again; then ingest starts. Three times.",
    run=run,
    kinds=(BROKER,),
    ours=False,
)
