"""The journal: what was appended comes back, whatever was cut, flipped, filled up or killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.hand_clock import HandClock
from servers.journals import message, opened

from adapters import journal_segments as segments
from adapters.journal import FileJournal
from core.errors import ConfigError, FormatError, JournalFullError
from core.message import Message
from core.ports import Journal

DAY_MS = 86_400_000
ROOT = Path(__file__).parents[2]


def everything(journal: Journal, *, limit: int = 1000, position: int = 0) -> tuple[list[tuple[int, Message]], int]:
    """All records from `position` on, read slice by slice, and how many bytes were damaged."""
    records, damaged = [], 0
    while True:
        part = journal.read(position, limit=limit)
        damaged += part.damaged_bytes
        if not part.records:
            return records, damaged
        assert len(part.records) <= limit
        assert part.next > position
        records += part.records
        position = part.next


def messages_of(journal: Journal) -> list[Message]:
    return [m for _, m in everything(journal)[0]]


def with_crc(raw: bytes) -> bytes:
    """The header as its writer would have made it."""
    return raw[: segments.HEADER_BYTES - 4] + zlib.crc32(raw[: segments.HEADER_BYTES - 4]).to_bytes(4, "little") + raw[segments.HEADER_BYTES :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of journals where no power is cut: no fsync."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


messages = st.builds(
    Message,
    topic=st.text(st.characters(), max_size=40),  # even what UTF-8 has no place for
    payload=st.binary(max_size=200),
    received=st.integers(-(2**63), 2**63 - 1),
    source=st.sampled_from(["", "device:kl01", "org:vithanh", "ờ"]),
    qos=st.integers(0, 2),
    retain=st.booleans(),
    dup=st.booleans(),
    refused=st.booleans(),
    token=st.integers(0, 9),
)


@given(batches=st.lists(st.lists(messages, max_size=6), max_size=8), limit=st.integers(1, 7), segment_bytes=st.sampled_from([1, 300, 1 << 20]), data=st.data())
@settings(max_examples=60)
def test_what_is_appended_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Message]], limit: int, segment_bytes: int, data: st.DataObject
) -> None:
    """For any messages, split into appends, size of segments, limit of reads, with reopenings: the same, in order."""
    folder = tmp_path_factory.mktemp("j")
    journal = opened(folder, segment_bytes=segment_bytes)
    ends = [journal.end]
    for batch in batches:
        ends.append(journal.append(batch))
        if data.draw(st.booleans()):
            journal.close()
            journal = opened(folder, segment_bytes=segment_bytes)
            assert journal.end == ends[-1]
    sent = [m._replace(token=0) for batch in batches for m in batch]  # the token is the connection's own, and not kept
    records, damaged = everything(journal, limit=limit)
    assert [m for _, m in records] == sent
    assert damaged == journal.damaged_bytes == journal.torn_bytes == 0
    positions = [p for p, _ in records]
    assert positions == sorted(set(positions))
    assert ends == sorted(ends)
    assert not records or (positions[0] == journal.start and positions[-1] < journal.end)
    for i, (position, found) in enumerate(records):
        assert journal.get(position) == found
        assert [m for _, m in everything(journal, position=position)[0]] == sent[i:]
    journal.close()


def test_a_position_between_records_names_none(folder: Path) -> None:
    """`get` gives the record at exactly that position, or None."""
    journal = opened(folder)
    journal.append([message(1), message(2)])
    (first, _), (second, _) = everything(journal)[0]
    assert journal.get(second) == message(2)
    assert [journal.get(p) for p in (0, first - 1, first + 1, second - 1, journal.end, journal.end + 1000)] == [None] * 6
    journal.close()


def test_a_record_longer_than_a_chunk_comes_back(folder: Path) -> None:
    """Records are found whole wherever the reader's chunks end, and a read of big ones stops early but never empty."""
    sent = [message(n, bytes([n]) * size) for n, size in enumerate([10, segments.CHUNK_BYTES - 40, 3 * segments.CHUNK_BYTES, 7, *[segments.CHUNK_BYTES] * 9])]
    journal = opened(folder)
    journal.append(sent)
    assert len(journal.read(0, limit=100).records) < len(sent)
    assert messages_of(journal) == sent
    journal.close()


