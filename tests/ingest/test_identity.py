"""What makes a redelivery recognisable: clockless objects by (device, boot, seq), timed ones by gaps and duplicates."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.state import SEEN_BYTES, SEEN_OBJECTS, BootSpan
from ingest.decoder import Record
from ingest.identity import IMPLIED_BOOT, MAX_BOOTS, MAX_HOLES, Identities, Resolved

NOON = 1_772_420_400_000
HOUR = 3_600_000


def memory(seen: list[object] | None = None, boots: list[BootSpan] | None = None) -> Identities:
    found = Identities()
    found.load("kl01", seen or [], boots or [])  # type: ignore[arg-type] # what `forget` gave
    return found


def clockless(seq: int, *, age_s: float = 35, boot: int = 1, digest: bytes = b"one") -> Record:
    return Record(seq, boot, None, round(age_s * 1000), [("main", {"water.ec": 1.0})], [], digest)


def timed(seq: int | None, time: int = NOON, *, boot: int | None = 1) -> Record:
    return Record(seq, boot, time, None, [("main", {"water.ec": 1.0})], [], b"")


def resolve(ids: Identities, record: Record, *, received: int = NOON, position: int = 0) -> Resolved:
    found = ids.resolve("kl01", record, received=received, position=position)
    assert found is not None
    return found


def span(ids: Identities, boot: int = 1) -> BootSpan:
    """What would be committed of this boot."""
    return next(b for b in ids.forget()[1] if b.boot == boot)


# ---------------------------------------------------------------- clockless


def test_the_first_arrival_fixes_the_time() -> None:
    """A redelivery, with identical bytes or recounted, has the time and arrival of the first; another position is a duplicate."""
    ids = memory()
    first = resolve(ids, clockless(7), position=10)
    assert first == Resolved(NOON - 35_000, NOON, duplicate=False, conflicting=False, fallen_back=False)
    for age_s in (35, 3635):
        again = resolve(ids, clockless(7, age_s=age_s), received=NOON + HOUR, position=500)
        assert again == first._replace(duplicate=True)
    assert resolve(ids, clockless(7), position=10) == first, "the same position read again is no duplicate"


def test_another_content_is_kept_too() -> None:
    """The same number for another content: both keep their own time, the second is conflicting, and both are known again."""
    ids = memory()
    one = resolve(ids, clockless(7), position=1)
    other = resolve(ids, clockless(7, age_s=5, digest=b"two"), received=NOON + 60_000, position=2)
    assert other == Resolved(NOON + 55_000, NOON + 60_000, duplicate=False, conflicting=True, fallen_back=False)
    assert resolve(ids, clockless(7, digest=b"two"), received=NOON + HOUR, position=3) == other._replace(duplicate=True, conflicting=False)
    assert resolve(ids, clockless(7), received=NOON + HOUR, position=4) == one._replace(duplicate=True)


def test_another_boot_or_device_is_another_object() -> None:
    """The number alone says nothing."""
    ids = memory()
    ids.load("bc01", [], [])
    resolve(ids, clockless(7), position=1)
    assert not resolve(ids, clockless(7, boot=2), received=NOON + HOUR, position=2).duplicate
    found = ids.resolve("bc01", clockless(7), received=NOON + HOUR, position=3)
    assert found is not None
    assert (found.duplicate, found.conflicting, found.time) == (False, False, NOON + HOUR - 35_000)


def test_what_was_in_flight_is_known_however_many() -> None:
    """5,000 objects at once, and all of them again from the first on, also after a restart: each is a redelivery at its first time."""
    ids = memory()
    first = [resolve(ids, clockless(seq), position=seq // 500) for seq in range(5000)]
    for known in (ids, memory(list(ids.forget()[0]))):
        again = [resolve(known, clockless(seq, age_s=99), received=NOON + HOUR, position=6000 + seq // 500) for seq in range(5000)]
        assert again == [one._replace(duplicate=True) for one in first]


@pytest.mark.parametrize("later", [SEEN_BYTES, -SEEN_BYTES], ids=["far behind in the journal", "another journal"])
def test_only_the_last_thousand_are_remembered(later: int) -> None:
    """Beyond that the object before the last 1,000 is new again, the others are known; numbers used twice are counted right."""
    ids = memory()
    resolve(ids, clockless(0), position=SEEN_BYTES)
    for seq in range(1, SEEN_OBJECTS + 1):
        resolve(ids, clockless(seq), position=SEEN_BYTES + later + seq if later > 0 else 0)
    assert not ids.remembers("kl01", clockless(0))
    assert ids.remembers("kl01", clockless(1))
    assert resolve(ids, clockless(1), received=NOON + HOUR, position=9 * SEEN_BYTES).duplicate
    assert not resolve(ids, clockless(0), received=NOON + HOUR, position=9 * SEEN_BYTES).duplicate
    assert not ids.remembers("kl01", clockless(1)), "the new 0 took the place of the oldest"


def test_both_contents_survive_a_restart() -> None:
    """What the commit carries, loaded again, recognises each object; what was committed is not carried twice."""
    ids = memory()
    one = resolve(ids, clockless(7), position=1)
    other = resolve(ids, clockless(7, age_s=5, digest=b"two"), received=NOON + 60_000, position=2)
    seen, boots = ids.forget()
    assert (len(seen), boots) == (2, ())
    assert ids.forget() == ((), ())
    again = memory(list(seen))
    assert resolve(again, clockless(7), received=NOON + HOUR, position=3) == one._replace(duplicate=True)
    assert resolve(again, clockless(7, digest=b"two"), received=NOON + HOUR, position=4) == other._replace(duplicate=True, conflicting=False)
    assert again.forget() == ((), ())


def test_no_time_is_nobodys() -> None:
    """An object without time and age has no identity."""
    assert memory().resolve("kl01", Record(1, 1, None, None, [], [], b""), received=NOON, position=0) is None


# ---------------------------------------------------------------- with a clock


def test_without_a_number_nothing_is_counted() -> None:
    """A recorded message identifies by its time."""
    ids = memory()
    for _ in range(2):
        assert resolve(ids, timed(None)) == Resolved(NOON, NOON, duplicate=False, conflicting=False, fallen_back=False)
    assert ids.forget() == ((), ())


@given(
    steps=st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 40), st.booleans()), min_size=1, max_size=80),
)
def test_gaps_and_duplicates_are_those_of_a_set(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever the order of arrival and wherever a restart falls: duplicate = in the set, holes = between its ends and not in it."""
    ids = memory()
    arrived: dict[int, set[int]] = {1: set(), 2: set()}
    committed: dict[int, BootSpan] = {}
    for boot, seq, restart in steps:
        found = resolve(ids, timed(seq, NOON, boot=boot))
        assert found.duplicate == (seq in arrived[boot])
        assert not found.fallen_back
        arrived[boot].add(seq)
        if restart:
            committed |= {b.boot: b for b in ids.forget()[1]}
            ids = memory(boots=list(committed.values()))
    committed |= {b.boot: b for b in ids.forget()[1]}
    for boot, numbers in arrived.items():
        if numbers:
            got = committed[boot]
            assert (got.lowest, got.highest) == (min(numbers), max(numbers))
            assert holes(got.holes) == [n for n in range(min(numbers), max(numbers)) if n not in numbers]
            assert list(got.holes) == runs(holes(got.holes)), "holes rise and do not touch"


