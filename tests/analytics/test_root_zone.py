"""The daily balance: nothing is lost or made, saltier water never ends fresher, and what is missing widens."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.root_zone import MOST_EC, MOST_ET, MOST_WATER, Balance, RootZone, SoilDays, balance
from analytics.soil import Span
from core.errors import ConfigError
from core.seawater import salinity_from_ec

NAN = float("nan")
ZONE = RootZone(depth=0.4, wilting=0.18, field_capacity=0.36, saturation=0.55)
MOST = {"irrigation": 80.0, "ec_irrigation": 15.0, "rain": 80.0, "etc": MOST_ET, "rise": MOST_ET, "ec_rise": 25.0}
LONG = 12


def grams(ec: float) -> float:
    """g/L; next to nothing below 0.01 dS/m, where the scale has no number."""
    return float(salinity_from_ec(ec)) if ec >= 0.01 else 0.0


def point(value: float) -> Span:
    return Span.around(value, value)


@st.composite
def soil_days(draw: st.DrawFn) -> SoilDays:
    n = draw(st.integers(1, LONG))
    columns = {name: st.one_of(st.just(0.0), st.floats(0.01, most)) for name, most in MOST.items()}
    return SoilDays(**{name: np.array(draw(st.lists(column, min_size=n, max_size=n))) for name, column in columns.items()})


def run(days: SoilDays, *, zone: RootZone = ZONE, ece: float = 2.0, moisture: float = 0.3) -> Balance:
    return balance(zone, days, moisture=point(moisture), ece=point(ece))


def constant(n: int, **values: float) -> SoilDays:
    return SoilDays(**{f.name: np.full(n, values.get(f.name, 0.0)) for f in fields(SoilDays)})


@given(days=soil_days(), ece=st.floats(0.01, 20), moisture=st.floats(0.18, 0.36), efficiency=st.floats(0, 1))
def test_salt_in_less_salt_out_is_the_change(days: SoilDays, ece: float, moisture: float, efficiency: float) -> None:
    """In g/m²: what came with the water by hand, less what left with the drained water, is what is more in the soil."""
    done = run(days, zone=replace(ZONE, efficiency=(efficiency, efficiency)), ece=ece, moisture=moisture)
    came = sum(
        mm * grams(ec)
        for depth, salty in ((days.irrigation, days.ec_irrigation), (days.rise, days.ec_rise))
        for mm, ec in zip(depth.tolist(), salty.tolist(), strict=True)
    )
    begun = grams(ece) * 1000 * 0.4 * 0.55
    assert done.salt.high[-1] - begun == pytest.approx(came - done.salt_out.high.sum(), abs=1e-6)
    np.testing.assert_allclose(done.salt.low, done.salt.high, rtol=1e-9)


@given(days=soil_days(), moisture=st.floats(0.18, 0.36))
def test_water_in_less_water_out_is_the_change(days: SoilDays, moisture: float) -> None:
    """In mm, where the soil never reached wilting: there crop water use is what was asked for."""
    done = run(days, moisture=moisture)
    begun = 1000 * 0.4 * moisture
    steps = np.diff(np.concatenate(([begun], done.water.high)))
    came = days.irrigation + days.rain + days.rise
    used = came - done.drained.high - steps
    assert (used <= days.etc + 1e-9).all()
    assert (used >= -1e-9).all()
    moist = done.water.high > 1000 * 0.4 * 0.18 + 1e-9
    np.testing.assert_allclose(used[moist], days.etc[moist], atol=1e-9)
    assert (done.water.high <= 1000 * 0.4 * 0.36 + 1e-9).all()


@given(days=soil_days(), more=st.floats(0, 10))
def test_saltier_water_never_leaves_fresher_soil(days: SoilDays, more: float) -> None:
    """ECe at the end of each day rises with the salt of the irrigation water."""
    plain, salty = run(days), run(replace(days, ec_irrigation=days.ec_irrigation + more))
    assert (salty.ece.high >= plain.ece.high - 1e-9).all()


@given(days=soil_days(), data=st.data())
def test_whatever_was_missing_lies_within_the_span(days: SoilDays, data: st.DataObject) -> None:
    """Any numbers taken away: the balance with them lies within the balance without, water and salt; so it does with a start known less well."""
    blank = data.draw(st.lists(st.tuples(st.sampled_from(sorted(MOST)), st.integers(0, LONG - 1)), max_size=8))
    holes = {name: getattr(days, name).copy() for name in MOST}
    for name, t in blank:
        holes[name][t % len(holes[name])] = NAN
    start = data.draw(st.sampled_from([(point(0.3), point(2.0)), (Span.around(0.25, 0.33), Span.around(1.0, 2.5)), (point(NAN), point(NAN))]))
    true, wide = run(days), balance(replace(ZONE, efficiency=(0.5, 1.0)), SoilDays(**holes), moisture=start[0], ece=start[1])
    for name in ("water", "salt", "ece", "drained"):
        exact, span = getattr(true, name), getattr(wide, name)
        assert (span.low <= exact.low + 1e-6).all(), name
        assert (span.high >= exact.high - 1e-6).all(), name


@pytest.mark.parametrize("name", ["irrigation", "rain", "etc", "rise"])
def test_a_missing_number_is_never_taken_for_nothing(name: str) -> None:
    """One day's hole makes the span wider from that day on, in the direction that is worse too (rain may not have fallen, water may have been salty)."""
    days = constant(5, irrigation=6.0, ec_irrigation=2.0, rain=6.0, etc=5.0, rise=1.0, ec_rise=8.0)
    column = getattr(days, name).copy()
    column[2] = NAN
    known, holed = run(days, moisture=0.36), run(replace(days, **{name: column}), moisture=0.36)
    assert (holed.ece.high[2:] > known.ece.high[2:]).all()
    assert (holed.ece.low[2:] <= known.ece.low[2:]).all()
    np.testing.assert_array_equal(holed.ece.high[:2], known.ece.high[:2])


