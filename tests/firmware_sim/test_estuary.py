"""The estuary model: published check values of its formulas, and the laws that any estuary obeys."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import estuary as es
from firmware_sim import tide
from firmware_sim.gate import Gate, inside_salinity, is_closed
from firmware_sim.rivers import CAI_LON, ESTUARIES, HAU

DAY = 86_400_000
STEP = 900_000
estuaries = pytest.mark.parametrize("estuary", ESTUARIES.values(), ids=ESTUARIES.keys())


def at(text: str) -> int:
    return int(np.datetime64(text).astype("datetime64[ms]").astype(np.int64))


def month(year: int, number: int) -> np.ndarray:
    start = at(f"{year}-{number:02d}-01")
    return start + np.arange(28 * 96) * STEP


def daily_max(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, 96).max(axis=1)


def test_profile_reproduces_the_march_profile_it_was_fitted_to() -> None:
    """Fit of domain facts §8: S0 15 at 10.4 km, K .3, a 100 km, β 1.27 gives the measured 8.3, 5.8, 2.3, 0.1 psu within .7, rms .43."""
    km, psu = np.array([10.4, 21.0, 28.8, 41.7, 57.8]), np.array([15.0, 8.3, 5.8, 2.3, 0.1])
    found = es.savenije(km - 10.4, s0=15.0, beta=1.27, k=0.3, a_km=100.0)
    assert np.sqrt(np.mean((found - psu) ** 2)) == pytest.approx(0.43, abs=0.05)
    assert np.abs(found - psu).max() < 0.8


def test_intrusion_length_is_where_the_profile_ends() -> None:
    """L = a·ln(1 + 1/β) is 58 km for the fitted β, and the profile is 0 from there on and not before."""
    length = es.intrusion_length(1.27, 100.0)
    assert length == pytest.approx(58.08, abs=0.01)
    near = es.savenije([length - 0.5, length + 0.1], s0=15.0, beta=1.27, k=0.3, a_km=100.0)
    assert near[0] > 0 == near[1]


def test_fitted_ratio_of_dispersion_area_and_discharge() -> None:
    """D0·A0/Q ≈ 24 km at Q = 1300 m³/s is what the default constants of the Hậu stand for (β 1.27 then)."""
    assert HAU.dispersion0 * HAU.area0 / 1300 / 1000 == pytest.approx(23.7, abs=0.1)
    assert HAU.k * HAU.a_km * 1000 * 1300 / (HAU.area0 * HAU.dispersion0) == pytest.approx(1.27, abs=0.01)


def test_tide_of_the_east_sea_against_an_independent_prediction(shared_dir: Path) -> None:
    """Nine constituents with our arguments follow the hourly prediction of Vũng Tàu from 50 (another program) within 8 cm rms."""
    path = shared_dir / "data/tides/vung_tau_predicted_hourly_2019_2022.csv.gz"
    if not path.exists():
        pytest.skip(f"no measured data at {path}")
    with gzip.open(path, "rt") as file:
        rows = list(csv.reader(file))[1:]
    times = np.array([at(row[0].rstrip("Z")) for row in rows])
    height = np.array([float(row[1]) for row in rows])
    error = tide.level(HAU.tide, times) - (height - height.mean())
    assert error.std() < 0.08 < 0.8 < height.std()


def test_springs_follow_new_and_full_moon() -> None:
    """The strongest range lies 0 to 3 days after the new moons of 10 March 2024 and 17 February 2026."""
    for moon in ("2024-03-10T09:00", "2026-02-17T12:01"):
        hours = at(moon) + np.arange(-5 * 24, 5 * 24) * 3_600_000
        assert 0 <= (hours[tide.spring_ratio(HAU.tide, hours).argmax()] - at(moon)) / DAY <= 3


def test_spring_neap_cycle_is_fourteen_days_and_eighteen_hours() -> None:
    """M2 and S2 alone meet every 14.765 days."""
    pair = tuple(c for c in HAU.tide if c.name in ("M2", "S2"))
    hours = at("2026-01-01") + np.arange(365 * 24) * 3_600_000
    ratio = tide.spring_ratio(pair, hours)
    tops = np.flatnonzero((ratio[1:-1] > ratio[:-2]) & (ratio[1:-1] >= ratio[2:]))
    assert np.diff(tops).mean() / 24 == pytest.approx(14.765, abs=0.02)


@estuaries
@given(km=st.floats(-5, 90), further=st.floats(0.5, 40), day=st.integers(0, 3000))
def test_salinity_falls_with_distance_and_stays_in_bounds(estuary: es.Estuary, km: float, further: float, day: int) -> None:
    """The mean of any ten days is not higher upstream, and no value leaves 0 … the sea's salinity."""
    times = at("2018-01-01") + day * DAY + np.arange(0, 240) * 3_600_000
    near, far = es.true_salinity(estuary, km, times), es.true_salinity(estuary, km + further, times)
    assert far.mean() <= near.mean() + 1e-9
    assert min(near.min(), far.min()) >= 0
    assert max(near.max(), far.max()) <= estuary.sea_salinity


