"""Climatology: each day ahead is as that station's days were in earlier years. What is known without any reading of today.

The point is the mean of the station's training days, the distribution theirs: of the whole span, or of the days within 45 or 15 days of
the same time of year, whichever said more of training years it had not seen. Few years do not show how far a new one may lie off, so
each day also stands for what it would have been in another year: moved by d/√n, with n the station's years and d the differences
between years' means at all stations (n years hold (1 − 1/n) of the variance between years, a new one lies off their mean by (1 + 1/n)
of it, and d's is twice it). A station it was not trained on is given all stations' days; one that was never read says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from analytics.daily.dressing import Scale, scale_of
from analytics.daily.model import LEVELS, DayModel, Fitted, Said, silence
from analytics.daily.panel import Daily, Days, Floats, Index
from analytics.empirical import MIN_ERRORS, Curve, curve

WINDOWS = (None, 45, 15)  # days to either side of the time of year; None: the whole span
LEAST = 20  # days in a window, or in a year that has a mean; of fewer in a window the station's whole span speaks
EVERY = 7  # of a year left out every seventh day is enough to choose a window
STEPS = (np.arange(9) + 0.5) / 9  # the differences between years are told by so many of their quantiles
ANY = ""  # stands for all stations in one


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The days of a station: year (n,), time of year (n,) from 0, and value (n,) on the scale; `years` that have a mean."""

    year: Index
    time: Index
    value: Floats
    means: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasts:
    """`of` by station, and of ANY; `apart`: quantiles of the differences between years, on the scale."""

    scale: Scale
    of: Mapping[str, Past]
    apart: Floats = field(default_factory=lambda: np.zeros(1))

    def values(self, name: str, when: int, window: int | None) -> Floats:
        """On the scale."""
        past = self.of[name]
        if window is None:
            return past.value
        gap = np.abs(past.time - when)
        near = np.minimum(gap, 366 - gap) <= window
        return past.value[near] if int(near.sum()) >= LEAST else past.value

    def curve(self, name: str, values: Floats) -> Curve:
        """Of `values` of that station, moved."""
        moves = self.apart / np.sqrt(max(len(self.of[name].means), 1))
        return curve(np.sort((values[:, None] + moves).ravel()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Climatology:
    """The same for every lead but for the day it is about."""

    pasts: Pasts
    window: int | None
    leads: tuple[int, ...]
    lines: tuple[float, ...]

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """See `analytics.daily.model.Fitted`."""
        read = np.isfinite(daily.target)
        first = np.where(read.any(axis=0), read.argmax(axis=0), len(daily.days))[station]
        source = np.array([name if name in self.pasts.of else ANY for name in daily.stations])[station]
        lines = self.pasts.scale.of(np.array(self.lines, dtype=np.float64))
        stated = cache(lambda name, when: self._stated(name, when, lines))
        found = {}
        for lead in self.leads:
            ahead = _time_of_year(daily.days[day] + lead)
            found[lead] = silence(len(day), self.lines)
            for i, when in zip(np.nonzero(day >= first)[0].tolist(), ahead[day >= first].tolist(), strict=True):
                said = stated(str(source[i]), when if self.window else 0)
                if said is not None:
                    found[lead].point[i], found[lead].quantiles[i], found[lead].p_gt[i] = said
        return found

    def _stated(self, name: str, when: int, lines: Floats) -> tuple[float, Floats, Floats] | None:
        """Point, quantiles and chances of one station and time of year; `lines` on the scale."""
        values = self.pasts.values(name, when, self.window)
        if len(values) < MIN_ERRORS:
            return None
        past = self.pasts.curve(name, values)
        return float(self.pasts.scale.back(values).mean()), self.pasts.scale.back(past.quantile(np.array(LEVELS))), past.above(lines)


def _fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
    scale = _scale(daily)
    pasts = _pasts(daily, np.ones(len(daily.days), dtype=np.bool_), scale)
    return Climatology(pasts=pasts, window=_window(daily, scale), leads=tuple(leads), lines=tuple(lines))


def _scale(daily: Daily) -> Scale:
    """In which days of all stations lie off their station's median most alike."""
    known = np.isfinite(daily.came)
    middles = np.array([np.median(column[of]) if of.any() else np.nan for column, of in zip(daily.came.T, known.T, strict=True)])
    came = daily.came[known]
    return scale_of(np.broadcast_to(middles, known.shape)[known], came) if len(came) else Scale(unit=1.0, curved=False, floor=-np.inf)


def _pasts(daily: Daily, of: NDArray[np.bool_], scale: Scale) -> Pasts:
    """Of the days of the mask (n,)."""
    known = np.isfinite(daily.came) & of[:, None]
    time, year = _time_of_year(daily.days), daily.days.astype("datetime64[Y]").astype(np.int64)
    value = scale.of(daily.came)
    pasts = {name: _past(year[known[:, i]], time[known[:, i]], value[known[:, i], i]) for i, name in enumerate(daily.stations) if known[:, i].any()}
    apart = np.array([b - a for past in pasts.values() for a, b in permutations(past.means.tolist(), 2)])
    rows, _ = np.nonzero(known)
    pasts[ANY] = _past(year[rows], time[rows], value[known])
    return Pasts(scale=scale, of=pasts, apart=np.quantile(apart, STEPS)) if len(apart) else Pasts(scale=scale, of=pasts)


def _past(year: Index, time: Index, value: Floats) -> Past:
    means = [float(value[year == y].mean()) for y in np.unique(year) if int((year == y).sum()) >= LEAST]
    return Past(year=year, time=time, value=value, means=np.array(means))


def _window(daily: Daily, scale: Scale) -> int | None:
    """The one of the least pinball loss in training years left out in turn."""
    years = daily.days.astype("datetime64[Y]")
    levels = np.array(LEVELS)
    loss = dict.fromkeys(WINDOWS, 0.0)
    for year in np.unique(years):
        past, left = _pasts(daily, years != year, scale), _pasts(daily, years == year, scale).of
        for name in sorted(left.keys() & past.of.keys() - {ANY}):
            for when in np.unique(left[name].time)[::EVERY].tolist():
                came = scale.back(left[name].value[left[name].time == when])[:, None]
                for window in WINDOWS:
                    values = past.values(name, when, window)
                    if len(values) >= MIN_ERRORS:
                        miss = came - scale.back(past.curve(name, values).quantile(levels))
                        loss[window] += float(np.maximum(levels * miss, (levels - 1) * miss).sum())
    return min(WINDOWS, key=lambda window: loss[window])


def _time_of_year(days: Days) -> Index:
    """0 on 1 January."""
    found: Index = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return found


DAY_MODEL = DayModel(name="climatology", version="1", fit=_fit)
