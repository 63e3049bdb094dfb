"""What is known of a set of points by hours: the columns every model of hours is shown."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.forecast import HOUR_MS

Floats = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hourly:
    """Hour i begins at `start` + i hours [ms]; hours are those of the clock in UTC. `value`, `begun` (n, m): hours × `stations`, all in time zone `zone`.

    `value` is the highest salinity of the hour [g/L], NaN where nothing was read: of readings every two hours, every second one. `begun` is
    what was known of the hour once it had begun: its first reading, and in the last hour of a panel in operation the highest so far.

    A forecast issued within hour i is told `value` of the hours before i, and `begun` of hour i, which is NaN where nothing was read in it yet.
    """

    zone: str
    start: int
    stations: tuple[str, ...]
    value: Floats
    begun: Floats

    @property
    def times(self) -> Index:
        """When each hour begins (n,) [ms]."""
        found: Index = self.start + np.arange(len(self.value), dtype=np.int64) * HOUR_MS
        return found

    def between(self, first: int, end: int) -> Hourly:
        """The hours from `first` on, up to `end` without it."""
        return replace(self, start=self.start + first * HOUR_MS, value=self.value[first:end], begun=self.begun[first:end])

    def only(self, columns: NDArray[np.intp]) -> Hourly:
        """These stations alone."""
        stations = tuple(self.stations[i] for i in columns.tolist())
        return replace(self, stations=stations, value=self.value[:, columns], begun=self.begun[:, columns])
