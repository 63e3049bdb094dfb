"""The journal: what is acknowledged stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A run of journal records: [(position, message)], the position after them, and how many damaged bytes were skipped."""

    records: list[tuple[int, Message]]
    next: int
    damaged_bytes: int = 0


class Journal(Protocol):
    """Append-only, fsynced file of messages; a position is a byte offset over all segments, rising for ever."""

    id: str

    @property
    def end(self) -> int:
        """The position after the last durable record."""
        ...

    @property
    def start(self) -> int:
        """The position of the oldest record kept."""
        ...

    def append(self, messages: Sequence[Message]) -> int:
        """Write and fsync; returns the new end. Raises JournalFullError, and then nothing was added.

        Sync on purpose: the fsync must be over before the acknowledgement, and it releases the GIL.
        """
        ...

    def read(self, position: int, *, limit: int) -> Slice:
        """At most `limit` records from `position` on; empty at the end. A damaged record is skipped and counted."""
        ...

    def get(self, position: int) -> Message | None:
        """The one record at `position`; None where it is no longer kept or damaged."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...
