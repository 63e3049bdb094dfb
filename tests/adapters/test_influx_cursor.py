"""The cursor file: positions by journal, in place, and never a position that was not written."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.influx_cursor import CursorFile
from core.errors import UnavailableError


def test_positions_are_kept_by_journal(tmp_path: Path) -> None:
    """Two journals do not disturb each other; a new object reads what the old one wrote; the file stays small."""
    path = tmp_path / "cursor"
    file = CursorFile(path)
    assert file.load("a") == 0
    assert not path.exists()
    for position in (5, 1 << 50, 7):
        file.save("a", position)
        file.save("b", position + 1)
    file.close()
    again = CursorFile(path)
    assert (again.load("a"), again.load("b"), again.load("c")) == (7, 8, 0)
    again.close()
    assert path.stat().st_size == 128


def test_a_torn_record_reads_as_nothing_and_is_used_again(tmp_path: Path) -> None:
    """Cut at any byte or with any byte changed, the record reads 0, its neighbour is untouched, and it can be written anew."""
    path = tmp_path / "cursor"
    file = CursorFile(path)
    file.save("a", 1000)
    file.save("b", 2000)
    file.close()
    whole = path.read_bytes()
    for at in range(36):
        torn = bytearray(whole)
        torn[at] ^= 0x10
        path.write_bytes(torn)
        file = CursorFile(path)
        assert (file.load("a"), file.load("b")) == (0, 2000)
        file.save("a", 3000)
        assert (file.load("a"), file.load("b")) == (3000, 2000)
        file.close()
        assert path.stat().st_size == 128
    for cut in range(64, 100):
        path.write_bytes(whole[:cut])
        file = CursorFile(path)
        assert (file.load("a"), file.load("b")) == (1000, 0)
        file.save("b", 9)
        assert (file.load("a"), file.load("b")) == (1000, 9)
        file.close()


def test_a_foreign_file_reads_as_nothing(tmp_path: Path) -> None:
    """Whatever else lies there is no position."""
    (tmp_path / "cursor").write_text("position = 12345\n" * 30)
    file = CursorFile(tmp_path / "cursor")
    assert file.load("a") == 0
    file.close()


def test_a_disk_that_takes_nothing_is_unavailable(tmp_path: Path) -> None:
    """A missing folder is one line with the path."""
    with pytest.raises(UnavailableError, match="nowhere"):
        CursorFile(tmp_path / "nowhere" / "cursor").save("a", 1)
