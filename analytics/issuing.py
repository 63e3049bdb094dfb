"""Issuing forecasts: which points are due, what the models say, and one append to `forecast_issue`.

Days are due at 05:00 local, hours on the hour where new data came since the last issue. A time that was missed (the service
was down, the first start, data that came late) is caught up once and not hour by hour; what is issued then carries the
instant it was issued at. Models may be changed between two rounds; nothing is due by that. Readings of drivers are shown to models as they
are; news of them makes nothing due either.

Nothing is made of readings that the judge has not seen. Where he finds bad what an issue was made of, it is made anew at once, and taken back
where nobody can speak without it. A day's lowest and highest agree (`analytics.agreement`) before they are appended: what is scored is what was said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import numpy as np

from analytics.agreement import OTHER, Key, agreed, key_of
from analytics.asking import Fault, forecasts_of, is_seen_again, targets_of
from analytics.forecast_config import DriverSource
from analytics.history import DAY_MS, MINUTE_MS, History, local_date, local_times
from analytics.model import HISTORY_MS, DriverHistory, Model
from analytics.readings import AT_ONCE, QUANTITY, Known, Place, Readings
from core.clock import Clock
from core.errors import NotFoundError
from core.forecast import HINDCAST, HOUR_MS, TARGETS, WITHDRAWN, Forecast
from core.ports import Forecasts, Registry, SeriesStore, States
from core.series import SeriesKey
from core.state import SeriesState
from core.told import told_until
from registry.directory import Directory

ISSUE_HOUR = 5  # of the days, local
QUARTER_MS = HOUR_MS // 4  # zones differ by quarters of an hour: within one nothing falls due by time alone
FRESH_MS = 6 * HOUR_MS  # a point whose newest good reading is older gets no forecast
LITTLE_MS = QUARTER_MS  # of readings that wait for the judge: an issue goes without them
PATIENCE_MS = 5 * MINUTE_MS  # with a judge who has more than that to see yet; then it goes without
SEEN_AGAIN_MS = 7 * DAY_MS  # since an issue, so long all that it had seen is read again
TOLD_H = 24.0  # the most `forecast_max_age_h` of risk.toml may be: what is older is told nowhere
DOUBT_AGAIN_MS = 5 * MINUTE_MS  # between two looks at a point's past, where old readings trickle in: each costs all of its days


class Database(Registry, States, Forecasts, Protocol):
    """What issuing asks of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round did: points with salinity, (point, target)s that were due, forecasts issued, how many of these only take back what was said,
    points (and drivers) read from the store.

    All 0 where nothing was due, but for points read to see whether what was said of them still stands.
    """

    points: int = 0
    due: int = 0
    issued: int = 0
    withdrawn: int = 0
    read: int = 0
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Last:
    issued_at: int
    data_until: int
    inputs: str
    org: str
    model: str
    version: str
    speaks: bool  # False: it takes back what was said before it

    @classmethod
    def of(cls, f: Forecast) -> _Last:
        return cls(f.issued_at, f.data_until, f.inputs, f.org, f.model, f.version.removesuffix(WITHDRAWN), bool(f.leads))


@dataclass(frozen=True, slots=True)
class _Try:
    hour: int
    changed: int
    whole: bool


class Issuer:
    """All points, round after round. Remembers registry, states, readings and what it tried when. `models`, the first to be asked first, may be set anew."""

    def __init__(
        self,
        *,
        database: Database,
        store: SeriesStore,
        clock: Clock,
        models: Sequence[Model],
        drivers: Sequence[DriverSource] = (),
        patience_ms: int = PATIENCE_MS,
    ) -> None:
        self.models = tuple(models)
        self._patience_ms = patience_ms
        self._db = database
        self._clock = clock
        self._drivers = tuple(drivers)
        self._wanted = {(d.station, d.point, d.quantity) for d in drivers}
        self._readings = Readings(store)
        self._directory: Directory | None = None
        self._states: dict[SeriesKey, SeriesState] = {}
        self._seen = 0  # `changed` of the newest state known
        self._last: dict[Key, _Last] = {}
        self._hour = -1  # the hour `_last` was read in: another process may have issued too
        self._now = 0  # of the last round
        self._looked = (-1, -1)  # (quarter of an hour, version of the registry) in which every point was looked at
        self._tried: dict[Key, _Try] = {}
        self._awaited: dict[tuple[str, str], int] = {}  # since when a point that is due waits for the judge [ms]
        self._doubted: set[tuple[str, str]] = set()  # points of whose past something was written or judged since we read it
        self._looked_back: dict[tuple[str, str], int] = {}  # when a doubted point was read last [ms]

    async def round(self, *, moved: Callable[[int, int], None] = lambda done, total: None) -> Round:
        """Issue what is due now; `moved` hears of (points read, of how many). Raises what store and database raise; then nothing was issued."""
        now, models = self._clock.now_ms(), self.models
        directory, touched = await self._follow(now)
        looked, self._looked = self._looked, (-1, -1)  # until this round is through, the next one looks at every point
        mark = now // QUARTER_MS, directory.version
        before = self._readings.reads
        await self._look_back(directory, now)
        at_hand = (s for s in self._states.values() if mark != looked or (s.key.station, s.key.point) in touched)
        targets = targets_of(models)
        due = [(place, target) for place in _places(directory, at_hand, now) for target in targets if self._is_due(place, target, now)]
        if not due and not self._readings.lost:
            self._looked = mark
            return Round(read=self._readings.reads - before)
        places = _places(directory, self._states.values(), now)
        known, drivers = await self._known(places, directory, now, moved, keep=True)
        found = {p.key: k for p, k in zip(places, known, strict=True)}
        self._compare(places, known, now)
        broken = self._broken()
        wanted = [(p, t) for p, t in due if t != "hour" or found[p.key].received > self._until(p, t) or (*p.key, t) in broken]
        wanted += [(p, t) for p in places for t in targets if (*p.key, t) in broken and (p, t) not in due and _is_fresh(p, now)]
        forecasts, faults = forecasts_of(models, places, known, wanted, now, drivers)
        gone = broken - {key_of(f) for f in forecasts}
        forecasts, contradicted = agreed(forecasts, await self._standing(forecasts, gone, now))
        again = len(broken - {(*p.key, t) for p, t in due})
        withdrawn = [_withdrawn(key, self._last[key], now) for key in sorted(gone | contradicted)]
        forecasts += withdrawn
        issued = await self._db.issue(forecasts) if forecasts else 0
        for f in forecasts:
            self._last[key_of(f)] = _Last.of(f)
        self._readings.lost.clear()
        for place, target in due:
            self._tried[*place.key, target] = _Try(now // HOUR_MS, place.changed, found[place.key].whole)
        self._looked = mark if not contradicted else (-1, -1)  # what was taken back for the highest's sake is made anew in the next round
        read = self._readings.reads - before
        return Round(points=len(places), due=len(due) + again, issued=issued, withdrawn=len(withdrawn), read=read, faults=tuple(faults))

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
        wanted = [(p, t) for p in places for t in targets_of(models) if station in ("", p.station.id)]
        said, faults = forecasts_of(models, places, known, wanted, at, drivers)
        if faults:
            raise faults[0].error
        forecasts = [replace(f, version=f.version + HINDCAST) for f in agreed(said)[0]]
        if forecasts:
            await self._db.issue(forecasts)
        return forecasts

    async def _standing(self, forecasts: Sequence[Forecast], gone: set[Key], now: int) -> list[Forecast]:
        """Where only a day's highest or lowest was made just now: the other one as it stands and may be believed, unless it is `gone`."""
        made = {key_of(f) for f in forecasts}
        lacking = {(station, point, OTHER[target]) for station, point, target in made if target in OTHER} - made - gone
        stands = {key for key in lacking if (last := self._last.get(key)) is not None and last.speaks and now <= told_until(last.issued_at, TOLD_H)}
        found = [f for target in {target for _, _, target in stands} for f in await self._db.latest_forecasts(target=target, until=now)]
        return [f for f in found if key_of(f) in stands]

    async def _known(
        self, places: list[Place], directory: Directory, at: int, moved: Callable[[int, int], None], *, keep: bool
    ) -> tuple[list[Known], list[DriverHistory]]:
        """What was read of the points, and of every driver; with `keep` what is of neither is forgotten."""
        sources = [_driver(source, directory, self._states.values()) for source in self._drivers]
        every = [*places, *(p for p in sources if p is not None)]
        if keep:  # all points: of one that is silent, or waits for the judge as a whole, it must be known what it had shown
            self._readings.keep_only([*_points(directory, self._states.values()), *every])
        known = await self._readings.of(every, directory, at, moved=lambda done: moved(min(done, len(places)), len(places)))
        rest = iter(known[len(places) :])
        read = [_nothing(source) if place is None else next(rest).history for source, place in zip(self._drivers, sources, strict=True)]
        return known[: len(places)], [source.shown(history) for source, history in zip(self._drivers, read, strict=True)]

    async def _follow(self, now: int) -> tuple[Directory, set[tuple[str, str]]]:
        """Registry, states and last issues as they are now, and the (station, point)s with news; only what changed is asked for."""
        touched = set()
        if now < self._now:  # our clock was set back: what was done at a time that has not come yet counts for nothing
            self._hour, self._looked = -1, (-1, -1)
            self._tried = {key: tried for key, tried in self._tried.items() if tried.hour <= now // HOUR_MS}
        self._now = now
        version = await self._db.version()
        if self._directory is None or self._directory.version != version:
            self._directory = Directory(await self._db.snapshot())
        while changed := await self._db.changed_since(self._seen):
            for state in changed:
                key = state.key
                before = self._states.get(key)
                if key.quantity == QUANTITY or (key.station, key.point, key.quantity) in self._wanted:
                    self._states[key] = state
                if key.quantity == QUANTITY:
                    touched.add((key.station, key.point))
                    if before is not None and _reaches_back(before, state):
                        self._doubted.add((key.station, key.point))
            self._seen = changed[-1].changed
        if now // HOUR_MS != self._hour:
            issues = [f for target in TARGETS for f in await self._db.latest_forecasts(target=target, until=now)]
            self._last = {key_of(f): _Last.of(f) for f in issues}
            self._hour = now // HOUR_MS
        return self._directory, touched

    async def _look_back(self, directory: Directory, now: int) -> None:
        """Read again some of the points in doubt of which something was said; what stood there and is good no more is then in `lost`.

        Nothing else tells at once that an issue was made of readings found bad: with the next hour's issue every point with news is read anyway.
        """
        self._doubted &= {key[:2] for key, last in self._last.items() if last.speaks}
        if not self._doubted:
            return
        members = [s for s in self._states.values() if (s.key.station, s.key.point) in self._doubted]
        ready = [p for p in _points(directory, members) if not _waits(p, now) and not 0 <= now - self._looked_back.get(p.key, -DOUBT_AGAIN_MS) < DOUBT_AGAIN_MS]
        some = ready[:AT_ONCE]
        self._compare(some, await self._readings.of(some, directory, now), now)
        for place in some:
            self._looked_back[place.key] = now
            self._doubted.discard(place.key)

    def _compare(self, places: Sequence[Place], known: Sequence[Known], now: int) -> None:
        """Of points read for the first time: whether an issue from before our start was made of what still stands; else its readings are `lost`."""
        for place, found in zip(places, known, strict=True):
            for target in TARGETS if found.came is not None else ():
                last = self._last.get((*place.key, target))
                if last is None or not last.speaks or (place.unjudged_from is not None and place.unjudged_from < last.issued_at):
                    continue
                if last.issued_at >= now - SEEN_AGAIN_MS and not is_seen_again(last.inputs, found, last.issued_at, last.data_until):
                    self._readings.lost[place.series] = min(last.issued_at - 1, self._readings.lost.get(place.series, last.issued_at))

    def _broken(self) -> set[Key]:
        """The (station, point, target)s whose standing issue was made of readings that are good no more."""
        lost = {series[:2]: time for series, time in self._readings.lost.items() if series[2] == QUANTITY}
        return {key for key, last in self._last.items() if last.speaks and last.issued_at > lost.get(key[:2], last.issued_at)}

    def _is_due(self, place: Place, target: str, now: int) -> bool:
        """Whether to try: not issued in its slot yet, read lately, and (for the hours) something has come since."""
        last = self._last.get((*place.key, target))
        if last is not None and last.speaks and last.issued_at >= self._slot(place, target, now):
            return False
        if not _is_fresh(place, now) or self._awaits(place, now):
            return False
        tried = self._tried.get((*place.key, target))
        if tried is None:
            return True
        news = place.changed != tried.changed
        if tried.hour == now // HOUR_MS:  # once an hour; a point nobody has a forecast of yet as soon as there is news of it
            return last is None and news
        return target != "hour" or news or not tried.whole

    def _awaits(self, place: Place, now: int) -> bool:
        """Whether the judge is given a moment: in seconds much more of this point may be known."""
        if not _waits(place, now):
            self._awaited.pop(place.key, None)
            return False
        return 0 <= now - self._awaited.setdefault(place.key, now) < self._patience_ms

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


def _driver(source: DriverSource, directory: Directory, states: Iterable[SeriesState]) -> Place | None:
    """Where a driver is measured; None where its station is not registered."""
    station = directory.station(source.station)
    its = (source.station, source.point, source.quantity)
    of = sorted((s for s in states if (s.key.station, s.key.point, s.key.quantity) == its), key=lambda s: s.key)
    return None if station is None else Place(station=station, point=source.point, states=tuple(of), quantity=source.quantity)


def _nothing(source: DriverSource) -> History:
    return History(station=source.station, point=source.point, zone="UTC", time=np.zeros(0, dtype=np.int64), value=np.zeros(0))


def _is_fresh(place: Place, now: int) -> bool:
    return place.good is not None and now - place.good <= FRESH_MS


def _waits(place: Place, now: int) -> bool:
    """Whether more than a little of it waits for the judge."""
    return place.unjudged_from is not None and now - place.unjudged_from > LITTLE_MS


def _reaches_back(before: SeriesState, state: SeriesState) -> bool:
    """Whether more than newer readings may have come, or been judged: of what was judged something waits again, or there is news and nothing newer."""
    if state.role != "primary" or before.judged is None:
        return False
    if state.dirty_from is not None and state.dirty_from <= before.judged.time:
        return True
    return state.newest.time <= before.newest.time and (state.judged is None or state.judged.time <= before.judged.time)


def _places(directory: Directory, states: Iterable[SeriesState], at: int) -> list[Place]:
    """Every point of a registered station with good salinity in the 77 days before `at` or later, in order."""
    return [p for p in _points(directory, states) if p.good is not None and p.good >= at - HISTORY_MS]


def _points(directory: Directory, states: Iterable[SeriesState]) -> list[Place]:
    """Every point of a registered station with salinity, in order."""
    members: defaultdict[tuple[str, str], list[SeriesState]] = defaultdict(list)
    for state in states:
        if state.key.quantity == QUANTITY:
            members[state.key.station, state.key.point].append(state)
    found = []
    for (name, point), group in sorted(members.items()):
        station = directory.station(name)
        if station is not None:
            found.append(Place(station=station, point=point, states=tuple(sorted(group, key=lambda s: s.key))))
    return found


def _withdrawn(key: Key, last: _Last, at: int) -> Forecast:
    """An issue without leads, in the name of whoever made the one it takes back."""
    station, point, target = key
    return Forecast(
        org=last.org,
        station=station,
        point=point,
        target=target,
        model=last.model,
        version=last.version + WITHDRAWN,
        issued_at=at,
        data_until=last.data_until,
        inputs="",
        leads=(),
        times=(),
        quantiles=(),
        p_gt=(),
    )
