"""What `canhman train` learns from: every good reading of salinity in the store and the drivers of forecast.toml, or the files of a dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adapters.sql.database import SqlDatabase
from analytics.daily.dataset import Dataset
from analytics.daily.histories import ISSUE_HOUR, daily_of
from analytics.daily.panel import Daily
from analytics.daily.units import SALINITY, same_unit
from analytics.forecast_config import DriverSource
from analytics.history import DAY_MS, History, local_times
from analytics.hourly.histories import hourly_of
from analytics.hourly.panel import Hourly
from analytics.model import DriverHistory
from analytics.readings import QUANTITY, Place, good_readings
from core.batch import Batch
from core.errors import ConfigError
from core.forecast import HOUR_MS
from core.ports import SeriesStore
from core.state import SeriesState
from registry.directory import Directory

_TWICE = 1.1  # readings for each day that has one: a few that were read twice make no course
CHUNK_MS = 90 * DAY_MS  # of a point at a time: half a second of InfluxDB's

Moved = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Histories of points of one time zone, all that move them, and what was passed over, in words; nothing at or after `at` [ms]."""

    at: int
    histories: tuple[History, ...]
    drivers: tuple[DriverHistory, ...]
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> int:
        """The first reading of any point [ms]; `at` where there is none."""
        return min((int(h.time[0]) for h in self.histories if len(h.time)), default=self.at)

    def daily(self, target: str) -> Daily | None:
        """Their days for `target`; None without any reading."""
        if self.first == self.at:
            return None
        return daily_of(self.histories, self.drivers, self.at, days=(self.at - self.first) // DAY_MS + 2, target=target)

    def hourly(self) -> Hourly:
        """Their hours, a column for each of `histories`. Raises ConfigError without any reading."""
        return hourly_of(self.histories, self.at, hours=(self.at - self.first) // HOUR_MS + 2)


async def from_store(db: SqlDatabase, store: SeriesStore, sources: Sequence[DriverSource], at: int, *, moved: Moved) -> Known:
    """All that was judged good before `at` [ms]. `moved` hears of (series read, of how many)."""
    directory, states = Directory(await db.snapshot()), await db.states()
    salinity = _places(directory, states, QUANTITY)
    zones = [p.station.timezone for p in salinity]
    zone = max(sorted(set(zones)), key=zones.count, default="")
    here = [p for p in salinity if p.station.timezone == zone]
    notes = [f"{len(zones) - len(here)} points of other time zones than {zone} are left out"] if len(here) < len(zones) else []
    total = len(here) + len(sources)
    histories = []
    for place in here:
        histories.append(await _whole(store, place, directory, at))
        moved(len(histories), total)
    drivers = []
    for n, source in enumerate(sources, len(here) + 1):
        measured = [p for p in _places(directory, states, source.quantity) if p.key == (source.station, source.point)]
        history = await _whole(store, measured[0], directory, at) if measured else None
        if history is None or not len(history.time):
            notes.append(f"driver {source.name}: no good {source.quantity} of {source.station}/{source.point} is stored")
        else:
            drivers.append(source.shown(history))
        moved(n, total)
    return Known(at=at, histories=tuple(h for h in histories if len(h.time)), drivers=tuple(drivers), notes=tuple(notes))


def _places(directory: Directory, states: Iterable[SeriesState], quantity: str) -> list[Place]:
    members: defaultdict[tuple[str, str], list[SeriesState]] = defaultdict(list)
    for state in states:
        if state.key.quantity == quantity:
            members[state.key.station, state.key.point].append(state)
    stations = {name: directory.station(name) for name, _ in members}
    return [
        Place(station=station, point=point, states=tuple(sorted(group, key=lambda s: s.key)))
        for (name, point), group in sorted(members.items())
        if (station := stations[name]) is not None
    ]


async def _whole(store: SeriesStore, place: Place, directory: Directory, at: int) -> History:
    oldest = await store.read([s.key for s in place.states], 0, at, limit=1)
    none = Batch.empty()
    parts = [History(station=place.station.id, point=place.point, zone=place.station.timezone, time=none.time, value=none.value)]
    start = int(oldest.time.min()) if len(oldest) else at
    while start < at:
        end = min(start + CHUNK_MS, at)
        parts.append(await good_readings(store, place, directory, start, end))
        start = end
    return replace(parts[0], time=np.concatenate([p.time for p in parts]), value=np.concatenate([p.value for p in parts]))


def holds_salinity(found: Dataset) -> Dataset:
    """Raises ConfigError for another unit than that of the stations, in whatever spelling."""
    if not same_unit(found.unit, SALINITY):
        raise ConfigError(f"{found.source}: its unit is {found.unit}, and stations are forecast in {SALINITY}: train on salinity or conductivity")
    return found


def has_one_value_a_day(found: Dataset) -> bool:
    """Whether nothing is known of the course within its days: hardly a day has a second reading. Readings that are alike are readings."""
    return len(found.rows.value) <= _TWICE * int(np.isfinite(found.daily.target).sum())


def from_dataset(found: Dataset) -> Known:
    """Its readings as histories, up to the end of its last test day. Raises ConfigError where there are none."""
    rows, zone = found.rows, found.daily.zone
    at = int(local_times(zone, (found.test_until + 1).astype("datetime64[D]").item(), 1, hour=ISSUE_HOUR)[0])
    time = rows.time.astype("datetime64[ms]").astype(np.int64)
    histories = []
    for i, name in enumerate(found.daily.stations):
        mine = (rows.station == i) & (time < at)
        histories.append(History(station=name, point="main", zone=zone, time=time[mine], value=rows.value[mine]))
    if not any(len(h.time) for h in histories):
        raise ConfigError(f"{found.source} holds no reading up to {found.test_until}")
    return Known(at=at, histories=tuple(h for h in histories if len(h.time)), drivers=(), notes=found.notes)


def dataset_daily(found: Dataset, target: str) -> Daily:
    """Its days as in operation; of a set that holds one value a day, the days themselves: that value stands for the whole day."""
    until = int(np.searchsorted(found.daily.days, found.test_until, side="right"))
    if has_one_value_a_day(found):
        return found.daily.first(until)
    daily = from_dataset(found).daily(target)
    assert daily is not None  # noqa: S101 it holds a reading
    columns = [found.daily.stations.index(name.removesuffix("/main")) for name in daily.stations]
    rows = np.searchsorted(found.daily.days, daily.days)
    known = (rows < until) & (found.daily.days[np.minimum(rows, len(found.daily.days) - 1)] == daily.days)
    drivers = {}
    for name, values in found.daily.drivers.items():  # a day's mean is whole before the day of the panel ends
        there = values[np.minimum(rows, len(values) - 1)][:, columns]
        drivers[name] = np.where(known[:, None], there, np.nan)
    return replace(daily, drivers=drivers)


def learned_until(daily: Daily, day: np.datetime64) -> int:
    """How many of its rows are learned from where `day` is the last one."""
    return int(np.searchsorted(daily.days, day, side="right"))
