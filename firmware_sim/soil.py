"""Soil under irrigation with river water: moisture, temperature and bulk conductivity at a depth, which follow the water slowly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.seawater import ec_from_salinity
from firmware_sim.estuary import HOUR_MS, LOCAL_MS, Estuary, true_salinity
from firmware_sim.noise import DAY_MS, seed_of, slow

Floats = NDArray[np.float64]

_MEMORY_DAYS = 90
_WATERING_DAYS = 5.0


def _irrigation_ec(estuary: Estuary, km: float, days: NDArray[np.int64]) -> Floats:
    """EC [dS/m] of the water taken on each local day (n,): at that day's lowest salinity, as farmers are told to."""
    hours = (days[:, None] * DAY_MS - LOCAL_MS + np.arange(0, 24, 2) * HOUR_MS).ravel()
    return np.asarray(ec_from_salinity(true_salinity(estuary, km, hours).reshape(len(days), -1).min(axis=1)), dtype=np.float64)


def pore_ec(estuary: Estuary, km: float, depth_cm: float, time_ms: ArrayLike) -> Floats:
    """Pore-water conductivity [dS/m], shape (n,): the irrigation water of the last weeks, concentrated by what plants drink.

    Exponential memory of `depth_cm` days or so (10 days at 10 cm, 30 at 30) [assumed].
    """
    t = np.atleast_1d(np.asarray(time_ms, dtype=np.int64))
    if not len(t):
        return np.empty(0)
    local = (t + LOCAL_MS) / DAY_MS
    first, last = int(local.min()), int(local.max()) + 1
    days = np.arange(first - _MEMORY_DAYS, last + 1)
    weight = np.exp(-np.arange(_MEMORY_DAYS) / max(depth_cm, 1.0))
    water = np.convolve(_irrigation_ec(estuary, km, days), weight / weight.sum(), mode="valid")  # entry j: water up to day first − 1 + j
    return np.asarray(0.8 + 1.3 * np.interp(local, np.arange(len(water)) + first, water), dtype=np.float64)


def moisture(seed: int, depth_cm: float, time_ms: ArrayLike) -> Floats:
    """Volumetric water content [m³/m³], shape (n,): wetted every five days, drying in between, less so at depth."""
    phase = (np.atleast_1d(np.asarray(time_ms, dtype=np.float64)) / DAY_MS + seed % 5 - depth_cm / 60.0) % _WATERING_DAYS
    reach = np.exp(-depth_cm / 40.0)
    dry = 0.27 + 0.12 * (1.0 - reach)
    wander = 0.01 * slow(seed_of(seed, "moisture", depth_cm), time_ms, days=(10.0, 60.0))
    return np.asarray(np.clip(dry + 0.16 * reach * np.exp(-phase / 2.5) + wander, 0.12, 0.55), dtype=np.float64)


def temperature(depth_cm: float, time_ms: ArrayLike) -> Floats:
    """Soil temperature [Cel], shape (n,): the day's wave fades with depth and comes later (damping depth 12 cm [assumed])."""
    t = (np.atleast_1d(np.asarray(time_ms, dtype=np.float64)) + LOCAL_MS) / DAY_MS
    z = depth_cm / 12.0
    year = 1.2 * np.cos(2.0 * np.pi * (t - 120.0) / 365.25)
    return np.asarray(28.3 + year + 4.0 * np.exp(-z) * np.cos(2.0 * np.pi * (t - 14.0 / 24.0) - z), dtype=np.float64)


def bulk_ec(pore: Floats, water: Floats, warmth: Floats) -> Floats:
    """Bulk conductivity [dS/m] of soil with pore water `pore` [dS/m], `water` [m³/m³], `warmth` [Cel]: Hilhorst 2000 solved for σb.

    σb = σp·(εb − 4.1)/(80.3 − 0.37 (T − 20)), εb through Topp 1980; doi:10.2136/sssaj2000.6461922x, doi:10.1029/WR016i003p00574.
    """
    permittivity = 3.03 + 9.3 * water + 146.0 * water**2 - 76.7 * water**3
    return np.asarray(pore * np.maximum(permittivity - 4.1, 0.0) / (80.3 - 0.37 * (warmth - 20.0)), dtype=np.float64)
