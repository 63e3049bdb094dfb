"""Where a row may have stood before, so that its test bits must be written out even when they are 0.

`_qt` is left out of a row that has none and is strictly newer than everything of its point: then nothing can show through
from below. What is newest is asked of the server once per point, and only from the batch's own oldest row of it on: for
live data that opens the newest shard alone. Where many points are met at once (after a start) a measurement is asked whole, and
the answer serves the points met later too: who asks ten thousand by the batch asks for all of them with each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.influx_lines import Grouped
from adapters.influx_places import Places
from adapters.influx_query import InfluxQL
from adapters.influx_read import newest_of_measurement, newest_times
from core.quantities import QUANTITIES
from core.series import SeriesKey

MANY = 200  # points; from here on the newest time of all of a measurement is asked in one statement
_UNKNOWN = np.iinfo(np.int64).min


class Newest:
    """For each point (measurement and tags) a time no stored row of it lies after [ms].

    Sound for one writer: a row is counted before it is sent, so an attempt whose answer was lost counts too. Where another
    one has written (`redecode` announces it), all is forgotten.
    """

    def __init__(self) -> None:
        self._bound: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._heard: dict[str, tuple[int, dict[tuple[str, ...], int]]] = {}  # by measurement: since when, and the newest row of each point

    def may_exist(self, ask: InfluxQL, grouped: Grouped, places: Places) -> NDArray[np.bool_]:
        """For each line whether one at the same place and time may be stored; then counts them as stored."""
        first, head, last = self._points(grouped, places)
        unknown = np.flatnonzero(self._bound[head] == _UNKNOWN)
        if len(unknown):
            since = grouped.time[first[unknown]].tolist()
            found = self._newest(ask, [(places.points[h], t) for h, t in zip(head[unknown].tolist(), since, strict=True)])
            self._bound[head[unknown]] = [t - 1 if newest is None else newest for t, newest in zip(since, found, strict=True)]
        exists: NDArray[np.bool_] = grouped.time <= self._bound[grouped.head]
        self._bound[head] = np.maximum(self._bound[head], grouped.time[last])
        return exists

    def touched(self, grouped: Grouped, places: Places) -> None:
        """Flags were written here: raise the bound of the points known."""
        _, head, last = self._points(grouped, places)
        known = self._bound[head] != _UNKNOWN
        self._bound[head[known]] = np.maximum(self._bound[head[known]], grouped.time[last[known]])
        for h, time in zip(head[~known].tolist(), grouped.time[last[~known]].tolist(), strict=True):
            measurement, tags = _point(places.points[h])
            if measurement in self._heard:  # of points not met yet what was heard must stay true as well
                newest = self._heard[measurement][1]
                newest[tags] = max(newest.get(tags, time), time)

    def forget(self) -> None:
        """Ask again: somebody else has written, or may have."""
        self._bound[:] = _UNKNOWN
        self._heard.clear()

    def _newest(self, ask: InfluxQL, points: Sequence[tuple[SeriesKey, int]]) -> list[int | None]:
        """What `newest_times` finds; of whole measurements where many are asked of one, and no more than once."""
        asked = [(*_point(key), since) for key, since in points]
        oldest: dict[str, list[int]] = {}
        for measurement, _, since in asked:
            if measurement not in self._heard or since < self._heard[measurement][0]:
                oldest.setdefault(measurement, []).append(since)
        for measurement, times in oldest.items():
            if len(times) >= MANY:
                since = min(times)
                self._heard[measurement] = (since, newest_of_measurement(ask, measurement, since))
        found: list[int | None] = []
        alone = []
        for n, (measurement, tags, since) in enumerate(asked):
            begin, newest = self._heard.get(measurement, (since + 1, {}))
            time = newest.get(tags)
            found.append(time if time is not None and time >= since else None)
            if since < begin:
                alone.append(n)
        for n, time in zip(alone, newest_times(ask, [points[n] for n in alone]), strict=True):
            found[n] = time
        return found

    def _points(self, grouped: Grouped, places: Places) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.intp]]:
        """The first line of each point, its head, and its last line: a point's oldest and newest time."""
        if len(self._bound) < len(places.heads):
            more = np.full(2 * len(places.heads) - len(self._bound), _UNKNOWN)
            self._bound = np.concatenate([self._bound, more])
        n = len(grouped.head)
        first = np.flatnonzero(np.append(True, grouped.head[1:] != grouped.head[:-1])) if n else np.zeros(0, dtype=np.intp)
        return first, grouped.head[first], np.append(first[1:], n)[: len(first)] - 1


def _point(key: SeriesKey) -> tuple[str, tuple[str, ...]]:
    return QUANTITIES[key.quantity].measurement, key[:4]
