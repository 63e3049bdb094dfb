"""Which of the drivers it was given a fitted model of days really uses, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from analytics.daily.crossfit import LEAST
from analytics.daily.explain import learned_drivers
from analytics.daily.models.ensemble import Ensemble
from analytics.daily.panel import Daily, Pairs
from analytics.daily.spread import seasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """`drivers` by name; `unused`: of each other one that had a value, why (the words go on from "does not use it: ")."""

    drivers: tuple[str, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)


def uses(fitted: object, learned: Daily) -> Uses:
    """Of a model fitted on just these days."""
    known = sorted(name for name, values in learned.drivers.items() if np.isfinite(values).any())
    used = learned_drivers(fitted)
    return Uses(drivers=used, unused={name: _why(fitted, learned, name) for name in known if name not in used})


def _why(fitted: object, learned: Daily, name: str) -> str:
    if not isinstance(fitted, Ensemble):
        return "a model of its kind takes none"
    if name not in [d.name for d in fitted.drivers]:
        return "it never changed while it learned"
    if all(lead.bare is None for lead in fitted.leads.values()):  # nobody speaks then who could know of a driver
        pairs = Pairs.of(learned, min(fitted.leads))
        if len(pairs.day) < LEAST:
            return f"it learned from {len(pairs.day)} forecasts; {LEAST} are needed"
        some = seasons(learned.days[pairs.day], learned.target[pairs.day, pairs.station])
        return "without one season too few forecasts are left to learn from" if some.max() else "it learned from one season; two are needed"
    return f"it was not known through two seasons and {LEAST} forecasts of what was learned from"
