"""The database: what `redecode` rewrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.redecode import Change, Run, Touched


class Redecodes(Protocol):
    """The log of what `redecode` rewrote: old → new, by run."""

    async def begin_redecode(self, run: Run) -> int:
        """A new run; returns its id."""
        ...

    async def log_redecode(self, run: int, changes: Sequence[Change]) -> None:
        """What is about to be written: it stands in the log before it stands in the store."""
        ...

    async def finish_redecode(self, run: int, *, state: str = "finished", counts: Mapping[str, int]) -> None:
        """The end of a run."""
        ...

    async def redecode_runs(self, *, limit: int = 100, state: str | None = None) -> list[Run]:
        """The newest first."""
        ...

    async def redecode_run(self, id: int) -> Run:
        """One of them. Raises NotFoundError."""
        ...

    async def redecode_touched(self, run: int) -> list[Touched]:
        """What a run did to each series, by key."""
        ...

    async def redecode_changes(self, run: int, *, limit: int = 1000, after: int = 0) -> list[tuple[int, Change]]:
        """Its changes with their ids in the order they were made (100,000 at most are kept, of the last 20 runs), beyond the id `after`."""
        ...