def holes(spans: tuple[tuple[int, int], ...]) -> list[int]:
    return [n for low, high in spans for n in range(low, high + 1)]


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    groups = [[n for _, n in group] for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])]
    return [(group[0], group[-1]) for group in groups]


def test_a_hostile_seq_fills_no_memory() -> None:
    """Holes and boots are bounded, whatever numbers come."""
    ids = memory()
    for n in range(3 * MAX_HOLES):
        resolve(ids, timed(n * 10))
    resolve(ids, timed(2**63 - 1))
    assert len(span(ids).holes) == MAX_HOLES
    for n in range(3 * MAX_BOOTS):
        resolve(ids, timed(1, boot=2**62 + n))
    assert len(ids._devices["kl01"].boots) == MAX_BOOTS


def test_the_newest_boots_are_loaded() -> None:
    """Where boots are random numbers it is their time that tells which are the newest."""
    old = [BootSpan(device="kl01", boot=10**9 + n, lowest=1, highest=5, last_time=NOON + n) for n in range(MAX_BOOTS)]
    newest = BootSpan(device="kl01", boot=3, lowest=1, highest=5, last_time=NOON + HOUR)
    ids = memory(boots=[newest, *old])
    assert resolve(ids, timed(2, boot=3)).duplicate


def test_seq_without_boot() -> None:
    """It fell: a restart is assumed, and no gap is counted; what rises goes on."""
    ids = memory()
    for seq in (5, 6, 9):
        assert not resolve(ids, timed(seq, boot=None)).duplicate
    assert span(ids, IMPLIED_BOOT).holes == ((7, 8),)
    assert not resolve(ids, timed(1, NOON + HOUR, boot=None)).duplicate
    got = span(ids, IMPLIED_BOOT)
    assert (got.lowest, got.highest, got.holes) == (1, 1, ())
    assert resolve(ids, timed(1, NOON + HOUR, boot=None)).duplicate


