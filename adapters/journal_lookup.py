"""One record out of a journal, for who only looks: no lock is taken, nothing is written, and another process may be writing."""

from __future__ import annotations

import os
from pathlib import Path

from adapters import journal_segments as segments
from adapters.journal_sealed import open_source
from core.errors import FormatError
from core.message import Message


def find(folder: Path, journal: str, position: int) -> Message | None:
    """The message at `position` of the journal with this id; None where the folder holds another one, or the message is no longer kept."""
    try:
        if (folder / "journal.id").read_text("ascii", "replace").strip() != journal:
            return None
        keys = segments.keys_of(journal)
        bases = [(int(path.stem), path) for path in folder.glob(f"*{segments.SUFFIX}") if path.stem.isdecimal() and int(path.stem) <= position]
        if not bases:
            return None
        base, path = max(bases)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return segments.read_one(open_source(fd, keys), base, position, keys)
        finally:
            os.close(fd)
    except (OSError, ValueError, FormatError):  # removed in this moment, not ours to read, no journal at all
        return None
