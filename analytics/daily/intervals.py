"""How sure single scores are: the same 15-day blocks as in `skill`, drawn with all their rows."""

from __future__ import annotations

import numpy as np

from analytics.daily.panel import Floats
from analytics.daily.scores import Mask, nse, rmse
from analytics.daily.skill import Blocks, Interval


def share_interval(held: Mask, blocks: Blocks) -> Interval:
    """Of how often something held (k,), such as an interval."""
    n, hits = blocks.sums(np.ones(len(held))), blocks.sums(held.astype(np.float64))
    return _interval(float(held.mean()) if len(held) else float("nan"), _ratio(hits, n), blocks)


def rmse_interval(forecast: Floats, truth: Floats, blocks: Blocks) -> Interval:
    """Of `scores.rmse`."""
    n, squares = blocks.sums(np.ones(len(truth))), blocks.sums((forecast - truth) ** 2)
    return _interval(rmse(forecast, truth), np.sqrt(_ratio(squares, n)), blocks)


def nse_interval(forecast: Floats, truth: Floats, blocks: Blocks) -> Interval:
    """Of `scores.nse`; each resample has a mean of its own."""
    n, total, squares = (blocks.sums(x) for x in (np.ones(len(truth)), truth, truth**2))
    spread = squares - _ratio(total**2, n)
    lost = _ratio(blocks.sums((forecast - truth) ** 2), np.where(spread > 1e-12 * squares, spread, 0.0))
    return _interval(nse(forecast, truth), 1.0 - lost, blocks)


def less_rmse_interval(loss: Floats, reference: Floats, blocks: Blocks) -> Interval:
    """By which share an RMSE lies below a reference's, of squared errors (k,): 1 − √(Σ loss / Σ reference)."""
    own, other = float(loss.sum()), float(reference.sum())
    value = 1.0 - float(np.sqrt(own / other)) if other > 0 else float("nan")
    return _interval(value, 1.0 - np.sqrt(_ratio(blocks.sums(loss), blocks.sums(reference))), blocks)


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    found: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return found


def _interval(value: float, resampled: Floats, blocks: Blocks) -> Interval:
    """A resample in which the score does not exist leaves the interval unknown: what is drawn then is not the score's."""
    lo, hi = blocks.ends(resampled) if np.isfinite(resampled).all() else (float("nan"), float("nan"))
    return Interval(value=value, lo=lo, hi=hi)
