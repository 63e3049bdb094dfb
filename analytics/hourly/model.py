"""What a model of hours is: it is fitted on past hours, and then says of any issue what the 72 hours ahead may bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import analytics.hourly.models
from analytics.hourly.panel import Floats, Hourly, Index
from core.plugins import collect

LEADS = tuple(range(1, 73))  # hours; lead 1 is the hour that holds the issue time


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidHours:
    """What is said of k (issue, station)s at L leads [g/L]; NaN where nothing is.

    `quantiles` (k, L, 5) as `core.forecast.QUANTILES`, rising; `p_gt` (k, L, 4): P(S > line) for `core.bands.LINES`, falling.
    """

    quantiles: Floats
    p_gt: Floats


class FittedHours(Protocol):
    """A fitted model: arrays, numbers and texts, nothing else. It changes nothing it is shown."""

    def say(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int] = LEADS) -> SaidHours:
        """What it says in `hour` (k,), which lead 1 is about, at `station` (k,): from what an issue in that hour may know, see `Hourly`.

        Deterministic; no row's bits depend on the rows beside it; the stations need not be those it was fitted on.
        """
        ...

    def p_le(self, hourly: Hourly, hour: Index, station: Index, leads: Sequence[int], limit: float) -> Floats:
        """P(S ≤ `limit` [g/L]) (k, L), rising in the limit; at a line it is 1 − `p_gt` of it."""
        ...


@runtime_checkable
class ExplainedHours(Protocol):
    """A fitted model that can say what moved it."""

    def effects(self, hourly: Hourly, hour: Index, station: Index, lead: int) -> Mapping[tuple[str, str], Floats]:
        """Of each group of inputs, (code, name) of a `core.forecast.Reason`: how much higher [g/L] the median (k,) is than were they as they usually are."""
        ...


# (hours of the past, all of whose values are known) → the fitted model
FitHours = Callable[[Hourly], FittedHours]


@dataclass(frozen=True, slots=True, kw_only=True)
class HourModel:
    """One model. `fit` sees only what it may learn from; it is deterministic, seeds are its own."""

    name: str
    version: str
    fit: FitHours


def hour_models() -> dict[str, HourModel]:
    """Every model of `analytics/hourly/models`, by its module's name."""
    return collect(analytics.hourly.models, "HOUR_MODEL", HourModel)
