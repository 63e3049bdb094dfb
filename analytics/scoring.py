"""The record is kept while the service runs: what is over and settled is scored once, point by point, a few in each round.

A point's cursor says up to which local midnight its intervals are scored. It moves in the transaction that adds their scores, so that a kill or a
second scorer scores nothing twice. Readings that come later than `SETTLE_MS` after the midnight change no score.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from analytics.crops import Crops
from analytics.history import DAY_MS, local_date, local_times
from analytics.hours_ahead import hours_ahead
from analytics.model import HISTORY_MS
from analytics.readings import QUANTITY, Place, good_readings
from analytics.record import days, scored
from core.bands import LINES
from core.clock import Clock
from core.errors import RefusedError, UnavailableError
from core.forecast import HOUR_MS, TARGETS, Forecast
from core.ports import Cursors, Forecasts, Records, Registry, SeriesStore, States
from registry.directory import Directory

SETTLE_MS = 26 * HOUR_MS  # backlog of a day without network has come, and the judge has answered
POINTS = 8  # in one round
LEADS = 14  # days ahead that are forecast at most
DAYS = 7  # of a point in one round
_SAID_BEFORE_MS = {"hour": 4 * DAY_MS, "day_max": 16 * DAY_MS, "day_min": 16 * DAY_MS}  # how long before its interval a forecast may have been issued
AHEAD_MS = 60_000  # two services may issue side by side
_MOST = 100_000  # issues of one point in one read


class Database(Registry, States, Forecasts, Records, Cursors, Protocol):
    """What scoring asks of the database."""


def water_limits(crops: Crops) -> tuple[float, ...]:
    """The limits of crops that are none of the lines, rising [g/L]: pages and API state chances at them."""
    return tuple(sorted({crop.water_limit.value for crop in crops.crops} - set(LINES)))


def cursor_of(station: str, point: str) -> str:
    """The name of a point's cursor."""
    return f"record {station} {point}"


class Scorer:
    """Goes on from where it stood, at most `POINTS` points of `DAYS` days each time; one per service. `limits` [g/L] are scored beside the lines."""

    def __init__(self, *, database: Database, store: SeriesStore, clock: Clock, limits: Sequence[float] = ()) -> None:
        self._db = database
        self._store = store
        self._clock = clock
        self._limits = tuple(limits)
        self._directory: Directory | None = None
        self._hour = -1  # in which all points were looked at
        self._queue: deque[tuple[str, str]] = deque()
        self._newest: dict[tuple[str, str], int] = {}  # issued_at [ms]
        self._until: dict[tuple[str, str], int] = {}

    async def run(self) -> int:
        """Score what is due, in part where that is much; returns how many stretches of days were scored. Raises what store and database raise."""
        now = self._clock.now_ms()
        if not self._queue:
            if now // HOUR_MS == self._hour:
                return 0
            self._newest = {}
            for target in TARGETS:
                for f in await self._db.latest_forecasts(target=target, until=now):
                    self._newest[f.station, f.point] = max(f.issued_at, self._newest.get((f.station, f.point), 0))
            self._queue.extend(sorted(self._newest))
            self._hour = now // HOUR_MS
        if self._directory is None or self._directory.version != await self._db.version():
            self._directory = Directory(await self._db.snapshot())
        done = 0
        while self._queue and done < POINTS:
            station, point = self._queue.popleft()  # a fault of ours at one point must not keep the others waiting
            try:
                more = await self._score(self._directory, station, point, now)
            except (UnavailableError, RefusedError):
                self._queue.appendleft((station, point))
                raise
            if more:
                done += 1
                self._queue.append((station, point))  # it may be further behind; the others have their turn first
            await asyncio.sleep(0)
        return done

    async def _score(self, directory: Directory, station: str, point: str, now: int) -> bool:
        """One stretch of one point; whether there was one."""
        known = directory.station(station)
        if known is None:
            return False
        name, zone = cursor_of(station, point), known.timezone
        # not past what was forecast: a clock that once ran years ahead would leave all of those years unscored
        settled = min(midnight(now - SETTLE_MS, zone), midnight(self._newest[station, point], zone, days=LEADS + 1))
        was = self._until.get((station, point))
        if was is not None and was >= settled:
            return False
        was = await self._db.load_cursor(name)
        after = was or await self._first(station, point, zone)
        until = min(settled, midnight(after, zone, days=DAYS))
        self._until[station, point] = after
        if until <= after:
            return False
        states = tuple(s for s in await self._db.states(station=station) if (s.key.point, s.key.quantity) == (point, QUANTITY))
        if any(s.dirty_from is not None and s.dirty_from < until for s in states):
            return False  # the judge has not answered yet: what is good is not known
        issues = await self._issues(station, point, after, until)
        scores, came = [], []
        if issues:
            start = min(f.issued_at for f in issues) - HISTORY_MS
            history = await good_readings(self._store, Place(station=known, point=point, states=states), directory, start, until)
            ahead, hours = hours_ahead(issues, history, after=after, until=until, limits=self._limits)
            scores = scored(issues, history, after=after, until=until, limits=self._limits) + ahead
            came = days(issues, history, after=after, until=until) + hours
        await self._db.add_scores(scores, came, name=name, was=was, value=until)
        self._until[station, point] = until
        return True

    async def _first(self, station: str, point: str, zone: str) -> int:
        """The midnight before the first issue: nothing that ended by then was forecast."""
        firsts = [f.issued_at for target in TARGETS for f in await self._db.forecasts(station=station, point=point, target=target, limit=1)]
        return midnight(min(firsts), zone)

    async def _issues(self, station: str, point: str, after: int, until: int) -> Sequence[Forecast]:
        found: list[Forecast] = []
        for target in TARGETS:
            since = max(0, after - _SAID_BEFORE_MS[target])
            issues = await self._db.forecasts(station=station, point=point, target=target, since=since, until=until, limit=_MOST)
            found += in_time([f for f in issues if not f.hindcast])
        return found


def in_time(issues: Sequence[Forecast]) -> list[Forecast]:
    """Of one point and target without those that bear a later time than one that came after them, but for a minute: our clock was ahead when they were
    made, and what was said then was not said at the time they bear. In the order of their numbers."""
    kept: list[Forecast] = []
    earliest = math.inf
    for f in sorted(issues, key=lambda f: f.id, reverse=True):
        if f.issued_at <= earliest + AHEAD_MS:
            kept.append(f)
        earliest = min(earliest, f.issued_at)
    return kept[::-1]


def midnight(at: int, zone: str, *, days: int = 0) -> int:
    """The local midnight that began the local day of an instant, or that many days later [ms]."""
    return int(local_times(zone, local_date(at, zone) + timedelta(days=days), 1)[0])
