"""Journals in a folder of the test's own, messages for them, and what stands in them."""

from __future__ import annotations

from pathlib import Path

from adapters.journal import FileJournal
from adapters.journal_reading import JournalReader
from core.message import Message


def message(n: int, payload: bytes = b"") -> Message:
    """The `n`th message, of the `n`th device."""
    return Message(f"canhman/default/kl{n:02d}/telemetry", payload or b'{"seq": %d}' % n, 1_772_420_400_000 + n)


def opened(folder: Path, **settings: object) -> FileJournal:
    """The journal in `folder`, ready to write."""
    journal = FileJournal(folder, **settings)
    journal.open()
    return journal


def records(journal: FileJournal | JournalReader, position: int = 0, limit: int = 50) -> list[tuple[int, Message]]:
    """All from `position` on, read `limit` at a time."""
    found: list[tuple[int, Message]] = []
    while (part := journal.read(position, limit=limit)).records:
        found += part.records
        position = part.next
    return found
