"""The scale of a driver comes from training days alone, at stations that were measured there."""

from __future__ import annotations

import numpy as np

from analytics.daily.drivers import drivers_of
from analytics.daily.panel import Daily, Floats


def panel(stations: int, salt: Floats, river: Floats) -> Daily:
    values = np.column_stack([salt] * stations)
    same = dict.fromkeys(("high", "low", "mean", "last", "evening"), values)
    names = tuple("abcdefg"[:stations])
    days = np.datetime64("2020-01-01") + np.arange(len(salt))
    return Daily(zone="UTC", days=days, stations=names, target=values, drivers={"river": np.column_stack([river] * stations)}, **same)


def test_a_station_that_is_first_measured_later_changes_no_bit() -> None:
    """Its column of a driver that bears on all of them is there, but none of its days."""
    draw = np.random.default_rng(3)
    salt, river = draw.gamma(2.0, 1.0, 997), draw.normal(0, 1, 997)
    three = panel(3, salt, river)
    for later in (1, 2, 3, 4):
        more = panel(3 + later, salt, river)
        more.target[:, 3:] = np.nan
        assert drivers_of(more) == drivers_of(three)
