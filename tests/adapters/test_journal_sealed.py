"""Sealed segments: compressed, they hold the same records at the same positions, and damage costs what it hit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.hand_clock import HandClock
from servers.journals import message, opened, records

from adapters import journal_sealed, journal_segments
from adapters.journal import FileJournal
from adapters.journal_keeping import DAY_MS, Keeper, removed
from adapters.journal_reading import JournalReader
from core.errors import JournalFullError, NotFoundError
from core.message import Message

ROOT = Path(__file__).parents[2]


def keeper(journal: FileJournal, *, keep_days: int = 0, clock: HandClock | None = None) -> Keeper:
    return Keeper(journal, keep_days=keep_days, clock=clock or HandClock(), rest=lambda seconds: None)


def sealed_journal(folder: Path, batches: list[list[Message]], **more: object) -> FileJournal:
    """A journal of a segment for each batch, all but the last of them sealed."""
    journal = opened(folder, segment_bytes=1, **more)
    for batch in batches:
        journal.append(batch)
    journal.release(journal.end)
    keeper(journal).once()
    return journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_sealed, "BLOCK_BYTES", 300)


messages = st.builds(
    Message,
    topic=st.text(max_size=30),
    payload=st.one_of(st.binary(max_size=200), st.binary(min_size=1, max_size=4).map(lambda b: b * 300)),
    received=st.integers(-(2**63), 2**63 - 1),
    source=st.sampled_from(["", "device:kl01", "ờ"]),
    qos=st.integers(0, 2),
    retain=st.booleans(),
    dup=st.booleans(),
    refused=st.booleans(),
)
batches_of = st.lists(st.lists(messages, min_size=1, max_size=12), min_size=2, max_size=4)


@given(batches=batches_of, limit=st.integers(1, 7), block=st.sampled_from([64, 300, 1 << 18]))
@settings(max_examples=25)
def test_a_sealed_journal_reads_as_it_did(tmp_path_factory: pytest.TempPathFactory, batches: list[list[Message]], limit: int, block: int) -> None:
    """Whatever is sealed in blocks of whatever size: the same records at the same positions, from anywhere, after a new start too."""
    folder = tmp_path_factory.mktemp("j")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_sealed, "BLOCK_BYTES", block)
        patch.setattr(os, "fsync", lambda fd: None)
        patch.setattr(os, "fdatasync", lambda fd: None)
        journal = opened(folder, segment_bytes=1)
        for batch in batches:
            journal.append(batch)
        before, end = records(journal), journal.end
        journal.release(end)
        keeper(journal).once()
    assert [s.sealed for s in journal.segments] == [True] * (len(batches) - 1) + [False]
    journal.close()
    journal = opened(folder)
    reader = JournalReader(folder)
    reader.open()
    for way in (journal, reader):
        assert records(way, limit=limit) == before
        assert way.end == end
        for i, (position, found) in enumerate(before):
            assert way.get(position) == found
            assert records(way, position, limit) == before[i:]
        assert way.damaged_bytes == 0
    journal.close()


def test_sealing_makes_a_segment_small(folder: Path) -> None:
    """What devices send day by day is packed to a fraction, and the journal knows its new size."""
    journal = sealed_journal(folder, [[message(n) for n in range(3000)], [message(1)]])
    first = journal.segments[0].path
    assert first.stat().st_size < 60_000 < journal.segments[1].base
    assert journal.size == sum(p.stat().st_size for p in folder.glob("*.cmj"))
    journal.close()


@pytest.mark.parametrize("part", ["header", "front", "packed", "index", "end"])
@pytest.mark.usefixtures("small_blocks")
def test_a_flipped_byte_in_a_sealed_segment_loses_a_block_at_most(folder: Path, part: str) -> None:
    """Header, index and end may be damaged without loss, the rest loses records of one block: none of another, and no start fails."""
    sent = [[message(n) for n in range(30)], [message(99)]]
    journal = sealed_journal(folder, sent)
    before = records(journal)
    path = journal.segments[0].path
    raw = path.read_bytes()
    fd = os.open(path, os.O_RDONLY)
    blocks = journal_sealed.Sealed(fd, journal_segments.keys_of(journal.id)).blocks
    os.close(fd)
    journal.close()
    index = blocks[-1].at + journal_sealed._FRONT_BYTES + blocks[-1].packed
    places = {
        "header": range(journal_segments.HEADER_BYTES),
        "front": range(blocks[2].at, blocks[2].at + journal_sealed._FRONT_BYTES),
        "packed": range(blocks[2].at + journal_sealed._FRONT_BYTES, blocks[3].at),
        "index": range(index, len(raw) - journal_sealed._END_BYTES, 7),
        "end": range(len(raw) - journal_sealed._END_BYTES, len(raw)),
    }[part]
    hit = {p for p, _ in before if blocks[2].offset <= p < blocks[3].offset} if part == "packed" else set()
    for place in places:
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x10]) + raw[place + 1 :])
        journal = opened(folder)
        found = records(journal)
        assert [r for r in before if r[0] not in hit] == [r for r in found if r[0] not in hit], place
        assert set(found) <= set(before)
        assert (journal.damaged_bytes > 0) == (len(found) < len(before)), place
        journal.close()


@given(data=st.data())
@settings(max_examples=15)
def test_whatever_happened_to_a_sealed_file_its_reading_ends(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut anywhere, with any stretches written over: no exception, no endless loop, and only records that were there, in their order."""
    folder = tmp_path_factory.mktemp("j")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_sealed, "BLOCK_BYTES", 200)
        patch.setattr(os, "fsync", lambda fd: None)
        patch.setattr(os, "fdatasync", lambda fd: None)
        journal = sealed_journal(folder, [[message(n) for n in range(12)], [message(99)]])
        before = records(journal)
        path = journal.segments[0].path
        raw = bytearray(path.read_bytes())
        for share, piece in data.draw(st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), max_size=4)):
            at = int(share * len(raw))
            raw[at : at + len(piece)] = piece
        path.write_bytes(raw[: int(data.draw(st.one_of(st.just(1.0), st.floats(0, 1))) * len(raw))])
        found = records(journal)
        assert [r for r in before if r in found] == found
        assert found[-1][1] == message(99)
        assert [journal.get(position) for position, _ in found] == [m for _, m in found]
        journal.close()


