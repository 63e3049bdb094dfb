"""Salinity, level and temperature of an estuary: Savenije's steady profile, moved by the tide, the season and the wind.

Steady state, tidally averaged (Savenije 2012, Salinity and Tides in Alluvial Estuaries, 2nd ed., eqs 4.23, 4.36, 5.45):
with A = A0·exp(−x/a) and D/D0 = (S/S0)^K, S(x) = S0·[1 − β(e^{x/a} − 1)]^{1/K}, β = K·a·Q/(A0·D0), L = a·ln(1 + 1/β).
The tide carries the profile up and down: S(x, t) = S_TA(x − shift(t)), at most E/2 at high water slack [shift: assumed].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firmware_sim import tide as tides
from firmware_sim.noise import DAY_MS, normal, seed_of, slow

Floats = NDArray[np.float64]

HOUR_MS = 3_600_000
LOCAL_MS = 7 * HOUR_MS  # the delta's clock, for what follows the sun and the calendar
_SPRING_RAD_PER_DAY = 2.0 * np.pi / 14.7653


@dataclass(frozen=True, slots=True, kw_only=True)
class Estuary:
    """Constants of one estuary. Distances [km] from the sea, salinity [g/L], discharge [m³/s], area [m²], dispersion [m²/s]."""

    id: str
    name: str
    sea: str
    tide: tuple[tides.Constituent, ...]
    discharge: tuple[float, ...]  # January … December
    dry_year: float  # standard deviation of a year's log discharge
    s0: float  # at x0_km, at mean tide and the lowest monthly discharge
    s0_swing: float  # relative change of s0 per unit of the spring ratio
    s0_power: float  # s0 ∝ (lowest monthly Q / Q)^power
    mouth_km: float  # seaward of x0_km salinity grows by e over this length
    x0_km: float
    k: float
    a_km: float
    area0: float
    dispersion0: float
    dispersion_power: float  # D0 ∝ (range / mean range)^n
    adjust_days: float  # how slowly the profile follows the range
    celerity: float  # of the tidal wave [km/h]
    slack_lag_h: float  # high water slack comes after high water
    level_decay_km: float
    surge_m: float  # standard deviation of wind set-up at the mouth [m]
    surge_km_per_m: float
    sea_salinity: float = 34.0
    fresh: float = 0.1
    seed: int = 0


def savenije(x_km: ArrayLike, *, s0: ArrayLike, beta: ArrayLike, k: float, a_km: float) -> Floats:
    """Tidally averaged salinity [g/L] at `x_km` beyond the point where it is `s0`; 0 beyond the intrusion length. Shapes broadcast."""
    inner = 1.0 - np.asarray(beta, dtype=np.float64) * np.expm1(np.asarray(x_km, dtype=np.float64) / a_km)
    return np.asarray(s0, dtype=np.float64) * np.maximum(inner, 0.0) ** (1.0 / k)


def intrusion_length(beta: float, a_km: float) -> float:
    """L = a·ln(1 + 1/β) [km]: where Savenije's profile reaches 0."""
    return float(a_km * np.log1p(1.0 / beta))


def mouth_salinity(estuary: Estuary, time_ms: ArrayLike) -> Floats:
    """S0 [g/L] at `x0_km`, shape (n,): higher at springs and at low discharge."""
    swing = 1.0 + estuary.s0_swing * (range_ratio(estuary, time_ms) - 1.0)
    return np.asarray(estuary.s0 * swing * (min(estuary.discharge) / discharge(estuary, time_ms)) ** estuary.s0_power, dtype=np.float64)


def _times(time_ms: ArrayLike) -> Floats:
    return np.atleast_1d(np.asarray(time_ms, dtype=np.float64))


def discharge(estuary: Estuary, time_ms: ArrayLike) -> Floats:
    """River discharge that the salt feels [m³/s], shape (n,): months joined log-linearly, wetter and drier years, the last 10 days' mean."""
    t = _times(time_ms)
    if not len(t):
        return t
    months = np.arange(
        np.datetime64(int(t.min()) - 60 * DAY_MS, "ms").astype("datetime64[M]"), np.datetime64(int(t.max()) + 60 * DAY_MS, "ms").astype("datetime64[M]")
    )
    number = months.astype(np.int64)
    season = (number + 4) // 12  # a dry season belongs to one low-water year, which begins in September
    anomaly = estuary.dry_year * np.clip(normal(seed_of(estuary.seed, "year"), season), -2.0, 2.0)
    knots = np.log(np.asarray(estuary.discharge)[number % 12]) + anomaly
    middle = months.astype("datetime64[ms]").astype(np.float64) + 15 * DAY_MS
    lagged = [np.interp(t - days * DAY_MS, middle, knots) for days in (0.0, 5.0, 10.0)]
    return np.asarray(np.exp(np.mean(lagged, axis=0)), dtype=np.float64)


