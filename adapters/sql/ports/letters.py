"""Dead letters, what waits for approval, and what `redecode` rewrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.sql import deadletters, enrolment, redecodes
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.deadletter import Choice, DeadLetter, Tally
from core.redecode import Change, Run, Touched
from core.state import Waiting, WaitingDevice


class SqlLetters(Transactions):
    """Implements DeadLetters, Redecodes and Enrolment."""

    # ------------------------------------------------------------ DeadLetters

    async def dead_letters(self, *, reason: str | None = None, device: str | None = None, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first, resolved ones too; `before` an id, for paging."""
        with reading(self._engine) as c:
            return deadletters.dead_letters(c, Choice(reason=reason, device=device), limit=limit, before=before)

    async def chosen_letters(self, choice: Choice, *, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Those of a choice, newest first; `before` an id, for paging."""
        with reading(self._engine) as c:
            return deadletters.dead_letters(c, choice, limit=limit, before=before)

    async def dead_letter_tallies(self, choice: Choice) -> list[Tally]:
        """How many there are, by reason and device."""
        with reading(self._engine) as c:
            return deadletters.tallies(c, choice)

    async def dead_letter(self, id: int) -> DeadLetter:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return deadletters.dead_letter(c, id)

    async def dead_letter_counts(self) -> dict[str, int]:
        """Unresolved by reason (sums of `count`)."""
        with reading(self._engine) as c:
            return deadletters.counts(c)

    async def ask_replay(self, ids: Sequence[int], *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark unresolved ones for ingest to read again; returns how many were marked. Audited where an actor is named."""
        with writing(self._engine) as c:
            return deadletters.ask_replay(c, ids, shift_ms, actor=actor, at=self._clock.now_ms())

    async def ask_replays(self, choice: Choice, *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark all unresolved ones of a choice."""
        with writing(self._engine) as c:
            return deadletters.ask_replays(c, choice, shift_ms, actor=actor, at=self._clock.now_ms())

    async def replays(self, journal: str, *, limit: int = 1000) -> list[DeadLetter]:
        """Marked and not yet done, oldest first."""
        with reading(self._engine) as c:
            return deadletters.replays(c, journal, limit)

    # ------------------------------------------------------------ Redecodes

    async def begin_redecode(self, run: Run) -> int:
        """A new run; returns its id."""
        with writing(self._engine) as c:
            return redecodes.begin(c, run)

    async def log_redecode(self, run: int, changes: Sequence[Change]) -> None:
        """What is about to be written."""
        with writing(self._engine) as c:
            redecodes.log(c, run, changes)

    async def finish_redecode(self, run: int, *, state: str = "finished", counts: Mapping[str, int]) -> None:
        """The end of a run."""
        with writing(self._engine) as c:
            redecodes.finish(c, run, state=state, counts=counts, at=self._clock.now_ms())

    async def redecode_runs(self, *, limit: int = 100, state: str | None = None) -> list[Run]:
        """The newest first."""
        with reading(self._engine) as c:
            return redecodes.runs(c, limit=limit, state=state)

    async def redecode_run(self, id: int) -> Run:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return redecodes.run(c, id)

    async def redecode_touched(self, run: int) -> list[Touched]:
        """What a run did to each series, by key."""
        with reading(self._engine) as c:
            return redecodes.touched(c, run)

    async def redecode_changes(self, run: int, *, limit: int = 1000, after: int = 0) -> list[tuple[int, Change]]:
        """Its changes with their ids, beyond the id `after`."""
        with reading(self._engine) as c:
            return redecodes.changes(c, run, limit=limit, after=after)

    # ------------------------------------------------------------ Enrolment

    async def waiting_devices(self) -> list[WaitingDevice]:
        """All that wait, by org and device."""
        with reading(self._engine) as c:
            return enrolment.waiting_devices(c)

    async def waiting(self, device: str, journal: str, *, limit: int = 1000) -> list[Waiting]:
        """The kept messages of one device in one journal, oldest first."""
        with reading(self._engine) as c:
            return enrolment.waiting(c, device, journal, limit)

    async def forget_waiting(self, device: str, *, actor: str) -> int:
        """Reject: drop what is kept of it (audited); returns how many messages."""
        with writing(self._engine) as c:
            return enrolment.forget_waiting(c, device, actor=actor, at=self._clock.now_ms())
