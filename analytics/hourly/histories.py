"""From readings to hours: what models of hours learn from and speak from in operation, made in one place for both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.daily.histories import name_of
from analytics.history import Floats, History, Times, stretches
from analytics.hourly.panel import Hourly
from core.errors import ConfigError
from core.forecast import HOUR_MS


def hourly_of(histories: Sequence[History], at: int, *, hours: int) -> Hourly:
    """The `hours` hours up to and with the one that holds `at` [ms], of these points, all of one time zone.

    Nothing read at or after `at` is looked at: of the last hour `value` is NaN and `begun` the highest so far. Salinity under 0 counts as 0.
    Raises ConfigError for points of several time zones, or of none.
    """
    zones = sorted({h.zone for h in histories})
    if len(zones) != 1:
        raise ConfigError(f"hours are made of points of one time zone, and these have {', '.join(zones) or 'none'}: group the points by zone")
    now = at // HOUR_MS * HOUR_MS
    start = now - (hours - 1) * HOUR_MS
    starts = start + np.arange(hours, dtype=np.int64) * HOUR_MS
    columns = [_columns(h.between(start, at), starts) for h in histories]
    return Hourly(
        zone=zones[0],
        start=start,
        stations=tuple(name_of(h) for h in histories),
        value=np.stack([value for value, _ in columns], axis=1),
        begun=np.stack([begun for _, begun in columns], axis=1),
    )


def _columns(history: History, starts: Times) -> tuple[Floats, Floats]:
    """`value` and `begun` of a point (n,)."""
    high = np.maximum(stretches(history, starts, starts + HOUR_MS).high, 0.0)
    begun = np.full(len(starts), np.nan)
    read = np.isfinite(high)
    begun[read] = np.maximum(history.value[np.searchsorted(history.time, starts[read])], 0.0)
    begun[-1] = high[-1]
    value = high.copy()
    value[-1] = np.nan
    return value, begun
