"""What a model of days is: it is fitted on past days, and then says of any issue day what the days ahead may bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import analytics.daily.models
from analytics.daily.panel import Daily, Floats, Index
from core.plugins import collect

LEVELS = tuple(round(0.05 * i, 2) for i in range(1, 20))  # of the quantiles every model states: 0.05 … 0.95
MEDIAN = LEVELS.index(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said of k (issue, station)s for one lead, in the target's unit.

    `point` (k,): the expected value; `quantiles` (k, len(LEVELS)), rising; `p_gt` (k, len(lines)): P(target > line) for the lines the model
    was fitted for, falling in the line. A row of NaN says nothing.
    """

    point: Floats
    quantiles: Floats
    p_gt: Floats

    def at(self, rows: Index | NDArray[np.bool_]) -> Said:
        """Some of the rows."""
        return Said(point=self.point[rows], quantiles=self.quantiles[rows], p_gt=self.p_gt[rows])


class Fitted(Protocol):
    """A fitted model. It can be pickled, and it changes nothing it is shown."""

    def say(self, daily: Daily, day: Index, station: Index) -> Mapping[int, Said]:
        """For each fitted lead what it says at the end of `day` (k,) at `station` (k,): from days ≤ day alone, whatever else `daily` holds.

        Deterministic; the stations need not be those it was fitted on.
        """
        ...


# (days up to and with the last whose values are known, leads in days, lines in the target's unit) → the fitted model
Fit = Callable[[Daily, Sequence[int], Sequence[float]], Fitted]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayModel:
    """One model. `fit` sees only what it may learn from; it is deterministic, seeds are its own."""

    name: str
    version: str
    fit: Fit


def day_models() -> dict[str, DayModel]:
    """Every model of `analytics/daily/models`, by its module's name."""
    return collect(analytics.daily.models, "DAY_MODEL", DayModel)


def silence(k: int, lines: Sequence[float]) -> Said:
    """Nothing is said of any of k rows."""
    return Said(point=np.full(k, np.nan), quantiles=np.full((k, len(LEVELS)), np.nan), p_gt=np.full((k, len(lines)), np.nan))
