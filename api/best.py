"""Which stored rows are a series: those of its primary sensors, each for as long as it stood there; and reading them in pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.ports import SeriesStore
from core.series import SeriesKey
from registry.directory import Directory

SCAN_ROWS = 200_000  # read for one page at most: where few rows have the flags asked for, a page ends early and goes on with `next`
START = ""  # sorts before every sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What one sensor adds to a series: its rows with start ≤ time < end [ms]."""

    key: SeriesKey
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a series in order of (time, sensor), as columns of shape (n,); `after` is where the next page goes on, None at the end."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    flag: NDArray[np.uint8]
    after: tuple[int, str] | None


def stretches(
    directory: Directory, stored: Iterable[SeriesKey], *, station: str, point: str, quantity: str, start: int, end: int, sensor: str | None = None
) -> list[Stretch]:
    """The stretches of a series within start ≤ time < end, by start. `stored` are the keys that have rows at the station.

    Of the primary sensors; with `sensor` of that one, whatever its role. A row from before or after its sensor stood here is none
    of them: it was stored before somebody corrected the deployment.
    """
    by_sensor: dict[str, list[SeriesKey]] = {}
    for key in stored:
        if (key.station, key.point, key.quantity) == (station, point, quantity):
            by_sensor.setdefault(key.sensor, []).append(key)  # more than one where the device changed its org
    return [
        Stretch(key=key, start=p.start, end=p.end)
        for p in directory.sensors_at(station, point, start, end)
        if (p.role == "primary" if sensor is None else p.sensor == sensor)
        for key in by_sensor.get(p.sensor, ())
    ]


async def read_page(
    store: SeriesStore, parts: Sequence[Stretch], *, limit: int, after: tuple[int, str] | None = None, flags: Collection[int] | None = None
) -> Rows:
    """The `limit` oldest rows behind the position `after` (time [ms], sensor), with one of `flags`; `limit` is 1 or more."""
    found = _Found(limit, flags)
    scanned = 0
    for group in _together(parts):
        position = after if after is not None else (group[0].start, START)
        while (rows := await _block(store, group, position, limit + 1)) is not None:
            batch, sensors = rows
            scanned += len(batch)
            position = (int(batch.time[-1]), sensors[-1])
            found.add(batch, sensors)
            if found.full or scanned >= SCAN_ROWS:
                return found.rows(position)
    return found.rows(None)


def _together(parts: Sequence[Stretch]) -> list[list[Stretch]]:
    """Stretches that overlap in one group, groups one after the other in time. Only a device's own quantities overlap."""
    groups: list[list[Stretch]] = []
    until = 0
    for part in sorted(parts, key=lambda p: (p.start, p.key)):
        if groups and part.start < until:
            groups[-1].append(part)
            until = max(until, part.end)
        else:
            groups.append([part])
            until = part.end
    return groups


async def _block(store: SeriesStore, group: Sequence[Stretch], position: tuple[int, str], limit: int) -> tuple[Batch, list[str]] | None:
    """The `limit` oldest rows of a group behind `position`, sorted, and the sensor of each; None where there is none."""
    batches = []
    sensors: list[str] = []
    time, sensor = position
    for part in group:
        start = max(part.start, time if part.key.sensor > sensor else time + 1)
        if start < part.end:
            batch = await store.read([part.key], start, part.end, limit=limit)
            batches.append(batch)
            sensors += [part.key.sensor] * len(batch)
    whole = Batch.concat(batches)
    if not len(whole):
        return None
    if len(group) > 1:
        order = np.lexsort((np.array(sensors), whole.time))[:limit]
        return whole.take(order), [sensors[i] for i in order]
    return whole, sensors


class _Found:
    """Rows that passed the filter, up to one more than the page holds: that one tells that there is a next page."""

    def __init__(self, limit: int, flags: Collection[int] | None) -> None:
        self._limit = limit
        self._flags = None if flags is None else np.array(sorted(flags), dtype=np.uint8)
        self._batches: list[Batch] = []
        self._sensors: list[str] = []

    def add(self, batch: Batch, sensors: list[str]) -> None:
        """Take in what has one of the flags."""
        if self._flags is not None:
            mask = np.isin(batch.flag, self._flags)
            batch, sensors = batch.take(mask), [s for s, kept in zip(sensors, mask.tolist(), strict=True) if kept]
        self._batches.append(batch)
        self._sensors += sensors

    @property
    def full(self) -> bool:
        """Whether there is more than a page of it."""
        return len(self._sensors) > self._limit

    def rows(self, position: tuple[int, str] | None) -> Rows:
        """A page of it; `position` is how far was read, None = to the end."""
        whole = Batch.concat(self._batches)
        if self.full:
            whole = whole.take(slice(self._limit))
            position = (int(whole.time[-1]), self._sensors[self._limit - 1])
        return Rows(time=whole.time, value=whole.value, flag=whole.flag, after=position)
