"""Readings that replace another value: the last write wins in every store, and is counted where the loser is still known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch


class Recent:
    """The newest row of every series met since start; beside the rows of a batch it is the window that is looked at."""

    def __init__(self) -> None:
        self._time = np.zeros(0, dtype=np.int64)
        self._value = np.zeros(0)
        self.late = 0  # rows that came after a newer one of their series

    def overwritten(self, rows: Batch) -> NDArray[np.int32]:
        """The series of each row that has another value than one of its identity before it.

        `rows` are sorted by (series, time), those of one identity in order of arrival.
        """
        if not len(rows):
            return np.zeros(0, dtype=np.int32)
        self._grow(int(rows.series[-1]) + 1)
        series, time, value = rows.series, rows.time, rows.value
        known = (time == self._time[series]) & (value != self._value[series])
        twin = (series[1:] == series[:-1]) & (time[1:] == time[:-1])
        known[1:] &= ~twin
        found: NDArray[np.int32] = series[known]
        return np.concatenate([series[1:][twin & (value[1:] != value[:-1])], found]) if twin.any() else found

    def keep(self, batch: Batch) -> None:
        """Remember the newest row of each series of a sorted batch."""
        if not len(batch):
            return
        last = batch.last_of_series()
        series, time = batch.series[last], batch.time[last]
        self._grow(int(series[-1]) + 1)
        self.late += int(np.count_nonzero(batch.time < self._time[batch.series]))
        newer = time >= self._time[series]
        series = series[newer]
        self._time[series], self._value[series] = time[newer], batch.value[last][newer]

    def _grow(self, size: int) -> None:
        if size > len(self._time):
            more = max(size, 2 * len(self._time)) - len(self._time)
            self._time = np.append(self._time, np.zeros(more, dtype=np.int64))
            self._value = np.append(self._value, np.zeros(more))
