"""Where a row may have stood before, so that its test bits must be written out even when they are 0.

`_qt` is left out of a row that has none and is strictly newer than everything of its point: then nothing can show through
from below. What is newest is asked of the server once per point, and only from the batch's own oldest row of it on: for
live data that opens the newest shard alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.influx_lines import Grouped
from adapters.influx_places import Places
from adapters.influx_query import InfluxQL
from adapters.influx_read import newest_times

_UNKNOWN = np.iinfo(np.int64).min


class Newest:
    """For each point (measurement and tags) a time no stored row of it lies after [ms].

    Sound for one writer: a row is counted before it is sent, so an attempt whose answer was lost counts too.
    """

    def __init__(self) -> None:
        self._bound: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def may_exist(self, ask: InfluxQL, grouped: Grouped, places: Places) -> NDArray[np.bool_]:
        """For each line whether one at the same place and time may be stored; then counts them as stored."""
        first, head, last = self._points(grouped, places)
        unknown = np.flatnonzero(self._bound[head] == _UNKNOWN)
        if len(unknown):
            since = grouped.time[first[unknown]].tolist()
            found = newest_times(ask, [(places.points[h], t) for h, t in zip(head[unknown].tolist(), since, strict=True)])
            self._bound[head[unknown]] = [t - 1 if newest is None else newest for t, newest in zip(since, found, strict=True)]
        exists: NDArray[np.bool_] = grouped.time <= self._bound[grouped.head]
        self._bound[head] = np.maximum(self._bound[head], grouped.time[last])
        return exists

    def touched(self, grouped: Grouped, places: Places) -> None:
        """Flags were written here: raise the bound of the points known."""
        _, head, last = self._points(grouped, places)
        known = self._bound[head] != _UNKNOWN
        self._bound[head[known]] = np.maximum(self._bound[head[known]], grouped.time[last[known]])

    def forget(self) -> None:
        """Ask again (after a reconnect by hand: somebody else may have written meanwhile)."""
        self._bound[:] = _UNKNOWN

    def _points(self, grouped: Grouped, places: Places) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.intp]]:
        """The first line of each point, its head, and its last line: a point's oldest and newest time."""
        if len(self._bound) < len(places.heads):
            more = np.full(2 * len(places.heads) - len(self._bound), _UNKNOWN)
            self._bound = np.concatenate([self._bound, more])
        n = len(grouped.head)
        first = np.flatnonzero(np.append(True, grouped.head[1:] != grouped.head[:-1])) if n else np.zeros(0, dtype=np.intp)
        return first, grouped.head[first], np.append(first[1:], n)[: len(first)] - 1
