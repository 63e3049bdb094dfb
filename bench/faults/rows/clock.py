"""The clock of the machine is set forth and back under ingest."""

from __future__ import annotations

import os
import time
from pathlib import Path

from servers.waiting import until

from bench.faults.row import FaultRow, Outcome, Scale, tally, wait_all
from bench.faults.world import OurWorld
from bench.load.readings import DAY_MS, STEP_MS, readings
from bench.load.sender import Sender

DEVICES = 20
STEPS = ("+3h", "-2h", "+40m", "-26h", "+0")
LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")


def library() -> Path | None:
    """Debian's faketime, the form for threads."""
    return next((path for folder in LIBRARIES if (path := Path(folder) / "libfaketimeMT.so.1").exists()), None)


def run(world: OurWorld, scale: Scale, tag: str) -> Outcome:
    """Ingest runs under faketime, whose offset is changed while it works; the readings are of now, with times of their own."""
    fake = library()
    assert fake is not None, "faketime is not installed (Debian: apt-get install faketime)"
    clocked = scale.pick(20_000, 1500)
    begin = time.time_ns() // 1_000_000 - clocked // DEVICES * STEP_MS  # the last one is of now: with our clock behind it is ahead
    found = readings(f"{tag}c", clocked, devices=DEVICES, begin=begin) + readings(f"{tag}n", scale.pick(10_000, 500), clock=False, begin=begin)
    found.sort(key=lambda reading: reading.seq)
    offset = world.rig.folder / "faketime"
    offset.write_text("+0\n")
    # Never without its cache: each wait for Python's lock would then read the file, and two busy threads stand nearly still.
    env = {"LD_PRELOAD": str(fake), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    world.start(env=env)
    sending = world.sender(found, rate=scale.pick(1000, 250), repeat=1).start()
    steps = scale.pick(STEPS, STEPS[:2])
    for step in steps:
        time.sleep(scale.pick(3.0, 0.4))
        draft = offset.with_suffix(".new")
        draft.write_text(f"{step}\n")
        os.replace(draft, offset)
        time.sleep(1.1)  # until faketime has read it
        goes_on(world, sending)
    time.sleep(scale.pick(2.0, 0.2))
    world.kill()  # and what is read again is met with another clock
    world.start()
    sending.stop()
    wait_all(world, sending)
    world.committed()
    refused = letters(world, tag)
    assert refused, "no reading was refused while our clock was behind: the row tries nothing"
    world.rig.run("deadletters", "replay", "--reason", "clock")
    until(lambda: not letters(world, tag), 60, lambda: f"what was refused is stored, {letters(world, tag)} of {refused} are not:\n{world.rig.log[-3000:]}")
    rows = world.stored(tag)
    world.stop()
    times, note = 2 * DAY_MS, f"the clock moved by up to 26 h; {refused:,} refusals while it was behind, read again once it was right"
    return tally(found, sending.acknowledged, rows, published=sending.published, runs=len(steps), early_ms=times, late_ms=times, note=note)


def goes_on(world: OurWorld, sending: Sender) -> None:
    """Until more is journalled, or all is sent."""
    size = world.journal_end
    until(lambda: world.journal_end > size or not sending.alive, 30, "it goes on")


def letters(world: OurWorld, tag: str) -> int:
    """How many refusals for a wrong clock stand open."""
    return int(world.rig.ask("SELECT COUNT(*) FROM dead_letter WHERE reason = 'clock' AND resolved_at IS NULL AND device GLOB ?", f"{tag}*")[0][0])


ROW = FaultRow(
    order=120,
    title="our clock set forth and back",
    what="Ingest runs under Debian's `faketime`, whose offset is changed while it works: +3 h, −2 h, +40 min, −26 h, 0; then it is killed and "
    "started with the true time. Every message is delivered twice, and its reading is of the last minutes: while our clock is behind it lies ahead "
    "and becomes a dead letter, which `canhman deadletters replay --reason clock` reads again in the end. A third of the messages come from devices "
    "without a clock. Their times are those of our clock, as wrong as it was: there a reading counts as stored once, whatever its time.",
    run=run,
)
