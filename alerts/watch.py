"""Sees what changed and has the policy judge it; whatever it decides stands in the database before anybody hears of it.

Woken by `series_state.changed` (a new reading, a new judgement), by new `hour` issues, and by each minute of the clock, for
silence and for hours that come within reach. Of the store it reads only the last hours of the points that changed and are
fresh. It keeps a copy of what the database says and nothing else: killed at any moment, it begins again and repeats nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from alerts.config import AlertRules
from alerts.policy import ARRIVING_MS, BAD, Facts, reach_back_ms, step
from alerts.telling import with_intents
from core.alert import Alert, AlertKey, Step
from core.batch import Batch
from core.clock import AHEAD_MS, Clock
from core.flags import Flag
from core.forecast import HOUR_MS, Forecast
from core.ports import Alerts, Cursors, Forecasts, Registry, SeriesStore, States
from core.risk import Risk
from core.series import SeriesKey
from core.state import Latest, SeriesState
from registry.directory import Directory
from registry.situation import CONDUCTIVITIES, JUDGED_BY, SALINITY, Situation

CURSOR = "alerts.changed"  # how far `changed` is judged
TICK_MS = 60_000  # of the clock
PAGE = 1000
AT_ONCE = 500  # series read in one call
STEPS = 200  # alerts changed in one transaction

Point = tuple[str, str]


class Database(Registry, States, Forecasts, Alerts, Cursors, Protocol):
    """What the watch asks of the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look did: points judged, points whose readings were read, rows read, steps taken, those with an event."""

    points: int = 0
    read: int = 0
    rows: int = 0
    steps: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """What one look is about: points whose readings changed, points with a new issue, and each minute (hour) of the clock all of them."""

    now: int
    rules: AlertRules
    risk: Risk
    minute: bool
    hour: bool
    everywhere: frozenset[Point]
    touched: frozenset[Point]
    issued: frozenset[Point]

    @property
    def points(self) -> frozenset[Point]:
        return self.everywhere if self.minute or self.hour else self.touched | self.issued

    @property
    def numbers(self) -> tuple[str, str]:
        return self.rules.hash, self.risk.hash


class Watch:
    """`look` again and again. `channels` are those that messages go out by now."""

    def __init__(
        self,
        database: Database,
        store: SeriesStore,
        *,
        clock: Clock,
        system: Clock,
        rules: Callable[[], AlertRules],
        risk: Callable[[], Risk],
        channels: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._db = database
        self._store = store
        self._clock = clock
        self._system = system
        self._rules = rules
        self._risk = risk
        self._channels = channels
        self._directory: Directory | None = None
        self._states: dict[SeriesKey, SeriesState] = {}
        self._sensors: defaultdict[Point, dict[str, SeriesKey]] = defaultdict(dict)  # primary ones
        self._probes: defaultdict[Point, list[SeriesKey]] = defaultdict(list)  # the conductivities of these
        self._seen = -1  # the `changed` read last
        self._forecasts: dict[Point, Forecast] = {}
        self._issue = -1  # the id read last
        self._touched: set[Point] = set()
        self._issued: set[Point] = set()
        self._began = 0  # to watch without a break, by the installation's clock
        self._asked: int | None = None  # the database last, by the system's clock
        self._ticked: int | None = None
        self._hour: int | None = None
        self._numbers = ("", "")
        self._saved = 0

    async def situation(self) -> Situation:
        """What is known now of every station's salinity, for the verdict that goes with a message, and for boards."""
        return Situation(await self._refresh(), self._states.values(), self._known_issues(self._clock.now_ms()), self._risk())

    @property
    def marks(self) -> tuple[int, int, str]:
        """What the last look had read: the newest `changed`, the registry's version, the hash of risk.toml. The same again: the same situation."""
        return self._seen, -1 if self._directory is None else self._directory.version, self._risk().hash

    async def look(self) -> Looked:
        """Judge what changed since the last look. Raises what database and store raise: then nothing is judged, and all of it comes again."""
        directory = await self._refresh()
        self._watching()
        due = self._due()
        if not due.points:
            return Looked()
        # taken out first: what changes while we wait for the store is for the next look
        self._touched -= due.touched
        self._issued -= due.issued
        try:
            looked = await self._judge(due, directory, self._seen)
        except BaseException:
            self._touched |= due.touched
            self._issued |= due.issued
            raise
        self._ticked = due.now if due.minute else self._ticked
        self._hour = due.now // HOUR_MS
        self._numbers = due.numbers
        return looked

    def _watching(self) -> None:
        """Begin anew after a start, after minutes in which we could not look (a machine asleep, no database), and after a clock set back."""
        now, system = self._clock.now_ms(), self._system.now_ms()
        if self._asked is None or not -ARRIVING_MS <= system - self._asked <= ARRIVING_MS or now < self._began:
            self._began = now
        self._asked = system

    def _due(self) -> _Due:
        now = self._clock.now_ms()
        rules, risk = self._rules(), self._risk()
        anew = self._numbers != (rules.hash, risk.hash)
        return _Due(
            now=now,
            rules=rules,
            risk=risk,
            minute=self._ticked is None or not 0 <= now - self._ticked < TICK_MS,
            hour=anew or self._hour != now // HOUR_MS,
            everywhere=frozenset(self._sensors),
            touched=frozenset(self._sensors if anew else self._touched),
            issued=frozenset(p for p in self._issued if p in self._sensors and self._forecasts[p].issued_at <= now + AHEAD_MS),
        )

    async def _judge(self, due: _Due, directory: Directory, seen: int) -> Looked:
        now, rules = due.now, due.rules
        situation = Situation(directory, self._states.values(), self._known_issues(now), due.risk)
        known = _by_key(await self._db.live_alerts(cleared_since=now - round(rules.reopen_h * HOUR_MS)))
        live = [alert for alert in known.values() if alert.state != "cleared"]
        judged, rows = await self._judged(due, live, situation)
        older_lines: defaultdict[Point, list[AlertKey]] = defaultdict(list)
        for alert in live:
            if alert.line is not None and alert.line not in rules.lines:
                older_lines[alert.station, alert.point].append(alert.key)
        steps: list[Step] = []
        for point in sorted(due.points):
            facts = self._facts(point, situation, judged.get(point), now)
            if facts is None:
                continue
            for key in (*_keys(point, rules), *older_lines[point]):
                if key.kind == "forecast" and not (due.hour or point in due.issued):
                    continue  # the hours within reach are those of the last look
                found = step(key, known.get(key), facts, now, rules=rules, risk=due.risk)
                if found is not None:
                    steps.append(found)
        told = with_intents(steps, live, channels=self._channels(), system_now=self._system.now_ms())
        await self._save(told, seen)
        return Looked(points=len(due.points), read=len(judged), rows=rows, steps=len(told), events=sum(s.event is not None for s in told))

    async def _save(self, steps: Sequence[Step], seen: int) -> None:
        """Steps at once; the cursor alone once a minute, for all it saves is a look that decides nothing anew."""
        now = self._system.now_ms()
        if not steps and now - self._saved < TICK_MS:
            return
        for first in range(0, len(steps) - STEPS, STEPS):  # a salt front over a whole province must not keep ingest from the database
            await self._db.take_steps(steps[first : first + STEPS])
        last = (len(steps) - 1) // STEPS * STEPS if steps else 0
        await self._db.take_steps(steps[last:], name=CURSOR, value=max(0, seen))
        self._saved = now

    # ------------------------------------------------------------ what the database says

    async def _refresh(self) -> Directory:
        """Take in what is new of registry, states and issues."""
        if self._directory is None or await self._db.version() != self._directory.version:
            self._directory = Directory(await self._db.snapshot())
        if self._seen < 0:
            self._take(await self._db.states())  # at a start every point is judged anew: that changes nothing it has decided
            self._seen = max(self._seen, 0)
        while page := await self._db.changed_since(self._seen, limit=PAGE):
            self._take(page)
        if self._issue < 0:
            right = await self._db.latest_forecasts(target="hour", until=self._clock.now_ms() + AHEAD_MS)
            latest = [*right, *await self._db.latest_forecasts(target="hour")]
            self._hear(latest)
            self._issue = max((f.id for f in latest), default=0)
        while issues := await self._db.forecasts_after(self._issue, limit=PAGE):
            self._hear(f for f in issues if f.target == "hour" and not f.hindcast)
            self._issue = issues[-1].id
        return self._directory

    def _take(self, states: Iterable[SeriesState]) -> None:
        for state in states:
            self._seen = max(self._seen, state.changed)
            if state.key.quantity not in JUDGED_BY:
                continue
            is_new = state.key not in self._states
            self._states[state.key] = state
            if state.role != "primary":
                continue
            point = (state.key.station, state.key.point)
            if state.key.quantity == SALINITY:
                self._sensors[point][state.key.sensor] = state.key
            elif is_new and state.key.quantity in CONDUCTIVITIES:
                self._probes[point].append(state.key)
            if point in self._sensors:
                self._touched.add(point)

    def _hear(self, issues: Iterable[Forecast]) -> None:
        """The newest of a point; one that lies ahead of our clock takes no other's place, and gives its own to any that does not."""
        latest = self._clock.now_ms() + AHEAD_MS
        for issue in issues:
            point = (issue.station, issue.point)
            before = self._forecasts.get(point)
            if before is None or before.issued_at > latest or before.issued_at <= issue.issued_at <= latest:
                self._forecasts[point] = issue
                self._issued.add(point)

    def _known_issues(self, now: int) -> list[Forecast]:
        """Those whose time has come."""
        return [issue for issue in self._forecasts.values() if issue.issued_at <= now + AHEAD_MS]

    # ------------------------------------------------------------ what the store says

    async def _judged(self, due: _Due, live: Sequence[Alert], situation: Situation) -> tuple[dict[Point, tuple[Latest, ...]], int]:
        """The judged readings of the last hours of each touched point that is fresh, oldest first; and how many rows were read."""
        end = due.now + AHEAD_MS + 1
        standing = {(a.station, a.point) for a in live}
        faulty = {(a.station, a.point) for a in live if a.kind == "fault"}
        wanted: defaultdict[int, list[tuple[Point, SeriesKey, int, int]]] = defaultdict(list)
        for point in due.touched:
            reading, water = situation.reading(*point, SALINITY), situation.water(*point)
            if reading is None or not replace(reading, newest=water.newest or reading.newest).is_fresh(due.now, due.risk):
                continue  # what is stale neither opens nor clears
            stale_after = due.risk.stale_after_ms(reading.interval_s or due.risk.interval_s)
            start = due.now - (reach_back_ms(stale_after, due.rules) if point in standing else stale_after)
            keys = [*self._sensors[point].values()]
            if point in faulty or water.failing:
                keys += self._probes[point]  # what has no salinity is known of them alone; else nobody reads each message twice
            wanted[start] += [(point, *part) for part in _series(keys, point, situation.directory, start, end)]
        found: defaultdict[Point, dict[int, Latest]] = defaultdict(dict)
        rows = 0
        for start, series in wanted.items():
            for first in range(0, len(series), AT_ONCE):
                part = series[first : first + AT_ONCE]
                batch = await self._store.read([key for _, key, _, _ in part], start, end)
                rows += len(batch)
                for n, (point, key, since, until) in enumerate(part):
                    new = _latest(batch, n, self._states[key], since, until)
                    if key.quantity == SALINITY:
                        found[point] |= new
                    else:
                        found[point] = {t: replace(r, value=math.nan) for t, r in new.items() if r.flag in BAD} | found[point]
        return {point: tuple(readings[t] for t in sorted(readings)) for point, readings in found.items()}, rows

    def _facts(self, point: Point, situation: Situation, judged: tuple[Latest, ...] | None, now: int) -> Facts | None:
        reading = situation.reading(*point, SALINITY)
        if reading is None:
            return None
        station = situation.directory.station(point[0])
        return Facts(
            org=station.org if station is not None else next(iter(self._sensors[point].values())).org,
            newest=situation.water(*point).newest,
            received=reading.received,
            interval_s=reading.interval_s,
            judged=judged,
            forecast=self._forecasts.get(point),
            stands=any(p.role == "primary" for p in situation.directory.sensors_at(*point, now, now + 1)),
            since=self._began,
        )