# ---------------------------------------------------------------- a clock fallen back


def arrive(ids: Identities, times: dict[int, int], **more: object) -> dict[int, bool]:
    return {seq: resolve(ids, timed(seq, time), received=NOON + 30 * HOUR, **more).fallen_back for seq, time in times.items()}  # type: ignore[arg-type] # position


def test_a_clock_fallen_back() -> None:
    """The number follows while the time lies over 1 h before: fallen back, and again so on redelivery and after a restart."""
    ids = memory()
    times = {1: NOON, 2: NOON + HOUR, 3: NOON - 1, 4: NOON, 5: NOON + 2 * HOUR}
    assert arrive(ids, times) == {1: False, 2: False, 3: True, 4: False, 5: False}
    assert arrive(ids, times, position=900) == {1: False, 2: False, 3: True, 4: False, 5: False}
    assert arrive(memory(boots=[span(ids)]), times, position=1800) == {1: False, 2: False, 3: True, 4: False, 5: False}


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({1: NOON, 2: NOON - HOUR}, "exactly an hour is not more"),
        ({1: NOON, 3: NOON - 5 * HOUR}, "3 does not follow 1"),
        ({1: NOON, 2: NOON + 40 * HOUR, 3: NOON}, "a time far ahead is refused and is nobody's predecessor"),
        ({1: 3000, 2: NOON, 3: NOON + 1}, "a clock of 1970 that was set is not fallen back"),
        ({5: NOON, 4: NOON - 5 * HOUR}, "a backlog arrives in any order"),
    ],
)
def test_not_fallen_back(times: dict[int, int], why: str) -> None:
    """What looks like it and is not."""
    assert not any(arrive(memory(), times).values()), why


def test_a_new_boot_may_begin_anywhere() -> None:
    """Another boot has no predecessor."""
    ids = memory()
    resolve(ids, timed(1, NOON, boot=1))
    assert not resolve(ids, timed(2, NOON - 5 * HOUR, boot=2)).fallen_back


def test_an_old_message_read_again_without_boot() -> None:
    """Hourly 1…10, a restart, 1…3, then the journal is read again: 4 follows 3 by its number, yet nothing fell back."""
    ids = memory()
    first = [(seq, NOON + seq * HOUR) for seq in range(1, 11)]
    second = [(seq, NOON + (10 + seq) * HOUR) for seq in range(1, 4)]
    for seq, time in [*first, *second, *first, *second]:
        assert not resolve(ids, timed(seq, time, boot=None), received=time + 1000).fallen_back
