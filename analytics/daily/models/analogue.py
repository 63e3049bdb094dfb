"""The same phase of springs and neaps: each day ahead is as the day half a synodic month before it.

The tide's range returns after 14.77 days, so the value lies between those of 15 and 14 days before the day ahead; where those come
after the issue's (leads over 14), it is 29.53 days, and so on. One of the two days is enough; of none nothing is said.
Quantiles and probabilities from the errors the same rule made on the training days, as in persistence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.dressing import Dressing, dressing
from analytics.daily.model import DayModel, Fitted, Said, silence
from analytics.daily.panel import Daily, Floats, Index

SPRING_NEAP_DAYS = 29.530588 / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Analogue:
    """`errors` by lead; None where the training days hold too few."""

    errors: Mapping[int, Dressing | None]
    lines: tuple[float, ...]

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """See `analytics.daily.model.Fitted`."""
        found = {}
        for lead, errors in self.errors.items():
            found[lead] = silence(len(day), self.lines) if errors is None else errors.say(_level(daily.target, day + lead, station, lead), self.lines)
        return found


def _fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
    errors = {}
    for lead in leads:
        day, station = (i.astype(np.int64) for i in np.nonzero(np.isfinite(daily.came)))
        errors[lead] = dressing(_level(daily.target, day, station, lead), daily.came[day, station])
    return Analogue(errors=errors, lines=tuple(lines))


def _level(target: Floats, ahead: Index, station: Index, lead: int) -> Floats:
    """What the rule says of days `ahead` (k,), issued `lead` days before: from days ≤ ahead − lead."""
    back = math.ceil(lead / SPRING_NEAP_DAYS) * SPRING_NEAP_DAYS
    near, far = math.floor(back), math.floor(back) + 1
    later, earlier = _at(target, ahead - near, station), _at(target, ahead - far, station)
    between = (far - back) * later + (back - near) * earlier
    return np.where(np.isnan(later), earlier, np.where(np.isnan(earlier), later, between))


def _at(target: Floats, day: Index, station: Index) -> Floats:
    """(k,); NaN before the first day."""
    found: Floats = np.where(day >= 0, target[np.maximum(day, 0), station], np.nan)
    return found


DAY_MODEL = DayModel(name="analogue", version="1", fit=_fit)
