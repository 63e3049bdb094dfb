"""Where the 1 and 4 g/L lines stand now on each waterway: maxima of the last 25 h of good salinity, read once a minute at most."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from fastapi import FastAPI

from api.access import ANONYMOUS, Caller
from api.backend import Backend
from api.best import Stretch, stretches
from api.present import Present
from core.flags import Flag
from core.place import Waterway
from core.reach import REACH_LINES, Reach, StationMax, reach
from core.series import SeriesKey
from registry.situation import SALINITY, Situation

WINDOW_MS = 25 * 3_600_000  # two tides and the hour by which they come later each day
EVERY_S = 60.0  # on the machine's clock and on the installation's
LEAST_S = 5.0  # on the machine's, however fast the installation's runs
KEYS = 200  # series read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterwayNow:
    """A waterway, its stations by km from the sea (value None = silent: no good reading in 25 h, or none that is fresh), and the lines."""

    waterway: Waterway
    stations: tuple[StationMax, ...]
    reaches: tuple[Reach, ...]


async def reaches(app: FastAPI, now: int, *, caller: Caller = ANONYMOUS) -> list[WaterwayNow]:
    """Every waterway, by name, from the stations the caller sees. Raises UnavailableError while database or store is away."""
    backend: Backend = app.state.backend
    present: Present = app.state.present
    maxima: _Maxima | None = getattr(app.state, "maxima", None)
    if maxima is None:
        maxima = app.state.maxima = _Maxima(backend)
    situation = await present.look()
    return lines(situation, await maxima.look(situation, now), now, caller)


def lines(situation: Situation, maxima: dict[str, float], now: int, caller: Caller) -> list[WaterwayNow]:
    """The waterways as they stand, from `maxima` [g/L] by station. Pure."""
    directory = situation.directory
    along: dict[str, list[StationMax]] = {w.id: [] for w in directory.snapshot.waterways}
    for s in directory.snapshot.stations:
        if s.waterway in along and s.km is not None and not s.intake and caller.sees(org=s.org, public=s.public):
            value = maxima.get(s.id) if _is_fresh(situation, s.id, now) else None
            along[s.waterway].append(StationMax(station=s.id, km=s.km, value=value))
    found = []
    for w in sorted(directory.snapshot.waterways, key=lambda w: (w.name, w.id)):
        stations = tuple(sorted(along[w.id], key=lambda s: (s.km, s.station)))
        found.append(WaterwayNow(waterway=w, stations=stations, reaches=tuple(reach(stations, line) for line in REACH_LINES)))
    return found


def _is_fresh(situation: Situation, station: str, now: int) -> bool:
    """Whether the newest good salinity at the station's verdict point is no older than its `stale_after`."""
    point = situation.verdict_point(station)
    found = situation.reading(station, point, SALINITY) if point is not None else None
    return found is not None and found.good is not None and replace(found, newest=found.good).is_fresh(now, situation.risk)


class _Maxima:
    """The maxima by station, kept for a while: many ask, and a day of every station is read for them."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = asyncio.Lock()
        self._found: dict[str, float] = {}
        self._read_at: tuple[float, int] | None = None

    async def look(self, situation: Situation, now: int) -> dict[str, float]:
        """By station [g/L]; stations without a good reading are absent."""
        async with self._lock:
            if self._is_old(now):
                self._found = await self._read(situation, now)
                self._read_at = (time.monotonic(), now)
            return self._found

    def _is_old(self, now: int) -> bool:
        if self._read_at is None:
            return True
        seconds = time.monotonic() - self._read_at[0]
        return seconds >= EVERY_S or (seconds >= LEAST_S and abs(now - self._read_at[1]) >= EVERY_S * 1000)

    async def _read(self, situation: Situation, now: int) -> dict[str, float]:
        directory = situation.directory
        start, end = now - WINDOW_MS, now + 1
        stored: defaultdict[str, list[SeriesKey]] = defaultdict(list)
        for state in await self._backend.states.states():
            if state.key.quantity == SALINITY:
                stored[state.key.station].append(state.key)
        parts: list[Stretch] = []
        for station in directory.snapshot.stations:
            point = situation.verdict_point(station.id)
            if station.waterway and station.km is not None and point is not None:
                parts += stretches(directory, stored[station.id], station=station.id, point=point, quantity=SALINITY, start=start, end=end)
        found: dict[str, float] = {}
        for first in range(0, len(parts), KEYS):
            for part, value in await self._highest(parts[first : first + KEYS], start, end):
                found[part.key.station] = max(value, found.get(part.key.station, value))
        return found

    async def _highest(self, parts: Sequence[Stretch], start: int, end: int) -> list[tuple[Stretch, float]]:
        """The highest good value of each stretch that has one [g/L]."""
        rows = await self._backend.store.read([part.key for part in parts], start, end)
        low, high = (np.array([getattr(part, side) for part in parts], dtype=np.int64) for side in ("start", "end"))
        good = rows.take((rows.flag == Flag.GOOD) & (rows.time >= low[rows.series]) & (rows.time < high[rows.series]) & np.isfinite(rows.value))
        best = np.full(len(parts), -np.inf)
        np.maximum.at(best, good.series, good.value)
        return [(part, float(value)) for part, value in zip(parts, best, strict=True) if np.isfinite(value)]
