"""The record is kept while the service runs: what is over and settled is scored, point by point, a few in each round.

A point's cursor says up to which local midnight its intervals are scored. It moves in the transaction that adds their scores, so that a kill or a
second scorer scores nothing twice. What they rest on is remembered in the same one (`analytics.basis`). When a point's next day is scored, else once
a day where something was written or judged there, its days are compared with their readings as they are now; where one is another, the months from
its own on are taken out and scored anew, in one transaction again.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from analytics.basis import alike, anew_from, as_they_are, first_changed, midnights, reach
from analytics.both_sides import sluice_scored
from analytics.crops import Crops
from analytics.history import DAY_MS, History, local_date, local_times
from analytics.hours_ahead import LIMITED, hours_ahead
from analytics.model import HISTORY_MS
from analytics.readings import QUANTITY, Place, good_readings
from analytics.record import days, end_of_day, merged, month_of, scored
from core.bands import LINES
from core.clock import Clock
from core.errors import RefusedError, UnavailableError
from core.forecast import HOUR_MS, TARGETS, Forecast
from core.ports import Cursors, Forecasts, Records, Registry, SeriesStore, States
from core.record import AHEAD, SLUICE, VALUES, Anew, Basis, Day, Score
from core.sluice import INSIDE, OUTSIDE
from registry.directory import Directory

SETTLE_MS = 26 * HOUR_MS  # backlog of a day without network has come, and the judge has answered
POINTS = 8  # in one round
LEADS = 14  # days ahead that are forecast at most
DAYS = 7  # of a point in one round
_SAID_BEFORE_MS = {"hour": 4 * DAY_MS, "day_max": 16 * DAY_MS, "day_min": 16 * DAY_MS}  # how long before its interval a forecast may have been issued
_BEFORE_MS = max(_SAID_BEFORE_MS.values()) + HISTORY_MS  # how long before its interval a reading may bear on its score
LOOK_AGAIN_MS = DAY_MS  # between two looks at what the scores of a point rest on: each reads a hundred days
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """A point whose record is looked after. `places`: where its readings are, of a sluice's inside those outside too; `was` its cursor, 0 where it has none.

    It is scored up to `after` [ms]; up to `over` that is settled too: where our clock ran ahead less than `after`.
    """

    directory: Directory
    places: tuple[Place, ...]
    was: int
    after: int
    over: int

    @property
    def station(self) -> str:
        return self.places[0].station.id

    @property
    def point(self) -> str:
        return self.places[0].point

    @property
    def key(self) -> tuple[str, str]:
        return self.station, self.point

    @property
    def zone(self) -> str:
        return self.places[0].station.timezone

    @property
    def cursor(self) -> str:
        return cursor_of(self.station, self.point)


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
        self._reads = 0  # points whose readings were read
        self._newest: dict[tuple[str, str], int] = {}  # issued_at [ms]
        self._until: dict[tuple[str, str], int] = {}
        self._looked: dict[tuple[str, str], int] = {}  # when what the scores of a point rest on was looked at last [ms]
        self._marks: dict[tuple[str, str], object] = {}  # what stood in registry and state then
        self.anew: list[Anew] = []  # what was scored anew; for whoever tells it to clear

    @property
    def waits(self) -> bool:
        """Whether points wait for their turn in this hour."""
        return bool(self._queue)

    async def run(self) -> int:
        """Score what is due, and anew what rests on other readings by now, in part where that is much; returns how many stretches of days were scored.

        Raises what store and database raise.
        """
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
        done, reads = 0, self._reads
        while self._queue and done < POINTS and self._reads - reads < POINTS:  # after a start each point is read, mostly to find that it is as it was
            station, point = self._queue.popleft()  # a fault of ours at one point must not keep the others waiting
            try:
                more = await self._score(self._directory, station, point, now)
            except (UnavailableError, RefusedError):
                self._queue.appendleft((station, point))
                raise
            if more:
                done += more
                self._queue.append((station, point))  # it may be further behind; the others have their turn first
            await asyncio.sleep(0)
        return done

    async def _score(self, directory: Directory, station: str, point: str, now: int) -> int:
        """How many stretches of one point were scored: the next one, or those of the months that are scored anew."""
        known = directory.station(station)
        if known is None:
            return 0
        key, zone = (station, point), known.timezone
        over = midnight(now - SETTLE_MS, zone)
        # not past what was forecast: a clock that once ran years ahead would leave all of those years unscored
        settled = min(over, midnight(self._newest[key], zone, days=LEADS + 1))
        if self._until.get(key, -1) >= settled and 0 <= now - self._looked.get(key, now - LOOK_AGAIN_MS) < LOOK_AGAIN_MS:
            return 0
        was = await self._db.load_cursor(cursor_of(station, point))
        after = was or await self._first(station, point, zone)
        until = max(after, min(settled, midnight(after, zone, days=DAYS)))
        self._until[key] = after
        every = [s for s in await self._db.states(station=station) if s.key.quantity == QUANTITY]
        # of a sluice what is outside bears on the record of what is inside
        points = (point, OUTSIDE) if point == INSIDE and (station, OUTSIDE) in self._newest else (point,)
        places = tuple(Place(station=known, point=p, states=tuple(s for s in every if s.key.point == p)) for p in points)
        mark = (directory.version, tuple((s.key, s.changed) for place in places for s in place.states))
        if until == after and (not was or self._marks.get(key) == mark):  # nothing to score, and nothing was written or judged
            self._looked[key] = now
            return 0
        if any(s.dirty_from is not None and s.dirty_from < until for place in places for s in place.states):
            return 0  # the judge has not answered yet: what is good is not known
        self._reads += 1
        at = _At(directory=directory, places=places, was=was, after=after, over=min(after, over))
        histories = await self._histories(at, min(reach(at.over, zone), after - _BEFORE_MS), until)
        kept = {b.time: b for b in await self._db.bases(station=station, point=point)} if was else {}
        stands = await self._stands(at, kept, histories)
        changed = first_changed(kept, stands)
        if changed is not None:
            return await self._anew(at, stands, changed)
        if until > after:
            await self._on(at, stands, histories, until)
        elif not kept.keys() >= {b.time for b in stands}:
            ahead = [b for b in kept.values() if at.over <= b.time < after]
            await self._db.add_scores((), name=at.cursor, was=was, value=was, bases={key: [*stands, *ahead]})
        self._looked[key], self._marks[key] = now, mark
        return int(until > after)

    async def _stands(self, at: _At, kept: Mapping[int, Basis], histories: Sequence[History]) -> list[Basis]:
        """Of the days that follow their readings: what their scores rest on, as it is now."""
        since = reach(at.over, at.zone)
        days = midnights(since, at.over, at.zone)[:-1].tolist()
        earlier = await self._earlier(at, since) if at.was and not kept.keys() >= set(days) else self._stated(at)
        return as_they_are([kept.get(t) or earlier(t) for t in days], histories, at.zone)

    async def _on(self, at: _At, stands: Sequence[Basis], histories: Sequence[History], until: int) -> None:
        """Score the next days."""
        stated = self._stated(at)
        new = as_they_are([stated(t) for t in midnights(at.after, until, at.zone)[:-1].tolist()], histories, at.zone)
        scores, came = await self._scores(at, histories, at.after, until, new[0])
        since = reach(until, at.zone)
        bases = [b for b in (*stands, *new) if b.time >= since]
        await self._db.add_scores(scores, came, name=at.cursor, was=at.was, value=until, bases={at.key: bases})
        self._until[at.key] = until

    async def _anew(self, at: _At, stands: Sequence[Basis], changed: int) -> int:
        """Score the months from that of `changed` [ms] on anew, at what was stated then; returns in how many stretches."""
        anew = anew_from(changed, reach(at.over, at.zone), at.station, at.point, at.zone)
        histories = await self._histories(at, anew.time - _BEFORE_MS, at.over)
        bases = as_they_are(stands, histories, at.zone)
        scores: list[Score] = []
        came: list[Day] = []
        parts = list(alike([b for b in bases if b.time >= anew.time], DAYS, at.zone))
        for after, until, stated in parts:
            more, days_more = await self._scores(at, histories, after, until, stated)
            scores += [s for s in more if s.month >= anew.month]
            came += [d for d in days_more if d.time >= anew.time]
            await asyncio.sleep(0)
        end = parts[-1][1]  # before `after` where our clock ran ahead: from there on it is scored when it is due
        await self._db.add_scores(merged(scores), came, name=at.cursor, was=at.was, value=end, anew=anew, bases={at.key: bases})
        self._until[at.key] = end
        self.anew.append(anew)
        return len(parts)

    async def _scores(self, at: _At, histories: Sequence[History], after: int, until: int, stated: Basis) -> tuple[list[Score], list[Day]]:
        """Of the intervals that end in after < end ≤ until [ms]: at what was stated, as a day of that stretch has it."""
        issues = await self._issues(at.station, at.point, after, until)
        if not issues:
            return [], []
        here, *beside = (h.between(after - _BEFORE_MS, until) for h in histories)
        ahead, hours = hours_ahead(issues, here, after=after, until=until, limits=stated.limits, targets=stated.targets)
        scores = scored(issues, here, after=after, until=until, limits=stated.limits) + ahead
        came = days(issues, here, after=after, until=until) + hours
        for there in beside if set(SLUICE.values()) & set(stated.targets) else ():
            outside = await self._issues_of(at.station, OUTSIDE, "hour", after, until)
            more, sides = sluice_scored(issues, outside, (here, there), after=after, until=until)
            scores, came = scores + more, came + sides
        return scores, came

    async def _histories(self, at: _At, start: int, end: int) -> list[History]:
        return [await good_readings(self._store, place, at.directory, start, end) for place in at.places]

    def _stated(self, at: _At) -> Callable[[int], Basis]:
        """What is stated now, of the day that begins at a local midnight."""
        targets = (*AHEAD, *(SLUICE.values() if len(at.places) > 1 else ()))
        return lambda t: Basis(time=t, digest="", targets=targets, limits=self._limits)

    async def _earlier(self, at: _At, since: int) -> Callable[[int], Basis]:
        """The same as of days that a version scored which did not take down what its scores rest on: as far as what it scored tells."""
        said = {target: await self._db.scored_days(stations=[at.station], target=target, since=since - 2 * DAY_MS) for target in AHEAD}
        starts = {target: [d.time for d in rows if d.point == at.point] for target, rows in said.items()}
        first = {target: min(times) for target, times in starts.items() if times}
        lines = await self._db.scores(stations=[at.station], target=LIMITED, since=month_of(local_date(since, at.zone)))
        limits = tuple(sorted({s.line for s in lines if s.point == at.point} - {*LINES, VALUES}))

        def stated(t: int) -> Basis:
            end = end_of_day(t, at.zone)
            targets = tuple(target for target, start in first.items() if start + (AHEAD[target] + 1) * HOUR_MS <= end)
            return Basis(time=t, digest="", targets=targets, limits=limits if targets else ())

        return stated

    async def _first(self, station: str, point: str, zone: str) -> int:
        """The midnight before the first issue: nothing that ended by then was forecast."""
        firsts = [f.issued_at for target in TARGETS for f in await self._db.forecasts(station=station, point=point, target=target, limit=1)]
        return midnight(min(firsts), zone)

    async def _issues(self, station: str, point: str, after: int, until: int) -> list[Forecast]:
        return [f for target in TARGETS for f in await self._issues_of(station, point, target, after, until)]

    async def _issues_of(self, station: str, point: str, target: str, after: int, until: int) -> list[Forecast]:
        since = max(0, after - _SAID_BEFORE_MS[target])
        issues = await self._db.forecasts(station=station, point=point, target=target, since=since, until=until, limit=_MOST)
        return in_time([f for f in issues if not f.hindcast])


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
