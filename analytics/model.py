"""What a forecast model is: a name, a version, its targets, and one pure function from histories to an issue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import analytics.models
from analytics.history import DAY_MS, History
from core.forecast import Reason
from core.plugins import collect

HISTORY_MS = 77 * DAY_MS  # how far back a model is shown readings: the 75 days the models of days remember, and what their first looks back to


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverHistory:
    """Another series that moves the water: good readings of `history`, told to models as `name`, of each day its `statistic`.

    `bears_on`: ids of the stations it bears on; None: all. `statistic`: `mean`, `max`, `min`, `sum` or `last`.
    """

    name: str
    statistic: str
    bears_on: frozenset[str] | None
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What a model says of one target at one point; shapes as in `core.forecast.Forecast`.

    `pooled` is true where readings of other points went into it; `drivers` are the names of those whose readings did. `reasons` and `missing`
    as in `core.forecast.Forecast`.
    """

    leads: tuple[int, ...]
    times: tuple[int, ...]
    quantiles: tuple[tuple[float, ...], ...]
    p_gt: tuple[tuple[float, ...], ...]
    pooled: bool = False
    drivers: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    missing: tuple[str, ...] = ()


# (target, histories of all points, which of them to forecast, issue time [ms], drivers) → an issue for each of those, None where
# nothing honest can be said. All points are shown at once because a young station learns from the others.
Say = Callable[[str, Sequence[History], Sequence[int], int, Sequence[DriverHistory]], list[Issue | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model, of `analytics/models` or made of a file of learned numbers (`analytics.learned`).

    `say` is pure and deterministic, and looks at nothing measured at or after the issue time.
    """

    name: str
    version: str
    targets: tuple[str, ...]
    say: Say


def models() -> dict[str, Model]:
    """Every model of `analytics/models`, by its module's name."""
    return collect(analytics.models, "MODEL", Model)
