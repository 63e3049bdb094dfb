"""Numbers that several ingests have read: one union, whatever the order of the commits; and claims of clockless objects."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from adapters.sql import SqlDatabase
from adapters.sql.shared import MAX_HOLES, merged, runs_of
from core.state import SEEN_BYTES, SEEN_OBJECTS, Arrival, BootSpan, Claim, Commit, Seen

T0 = 1_772_000_000_000


def arrival(seq: int, *, boot: int = 1, device: str = "kl01", counted: bool = True) -> Arrival:
    return Arrival(device, boot, seq, T0 + seq * 1000, fallen_back=False, counted=counted)


def numbers(span: BootSpan) -> set[int]:
    return {n for low, high in runs_of(span) for n in range(low, high + 1)}


PARTS = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=12), min_size=1, max_size=5)


@given(parts=PARTS, order=st.randoms())
def test_a_union_in_any_order(parts: list[list[int]], order: random.Random) -> None:
    """Every part merged, in two orders: the same span, whose numbers are all that came; what came before is counted, once for each time."""
    spans, counts = [], []
    shuffled = list(parts)
    order.shuffle(shuffled)
    for sequence in (parts, shuffled):
        span, duplicates = None, 0
        for part in sequence:
            span, times = merged(span, [arrival(n) for n in part])
            duplicates += times
        assert span is not None
        spans.append(span)
        counts.append(duplicates)
    assert spans[0] == spans[1]
    came = [n for part in parts for n in part]
    assert numbers(spans[0]) == set(came)
    assert counts == [len(came) - len(set(came))] * 2
    assert spans[0].last_time == T0 + max(came) * 1000


@given(parts=PARTS)
def test_what_was_counted_before_adds_nothing(parts: list[list[int]]) -> None:
    """Read again from the journal: the same span, no duplicate."""
    span = None
    for part in parts:
        span, _ = merged(span, [arrival(n) for n in part])
    for part in parts:
        again, times = merged(span, [arrival(n, counted=False) for n in part])
        assert (again, times) == (span, 0)


def test_holes_are_bounded() -> None:
    """Of a sender that leaves out every other number the last ones are kept."""
    span, _ = merged(None, [arrival(2 * n) for n in range(MAX_HOLES + 50)])
    assert len(span.holes) == MAX_HOLES
    assert span.holes[-1] == (2 * (MAX_HOLES + 49) - 1,) * 2


def test_a_commit_merges_and_counts_once(database: SqlDatabase) -> None:
    """Two journals, interleaved numbers of many devices; the same commit again counts nothing again."""
    devices = [f"d{n}" for n in range(600)]
    for journal, begin in (("a", 0), ("b", 1)):
        commit = Commit(journal=journal, state_cursor=10, arrivals=tuple(arrival(n, device=d) for d in devices for n in (*range(begin, 10, 2), 4)))
        for _ in range(2):
            asyncio.run(database.commit(commit))
    assert asyncio.run(database.gaps()) == []
    assert {(s.lowest, s.highest) for d in devices[::97] for s in asyncio.run(database.boots(d))} == {(0, 9)}
    counters = asyncio.run(database.counters())
    assert counters == {f"duplicate:{d}": 2 for d in devices}, "4 came to a twice, and then to b"


def clockless(seq: int, *, journal: str = "a", position: int = 0, digest: bytes = b"\0d", time: int | None = None) -> Seen:
    at = T0 + seq * 1000 if time is None else time
    return Seen(device="kl01", boot=1, seq=seq, time=at, received=at + 500, position=position, digest=digest, journal=journal)


def claim(database: SqlDatabase, *objects: Seen, keep: bool = True) -> list[Claim | None]:
    return asyncio.run(database.claim([(item, keep) for item in objects]))


def test_the_first_claim_fixes_the_time(database: SqlDatabase) -> None:
    """The same object again: the first one's time and arrival, a duplicate unless it is the same place of the same journal."""
    first = Claim(T0 + 1000, T0 + 1500, duplicate=False, conflicting=False)
    assert claim(database, clockless(1)) == [first]
    later = clockless(1, journal="b", time=T0 + 60_000)
    assert claim(database, later, clockless(1)) == [first._replace(duplicate=True), first]
    other = clockless(1, digest=b"other", time=T0 + 60_000)
    assert claim(database, other) == [Claim(T0 + 60_000, T0 + 60_500, duplicate=False, conflicting=True)]


def test_a_retained_one_claims_nothing(database: SqlDatabase) -> None:
    """It is only looked up."""
    assert claim(database, clockless(1), keep=False) == [None]
    assert asyncio.run(database.seen("kl01")) == []


def test_no_two_objects_of_a_device_share_a_millisecond(database: SqlDatabase) -> None:
    """Of one claim or of several."""
    times = [c.time for c in claim(database, *(clockless(n, time=T0) for n in range(3))) if c] + [c.time for c in claim(database, clockless(9, time=T0)) if c]
    assert times == [T0, T0 + 1, T0 + 2, T0 + 3]


def test_what_is_remembered_is_bounded_by_each_journal(database: SqlDatabase) -> None:
    """The last 1,000 objects, and beyond them those in the last 16 MB of the journal they stand in."""
    claim(database, *(clockless(n, journal="a", position=n) for n in range(100)))
    asyncio.run(database.commit(Commit(journal="a", state_cursor=200)))
    claim(database, *(clockless(n, journal="b", position=n) for n in range(100, 200 + SEEN_OBJECTS)))
    assert len(asyncio.run(database.seen("kl01"))) == 200 + SEEN_OBJECTS, "both journals may still send any of them again"
    asyncio.run(database.commit(Commit(journal="a", state_cursor=SEEN_BYTES + 1000)))
    claim(database, clockless(5000, journal="b", position=5000))
    assert min(s.seq for s in asyncio.run(database.seen("kl01"))) == 100, "those of b are near its own end"
