"""Persistence: each day ahead is as the day of issue. The bar that any forecast of the next day must pass.

Its quantiles and probabilities are its own record: the errors the same rule made on the training days at all stations, for each
lead and size of the value. A day without a value says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.dressing import Dressing, dressing
from analytics.daily.model import DayModel, Fitted, Said, silence
from analytics.daily.panel import Daily, Index, Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """`errors` by lead; None where the training days hold too few."""

    errors: Mapping[int, Dressing | None]
    lines: tuple[float, ...]

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """See `analytics.daily.model.Fitted`."""
        now = np.asarray(daily.target[day, station])
        return {lead: silence(len(day), self.lines) if e is None else e.say(now, self.lines) for lead, e in self.errors.items()}


def _fit(daily: Daily, leads: Sequence[int], lines: Sequence[float]) -> Fitted:
    errors = {}
    for lead in leads:
        pairs = Pairs.of(daily, lead)
        errors[lead] = dressing(daily.target[pairs.day, pairs.station], pairs.truth(daily))
    return Persistence(errors=errors, lines=tuple(lines))


DAY_MODEL = DayModel(name="persistence", version="1", fit=_fit)
