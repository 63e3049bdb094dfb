"""Alerts into the store's mirror for Grafana, behind a cursor of its own: a store that was away gets what it missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from core.alert import Alert, AlertEvent
from core.ports import Alerts, Cursors, Mirror

CURSOR = "mirror.alert"  # the clock's time up to which all is mirrored [ms]
OVERLAP_MS = 900_000  # read again: another process may acknowledge by a simulated clock that is a second behind; writing twice is harmless

_STATE_AFTER = {"opened": "open", "reopened": "open", "acknowledged": "acknowledged", "cleared": "cleared"}


class Database(Alerts, Cursors, Protocol):
    """What mirroring asks of the database."""


class Mirroring:
    """Goes on from where it stood, also after a restart and after hours without the store."""

    def __init__(self, database: Database, mirror: Mirror) -> None:
        self._db = database
        self._mirror = mirror
        self._cursor: int | None = None
        self._done: dict[int, int] = {}  # id → updated_at of what this process has mirrored
        self._refused = ""

    @property
    def refused(self) -> str:
        """What the store did not take at the last time there was something to send, in words; empty where it took all."""
        return self._refused

    async def run(self, now: int) -> int:
        """Mirror what changed up to `now` [ms]; returns how many points were taken. Raises what database and store raise; then all of it comes again.

        What the store will never take is told in `refused` and not sent again: it keeps nothing that comes later from being mirrored.
        """
        if self._cursor is None:
            self._cursor = await self._db.load_cursor(CURSOR)
        since = self._cursor - OVERLAP_MS
        live = await self._db.live_alerts(cleared_since=since)
        changed = [a for a in live if a.updated_at >= since and self._done.get(a.id) != a.updated_at]
        points = [point for alert in changed for point in as_they_were(alert, await self._db.alert_events(alert.id), since)]
        lost = await self._mirror.mirror_alerts(points) if points else []
        if points:
            first = f"an alert of {points[lost[0].row].station}/{points[lost[0].row].point}" if lost else ""
            more = f", and {len(lost) - 1} more" if lost[1:] else ""
            self._refused = f"{first} cannot be shown{more}: {lost[0].text}" if lost else ""
        self._done = {a.id: a.updated_at for a in live}
        if now - self._cursor >= OVERLAP_MS:  # seldom: what lies between is read again anyway
            await self._db.save_cursor(CURSOR, now)
            self._cursor = now
        return len(points) - len(lost)


def as_they_were(alert: Alert, events: Sequence[AlertEvent], since: int) -> list[Alert]:
    """The alert after each of its events from `since` [ms] on, oldest first, and as it stands."""
    state = "open"
    found = []
    for event in events:
        state = _STATE_AFTER.get(event.kind, state)
        if event.at >= since:
            found.append(replace(alert, state=state, updated_at=event.at, value=event.value, time=event.time, p=event.p))
    return [*found, alert]
