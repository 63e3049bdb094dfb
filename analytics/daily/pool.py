"""Several forecasts of the same days as one: each has its share of the say in value, quantiles and chances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Floats

POWER = 4  # who errs half as much has sixteen times the say: docs/decisions/0033


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of what was learned, of the Gaussian process and of logistic persistence; they add up to 1."""

    learned: float = 0.0
    gaussian: float = 0.0
    logistic: float = 0.0


LEARNED, GAUSSIAN = Shares(learned=1.0), Shares(gaussian=1.0)
UNTRIED = Shares(gaussian=2 / 3, logistic=1 / 3)  # of one station, where no season can be left out: docs/decisions/0033


def shares(losses: Floats, tiny: float) -> Shares:
    """By the mean losses (3,) of these on seasons left out; one under `tiny` is as good as none."""
    say = ((losses.min() + tiny) / (losses + tiny)) ** POWER
    learned, gaussian, logistic = (say / say.sum()).tolist()
    return Shares(learned=learned, gaussian=gaussian, logistic=logistic)


def pooled(parts: Sequence[tuple[float, Said]], lines: Sequence[float]) -> Said:
    """(share, what is said) of each who has a say. One alone is left as it is, to the bit."""
    if len(parts) == 1:
        return parts[0][1]

    def mean(of: Callable[[Said], Floats]) -> Floats:
        found: Floats = np.sum([share * of(one) for share, one in parts], axis=0)
        return found

    chances = mean(lambda one: one.p_gt)
    return Said(point=mean(lambda one: one.point), quantiles=agreed(mean(lambda one: one.quantiles), chances, lines), p_gt=chances)


def agreed(quantiles: Floats, chances: Floats, lines: Sequence[float]) -> Floats:
    """Quantiles (k, levels) as far as chances (k, lines), falling in the line, let them be: as many lie over each line as its chance says."""
    for i in np.argsort(lines, kind="stable").tolist():
        under = np.array(LEVELS) <= 1.0 - chances[:, i, None]
        quantiles = np.where(under, np.minimum(quantiles, lines[i]), np.maximum(quantiles, lines[i]))
    return quantiles
