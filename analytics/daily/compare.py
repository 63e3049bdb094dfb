"""Is a forecast better or worse than each of its references, beyond chance? Of all stations together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Daily, Floats, Pairs
from analytics.daily.references import References
from analytics.daily.rows import Rows
from analytics.daily.scores import NOTHING_TO_WIN, crps_quantiles
from analytics.daily.skill import Blocks, Interval, skill_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Skill against one reference: of squared errors where `threshold` is None (1 − (RMSE/RMSE of the reference)²), else of the Brier score."""

    lead_days: int
    threshold: float | None
    reference: str
    loss: float  # mean of the reference's own: the lowest one is the best baseline
    skill: Interval


def compare(daily: Daily, pairs: Pairs, said: Said, lines: Sequence[float], references: References) -> list[Comparison]:
    """Against persistence and climatology for values, and these and logistic persistence for each line; on the rows `verify.score` scores.

    `skill.significantly_worse()` tells whether the interval lies wholly below zero. Empty where nothing is said of any row.
    """
    rows = Rows.of(daily, pairs, said, lines, references)
    if not len(rows.day):
        return []
    blocks, found = Blocks.of(rows.day), []
    own = (rows.point - rows.truth) ** 2
    for name, value in (("persistence", rows.persistence), ("climatology", rows.climatology)):
        other = (value - rows.truth) ** 2
        interval = skill_interval(own, other, blocks)
        found.append(Comparison(lead_days=pairs.lead, threshold=None, reference=name, loss=float(other.mean()), skill=interval))
    for i, line in enumerate(lines):
        event = rows.truth > line
        own = (rows.p_gt[:, i] - event) ** 2
        for name, p in (("persistence", rows.p_persistence), ("climatology", rows.p_climatology), ("logistic", rows.p_logistic)):
            other = (p[:, i] - event) ** 2
            interval = skill_interval(own, other, blocks, least=NOTHING_TO_WIN)
            found.append(Comparison(lead_days=pairs.lead, threshold=float(line), reference=name, loss=float(other.mean()), skill=interval))
    return found


Spoken = tuple[Pairs, Said]  # rows of which something is said, as `backtest.Held` keeps them


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Skill against another model on the rows both speak of. `measure`: "value" (squared error), "distribution" (CRPS) or "chance" (Brier, of `threshold`)."""

    measure: str
    threshold: float | None
    n: int
    loss: float  # mean of the other's: the lowest one is the best of several
    skill: Interval


def against(daily: Daily, own: Spoken, other: Spoken, lines: Sequence[float]) -> list[Against]:
    """One model beside another, both tried on `daily` at one lead. Empty where they share no row."""
    mine, theirs = (pairs.station * len(daily.days) + pairs.day for pairs, _ in (own, other))
    _, here, there = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
    if not len(here):
        return []
    truth, blocks = own[0].truth(daily)[here], Blocks.of(own[0].day[here])
    said, else_ = own[1], other[1]
    levels = np.array(LEVELS)
    losses: list[tuple[str, float | None, float, Floats, Floats]] = [
        ("value", None, 0.0, (said.point[here] - truth) ** 2, (else_.point[there] - truth) ** 2),
        ("distribution", None, 0.0, crps_quantiles(said.quantiles[here], levels, truth), crps_quantiles(else_.quantiles[there], levels, truth)),
    ]
    for i, line in enumerate(lines):
        event = truth > line
        losses.append(("chance", float(line), NOTHING_TO_WIN, (said.p_gt[here, i] - event) ** 2, (else_.p_gt[there, i] - event) ** 2))
    return [
        Against(measure=measure, threshold=line, n=len(here), loss=float(loss.mean()), skill=skill_interval(ours, loss, blocks, least=least))
        for measure, line, least, ours, loss in losses
    ]
