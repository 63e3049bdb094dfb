"""How the fault record counts, and its page: a reading that is lost or doubled is told, whatever the row."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.faults import page
from bench.faults.line import PacketLog
from bench.faults.row import tally
from bench.faults.run import cases, rows
from bench.faults.world import Stored
from bench.load import packets
from bench.load.readings import readings

DOCS = Path(__file__).parents[2] / "docs"
COUNT = 40
INDICES = st.sets(st.integers(0, COUNT - 1))


def stored(found: list[Any], which: set[int]) -> list[Stored]:
    return [Stored(found[i].device, found[i].time, found[i].value) for i in sorted(which)]


@given(acknowledged=INDICES, there=INDICES)
def test_lost_is_acknowledged_and_not_stored(acknowledged: set[int], there: set[int]) -> None:
    """By identity, never by number: a stored reading nobody acknowledged makes up for nothing."""
    found = readings("t", COUNT, devices=7, begin=0)
    outcome = tally(found, acknowledged, stored(found, there), published=COUNT)
    assert set(outcome.lost) == {f"{found[i].device} seq {found[i].seq}" for i in acknowledged - there}
    assert outcome.stored == len(there)
    assert not outcome.doubled


@given(twice=INDICES, clock=st.booleans(), late=st.integers(1, 60_000))
def test_doubled_is_a_second_time_of_one_reading(twice: set[int], clock: bool, late: int) -> None:
    """With a clock and without; and with a clock already the first at a wrong time."""
    found = readings("t", COUNT, devices=7, begin=0, clock=clock)
    rows = stored(found, set(range(COUNT))) + [Stored(found[i].device, found[i].time + late, found[i].value) for i in twice]
    assert len(tally(found, set(), rows, published=COUNT).doubled) == len(twice)


def test_what_was_never_published_is_told() -> None:
    """A row of the store that is no reading of ours, and a reading at a time that is not its own."""
    found = readings("t", 3, devices=1, begin=0)
    rows = [*stored(found, {0}), Stored("t00", found[1].time + 5, found[1].value), Stored("t00", 7, 99.0)]
    outcome = tally(found, {0, 1}, rows, published=3)
    assert len(outcome.doubled) == 2
    assert outcome.lost == ("t00 seq 1",)


@given(cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_the_packet_log_sees_every_publish(cuts: list[int]) -> None:
    """However the stream is cut into chunks; other packets in it are no readings."""
    found = readings("t", 9, devices=3)
    frames = [packets.publish(r.topic, r.payload(), n + 1) for n, r in enumerate(found)]
    data = b"\x20\x02\0\0" + b"\xd0\0".join(frames) + packets.puback(7)
    log = PacketLog()
    read = log.reader()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for begin, end in itertools.pairwise(edges):
        read(data[begin:end])
    assert log.seen == {(r.device, r.seq) for r in found}
    assert log.publishes == len(found)


def result(**more: Any) -> dict[str, Any]:
    outcome = {"runs": 1, "published": 10, "acknowledged": 10, "stored": 10, "lost": (), "doubled": (), "recover_s": (1.0, 2.0), "note": ""}
    return {"outcome": outcome | more, "error": "", "seconds": 1.0, "seed": 1, "on": "2026-01-02T03:04:05Z"}


def test_one_lost_reading_fails_the_suite_and_stands_on_the_page() -> None:
    """In a row of ours; what a broker forgot is told and fails nothing; a row that could not be run fails it."""
    every = ["/".join(case) for case in cases()]
    whole = {case: result() for case in every}
    assert page.failed(whole, every) == []
    assert "No reading that reached us was lost" in page.text(page.gathered(whole))
    lost = whole | {"listener/kills": result(lost=("k00 seq 3",))}
    assert page.failed(lost, every) == ["listener/kills"]
    assert "1 readings were lost and 0 doubled" in page.text(page.gathered(lost))
    assert page.failed(whole | {"paho/broker_forgets": result(lost=("k00 seq 3",))}, every) == []
    assert page.failed(whole | {"paho/kills": {"error": "it broke", "seconds": 1.0, "seed": 1}}, every) == ["paho/kills"]


def test_every_row_says_what_it_does() -> None:
    """Title and deed are there, and no two rows have the same place."""
    every = rows()
    assert len({row.order for row in every.values()}) == len(every)
    assert all(row.title and row.what.endswith(".") for row in every.values())
    assert {name for name, row in every.items() if not row.ours} == {"broker_forgets", "damaged_record"}


def test_the_page_says_what_the_figures_say() -> None:
    """docs/faults.md is made from docs/faults.json, and no row of ours in it lost or doubled anything."""
    if not (DOCS / "faults.json").exists():
        pytest.skip("make faults was not run yet")
    data = json.loads((DOCS / "faults.json").read_text())
    assert (DOCS / "faults.md").read_text() == page.text(data)
    every = rows()
    ours = {case: o for case, o in data["cases"].items() if not case.startswith("peers") and every[case.partition("/")[2]].ours}
    assert {case: (o.get("lost"), o.get("doubled")) for case, o in ours.items()} == dict.fromkeys(ours, (0, 0))
