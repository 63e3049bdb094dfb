"""What a station page reads from the store: the last days of one series, and the newest word of a check sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from api.backend import Backend
from api.best import stretches
from core.batch import Batch
from core.flags import Flag
from core.place import Deployment, sensor_tag
from core.series import SeriesKey
from core.state import Latest, SeriesState
from registry.directory import Directory

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Rows of a series in order of time."""

    rows: Batch

    def bits(self, time: int) -> int:
        """The test bits of the newest row measured at `time` [ms]; none where there is none."""
        rows = np.flatnonzero(self.rows.time == time)
        return int(self.rows.tests[rows[-1]]) if len(rows) else 0

    def before(self, time: int) -> float | None:
        """The good value measured last at or before `time` [ms], at most an hour before it."""
        rows = np.flatnonzero((self.rows.flag == Flag.GOOD) & (self.rows.time <= time) & (self.rows.time >= time - HOUR_MS))
        return float(self.rows.value[rows[-1]]) if len(rows) else None


async def history(backend: Backend, directory: Directory, *, station: str, point: str, quantity: str, start: int, end: int) -> History:
    """The rows of the primary sensors with start ≤ time < end [ms]. Raises UnavailableError."""
    states = await backend.states.states(station=station)
    parts = stretches(directory, [s.key for s in states], station=station, point=point, quantity=quantity, start=start, end=end)
    rows = [await backend.store.read([p.key], max(p.start, start), min(p.end, end)) for p in parts]
    whole = Batch.concat(rows)
    return History(rows=whole.take(np.argsort(whole.time, kind="stable")))


def trend(past: History, last: Latest) -> int:
    """1 rising, −1 falling, 0 neither: over the hour before `last` by more than 0.1 g/L and 5 %; 0 where that hour was not measured."""
    before = past.before(last.time - HOUR_MS)
    if before is None:
        return 0
    change = last.value - before
    room = max(0.1, 0.05 * abs(last.value))
    return 1 if change > room else -1 if change < -room else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The newest reading of a sensor that stands beside the one shown, to check it."""

    sensor: str
    last: Latest


def checks(states: list[SeriesState], directory: Directory, *, station: str, point: str, quantity: str, now: int) -> list[Check]:
    """The check sensors that stand at a point now, with what they said last."""
    standing = {sensor_tag(d.device, d.channel) for d in directory.deployments_at(station) if _checks(d, point, now)}
    stands = [s for s in states if _is(s.key, station, point, quantity) and s.newest.flag != Flag.MISSING]
    return [Check(sensor=s.key.sensor, last=s.newest) for s in stands if s.key.sensor in standing]


def _checks(d: Deployment, point: str, now: int) -> bool:
    return d.role == "check" and d.point == point and d.start <= now < d.end


def _is(key: SeriesKey, station: str, point: str, quantity: str) -> bool:
    return (key.station, key.point, key.quantity) == (station, point, quantity)
