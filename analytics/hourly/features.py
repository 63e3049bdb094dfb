"""What a model of hours is told of an issue and a lead: the station's own last 16 days, and the tide that is known ahead.

Salinity stands as log1p. The hour ahead has a source: the same phase of the tide (24.84 h) one, two or three tidal days before, the last of them that
was read. `LEVELS` are told relative to the line asked about; all else are differences, the tide and the lead. Between readings at most 3 hours apart the
course is linear, so that of readings every two hours the hours between are told and said too. A row's numbers come from its own window alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.hourly.panel import Floats, Hourly, Index
from analytics.hourly.sea import has_port, sea, turns
from core.forecast import HOUR_MS

TIDAL_DAY = 24.84  # hours
SPRINGS = 14.765 * 24  # hours
MEMORY = 17 * 24  # hours of an issue's window, its own included
OLDEST = 6  # hours since the last reading: beyond, nothing is said
LEVELS = ("back", "now", "back2", "half", "high", "low", "mean", "springs", "floor")
_GAP = 3  # hours between two readings: within, the course is linear
_LAGS = (1.5, 3.0, 4.5, 6.0, 9.0)  # hours: the water takes its time upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Of k issues at L leads, (k, L) each by name, NaN where not known. `reading` (k,): hours from the last reading to the issue's hour; NaN: too old."""

    columns: dict[str, Floats]
    reading: Floats


def windows(hourly: Hourly, hour: Index, station: Index) -> Floats:
    """log1p of what was known at each issue (k, MEMORY), the issue's own hour last."""
    rows = hour[:, None] - np.arange(MEMORY - 1, -1, -1)
    found = np.where(rows >= 0, hourly.value[np.maximum(rows, 0), station[:, None]], np.nan)
    found[:, -1] = hourly.begun[hour, station]
    window: Floats = np.log1p(np.maximum(found, 0.0))
    return window


def told(hourly: Hourly, hour: Index, window: Floats, leads: Index) -> Told:
    """Of issues in `hour` (k,) with these windows (k, MEMORY), at `leads` (k, L)."""
    n = leads.shape[1]
    ahead: Floats = leads.astype(np.float64) - 1
    known = np.isfinite(window)
    last = np.where(known.any(axis=1), MEMORY - 1 - np.argmax(known[:, ::-1], axis=1), -1)
    reading = np.where(last >= MEMORY - 1 - OLDEST, MEMORY - 1.0 - last, np.nan)
    course = _Course(line=_line(window, known), last=last.astype(np.float64)[:, None])
    target: Floats = MEMORY - 1 + ahead
    tidal_days = np.maximum(np.ceil((target - course.last) / TIDAL_DAY), 1.0)
    source = target - tidal_days * TIDAL_DAY
    c: dict[str, Floats] = {}
    back = c["back"] = course.at(source)
    c["now"] = course.at(course.last + 0 * target)
    c["back2"] = course.at(source - TIDAL_DAY)
    c["half"] = course.at(source + TIDAL_DAY / 2)
    day, before = window[:, -26:], window[:, -50:-24]
    high, low, mean = (_flat(f(day), n) for f in (_highest, _lowest, _mean))
    c["high"], c["low"], c["mean"] = high, low, mean
    c["springs"] = course.at(target - SPRINGS)
    c["floor"] = np.minimum(back, c["back2"])
    c["now_back"], c["back2_back"], c["half_back"] = c["now"] - back, c["back2"] - back, c["half"] - back
    c["before"], c["after"] = course.at(source - 2) - back, course.at(source + 2) - back
    c["before1"], c["after1"] = course.at(source - 1) - back, course.at(source + 1) - back
    c["same_hour"] = course.at(target - np.ceil(np.maximum(target - course.last, 1) / 24) * 24) - back
    c["rank"] = (back - low) / (high - low + 0.02)
    c["spread"] = high - low
    for name, f, one in (("high", _highest, high), ("low", _lowest, low), ("mean", _mean, mean)):
        c[f"{name}_day"] = one - _flat(f(before), n)
    week = window[:, -168:]
    c["mean_week"] = _flat(_mean(week), n) - mean
    c["high_week"] = _flat(_highest(window[:, -194:-168]), n) - high
    c["now_day"] = c["now"] - course.at(course.last - TIDAL_DAY + 0 * target)
    c["now_3"] = c["now"] - course.at(course.last - 3.0 + 0 * target)
    c["springs_back"] = c["springs"] - back
    c["springs_change"] = c["springs"] - course.at(source - SPRINGS)
    c["lead"] = ahead
    c["since"] = target - course.last
    c["reading"] = reading[:, None] + 0 * target
    _tide(c, hourly, hour, target, source)
    return Told(columns=c, reading=reading)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """`line` (k, MEMORY), linear between readings; `last` (k, 1): where the last reading stands."""

    line: Floats
    last: Floats

    def at(self, place: Floats) -> Floats:
        """At places (k, L) of the window, those after the last reading as at it."""
        place = np.minimum(place, self.last)
        inside = place >= 0
        place = np.where(inside, place, 0.0)
        before = np.floor(place).astype(np.int64)
        share = place - before
        rows = np.arange(len(place))[:, None]
        after = np.where(share > 0, before + 1, before)
        found = self.line[rows, before] * (1 - share) + self.line[rows, after] * share
        return np.where(inside, found, np.nan)


