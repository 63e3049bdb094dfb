"""Three ways to learn a change from the same inputs; each bounded, so that none runs away in a drought; their mean is what is said.

Trees tell which inputs matter; nets and kernel machine, to which all inputs of like spread are alike, hear these louder: each in proportion to a power
of its importance. Importances are firm one day ahead and mostly chance two weeks ahead, where the seasons learned from are few: the power, and with it
how near to each other two days must be to be alike, falls with the square root of the lead.

All are kept as arrays. Nets and kernel machines are worked out in blocks of fixed size: a row's bits do not depend on the rows beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.daily.forest import packed_forest
from analytics.daily.nets import fit_nets
from analytics.daily.panel import Floats

TREES, LEAF, SHARE = 200, 5, 0.3
FEWER_TREES = 100  # where only errors are wanted
COST, TUBE, WIDTH = 1.0, 0.1, 0.3
LOUD, LOUDEST, LEAST_LOUD = 0.5, 4.0, 0.1  # the power of importance one day ahead; none is over 40 times as loud as another
MOST_ROWS, MOST_KERNEL_ROWS = 8000, 5000  # beyond these more rows cost time only
CLIP, CLIP_NET = 4.0, 3.0
_BLOCK = 96  # rows: whole in the widths that matrix products are cut to


class Learner(Protocol):
    """Says the change (k,) from inputs (k, f)."""

    def __call__(self, x: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """Unknown inputs stand at their median; then mean 0, spread 1, nothing beyond ±clip."""

    median: Floats
    middle: Floats
    spread: Floats

    @classmethod
    def of(cls, x: Floats) -> Standard:
        """Of training inputs (n, f); a column without any value stands at 0."""
        median = np.array([np.median(column[seen]) if (seen := np.isfinite(column)).any() else 0.0 for column in x.T])
        whole = np.where(np.isfinite(x), x, median)
        return cls(median=median, middle=whole.mean(axis=0), spread=whole.std(axis=0) + 1e-9)

    def __call__(self, x: Floats, clip: float = CLIP) -> Floats:
        found: Floats = np.clip((np.where(np.isfinite(x), x, self.median) - self.middle) / self.spread, -clip, clip)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Nets:
    """The mean of small nets of one hidden layer each, in `unit`s: see `analytics.daily.nets`."""

    into: NDArray[np.float32]
    bias: NDArray[np.float32]
    out: NDArray[np.float32]
    level: float
    unit: float
    low: float
    high: float

    def __call__(self, x: Floats) -> Floats:
        into, bias, out = (array.astype(np.float64) for array in (self.into, self.bias, self.out))
        mean = in_blocks(lambda part: np.maximum(part @ into + bias, 0.0) @ out, np.clip(x, -CLIP_NET, CLIP_NET)) + self.level
        return np.clip(mean * self.unit, self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Support vector regression with a radial kernel, of inputs times `loud` (f,): Σ dual·exp(−γ|x − support|²) + level."""

    loud: Floats
    support: NDArray[np.float32]
    dual: Floats
    level: float
    gamma: float
    unit: float
    low: float
    high: float

    def __call__(self, x: Floats) -> Floats:
        support = self.support.astype(np.float64)
        size = (support**2).sum(axis=1)

        def near(part: Floats) -> Floats:
            apart = (part**2).sum(axis=1)[:, None] + size - 2 * (part @ support.T)
            found: Floats = np.exp(-self.gamma * np.maximum(apart, 0.0)) @ self.dual
            return found

        return np.clip((in_blocks(near, x * self.loud) + self.level) * self.unit, self.low, self.high)


def in_blocks(rule: Callable[[Floats], Floats], x: Floats) -> Floats:
    """`rule` of _BLOCK rows at a time, the last block padded with zeros."""
    found = np.empty(len(x))
    for start in range(0, len(x), _BLOCK):
        part = np.zeros((_BLOCK, x.shape[1]))
        rows = x[start : start + _BLOCK]
        part[: len(rows)] = rows
        found[start : start + _BLOCK] = rule(part)[: len(rows)]
    return found


def fit_learners(x: Floats, z: Floats, *, trees: int, lead: int) -> tuple[Learner, ...]:
    """Of standardised inputs (n, f) and the changes (n,) that came `lead` days later. Deterministic."""
    some = np.random.default_rng(0).permutation(len(z))[:MOST_ROWS] if len(z) > MOST_ROWS else np.arange(len(z))
    x, z = x[some], z[some]
    nearer = 1 / math.sqrt(lead)
    forest, importance = _trees(x, z, trees)
    loud = loudness(importance, LOUD * nearer)
    return forest, _nets(x, z, loud), _machine(x, z, loud, WIDTH * (1 + nearer))


def loudness(importance: Floats, power: float) -> Floats:
    """What to multiply inputs by: a `power` of importance (f,) within LEAST_LOUD and LOUDEST, brought to a mean square of 1; ones where nothing matters."""
    if not importance.any():
        return np.ones(len(importance))
    loud = np.clip((importance / importance.mean()) ** power, LEAST_LOUD, LOUDEST)
    found: Floats = loud / np.sqrt((loud**2).mean())
    return found


def _trees(x: Floats, z: Floats, trees: int) -> tuple[Learner, Floats]:
    """Extremely randomised trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1), and by what share each input (f,) lowers their squared error."""
    from sklearn.ensemble import ExtraTreesRegressor  # costs seconds: only what trains pays

    fitted = ExtraTreesRegressor(trees, min_samples_leaf=LEAF, max_features=SHARE, random_state=0).fit(x, z)
    return packed_forest(fitted), fitted.feature_importances_


def _nets(x: Floats, z: Floats, loud: Floats) -> Learner:
    low, high = _bounds(z)
    unit = float(z.std()) + 1e-9
    into, bias, out, level = fit_nets(np.clip(x, -CLIP_NET, CLIP_NET) * loud, z / unit)
    into *= loud.astype(np.float32)[:, None]  # so they hear what it multiplies
    return Nets(into=into, bias=bias, out=out, level=level, unit=unit, low=low, high=high)


def _machine(x: Floats, z: Floats, loud: Floats, width: float) -> Learner:
    from sklearn.svm import SVR

    low, high = _bounds(z)
    unit, gamma = float(z.std()) + 1e-9, width / x.shape[1]
    some = np.random.default_rng(1).permutation(len(z))[:MOST_KERNEL_ROWS]
    found = SVR(C=COST, epsilon=TUBE, gamma=gamma, cache_size=300).fit(x[some] * loud, z[some] / unit)
    return Machine(
        loud=loud, support=np.ascontiguousarray(found.support_vectors_, dtype=np.float32), dual=found.dual_coef_[0].copy(), level=float(found.intercept_[0]),
        gamma=gamma, unit=unit, low=low, high=high,
    )  # fmt: skip


def _bounds(z: Floats) -> tuple[float, float]:
    """A tenth beyond nearly all changes seen."""
    low, high = np.quantile(z, [0.002, 0.998]) * 1.1
    return float(low), float(high)
