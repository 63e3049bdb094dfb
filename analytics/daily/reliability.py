"""Do events come as often as was said? The reliability table, and what of a Brier score is reliability, what resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analytics.daily.panel import Floats, Index
from analytics.daily.scores import Mask, brier
from analytics.daily.skill import Blocks

BINS = 10
_Z95 = 1.959963984540054
_SAME = 1e-9  # 1 − 0.9 is 0.09999999999999998 and belongs to the bin that begins at 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Probabilities from `start` up to `end` (the last bin holds 1 too): how many, their mean, and how often the event came, with 95 % interval."""

    start: float
    end: float
    n: int
    said: float
    observed: float
    observed_lo: float
    observed_hi: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BrierParts:
    """`brier` = reliability − resolution + uncertainty + within.

    Murphy's decomposition (doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2) over the bins' mean probabilities: reliability (0 is best) how far
    they lie from what came, resolution (high is best) how far what came differs from bin to bin, uncertainty what the events themselves bring.
    `within` is 0 where all forecasts of a bin are equal; else it is what differs inside bins (Stephenson et al. 2008, doi:10.1175/2007WAF2006116.1).
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def reliability_table(p: Floats, event: Mask, day: Index) -> list[Bin]:
    """Ten bins of probability (k,), those that hold any, with what came (k,).

    Days of one spell are not independent, so an interval is the wider, at either end, of that by blocks of time (`day` (k,): index of each row's day) and
    Wilson's score interval (doi:10.1080/01621459.1927.10502953), which alone holds where a bin lies in few blocks or saw only events.
    """
    bins, found = _bin(p), []
    for i in np.unique(bins).tolist():
        rows = bins == i
        n, hits = int(rows.sum()), int(event[rows].sum())
        lo, hi = wilson(hits, n)
        blocks = Blocks.of(day[rows])
        by_blocks = blocks.ends(blocks.sums(event[rows].astype(np.float64)) / blocks.sums(np.ones(n)))
        lo, hi = float(np.fmin(lo, by_blocks[0])), float(np.fmax(hi, by_blocks[1]))
        found.append(Bin(start=i / BINS, end=(i + 1) / BINS, n=n, said=float(p[rows].mean()), observed=hits / n, observed_lo=lo, observed_hi=hi))
    return found


def brier_parts(p: Floats, event: Mask) -> BrierParts:
    """The Brier score of probabilities (k,) taken apart over ten bins. NaN throughout where there is no row."""
    if not len(p):
        return BrierParts(brier=math.nan, reliability=math.nan, resolution=math.nan, uncertainty=math.nan, within=math.nan)
    came = event.astype(np.float64)
    _, group, n = np.unique(_bin(p), return_inverse=True, return_counts=True)
    said, observed, base = np.bincount(group, p) / n, np.bincount(group, came) / n, float(came.mean())
    total = brier(p, event)
    reliability = float((n * (said - observed) ** 2).sum() / len(p))
    resolution = float((n * (observed - base) ** 2).sum() / len(p))
    uncertainty = base * (1.0 - base)
    return BrierParts(
        brier=total, reliability=reliability, resolution=resolution, uncertainty=uncertainty, within=total - (reliability - resolution + uncertainty)
    )


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % interval of a frequency hits/n of independent rows, n > 0; parts of a row where several count as one."""
    share, z2 = hits / n, _Z95**2 / n
    middle, reach = share + z2 / 2, math.sqrt(z2 * share * (1.0 - share) + z2 * z2 / 4)
    return max(0.0, (middle - reach) / (1.0 + z2)), min(1.0, (middle + reach) / (1.0 + z2))


def _bin(p: Floats) -> Index:
    return np.clip(np.floor(p * BINS + _SAME), 0, BINS - 1).astype(np.int64)
