"""The astronomical tide as a sum of constituents, with the real positions of moon and sun: springs fall on the right days.

Arguments and nodal factors: Schureman 1958, Manual of Harmonic Analysis and Prediction of Tides, US C&GS Special
Publication 98, tables 2 and 14 in the short form of Doodson; mean longitudes: Meeus 1998, Astronomical Algorithms, ch. 47.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_J2000_MS = 946_728_000_000  # 2000-01-01T12:00:00Z
_DAY_MS = 86_400_000

# name → (multiples of solar time, s, h, p; added degrees; nodal f = f0 + f1·cos N, u = u1·sin N [degrees])
_ARGUMENTS: dict[str, tuple[int, int, int, int, float, float, float, float]] = {
    "M2": (2, -2, 2, 0, 0.0, 1.0, -0.037, -2.1),
    "S2": (2, 0, 0, 0, 0.0, 1.0, 0.0, 0.0),
    "N2": (2, -3, 2, 1, 0.0, 1.0, -0.037, -2.1),
    "K2": (2, 0, 2, 0, 0.0, 1.024, 0.286, -17.7),
    "K1": (1, 0, 1, 0, 90.0, 1.006, 0.115, -8.9),
    "O1": (1, -2, 1, 0, -90.0, 1.009, 0.187, 10.8),
    "P1": (1, 0, -1, 0, -90.0, 1.0, 0.0, 0.0),
    "Q1": (1, -3, 1, 1, -90.0, 1.009, 0.187, 10.8),
    "SA": (0, 0, 1, 0, 0.0, 1.0, 0.0, 0.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Constituent:
    """One cosine: `level_m` amplitude of the level [m], `phase` behind Greenwich [degrees], `shift_km` half its excursion of salt [km]."""

    name: str
    level_m: float
    phase: float
    shift_km: float = 0.0

    @property
    def semidiurnal(self) -> bool:
        """Twice a day: what makes springs and neaps."""
        return _ARGUMENTS[self.name][0] == 2


def phasors(tide: tuple[Constituent, ...], time_ms: ArrayLike) -> NDArray[np.complex128]:
    """exp(i·(V + u − g)) times the nodal factor, shape (constituents, n); the real part is the constituent's cosine."""
    ms = np.atleast_1d(np.asarray(time_ms, dtype=np.float64))
    days = (ms - _J2000_MS) / _DAY_MS
    solar = 360.0 * np.mod(ms / _DAY_MS, 1.0)
    s, h, p = 218.3165 + 13.17639648 * days, 280.4661 + 0.98564736 * days, 83.3532 + 0.11140353 * days
    node = np.radians(125.0445 - 0.05295377 * days)
    rows = []
    for c in tide:
        n, ns, nh, np_, added, f0, f1, u1 = _ARGUMENTS[c.name]
        angle = np.radians(n * solar + ns * s + nh * h + np_ * p + added + u1 * np.sin(node) - c.phase)
        rows.append((f0 + f1 * np.cos(node)) * np.exp(1j * angle))
    return np.array(rows)


def level(tide: tuple[Constituent, ...], time_ms: ArrayLike) -> Floats:
    """Height of the tide above mean sea level [m], shape (n,)."""
    return np.asarray(np.array([c.level_m for c in tide]) @ phasors(tide, time_ms).real, dtype=np.float64)


def shift(tide: tuple[Constituent, ...], time_ms: ArrayLike) -> Floats:
    """How far the tide holds the water upstream of its mean place [km], shape (n,)."""
    return np.asarray(np.array([c.shift_km for c in tide]) @ phasors(tide, time_ms).real, dtype=np.float64)


def spring_ratio(tide: tuple[Constituent, ...], time_ms: ArrayLike) -> Floats:
    """Semidiurnal range over its own root mean square, shape (n,): about 1.4 at springs, 0.6 at neaps, every 14.77 days."""
    twice = tuple(c for c in tide if c.semidiurnal)
    weight = np.array([c.shift_km for c in twice])
    return np.asarray(np.abs(weight @ phasors(twice, time_ms)) / np.sqrt((weight**2).sum()), dtype=np.float64)