@pytest.mark.usefixtures("small_blocks")
def test_index_and_a_block_both_damaged_lose_that_block(folder: Path) -> None:
    """Without its index a sealed segment is read by the fronts of its blocks: one that is damaged too is lost, its neighbours are not."""
    journal = sealed_journal(folder, [[message(n) for n in range(30)], [message(99)]])
    before, path = records(journal), journal.segments[0].path
    fd = os.open(path, os.O_RDONLY)
    blocks = journal_sealed.Sealed(fd, journal_segments.keys_of(journal.id)).blocks
    os.close(fd)
    journal.close()
    raw = bytearray(path.read_bytes())
    raw[blocks[3].at + 9] ^= 1
    path.write_bytes(raw[: -journal_sealed._END_BYTES])
    journal = opened(folder)
    hit = blocks[3].offset, blocks[4].offset
    assert records(journal) == [r for r in before if not hit[0] <= r[0] < hit[1]]
    assert journal.damaged_bytes == hit[1] - hit[0]
    journal.close()


def test_damage_from_before_the_sealing_stays_what_it_was(folder: Path) -> None:
    """A damaged record is sealed as it stands: skipped and counted then as before, and its neighbours are read."""
    journal = opened(folder, segment_bytes=1)
    journal.append([message(n) for n in range(20)])
    journal.append([message(50)])
    before = records(journal)
    path = journal.segments[0].path
    raw = bytearray(path.read_bytes())
    raw[before[7][0] + 30] ^= 4
    path.write_bytes(raw)
    journal.release(journal.end)
    keeper(journal).once()
    assert journal.segments[0].sealed
    assert records(journal) == before[:7] + before[8:]
    assert journal.damaged_bytes == before[8][0] - before[7][0]
    journal.close()


