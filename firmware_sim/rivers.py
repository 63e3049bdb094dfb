"""The two estuaries behind the former Hậu Giang, with where each figure comes from."""

from __future__ import annotations

from firmware_sim.estuary import Estuary
from firmware_sim.tide import Constituent

# East Sea: constants of Vũng Tàu from TICON-4 (Hart-Davis et al., CC BY 4.0), rounded to mm and tenths of a degree, fitted
# there on UHSLC 2007-2025. Mixed, mainly semidiurnal. Excursion E of 10-20 km (assumed 7 km a metre, the diurnals half).
_EAST_SEA = (
    Constituent(name="M2", level_m=0.773, phase=193.8, shift_km=5.4),
    Constituent(name="S2", level_m=0.302, phase=228.6, shift_km=2.1),
    Constituent(name="N2", level_m=0.163, phase=174.1, shift_km=1.1),
    Constituent(name="K2", level_m=0.094, phase=239.9, shift_km=0.6),
    Constituent(name="K1", level_m=0.595, phase=206.6, shift_km=1.7),
    Constituent(name="O1", level_m=0.447, phase=164.9, shift_km=1.3),
    Constituent(name="P1", level_m=0.189, phase=203.1, shift_km=0.5),
    Constituent(name="Q1", level_m=0.085, phase=147.8, shift_km=0.2),
    Constituent(name="SA", level_m=0.212, phase=278.1),
)

# West Sea: no constants found. Small and mainly diurnal in level [assumed], yet two maxima of salinity a day at Kênh Lầu (8-12 h and
# 20-24 h at springs, Hậu Giang hydromet, March 2021): so the semidiurnals move the salt, as the East Sea does through the canals.
_WEST_SEA = (
    Constituent(name="M2", level_m=0.12, phase=338.0, shift_km=3.4),
    Constituent(name="S2", level_m=0.05, phase=15.0, shift_km=1.4),
    Constituent(name="N2", level_m=0.03, phase=320.0, shift_km=0.6),
    Constituent(name="K1", level_m=0.22, phase=60.0, shift_km=1.0),
    Constituent(name="O1", level_m=0.14, phase=20.0, shift_km=0.7),
    Constituent(name="P1", level_m=0.07, phase=57.0, shift_km=0.3),
    Constituent(name="SA", level_m=0.10, phase=270.0),
)

# Hậu: fit of a March profile from 10.4 km on: S0 15, K .3, a 100 km, D0·A0/Q ≈ 24 km, of which only the ratio is identifiable
# (A0 and D0 chosen). Discharge: 40 % of the Mekong's monthly means (January 3250, February 2600, March 2340, April 2860, May 5200,
# August 20800, September 23400 m³/s; the other months interpolated [assumed]).
HAU = Estuary(
    id="hau",
    name="Sông Hậu",
    sea="East Sea",
    tide=_EAST_SEA,
    discharge=tuple(0.4 * q for q in (3250, 2600, 2340, 2860, 5200, 9800, 15000, 20800, 23400, 19000, 10500, 5400)),
    dry_year=0.18,
    s0=15.0,
    s0_swing=0.8,  # 18 at springs, 12 at neaps [assumed]
    s0_power=0.45,  # assumed: half the salt at the mouth when the rains have come
    mouth_km=45.0,
    x0_km=10.0,
    k=0.3,
    a_km=100.0,
    area0=40_000.0,
    dispersion0=770.0,
    dispersion_power=1.0,
    adjust_days=4.0,
    celerity=25.0,
    slack_lag_h=1.0,
    level_decay_km=120.0,
    surge_m=0.09,
    surge_km_per_m=25.0,
)

# Cái Lớn: no geometry, discharge or K was found. The same form, tuned by us to published readings: 4 g/L at 25-60 km; Kênh Lầu
# 1.8-5.9 g/L in March 2024 and 14.7 on 1 April 2020; Nước Trong 13.3 on 22 April 2024; about 1 g/L at Cái Tư. The little fresh
# water that comes from the Hậu through Xà No falls until April, and so the peak is later than on the Hậu.
CAI_LON = Estuary(
    id="cai-lon",
    name="Sông Cái Lớn",
    sea="West Sea",
    tide=_WEST_SEA,
    discharge=(75, 52, 40, 30, 42, 160, 330, 460, 520, 430, 260, 125),
    dry_year=0.25,
    s0=21.0,
    s0_swing=0.4,
    s0_power=0.4,
    mouth_km=40.0,
    x0_km=0.0,
    k=0.3,
    a_km=80.0,
    area0=4_000.0,
    dispersion0=350.0,
    dispersion_power=1.0,
    adjust_days=4.0,
    celerity=25.0,
    slack_lag_h=1.0,
    level_decay_km=60.0,
    surge_m=0.07,
    surge_km_per_m=25.0,
)

ESTUARIES: dict[str, Estuary] = {e.id: e for e in (HAU, CAI_LON)}
