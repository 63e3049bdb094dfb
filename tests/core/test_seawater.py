"""Conductivity and salinity: published check values, the project's own lines, and the laws between the functions."""

from __future__ import annotations

import gsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import seawater

C35 = 42.9140  # conductivity of standard sea water at 15 °C (IPTS-68), 0 dbar [mS/cm]
ITS90 = 1.00024  # T68 = 1.00024 T90; the tables of 1983 are in T68


@pytest.mark.parametrize(
    ("ratio", "t68", "pressure", "expected"),
    [(1.0, 15.0, 0.0, 35.0), (1.2, 20.0, 2000.0, 37.245628), (0.65, 5.0, 1500.0, 27.995347)],
)
def test_pss78_check_values(ratio: float, t68: float, pressure: float, expected: float) -> None:
    """UNESCO Technical Papers in Marine Science 44 (1983), p. 12: the table of practical salinity."""
    assert gsw.SP_from_C(ratio * C35, t68 / ITS90, pressure) == pytest.approx(expected, abs=1e-6)


def test_teos10_check_values() -> None:
    """TEOS-10's own check values: density in situ, and practical salinity at 15 °C of the scale of 1990."""
    density = gsw.rho_t_exact([34.7118, 34.8915, 35.0256], [28.7856, 28.4329, 22.8103], [10, 50, 125])
    assert density == pytest.approx([1021.840173185531, 1022.262689926782, 1024.427715941676], abs=1e-8)
    assert gsw.SP_from_C(C35, 15.0, 0.0) == pytest.approx(34.9968, abs=5e-5)


def test_density_agrees_with_eos80() -> None:
    """UNESCO 44 (1983), p. 19: 1023.343 kg/m³ for S = 35 at 25 °C, 997.048 for pure water: what g/L is computed with."""
    reference = gsw.SR_from_SP([35.0, 0.0])
    assert gsw.rho_t_exact(reference, 25.0 / ITS90, 0.0) == pytest.approx([1023.343, 997.048], abs=5e-3)


@pytest.mark.parametrize(("salinity", "ec"), [(1.0, 1.964), (4.0, 7.242)])
def test_the_official_lines(salinity: float, ec: float) -> None:
    """1 and 4 g/L stand at 1.964 and 7.242 dS/m at 25 °C."""
    assert float(seawater.ec_from_salinity(salinity)) == pytest.approx(ec, rel=5e-4)
    assert float(seawater.salinity_from_ec(ec)) == pytest.approx(salinity, rel=5e-4)


def test_the_whole_curve() -> None:
    """The table of g/L and EC25 from fresh to sea: within 0.06 % beside the rounding of its last digit."""
    salinity = np.array([0.25, 0.5, 1, 2, 3, 4, 5, 8, 10, 15, 20, 25, 30, 35])
    ec = np.array([0.518, 1.012, 1.964, 3.784, 5.537, 7.242, 8.912, 13.76, 16.88, 24.40, 31.61, 38.56, 45.28, 51.81])
    assert np.all(np.abs(seawater.ec_from_salinity(salinity) - ec) <= 6e-4 * ec + 5e-4)


@pytest.mark.parametrize("temperature", [1.0, 25.0, 31.0, 40.0])
def test_the_freshest_water_has_a_salinity(temperature: float) -> None:
    """From 0 on it rises without a gap: 0 g/L for rain and distilled water, never none at all; below 0 there is none."""
    ec = np.concatenate([[0.0], np.geomspace(1e-9, 0.1, 400)])
    salinity = seawater.salinity_from_ec(ec)
    assert salinity[0] == salinity[1] == 0.0
    assert np.all(np.diff(salinity) >= 0), "NaN would be no comparison"
    assert np.all(np.diff(seawater.ec25_from_raw(ec, temperature)) >= 0)
    assert np.isnan(seawater.salinity_from_ec([-1e-9, np.nan])).all()
    assert np.isnan(seawater.ec25_from_raw([0.001, -0.001], [np.nan, temperature])).all()


@given(st.floats(0.01, 1e9), st.floats(1.0001, 100.0))
def test_no_conductivity_is_too_high_to_be_salty(ec: float, factor: float) -> None:
    """Law: salinity rises beyond all water too. 5,000 µS/cm sent as mS/cm once was 0.38 g/L; what overflows has none, without a warning."""
    low, high, salty, *none = seawater.salinity_from_ec([ec, ec * factor, 5000.0, 1e200, 1.7e308])
    assert low < high
    assert salty > 42
    assert np.isnan(none).all()
    assert np.isnan(seawater.ec25_from_raw([1e200, 2.0], [28.0, 1e200])).all()


def test_a_fixed_factor_would_be_wrong() -> None:
    """g/L per dS/m is no constant: 0.51 at 1 g/L, 0.66 at 30: a factor misses the 4 g/L line."""
    factors = seawater.salinity_from_ec([1.964, 45.28]) / [1.964, 45.28]
    assert factors == pytest.approx([0.509, 0.662], abs=1e-3)


@given(st.floats(0.01, 40.0), st.floats(1.0, 40.0))
def test_the_water_s_temperature_changes_nothing(sp: float, temperature: float) -> None:
    """The same water, warm or cold, has one EC25 and so one salinity; double compensation would be up to 12 % off."""
    raw = gsw.C_from_SP(sp, temperature, 0.0)
    at_25 = gsw.C_from_SP(sp, 25.0, 0.0)
    ec = seawater.ec25_from_raw([raw], [temperature])
    assert ec == pytest.approx([at_25], rel=1e-8)
    assert seawater.salinity_from_ec(ec) == pytest.approx(seawater.salinity_from_ec([at_25]), rel=1e-8)


@given(st.floats(0.01, 60.0))
def test_inverse(ec: float) -> None:
    """Law: conductivity → salinity → conductivity gives the same, to 1e-9."""
    assert float(seawater.ec_from_salinity(seawater.salinity_from_ec(ec))) == pytest.approx(ec, rel=1e-9)


@given(st.floats(0.01, 60.0), st.floats(1.0001, 1.5))
def test_saltier_water_conducts_more(ec: float, factor: float) -> None:
    """Law: salinity rises with conductivity."""
    low, high = seawater.salinity_from_ec([ec, ec * factor])
    assert low < high


def test_what_is_no_conductivity_is_no_salinity() -> None:
    """NaN and negative give NaN, beside good values that stay good; shapes are kept."""
    assert np.isnan(seawater.salinity_from_ec([np.nan, -0.1, 1.964])).tolist() == [True, True, False]
    assert np.isnan(seawater.ec_from_salinity([np.nan, -0.1, 1.0])).tolist() == [True, True, False]
    assert np.isnan(seawater.ec25_from_raw([np.nan, 2.0, -1.0, 2.0], [25.0, np.nan, 25.0, 31.0])).tolist() == [True, True, True, False]
    assert seawater.salinity_from_ec(2.0).shape == ()
    assert seawater.salinity_from_ec([]).shape == (0,)
    assert float(seawater.salinity_from_ec(0.0)) == 0.0
