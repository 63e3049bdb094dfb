"""Readings in columns: what travels from decode to store. One row is one value of one series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Columns of equal length n; rows may repeat an identity, and then the later row wins.

    series (n,) int32 index into a table of `SeriesKey`; time (n,) int64 ms since 1970 UTC; value (n,) float64;
    flag (n,) uint8 QARTOD; tests (n,) int64 bits of suspecting or failing tests; received (n,) int64 ms.
    """

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    flag: NDArray[np.uint8]
    tests: NDArray[np.int64]
    received: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.series)

    @classmethod
    def of(
        cls,
        series: Sequence[int] | NDArray[np.int32],
        time: Sequence[int] | NDArray[np.int64],
        value: Sequence[float] | NDArray[np.float64],
        *,
        flag: Sequence[int] | NDArray[np.uint8] | None = None,
        tests: Sequence[int] | NDArray[np.int64] | None = None,
        received: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Batch:
        """A batch from sequences; without flags the rows are 2 (not evaluated), without `received` it is the time."""
        n = len(series)
        times = np.asarray(time, dtype=np.int64)
        return cls(
            series=np.asarray(series, dtype=np.int32),
            time=times,
            value=np.asarray(value, dtype=np.float64),
            flag=np.full(n, 2, dtype=np.uint8) if flag is None else np.asarray(flag, dtype=np.uint8),
            tests=np.zeros(n, dtype=np.int64) if tests is None else np.asarray(tests, dtype=np.int64),
            received=times.copy() if received is None else np.asarray(received, dtype=np.int64),
        )

    @classmethod
    def empty(cls) -> Batch:
        """No rows."""
        return cls.of([], [], [])

    @classmethod
    def concat(cls, parts: Sequence[Batch]) -> Batch:
        """All rows of `parts`, in order."""
        if not parts:
            return cls.empty()
        return cls(
            series=np.concatenate([p.series for p in parts]),
            time=np.concatenate([p.time for p in parts]),
            value=np.concatenate([p.value for p in parts]),
            flag=np.concatenate([p.flag for p in parts]),
            tests=np.concatenate([p.tests for p in parts]),
            received=np.concatenate([p.received for p in parts]),
        )

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Batch:
        """The rows chosen by an index array, a mask or a slice."""
        return Batch(
            series=self.series[rows],
            time=self.time[rows],
            value=self.value[rows],
            flag=self.flag[rows],
            tests=self.tests[rows],
            received=self.received[rows],
        )

    def last_wins(self) -> Batch:
        """Sorted by (series, time), one row per identity: the last of the batch (a store's upsert, in advance)."""
        return self.take(np.lexsort((self.time, self.series))).distinct()  # stable: equal identities keep their order of arrival

    def distinct(self) -> Batch:
        """Of a batch sorted by (series, time) the last row of each identity."""
        twin = (self.series[1:] == self.series[:-1]) & (self.time[1:] == self.time[:-1])
        return self.take(np.append(~twin, True)) if twin.any() else self

    def last_of_series(self) -> NDArray[np.intp]:
        """Of a batch sorted by (series, time) where the last row of each series is (m,)."""
        return np.append(np.flatnonzero(self.series[1:] != self.series[:-1]), len(self) - 1) if len(self) else np.zeros(0, dtype=np.intp)