def test_a_forged_record_in_a_payload_is_not_taken_for_one(folder: Path) -> None:
    """A payload that holds whole records of this very journal yields none of them, even when its own record is damaged."""
    journal = opened(folder)
    journal.append([message(1)])
    journal.close()
    (path,) = folder.glob("*.cmj")
    copy = path.read_bytes()[segments.HEADER_BYTES :]
    journal = opened(folder)
    start = journal.end
    journal.append([message(2, copy * 3), message(3)])
    journal.close()
    flip(path, start + segments.RECORD_BYTES)
    journal = opened(folder)
    assert messages_of(journal) == [message(1), message(3)]
    journal.close()


# ---------------------------------------------------------------- damage


def flip(path: Path, offset: int, mask: int = 0x10) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset] ^= mask
    path.write_bytes(raw)


@pytest.mark.usefixtures("quick")
def test_every_cut_of_the_last_record_loses_only_that_record(folder: Path) -> None:
    """After a crash at any byte of the last write the earlier records are there, and appending goes on."""
    journal = opened(folder)
    before = journal.append([message(1), message(2)])
    journal.append([message(3)])
    journal.close()
    (path,) = folder.glob("*.cmj")
    whole = path.read_bytes()
    for cut in range(before, len(whole)):
        for old in folder.glob("*.cmj"):
            old.unlink()
        path.write_bytes(whole[:cut])
        journal = opened(folder)
        assert messages_of(journal) == [message(1), message(2)]
        assert journal.torn_bytes == cut - before
        assert journal.end == before
        journal.append([message(4)])
        records, damaged = everything(journal)
        assert [m for _, m in records] == [message(1), message(2), message(4)]
        assert records[-1][0] >= cut, "a position that may have been handed out is never used again"
        assert damaged == 0
        journal.close()
        journal = opened(folder)
        assert messages_of(journal) == [message(1), message(2), message(4)]
        assert journal.torn_bytes == 0
        journal.close()


@pytest.mark.usefixtures("quick")
def test_every_flipped_byte_loses_only_its_record(folder: Path) -> None:
    """One bad byte anywhere: the records it does not lie in all come back, and the damage is counted once."""
    journal = opened(folder)
    sent = [message(n) for n in range(4)]
    journal.append(sent)
    positions = [p for p, _ in everything(journal)[0]]
    end = journal.end
    journal.close()
    (path,) = folder.glob("*.cmj")
    whole = path.read_bytes()
    for offset in range(len(whole)):
        for old in folder.glob("*.cmj"):
            old.unlink()
        path.write_bytes(whole)
        flip(path, offset, mask=0xFF)
        hit = max((i for i, p in enumerate(positions) if p <= offset), default=None)
        good = [m for i, m in enumerate(sent) if i != hit]
        journal = opened(folder)
        assert messages_of(journal) == good
        if hit == len(sent) - 1:
            assert journal.torn_bytes == end - positions[hit]
        elif hit is not None:
            assert journal.damaged_bytes == positions[hit + 1] - positions[hit]
            everything(journal)
            assert journal.damaged_bytes == positions[hit + 1] - positions[hit]
            assert journal.get(positions[hit]) is None
        journal.append([message(9)])
        assert messages_of(journal) == [*good, message(9)]
        journal.close()


def test_damage_in_an_old_segment_is_skipped(folder: Path) -> None:
    """A sealed segment that lost its end, or a run of zeros inside it, costs those records and no others."""
    journal = opened(folder, segment_bytes=200)
    for n in range(12):
        journal.append([message(n)])
    records = everything(journal)[0]
    journal.close()
    first, second, *_ = sorted(folder.glob("*.cmj"))
    first.write_bytes(first.read_bytes()[:-3])
    held = [i for i, (p, _) in enumerate(records) if p >= int(second.stem)]
    raw = second.read_bytes()
    second.write_bytes(raw[: segments.HEADER_BYTES] + bytes(20) + raw[segments.HEADER_BYTES + 20 :])
    lost = {held[0] - 1, held[0]}
    journal = opened(folder, segment_bytes=200)
    found, damaged = everything(journal, limit=2)
    assert found == [r for i, r in enumerate(records) if i not in lost]
    assert damaged > 0
    assert damaged == journal.damaged_bytes
    journal.close()


