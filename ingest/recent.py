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

    def overwritten(self, batch: Batch) -> NDArray[np.int32]:
        """The series of each row of `batch` (in order of arrival) that has another value than one of its identity before it."""
        if not len(batch):
            return np.zeros(0, dtype=np.int32)
        self._grow(int(batch.series.max()) + 1)
        order = np.lexsort((batch.time, batch.series))  # stable: equal identities keep their order of arrival
        series, time, value = batch.series[order], batch.time[order], batch.value[order]
        twin = (series[1:] == series[:-1]) & (time[1:] == time[:-1])
        replaced = series[1:][twin & (value[1:] != value[:-1])]
        first = np.append(True, ~twin)
        known = first & (time == self._time[series]) & (value != self._value[series])
        last = np.append(series[1:] != series[:-1], True)
        newer = last & (time >= self._time[series])
        self._time[series[newer]], self._value[series[newer]] = time[newer], value[newer]
        return np.concatenate([replaced, series[known]])

    def _grow(self, size: int) -> None:
        if size > len(self._time):
            more = max(size, 2 * len(self._time)) - len(self._time)
            self._time = np.append(self._time, np.zeros(more, dtype=np.int64))
            self._value = np.append(self._value, np.zeros(more))
