"""Latest states, and the one commit of ingest."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.sql import commit as commits
from adapters.sql import states, turns
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.state import Commit, Judged, SeriesState


class SqlStates(Transactions):
    """Implements States."""

    async def commit(self, commit: Commit) -> None:
        """All of `commit` in one transaction; see `adapters.sql.commit` for what makes it idempotent."""
        with writing(self._engine) as c:
            commits.write(c, commit, at=self._clock.now_ms())

    async def state_cursor(self, journal: str) -> int:
        """The journal position the last commit covers; 0 where there is none."""
        with reading(self._engine) as c:
            return commits.state_cursor(c, journal)

    async def state_cursors(self) -> dict[str, int]:
        """By journal, of all that ever committed."""
        with reading(self._engine) as c:
            return commits.state_cursors(c)

    async def forget_journal(self, journal: str, *, actor: str) -> None:
        """It is none of this installation any more (audited). Raises NotFoundError."""
        with writing(self._engine) as c:
            commits.forget_journal(c, journal, actor=actor, at=self._clock.now_ms())

    async def forgotten_journals(self) -> dict[str, int]:
        """The position each of these had committed when it was forgotten."""
        with reading(self._engine) as c:
            return commits.forgotten_journals(c)

    async def states(self, *, station: str | None = None) -> list[SeriesState]:
        """All rows (of one station), sorted by key."""
        with reading(self._engine) as c:
            return states.states(c, station)

    async def changed_since(self, changed: int, *, limit: int = 1000) -> list[SeriesState]:
        """Rows with `changed` greater, in rising order."""
        with reading(self._engine) as c:
            return states.changed_since(c, changed, limit)

    async def dirty(self) -> list[SeriesState]:
        """Rows with `dirty_from` set, sorted by key."""
        with reading(self._engine) as c:
            return states.dirty(c)

    async def judged(self, rows: Sequence[Judged], *, rewritten: int | None = None) -> int:
        """Take in the judge's answers; returns how many were still current and so cleared. See the port for `rewritten`."""
        with writing(self._engine) as c:
            return states.judged(c, rows, rewritten=rewritten)

    async def judge_again(self, *, but: str) -> int:
        """Mark every row judged by another configuration than `but` as dirty from the beginning; how many."""
        with writing(self._engine) as c:
            return states.judge_again(c, but)

    async def rewriting(self) -> int:
        """How often readings were announced to be written past ingest."""
        with reading(self._engine) as c:
            return states.rewriting(c)

    async def announce_rewriting(self) -> int:
        """To be said before readings are written past ingest; returns the new number."""
        with writing(self._engine) as c:
            return states.announce_rewriting(c)

    async def begin_flags(self, rewriting: int, turn: str = "") -> bool:
        """Whether flags of rows read at this number of `rewriting` may be written now; see the port."""
        with writing(self._engine) as c:
            return turns.begin_flags(c, self._name, rewriting, turn, at=self._clock.now_ms())

    async def keep_flags(self, turn: str = "") -> bool:
        """A minute more; False where others rewrote since `begin_flags`."""
        with writing(self._engine) as c:
            return turns.keep_flags(c, self._name, turn, at=self._clock.now_ms())

    async def end_flags(self, turn: str = "") -> bool:
        """They are written; False where others rewrote meanwhile."""
        with writing(self._engine) as c:
            return turns.end_flags(c, self._name, turn)

    async def begin_rewriting(self) -> bool:
        """Take the turn and announce it; False, and nothing is announced, while flags are being written."""
        with writing(self._engine) as c:
            return turns.begin_rewriting(c, self._name, at=self._clock.now_ms())

    async def end_rewriting(self) -> None:
        """What was announced is written."""
        with writing(self._engine) as c:
            turns.end_rewriting(c, self._name)

    async def replace(self, rows: Sequence[SeriesState]) -> None:
        """These rows, whatever stood there; each gets a new `changed`. Rows of other series are left alone."""
        with writing(self._engine) as c:
            states.replace(c, rows)
