"""The three rows that make sense for the scripts too, run against them and against ours in the same form."""

from __future__ import annotations

import time
from typing import Any

from bench.faults.row import FaultRow, Outcome, Scale, tally, wait_all
from bench.faults.world import BROKER
from bench.load.readings import readings

MESSAGES = 5000
RATE = 500.0


def kills(world: Any, scale: Scale, tag: str) -> Outcome:
    """Killed three times."""
    found = readings(tag, scale.pick(MESSAGES, 1000))
    world.start()
    sending = world.sender(found, rate=RATE).start()
    for _ in range(3):
        time.sleep(scale.dice.uniform(0.3, scale.pick(2.5, 0.5)))
        world.kill()
        world.start()
    wait_all(world, sending)
    rows = world.stored(tag)
    world.stop()
    return tally(found, sending.acknowledged, rows, published=sending.published, runs=3)


def away(world: Any, scale: Scale, tag: str) -> Outcome:
    """The store is stopped (SIGTERM) for ten seconds."""
    found = readings(tag, scale.pick(2 * MESSAGES, 1000))
    world.start()
    sending = world.sender(found, rate=RATE).start()
    time.sleep(scale.pick(2.0, 0.3))
    world.store_stopped(scale.pick(10.0, 1.0))
    wait_all(world, sending)
    rows = world.stored(tag)
    world.stop()
    return tally(found, sending.acknowledged, rows, published=sending.published)


def sigterm(world: Any, scale: Scale, tag: str) -> Outcome:
    """Asked to stop, three times, and started again."""
    found = readings(tag, scale.pick(MESSAGES, 1000))
    world.start()
    sending = world.sender(found, rate=RATE).start()
    for _ in range(3):
        time.sleep(scale.dice.uniform(0.3, scale.pick(2.5, 0.5)))
        world.stop()
        world.start()
    wait_all(world, sending)
    rows = world.stored(tag)
    world.stop()
    return tally(found, sending.acknowledged, rows, published=sending.published, runs=3)


_KILLS = "5,000 readings at 500 a second, killed at three random moments and started again."
_AWAY = "10,000 readings at 500 a second; InfluxDB is stopped for ten seconds."
_SIGTERM = "5,000 readings at 500 a second, asked to stop at three random moments and started again."
ROWS = {
    "kills": FaultRow(order=1, title="killed (`kill -9`) three times", what=_KILLS, run=kills, kinds=(BROKER,)),
    "away": FaultRow(order=2, title="store away for 10 s", what=_AWAY, run=away, kinds=(BROKER,)),
    "sigterm": FaultRow(order=3, title="SIGTERM three times", what=_SIGTERM, run=sigterm, kinds=(BROKER,)),
}
FORMS = ("synchronous", "batching")
