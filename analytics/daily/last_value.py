"""A day without a value is spoken of as of the last day that has one: what lies `lead` days ahead of it lies further ahead of that day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from analytics.daily.model import Said, silence
from analytics.daily.panel import Daily, Index
from analytics.daily.recent import recent

OLDEST = 7  # days the last value may lie back

Speak = Callable[[Index, Index], Mapping[int, Said]]  # (day, station), each with a value of its day → what is said, by lead


def from_last_value(daily: Daily, day: Index, station: Index, lines: Sequence[float], speak: Speak) -> Mapping[int, Said]:
    """What `speak` says as of the last day with a value, up to and with `day` (k,), of the same days; NaN where it knows no lead so long."""
    rows, age = last_values(daily, day, station)
    said = speak(day[rows] - age, station[rows])
    found = {lead: silence(len(day), lines) for lead in said}
    for lead, one in found.items():
        for back in np.unique(age).tolist():
            longer = said.get(lead + back)
            here = age == back
            if longer is not None:
                one.point[rows[here]] = longer.point[here]
                one.quantiles[rows[here]] = longer.quantiles[here]
                one.p_gt[rows[here]] = longer.p_gt[here]
    return found


def last_values(daily: Daily, day: Index, station: Index) -> tuple[Index, Index]:
    """Which rows of `day` (k,) have a value on it or up to OLDEST days before, and how many days before."""
    seen = np.isfinite(recent(daily.target, day, station, memory=OLDEST + 1))[:, ::-1]
    rows = np.nonzero(seen.any(axis=1))[0]
    return rows, seen[rows].argmax(axis=1)
