"""The database: what was refused, and its replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.deadletter import Choice, DeadLetter, Tally


class DeadLetters(Protocol):
    """Refused messages and values; written by `States.commit`, at most one row per (journal, position, reason, key)."""

    async def dead_letters(self, *, reason: str | None = None, device: str | None = None, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first; `before` an id, for paging."""
        ...

    async def chosen_letters(self, choice: Choice, *, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first; `before` an id, for paging."""
        ...

    async def dead_letter_tallies(self, choice: Choice) -> list[Tally]:
        """How many there are, by reason and device."""
        ...

    async def dead_letter(self, id: int) -> DeadLetter:
        """One of them. Raises NotFoundError."""
        ...

    async def dead_letter_counts(self) -> dict[str, int]:
        """Unresolved by reason (sums of `count`)."""
        ...

    async def ask_replay(self, ids: Sequence[int], *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark for ingest to read again, with times moved by `shift_ms`; returns how many were marked. Audited where an actor is named."""
        ...

    async def ask_replays(self, choice: Choice, *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark all unresolved ones of a choice; as `ask_replay`."""
        ...

    async def replays(self, journal: str, *, limit: int = 1000) -> list[DeadLetter]:
        """Marked and not yet done, oldest first."""
        ...
