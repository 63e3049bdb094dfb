"""Two ingest processes share a subscription; one of them dies and comes back."""

from __future__ import annotations

import subprocess
import sys
import time

from servers.installation import MosquittoInflux
from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, tally
from bench.faults.world import BROKER, OurWorld
from bench.load.readings import readings

NAMES = ("a", "b")
SETTLE_S = 90.0


class Pair:
    """`canhman ingest` under the names a and b, on one installation."""

    def __init__(self, world: OurWorld) -> None:
        self.rig = world.rig
        self._world = world
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """And wait until it takes messages."""
        path = self.rig.folder / f"ingest-{name}.log"
        before = path.stat().st_size if path.exists() else 0
        with path.open("ab") as log:
            env = self.rig.env | {"CANHMAN_WORKER": name}
            self._processes[name] = subprocess.Popen([sys.executable, "-m", "canhman", "ingest"], env=env, cwd=self.rig.folder, stdout=log, stderr=log)
        until(lambda: b"subscribed at" in path.read_bytes()[before:], 60, lambda: f"{name} is ready:\n{path.read_text()[-3000:]}")

    def back(self, name: str, tag: str, *, least: int) -> float:
        """Start it again; how long until `least` readings are stored [s]."""
        began = time.monotonic()
        self.start(name)
        until(lambda: len(self._world.stored(tag)) >= least, SETTLE_S, "all of before is stored", every=0.1)
        return time.monotonic() - began

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        """Both."""
        for name in list(self._processes):
            self.kill(name)


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Killed in turn; each comes back to its own session and its own journal."""
    assert isinstance(world.rig, MosquittoInflux)
    world.rig.run("broker", "init", "--folder", str(world.rig.files), "--worker", "a", "--worker", "b", "--end-lone")
    world.rig.sync()
    kills = scale.pick(6, 1)
    found = readings(tag, scale.pick(40_000, 2000))
    pair = Pair(world)
    recovered = []
    try:
        for name in NAMES:
            pair.start(name)
        sending = world.sender(found, rate=1000).start()
        for number in range(kills):
            time.sleep(scale.dice.uniform(0.3, scale.pick(3.0, 0.5)))
            pair.kill(NAMES[number % 2])
            time.sleep(scale.pick(2.0, 0.2))
            recovered.append(pair.back(NAMES[number % 2], tag, least=len(sending.acknowledged)))
        sending.stop()
        assert sending.join(120), "everything is acknowledged"
        deadline = time.monotonic() + SETTLE_S
        while len(world.stored(tag)) < sending.published and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(scale.pick(3.0, 1.0))  # what came twice would come now
        rows = world.stored(tag)
    finally:
        pair.close()
    return tally(found, sending.acknowledged, rows, published=sending.published, runs=kills, recover_s=recovered)


ROW = FaultRow(
    order=110,
    title="two ingest processes share the messages, one of them dies",
    what="Two `canhman ingest` with names of their own (`CANHMAN_WORKER`) share one subscription; one, then the other is killed (`kill -9`), is away for 2 s "
    "and comes back to its session and its journal, six times. What was meant for the one that is away waits for it at the broker.",
    run=run,
    kinds=(BROKER,),
    own_world=True,
)
