"""Alerts, their history and their outbox."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.sql import alerts as alarms
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.alert import Alert, AlertEvent, Intent, Step


class SqlAlerts(Transactions):
    """Implements Alerts."""

    async def live_alerts(self, *, cleared_since: int = 0) -> list[Alert]:
        """Those not cleared, and those cleared at or after `cleared_since`."""
        with reading(self._engine) as c:
            return alarms.live(c, cleared_since)

    async def alerts(
        self,
        *,
        states: Sequence[str] = (),
        station: str | None = None,
        limit: int = 100,
        before: tuple[int, int] | None = None,
        ids: Sequence[int] | None = None,
    ) -> list[Alert]:
        """Newest `opened_at` first, then the higher id; `before` an (opened_at, id), for paging."""
        with reading(self._engine) as c:
            return alarms.alerts(c, states=states, station=station, limit=limit, before=before, ids=ids)

    async def alert(self, id: int) -> Alert:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return alarms.alert(c, id)

    async def alert_events(self, alert: int) -> list[AlertEvent]:
        """The history of one alert, oldest first."""
        with reading(self._engine) as c:
            return alarms.events(c, alert)

    async def take_steps(self, steps: Sequence[Step], *, name: str = "", value: int = 0) -> list[Alert]:
        """All of `steps` (but those another was first with) and the cursor `name`, or nothing; the alerts as they stand now.

        Raises ConflictError, NotFoundError.
        """
        with writing(self._engine) as c:
            return alarms.take_steps(c, steps, name=name, value=value)

    async def acknowledge(self, id: int, *, actor: str, at: int) -> Alert:
        """open → acknowledged; a second time changes nothing. Raises NotFoundError, ConflictError (cleared already)."""
        with writing(self._engine) as c:
            return alarms.acknowledge(c, id, actor=actor, at=at)

    async def due_intents(self, now: int, *, limit: int = 100) -> list[Intent]:
        """Waiting intents with due_at ≤ `now` [system ms], oldest first."""
        with reading(self._engine) as c:
            return alarms.due_intents(c, now, limit)

    async def settle(self, intents: Sequence[Intent]) -> None:
        """Save state, attempts, due_at and receipt of these."""
        with writing(self._engine) as c:
            alarms.settle(c, intents)

    async def intents(self, *, state: str | None = None, limit: int = 100) -> list[Intent]:
        """The outbox, newest first."""
        with reading(self._engine) as c:
            return alarms.intents(c, state, limit)
