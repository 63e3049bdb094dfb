"""Does a model still do in the open what it did when it was promoted? From the public record against its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from core.model_card import ModelCard
from core.record import VALUES, Score

DAYS = 30  # that are looked back on; the record adds up by months, so a part of one more
LEAST = 50  # scored forecasts: fewer tell nothing
LOW_COVERAGE = 0.75  # of the 90 % interval
HIGH_ERROR = 1.5  # times that of the held-out days
NEAR = {"hour": 24}  # the lead that stands for the next day in the record; 1 of days


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Of the model that speaks: what is no longer so, in plain words."""

    target: str
    version: str
    words: str


def drift(card: ModelCard, scores: Sequence[Score]) -> Drift | None:
    """None where it does as it did, or too little is scored yet. `scores` are of the record since `since_month`, of any line, model and lead."""
    of_value = [s for s in scores if s.line == VALUES and s.target == card.target and s.model == card.model]
    found = []
    n, inside = sum(s.n for s in of_value), sum(s.inside for s in of_value)
    if n >= LEAST and inside < LOW_COVERAGE * n:
        found.append(f"its 90 % interval held {inside / n:.0%} of {n} times")
    near = [s for s in of_value if s.lead == NEAR.get(card.target, 1)]
    known = card.held_out.error if card.held_out is not None else None
    m, error = sum(s.n for s in near), sum(s.error for s in near)
    if known is not None and m >= LEAST and error > HIGH_ERROR * known * m:
        found.append(f"its error of the next day is {error / m:.2f} g/L in the mean of {m}, {known:.2f} when it was promoted")
    if not found:
        return None
    return Drift(
        target=card.target, version=card.version, words=f"{card.model} {card.version} drifts: {' and '.join(found)}; canhman train looks for a better one"
    )


def since_month(card: ModelCard, today: date) -> int:
    """From which month on the record tells of it, as 202512: that of `today` less DAYS, or of its promotion where that is later."""
    first = today - timedelta(days=DAYS)
    if card.promoted_at is not None:
        first = max(first, datetime.fromtimestamp(card.promoted_at // 1000, UTC).date())
    return first.year * 100 + first.month
