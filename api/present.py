"""The situation as the API sees it, read again at most once a second, however many ask."""

from __future__ import annotations

import asyncio
import time

from api.backend import Backend
from registry.directory import Directory
from registry.situation import Situation

FOR_S = 1.0


class Present:
    """Keeps one `Situation`; `look` gives it, at most `FOR_S` old."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = asyncio.Lock()
        self._directory: Directory | None = None
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
        states = await backend.states.states()
        forecasts = await backend.forecasts.latest_forecasts(target="hour", until=backend.clock.now_ms())
        return Situation(self._directory, states, forecasts, backend.risk())
