"""Quantities computed from others of the same message: what from what, by which method.

A derived value inherits the worst flag of its sources. What a device sends itself is not derived again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core import seawater

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """`quantity` = `compute(*sources)`, by the method named (with its version) in provenance."""

    quantity: str
    sources: tuple[str, ...]
    method: str
    compute: Callable[..., Floats]


def pore_water_ec(ec_bulk: Floats, moisture: Floats, temperature: Floats) -> Floats:
    """Pore-water conductivity [dS/m] after Hilhorst 2000, doi:10.2136/sssaj2000.6461922x.

    σp = εp·σb / (εb − εσb=0), εp = 80.3 − 0.37 (T − 20), εσb=0 = 4.1; the bulk permittivity εb comes from the water
    content through Topp 1980, doi:10.1029/WR016i003p00574. NaN below 0.10 m³/m³ and where εb − ε0 ≤ 2: not defined there.
    Args: ec_bulk [dS/m], moisture [m³/m³], temperature [Cel], each (n,).
    """
    epsilon = 3.03 + 9.3 * moisture + 146.0 * moisture**2 - 76.7 * moisture**3
    above = epsilon - 4.1
    with np.errstate(divide="ignore", invalid="ignore"):
        pore = (80.3 - 0.37 * (temperature - 20.0)) * ec_bulk / above
    return np.where((moisture >= 0.10) & (above > 2.0), pore, np.nan)


# In order: a later one may use an earlier one's result.
DERIVED: tuple[Derived, ...] = (
    Derived(quantity="water.ec", sources=("water.ec_raw", "water.temperature"), method="PSS-78 to 25 Cel (gsw)", compute=seawater.ec25_from_raw),
    Derived(quantity="water.salinity", sources=("water.ec",), method="TEOS-10 reference salinity at 25 Cel (gsw)", compute=seawater.salinity_from_ec),
    Derived(
        quantity="soil.ec_pore",
        sources=("soil.ec_bulk", "soil.moisture", "soil.temperature"),
        method="Hilhorst 2000, Topp 1980",
        compute=pore_water_ec,
    ),
)

SOURCES: dict[str, tuple[str, ...]] = {d.quantity: d.sources for d in DERIVED}
