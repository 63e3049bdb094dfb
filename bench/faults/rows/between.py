"""Ingest dies between the write to the store and the cursor, and at the points beside it."""

from __future__ import annotations

import time

from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, together, whole
from bench.faults.world import BROKER, OurWorld
from bench.load.readings import readings

DATABASE = "adapters.sql.database:SqlDatabase"


def points(world: OurWorld) -> list[tuple[str, str, int]]:
    """Where it dies: (method, before or after it, which call)."""
    if world.kind == BROKER:
        stores = [("adapters.influx_send:V1Sender.send", "after", 1), ("adapters.influx_send:V1Sender.send", "after", 2)]
        stores += [("adapters.influx_cursor:CursorFile.save", "before", 2), ("adapters.influx_cursor:CursorFile.save", "after", 2)]
    else:
        stores = [("adapters.sqlite_store:SqliteStore.write", "before", 2), ("adapters.sqlite_store:SqliteStore.write", "after", 1)]
        stores += [("adapters.sqlite_store:SqliteStore.write", "after", 2)]
    return [
        *stores,
        (f"{DATABASE}.commit", "before", 1),
        (f"{DATABASE}.commit", "after", 1),
        ("adapters.journal:FileJournal.append", "after", 3),
        (world.acknowledge, "before", 2),
        (world.acknowledge, "after", 2),
    ]


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Each point in turn, devices with a clock and without."""
    every = points(world)
    chosen = scale.pick(every, every[:2])
    return together([once(world, point, f"{tag}{number}-") for number, point in enumerate(chosen)])


def once(world: OurWorld, point: tuple[str, str, int], tag: str) -> Outcome:
    """One death."""
    found = readings(f"{tag}c", 1000) + readings(f"{tag}n", 1000, clock=False)
    world.start_dying(*point)
    sending = world.sender(found, rate=800).start()
    until(lambda: not world.runs, 30, f"ingest dies at {point}")
    world.rig.wait_for_death()
    began = time.monotonic()
    world.start()
    world.recovered(sending)
    recovered = time.monotonic() - began
    return whole(world, sending, found, tag, recover_s=[recovered])


ROW = FaultRow(
    order=70,
    title="ingest killed between write and cursor",
    what="Ingest kills itself (SIGKILL) right after a batch was written and before the cursor moved, and at the points beside it: after the fsync, "
    "before and after an acknowledgement, before and after the database's commit. Half of the devices have no clock.",
    run=run,
)
