"""One lead's learning: learners on all rows, and the spread of their errors from seasons each of them was kept from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.daily.dressing import Scale, dressing
from analytics.daily.learners import FEWER_TREES, TREES, Learner, Standard, fit_learners
from analytics.daily.model import LEVELS, Said
from analytics.daily.panel import Days, Floats, Index
from analytics.daily.pool import UNTRIED, Shares, shares
from analytics.daily.scores import crps_quantiles
from analytics.daily.spread import INPUTS, Mask, Spread, fit_spread, left_out, quiet_share, quieter, usual
from analytics.empirical import Curve, curve

LEAST = 120  # rows
MANY = 1500  # rows from which on what is learned speaks alone: docs/decisions/0021, 0033
_WILD = 1.0  # an error of more spreads counts as so many in the expected value: docs/decisions/0021
_TINY = 1e-9  # of the scale's unit: so small a loss is rounding
_STEPS = (np.arange(50) + 0.5) / 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Of one lead and set of inputs. `columns`: their names, in order; `errors`: past errors in units of the size that was stated for them.

    `usual`: how quiet a station is as a rule; None where one alone was learned from, which `spread` then knows already;
    `share`: how much of a spread goes with that.
    """

    columns: tuple[str, ...]
    standard: Standard
    learners: tuple[Learner, ...]
    spread: Spread
    usual: float | None
    share: float
    errors: Curve

    def say(self, inputs: Mapping[str, Floats], scale: Scale, lines: Sequence[float], *, least: Floats | None = None) -> Said:
        """Of inputs by name (k,). `least` (k,), on the scale: no interval is narrower."""
        x = matrix(inputs, self.columns)
        change, apart = members(self.learners, self.standard(x))
        spread = self.size(x, change, apart)
        if least is not None:
            spread = np.maximum(spread, least / self.reach)
        base = inputs["y"] + change
        point = self.expected(base, spread, scale)
        bounds = scale.of(np.array(lines, dtype=np.float64))
        quantiles = scale.back(base[:, None] + spread[:, None] * self.errors.quantile(np.array(LEVELS)))
        return Said(point=point, quantiles=quantiles, p_gt=self.errors.above((bounds - base[:, None]) / spread[:, None]))

    def width(self, inputs: Mapping[str, Floats]) -> Floats:
        """Of inputs by name (k,): how wide the interval is on the scale, from the lowest quantile to the highest."""
        x = matrix(inputs, self.columns)
        return self.size(x, *members(self.learners, self.standard(x))) * self.reach

    @property
    def reach(self) -> float:
        """Of past errors, from the lowest quantile to the highest."""
        low, high = self.errors.quantile(np.array([LEVELS[0], LEVELS[-1]]))
        return float(high - low)

    def size(self, x: Floats, change: Floats, apart: Floats) -> Floats:
        """Of inputs (k, f) and what `members` say of them: how large (k,) an error to expect, the unit of `errors`."""
        spread = self.spread(spread_inputs(x, self.columns, change, apart))
        return spread if self.usual is None else quieter(spread, x[:, self.columns.index("gp_sd")], self.usual, self.share)

    def expected(self, base: Floats, spread: Floats, scale: Scale) -> Floats:
        """The mean (k,) over all past errors, of what lies `base` high on the scale; a large error counts as one of a spread."""
        steps = np.clip(self.errors.quantile(_STEPS), -_WILD, _WILD)
        point = np.zeros(len(base))
        for step in steps.tolist():
            point += scale.back(base + spread * step) / len(steps)
        return point


def matrix(inputs: Mapping[str, Floats], columns: Sequence[str]) -> Floats:
    """(k, f); a column that is not there is NaN."""
    k = len(inputs["y"])
    return np.stack([inputs.get(name, np.full(k, np.nan)) for name in columns], axis=1)


# (learned from, asked), each (n,) → quantiles (k, levels) of those asked; None of too few to learn from
Others = Callable[[Mask, Mask], Floats | None]


def learn(
    inputs: Mapping[str, Floats],
    columns: Sequence[str],
    change: Floats,
    days: Days,
    season: Index,
    *,
    lead: int,
    several: bool,
    scale: Scale,
    logistic: Others | None,
) -> tuple[Learned, Shares | None]:
    """Of inputs (n,) by name, the changes (n,) that came `lead` days later, the issues' days (n,) and their seasons, two at least (see `spread.seasons`).

    `several`: they are of more stations than one. With `logistic` it is not alone to speak: the seasons left out tell whose share is how large.
    """
    columns = tuple(columns)
    x = matrix(inputs, columns)
    said, apart = np.empty(len(x)), np.empty(len(x))
    for there, here in left_out(days, season):
        standard = Standard.of(x[there])
        said[here], apart[here] = members(fit_learners(standard(x[there]), change[there], trees=FEWER_TREES, lead=lead), standard(x[here]))
    u, error, spread = spread_inputs(x, columns, said, apart), change - said, np.empty(len(x))
    for there, here in left_out(days, season):
        spread[here] = fit_spread(u[there], error[there])(u[here])
    quiet = usual(inputs["gp_sd"], spread) if several and "gp_sd" in columns else None
    share = quiet_share(lead)
    spread = spread if quiet is None else quieter(spread, inputs["gp_sd"], quiet, share)
    standard = Standard.of(x)
    learned = Learned(
        columns=columns,
        standard=standard,
        learners=fit_learners(standard(x), change, trees=TREES, lead=lead),
        spread=fit_spread(u, error),
        usual=quiet,
        share=share,
        errors=curve(np.sort(error / spread)),
    )
    return learned, None if logistic is None else compared(inputs, said, change, spread, days, season, scale, logistic)


def compared(inputs: Mapping[str, Floats], said: Floats, change: Floats, spread: Floats, days: Days, season: Index, scale: Scale, logistic: Others) -> Shares:
    """By CRPS, each season being dressed in errors of the others: of what was learned, of the Gaussian process and of logistic persistence."""
    levels, now = np.array(LEVELS), inputs["y"]
    came, gaussian = scale.back(now + change), scale.back(now + inputs["gp"])
    lost, rows = np.zeros(3), 0
    for there, here in left_out(days, season):
        dressed, other = dressing(gaussian[there], came[there]), logistic(there, here)
        if dressed is not None and other is not None:
            errors = curve(np.sort(((change - said) / spread)[there])).quantile(levels)
            own = scale.back((now + said)[here, None] + spread[here, None] * errors)
            each = (own, dressed.say(gaussian[here], ()).quantiles, other)
            lost += [float(crps_quantiles(quantiles, levels, came[here]).sum()) for quantiles in each]
            rows += int(here.sum())
    return shares(lost / rows, tiny=_TINY * scale.unit) if rows else UNTRIED


def members(learners: Sequence[Learner], x: Floats) -> tuple[Floats, Floats]:
    """Mean (k,) of what they say, and how far they are apart."""
    each = [learner(x) for learner in learners]
    mean = sum(each, np.zeros(len(x))) / len(each)
    apart = np.sqrt(sum(((one - mean) ** 2 for one in each), np.zeros(len(x))) / len(each))
    return mean, apart


def spread_inputs(x: Floats, columns: Sequence[str], change: Floats, apart: Floats) -> Floats:
    """What the size of an error may depend on (k, g)."""
    some = [i for i, name in enumerate(columns) if name in INPUTS]
    return np.column_stack((np.log(apart + 1e-3), change, np.abs(change), x[:, list(columns).index("y")] + change, x[:, some]))
