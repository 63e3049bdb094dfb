"""The disk of the journal is full, and later has room again."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, whole
from bench.faults.world import LISTENER, OurWorld
from bench.load.readings import readings

SMALL, LARGE = 1 << 20, 256 << 20


@contextmanager
def small_disk(world: OurWorld) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """(how, what makes it small, what gives it room): a tmpfs where that may be mounted, else a limit on the size of files."""
    world.journal.mkdir(parents=True, exist_ok=True)
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", world.journal], capture_output=True).returncode == 0

    def room() -> None:
        if mounted:
            subprocess.run(["mount", "-o", f"remount,size={LARGE}", world.journal], check=True)
        else:
            resource.prlimit(world.rig.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def full() -> None:
        if not mounted:
            resource.prlimit(world.rig.pid, resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))

    try:
        yield f"a tmpfs of {SMALL >> 20} MiB" if mounted else f"a limit of {SMALL >> 20} MiB a file", full, room
    finally:
        if mounted:
            subprocess.run(["umount", "-l", world.journal], check=True)


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Filled until nothing is acknowledged any more; then there is room."""
    found = readings(tag, scale.pick(30_000, 9000))
    with small_disk(world) as (how, full, room):
        world.start()
        full()
        sending = world.sender(found, window=500).start()
        until(lambda: "nothing is acknowledged until there is room" in world.rig.log, 60, lambda: f"the journal is full:\n{world.rig.log[-2000:]}")
        time.sleep(scale.pick(10.0, 0.5))
        before = len(sending.acknowledged)
        time.sleep(scale.pick(3.0, 0.3))
        grown = len(sending.acknowledged) - before
        began, end = time.monotonic(), world.journal_end
        room()
        until(lambda: world.journal_end > end, 30, lambda: f"it goes on:\n{world.rig.log[-2000:]}", every=0.005)
        world.level()
        recovered = time.monotonic() - began
        full_after = f"full after {before} readings, acknowledged while full: {grown}"
        note = f"{how}; {full_after if world.kind == LISTENER else 'the broker keeps what comes meanwhile'}"
        return whole(world, sending, found, tag, recover_s=[recovered], note=note)


ROW = FaultRow(
    order=50,
    title="disk full under the journal",
    what="The journal lies on a tmpfs of 1 MiB (without root: no file may grow above that) until nothing is acknowledged any more; after 13 s there is room.",
    run=run,
    own_world=True,
)
