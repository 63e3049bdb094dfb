"""How far apart the readings of a series are: the median of its last gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch

GAPS = 20  # an interval is the median of so many last gaps
FEW_GAPS = 3  # fewer say little: they only stand where nothing is known yet

_LONGEST = np.iinfo(np.int32).max  # a gap of 24 days and over is none


class Intervals:
    """The last gaps of each series of a growing list, as they are written."""

    def __init__(self) -> None:
        self._gaps = np.full((0, GAPS), _LONGEST, dtype=np.int32)
        self._count = np.zeros(0, dtype=np.int64)
        self._known = np.zeros(0, dtype=np.int64)
        self._stale = np.zeros(0, dtype=np.bool_)

    def grow(self, known: NDArray[np.int64]) -> None:
        """More series, with the interval each had before, 0 where nobody knows."""
        self._gaps = np.concatenate([self._gaps, np.full((len(known), GAPS), _LONGEST, dtype=np.int32)])
        self._count = np.append(self._count, np.zeros(len(known), dtype=np.int64))
        self._known = np.append(self._known, known)
        self._stale = np.append(self._stale, np.zeros(len(known), dtype=np.bool_))

    def add(self, batch: Batch, before: NDArray[np.int64]) -> None:
        """Rows sorted by (series, time); `before` (n,): for the first row of a series the time of its row before, else what you like."""
        starts = np.append(True, batch.series[1:] != batch.series[:-1])
        previous = np.where(starts, before, np.append(0, batch.time[:-1]))
        gap = batch.time - previous
        real = (gap > 0) & (gap < _LONGEST)  # a late row closes no gap
        if not real.any():
            return
        series, gap = batch.series[real], gap[real]
        first = np.flatnonzero(np.append(True, series[1:] != series[:-1]))
        counts = np.diff(np.append(first, len(series)))
        rank = np.arange(len(series)) - np.repeat(first, counts)
        kept = np.repeat(counts, counts) - rank <= GAPS
        self._gaps[series[kept], (self._count[series] + rank)[kept] % GAPS] = gap[kept]
        self._count[series[first]] += counts
        # where all gaps are the interval itself its median stays what it is
        self._stale[series[gap != self._known[series]]] = True

    def median(self) -> NDArray[np.int64]:
        """The interval of each series [ms], 0 while nobody knows: one row after a long time says nothing."""
        told = np.flatnonzero(self._stale & ((self._count >= FEW_GAPS) | ((self._known == 0) & (self._count > 0))))
        if len(told):
            gaps = np.sort(self._gaps[told], axis=1)  # what is absent is longest
            n = np.minimum(self._count[told], GAPS)
            at = np.arange(len(told))
            self._known[told] = (gaps[at, (n - 1) // 2].astype(np.int64) + gaps[at, n // 2]) // 2
        self._stale[:] = False
        return self._known