@estuaries
@given(km=st.floats(0, 80), drier=st.floats(0.3, 0.95), day=st.integers(0, 2000))
def test_salinity_rises_with_lower_discharge(estuary: es.Estuary, km: float, drier: float, day: int) -> None:
    """Less of the river's water never means less salt, anywhere and at any time."""
    times = at("2019-01-01") + day * DAY + np.arange(0, 96) * STEP
    low = replace(estuary, discharge=tuple(q * drier for q in estuary.discharge))
    usual = es.beta(estuary, times)
    assert (es.beta(low, times) < usual).all()
    assert (es.true_salinity(low, km, times) >= es.true_salinity(estuary, km, times) - 1e-9).all()


@estuaries
def test_springs_bring_more_salt_than_neaps(estuary: es.Estuary) -> None:
    """Without wind, daily maxima of the dry season at spring tides lie well over those at neaps."""
    still = replace(estuary, surge_m=0.0)
    times = at("2026-02-01") + np.arange(59 * 96) * STEP
    peaks = daily_max(es.true_salinity(still, 37.0, times))
    ratio = es.range_ratio(still, times).reshape(-1, 96).mean(axis=1)
    assert peaks[ratio > np.quantile(ratio, 0.8)].mean() > 1.5 * peaks[ratio < np.quantile(ratio, 0.2)].mean()


@estuaries
def test_two_maxima_a_day(estuary: es.Estuary) -> None:
    """Salinity turns about twice in a lunar day of 24.84 h, on the West Sea's side too, whose level is mainly diurnal."""
    times = month(2026, 3)
    s = es.true_salinity(estuary, 35.0, times)
    peaks = int(((s[1:-1] > s[:-2]) & (s[1:-1] >= s[2:])).sum())
    assert peaks == pytest.approx(28 * 24 / 24.84 * 2, rel=0.1)


def test_peak_hours_at_springs() -> None:
    """Highest salinity at springs: Kênh Lầu 8–12 and 20–24 h, the Hậu side 5–8 and 18–21 h (Hậu Giang hydromet, VOV), ± 1 h."""
    for estuary, km, hours in ((CAI_LON, 37.0, (8, 12)), (HAU, 60.0, (5, 8))):
        still = replace(estuary, surge_m=0.0)
        found = []
        for day in ("2026-03-04", "2026-03-19", "2026-04-18"):
            times = at(day) - 7 * 3_600_000 + np.arange(96) * STEP
            s = es.true_salinity(still, km, times)
            found += [i / 4 % 12 for i in range(1, 95) if s[i - 1] < s[i] >= s[i + 1]]
        inside = [hours[0] - 1 <= h <= hours[1] + 1 or hours[0] - 1 <= h + 12 <= hours[1] + 1 for h in found]
        assert len(found) >= 5
        assert sum(inside) >= 0.8 * len(found)