def _series(keys: Iterable[SeriesKey], point: Point, directory: Directory, start: int, end: int) -> list[tuple[SeriesKey, int, int]]:
    """These series of the point's primary sensors with the times each of them speaks for."""
    parts = [p for p in directory.sensors_at(*point, start, end) if p.role == "primary"]
    return [(key, p.start, p.end) for p in parts for key in keys if key.sensor == p.sensor]


def _by_key(alerts: Iterable[Alert]) -> dict[AlertKey, Alert]:
    """Per key the one that is not cleared, else the one cleared last."""
    found: dict[AlertKey, Alert] = {}
    for alert in alerts:
        before = found.get(alert.key)
        if before is None or (before.state == "cleared" and (alert.state != "cleared" or (alert.cleared_at or 0) >= (before.cleared_at or 0))):
            found[alert.key] = alert
    return found


def _keys(point: Point, rules: AlertRules) -> list[AlertKey]:
    """Every key of the point."""
    keys = [AlertKey(*point, kind, line) for kind in ("observed", "forecast") for line in rules.lines]
    return [*keys, AlertKey(*point, "silent", None), AlertKey(*point, "fault", None)]


def _latest(batch: Batch, n: int, state: SeriesState, since: int, until: int) -> dict[int, Latest]:
    """The judged rows of the n-th series within since ≤ time < until, by time: what was written again is unjudged until the judge has passed."""
    if state.judged is None:
        return {}
    until = min(until, state.judged.time + 1, until if state.dirty_from is None else state.dirty_from)
    first, last = np.searchsorted(batch.series, [n, n + 1])
    rows = (int(first) + i for i in np.flatnonzero((batch.time[first:last] >= since) & (batch.time[first:last] < until)))
    return {
        int(batch.time[i]): Latest(time=int(batch.time[i]), value=float(batch.value[i]), flag=int(batch.flag[i]))
        for i in rows
        if batch.flag[i] == Flag.GOOD or batch.flag[i] in BAD
    }