def _line(window: Floats, known: NDArray[np.bool_]) -> Floats:
    """Linear between readings at most `_GAP` hours apart."""
    place = np.arange(MEMORY)
    before = np.maximum.accumulate(np.where(known, place, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, place, MEMORY)[:, ::-1], axis=1)[:, ::-1]
    near = (before >= 0) & (after < MEMORY) & (after - before <= _GAP)
    rows = np.arange(len(window))[:, None]
    a, z = np.where(near, before, 0), np.where(near, after, 0)
    share = (place - a) / np.maximum(z - a, 1)
    found: Floats = np.where(near, window[rows, a] * (1 - share) + window[rows, z] * share, np.nan)
    return found


def _flat(values: Floats, n: int) -> Floats:
    return np.repeat(values[:, None], n, axis=1)


def _highest(part: Floats) -> Floats:
    return _some(np.where(np.isfinite(part), part, -np.inf).max(axis=1))


def _lowest(part: Floats) -> Floats:
    return _some(np.where(np.isfinite(part), part, np.inf).min(axis=1))


def _mean(part: Floats) -> Floats:
    known = np.isfinite(part)
    count = known.sum(axis=1)
    total = np.zeros(len(part))
    for column in np.where(known, part, 0.0).T:  # one after the other: a row's bits are its own
        total += column
    found: Floats = np.divide(total, count, out=np.full(len(part), np.nan), where=count > 0)
    return found


def _some(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _tide(c: dict[str, Floats], hourly: Hourly, hour: Index, target: Floats, source: Floats) -> None:
    """The tide at the hour ahead and the hours before it, and how it differs from that at its source; or where moon and sun stand."""
    issued = hourly.start + hour[:, None] * float(HOUR_MS)
    at, then = (issued + (place - (MEMORY - 1.0)) * HOUR_MS for place in (target, source))
    if not has_port(hourly.zone):
        c |= {f"turn{i}": turn for i, turn in enumerate(turns(at))}
        return
    above = sea(hourly.zone, int(then.min(initial=hourly.start)) - 12 * HOUR_MS, int(at.max(initial=hourly.start)) + HOUR_MS)
    for lag in (0.0, *_LAGS):
        level = above.at("level", at - lag * HOUR_MS)
        c[f"tide{lag:g}"] = level
        c[f"tide{lag:g}_change"] = level - above.at("level", then - lag * HOUR_MS)
    high, low = above.at("high", at), above.at("low", at)
    high_then, low_then = above.at("high", then), above.at("low", then)
    c["tide_high"], c["tide_range"] = high, high - low
    c["tide_high_change"], c["tide_low_change"] = high - high_then, low - low_then
    c["tide_range_change"] = (high - low) - (high_then - low_then)
