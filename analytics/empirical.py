"""A forecast's distribution from errors of the past: as many as there are, and no surer than so many allow.

With n past errors that are exchangeable with the coming one, that one falls below the i-th smallest with probability
i/(n + 1), whatever their distribution: the Weibull plotting position (type 6 of Hyndman & Fan 1996,
doi:10.1080/00031305.1996.10473566), linear between. Quantiles and probabilities are read from this one curve: with k errors
above a line its chance lies between k/(n + 1) and (k + 1)/(n + 1). Beyond the outermost error it is (0 + ½)/(n + 1), the mean
of Jeffreys' posterior for none of n (Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286): never 0, never 1. With n < 19
the 5 % lie beyond the outermost error: there the curve ends at Student's prediction limit m ± t·s·√(1 + 1/n) (Geisser 1993,
doi:10.1201/9780203742310), where that lies further out than the outermost error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analytics.history import Floats
from core.bands import LINES
from core.forecast import QUANTILES

MIN_ERRORS = 5  # under so many nothing is said: they are days of one spell
_TAIL = QUANTILES[0]
SAME = 1e-9  # in log1p: a computed value on a line is not over it
# Student's t at 0.95 for 4 to 17 degrees of freedom; with 19 errors the 5 % lie within them
_T95 = (2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """P(the coming error is below): `error` (n,) and `below` (n,), both rising; beyond them `least` is left."""

    error: Floats
    below: Floats
    least: float

    def quantile(self, levels: Floats) -> Floats:
        """The error that stays above the coming one with each probability."""
        found: Floats = np.interp(levels, self.below, self.error)
        return found

    def above(self, error: Floats) -> Floats:
        """P(the coming error is above); one that lies on it is not."""
        found: Floats = 1.0 - np.interp(error + SAME, self.error, self.below, left=self.least, right=1.0 - self.least)
        return found


def dressed(values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Quantiles (m, 5) and P(S > line) for `LINES` (m, 4) of forecast values (m,) [g/L], never below 0.

    `errors` (n,) are sorted, in log1p, n ≥ MIN_ERRORS.
    """
    base = np.log1p(np.maximum(values, 0.0))[:, None]
    error = curve(errors)
    quantiles = np.maximum(np.expm1(base + error.quantile(np.array(QUANTILES))), 0.0)
    return quantiles, error.above(np.log1p(LINES) - base)


def curve(errors: Floats) -> Curve:
    """Of sorted errors (n,), n ≥ MIN_ERRORS."""
    n = len(errors)
    below = np.arange(1, n + 1) / (n + 1)
    if below[0] > _TAIL:
        mean, reach = float(errors.mean()), _T95[n - MIN_ERRORS] * float(errors.std(ddof=1)) * math.sqrt(1.0 + 1.0 / n)
        ends = min(float(errors[0]), mean - reach), max(float(errors[-1]), mean + reach)
        errors = np.concatenate((ends[:1], errors, ends[1:]))
        below = np.concatenate(((_TAIL,), below, (1.0 - _TAIL,)))
    return Curve(error=errors, below=below, least=min(0.5 / (n + 1), float(below[0])))