def test_figures_of_the_delta() -> None:
    """March of a usual year: 4 g/L to 40–55 km on the Hậu, Kênh Lầu's highest daily peaks 5–8 g/L; a drought April: 12–18 at Nước Trong."""
    usual = {e.id: replace(e, dry_year=0.0) for e in (HAU, CAI_LON)}
    times = month(2026, 3)
    reach = np.array([daily_max(es.true_salinity(usual["hau"], km, times)) > 4.0 for km in range(90)]).sum(axis=0)
    assert 40 <= np.median(reach) <= 55
    lau = daily_max(es.true_salinity(usual["cai-lon"], 37.0, times))
    assert 5.0 <= lau.max() <= 8.0
    assert lau.min() < 3.0
    reach = np.array([daily_max(es.true_salinity(usual["cai-lon"], km, times)) > 4.0 for km in range(90)]).sum(axis=0)
    assert 25 <= np.median(reach) <= 60
    drought = replace(usual["cai-lon"], discharge=tuple(0.5 * q for q in CAI_LON.discharge))
    assert 12.0 <= es.true_salinity(drought, 35.5, month(2026, 4)).max() <= 18.0


def test_west_sea_peaks_later_in_the_year() -> None:
    """The Hậu is saltiest in February and March, Cái Lớn in March to May."""
    calm = {e.id: replace(e, dry_year=0.0, surge_m=0.0) for e in (HAU, CAI_LON)}
    mean = {name: [es.true_salinity(e, 35.0, month(2026, m)).mean() for m in range(1, 9)] for name, e in calm.items()}
    assert int(np.argmax(mean["hau"])) + 1 in (2, 3)
    assert int(np.argmax(mean["cai-lon"])) + 1 in (3, 4, 5)
    assert all(m[7] < 0.3 * max(m) for m in mean.values())


def test_estuaries_differ_and_seeds_reproduce() -> None:
    """The two estuaries are not one; the same seed is the same weather in any slice, another seed is not."""
    times = month(2026, 3)
    one = es.true_salinity(HAU, 35.0, times)
    assert abs(np.corrcoef(one, es.true_salinity(CAI_LON, 35.0, times))[0, 1]) < 0.9
    assert np.allclose(one[100:200], es.true_salinity(HAU, 35.0, times[100:200]), atol=1e-12)
    assert not np.allclose(one, es.true_salinity(replace(HAU, seed=7), 35.0, times), atol=0.1)


@estuaries
def test_temperature_and_level(estuary: es.Estuary) -> None:
    """Water is 26–33 °C with a warm afternoon; the tide fades upstream and the West Sea's is the small one."""
    times = month(2026, 4)
    warmth = es.true_temperature(estuary, 30.0, times)
    assert 26.0 <= warmth.min() < warmth.max() <= 33.0
    by_hour = warmth.reshape(-1, 96).mean(axis=0)
    assert 1.0 < by_hour.max() - by_hour.min() < 2.5
    assert (by_hour.argmax() / 4 + 7) % 24 == pytest.approx(15, abs=1)
    assert np.ptp(es.true_level(estuary, 60.0, times)) < np.ptp(es.true_level(estuary, 0.0, times))
    assert np.ptp(es.true_level(CAI_LON, 0.0, times)) < 1.6 < 2.5 < np.ptp(es.true_level(HAU, 0.0, times))


def test_a_closed_gate_keeps_the_inside_fresher() -> None:
    """Shut for over a day, the water inside stays at about a third of the outside's; open, it has the river's daily mean."""
    times = month(2026, 3)
    shut = Gate(closures=((int(times[0]) - 3 * DAY, int(times[-1]) + 1),))
    outside = es.true_salinity(CAI_LON, 37.0, times)
    inside = inside_salinity(shut, CAI_LON, 37.0, times)
    assert is_closed(shut, CAI_LON, times).all()
    assert (daily_max(inside) < daily_max(outside)).all()
    assert inside.mean() == pytest.approx(0.35 * outside.mean(), rel=0.15)
    always_open = inside_salinity(Gate(), CAI_LON, 37.0, times)
    assert always_open.mean() == pytest.approx(outside.mean(), rel=0.1)
    assert (inside < always_open).all()


def test_a_gate_shuts_at_springs_of_its_months() -> None:
    """The rule shuts it where the range is over its limit, in the months named, and never in others."""
    gate = Gate(months=(3,), spring_above=1.0)
    times = at("2026-02-10") + np.arange(60 * 96) * STEP
    closed = is_closed(gate, CAI_LON, times)
    local_march = (times + es.LOCAL_MS >= at("2026-03-01")) & (times + es.LOCAL_MS < at("2026-04-01"))
    assert 0.2 < closed[local_march].mean() < 0.8
    assert not closed[~local_march].any()
