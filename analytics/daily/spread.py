"""How far off a forecast may be: a model of log |error|, and the shape of errors in units of it.

Both learn from errors made on seasons that were left out, so that they know what a new season does to a forecast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.daily.forest import Forest, packed_forest
from analytics.daily.learners import Standard, in_blocks
from analytics.daily.panel import Days, Floats, Index

INPUTS = frozenset(
    ("y", "s7", "s15", "m7", "d1", "gp_sd", "gp", "resp", "resp_size", "a14", "tr_now", "tr_then", "th_then", "tr_m3", "x30", "n30", "i_low", "i_last")
)
FOLDS = 5
OWN, OWN_NEAR = 0.4, 0.35  # of a spread goes with how quiet its station is: docs/decisions/0021
LEAST_ROWS = 20  # of a season that is left out
MOST_SHARE = 0.5  # of all rows: a larger season is left out by halves, else its errors would be those of learners that knew next to nothing
LEAST_HALF = 0.25  # of such a season, before its middle day
APART = 15  # days between what is left out and what is learned from
Mask = NDArray[np.bool_]
_TREES, _LEAF, _SHARE = 100, 25, 0.4
_FIRM = 0.05  # of the rows
_CLIP = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """exp of the mean of a linear rule and of trees, within what was seen."""

    standard: Standard
    linear: Floats  # (1 + f,)
    forest: Forest
    low: float
    high: float

    def __call__(self, u: Floats) -> Floats:
        """Of inputs (k, f): the size (k,) of the error to expect."""
        if not len(u):
            return np.empty(0)
        x = self.standard(u, _CLIP)
        line = self.linear[0] + in_blocks(lambda part: part @ self.linear[1:], x)
        found: Floats = np.exp(np.clip(0.5 * line + 0.5 * self.forest(x), self.low, self.high))
        return found


def fit_spread(u: Floats, error: Floats) -> Spread:
    """Of inputs (n, f) and errors (n,)."""
    from sklearn.ensemble import ExtraTreesRegressor  # costs seconds: only what trains pays
    from sklearn.linear_model import Ridge

    size = np.log(np.abs(error) + 0.15 * np.median(np.abs(error)) + 1e-6)
    standard = Standard.of(u)
    x = standard(u, _CLIP)
    line = Ridge(alpha=_FIRM * len(size)).fit(x, size)
    forest = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, max_features=_SHARE, random_state=0).fit(x, size)
    low, high = np.quantile(size, [0.02, 0.98])
    return Spread(standard=standard, linear=np.concatenate(([line.intercept_], line.coef_)), forest=packed_forest(forest), low=float(low), high=float(high))


def usual(own: Floats, spread: Floats) -> float:
    """The middle of what the Gaussian process' standard deviation (n,) is, in spreads (n,) that were stated for seasons left out."""
    return float(np.median(own / spread))


def quiet_share(lead: int) -> float:
    """How much of a spread goes with how quiet its station has been: the further ahead, the less that tells."""
    return OWN + OWN_NEAR / math.sqrt(lead)


def quieter(spread: Floats, own: Floats, usual: float, share: float) -> Floats:
    """A station that its own Gaussian process finds quieter than others of like spread is more certain than these (k,); none is less so."""
    return spread * (1.0 - share + share * np.minimum(own / (spread * usual), 1.0))


def seasons(days: Days, levels: Floats) -> Index:
    """(n,) → which season each issue belongs to, 0, 1, …: whole years, at most FOLDS groups of neighbouring ones.

    A year begins where a season of salt does not: in the middle of the months without data, else in the month of the lowest mean level. A group
    of under LEAST_ROWS rows joins its smaller neighbour.
    """
    month = days.astype("datetime64[M]").astype(np.int64)
    year = (month - _begin(month % 12, levels)) // 12
    found = np.unique(year, return_inverse=True)[1].astype(np.int64)
    while (n := np.bincount(found)).size > 1 and (n.size > FOLDS or n.min() < LEAST_ROWS):
        small = int(n.argmin())
        beside = min((i for i in (small - 1, small + 1) if 0 <= i < n.size), key=lambda i: int(n[i]))
        found = np.where(found > min(small, beside), found - 1, found)
    return found


def left_out(days: Days, season: Index) -> Iterator[tuple[Mask, Mask]]:
    """(learned from, left out), each (n,): every season once, one of over MOST_SHARE of the rows in two halves; every row is left out once.

    A season whose days cannot be halved so (a single day may hold most of its rows) is left out as a whole.
    """
    for one in np.unique(season):
        here = season == one
        middle = np.sort(days[here])[int(here.sum()) // 2]
        before = here & (days < middle)
        parts = (here,) if here.mean() <= MOST_SHARE or before.sum() < LEAST_HALF * here.sum() else (before, here & ~before)
        for part in parts:
            yield _distance(days, np.unique(days[part])) > APART, part


def _distance(days: Days, others: Days) -> Index:
    """Days to the nearest of `others`, which rise."""
    after = np.searchsorted(others, days)
    below, above = others[np.maximum(after - 1, 0)], others[np.minimum(after, len(others) - 1)]
    found: Index = np.minimum(np.abs((days - below).astype(np.int64)), np.abs((above - days).astype(np.int64)))
    return found


def _begin(month: Index, levels: Floats) -> int:
    """The month, 0 to 11, a year begins with."""
    n = np.bincount(month, minlength=12)
    if (n == 0).any():
        runs = [(_run(n == 0, m), m) for m in range(12)]
        length, first = max(runs, key=lambda run: run[0])
        return (first + length // 2) % 12
    return int((np.bincount(month, weights=levels, minlength=12) / n).argmin())


def _run(empty: Mask, first: int) -> int:
    """How many months in a row, from `first` on, are empty."""
    return next((k for k in range(12) if not empty[(first + k) % 12]), 12)
