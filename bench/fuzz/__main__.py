"""`make fuzz`: at least a million inputs to everything that reads bytes of strangers, or what we wrote ourselves and a disk damaged.

    python -m bench.fuzz [--inputs 1000000] [--seed N] [--seconds S] [--target WORDS …] [--page docs/fuzz.md]

Writes docs/fuzz.md when all targets had at least a million inputs together; exit code 1 where anything but a declared error came.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import time
from pathlib import Path

import structlog

from bench.fuzz import decoding, disk, wire
from bench.fuzz.page import page
from bench.fuzz.run import fuzz
from canhman import terminal

ROOT = Path(__file__).parents[2]
TARGETS = (*decoding.TARGETS, *wire.TARGETS, *disk.TARGETS)
ENOUGH = 1_000_000


def main(words: list[str]) -> int:
    """0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=ENOUGH, help="in all")
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same inputs")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end early")
    parser.add_argument("--target", action="append", default=[], help="only those with these words in their name")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "fuzz.md", help="where the figures are written")
    given = parser.parse_args(words)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # what the listener would log of each
    targets = [t for t in TARGETS if not given.target or any(w in t.name for w in given.target)]
    seed = given.seed if given.seed is not None else int(time.time())
    outcomes = fuzz(targets, inputs=given.inputs, seed=seed, seconds=given.seconds, tell=terminal.say)
    for outcome in outcomes:
        for data, trace in outcome.findings:
            terminal.say(f"\n{outcome.target.name}: {data[:400]!r}{' …' if len(data) > 400 else ''}\n{trace}")
    if len(targets) == len(TARGETS) and sum(o.inputs for o in outcomes) >= ENOUGH:
        given.page.write_text(page(outcomes, seed=seed, machine=f"Python {platform.python_version()}"), "utf-8")
        terminal.say(f"written: {given.page}")
    return 1 if any(o.failed for o in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
