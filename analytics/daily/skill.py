"""How sure a skill is: bootstrap by blocks of time.

Salinity of one day is that of the next, and neighbouring stations rise together, so single rows are far fewer facts than they look.
Drawn with replacement are therefore blocks of 15 days (a spring–neap cycle is 14.77 days), each with all its rows at all stations
(Künsch 1989, doi:10.1214/aos/1176347265). Own forecast and reference are drawn together: the interval is that of the paired comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.daily.panel import Floats, Index
from analytics.daily.scores import skill
from core.errors import ConfigError

BLOCK_DAYS = 15
RESAMPLES = 1000
SEED = 0
MIN_BLOCKS = 5  # 4 blocks can be drawn in 35 ways only: their 2.5 % would be one of these few
_ENDS = (0.025, 0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value and the ends of its 95 % interval: −inf where nothing bounds it, NaN where there are too few blocks to tell (or no value)."""

    value: float
    lo: float
    hi: float

    def significantly_worse(self) -> bool:
        """Wholly below zero. With too few blocks it is not known, and this is False."""
        return self.hi < 0

    def significantly_better(self) -> bool:
        """Wholly above zero."""
        return self.lo > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """`block` (k,): the block of each row; `drawn` (RESAMPLES, blocks): how often each is in a resample. Blocks without rows do not count."""

    block: Index
    drawn: Floats

    @classmethod
    def of(cls, day: Index) -> Blocks:
        """Blocks of 15 days, counted from the first of these days (k,), whatever the stations. The same days give the same draws."""
        first = day.min() if len(day) else 0
        block = np.unique((day - first) // BLOCK_DAYS, return_inverse=True)[1].astype(np.int64)
        n = int(block.max()) + 1 if len(block) else 0
        drawn = np.random.default_rng(SEED).multinomial(n, np.full(n, 1.0 / n), RESAMPLES) if n else np.zeros((RESAMPLES, 0))
        return cls(block=block, drawn=drawn.astype(np.float64))

    @property
    def n(self) -> int:
        """How many."""
        return int(self.drawn.shape[1])

    def sums(self, rows: Floats) -> Floats:
        """The sum of `rows` (k,) in each resample."""
        if len(rows) != len(self.block):
            raise ConfigError(f"{len(rows)} losses for {len(self.block)} days: make the blocks from the days of the same rows")
        found: Floats = self.drawn @ np.bincount(self.block, rows, minlength=self.n)
        return found

    def ends(self, resampled: Floats) -> tuple[float, float]:
        """The middle 95 % of a resampled figure; single values, not between two, since one may be −inf."""
        if self.n < MIN_BLOCKS:
            return float("nan"), float("nan")
        lo, hi = np.quantile(resampled, _ENDS, method="inverted_cdf")
        return float(lo), float(hi)


def skill_interval(loss: Floats, reference: Floats, blocks: Blocks, *, least: float = 0.0) -> Interval:
    """Skill 1 − Σ loss / Σ reference of losses (k,) row by row (squared errors, Brier, CRPS) with its interval.

    Where the reference loses less than `least` a row there is nothing to win: no value, and no interval. In a resample where it loses that little, or
    nothing, skill is −inf, and 0 where the forecast does not lose more either.
    """
    value = skill(float(loss.sum()), float(reference.sum()), least * len(reference))
    if least and np.isnan(value):
        return Interval(value=value, lo=value, hi=value)
    own, other, tiny = blocks.sums(loss), blocks.sums(reference), least * blocks.sums(np.ones(len(reference)))
    some = (other > 0) & (other >= tiny)
    resampled = np.where(own > tiny, -np.inf, 0.0)
    np.divide(own, other, out=resampled, where=some)
    resampled[some] = 1.0 - resampled[some]
    lo, hi = blocks.ends(resampled)
    return Interval(value=value, lo=lo, hi=hi)


def difference(loss: Floats, reference: Floats, blocks: Blocks) -> Interval:
    """Mean of reference − loss (k,), in the unit of the loss, with its interval: above 0 the forecast loses less."""
    gain = reference - loss
    if not len(gain):
        return Interval(value=float("nan"), lo=float("nan"), hi=float("nan"))
    lo, hi = blocks.ends(blocks.sums(gain) / blocks.sums(np.ones(len(gain))))
    return Interval(value=float(gain.mean()), lo=lo, hi=hi)
