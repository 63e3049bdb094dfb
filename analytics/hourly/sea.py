"""The tide of a zone's port by half-hours, known years ahead; where no port is known, the beats of moon and sun."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from analytics.hourly.panel import Floats, Index
from core.forecast import HOUR_MS
from core.tide import Port, level, port_of_zone, shipped_ports

STEP_MS = HOUR_MS // 2
BEATS_H = (12.4206, 23.9345, 354.367, 661.31)  # hours: the moon's half-day and the sidereal day; springs and neaps; perigee
_BLOCK = 1024  # half-hours are worked out in fixed blocks, so that what else is asked for changes no bit of one
_DAY = 50  # half-hours: a tidal day lies within


@dataclass(frozen=True, slots=True, kw_only=True)
class Sea:
    """Of half-hours from `start` on [ms], (n,): `level` [m], and the highest and lowest of the 25 hours around; NaN where the zone has no port."""

    start: int
    level: Floats
    high: Floats
    low: Floats

    def at(self, name: str, times: Floats) -> Floats:
        """`level`, `high` or `low` at instants [ms] of any shape, linear between half-hours."""
        values: Floats = getattr(self, name)
        place = (times - self.start) / STEP_MS
        before = np.floor(place).astype(np.int64)
        share = place - before
        found: Floats = values[before] * (1 - share) + values[before + 1] * share
        return found


def sea(zone: str, start: int, end: int) -> Sea:
    """For instants start ≤ t ≤ end [ms]."""
    first, last = start // STEP_MS // _BLOCK, (end // STEP_MS + 2) // _BLOCK
    blocks = [_block(zone, b) for b in range(first, last + 1)]
    parts = [np.concatenate([block[i] for block in blocks]) for i in range(3)]
    return Sea(start=first * _BLOCK * STEP_MS, level=parts[0], high=parts[1], low=parts[2])


def has_port(zone: str) -> bool:
    """Whether the tide of the zone is known."""
    return _port(zone) is not None


def turns(times: Floats) -> list[Floats]:
    """Cosine and sine of where moon and sun stand at instants [ms]."""
    hours = (times - 946_684_800_000) / HOUR_MS  # from 2000-01-01
    angles = [2 * np.pi * hours / period for period in BEATS_H]
    return [turn(angle) for angle in angles for turn in (np.cos, np.sin)]


@lru_cache(maxsize=512)
def _block(zone: str, block: int) -> tuple[Floats, Floats, Floats]:
    if _port(zone) is None:
        return (np.full(_BLOCK, np.nan),) * 3
    around = np.concatenate([_levels(zone, b) for b in (block - 1, block, block + 1)])[_BLOCK - _DAY // 2 : 2 * _BLOCK + _DAY // 2]
    windows = np.lib.stride_tricks.sliding_window_view(around, _DAY + 1)
    return _levels(zone, block), windows.max(axis=1), windows.min(axis=1)


@lru_cache(maxsize=512)
def _levels(zone: str, block: int) -> Floats:
    port = _port(zone)
    assert port is not None  # noqa: S101 (asked by _block alone)
    times: Index = (block * _BLOCK + np.arange(_BLOCK, dtype=np.int64)) * STEP_MS
    return level(port, times)


@cache
def _port(zone: str) -> Port | None:
    return port_of_zone(zone, shipped_ports())
