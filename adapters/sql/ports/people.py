"""Accounts and failed log-ins."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.sql import people
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.person import Person


class SqlPeople(Transactions):
    """Implements People."""

    async def people(self) -> list[Person]:
        """All, by name."""
        with reading(self._engine) as c:
            return people.people(c)

    async def person(self, name: str) -> Person | None:
        """One of them."""
        with reading(self._engine) as c:
            return people.person(c, name)

    async def put_person(self, person: Person, *, actor: str, why: str = "") -> None:
        """Insert or change, audited. Raises ConfigError or ConflictError, and then changes nothing."""
        with writing(self._engine) as c:
            people.put(c, person, actor=actor, why=why, at=self._clock.now_ms())

    async def spend_password(self, name: str, generation: int) -> bool:
        """Mark a one-time password as used; False where it was used already."""
        with writing(self._engine) as c:
            return people.spend_password(c, name, generation)

    async def failed_logins(self, keys: Sequence[str], since: int) -> dict[str, int]:
        """How many attempts failed per key since `since` [system ms]."""
        with reading(self._engine) as c:
            return people.failed_logins(c, keys, since)

    async def note_login(self, keys: Sequence[str], at: int, *, ok: bool, name: str = "") -> None:
        """A failed attempt is counted per key; a good one forgets the name's failures and sets its last_login_at."""
        with writing(self._engine) as c:
            people.note_login(c, keys, at, ok=ok, name=name)