def test_a_torn_end_of_zeros_is_cut(folder: Path) -> None:
    """Blocks of zeros that a power cut leaves at the end are no records."""
    journal = opened(folder)
    end = journal.append([message(1)])
    journal.close()
    (path,) = folder.glob("*.cmj")
    path.write_bytes(path.read_bytes() + bytes(5000))
    journal = opened(folder)
    assert (journal.end, journal.torn_bytes) == (end, 5000)
    assert path.stat().st_size == end
    journal.close()


def test_a_journal_that_lost_its_end_starts_past_the_cursor(folder: Path) -> None:
    """With `floor` no new record stands where a cursor has already been."""
    journal = opened(folder)
    kept = journal.append([message(1)])
    cursor = journal.append([message(2)])
    journal.close()
    (path,) = folder.glob("*.cmj")
    path.write_bytes(path.read_bytes()[:kept])
    journal = FileJournal(folder)
    journal.open(floor=cursor)
    assert journal.read(cursor, limit=10).records == []
    journal.append([message(3)])
    assert [m for _, m in journal.read(cursor, limit=10).records] == [message(3)]
    journal.close()


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("change", "found", "expected"),
    [
        (lambda raw: with_crc(raw[:3] + bytes([3]) + raw[4:]), "version 3", "expected 1"),
        (lambda raw: with_crc(b"PK\x03\x04" + raw[4:]), "b'PK\\x03'", "expected b'CMJ'"),
    ],
)
def test_another_format_is_refused(folder: Path, change, found: str, expected: str) -> None:
    """A newer or foreign segment is one line that names the file, what was found and what is expected; nothing is changed."""
    journal = opened(folder)
    journal.append([message(1)])
    journal.close()
    (path,) = folder.glob("*.cmj")
    path.write_bytes(change(path.read_bytes()))
    raw = path.read_bytes()
    with pytest.raises(FormatError) as refusal:
        opened(folder)
    text = str(refusal.value)
    assert str(path) in text
    assert found in text
    assert expected in text
    assert "\n" not in text
    assert path.read_bytes() == raw


def test_segments_of_another_journal_are_refused(tmp_path: Path) -> None:
    """A segment copied in from another journal, or renamed, is refused: its positions would mean something else."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        journal = opened(folder)
        journal.append([message(1)])
        journal.close()
    (path,) = ours.glob("*.cmj")
    (other,) = theirs.glob("*.cmj")
    other.rename(ours / segments.segment_name(500))
    with pytest.raises(FormatError, match="belongs to journal"):
        opened(ours)
    (ours / segments.segment_name(500)).unlink()
    path.rename(ours / segments.segment_name(7))
    with pytest.raises(FormatError, match="holds positions from 0, expected 7"):
        opened(ours)


def test_the_id_stays(folder: Path) -> None:
    """The id is random, kept over restarts, and found again in the segments where its file is lost."""
    journal = opened(folder)
    journal.append([message(1)])
    journal.close()
    first = journal.id
    (folder / "journal.id").unlink()
    journal = opened(folder)
    journal.close()
    assert journal.id == first == (folder / "journal.id").read_text().strip()
    other = opened(folder.parent / "other")
    other.close()
    assert other.id != first
    (folder / "journal.id").write_text("hello")
    with pytest.raises(FormatError, match=r"journal\.id: found 'hello'"):
        opened(folder)


def test_one_process_at_a_time(folder: Path) -> None:
    """A second opening of the folder is refused in one line; after a close it is free."""
    journal = opened(folder)
    with pytest.raises(ConfigError, match="in use by another process") as refusal:
        opened(folder)
    assert "\n" not in str(refusal.value)
    journal.append([message(1)])
    journal.close()
    opened(folder).close()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A file where the folder should be is a configuration error that names it."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match=str(tmp_path / "data" / "journal")):
        opened(tmp_path / "data" / "journal")


def test_a_new_day_begins_a_segment(folder: Path) -> None:
    """Segments roll at midnight UTC of the installation's clock, so that a day can be sealed."""
    clock = HandClock(20_000 * DAY_MS + 5)
    journal = opened(folder, clock=clock)
    journal.append([message(1)])
    journal.append([message(2)])
    assert len(list(folder.glob("*.cmj"))) == 1
    clock.ms += DAY_MS
    journal.append([message(3)])
    assert len(list(folder.glob("*.cmj"))) == 2
    assert messages_of(journal) == [message(1), message(2), message(3)]
    journal.close()


