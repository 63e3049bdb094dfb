"""The situation as the API sees it, brought up to date at most once a second, however many ask."""

from __future__ import annotations

import asyncio
import time

from api.backend import Backend
from core.clock import AHEAD_MS
from core.forecast import Forecast
from core.series import SeriesKey
from core.state import SeriesState
from registry.directory import Directory
from registry.situation import Situation

FOR_S = 1.0
PAGE = 1000
TARGET = "hour"


class Present:
    """Keeps one `Situation`; `look` gives it, at most `FOR_S` old. What a look costs grows with what changed, not with what there is."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = asyncio.Lock()
        self._directory: Directory | None = None
        self._states: dict[SeriesKey, SeriesState] = {}
        self._changed = 0
        self._forecasts: dict[tuple[str, str], Forecast] | None = None
        self._forecast_id = 0
        self._situation: Situation | None = None
        self._read_at = 0.0

    async def look(self) -> Situation:
        """What is known now. Raises UnavailableError while the database is away: an old situation is never shown as today's."""
        async with self._lock:
            if self._situation is None or time.monotonic() - self._read_at > FOR_S:
                self._situation = await self._read()
                self._read_at = time.monotonic()
            return self._situation

    async def directory(self) -> Directory:
        """The registry as it stands."""
        return (await self.look()).directory

    async def _read(self) -> Situation:
        backend = self._backend
        if self._directory is None or await backend.registry.version() != self._directory.version:
            self._directory = Directory(await backend.registry.snapshot())
        await self._take_states()
        forecasts = await self._take_forecasts(backend.clock.now_ms())
        return Situation(self._directory, self._states.values(), forecasts.values(), backend.risk())

    async def _take_states(self) -> None:
        while rows := await self._backend.states.changed_since(self._changed, limit=PAGE):
            for row in rows:
                self._states[row.key] = row
            self._changed = rows[-1].changed
            if len(rows) < PAGE:
                return

    async def _take_forecasts(self, now: int) -> dict[tuple[str, str], Forecast]:
        ports = self._backend.forecasts
        if self._forecasts is None:
            newest = await ports.latest_forecasts(target=TARGET, until=now)
            self._forecasts = {(f.station, f.point): f for f in newest}
            self._forecast_id = max((f.id for f in newest), default=0)
        while rows := await ports.forecasts_after(self._forecast_id, limit=PAGE):
            for row in rows:
                here = self._forecasts.get((row.station, row.point))
                ahead = row.issued_at > now + AHEAD_MS  # a clock was wrong: such an issue would hide every right one
                if (
                    row.target == TARGET
                    and not row.hindcast
                    and not ahead
                    and (here is None or row.issued_at >= here.issued_at or here.issued_at > now + AHEAD_MS)
                ):
                    self._forecasts[row.station, row.point] = row
            self._forecast_id = rows[-1].id
            if len(rows) < PAGE:
                break
        return self._forecasts
