"""What a model sees of a point: its good, judged readings in columns, and their highest and lowest over stretches of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.forecast import HOUR_MS

Times = NDArray[np.int64]
Floats = NDArray[np.float64]

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
TIDAL_DAY_MS = DAY_MS + 50 * MINUTE_MS  # two tides: the moon is back over the same meridian 50 minutes later each day
LONGEST_GAP_MS = 4 * HOUR_MS  # a stretch with a longer one may have lost its highest or lowest tide


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Good readings of one quantity at one point, rising in time: `time` (n,) int64 ms, `value` (n,) float64 [g/L].

    `zone` is the station's time zone: days are local days.
    """

    station: str
    point: str
    zone: str
    time: Times
    value: Floats

    def between(self, start: int, end: int) -> History:
        """The readings with start ≤ time < end [ms]."""
        first, last = np.searchsorted(self.time, (start, end)).tolist()
        return History(station=self.station, point=self.point, zone=self.zone, time=self.time[first:last], value=self.value[first:last])

    @property
    def newest(self) -> int | None:
        """The time of the last reading [ms]."""
        return int(self.time[-1]) if len(self.time) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Highest and lowest value of each stretch (m,), NaN where nothing was read; `whole` (m,): no gap over the longest allowed, edges included."""

    high: Floats
    low: Floats
    whole: NDArray[np.bool_]


def stretches(history: History, starts: Times, ends: Times, *, longest_gap: int = LONGEST_GAP_MS) -> Stretches:
    """The readings with starts[i] ≤ time < ends[i], for each i; stretches may overlap. Shapes (m,) [ms]."""
    time, value = history.time, history.value
    first, last = np.searchsorted(time, starts), np.searchsorted(time, ends)
    some = last > first
    high, low = np.full(len(starts), np.nan), np.full(len(starts), np.nan)
    whole = np.zeros(len(starts), dtype=np.bool_)
    if not some.any():
        return Stretches(high=high, low=low, whole=whole)
    a, z = first[some], last[some]
    bounds = np.stack((a, z), axis=1).ravel()  # every second part is a stretch, those between are not wanted
    closed = np.append(value, value[-1])  # so that a stretch may end behind the last reading
    high[some] = np.maximum.reduceat(closed, bounds)[::2]
    low[some] = np.minimum.reduceat(closed, bounds)[::2]
    gaps = np.concatenate(([0], np.cumsum(np.diff(time) > longest_gap)))  # how many long gaps before each reading
    whole[some] = (gaps[z - 1] == gaps[a]) & (time[a] - starts[some] <= longest_gap) & (ends[some] - time[z - 1] <= longest_gap)
    return Stretches(high=high, low=low, whole=whole)


def hour_maxima(history: History, starts: Times) -> Floats:
    """The highest value of the hour from each of `starts` on (m,), NaN where nothing was read."""
    return stretches(history, starts, starts + HOUR_MS).high


def local_date(ms: int, zone: str) -> date:
    """The local day of an instant."""
    return datetime.fromtimestamp(ms // 1000, ZoneInfo(zone)).date()


def local_times(zone: str, first: date, days: int, *, hour: int = 0) -> Times:
    """That local hour of `days` days from `first` on [ms], (days,): the starts of the days for hour 0."""
    return np.array(_local_times(zone, first, days, hour), dtype=np.int64)


@lru_cache(maxsize=256)
def _local_times(zone: str, first: date, days: int, hour: int) -> tuple[int, ...]:
    at = ZoneInfo(zone)
    midnight = datetime(first.year, first.month, first.day, hour, tzinfo=at)
    # adding days to a local time keeps its hour, summer time or not
    return tuple(round((midnight + timedelta(days=n)).astimezone(UTC).timestamp() * 1000) for n in range(days))
