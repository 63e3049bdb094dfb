"""Discharge, level, wind and whatever else the data bring, on scales that training days give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.daily.panel import Daily, Floats

_SKEWED = 1.1  # mean over median


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """`curved`: log1p(x / unit), where no training value is negative and the high ones stand far off; then without unit, by `middle` and `spread`."""

    name: str
    curved: bool
    unit: float
    middle: float
    spread: float

    def standard(self, values: Floats) -> Floats:
        """Mean 0 and spread 1 on the training days. NaN stays."""
        return (self._bent(values) - self.middle) / self.spread

    def _bent(self, values: Floats) -> Floats:
        return np.log1p(np.maximum(values, 0.0) / self.unit) if self.curved else values / self.unit


def drivers_of(train: Daily) -> tuple[Driver, ...]:
    """Those that have more than one value in `train`, by name, at stations that were measured there: one that comes later changes no bit."""
    measured = np.isfinite(train.target).any(axis=0)
    return tuple(found for name in sorted(train.drivers) if (found := _driver(name, train.drivers[name][:, measured])) is not None)


def _driver(name: str, values: Floats) -> Driver | None:
    seen = values[np.isfinite(values)]
    if not len(seen) or seen.min() == seen.max():
        return None
    middle = float(np.median(seen))
    curved = bool(seen.min() >= 0 and seen.mean() > _SKEWED * middle)
    # a hundredth of the median bends discharge, however measured; a median of 0 (rain) leaves the mean
    raw = Driver(name=name, curved=curved, unit=0.01 * (middle or float(seen.mean())) if curved else float(seen.std()), middle=0.0, spread=1.0)
    bent = raw.standard(seen)
    return Driver(name=name, curved=raw.curved, unit=raw.unit, middle=float(bent.mean()), spread=float(bent.std()) + 1e-9)
