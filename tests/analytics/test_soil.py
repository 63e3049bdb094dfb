"""Salt in the soil: published values, and what is missing only ever widens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.soil import (
    Span,
    ece_from_bulk,
    ece_from_pore,
    leaching_depth,
    leaching_requirement,
    relative_yield,
    water_with_leaching,
    yield_loss,
)
from core.derived import pore_water_ec

NAN = float("nan")
CONDUCTIVITY = st.floats(0, 75)
FACTS = st.one_of(st.just(NAN), st.floats(allow_nan=True, allow_infinity=True))


@pytest.mark.parametrize(("share", "ece"), [(100, 3.0), (90, 3.8), (75, 5.1), (50, 7.2)])
def test_rice_as_in_fao_29(share: float, ece: float) -> None:
    """FAO-29 rev. 1, table 4, paddy rice: ECe at 100, 90, 75 and 50 % of the yield, to the digit printed; a = 3.0, b = 12."""
    levels = np.linspace(0, 15, 150_001)
    reached = levels[relative_yield(levels, threshold=3.0, slope=12.0) >= share - 1e-9].max()
    assert round(reached, 1) == ece


def test_yield_stays_within_0_and_100() -> None:
    """Under the threshold nothing is lost, far beyond it there is nothing left to lose; a level that makes no sense has none."""
    np.testing.assert_allclose(relative_yield([0, 3, 4, 11.4, 90, NAN, -1], threshold=3.0, slope=12.0), [100, 100, 88, 0, 0, NAN, NAN], atol=1e-9)


@given(low=CONDUCTIVITY, more=CONDUCTIVITY)
def test_a_wider_span_loses_from_less_to_more(low: float, more: float) -> None:
    """Loss rises with ECe, so the span's ends are the loss's."""
    lost = yield_loss(Span.around(low, low + more), threshold=1.3, slope=16.0)
    assert 0 <= lost.low <= lost.high <= 100


def test_an_unknown_level_may_lose_everything() -> None:
    """0 to infinity: from nothing to the whole yield."""
    lost = yield_loss(Span.around([NAN], [NAN]), threshold=3.0, slope=12.0)
    assert (lost.low, lost.high) == (0, 100)


@pytest.mark.parametrize("ece", [1.5, 3.0, 6.0])
def test_leaching_where_ece_is_one_and_a_half_times_ecw(ece: float) -> None:
    """FAO-29 rev. 1: ECe = 1.5 ECw goes with a leaching fraction of 15–20 %; the formula gives 1/6.5 = 15.4 %."""
    assert float(leaching_requirement(ece / 1.5, ece=ece)) == pytest.approx(1 / 6.5)
    assert 0.15 <= 1 / 6.5 <= 0.20


@pytest.mark.parametrize(("ece", "share"), [(3.0, 0.15), (1.7, 0.30), (1.3, 0.43)])
def test_leaching_with_water_of_one_gram(ece: float, share: float) -> None:
    """ECw / (5 ECe − ECw) by hand, at 1.964 dS/m (1 g/L): rice, sugarcane, orange."""
    assert float(leaching_requirement(1.964, ece=ece)) == pytest.approx(share, abs=0.005)


def test_water_that_cannot_hold_the_soil_asks_for_infinity() -> None:
    """A share of 1 or more, and water saltier than 5 ECe, where the formula would turn negative; NaN is not known."""
    assert leaching_requirement([2.5, 5.0, 9.0, NAN, -1.0], ece=1.0).tolist() == pytest.approx([np.inf, np.inf, np.inf, NAN, NAN], nan_ok=True)
    assert np.isnan(leaching_requirement(1.0, ece=0.0))
    assert np.isnan(leaching_requirement(1.0, ece=NAN))


@given(a=CONDUCTIVITY, b=CONDUCTIVITY, ece=st.floats(0.1, 20))
def test_saltier_water_never_asks_for_less(a: float, b: float, ece: float) -> None:
    """The leaching requirement rises with the salt of the water."""
    less, more = leaching_requirement(sorted((a, b)), ece=ece)
    assert less <= more


def test_depth_to_apply() -> None:
    """AW = ET / (1 − LR): 800 mm at 20 % are 1,000 mm, 200 of them drain; nothing is enough at a share of 1; NaN stays."""
    assert water_with_leaching([800, 800, NAN, 5], [0.2, 1, 0.2, NAN]).tolist() == pytest.approx([1000, np.inf, NAN, NAN], nan_ok=True)
    assert float(leaching_depth(800, 0.2)) == pytest.approx(200)
    assert float(leaching_depth(800, np.inf)) == np.inf


def test_pore_water_thinned_to_the_paste() -> None:
    """σp·θ/θs: 6 dS/m at 0.30 in a paste of 0.60 are 3; by default ±20 % of σp and ±0.03 of θ on either side."""
    exact = ece_from_pore([6.0], [0.30], saturation=(0.6, 0.6), pore_error=0, moisture_error=0)
    assert (exact.low, exact.high) == (pytest.approx(3.0), pytest.approx(3.0))
    usual = ece_from_pore([6.0], [0.30], saturation=(0.5, 0.6))
    assert (usual.low, usual.high) == (pytest.approx(6 * 0.8 * 0.27 / 0.6), pytest.approx(6 * 1.2 * 0.33 / 0.5))


def test_bulk_soil_goes_through_hilhorst() -> None:
    """The same as its pore water."""
    pore = pore_water_ec(np.array([1.0]), np.array([0.35]), np.array([28.0]))
    assert ece_from_bulk([1.0], [0.35], [28.0], saturation=(0.5, 0.6)) == ece_from_pore(pore, [0.35], saturation=(0.5, 0.6))


@pytest.mark.parametrize("moisture", [0.09, NAN, 1.2, -0.1])
def test_dry_soil_is_not_known(moisture: float) -> None:
    """Below 0.10 m³/m³, or where the water content is missing or none: 0 to infinity."""
    span = ece_from_pore([3.0], [moisture], saturation=(0.5, 0.6))
    assert (span.low, span.high) == (0, np.inf)


@given(pore=FACTS, moisture=FACTS, least=FACTS, most=FACTS)
def test_whatever_comes_in_a_span_comes_out(pore: float, moisture: float, least: float, most: float) -> None:
    """Never NaN, never a low above its high, and what is no number gives the widest span."""
    span = ece_from_pore(pore, moisture, saturation=(least, most))
    assert 0 <= span.low <= span.high
    if np.isnan([pore, moisture, least, most]).any():
        assert (span.low, span.high) == (0, np.inf)


@given(low=FACTS, high=FACTS)
def test_bounds_that_make_no_sense_are_unknown(low: float, high: float) -> None:
    """A span is what it was given, or everything."""
    span = Span.around(low, high)
    assert (span.low, span.high) == ((low, high) if 0 <= low <= high else (0, np.inf))
