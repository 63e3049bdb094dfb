"""How far each journal is stored in a store that has no transaction to keep that in: a small file beside the journal.

Records of 64 bytes, one per journal: magic, digest of the journal's id, position, checksum. They are written in place
without fsync: after a power cut the position may lag, which costs a repetition, never a reading. What is torn or foreign
reads as 0.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from hashlib import blake2b
from pathlib import Path

from core.errors import UnavailableError

_MAGIC = b"CMCUR01\n"
_RECORD = struct.Struct("<8s16sQ")
_CRC = struct.Struct("<I")
_SIZE = 64
_MOST = 1024  # records looked at: one per journal this store ever had


class CursorFile:
    """Positions by journal id. Opens at first use; one process writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._slots: dict[str, int] = {}  # of the journals saved since it was opened: nobody else writes it

    def load(self, journal: str) -> int:
        """The position kept for `journal`; 0 where there is none that can be read."""
        if self._file is None and not self.path.exists():
            return 0
        slot, position, _ = self._find(journal)
        return position if slot is not None else 0

    def save(self, journal: str, position: int) -> None:
        """Keep `position` for `journal`. Raises UnavailableError where the disk does not take it."""
        slot = self._slots.get(journal)
        if slot is None:
            slot, _, free = self._find(journal)
            slot = self._slots[journal] = free if slot is None else slot
        record = _RECORD.pack(_MAGIC, _digest(journal), position)
        record = (record + _CRC.pack(zlib.crc32(record))).ljust(_SIZE, b"\0")
        try:
            if os.pwrite(self._open(), record, _SIZE * slot) < _SIZE:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # the disk took a part of it
        except OSError as error:
            raise UnavailableError(f"{self.path}: {error.strerror or error}") from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._slots.clear()

    def _find(self, journal: str) -> tuple[int | None, int, int]:
        """(slot of `journal` or None, its position, the slot to use for a new one)."""
        try:
            data = os.pread(self._open(), _SIZE * _MOST, 0)
        except OSError as error:
            raise UnavailableError(f"{self.path}: {error.strerror or error}") from error
        free = None
        wanted = _digest(journal)
        for slot in range(len(data) // _SIZE):
            read = _parse(data[slot * _SIZE : (slot + 1) * _SIZE])
            if read is None:
                free = slot if free is None else free
            elif read[0] == wanted:
                return slot, read[1], slot
        return None, 0, len(data) // _SIZE if free is None else free

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return self._file


def _digest(journal: str) -> bytes:
    return blake2b(journal.encode(), digest_size=16).digest()


def _parse(record: bytes) -> tuple[bytes, int] | None:
    """(digest, position) of an intact record."""
    body, crc = record[: _RECORD.size], record[_RECORD.size : _RECORD.size + _CRC.size]
    magic, digest, position = _RECORD.unpack(body)
    if magic != _MAGIC or _CRC.unpack(crc)[0] != zlib.crc32(body):
        return None
    return digest, position