@pytest.mark.parametrize("wrong", [NAN, -1.0, np.inf])
def test_numbers_that_make_no_sense_are_missing(wrong: float) -> None:
    """A negative or infinite depth is not known."""
    holed = run(constant(1, rain=wrong, etc=5.0))
    assert holed.water.low[0] < 1000 * 0.4 * 0.3 < holed.water.high[0]
    assert np.isfinite(holed.water.high[0])


def test_water_saltier_than_any_is_missing() -> None:
    """Past the scale there is no salinity: from none to all there can be, never NaN."""
    done = run(constant(2, irrigation=10.0, ec_irrigation=80.0))
    unknown = run(constant(2, irrigation=10.0, ec_irrigation=NAN))
    np.testing.assert_array_equal(done.ece.high, unknown.ece.high)
    np.testing.assert_array_equal(done.ece.low, unknown.ece.low)
    assert (done.ece.high > 5).all()


def test_an_unknown_start_is_unknown_until_it_is_washed() -> None:
    """From 0 to infinity; no amount of known water makes it look known."""
    done = balance(ZONE, constant(3, irrigation=100.0, ec_irrigation=0.5), moisture=point(0.3), ece=point(NAN))
    assert (done.ece.high == np.inf).all()


def test_what_drains_in_the_end_is_ecw_over_the_leaching_fraction() -> None:
    """FAO-29: ECdw = ECw / LF once salt in and out are even; here as g/L, with 10 mm a day of which a fifth drains."""
    done = run(constant(2000, irrigation=10.0, ec_irrigation=1.5, etc=8.0))
    drained = done.salt_out.high[-1] / done.drained.high[-1]
    assert done.drained.high[-1] == pytest.approx(2.0)
    assert drained == pytest.approx(float(salinity_from_ec(1.5)) / 0.2, rel=1e-6)


def test_many_fields_at_once_are_each_alone() -> None:
    """Columns (n, fields): the same as field by field."""
    days = constant(6, irrigation=12.0, ec_irrigation=3.0, etc=5.0)
    two = SoilDays(**{f.name: np.stack([getattr(days, f.name), 0.5 * getattr(days, f.name)], axis=1) for f in fields(SoilDays)})
    both = run(two)
    for i, alone in enumerate((days, SoilDays(**{f.name: 0.5 * getattr(days, f.name) for f in fields(SoilDays)}))):
        np.testing.assert_allclose(both.ece.high[:, i], run(alone).ece.high)


def test_no_days_change_nothing() -> None:
    """An empty column is no error."""
    assert run(constant(0)).ece.high.shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [{"depth": 0.0}, {"wilting": 0.4}, {"saturation": 0.3}, {"saturation": 1.1}, {"wilting": NAN}, {"efficiency": (0.5, 1.1)}, {"efficiency": (0.9, 0.5)}],
)
def test_a_soil_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """The order of its water contents, and shares beyond 1."""
    with pytest.raises(ConfigError, match="root zone"):
        replace(ZONE, **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_the_widest_day_is_wider_than_any_drawn() -> None:
    """The test of spans draws within what a missing number stands for."""
    assert max(MOST["irrigation"], MOST["rain"]) <= MOST_WATER
    assert max(MOST["etc"], MOST["rise"]) <= MOST_ET
    assert max(MOST["ec_irrigation"], MOST["ec_rise"]) <= MOST_EC


@given(ec=st.floats(0, MOST_EC))
def test_salt_and_ece_are_each_others_inverse(ec: float) -> None:
    """From none at all to sea water: also where the scale of sea salt has no numbers, below that of rain."""
    assert float(ZONE.ece(ZONE.salt(point(ec))).high) == pytest.approx(ec, rel=1e-6, abs=1e-12)


def test_beyond_the_scale_the_upper_bound_is_none() -> None:
    """More salt than sea water holds: at least that, and no upper bound."""
    span = ZONE.ece(ZONE.salt(point(70.0)))
    assert 59 < float(span.low) <= 60.1
    assert float(span.high) == np.inf
