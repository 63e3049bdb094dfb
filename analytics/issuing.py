"""Issuing forecasts: which points are due, what the models say, and one append to `forecast_issue`.

Days are due at 05:00 local, hours on the hour where new data came since the last issue. A time that was missed (the service
was down, the first start, data that came late) is caught up once and not hour by hour; what is issued then carries the
instant it was issued at. Of each point and target the first model that says something speaks. Models may be changed between two rounds; nothing
is due by that. Readings of drivers are shown to models as they are; news of them makes nothing due either.
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

from analytics.forecast_config import DriverSource
from analytics.history import History, local_date, local_times
from analytics.model import HISTORY_MS, DriverHistory, Issue, Model
from analytics.readings import QUANTITY, Known, Place, Readings
from core.clock import Clock
from core.errors import NotFoundError
from core.forecast import HINDCAST, HOUR_MS, TARGETS, Forecast
from core.ports import Forecasts, Registry, SeriesStore, States
from core.series import SeriesKey
from core.state import SeriesState
from registry.directory import Directory

ISSUE_HOUR = 5  # of the days, local
QUARTER_MS = HOUR_MS // 4  # zones differ by quarters of an hour: within one nothing falls due by time alone
MOST_FAULTS = 32  # of one model in a round: two or three points of a thousand are found so, and what is broken throughout is soon left alone
FRESH_MS = 6 * HOUR_MS  # a point whose newest good reading is older gets no forecast


class Database(Registry, States, Forecasts, Protocol):
    """What issuing asks of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A model that raised instead of speaking, at some points or at all; the next one spoke there, if any was left."""

    model: str
    version: str
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did: points with salinity, (point, target)s that were due, forecasts issued, points (and drivers) read from the store.

    All 0 where nothing was due.
    """

    points: int = 0
    due: int = 0
    issued: int = 0
    read: int = 0
    faults: tuple[Fault, ...] = ()


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
    """All points, round after round. Remembers registry, states, readings and what it tried when. `models`, the first to be asked first, may be set anew."""

    def __init__(self, *, database: Database, store: SeriesStore, clock: Clock, models: Sequence[Model], drivers: Sequence[DriverSource] = ()) -> None:
        self.models = tuple(models)
        self._db = database
        self._clock = clock
        self._drivers = tuple(drivers)
        self._wanted = {(d.station, d.point, d.quantity) for d in drivers}
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
        now, models = self._clock.now_ms(), self.models
        directory, touched = await self._follow(now)
        looked, self._looked = self._looked, (-1, -1)  # until this round is through, the next one looks at every point
        mark = now // QUARTER_MS, directory.version
        at_hand = (s for s in self._states.values() if mark != looked or (s.key.station, s.key.point) in touched)
        targets = _targets(models)
        due = [(place, target) for place in _places(directory, at_hand, now) for target in targets if self._is_due(place, target, now)]
        if not due:
            self._looked = mark
            return Round()
        places = _places(directory, self._states.values(), now)
        before = self._readings.reads
        known, drivers = await self._known(places, directory, now, moved, keep=True)
        found = {p.key: k for p, k in zip(places, known, strict=True)}
        wanted = [(p, t) for p, t in due if t != "hour" or found[p.key].received > self._until(p, t)]
        forecasts, faults = _forecasts(models, places, known, wanted, now, drivers)
        issued = await self._db.issue(forecasts) if forecasts else 0
        for f in forecasts:
            self._last[f.station, f.point, f.target] = _Last(f.issued_at, f.data_until)
        for place, target in due:
            self._tried[*place.key, target] = _Try(now // HOUR_MS, place.changed, found[place.key].whole)
        self._looked = mark
        return Round(points=len(places), due=len(due), issued=issued, read=self._readings.reads - before, faults=tuple(faults))

    async def hindcast(self, at: int, *, station: str = "", moved: Callable[[int, int], None] = lambda done, total: None) -> list[Forecast]:
        """Issue every target as of a past instant [ms], from what was measured before it, for all points (of one station).

        By the models of today, which may have learned from days after it. Raises NotFoundError for a station that is not registered.
        """
        directory, _ = await self._follow(self._clock.now_ms())
        if station and directory.station(station) is None:
            raise NotFoundError(f"no station is called {station!r}; `canhman stations list` shows them")
        places = _places(directory, self._states.values(), at)
        models = self.models
        known, drivers = await self._known(places, directory, at, moved, keep=False)
        wanted = [(p, t) for p in places for t in _targets(models) if station in ("", p.station.id)]
        said, faults = _forecasts(models, places, known, wanted, at, drivers)
        if faults:
            raise faults[0].error
        forecasts = [replace(f, version=f.version + HINDCAST) for f in said]
        if forecasts:
            await self._db.issue(forecasts)
        return forecasts

    async def _known(
        self, places: list[Place], directory: Directory, at: int, moved: Callable[[int, int], None], *, keep: bool
    ) -> tuple[list[Known], list[DriverHistory]]:
        """What was read of the points, and of every driver; with `keep` what is of neither is forgotten."""
        sources = [_driver(source, directory, self._states.values()) for source in self._drivers]
        every = [*places, *(p for p in sources if p is not None)]
        if keep:
            self._readings.keep_only(every)
        known = await self._readings.of(every, directory, at, moved=lambda done: moved(min(done, len(places)), len(places)))
        rest = iter(known[len(places) :])
        read = [_nothing(source) if place is None else next(rest).history for source, place in zip(self._drivers, sources, strict=True)]
        return known[: len(places)], [source.shown(history) for source, history in zip(self._drivers, read, strict=True)]

    async def _follow(self, now: int) -> tuple[Directory, set[tuple[str, str]]]:
        """Registry, states and last issues as they are now, and the (station, point)s with news; only what changed is asked for."""
        touched = set()
        version = await self._db.version()
        if self._directory is None or self._directory.version != version:
            self._directory = Directory(await self._db.snapshot())
        while changed := await self._db.changed_since(self._seen):
            for state in changed:
                key = state.key
                if key.quantity == QUANTITY or (key.station, key.point, key.quantity) in self._wanted:
                    self._states[key] = state
                if key.quantity == QUANTITY:
                    touched.add((key.station, key.point))
            self._seen = changed[-1].changed
        if now // HOUR_MS != self._hour:
            for target in TARGETS:
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


def _targets(models: Sequence[Model]) -> list[str]:
    """That some model speaks of."""
    return [target for target in TARGETS if any(target in model.targets for model in models)]


def _driver(source: DriverSource, directory: Directory, states: Iterable[SeriesState]) -> Place | None:
    """Where a driver is measured; None where its station is not registered."""
    station = directory.station(source.station)
    its = (source.station, source.point, source.quantity)
    of = sorted((s for s in states if (s.key.station, s.key.point, s.key.quantity) == its), key=lambda s: s.key)
    return None if station is None else Place(station=station, point=source.point, states=tuple(of), quantity=source.quantity)


def _nothing(source: DriverSource) -> History:
    return History(station=source.station, point=source.point, zone="UTC", time=np.zeros(0, dtype=np.int64), value=np.zeros(0))


def _places(directory: Directory, states: Iterable[SeriesState], at: int) -> list[Place]:
    """Every point of a registered station with good salinity in the 77 days before `at` or later, in order."""
    members: defaultdict[tuple[str, str], list[SeriesState]] = defaultdict(list)
    for state in states:
        if state.key.quantity == QUANTITY:
            members[state.key.station, state.key.point].append(state)
    found = []
    for (name, point), group in sorted(members.items()):
        station = directory.station(name)
        if station is not None:
            place = Place(station=station, point=point, states=tuple(sorted(group, key=lambda s: s.key)))
            if place.good is not None and place.good >= at - HISTORY_MS:
                found.append(place)
    return found


def _forecasts(
    models: Sequence[Model], places: Sequence[Place], known: Sequence[Known], wanted: Sequence[tuple[Place, str]], at: int, drivers: Sequence[DriverHistory]
) -> tuple[list[Forecast], list[Fault]]:
    """What the models say of the (point, target)s wanted, as it is to be kept, and which of them failed. The fault of the last one asked is raised."""
    histories = [k.history for k in known]
    number = {p.key: i for i, p in enumerate(places)}
    digest = cache(lambda i: _digest(histories[i].between(at - HISTORY_MS, at)))
    everything = cache(lambda: hashlib.sha256(b"".join(digest(i) for i in range(len(histories)))).digest())
    driven = cache(lambda n: f"{drivers[n].name} {drivers[n].statistic}\n".encode() + _digest(drivers[n].history.between(at - HISTORY_MS, at)))
    found: list[Forecast] = []
    faults: list[Fault] = []
    for target in _targets(models):
        rows = [number[p.key] for p, t in wanted if t == target]
        for i, (model, issue) in sorted(_said(models, target, histories, rows, at, drivers, faults).items()):
            used = [n for n, d in enumerate(drivers) if d.name in issue.drivers and (d.bears_on is None or places[i].station.id in d.bears_on)]
            seen = digest(i) + (everything() if issue.pooled else b"") + b"".join(driven(n) for n in used)
            inputs = hashlib.sha256(f"{model.name} {model.version}\n".encode() + seen)
            found.append(_forecast(model, places[i], target, issue, at, known[i].received, inputs.hexdigest()[:16]))
    return found, faults


def _said(
    models: Sequence[Model], target: str, histories: Sequence[History], rows: list[int], at: int, drivers: Sequence[DriverHistory], faults: list[Fault]
) -> dict[int, tuple[Model, Issue]]:
    """By row: the first model that says something, and what. One that raises is noted in `faults`, unless it is the last asked and failed at every row."""
    found: dict[int, tuple[Model, Issue]] = {}
    asked = [model for model in models if target in model.targets]
    for model in asked:
        left = [i for i in rows if i not in found]
        if not left:
            break
        issues, failed = _each(model, target, histories, left, at, drivers)
        if failed:
            if model is asked[-1] and set(failed) == set(left):
                raise failed[left[0]]
            first = min(failed)
            where = f"{histories[first].station}/{histories[first].point}" + (f" and {len(failed) - 1} more" if len(failed) > 1 else "")
            failed[first].add_note(f"of {target} at {where}")
            faults.append(Fault(model=model.name, version=model.version, error=failed[first]))
        found |= {i: (model, issue) for i, issue in issues.items() if issue is not None}
    return found


def _each(
    model: Model, target: str, histories: Sequence[History], rows: list[int], at: int, drivers: Sequence[DriverHistory]
) -> tuple[dict[int, Issue | None], dict[int, Exception]]:
    """What a model says by row, and of the rows at which it raises why: one of them must cost neither the others this model nor all the next one.

    Where it raises, either half is asked by itself, and so on; after MOST_FAULTS times the rest counts as failed.
    """
    issues: dict[int, Issue | None] = {}
    failed: dict[int, Exception] = {}
    waiting, raised = [rows], 0
    while waiting:
        part = waiting.pop()
        try:
            issues |= dict(zip(part, model.say(target, histories, part, at, drivers), strict=True))
        except Exception as error:  # noqa: BLE001 of a damaged or unfit model: whoever asks tells it
            raised += 1
            if len(part) == 1 or raised >= MOST_FAULTS:
                failed |= dict.fromkeys(part, error)
            if raised >= MOST_FAULTS:
                failed |= {i: error for rest in waiting for i in rest}
                break
            if len(part) > 1:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return issues, failed


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
        reasons=issue.reasons,
        missing=issue.missing,
    )
