"""Issuing forecasts: which points are due, what their model says, and one append to `forecast_issue`.

Days are due at 05:00 local, hours on the hour where new data came since the last issue. A time that was missed (the service
was down, the first start, data that came late) is caught up once and not hour by hour; what is issued then carries the
instant it was issued at.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Protocol

import numpy as np

from analytics.history import History, local_date, local_times
from analytics.model import HISTORY_MS, Issue, Model
from analytics.readings import QUANTITY, Known, Place, Readings
from core.clock import Clock
from core.errors import NotFoundError
from core.forecast import HINDCAST, HOUR_MS, Forecast
from core.ports import Forecasts, Registry, SeriesStore, States
from core.series import SeriesKey
from core.state import SeriesState
from registry.directory import Directory

ISSUE_HOUR = 5  # of the days, local
QUARTER_MS = HOUR_MS // 4  # zones differ by quarters of an hour: within one nothing falls due by time alone
FRESH_MS = 6 * HOUR_MS  # a point whose newest good reading is older gets no forecast


class Database(Registry, States, Forecasts, Protocol):
    """What issuing asks of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did: points with salinity, (point, target)s that were due, forecasts issued, points read from the store.

    All 0 where nothing was due.
    """

    points: int = 0
    due: int = 0
    issued: int = 0
    read: int = 0


@dataclass(frozen=True, slots=True)
class _Last:
    issued_at: int
    data_until: int


@dataclass(frozen=True, slots=True)
class _Try:
    hour: int
    changed: int
    whole: bool


class Issuer:
    """One model for all points, round after round. Remembers registry, states, readings and what it tried when."""

    def __init__(self, *, database: Database, store: SeriesStore, clock: Clock, model: Model) -> None:
        self._db = database
        self._clock = clock
        self._model = model
        self._readings = Readings(store)
        self._directory: Directory | None = None
        self._states: dict[SeriesKey, SeriesState] = {}
        self._seen = 0  # `changed` of the newest state known
        self._last: dict[tuple[str, str, str], _Last] = {}
        self._hour = -1  # the hour `_last` was read in: another process may have issued too
        self._looked = (-1, -1)  # (quarter of an hour, version of the registry) in which every point was looked at
        self._tried: dict[tuple[str, str, str], _Try] = {}

    async def round(self, *, moved: Callable[[int, int], None] = lambda done, total: None) -> Round:
        """Issue what is due now; `moved` hears of (points read, of how many). Raises what store and database raise; then nothing was issued."""
        now = self._clock.now_ms()
        directory, touched = await self._follow(now)
        looked, self._looked = self._looked, (-1, -1)  # until this round is through, the next one looks at every point
        mark = now // QUARTER_MS, directory.version
        at_hand = (s for s in self._states.values() if mark != looked or (s.key.station, s.key.point) in touched)
        due = [(place, target) for place in _places(directory, at_hand, now) for target in self._model.targets if self._is_due(place, target, now)]
        if not due:
            self._looked = mark
            return Round()
        places = _places(directory, self._states.values(), now)
        self._readings.keep_only(places)
        before = self._readings.reads
        known = await self._readings.of(places, directory, now, moved=lambda done: moved(done, len(places)))
        found = {p.key: k for p, k in zip(places, known, strict=True)}
        wanted = [(p, t) for p, t in due if t != "hour" or found[p.key].received > self._until(p, t)]
        forecasts = _forecasts(self._model, places, known, wanted, now)
        issued = await self._db.issue(forecasts) if forecasts else 0
        for f in forecasts:
            self._last[f.station, f.point, f.target] = _Last(f.issued_at, f.data_until)
        for place, target in due:
            self._tried[*place.key, target] = _Try(now // HOUR_MS, place.changed, found[place.key].whole)
        self._looked = mark
        return Round(points=len(places), due=len(due), issued=issued, read=self._readings.reads - before)

    async def hindcast(self, at: int, *, station: str = "", moved: Callable[[int, int], None] = lambda done, total: None) -> list[Forecast]:
        """Issue every target as of a past instant [ms], from what was measured before it, for all points (of one station).

        Raises NotFoundError for a station that is not registered.
        """
        directory, _ = await self._follow(self._clock.now_ms())
        if station and directory.station(station) is None:
            raise NotFoundError(f"no station is called {station!r}; `canhman stations list` shows them")
        places = _places(directory, self._states.values(), at)
        known = await self._readings.of(places, directory, at, moved=lambda done: moved(done, len(places)))
        wanted = [(p, t) for p in places for t in self._model.targets if station in ("", p.station.id)]
        forecasts = [replace(f, version=f.version + HINDCAST) for f in _forecasts(self._model, places, known, wanted, at)]
        if forecasts:
            await self._db.issue(forecasts)
        return forecasts

    async def _follow(self, now: int) -> tuple[Directory, set[tuple[str, str]]]:
        """Registry, states and last issues as they are now, and the (station, point)s with news; only what changed is asked for."""
        touched = set()
        version = await self._db.version()
        if self._directory is None or self._directory.version != version:
            self._directory = Directory(await self._db.snapshot())
        while changed := await self._db.changed_since(self._seen):
            for state in changed:
                if state.key.quantity == QUANTITY:
                    self._states[state.key] = state
                    touched.add((state.key.station, state.key.point))
            self._seen = changed[-1].changed
        if now // HOUR_MS != self._hour:
            for target in self._model.targets:
                for f in await self._db.latest_forecasts(target=target):
                    self._last[f.station, f.point, target] = _Last(f.issued_at, f.data_until)
            self._hour = now // HOUR_MS
        return self._directory, touched

    def _is_due(self, place: Place, target: str, now: int) -> bool:
        """Whether to try: not issued in its slot yet, read lately, and (for the hours) something has come since."""
        last = self._last.get((*place.key, target))
        if last is not None and last.issued_at >= self._slot(place, target, now):
            return False
        if place.good is None or now - place.good > FRESH_MS:
            return False
        tried = self._tried.get((*place.key, target))
        if tried is None:
            return True
        news = place.changed != tried.changed
        if tried.hour == now // HOUR_MS:  # once an hour; a point nobody has a forecast of yet as soon as there is news of it
            return last is None and news
        return target != "hour" or news or not tried.whole

    def _slot(self, place: Place, target: str, now: int) -> int:
        """The last instant at which an issue was to be made [ms]."""
        if target == "hour":
            return now // HOUR_MS * HOUR_MS
        zone = place.station.timezone
        yesterday, today = local_times(zone, local_date(now, zone) - timedelta(days=1), 2, hour=ISSUE_HOUR).tolist()
        return int(today if today <= now else yesterday)

    def _until(self, place: Place, target: str) -> int:
        last = self._last.get((*place.key, target))
        return last.data_until if last is not None else -1


def _places(directory: Directory, states: Iterable[SeriesState], at: int) -> list[Place]:
    """Every point of a registered station with good salinity in the 77 days before `at` or later, in order."""
    members: defaultdict[tuple[str, str], list[SeriesState]] = defaultdict(list)
    for state in states:
        members[state.key.station, state.key.point].append(state)
    found = []
    for (name, point), group in sorted(members.items()):
        station = directory.station(name)
        if station is not None:
            place = Place(station=station, point=point, states=tuple(sorted(group, key=lambda s: s.key)))
            if place.good is not None and place.good >= at - HISTORY_MS:
                found.append(place)
    return found


def _forecasts(model: Model, places: Sequence[Place], known: Sequence[Known], wanted: Sequence[tuple[Place, str]], at: int) -> list[Forecast]:
    """What the model says of the (point, target)s wanted, as it is to be kept."""
    histories = [k.history for k in known]
    number = {p.key: i for i, p in enumerate(places)}
    digest = cache(lambda i: _digest(histories[i].between(at - HISTORY_MS, at)))
    everything = cache(lambda: hashlib.sha256(b"".join(digest(i) for i in range(len(histories)))).digest())
    found = []
    for target in model.targets:
        rows = [number[p.key] for p, t in wanted if t == target]
        for i, issue in zip(rows, model.say(target, histories, rows, at, ()) if rows else (), strict=True):
            if issue is None:
                continue
            inputs = hashlib.sha256(f"{model.name} {model.version}\n".encode() + digest(i) + (everything() if issue.pooled else b""))
            found.append(_forecast(model, places[i], target, issue, at, known[i].received, inputs.hexdigest()[:16]))
    return found


def _digest(history: History) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(history.time).tobytes() + np.ascontiguousarray(history.value).tobytes()).digest()


def _forecast(model: Model, place: Place, target: str, issue: Issue, at: int, received: int, inputs: str) -> Forecast:
    return Forecast(
        org=place.station.org,
        station=place.station.id,
        point=place.point,
        target=target,
        model=model.name,
        version=model.version,
        issued_at=at,
        data_until=received,
        inputs=inputs,
        leads=issue.leads,
        times=issue.times,
        quantiles=issue.quantiles,
        p_gt=issue.p_gt,
    )
