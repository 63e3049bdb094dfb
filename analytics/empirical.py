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

import numpy as np

from analytics.history import Floats
from core.bands import LINES
from core.forecast import QUANTILES

MIN_ERRORS = 5  # under so many nothing is said: they are days of one spell
_TAIL = QUANTILES[0]
_SAME = 1e-9  # in log1p: a computed value on a line is not over it
# Student's t at 0.95 for 4 to 17 degrees of freedom; with 19 errors the 5 % lie within them
_T95 = (2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740)


def dressed(values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Quantiles (m, 5) and P(S > line) for `LINES` (m, 4) of forecast values (m,) [g/L], never below 0.

    `errors` (n,) are sorted, in log1p, n ≥ MIN_ERRORS.
    """
    base = np.log1p(np.maximum(values, 0.0))[:, None]
    error, below = _curve(errors)
    quantiles = np.maximum(np.expm1(base + np.interp(QUANTILES, below, error)), 0.0)
    least = min(0.5 / (len(errors) + 1), float(below[0]))
    p_gt = 1.0 - np.interp(np.log1p(LINES) - base + _SAME, error, below, left=least, right=1.0 - least)
    return quantiles, p_gt


def _curve(errors: Floats) -> tuple[Floats, Floats]:
    """(error, P(the next one is below it)), both rising."""
    n = len(errors)
    below = np.arange(1, n + 1) / (n + 1)
    if below[0] <= _TAIL:
        return errors, below
    mean, reach = float(errors.mean()), _T95[n - MIN_ERRORS] * float(errors.std(ddof=1)) * math.sqrt(1.0 + 1.0 / n)
    ends = min(float(errors[0]), mean - reach), max(float(errors[-1]), mean + reach)
    return np.concatenate((ends[:1], errors, ends[1:])), np.concatenate(((_TAIL,), below, (1.0 - _TAIL,)))
