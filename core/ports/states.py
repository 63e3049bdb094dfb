"""The database: the latest state of every series, and the one commit of ingest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.state import Commit, Judged, SeriesState


class States(Protocol):
    """`series_state` and what goes with it in the same transaction."""

    async def commit(self, commit: Commit) -> None:
        """All of `commit` in one transaction. Idempotent: the same journal read again changes nothing but `changed`."""
        ...

    async def state_cursor(self, journal: str) -> int:
        """The journal position the last commit covers; 0 where there is none."""
        ...

    async def state_cursors(self) -> dict[str, int]:
        """By journal, of all that ever committed."""
        ...

    async def forget_journal(self, journal: str, *, actor: str) -> None:
        """A journal that is gone for good is none of this installation any more (audited). Raises NotFoundError."""
        ...

    async def forgotten_journals(self) -> dict[str, int]:
        """The position each of these had committed when it was forgotten."""
        ...

    async def states(self, *, station: str | None = None) -> list[SeriesState]:
        """All rows (of one station), sorted by key."""
        ...

    async def changed_since(self, changed: int, *, limit: int = 1000) -> list[SeriesState]:
        """Rows with `changed` greater, in rising order."""
        ...

    async def dirty(self) -> list[SeriesState]:
        """Rows with `dirty_from` set."""
        ...

    async def judged(self, rows: Sequence[Judged], *, rewritten: int | None = None) -> int:
        """Take in the judge's answers in one transaction; returns how many were still current and so cleared.

        A current one tells what is newest, too: `newest` goes back to it where what lay beyond was withdrawn.
        `rewritten`: the number of `rewriting` before their rows were read; where it has risen since, an answer counts only if it is current.
        """
        ...

    async def judge_again(self, *, but: str) -> int:
        """Mark every row judged by another configuration than `but` (a hash) as dirty from the beginning; how many."""
        ...

    async def rewriting(self) -> int:
        """How often readings were announced to be written past ingest."""
        ...

    async def announce_rewriting(self) -> int:
        """To be said before readings are written past ingest (`redecode`): it has tails of the series in memory, and believes them no more."""
        ...

    async def begin_flags(self, rewriting: int, turn: str = "") -> bool:
        """The judge is about to write flags of rows it read when `rewriting` was this number: False where it has risen, or where others write.

        Until `end_flags`, or for a minute, no rewriting begins. Several judges do not keep each other off; `turn` tells those of one process apart.
        """
        ...

    async def keep_flags(self, turn: str = "") -> bool:
        """A minute more; False where a rewriting began since `begin_flags`."""
        ...

    async def end_flags(self, turn: str = "") -> bool:
        """They are written; False where a rewriting began meanwhile."""
        ...

    async def begin_rewriting(self) -> bool:
        """`announce_rewriting`, and until `end_rewriting` or for a minute no flags are written; False, unannounced, where some are just now: ask again."""
        ...

    async def end_rewriting(self) -> None:
        """What was announced is written."""
        ...

    async def replace(self, rows: Sequence[SeriesState]) -> None:
        """Rebuild from the store (`doctor --repair`): these rows, whatever stood there."""
        ...
