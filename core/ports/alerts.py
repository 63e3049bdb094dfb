"""The database: alerts and their outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.alert import Alert, AlertEvent, Intent, Step


class Alerts(Protocol):
    """Alerts, their history and the outbox. A step and its outbox rows are one transaction."""

    async def live_alerts(self, *, cleared_since: int = 0) -> list[Alert]:
        """Those not cleared, and those cleared at or after `cleared_since` [ms]: what the policy goes on from."""
        ...

    async def alerts(
        self,
        *,
        states: Sequence[str] = (),
        station: str | None = None,
        limit: int = 100,
        before: tuple[int, int] | None = None,
        ids: Sequence[int] | None = None,
    ) -> list[Alert]:
        """Newest `opened_at` first (then id); of these states (none = all); `before` an (opened_at, id), for paging; or just these ids."""
        ...

    async def alert(self, id: int) -> Alert:
        """One of them. Raises NotFoundError."""
        ...

    async def alert_events(self, alert: int) -> list[AlertEvent]:
        """The history of one alert, oldest first."""
        ...

    async def take_steps(self, steps: Sequence[Step], *, name: str = "", value: int = 0) -> list[Alert]:
        """Insert (id 0) or change these alerts, append their events, add their intents, and save cursor `name` = `value`, all or nothing.

        Returns the alerts with their ids. A step that another was first with (its alert is cleared already, or reopened already) is
        dropped with its event and intents; the alert then comes back as it stands. Raises ConflictError where a second alert of a
        key would be open. What a person did meanwhile stays: an acknowledgement is only undone by `cleared` or `reopened`.
        """
        ...

    async def acknowledge(self, id: int, *, actor: str, at: int) -> Alert:
        """open → acknowledged, with its event; a second time changes nothing. Raises NotFoundError, ConflictError (cleared already)."""
        ...

    async def due_intents(self, now: int, *, limit: int = 100) -> list[Intent]:
        """Waiting intents with due_at ≤ `now` [system ms], oldest first."""
        ...

    async def settle(self, intents: Sequence[Intent]) -> None:
        """Save state, attempts, due_at and receipt of these."""
        ...

    async def intents(self, *, state: str | None = None, limit: int = 100) -> list[Intent]:
        """The outbox, newest first."""
        ...
