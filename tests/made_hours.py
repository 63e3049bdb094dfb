"""Hours that a test makes: tides with springs and neaps over a slow course, and models that learned from a few weeks of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from unittest.mock import patch

import numpy as np

from analytics.history import MINUTE_MS, History
from analytics.hourly.histories import hourly_of
from analytics.hourly.model import FittedHours, hour_models
from analytics.hourly.panel import Hourly
from core.forecast import HOUR_MS
from core.instant import parse_rfc3339

ZONE = "Asia/Ho_Chi_Minh"
BEGIN = parse_rfc3339("2026-01-10T00:00:00+07:00") or 0
DAYS = 50
LEARNED = 36 * 24  # hours a model learns from
NAMES = ("an", "binh", "cai")


def salt(time: np.ndarray, place: int, seed: int = 0) -> np.ndarray:
    """g/L at instants [ms] of a place: the higher its number, the saltier."""
    rng = np.random.default_rng((seed, place))
    hours = time / HOUR_MS
    tide = np.sin(2 * np.pi * hours / 12.42) * (1 + 0.5 * np.cos(2 * np.pi * hours / 354.37))
    slow = 0.3 * np.sin(2 * np.pi * hours / 900 + place)
    return np.round(np.exp(0.5 * tide + slow + place - 1.2 + rng.normal(0, 0.05, len(time))), 2)


def history(place: int = 1, *, step: int = 2 * HOUR_MS, days: float = DAYS, until: int = BEGIN + DAYS * 24 * HOUR_MS, lost: float = 0.03) -> History:
    """Readings at odd hours, or more often; some are lost."""
    time = np.arange(BEGIN + HOUR_MS, until, step, dtype=np.int64)
    value = salt(time, place)
    kept = (np.random.default_rng(place).random(len(time)) >= lost) & (time >= until - int(days * 24 * HOUR_MS))
    return History(station=NAMES[place % len(NAMES)], point="main", zone=ZONE, time=time[kept], value=value[kept])


def panel(*, step: int = 2 * HOUR_MS, lost: float = 0.03, places: int = len(NAMES)) -> Hourly:
    """All places and days, every hour of them over; a gap of four days at the first, and the last place was never read. Nothing of it can be written to."""
    end = BEGIN + DAYS * 24 * HOUR_MS
    found = hourly_of([history(i, step=step, lost=lost) for i in range(places)], end + MINUTE_MS, hours=DAYS * 24 + 1).between(0, DAYS * 24)
    value, begun = found.value.copy(), found.begun.copy()
    for array in (value, begun):
        array[20 * 24 : 24 * 24, 0] = np.nan
        array[:, -1] = np.nan
        array.setflags(write=False)
    return replace(found, value=value, begun=begun)


PANEL = panel()
OFTEN = panel(step=15 * MINUTE_MS)


@cache
def fitted(name: str = "boosted") -> FittedHours:
    """It learned from readings every two hours, from fewer than it would elsewhere: a test has no time."""
    with patch("analytics.hourly.learning.ROWS", 6_000):
        return hour_models()[name].fit(PANEL.between(0, LEARNED))
