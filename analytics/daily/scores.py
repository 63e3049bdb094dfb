"""Scores of forecasts against what came: of the value, of the distribution, of the probability of an event.

Definitions are the usual ones (Wilks 2019, Statistical Methods in the Atmospheric Sciences, ch. 9). A score that does not exist (no row,
no event, nothing that varies) is NaN, never a flattering 0 or 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.daily.panel import Floats
from core.errors import ConfigError

Mask = NDArray[np.bool_]

WARN_FROM = 0.5  # a probability from here on counts as a warning in `hit_rate` and `false_alarm_ratio`
OFFICIAL_SHARE = 0.3  # Circular 42/2017/TT-BTNMT, article 25
NOTHING_TO_WIN = 1e-6  # a reference's Brier below it: its odds lie within a thousandth of what came, and who is better is a matter of rounding
_SAME = 1e-9  # 1.3 against 1.0 is an error of 0.30000000000000004


def rmse(forecast: Floats, truth: Floats) -> float:
    """Root of the mean squared error, in the unit of the truth."""
    return float(np.sqrt(_mean((forecast - truth) ** 2)))


def bias(forecast: Floats, truth: Floats) -> float:
    """Mean of forecast − truth: above 0 it says too much."""
    return _mean(forecast - truth)


def nse(forecast: Floats, truth: Floats) -> float:
    """Nash–Sutcliffe efficiency (doi:10.1016/0022-1694(70)90255-6): 1 is perfect, 0 no better than the mean of these very truths.

    Over several stations that mean is one for all, so that telling salty stations from fresh ones counts as skill: read it per station.
    """
    spread = _mean((truth - _mean(truth)) ** 2) if len(truth) and truth.min() < truth.max() else 0.0  # a mean rounds: equal truths lie off theirs
    return skill(_mean((forecast - truth) ** 2), spread)


def within_30pct(forecast: Floats, truth: Floats) -> float:
    """The official rule: share with |forecast − truth| ≤ 30 % of the truth. Of a truth of 0, a forecast of 0 alone fulfils it."""
    return _mean(np.abs(forecast - truth) <= OFFICIAL_SHARE * np.abs(truth) * (1 + _SAME))


def coverage(lower: Floats, upper: Floats, truth: Floats) -> float:
    """Share of truths from `lower` to `upper`, both included: .90 is wanted of the 0.05 and 0.95 quantiles.

    A truth that a computed end misses by rounding alone lies on it: a value that never changes is always inside.
    """
    rounding = _SAME * (1.0 + np.abs(truth))
    return _mean((lower <= truth + rounding) & (truth <= upper + rounding))


def crps_quantiles(quantiles: Floats, levels: Floats, truth: Floats) -> Floats:
    """Continuous ranked probability score (k,) of `quantiles` (k, L) at rising `levels` (L,), in the unit of the truth: lower is better.

    It approximates CRPS = ∫ (F(x) − 1{x ≥ truth})² dx = 2 ∫ pinball of the τ quantile dτ over 0 … 1 (Laio & Tamea 2007, doi:10.5194/hess-11-1267-2007)
    by 2 × a weighted mean of the pinball losses. A level stands for what lies nearer to it than to its neighbours; the outermost two stand for their
    whole tails (0 … 0.075 and 0.925 … 1 with levels 0.05 … 0.95), as if nothing lay beyond them. The weights add up to 1: where all quantiles agree
    the score is their absolute error. With 19 levels it lies 1.5 % above the true mean of a normal distribution that is right.
    """
    if levels.ndim != 1 or not len(levels) or quantiles.shape != (*truth.shape, len(levels)):
        raise ConfigError(
            f"quantiles of shape {quantiles.shape} for {truth.shape} truths at levels of shape {levels.shape}: one row per truth, one column per level"
        )
    if levels[0] <= 0 or levels[-1] >= 1 or (np.diff(levels) <= 0).any():
        raise ConfigError(f"levels {levels.tolist()} must rise between 0 and 1: sort them, and the quantiles with them")
    weights = np.diff(np.concatenate(([0.0], (levels[1:] + levels[:-1]) / 2, [1.0])))
    miss = truth[:, None] - quantiles
    found: Floats = 2.0 * (np.maximum(levels * miss, (levels - 1.0) * miss) * weights).sum(axis=1)
    return found


def brier(p: Floats, event: Mask) -> float:
    """Mean squared error of a probability: 0 is perfect, .25 is what always saying one half gets."""
    return _mean((p - event) ** 2)


def hit_rate(p: Floats, event: Mask) -> float:
    """Of the events, the share that was warned of: p ≥ .5 is a warning."""
    return _mean(p[event] >= WARN_FROM)


def false_alarm_ratio(p: Floats, event: Mask) -> float:
    """Of the warnings (p ≥ .5), the share that no event followed. Not the false-alarm rate, which is a share of the days without event."""
    return _mean(~event[p >= WARN_FROM])


def skill(loss: float, reference: float, least: float = 0.0) -> float:
    """1 − loss/reference: 1 is perfect, 0 as good as the reference, below 0 worse. NaN where the reference loses nothing, or less than `least`."""
    return 1.0 - loss / reference if reference > 0 and reference >= least else float("nan")


def _mean(values: NDArray[np.float64] | Mask) -> float:
    return float(values.mean()) if len(values) else float("nan")
