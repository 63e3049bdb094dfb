"""What is known of a set of stations by local days: the columns every model of days is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core import tide

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]
Index = NDArray[np.int64]
TWELFTHS = tide.TWELFTHS  # of a day: the water's course is held against the tide's


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """`days` (n,) datetime64[D], rising without gaps, local days of `zone`; every array (n, m): days × `stations`, NaN where nothing was measured.

    `target` is what is forecast: the day's highest, lowest or mean. `high`, `low`, `mean`, `last` (the day's last reading) and `evening`
    (mean of what was read from 16 h on) are equal where the data hold one value a day. `drivers` are other quantities of the day by
    name (discharge, level, wind), NaN for a station they do not bear on. A model may use day t only for what it issues at the end of t.

    `course` (TWELFTHS, n, m) is the mean of what was read in each twelfth of the day; None: not known.

    In operation day t ends when forecasts are issued (05:00 of the next) and the columns are of the 24 h until then. What is forecast, and
    learned, is the local day from midnight on: `truth` (n, m). None: both are the same.
    """

    zone: str
    days: Days
    stations: tuple[str, ...]
    target: Floats
    high: Floats
    low: Floats
    mean: Floats
    last: Floats
    evening: Floats
    drivers: Mapping[str, Floats]
    truth: Floats | None = None
    course: Floats | None = None

    @property
    def came(self) -> Floats:
        """(n, m): what a forecast of the day is held against."""
        return self.target if self.truth is None else self.truth

    def first(self, n: int) -> Daily:
        """The first `n` days: what was known at the end of day n − 1."""
        return self._cut(slice(None, n), slice(None), stations=self.stations, days=self.days[:n])

    def only(self, columns: NDArray[np.intp]) -> Daily:
        """These stations alone."""
        return self._cut(slice(None), columns, stations=tuple(self.stations[i] for i in columns.tolist()), days=self.days)

    def _cut(self, rows: slice, columns: slice | NDArray[np.intp], *, stations: tuple[str, ...], days: Days) -> Daily:
        arrays = {name: getattr(self, name)[rows, columns] for name in ("target", "high", "low", "mean", "last", "evening")}
        truth = None if self.truth is None else self.truth[rows, columns]
        course = None if self.course is None else self.course[:, rows, columns]
        return replace(
            self, days=days, stations=stations, drivers={name: v[rows, columns] for name, v in self.drivers.items()}, truth=truth, course=course, **arrays
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Issues and the days they are about: `day` (k,) index of the issue's day, `station` (k,) index, `lead` in days; the truth is came[day + lead]."""

    day: Index
    station: Index
    lead: int

    @classmethod
    def of(cls, daily: Daily, lead: int) -> Pairs:
        """Wherever both the issue's day and the day ahead were observed."""
        seen = np.isfinite(daily.target)
        both = np.zeros_like(seen)
        both[:-lead] = seen[:-lead] & np.isfinite(daily.came)[lead:]
        day, station = np.nonzero(both)
        return cls(day=day.astype(np.int64), station=station.astype(np.int64), lead=lead)

    def where(self, mask: NDArray[np.bool_]) -> Pairs:
        """Those of the mask (k,)."""
        return Pairs(day=self.day[mask], station=self.station[mask], lead=self.lead)

    def truth(self, daily: Daily) -> Floats:
        """What came (k,)."""
        found: Floats = daily.came[self.day + self.lead, self.station]
        return found
