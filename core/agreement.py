"""What numbers about one water at one time say of each other: between which two values one must lie, if the others are true.

A device may send conductivity and a salinity of its own, or salinity and chloride. Where they cannot all be true nobody knows which is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core import seawater
from core.derived import DERIVED, Floats

COLDEST, WARMEST = 15.0, 40.0  # Cel: water of the delta, where nobody measured its temperature
CHLORIDE = 1.6485  # g of NaCl with 1 g of Cl; of sea salt it is 1.81: no salt that is met here is lighter


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """By `sources` the `quantity` lies within low(*sources) and high(*sources), before any tolerance. Shapes (n,); NaN where they say nothing.

    `inherits`: it is of the same cell, and no better than they are, although it was not derived from them alone.
    """

    quantity: str
    sources: tuple[str, ...]
    low: Callable[..., Floats]
    high: Callable[..., Floats]
    inherits: bool = False


def _at(temperature: float) -> Callable[[Floats], Floats]:
    """Salinity [g/L] from conductivity that was not compensated [mS/cm], were the water so warm [Cel]."""

    def salinity(raw: Floats) -> Floats:
        return seawater.salinity_from_ec(seawater.ec25_from_raw(raw, np.full(raw.shape, temperature)))

    return salinity


def _of_chloride(chloride: Floats) -> Floats:
    """The least salinity [g/L] with so much chloride [mg/L]."""
    return chloride * (CHLORIDE / 1000)


def _unbounded(source: Floats) -> Floats:
    return np.full(source.shape, np.inf)


RELATIONS: tuple[Relation, ...] = (
    # what is derived here agrees with itself; what a device sends beside its sources may not. Pore water is left out: that is a model of soil, and no fact
    *(Relation(quantity=d.quantity, sources=d.sources, low=d.compute, high=d.compute) for d in DERIVED if d.quantity in ("water.ec", "water.salinity")),
    Relation(quantity="water.salinity", sources=("water.ec_raw",), low=_at(WARMEST), high=_at(COLDEST), inherits=True),
    # there may be any other salt beside it
    Relation(quantity="water.salinity", sources=("water.chloride",), low=_of_chloride, high=_unbounded),
)


def least_salinity(source: str, value: float) -> float:
    """What a `value` of the quantity `source` is in salinity [g/L] at the least, by itself; NaN where it says nothing."""
    relation = next(r for r in RELATIONS if (r.quantity, r.sources) == ("water.salinity", (source,)))
    return float(relation.low(np.array([value]))[0])
