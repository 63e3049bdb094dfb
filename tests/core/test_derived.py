"""Derived quantities: check values by hand, where they are not defined, and an order in which each source comes first."""

from __future__ import annotations

import numpy as np
import pytest

from core import seawater
from core.derived import DERIVED, SOURCES, pore_water_ec


def one(x: float) -> np.ndarray:
    return np.array([x])


def test_pore_water_by_hand() -> None:
    """Hilhorst 2000 with Topp 1980: θ = 0.35 → εb = 20.8815; at 25 °C εp = 78.45; σb = 1 dS/m → 78.45 / 16.7815."""
    assert pore_water_ec(one(1.0), one(0.35), one(25.0)) == pytest.approx([78.45 / 16.7815], rel=1e-6)
    assert pore_water_ec(one(0.5), one(0.35), one(25.0)) == pytest.approx([0.5 * 78.45 / 16.7815], rel=1e-6)


def test_pore_water_is_not_computed_in_dry_soil() -> None:
    """Below 0.10 m³/m³, near the offset permittivity and from NaN there is no value, and no warning."""
    moisture = np.array([0.0999, 0.10, 0.12, 0.30, np.nan])
    defined = ~np.isnan(pore_water_ec(np.full(5, 1.0), moisture, np.full(5, 28.0)))
    permittivity = 3.03 + 9.3 * moisture + 146.0 * moisture**2 - 76.7 * moisture**3
    assert defined.tolist() == [False, bool(permittivity[1] > 6.1), bool(permittivity[2] > 6.1), True, False]
    assert np.isnan(pore_water_ec(one(np.nan), one(0.3), one(28.0))).all()
    assert np.isnan(pore_water_ec(one(1.0), one(0.3), one(np.nan))).all()


def test_sources_come_first() -> None:
    """In the order of the table a derived source is computed before what needs it; nothing is derived twice or from itself."""
    names = [d.quantity for d in DERIVED]
    assert len(set(names)) == len(names)
    for i, derived in enumerate(DERIVED):
        assert derived.method
        assert derived.quantity not in derived.sources
        assert not set(derived.sources) & set(names[i:])
    assert {d.quantity: d.sources for d in DERIVED} == SOURCES


def test_salinity_of_warm_water_through_the_chain() -> None:
    """Raw conductivity at 31 °C → EC25 → g/L: the water's temperature goes in once, so 1 g/L stays 1 g/L."""
    by_name = {d.quantity: d for d in DERIVED}
    assert by_name["water.salinity"].sources == ("water.ec",), "temperature must not go in again"
    raw = seawater.ec25_from_raw(one(1.964), one(25.0)) * 1.1236  # 12.4 % more at 31 °C than at 25 °C
    ec = by_name["water.ec"].compute(raw, one(31.0))
    assert by_name["water.salinity"].compute(ec) == pytest.approx([1.0], rel=5e-3)
