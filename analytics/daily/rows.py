"""The rows that are scored: what was said, what the references say of the same, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Daily, Floats, Index, Pairs
from analytics.daily.references import References
from analytics.daily.scores import Mask
from core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Columns (k, …) of the rows that are scored."""

    day: Index
    station: Index
    truth: Floats
    point: Floats
    quantiles: Floats
    persistence: Floats
    climatology: Floats
    p_gt: Floats
    p_persistence: Floats
    p_climatology: Floats
    p_logistic: Floats

    @classmethod
    def of(cls, daily: Daily, pairs: Pairs, said: Said, lines: Sequence[float], references: References) -> Rows:
        """The rows of `scored_rows`, by station and day whatever the order of `pairs`: sums of floats depend on their order."""
        _check(daily, pairs, said, lines, references)
        order = np.lexsort((pairs.day, pairs.station))
        stated = references.say(daily, pairs)
        return cls(
            day=pairs.day,
            station=pairs.station,
            truth=pairs.truth(daily),
            point=said.point,
            quantiles=said.quantiles,
            persistence=stated.persistence,
            climatology=stated.climatology,
            p_gt=said.p_gt,
            p_persistence=stated.p_persistence,
            p_climatology=stated.p_climatology,
            p_logistic=stated.p_logistic,
        ).at(order[scored_rows(daily, pairs, said)[order]])

    def at(self, rows: Mask | Index) -> Rows:
        """Some of them."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def scored_rows(daily: Daily, pairs: Pairs, said: Said) -> Mask:
    """Which rows (k,) are scored: something is said, today's value is known (persistence needs it), and the truth is there."""
    spoken = np.isfinite(np.column_stack((said.point, said.quantiles, said.p_gt)))
    partly = spoken.any(axis=1) & ~spoken.all(axis=1)
    if partly.any():
        i = int(np.flatnonzero(partly)[0])
        where = f"{daily.stations[pairs.station[i]]}, issued {daily.days[pairs.day[i]]}, lead {pairs.lead}"
        raise ConfigError(f"{where}: some of point, quantiles and p_gt are no numbers: a model says all of them, or NaN throughout")
    return spoken.all(axis=1) & np.isfinite(daily.target[pairs.day, pairs.station]) & np.isfinite(pairs.truth(daily))


def _check(daily: Daily, pairs: Pairs, said: Said, lines: Sequence[float], references: References) -> None:
    k = len(pairs.day)
    if not k:
        raise ConfigError(
            f"lead {pairs.lead}: nothing to score, no issue has both its own day and the day ahead observed: widen the days, or leave out this lead"
        )
    if int(pairs.day.max()) + pairs.lead >= len(daily.days):
        raise ConfigError(
            f"lead {pairs.lead}: the day ahead of {daily.days[pairs.day.max()]} lies beyond {daily.days[-1]}, the last known: score it when it has come"
        )
    if tuple(lines) != references.lines:
        raise ConfigError(f"lines {tuple(lines)} are scored against references for {references.lines}: fit the references for the same lines")
    shapes, wanted = (said.point.shape, said.quantiles.shape, said.p_gt.shape), ((k,), (k, len(LEVELS)), (k, len(lines)))
    if shapes != wanted:
        raise ConfigError(f"lead {pairs.lead}: point, quantiles and p_gt have shapes {shapes}, the pairs and lines want {wanted}")
    if (said.p_gt < 0).any() or (said.p_gt > 1).any():
        raise ConfigError(
            f"lead {pairs.lead}: probabilities from {np.nanmin(said.p_gt):g} to {np.nanmax(said.p_gt):g} are said: a model keeps them within 0 and 1"
        )
