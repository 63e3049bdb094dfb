"""Forecasts into the store's mirror for Grafana, behind a cursor of its own: a store that was away gets what it missed."""

from __future__ import annotations

from typing import Protocol

from core.forecast import TARGETS
from core.ports import Cursors, Forecasts, Mirror

CURSOR = "mirror.forecast"
AT_ONCE = 200  # issues: some 15,000 lines


class Database(Forecasts, Cursors, Protocol):
    """What mirroring asks of the database."""


class Mirroring:
    """Goes on from where it stood. Hindcasts, and an issue that is older than one mirrored before it, are passed over."""

    def __init__(self, database: Database, mirror: Mirror) -> None:
        self._db = database
        self._mirror = mirror
        self._cursor: int | None = None
        self._newest: dict[tuple[str, str, str], int] = {}  # issued_at of what is mirrored
        self._refused = ""

    @property
    def refused(self) -> str:
        """What the store did not take at the last time there was something to send, in words; empty where it took all."""
        return self._refused

    async def run(self) -> int:
        """Mirror all that is new; returns how many issues were taken. Raises what database and store raise; what had no answer comes again.

        What the store will never take is told in `refused` and not sent again: it keeps nothing that comes later from being mirrored.
        """
        cursor = await self._start() if self._cursor is None else self._cursor
        done, refused = 0, ""
        while new := await self._db.forecasts_after(cursor, limit=AT_ONCE):
            live = []
            newest = dict(self._newest)
            for f in new:
                if not f.hindcast and f.issued_at >= newest.get((f.station, f.point, f.target), 0):
                    newest[f.station, f.point, f.target] = f.issued_at
                    live.append(f)
            lost = await self._mirror.mirror_forecasts(live)
            if lost:
                first = live[lost[0].row]
                refused = f"the {first.target} of {first.station}/{first.point} cannot be shown: {lost[0].text}"
            cursor = new[-1].id
            await self._db.save_cursor(CURSOR, cursor)
            self._cursor, self._newest = cursor, newest
            done += len(live) - len(lost)
            self._refused = refused
        return done

    async def _start(self) -> int:
        cursor = await self._db.load_cursor(CURSOR)
        for target in TARGETS:
            for f in await self._db.latest_forecasts(target=target):
                if f.id <= cursor:
                    self._newest[f.station, f.point, f.target] = f.issued_at
        self._cursor = cursor
        return cursor
