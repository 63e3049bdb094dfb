"""What sun and moon do on a day, known years ahead: the tide of the zone's port, the beats of springs and neaps, the time of year."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from analytics.daily.panel import TWELFTHS, Floats, Index
from core.tide import Port, daily, port_of_zone, shipped_ports

BEATS = (14.7653, 27.5546, 13.6608, 182.621)  # days: springs and neaps; perigee; declination of the moon, and of the sun
YEAR = 365.2422
HIGH, LOW, RANGE, MEAN = range(4)  # columns of `Sky.tide`
_COLUMNS = 4 + TWELFTHS
_BLOCK = 64  # days are worked out in fixed blocks, so that what else is asked for changes no bit of a day
_LAGS = ((HIGH, 0), (RANGE, 0), (HIGH, 1), (RANGE, 1), (HIGH, 2), (RANGE, 2), (RANGE, 4))  # days before: the water takes its time upstream
_USUAL = np.datetime64("2020-01-01"), np.datetime64("2024-01-01")  # the tide's mean and spread are those of these years


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """Of `n` days from `first` on (days since 1970): `tide` (n, 4) [m], NaN where the zone has no port; `beats` (n, 8), `year` (n, 2): cosine and sine.

    `course` (n, TWELFTHS) [m]: the port's tide in the middle of each twelfth of the day.
    `drive` (n, k): what a station's water answers to, in units of its spread: the port's tide of the day and of days before, else the beats.
    """

    first: int
    tide: Floats
    course: Floats
    beats: Floats
    year: Floats
    drive: Floats


def sky(zone: str, first: int, n: int) -> Sky:
    """Of `n` days from `first` on (days since 1970)."""
    days = np.arange(first, first + n, dtype=np.int64)
    beats = np.concatenate([_turn(days, period) for period in BEATS], axis=1)
    tide = _tide(zone, first, n)
    return Sky(
        first=first,
        tide=tide[:, :-TWELFTHS],
        course=tide[:, -TWELFTHS:],
        beats=beats,
        year=_turn(days, YEAR),
        drive=beats[:, :6] / np.sqrt(6) if _port(zone) is None else _drive(zone, first, n),
    )


def _turn(days: Index, period: float) -> Floats:
    angle = 2 * np.pi * (days - 10_957) / period  # from 2000-01-01
    return np.stack((np.cos(angle), np.sin(angle)), axis=1)


def _drive(zone: str, first: int, n: int) -> Floats:
    middle, spread = _usual(zone)
    tide = (_tide(zone, first - 4, n + 4) - middle) / spread
    found: Floats = np.stack([tide[4 - back : 4 - back + n, column] for column, back in _LAGS], axis=1) / np.sqrt(len(_LAGS))
    return found


def _tide(zone: str, first: int, n: int) -> Floats:
    """The columns of `Sky.tide`, then those of `Sky.course`."""
    blocks = [_block(zone, b) for b in range(first // _BLOCK, (first + n - 1) // _BLOCK + 1)]
    start = first % _BLOCK
    return np.concatenate(blocks)[start : start + n]


@lru_cache(maxsize=1024)
def _block(zone: str, block: int) -> Floats:
    port = _port(zone)
    if port is None:
        return np.full((_BLOCK, _COLUMNS), np.nan)
    found = daily(port, zone, (block * _BLOCK + np.arange(_BLOCK)).astype("datetime64[D]"))
    return np.column_stack((found.high, found.low, found.range, found.mean, found.course))


@cache
def _usual(zone: str) -> tuple[Floats, Floats]:
    first, end = (int(day.astype(np.int64)) for day in _USUAL)
    tide = _tide(zone, first, end - first)
    return tide.mean(axis=0), tide.std(axis=0)


@cache
def _port(zone: str) -> Port | None:
    return port_of_zone(zone, shipped_ports())
