"""The journal on a disk that fails at any call: what it acknowledged stays, whatever is rolled, sealed, removed or opened again after it."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.hand_clock import HandClock
from servers.journals import opened, records

from adapters import journal_segments as segments
from adapters.journal import FileJournal
from adapters.journal_keeping import Keeper
from core.errors import JournalFullError
from core.message import Message

DAY_MS = 86_400_000
NOON = 20_000 * DAY_MS + DAY_MS // 2
CALLS = ("pwrite", "fdatasync", "ftruncate", "fsync", "rename", "open", "unlink")


def message(n: int, size: int = 0) -> Message:
    return Message(f"canhman/default/kl{n % 9:02d}/telemetry", b'{"seq": %d}' % n + b" " * size, NOON + n, qos=1)


def look(journal: FileJournal, clock: HandClock, keep_days: int = 400) -> None:
    Keeper(journal, keep_days=keep_days, clock=clock, rest=lambda seconds: None).once()


@contextmanager
def failing_disk() -> Iterator[dict[str, int]]:
    """`fails["fdatasync"] = 2` makes the next two of them fail; a write that fails has put half of its bytes."""
    fails = dict.fromkeys(CALLS, 0)
    real_pwrite, real_open = os.pwrite, os.open

    def due(call: str) -> None:
        if fails[call]:
            fails[call] -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def pwrite(fd: int, data: bytes | memoryview, at: int) -> int:
        if fails["pwrite"]:
            real_pwrite(fd, bytes(data[: len(data) // 2]), at)
        due("pwrite")
        return real_pwrite(fd, data, at)

    def opening(path: Path, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(segments.SUFFIX) and flags & os.O_RDWR:  # to write; reading has its own tests
            due("open")
        return real_open(path, flags, mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        patch.setattr(os, "open", opening)
        for call in ("fdatasync", "fsync"):
            patch.setattr(os, call, lambda fd, call=call: due(call))
        for owner, call in ((os, "ftruncate"), (Path, "rename"), (Path, "unlink")):
            real = getattr(owner, call)
            patch.setattr(owner, call, lambda *args, call=call, real=real, **named: (due(call), real(*args, **named))[1])
        yield fails


steps = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 400)),
    st.tuples(st.sampled_from(CALLS), st.integers(1, 3)),
    st.tuples(st.just("days"), st.sampled_from([-1, 1, 3, 500])),
    st.tuples(st.just("release"), st.integers(0, 10)),
    st.tuples(st.sampled_from(["look", "reopen", "heal"]), st.just(0)),
)


@settings(max_examples=100)
@given(plan=st.lists(steps, max_size=40), segment_bytes=st.sampled_from([1, 300, 1 << 20]), most=st.sampled_from([None, 2500]))
def test_whatever_fails_nothing_acknowledged_is_lost(plan: list[tuple[str, int]], segment_bytes: int, most: int | None) -> None:
    """Any sequence of failing calls, days, keeper's looks and restarts: each acknowledged record that is not released is read, at its position."""
    clock, n = HandClock(NOON), 0
    kept: dict[int, Message] = {}  # by position, as first read after its acknowledgement
    with tempfile.TemporaryDirectory() as name, failing_disk() as fails:
        folder = Path(name) / "journal"
        journal = opened(folder, segment_bytes=segment_bytes, max_bytes=most, clock=clock)
        for what, number in plan:
            if what == "append":
                n += 1
                before = journal.end
                try:
                    end = journal.append([message(n, number), message(n)])
                except JournalFullError:
                    assert journal.end == before
                else:
                    new = [(p, m) for p, m in records(journal, before) if m in (message(n, number), message(n))]
                    assert len(new) == 2
                    assert not {p for p, _ in new} & kept.keys()
                    assert end == journal.end > before
                    kept.update(new)
            elif what in CALLS:
                fails[what] = number
            elif what == "days":
                clock.ms += number * DAY_MS
            elif what == "release":
                places = [*sorted(kept), journal.end]
                journal.release(max(journal.released, places[len(places) * number // 11]))
            elif what == "look":
                look(journal, clock, keep_days=2)
            else:
                fails.update(dict.fromkeys(CALLS, 0))
                if what == "reopen":
                    released = journal.released
                    journal.close()
                    journal = opened(folder, segment_bytes=segment_bytes, max_bytes=most, clock=clock)
                    journal.release(released)
            bases = [s.base for s in journal.segments]
            assert bases == sorted(set(bases))
            found = dict(records(journal, journal.released))
            assert {p: m for p, m in kept.items() if p >= journal.released} == {p: m for p, m in found.items() if p in kept}
        journal.close()


def test_an_fsync_that_fails_at_the_first_write_of_a_segment(tmp_path: Path) -> None:
    """The next segment has a base of its own, the unused file goes, and the keeper's look costs nothing."""
    clock = HandClock(NOON)
    with failing_disk() as fails:
        journal = opened(tmp_path / "journal", clock=clock)
        fails["fdatasync"] = 3
        for n in range(3):
            with pytest.raises(JournalFullError, match="cannot fsync"):
                journal.append([message(n)])
        sent = [message(n) for n in range(10, 15)]
        for m in sent:
            journal.append([m])
        journal.release(records(journal)[1][0])
        look(journal, clock)
        assert [m for _, m in records(journal)] == sent
        assert len(journal.segments) == len(list((tmp_path / "journal").glob("*.cmj"))) == 1
        assert journal.size == sum(p.stat().st_size for p in (tmp_path / "journal").glob("*.cmj"))
        journal.close()
        journal = opened(tmp_path / "journal", clock=clock)
        assert [m for _, m in records(journal)] == sent
        assert journal.damaged_bytes == 0
        journal.close()


def test_a_file_stands_for_one_segment(tmp_path: Path) -> None:
    """Neither the file being written nor one listed twice is ever sealed or removed."""
    journal = opened(tmp_path / "journal", segment_bytes=1, clock=HandClock(NOON))
    for n in range(3):
        journal.append([message(n)])
    journal.release(journal.end)
    first, second, last = journal.segments
    draft = tmp_path / "draft"
    draft.write_bytes(b"")
    for listed in ((first, second, last, last), (first, first, second, last)):
        journal._segments = listed
        with pytest.raises(OSError, match="no finished segment"):
            journal.replace(listed[1] if listed[1] is first else last, draft)
    assert not journal.remove_oldest("test")
    journal._segments = (first, second, last)
    assert [m for _, m in records(journal)] == [message(n) for n in range(3)]
    journal.close()


def test_a_segment_that_could_not_be_begun_ends_the_one_before(tmp_path: Path) -> None:
    """Its file may be there already and names the end of the one before: nothing more goes into that, though a clock set back would let it."""
    clock = HandClock(NOON)
    with failing_disk() as fails:
        journal = opened(tmp_path / "journal", clock=clock)
        journal.append([message(1)])
        clock.ms += DAY_MS
        fails["open"] = 1
        with pytest.raises(JournalFullError, match="cannot begin a segment"):
            journal.append([message(2)])
        clock.ms -= DAY_MS
        journal.append([message(3)])
        journal.close()
        journal = opened(tmp_path / "journal", clock=clock)
        assert [m for _, m in records(journal)] == [message(1), message(3)]
        journal.close()


@pytest.mark.parametrize("most", [16, 20, 40, 63])
def test_a_small_bound_never_stops_what_is_stored(tmp_path: Path, most: int) -> None:
    """With all stored at once there is always room, down to the least bound that may be set: a segment is a quarter of it."""
    with failing_disk():
        journal = opened(tmp_path / "journal", max_bytes=most << 10, segment_bytes=64 << 10, clock=HandClock(NOON))  # KiB for MiB
        for n in range(100):
            journal.append([message(n, 200)] * 5)
            journal.release(journal.end)
            assert journal.size <= most << 10
        assert len(journal.segments) > 2
        journal.close()


def test_a_bound_below_what_is_there_makes_room_once_all_is_stored(tmp_path: Path) -> None:
    """A bound set lower than the last segment is: that one ends and goes, as soon as all of it is stored and not before."""
    clock = HandClock(NOON)
    journal = opened(tmp_path / "journal", clock=clock)
    for n in range(50):
        journal.append([message(n, 200)])
    journal.close()
    journal = opened(tmp_path / "journal", max_bytes=4000, clock=clock)
    with pytest.raises(JournalFullError, match="at most 4000"):
        journal.append([message(60)])
    assert len(records(journal)) == 50
    journal.release(journal.end)
    with pytest.raises(JournalFullError, match="at most 4000"):
        journal.append([message(61, 4000)])  # does not fit into an empty one: no archive goes for it
    assert len(records(journal)) == 50
    journal.append([message(62)])
    assert [m for _, m in records(journal)] == [message(62)]
    assert journal.size <= 4000
    journal.close()


def test_a_clock_that_is_ahead_removes_no_archive(tmp_path: Path) -> None:
    """A clock 401 days or 60 years ahead for a look, or for a message and a look, and then right again: the archive stays."""
    clock = HandClock(NOON)
    with failing_disk():
        journal = opened(tmp_path / "journal", clock=clock)

        def day_of(day: int) -> None:
            clock.ms = NOON + day * DAY_MS
            journal.append([message(day)])
            journal.release(journal.end)

        for day in range(10):
            day_of(day)
        for ahead in (401, 60 * 365):
            clock.ms = NOON + ahead * DAY_MS
            look(journal, clock, keep_days=40)
            day_of(ahead)
            look(journal, clock, keep_days=40)
            day_of(10)
            look(journal, clock, keep_days=40)
        assert len(records(journal)) == 14
        for day in range(11, 70):  # and time goes on as ever
            day_of(day)
        look(journal, clock, keep_days=40)
        assert len(records(journal)) == 42  # 40 days since the one after began, and the one that is written
        journal.close()


def test_long_topics_do_not_fill_the_memory(tmp_path: Path) -> None:
    """What is remembered of topics and sources is bounded in bytes, each text and all of them: a long one is read and forgotten."""
    journal = opened(tmp_path / "journal", clock=HandClock(NOON))
    sent = [Message(f"canhman/{n}/" + letter * size, b"", NOON, "ờ" * size, 1) for n in range(20) for letter in "aờ" for size in (80, 250, 60_000 // 3)]
    journal.append(sent)
    assert [m for _, m in records(journal)] == sent
    journal.close()
    assert max(map(len, segments._TEXTS)) <= 256
    assert max(map(len, segments._BYTES.values())) <= 256
    assert sent[0].topic in segments._BYTES
    assert segments._MOST_TEXTS * 256 <= 16 << 20
