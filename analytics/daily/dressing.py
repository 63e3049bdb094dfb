"""From a rule's value to quantiles and probabilities: its own past errors, read from one curve, so that both agree.

Errors are taken in a scale that the data choose: log1p(x / unit), whose errors grow with the value far above the unit, or x
itself, whose errors do not. The unit is a share of the data's own size, so salinity in mg/L is said as salinity in g/L is.
Values of unlike size err unlike (fresh water stays fresh): each class of size has a curve of its own (see `analytics.empirical`). From the middle
of one class to that of the next, quantiles go over from its curve to the other's in a straight line, so that no class has an edge to jump at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.model import LEVELS, Said, silence
from analytics.daily.panel import Floats, Index
from analytics.empirical import MIN_ERRORS, SAME, Curve, curve

SIZES = 4  # at most so many classes of size, of like count
LEAST = 60  # errors in each of them
ZERO = 0.01  # of a high value: so little below 0 is the offset of a sensor in fresh water
BENDS = (0.01, 0.03, 0.1, 0.3, 1.0)  # units of the curved scales, as shares of a high value
_HALVINGS = 34  # of 0 … 1: a chance to ten digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """log1p(x / unit) where `curved`, else x / unit; no value lies below `floor` (0 or −∞)."""

    unit: float
    curved: bool
    floor: float

    def of(self, x: Floats) -> Floats:
        """Without unit. NaN stays."""
        share = np.maximum(x, self.floor) / self.unit
        return np.log1p(share) if self.curved else share

    def back(self, z: Floats) -> Floats:
        """The value of a place on the scale."""
        return np.maximum((np.expm1(z) if self.curved else z) * self.unit, self.floor)

    def steepness(self, x: Floats) -> Floats:
        """log of the scale's slope at x."""
        found: Floats = -np.log(self.unit + np.maximum(x, self.floor)) if self.curved else np.full(len(x), -np.log(self.unit))
        return found


def scale_of(said: Floats, came: Floats, bends: Sequence[float] = BENDS) -> Scale:
    """The scale in which `came` − `said` (n,) are most alike: the likelihood of a Laplace distribution of errors is greatest (Box & Cox 1964)."""
    size = float(np.quantile(np.abs(came), 0.9)) or float(np.abs(came).max()) or 1.0
    if float(np.quantile(came, 0.05)) < -ZERO * size:  # not a concentration: an elevation, say
        return Scale(unit=size, curved=False, floor=-np.inf)
    scales = [Scale(unit=size, curved=False, floor=0.0), *(Scale(unit=size * bend, curved=True, floor=0.0) for bend in bends)]
    return max(scales, key=lambda s: _likelihood(s, said, came))


def _likelihood(scale: Scale, said: Floats, came: Floats) -> float:
    spread = float(np.abs(scale.of(came) - scale.of(said)).mean())
    return float(scale.steepness(came).mean()) - math.log(max(spread, 1e-12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """`share` (k, 1) of the way from the errors of one class of size to those of the next, quantile by quantile."""

    one: Curve
    other: Curve
    share: Floats

    def quantile(self, levels: Floats) -> Floats:
        """(k, levels); `levels` (levels,) or (k, levels)."""
        found: Floats = (1.0 - self.share) * self.one.quantile(levels) + self.share * self.other.quantile(levels)
        return found

    def above(self, error: Floats) -> Floats:
        """P(the coming error is above `error`) (k, lines), never 0 and never 1: the level at which the quantile comes to it, by halving."""
        found = self.one.above(error)
        rows = np.nonzero(self.share[:, 0] > 0)[0]
        part = Between(one=self.one, other=self.other, share=self.share[rows])
        low, high = np.zeros((len(rows), error.shape[1])), np.ones((len(rows), error.shape[1]))
        for _ in range(_HALVINGS if len(rows) else 0):
            middle = (low + high) / 2
            under = part.quantile(middle) <= error[rows] + SAME
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        least = (1.0 - part.share) * self.one.least + part.share * self.other.least
        found[rows] = 1.0 - np.clip(low, least, 1.0 - least)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressing:
    """`curves`: one for each class of size; `centres` (classes,): the middle size of each, on the scale. Between two of them, so are the errors."""

    scale: Scale
    centres: Floats
    curves: tuple[Curve, ...]

    def say(self, values: Floats, lines: Sequence[float], *, point: Floats | None = None) -> Said:
        """Of values (k,), NaN where the rule has none. `point` stands for the value where it differs."""
        found = silence(len(values), lines)
        base = self.scale.of(values)
        known = np.isfinite(base)
        found.point[known] = (values if point is None else point)[known]
        bounds = self.scale.of(np.array(lines, dtype=np.float64))
        for rows, errors in self._errors(base):
            here = base[rows, None]
            found.quantiles[rows] = self.scale.back(here + errors.quantile(np.array(LEVELS)))
            found.p_gt[rows] = errors.above(bounds - here)
        return found

    def mean(self, values: Floats) -> Floats:
        """The expected value (k,): over all past errors of the size (Duan 1983, doi:10.1080/01621459.1983.10478017)."""
        base = self.scale.of(values)
        found = np.full(len(values), np.nan)
        steps = (np.arange(50) + 0.5) / 50
        for rows, errors in self._errors(base):
            found[rows] = self.scale.back(base[rows, None] + errors.quantile(steps)).mean(axis=1)
        return found

    def _errors(self, base: Floats) -> Iterator[tuple[Index, Between]]:
        """Which rows of base (k,) lie from one centre to the next, and their errors. Beyond the outermost centres it is their class's."""
        place = np.interp(base, self.centres, np.arange(len(self.centres)))
        for i, errors in enumerate(self.curves):
            rows = np.nonzero(np.floor(place) == i)[0]  # never of NaN
            if len(rows):
                yield rows, Between(one=errors, other=self.curves[min(i + 1, len(self.curves) - 1)], share=(place[rows] - i)[:, None])


def dressing(said: Floats, came: Floats, *, scale: Scale | None = None) -> Dressing | None:
    """Of what a rule said and what came (n,); None of too few. NaN on either side does not count."""
    known = np.isfinite(said) & np.isfinite(came)
    if int(known.sum()) < MIN_ERRORS:
        return None
    said, came = said[known], came[known]
    scale = scale or scale_of(said, came)
    base = scale.of(said)
    errors = scale.of(came) - base
    group = np.searchsorted(_edges(base), base)
    classes = [group == i for i in range(int(group.max()) + 1)]
    return Dressing(
        scale=scale,
        centres=np.array([np.median(base[rows]) for rows in classes]),
        curves=tuple(curve(np.sort(errors[rows])) for rows in classes),
    )


def _edges(base: Floats) -> Floats:
    """Between classes of like count; none smaller than LEAST, equal values in one class."""
    rising = np.sort(base)
    found: list[float] = []
    done = 0
    for edge in np.unique(np.quantile(rising, np.arange(1, SIZES) / SIZES, method="inverted_cdf")):
        upto = int(np.searchsorted(rising, edge, side="right"))
        if upto - done >= LEAST and len(rising) - upto >= LEAST:
            found.append(float(edge))
            done = upto
    return np.array(found)
