"""The store answers 500 and 429, not at all, after it wrote a part, or not even after it wrote all."""

from __future__ import annotations

import time
from dataclasses import replace

from servers.installation import MosquittoInflux
from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, whole
from bench.faults.store_proxy import StoreProxy
from bench.faults.world import BROKER, OurWorld
from bench.load.readings import readings

MODES = ("500", "429", "503", "half", "partial", "unanswered", "silent")


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Each of them in turn."""
    modes = scale.pick(MODES, MODES[:-1])
    found = readings(tag, scale.pick(60_000, 4000))
    recovered = []
    assert isinstance(world.rig, MosquittoInflux)
    with StoreProxy(world.rig.influx.port) as proxy, world.through(store_port=proxy.port):
        world.start()
        sending = world.sender(found, rate=1000).start()
        for mode in modes:
            meet(proxy, mode)
            time.sleep(scale.pick(13.0 if mode == "silent" else 3.0, 0.05))
            proxy.mode = ""
            proxy.over.set()
            recovered.append(world.recovered(sending))
            proxy.over.clear()
        sending.stop()
        outcome = whole(world, sending, found, tag, runs=len(modes), recover_s=recovered)
    return replace(outcome, note=f"{proxy.faults} writes refused, broken off or never answered")


def meet(proxy: StoreProxy, mode: str) -> None:
    """Until a write has met `mode`."""
    before = proxy.faults
    proxy.mode = mode
    until(lambda: proxy.faults > before, 30, f"a write meets {mode}", every=0.01)


ROW = FaultRow(
    order=40,
    title="store answers 500, 429, 503, nothing, or after a part of the batch",
    what="An HTTP proxy before InfluxDB, for 3 s each: 500; 429 with Retry-After; 503; half of the lines written and the line broken; half written "
    "and 500; all written and the line broken before the answer; and for 13 s no answer at all.",
    run=run,
    kinds=(BROKER,),
)