# ---------------------------------------------------------------- full disk, failing disk


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """`failing["pwrite"] = errno.ENOSPC` makes the second half of each write fail; likewise fdatasync and ftruncate; 0 heals."""
    codes = {"pwrite": 0, "fdatasync": 0, "ftruncate": 0}
    real_pwrite = os.pwrite

    def pwrite(fd: int, data: memoryview, offset: int) -> int:
        if not codes["pwrite"]:
            return real_pwrite(fd, data, offset)
        if len(data) > 8:
            return real_pwrite(fd, data[: len(data) // 2], offset)
        raise OSError(codes["pwrite"], os.strerror(codes["pwrite"]))

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*args: int) -> None:
            if codes[name]:
                raise OSError(codes[name], os.strerror(codes[name]))
            real(*args)

        monkeypatch.setattr(os, name, call)

    monkeypatch.setattr(os, "pwrite", pwrite)
    wrap("fdatasync")
    wrap("ftruncate")
    return codes


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
@pytest.mark.parametrize("truncates", [True, False])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failed_write_adds_nothing(folder: Path, failing: dict[str, int], call: str, code: int, truncates: bool) -> None:
    """A disk that fills up or fails in the middle of a write: JournalFullError, nothing added, and later appends work."""
    journal = opened(folder)
    end = journal.append([message(1)])
    failing[call] = code
    failing["ftruncate"] = 0 if truncates else errno.EIO
    for n in (2, 3):
        with pytest.raises(JournalFullError, match=str(folder)):
            journal.append([message(n), message(n)])
        assert journal.end >= end
        assert messages_of(journal) == [message(1)]
    failing.update(pwrite=0, fdatasync=0, ftruncate=0)
    journal.append([message(4)])
    assert messages_of(journal) == [message(1), message(4)]
    journal.close()
    journal = opened(folder)
    assert messages_of(journal) == [message(1), message(4)]
    assert journal.torn_bytes == journal.damaged_bytes == 0
    journal.close()


def test_a_failed_fsync_is_not_tried_again_on_the_same_file(folder: Path, failing: dict[str, int]) -> None:
    """After EIO from fdatasync the next append goes to a new segment: a second fsync of the same pages would lie."""
    journal = opened(folder)
    journal.append([message(1)])
    failing["fdatasync"] = errno.EIO
    with pytest.raises(JournalFullError):
        journal.append([message(2)])
    failing["fdatasync"] = 0
    journal.append([message(2)])
    _, new = sorted(folder.glob("*.cmj"))
    assert message(2).payload in new.read_bytes()
    assert messages_of(journal) == [message(1), message(2)]
    journal.close()


def test_its_own_bound(folder: Path) -> None:
    """`max_bytes` is a full disk: refused, nothing added, what is there stays readable; files never exceed it."""
    journal = opened(folder, max_bytes=400, segment_bytes=150)
    taken = []

    def fill() -> None:
        for n in range(100):
            journal.append([message(n)])
            taken.append(message(n))

    with pytest.raises(JournalFullError, match="at most 400"):
        fill()
    assert taken
    assert messages_of(journal) == taken
    assert sum(p.stat().st_size for p in folder.glob("*.cmj")) <= 400
    journal.close()
    journal = opened(folder, max_bytes=100_000)
    journal.append([message(99)])
    assert messages_of(journal) == [*taken, message(99)]
    journal.close()


def run_child(program: str, folder: Path, *, kill_after_lines: int | None = None) -> list[str]:
    """Run Python code with `folder` as its argument; returns its lines, or those before a kill -9."""
    with subprocess.Popen([sys.executable, "-u", "-c", program, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        lines = []
        for line in child.stdout:
            lines.append(line.strip())
            if kill_after_lines is not None and len(lines) >= kill_after_lines:
                child.send_signal(signal.SIGKILL)
                kill_after_lines = None
        child.wait(60)
        assert child.stderr is not None
        errors = child.stderr.read()
    assert child.returncode in (0, -signal.SIGKILL), errors
    return lines


def test_a_really_full_file_system(folder: Path) -> None:
    """With the kernel's own limit on file size (EFBIG): refused whole, and the next append after room is made works."""
    lines = run_child(
        """
import resource, signal, sys
from pathlib import Path
from adapters.journal import FileJournal
from core.errors import JournalFullError
from core.message import Message
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = FileJournal(Path(sys.argv[1]))
journal.open()
journal.append([Message("t", b"a" * 3000, 1)])
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
try:
    journal.append([Message("t", b"b" * 3000, 2)])
except JournalFullError as error:
    print("full", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append([Message("t", b"c" * 3000, 3)])
print([m.received for _, m in journal.read(0, limit=9).records])
""",
        folder,
    )
    assert lines[0].startswith(f"full journal {folder}")
    assert lines[1] == "[1, 3]"


@pytest.mark.parametrize("after", [1, 7, 40])
def test_kill_9_loses_nothing_that_was_acknowledged(folder: Path, after: int) -> None:
    """Killed while appending: every batch whose append had returned is there, in order, and appending goes on."""
    lines = run_child(
        """
import sys
from pathlib import Path
from adapters.journal import FileJournal
from core.message import Message
journal = FileJournal(Path(sys.argv[1]), segment_bytes=100_000)
journal.open()
for n in range(100_000):
    end = journal.append([Message("t", b"%d" % n * 50, n * 50 + i) for i in range(50)])
    print(n, end)
""",
        folder,
        kill_after_lines=after,
    )
    journal = opened(folder, segment_bytes=100_000)
    records, damaged = everything(journal)
    acknowledged = (int(lines[-1].split()[0]) + 1) * 50
    assert acknowledged >= after * 50
    assert [m.received for _, m in records] == list(range(len(records)))
    assert len(records) >= acknowledged
    assert journal.end >= int(lines[-1].split()[1])
    assert damaged == 0
    journal.append([message(1)])
    assert messages_of(journal)[-1] == message(1)
    journal.close()


# ---------------------------------------------------------------- two threads


def test_a_reader_beside_the_writer_sees_every_record_once(folder: Path) -> None:
    """A thread that waits and reads while another appends over many segments gets all of it, in order, and only whole."""
    journal = opened(folder, segment_bytes=2_000)
    count, seen = 600, []

    def follow() -> None:
        position = 0
        while len(seen) < count:
            if not journal.wait_for(position, timeout=30):
                return
            part = journal.read(position, limit=50)
            seen.extend(m.received for _, m in part.records)
            position = part.next

    reader = threading.Thread(target=follow)
    reader.start()
    for n in range(count // 3):
        journal.append([Message("t", b"x" * n, 3 * n + i) for i in range(3)])
    reader.join(60)
    assert seen == list(range(count))
    assert journal.damaged_bytes == 0
    journal.close()


def test_waiting_ends(folder: Path) -> None:
    """`wait_for` returns at once where there is something, False after its time, and False when the journal is closed."""
    journal = opened(folder)
    end = journal.append([message(1)])
    assert journal.wait_for(0)
    assert not journal.wait_for(end, timeout=0.01)
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(journal.wait_for(end)))
    waiter.start()
    journal.close()
    waiter.join(30)
    assert answers == [False]
    with pytest.raises(RuntimeError, match="not open"):
        journal.append([message(2)])


def test_the_constructor_touches_nothing(folder: Path) -> None:
    """No file is made before `open`."""
    FileJournal(folder)
    assert not folder.exists()
