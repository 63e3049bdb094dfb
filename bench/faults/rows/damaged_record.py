"""Records in the middle of the journal are damaged on disk before they were processed."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, tally
from bench.faults.world import OurWorld
from bench.load.readings import readings


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """The store is away, ingest is killed, bits of some records are flipped; the store comes back and ingest starts."""
    count, damaged = scale.pick(5000, 400), scale.pick(7, 3)
    found = readings(tag, count)
    first = readings(f"first-{tag}", 1, devices=1)
    world.start()
    sending = world.sender(first).start()
    assert sending.join(30)
    world.settle()
    before = world.journal_end
    sending = world.sender(found).start()
    with world.rig.store_away():  # gone, not paused: a server that stands still would write what it was sent when it goes on
        assert sending.join(60), "everything is acknowledged"
        size = sum(len(reading.payload()) for reading in found)
        until(lambda: world.journal_end > before + size, 60, "everything is journalled")
        time.sleep(scale.pick(2.0, 0.5))  # the broker has our acknowledgements: it would send again what it has not
        world.kill()
        hurt = damage(world, tag, scale, damaged)
    began = time.monotonic()
    world.start()
    world.settle()
    recovered = time.monotonic() - began
    world.committed()
    rows, holes = world.stored(tag), world.holes(tag)
    said = len(re.findall("a damaged part of the journal was skipped", world.rig.log))
    world.stop()
    outcome = tally(found, sending.acknowledged, rows, published=sending.published, recover_s=[recovered])
    named = {f"{device} seq {seq}" for device, seq in holes}
    exactly = "exactly those are" if set(outcome.lost) == hurt else "NOT exactly those are"
    note = f"{len(hurt)} records damaged, {exactly} lost; the `seq` report names {len(named & set(outcome.lost))}; the log tells of {said} damaged parts"
    return replace(outcome, note=note)


def damage(world: OurWorld, tag: str, scale: Scale, count: int) -> set[str]:
    """Flip a bit in the payload of some records past the cursor; the names of the readings in them."""
    last = world.last_segment
    data = bytearray(last.read_bytes())
    from_ = max(0, world.cursor - int(last.stem)) + 2000
    record = rb"canhman/default/(" + tag.encode() + rb"\d\d)/telemetry.{0,40}?\"seq\": (\d+)"
    places = [m for m in re.finditer(record, bytes(data), re.DOTALL) if m.start() > from_]
    # not the last of a device: what is missing at the end no number tells of
    places = [m for m in places if int(m[2]) > 0][:-40]
    chosen = scale.dice.sample(places, count)
    for found in chosen:
        data[found.end() + 10] ^= 0x10
    last.write_bytes(data)
    return {f"{found[1].decode()} seq {int(found[2])}" for found in chosen}


ROW = FaultRow(
    order=210,
    title="journal records damaged on disk before they were processed",
    what="With the store away 5,000 readings are acknowledged and wait in the journal; ingest is killed, a bit is flipped in seven records, and it "
    "starts again. Lost may be exactly those, each named by its missing `seq`.",
    run=run,
    ours=False,
    own_world=True,
)
