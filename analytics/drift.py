"""Does a model still do in the open what it did when it was promoted? Its values and its stated chances, from the public record against its card.

Forecasts of one day are no independent witnesses: stations err together, and so do the hours of a day and days that follow each other. So a share counts
as if it came from so many independent trials as there are blocks of days; a share is off where the exact binomial distribution of these (Clopper and
Pearson, doi:10.1093/biomet/26.4.404) makes it less likely than FALSE_ALARM, divided among all that is looked at.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from core.bands import LINES
from core.model_card import ModelCard
from core.record import AHEAD, VALUES, Score

DAYS = 30  # that are looked back on; the record adds up by months, so a part of one more
LEAST = 50  # scored forecasts: fewer tell nothing
LEAST_DAYS = 14  # distinct ones: under a spring and a neap nothing is told
LOW_COVERAGE = 0.75  # of the 90 % interval
HIGH_ERROR = 1.5  # times that of the held-out days
FALSE_ALARM = 0.05  # of one look at a model that is what it claims, at most
BLOCK = 2  # days that a block is longer than the days ahead: issues of days this far apart err alike, however near what they tell of
WITHIN = {"hour": {target: f"within {hours} h" for target, hours in AHEAD.items()}}  # what is said of a model's forecasts besides, as the record names it
NEAR = dict.fromkeys(("hour", *AHEAD), 24)  # the lead that stands for the next day in the record; 1 of days
A_DAY = {"hour": 24 * 24} | dict.fromkeys(AHEAD, 24)  # forecasts of one day, point and lead at most: each hour by each of 24 issues; 1 of days
_INTERVAL, _Z = 0.9, 3.0  # what the interval claims; of a mean error, one in a thousand were it normal, and it is skew


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Of the model that speaks: what is no longer so, in plain words."""

    target: str
    version: str
    words: str


def targets(card: ModelCard) -> tuple[str, ...]:
    """Of the record, that tell of a model."""
    return card.target, *WITHIN.get(card.target, ())


def drift(card: ModelCard, scores: Sequence[Score]) -> Drift | None:
    """None where it does as it did, or too little is scored yet. `scores` are of the record since `since_month`, of any target, line, model and lead."""
    its = [s for s in scores if s.model == card.model]
    own = [s for s in its if s.target == card.target]
    near = [s for s in own if s.lead == NEAR.get(card.target, 1)]
    lines = [line for line in LINES if any(s.line == line for s in its)]
    stated = [(near, "the next day"), (own, "")], *([([s for s in its if s.target == name], when)] for name, when in WITHIN.get(card.target, {}).items())
    looks = 2 + 1 + 2 * len(lines) * sum(len(one) for one in stated)  # the interval of the next day and of all; its error; each line both ways
    error = card.held_out.error if card.held_out is not None else None
    found = [*_intervals(near, own, FALSE_ALARM / looks), *_errors(near, error)]
    for line in lines:
        for one in stated:
            found += _chances(one, line, FALSE_ALARM / looks)
    if not found:
        return None
    return Drift(
        target=card.target, version=card.version, words=f"{card.model} {card.version} drifts: {' and '.join(found)}; canhman train looks for a better one"
    )


def _intervals(near: Sequence[Score], every: Sequence[Score], rare: float) -> Iterator[str]:
    for scores, when in ((near, " the next day"), (every, "")):
        values = [s for s in scores if s.line == VALUES]
        n, inside, blocks = sum(s.n for s in values), sum(s.inside for s in values), _blocks(values)
        if blocks and inside < LOW_COVERAGE * n and _at_most(inside / n, blocks, _INTERVAL) < rare:
            yield f"its 90 % interval held {inside / n:.0%} of {n} times{when}"
            return


def _errors(near: Sequence[Score], known: float | None) -> Iterator[str]:
    values = [s for s in near if s.line == VALUES]
    n, error, blocks = sum(s.n for s in values), sum(s.error for s in values), _blocks(values)
    if known is not None and blocks and error > max(HIGH_ERROR, 1 + _Z / math.sqrt(blocks)) * known * n:  # |errors| scatter at most as much as their mean
        yield f"its error of the next day is {error / n:.2f} g/L in the mean of {n}, {known:.2f} when it was promoted"


def _chances(stated: Sequence[tuple[Sequence[Score], str]], line: float, rare: float) -> Iterator[str]:
    """The first of them whose chances of a line are off."""
    for scores, when in stated:
        its = [s for s in scores if s.line == line]
        n, blocks = sum(s.n for s in its), _blocks(its)
        if not blocks:
            continue
        said, came = sum(s.said for s in its) / n, sum(s.events for s in its) / n
        if min(_at_most(came, blocks, said), _at_most(1 - came, blocks, 1 - said)) < rare:
            yield f"its chances of over {line:g} g/L{when and ' ' + when} are off: said {said:.0%}, came {came:.0%} ({_days(its):.0f} days)"
            return


def _days(scores: Sequence[Score]) -> float:
    """Distinct days that stand behind them at least: those of the point and lead with the most."""
    of_one: Counter[tuple[str, str, int]] = Counter()
    for s in scores:
        of_one[s.station, s.point, s.lead] += s.n
    return max(of_one.values(), default=0) / A_DAY.get(scores[0].target if scores else "", 1)


def _blocks(scores: Sequence[Score]) -> int:
    """As how many independent trials they count; 0 where they are too few."""
    n, days = sum(s.n for s in scores), _days(scores)
    if n < LEAST or days < LEAST_DAYS:
        return 0
    ahead = sum(s.n * s.lead for s in scores) / n / NEAR.get(scores[0].target, 1)
    return max(1, int(days / (BLOCK + ahead)))


def _at_most(share: float, n: int, p: float) -> float:
    """How likely it is that of n trials with chance p such a share or fewer come; a part of a trial speaks for the model."""
    p = min(max(p, 0.0), 1.0)
    return math.fsum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(math.ceil(share * n - 1e-9) + 1))


def since_month(card: ModelCard, today: date) -> int:
    """From which month on the record tells of it, as 202512: that of `today` less DAYS, or of its promotion where that is later."""
    first = today - timedelta(days=DAYS)
    if card.promoted_at is not None:
        first = max(first, datetime.fromtimestamp(card.promoted_at // 1000, UTC).date())
    return first.year * 100 + first.month
