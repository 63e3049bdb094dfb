"""A row of the fault record, and how what was published and acknowledged is held against what the store says it has."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.faults.world import BROKER, LISTENER, Stored, World
from bench.load.readings import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long a row is: the full form or the short one of the tests. `dice` chooses the moments."""

    short: bool
    dice: random.Random

    def pick(self, full: Any, short: Any) -> Any:
        """The one or the other."""
        return short if self.short else full


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one row gave on one path. `lost` and `doubled` are named: some of each, for who looks for the fault."""

    runs: int
    published: int
    acknowledged: int
    stored: int  # of those published, each once
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    recover_s: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """One fault. `run` gets a world in which ingest does not run, and leaves it so."""

    order: int
    title: str  # the fault, in the table
    what: str  # what is done, on the page
    run: Callable[[Any, Scale, str], Outcome]
    kinds: tuple[str, ...] = (BROKER, LISTENER)

    ours: bool = True  # False: not ours to win, reported all the same
    own_world: bool = False  # it leaves its world in a state others should not find


def tally(
    found: Sequence[Reading],
    acknowledged: Collection[int],
    stored: Iterable[Stored],
    *,
    published: int,
    runs: int = 1,
    recover_s: Sequence[float] = (),
    late_ms: int = 120_000,
    early_ms: int = 5,
    note: str = "",
    unreachable: Collection[int] = (),
) -> Outcome:
    """Compare the sets. A reading with a clock is (device, time, value); one without is (device, value), at most `late_ms` late.

    `unreachable`: indices of what is shown never to have reached us; named in the note by the row, not counted as lost.
    """
    times: dict[tuple[str, float], list[int]] = defaultdict(list)
    for row in stored:
        times[(row.device, row.value)].append(row.time)
    there: set[int] = set()
    doubled: list[str] = []
    lost: list[str] = []
    for index, reading in enumerate(found[:published]):
        at = times.pop((reading.device, reading.value), [])
        good = [t for t in at if (t == reading.time if reading.clock else -early_ms <= t - reading.time <= late_ms)][:1]
        if good:
            there.add(index)
        if len(at) > len(good):
            doubled.append(f"{reading.device} seq {reading.seq}: stored at {at}, measured at {reading.time}")
        if not good and index in acknowledged and index not in unreachable:
            lost.append(f"{reading.device} seq {reading.seq}")
    doubled += [f"{device} value {value}: never published, stored at {at}" for (device, value), at in times.items()]
    return Outcome(
        runs=runs,
        published=published,
        acknowledged=len(acknowledged),
        stored=len(there),
        lost=tuple(lost),
        doubled=tuple(doubled),
        recover_s=tuple(recover_s),
        note=note,
    )


def together(parts: Sequence[Outcome], *, note: str = "") -> Outcome:
    """Several runs of one row as one."""
    return Outcome(
        runs=sum(part.runs for part in parts),
        published=sum(part.published for part in parts),
        acknowledged=sum(part.acknowledged for part in parts),
        stored=sum(part.stored for part in parts),
        lost=tuple(name for part in parts for name in part.lost),
        doubled=tuple(name for part in parts for name in part.doubled),
        recover_s=tuple(s for part in parts for s in part.recover_s),
        note=note or "; ".join(part.note for part in parts if part.note),
    )


def recovery(seconds: Sequence[float]) -> str:
    """Median and longest, in words."""
    if not seconds:
        return ""
    middle, most = statistics.median(seconds), max(seconds)
    return f"{most:.1f} s" if len(seconds) == 1 else f"{middle:.1f} s (longest {most:.1f})"


def wait_all(world: World, sending: Any, timeout: float = 120.0) -> None:
    """Until everything published is acknowledged and has had its chance to be stored."""
    assert sending.join(timeout), f"{sending.published - len(sending.acknowledged)} of {sending.published} are not acknowledged after {timeout:.0f} s"
    world.settle()


def whole(world: World, sending: Any, found: Sequence[Reading], tag: str, **told: Any) -> Outcome:
    """How most rows end: all is acknowledged and stored, the store is asked, ingest is stopped, and both are compared. `told`: as of `tally`."""
    wait_all(world, sending)
    rows = world.stored(tag)
    world.stop()
    return tally(found, sending.acknowledged, rows, published=sending.published, **told)
