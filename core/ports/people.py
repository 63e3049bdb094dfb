"""The database: accounts and failed log-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.person import Person


class People(Protocol):
    """Accounts and failed log-ins. Every change takes an actor and leaves a row in `audit` (never a password)."""

    async def people(self) -> list[Person]:
        """All, by name."""
        ...

    async def person(self, name: str) -> Person | None:
        """One of them."""
        ...

    async def put_person(self, person: Person, *, actor: str, why: str = "") -> None:
        """Insert or change. Raises ConfigError (name, role) or ConflictError (an org that is not registered, the last admin closed)."""
        ...

    async def spend_password(self, name: str, generation: int) -> bool:
        """Mark a one-time password as used, whatever becomes of the session; False where it was used already."""
        ...

    async def failed_logins(self, keys: Sequence[str], since: int) -> dict[str, int]:
        """How many attempts failed per key (a name, an address) since `since` [system ms]."""
        ...

    async def note_login(self, keys: Sequence[str], at: int, *, ok: bool, name: str = "") -> None:
        """A failed attempt is counted per key; a good one forgets the name's failures and sets its last_login_at."""
        ...
