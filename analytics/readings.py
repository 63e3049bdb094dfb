"""The good readings of every point and driver, kept in memory and read again only where something was written or judged.

Good is what the judge has found good: the rows of each sensor end where the first one waits for him, for ingest writes them with the flags
of the row tests alone. What stood there before he was asked again is remembered, so that it is told when he finds it bad.

What `series_state.changed` of a point's sensors was when its readings were read tells whether they still are what the store
holds: each write of ingest (late ones too) and each answer of the judge raises it *after* the rows are in the store. Nothing
tells how far back such a change reaches, so the whole 77 days are read again: correct first, and measured in
`bench/forecast_round.py`. 24 × 77 h × 4 readings are 118 kB a point.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.history import History, Times
from analytics.model import HISTORY_MS
from core.batch import Batch
from core.flags import Flag
from core.place import FOREVER, Station
from core.ports import SeriesStore
from core.series import SeriesKey
from core.state import SeriesState
from registry.directory import Directory

QUANTITY = "water.salinity"
AT_ONCE = 8  # points in one read: half a second of InfluxDB's; between two of them others have their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point of a registered station, with the states of its sensors' `quantity`."""

    station: Station
    point: str
    states: tuple[SeriesState, ...]
    quantity: str = QUANTITY

    @property
    def key(self) -> tuple[str, str]:
        """(station, point)."""
        return self.station.id, self.point

    @property
    def series(self) -> tuple[str, str, str]:
        """(station, point, quantity)."""
        return *self.key, self.quantity

    @property
    def received(self) -> int:
        """The newest received_at of any of its primary sensors [ms]."""
        return max((s.received for s in self.states if s.role == "primary"), default=0)

    @property
    def good(self) -> int | None:
        """How late a good reading of a primary sensor that the judge has seen can lie [ms]: the newest one, or just before what waits for him."""
        return max((min(s.good.time, s.judged_until - 1) for s in self.states if s.role == "primary" and s.good is not None), default=None)

    @property
    def unjudged_from(self) -> int | None:
        """From when on readings of a primary sensor wait for the judge [ms]; None where none does."""
        return min((s.dirty_from for s in self.states if s.role == "primary" and s.dirty_from is not None), default=None)

    @property
    def changed(self) -> int:
        """The newest `changed` of any of its sensors."""
        return max(s.changed for s in self.states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A point's readings before an instant, and the newest received_at among them [ms], 0 without any.

    `whole` is false where more lay at or after that instant: a device whose clock is ahead. `came`: when each was received [ms], None but at the
    first read of a point, and at the next one where it waited for the judge.
    """

    history: History
    received: int
    whole: bool
    came: Times | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    known: Known
    shown: History  # what was good when it was judged last: `known.history`, and from where that ends what stood there before
    waited: bool  # whether some of it waited for the judge
    mark: object  # what stood in registry and state when it was read
    since: int  # from when on it was read [ms]


class Readings:
    """Reads from the store what it does not know yet. One per service, in one thread."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self.reads = 0  # points read from the store since the start
        self.lost: dict[tuple[str, str, str], int] = {}  # the earliest time [ms] at which a reading was good and is no more; for whoever asks to clear

    async def of(self, places: Sequence[Place], directory: Directory, at: int, *, moved: Callable[[int], None] = lambda done: None) -> list[Known]:
        """The good readings with at − 77 days ≤ time < `at` of each point; `moved` hears how many are there."""
        marks = {p.series: (directory.version, tuple((s.key, s.changed, s.dirty_from) for s in p.states)) for p in places}
        stale = [p for p in {p.series: p for p in places}.values() if not self._holds(p, marks[p.series], at)]
        for first in range(0, len(stale), AT_ONCE):
            await self._read(stale[first : first + AT_ONCE], directory, at, marks)
            moved(len(places) - len(stale) + min(first + AT_ONCE, len(stale)))
            await asyncio.sleep(0)
        moved(len(places))
        return [self._kept[p.series].known for p in places]

    def keep_only(self, places: Sequence[Place]) -> None:
        """Forget what is gone."""
        keys = {p.series for p in places}
        for key in self._kept.keys() - keys:
            del self._kept[key]

    def _holds(self, place: Place, mark: object, at: int) -> bool:
        kept = self._kept.get(place.series)
        return kept is not None and kept.mark == mark and kept.known.whole and kept.since <= at - HISTORY_MS and (kept.known.history.newest or 0) < at

    async def _read(self, places: Sequence[Place], directory: Directory, at: int, marks: Mapping[tuple[str, str, str], object]) -> None:
        stretches = [_stretches(p, directory, at - HISTORY_MS) for p in places]
        keys = [key for found in stretches for key, _, _ in found]
        batch = await self._store.read(keys, at - HISTORY_MS, FOREVER) if keys else Batch.empty()
        edges = np.searchsorted(batch.series, np.arange(len(keys) + 1))  # sorted by series
        self.reads += len(places)
        n = 0
        for place, found in zip(places, stretches, strict=True):
            parts = []
            for _, start, end in found:
                rows = batch.take(slice(int(edges[n]), int(edges[n + 1])))
                parts.append(rows.take((rows.time >= start) & (rows.time < end)))
                n += 1
            waits = [s.dirty_from for s in place.states if s.dirty_from is not None and any(key == s.key for key, _, _ in found)]
            self._keep(place, _known(place, Batch.concat(parts), at), at, min([at, *waits]), marks[place.series])

    def _keep(self, place: Place, known: Known, at: int, until: int, mark: object) -> None:
        """`until`: before which time none of it waits for the judge [ms]."""
        before, shown = self._kept.get(place.series), known.history
        if before is not None:
            gone = _first_gone(before.shown, known.history, at - HISTORY_MS, until)
            if gone is not None:
                self.lost[place.series] = min(gone, self.lost.get(place.series, gone))
            shown = _with(shown, before.shown.between(until, FOREVER))
            if not before.waited or before.known.came is None:
                known = replace(known, came=None)
        self._kept[place.series] = _Kept(known=known, shown=shown, waited=until < at, mark=mark, since=at - HISTORY_MS)


async def good_readings(store: SeriesStore, place: Place, directory: Directory, start: int, end: int) -> History:
    """The good readings of a point's primary sensors with start ≤ time < end [ms], read from the store each time."""
    found = [(key, max(a, start), min(z, end)) for key, a, z in _stretches(place, directory, start) if a < end]
    batch = await store.read([key for key, _, _ in found], start, end) if found else Batch.empty()
    edges = np.searchsorted(batch.series, np.arange(len(found) + 1))
    parts = []
    for n, (_, a, z) in enumerate(found):
        rows = batch.take(slice(int(edges[n]), int(edges[n + 1])))
        parts.append(rows.take((rows.time >= a) & (rows.time < z)))
    return _history(place, _good(Batch.concat(parts)))


def _stretches(place: Place, directory: Directory, start: int) -> list[tuple[SeriesKey, int, int]]:
    """Which primary sensors' rows are the point's, from when to when [ms]: as long as they stood there, and no further than all is judged."""
    standing = [p for p in directory.sensors_at(place.station.id, place.point, start, FOREVER) if p.role == "primary"]
    return [(s.key, p.start, min(p.end, s.judged_until)) for p in standing for s in place.states if s.key.sensor == p.sensor]


def _known(place: Place, rows: Batch, at: int) -> Known:
    past = rows.take(rows.time < at)
    good = _good(past)
    return Known(history=_history(place, good), received=int(good.received.max(initial=0)), whole=len(past) == len(rows), came=good.received)


def _first_gone(before: History, now: History, since: int, until: int) -> int | None:
    """The time of the first reading with since ≤ time < until [ms] that stood in one and does not in the other; None where all do."""
    was, stands = before.between(since, until), now.between(since, until)
    n = len(was.time)
    if np.array_equal(was.time, stands.time[:n]) and np.array_equal(was.value, stands.value[:n]):
        return None  # nearly always: only newer ones came
    gone = was.time[_is_not_in(was, stands)]
    return int(gone[0]) if len(gone) else None


def _with(history: History, more: History) -> History:
    """Both, in order."""
    if not len(more.time):
        return history
    new = _is_not_in(more, history)
    time, value = np.concatenate((history.time, more.time[new])), np.concatenate((history.value, more.value[new]))
    order = np.argsort(time, kind="stable")
    return replace(history, time=time[order], value=value[order])


def _is_not_in(readings: History, others: History) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = ~np.isin(readings.time + 1j * readings.value, others.time + 1j * others.value)  # times are whole numbers under 2⁵³
    return found


def _good(rows: Batch) -> Batch:
    """The good ones, in order of time."""
    good = rows.take((rows.flag == Flag.GOOD) & np.isfinite(rows.value))
    return good.take(np.argsort(good.time, kind="stable"))


def _history(place: Place, good: Batch) -> History:
    return History(station=place.station.id, point=place.point, zone=place.station.timezone, time=good.time, value=good.value)
