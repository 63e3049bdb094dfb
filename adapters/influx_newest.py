"""Where a row may have stood before, so that its test bits must be written out even when they are 0.

`_qt` is left out of a row that has none and is strictly newer than everything of its point: then nothing can show through
from below. What is newest is asked of the server once per point, and only from the batch's own oldest row of it on: for
live data that opens the newest shard alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.influx_query import InfluxQL
from adapters.influx_read import newest_times
from adapters.line_protocol import Place
from core.batch import Batch


class Newest:
    """For each point (measurement and tags) a time no stored row of it lies after [ms].

    Sound for one writer: a row is counted before it is sent, so an attempt whose answer was lost counts too.
    """

    def __init__(self) -> None:
        self._bound: dict[str, int] = {}

    def may_exist(self, ask: InfluxQL, batch: Batch, places: list[Place]) -> NDArray[np.bool_]:
        """For each row whether one of the same identity may be stored; then counts the batch's rows as stored."""
        heads: dict[str, int] = {}
        point_of = np.array([heads.setdefault(p.head, len(heads)) for p in places], dtype=np.int64)
        keys = {p.head: p.key for p in places}
        point = point_of[batch.series]
        oldest = np.full(len(heads), np.iinfo(np.int64).max, dtype=np.int64)
        newest = np.full(len(heads), np.iinfo(np.int64).min, dtype=np.int64)
        np.minimum.at(oldest, point, batch.time)
        np.maximum.at(newest, point, batch.time)
        unknown = {head: int(oldest[i]) for head, i in heads.items() if head not in self._bound}
        found = newest_times(ask, [(keys[head], since) for head, since in unknown.items()])
        for (head, since), time in zip(unknown.items(), found, strict=True):
            self._bound[head] = since - 1 if time is None else time
        bound = np.array([self._bound[head] for head in heads], dtype=np.int64)
        for head, i in heads.items():
            self._bound[head] = max(self._bound[head], int(newest[i]))
        exists: NDArray[np.bool_] = batch.time <= bound[point]
        return exists

    def touched(self, batch: Batch, places: list[Place]) -> None:
        """Flags were written here: raise the bound of the points known."""
        for i, where in enumerate(places):
            times = batch.time[batch.series == i]
            if where.head in self._bound and len(times):
                self._bound[where.head] = max(self._bound[where.head], int(times.max()))

    def forget(self) -> None:
        """Ask again (after a reconnect by hand: somebody else may have written meanwhile)."""
        self._bound.clear()
