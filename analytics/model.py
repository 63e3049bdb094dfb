"""What a forecast model is: a name, a version, its targets, and one pure function from histories to an issue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import analytics.models
from analytics.history import DAY_MS, History
from core.plugins import collect

HISTORY_MS = 63 * DAY_MS  # how far back a model is shown readings: 60 days, and what their first days look back to


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What a model says of one target at one point; shapes as in `core.forecast.Forecast`.

    `pooled` is true where readings of other points went into it.
    """

    leads: tuple[int, ...]
    times: tuple[int, ...]
    quantiles: tuple[tuple[float, ...], ...]
    p_gt: tuple[tuple[float, ...], ...]
    pooled: bool = False


# (target, histories of all points, which of them to forecast, issue time [ms]) → an issue for each of those, None where
# nothing honest can be said. All points are shown at once because a young station learns from the others.
Say = Callable[[str, Sequence[History], Sequence[int], int], list[Issue | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. `say` is pure and deterministic, and looks at nothing measured at or after the issue time."""

    name: str
    version: str
    targets: tuple[str, ...]
    say: Say


def models() -> dict[str, Model]:
    """Every model of `analytics/models`, by its module's name."""
    return collect(analytics.models, "MODEL", Model)