def test_what_is_not_released_and_the_last_segment_stay_plain(folder: Path) -> None:
    """Ingest reads its backlog as it was written."""
    journal = opened(folder, segment_bytes=1)
    ends = [journal.append([message(n)]) for n in range(4)]
    journal.release(ends[1])
    keeper(journal).once()
    assert [s.sealed for s in journal.segments] == [True, True, False, False]
    journal.close()


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_a_disk_that_is_full_while_sealing_leaves_the_plain_segment(folder: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Nothing is lost, nothing is left behind, and it is compressed when there is room."""
    journal = opened(folder, segment_bytes=1)
    for n in range(3):
        journal.append([message(n)])
    journal.release(journal.end)
    before, files = records(journal), sorted(folder.iterdir())

    def full(*args: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*((Path, "rename") if call == "rename" else (os, call)), full)
        keeper(journal).once()
    assert records(journal) == before
    assert sorted(folder.iterdir()) == files
    keeper(journal).once()
    assert [s.sealed for s in journal.segments] == [True, True, False]
    assert records(journal) == before
    journal.close()


def test_a_compression_cut_short_is_made_anew(folder: Path) -> None:
    """What a killed process left half written is thrown away at the next start; the plain segment stood all the time."""
    journal = opened(folder, segment_bytes=1)
    for n in range(3):
        journal.append([message(n)])
    before, first = records(journal), journal.segments[0]
    work = journal_sealed.seal(first, journal.segments[1].previous_end, journal_segments.keys_of(journal.id), journal.id, first.path.with_suffix(".cmj.new"))
    next(work)  # the process dies here
    journal.close()
    journal = opened(folder)
    assert not list(folder.glob("*.new"))
    assert records(journal) == before
    work.close()
    journal.close()


def test_what_is_over_its_time_is_removed_once_it_is_stored(folder: Path) -> None:
    """Kept for so many days after the segment ended, longer while a cursor or a waiting device needs it; what went is written down."""
    clock = HandClock()
    journal = opened(folder, clock=clock)
    ends = []
    for day in range(5):
        clock.ms = day * DAY_MS + 1
        ends.append(journal.append([message(day)]))
    house = keeper(journal, keep_days=2, clock=clock)
    house.once()
    assert len(records(journal)) == 5  # nothing is released yet
    journal.release(ends[-1])
    house.once()
    assert [m.received for _, m in records(journal)] == [message(n).received for n in (1, 2, 3, 4)]
    clock.ms = 400 * DAY_MS
    house.once()
    assert [m for _, m in records(journal)] == [message(4)]  # the last one is being written
    assert [r["why"] for r in removed(folder)] == ["CANHMAN_JOURNAL_KEEP"] * 4
    assert removed(folder)[0]["to"] == ends[0]
    journal.close()


def test_the_bound_makes_room_of_what_is_stored(folder: Path) -> None:
    """At its bound the oldest stored segments go; what is not stored never does: then it is full, until it is stored."""
    journal = opened(folder, segment_bytes=1, max_bytes=600)
    sent: list[Message] = []

    def fill() -> None:
        for n in range(20):
            journal.append([message(n)])
            sent.append(message(n))

    with pytest.raises(JournalFullError, match="at most 600"):
        fill()
    assert [m for _, m in records(journal)] == sent
    journal.release(journal.segments[2].base)
    journal.append([message(50)])
    assert [m for _, m in records(journal)] == [*sent[1:], message(50)]  # one was enough
    assert journal.size <= 600
    assert {r["why"] for r in removed(folder)} == {"CANHMAN_JOURNAL_MAX"}
    journal.close()


def test_a_share_of_the_disk_is_left_to_the_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full is full for the journal before it is for store and database; with room it goes on."""
    journal = opened(folder, spare=0.02)
    free = 10_000_000

    class Disk:
        f_frsize = 1
        f_blocks = 100_000_000

        @property
        def f_bavail(self) -> int:
            return free

    monkeypatch.setattr(os, "fstatvfs", lambda fd: Disk())
    journal.append([message(1)])
    free = 2_000_010
    with pytest.raises(JournalFullError, match="stay for store and database"):
        journal.append([message(2)])
    free = 3_000_000
    journal.append([message(3)])
    assert [m for _, m in records(journal)] == [message(1), message(3)]
    journal.close()


def test_a_reader_beside_the_writer(folder: Path) -> None:
    """It takes no lock, sees what was appended once it looks again, bears segments being sealed and removed, and what is half written is no damage."""
    reader = JournalReader(folder)
    with pytest.raises(NotFoundError, match="no journal"):
        reader.open()
    journal = opened(folder, segment_bytes=1)
    for n in range(4):
        journal.append([message(n)])
    reader.open()
    before = records(journal)
    assert records(reader) == before
    journal.release(journal.segments[2].base)
    keeper(journal).once()
    assert records(reader) == before
    journal.remove_oldest("test")
    assert records(reader) == before[1:]
    with journal.segments[-1].path.open("ab") as file:
        file.write(journal_segments.encode([message(7)], journal.end, journal_segments.keys_of(journal.id))[:20])
    reader.open()
    assert records(reader) == before[1:]
    assert (reader.unfinished_bytes, reader.damaged_bytes) == (20, 0)
    journal.close()


def test_where_an_arrival_stands(folder: Path) -> None:
    """From the position that is named on, every record that arrived at that time or later is met."""
    clock = HandClock()
    journal = opened(folder, clock=clock)
    for day in range(4):
        clock.ms = day * DAY_MS + 5
        journal.append([Message("t", b"", clock.ms)])
    for ms in (0, DAY_MS, 2 * DAY_MS + 5, 3 * DAY_MS + 6, 9 * DAY_MS):
        found = [m.received for _, m in records(journal, journal.at_arrival(ms))]
        assert [r for r in found if r >= ms] == [m.received for _, m in records(journal) if m.received >= ms]
    assert len(records(journal, journal.at_arrival(3 * DAY_MS))) <= 2
    journal.close()


def test_the_keepers_thread_works_and_ends(folder: Path) -> None:
    """It looks by itself, and a stop ends it at once, whatever it rests for."""
    journal = opened(folder, segment_bytes=1)
    for n in range(3):
        journal.append([message(n)])
    journal.release(journal.end)
    house = Keeper(journal, keep_days=0, clock=HandClock(), every_s=0.001)
    house.start()
    while not journal.segments[1].sealed:
        os.sched_yield()
    house.stop()
    journal.close()


def test_a_really_full_disk_stops_every_write_and_is_over_when_there_is_room(folder: Path) -> None:
    """With the kernel's own limit on the size of files: append, a new segment, sealing and the cursor's file fail, nothing is lost, and all go on."""
    program = """
import os, resource, signal, sys
from pathlib import Path
from adapters.influx_cursor import CursorFile
from adapters.journal import FileJournal
from adapters.journal_keeping import Keeper
from core.clock import SystemClock
from core.errors import JournalFullError, UnavailableError
from core.message import Message
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = FileJournal(Path(sys.argv[1]), segment_bytes=2000)
journal.open()
sent = []
def send(n):
    message = Message("t", os.urandom(500), n)
    journal.append([message])
    sent.append(message)
for n in range(9):
    send(n)
journal.release(journal.end)
cursor = CursorFile(Path(sys.argv[1]) / "cursor")
keeper = Keeper(journal, keep_days=0, clock=SystemClock(), rest=lambda s: None)
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
for size in (10, 600, 1500):
    limit(size)
    for n in range(9):
        try:
            send(100 + n)
        except JournalFullError:
            print("full")
    keeper.once()
limit(10)
try:
    cursor.save(journal.id, 77)
except UnavailableError:
    print("cursor")
assert cursor.load(journal.id) == 0
plain = [s for s in journal.segments[:-1] if not s.sealed]
assert plain, "it was sealed on a full disk"
limit(resource.RLIM_INFINITY)
send(200)
cursor.save(journal.id, 77)
journal.release(journal.end)
keeper.once()
assert all(s.sealed for s in journal.segments[:-1])
journal.close()
journal = FileJournal(Path(sys.argv[1]))
journal.open()
found, at = [], 0
while (part := journal.read(at, limit=100)).records:
    found += [m for _, m in part.records]
    at = part.next
assert found == sent, (len(found), len(sent))
assert journal.damaged_bytes == journal.torn_bytes == 0
assert cursor.load(journal.id) == 77
print("whole")
"""
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line in ("full", "cursor", "whole")]
    assert lines[-1:] == ["whole"], done.stderr
    assert {"full", "cursor"} <= set(lines)
