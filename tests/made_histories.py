"""Readings that a test makes: two dry seasons by the hour at two points, moved by a river's discharge, and a small model that learned from them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from unittest.mock import patch

import numpy as np

from analytics.daily.gaussian import Kernel
from analytics.daily.histories import daily_of
from analytics.daily.models.ensemble import Ensemble, fit_ensemble
from analytics.history import DAY_MS, HOUR_MS, Floats, History
from analytics.model import DriverHistory
from core.bands import LINES
from core.instant import parse_rfc3339

ZONE = "Asia/Ho_Chi_Minh"
BEGIN = parse_rfc3339("2024-01-01T05:00:00+07:00") or 0
LEARNED = parse_rfc3339("2025-03-25T05:00:00+07:00") or 0  # the model knows no reading from here on
AT = parse_rfc3339("2025-04-10T05:00:00+07:00") or 0
DRY = 110  # days of a season, from New Year on
DAYS = (AT - BEGIN) // DAY_MS
LEADS = (2,)  # of the model: tomorrow


def discharge() -> Floats:
    """Of each day until three after AT, on a scale of logarithms; what comes is not to be guessed from what was."""
    rng = np.random.default_rng(5)
    found = np.zeros(DAYS + 3)
    for day in range(1, len(found)):
        found[day] = 0.7 * found[day - 1] + rng.normal(0, 1)
    return found


def histories() -> list[History]:
    """Salt of tomorrow is yesterday's discharge and little else: hourly, twice a day high and low."""
    rng, q = np.random.default_rng(6), discharge()
    dry = [day for day in range(2, len(q)) if day % 366 < DRY]
    found = []
    for name, level in (("a", 0.8), ("b", 1.3)):
        time = np.concatenate([BEGIN + day * DAY_MS + np.arange(24) * HOUR_MS for day in dry])
        peak = np.exp(level - 0.4 * q[np.array(dry) - 2] + rng.normal(0, 0.05, len(dry)))
        tide = 0.7 + 0.3 * np.cos(4 * np.pi * np.arange(24) / 24)
        found.append(History(station=name, point="main", zone=ZONE, time=time, value=(peak[:, None] * tide).ravel()))
    return found


def river(*, until: int = AT + 3 * DAY_MS) -> DriverHistory:
    """One reading a day, an hour before the panel's day ends; none from `until` on."""
    q = discharge()
    time = BEGIN + np.arange(len(q)) * DAY_MS + 23 * HOUR_MS
    there = time < until
    history = History(station="river", point="main", zone=ZONE, time=time[there], value=1000 * np.exp(0.3 * q[there]))
    return DriverHistory(name="discharge", statistic="mean", bears_on=None, history=history)


@cache
def fitted(target: str = "day_max") -> Ensemble:
    """Learned from both seasons up to LEARNED; the kernel of its Gaussian process is not."""
    daily = daily_of(histories(), (river(),), LEARNED, days=(LEARNED - BEGIN) // DAY_MS, target=target)
    with patch("analytics.daily.models.gaussian.fit_kernel", lambda values, above: Kernel()):
        return fit_ensemble(daily, LEADS, LINES)


def scrambled(history: History, at: int, seed: int) -> History:
    """The same before `at`; from then on other times and values."""
    rng = np.random.default_rng(seed)
    before = history.time < at
    later = np.unique(np.concatenate(([at], at + rng.integers(0, 3 * DAY_MS, 30))))
    time, value = np.concatenate((history.time[before], later)), np.concatenate((history.value[before], rng.exponential(20, len(later))))
    return replace(history, time=time, value=value)