def range_ratio(estuary: Estuary, time_ms: ArrayLike) -> Floats:
    """Tidal range over its mean as the profile feels it, shape (n,): a first-order lag of `adjust_days` damps and delays it."""
    w = _SPRING_RAD_PER_DAY * estuary.adjust_days
    late = np.arctan(w) / _SPRING_RAD_PER_DAY * DAY_MS
    return np.asarray(1.0 + (tides.spring_ratio(estuary.tide, _times(time_ms) - late) - 1.0) / np.hypot(1.0, w), dtype=np.float64)


def surge(estuary: Estuary, time_ms: ArrayLike) -> Floats:
    """Wind set-up at the mouth [m], shape (n,); 20 to 40 cm of it drive the salt some 10 km further (esurf-9-953-2021)."""
    return estuary.surge_m * slow(seed_of(estuary.seed, estuary.id, "surge"), time_ms, days=(2.5, 20.0))


def beta(estuary: Estuary, time_ms: ArrayLike) -> Floats:
    """Savenije's β = K·a·Q/(A0·D0) [1], shape (n,)."""
    mixing = estuary.dispersion0 * range_ratio(estuary, time_ms) ** estuary.dispersion_power
    return np.asarray(estuary.k * estuary.a_km * 1000.0 * discharge(estuary, time_ms) / (estuary.area0 * mixing), dtype=np.float64)


def true_salinity(estuary: Estuary, km: float, time_ms: ArrayLike) -> Floats:
    """Salinity [g/L] at `km` from the sea, shape (n,); never below the river's own nor above the sea's."""
    t = _times(time_ms)
    slack = t - (estuary.slack_lag_h + max(km, 0.0) / estuary.celerity) * HOUR_MS
    moved = tides.shift(estuary.tide, slack) + estuary.surge_km_per_m * surge(estuary, t)
    x = km - moved - estuary.x0_km
    s0 = mouth_salinity(estuary, t) * np.exp(np.maximum(-x, 0.0) / estuary.mouth_km)
    salt = savenije(np.maximum(x, 0.0), s0=s0, beta=beta(estuary, t), k=estuary.k, a_km=estuary.a_km)
    return np.asarray(estuary.fresh + np.minimum(salt, estuary.sea_salinity) * (1.0 - estuary.fresh / estuary.sea_salinity), dtype=np.float64)


def true_level(estuary: Estuary, km: float, time_ms: ArrayLike) -> Floats:
    """Water level [m] above mean sea level, shape (n,): the tide fades and comes later upstream, the river lifts it."""
    t = _times(time_ms)
    faded = np.exp(-max(km, 0.0) / estuary.level_decay_km)
    wave = tides.level(estuary.tide, t - max(km, 0.0) / estuary.celerity * HOUR_MS)
    river = 0.002 * max(km, 0.0) * discharge(estuary, t) / max(estuary.discharge)
    return np.asarray(faded * wave + surge(estuary, t) + river, dtype=np.float64)


def true_temperature(estuary: Estuary, km: float, time_ms: ArrayLike) -> Floats:
    """Water temperature [Cel], shape (n,), 26 to 33 over the dry season: warmest in late April and at 15 h local time."""
    t = _times(time_ms) + LOCAL_MS
    year = np.cos(2.0 * np.pi * (t / DAY_MS - 112.0) / 365.25)
    day = np.cos(2.0 * np.pi * (t / DAY_MS - 15.0 / 24.0))
    weather = slow(seed_of(estuary.seed, "weather", round(km)), time_ms, days=(4.0, 30.0))
    return np.asarray(np.clip(29.5 + 1.4 * year + 0.9 * day + 0.35 * weather, 26.0, 33.0), dtype=np.float64)
