"""Is a forecast better or worse than each of its references, beyond chance? Of all stations together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.daily.model import Said
from analytics.daily.panel import Daily, Pairs
from analytics.daily.references import References
from analytics.daily.rows import Rows
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
            interval = skill_interval(own, other, blocks)
            found.append(Comparison(lead_days=pairs.lead, threshold=float(line), reference=name, loss=float(other.mean()), skill=interval))
    return found
