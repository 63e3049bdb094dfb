"""Tidal constituents: their speed and phase from the moon and the sun, and the moon's 18.6-year nodal cycle, in plain formulas.

Argument V: Schureman (1958), Manual of Harmonic Analysis and Prediction of Tides, US Coast and Geodetic Survey Special Publication 98, table 2;
the order of the numbers is Doodson's (1921, doi 10.1098/rspa.1921.0088), with the sun's hour angle in place of the moon's.
Nodal f and u: the series of Doodson and Warburg (1941), Admiralty Manual of Tides, as Pugh and Woodworth (2014, doi 10.1017/CBO9781139235778), table 4.3.
Mean longitudes: Meeus (1998), Astronomical Algorithms, chapters 22, 25 and 47, without the terms of the second order (under 0.01 degrees until 2100).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NOON_2000_MS = 946_728_000_000  # 2000-01-01T12:00Z
_DAY_MS = 86_400_000

# V = a·T + b·s + c·h + d·p + e·p1 + k: T the hour angle of the mean sun at Greenwich, s, h, p, p1 the mean longitudes of the moon, the sun, the
# moon's and the sun's perigee, k a constant, all in degrees; the last entry names the nodal factor (see `nodal`), empty where there is none.
# MA2 and MB2 are M2 with one turn a year less and more, R3 is S2 with K1, and M3 and S3 count from the lower transit: so the constants of TICON-4 mean it.
# M1 is not here: it goes by several definitions that differ by more than its own size.
CONSTITUENTS: Mapping[str, tuple[int, int, int, int, int, int, str]] = {
    "SA": (0, 0, 1, 0, 0, 0, ""),
    "SSA": (0, 0, 2, 0, 0, 0, ""),
    "MM": (0, 1, 0, -1, 0, 0, "MM"),
    "MSF": (0, 2, -2, 0, 0, 0, "M2"),
    "MF": (0, 2, 0, 0, 0, 0, "MF"),
    "MTM": (0, 3, 0, -1, 0, 0, "MF"),
    "MSQM": (0, 4, -2, 0, 0, 0, "MF"),
    "2Q1": (1, -4, 1, 2, 0, 90, "O1"),
    "SGM": (1, -4, 3, 0, 0, 90, "O1"),
    "Q1": (1, -3, 1, 1, 0, 90, "O1"),
    "RHO1": (1, -3, 3, -1, 0, 90, "O1"),
    "O1": (1, -2, 1, 0, 0, 90, "O1"),
    "P1": (1, 0, -1, 0, 0, 90, ""),
    "S1": (1, 0, 0, 0, 0, 0, ""),
    "K1": (1, 0, 1, 0, 0, -90, "K1"),
    "J1": (1, 1, 1, -1, 0, -90, "J1"),
    "OO1": (1, 2, 1, 0, 0, -90, "OO1"),
    "3N2": (2, -5, 2, 3, 0, 0, "M2"),
    "EP2": (2, -5, 4, 1, 0, 0, "M2"),
    "2N2": (2, -4, 2, 2, 0, 0, "M2"),
    "MU2": (2, -4, 4, 0, 0, 0, "M2"),
    "N2": (2, -3, 2, 1, 0, 0, "M2"),
    "NU2": (2, -3, 4, -1, 0, 0, "M2"),
    "MA2": (2, -2, 1, 0, 0, 0, "M2"),
    "M2": (2, -2, 2, 0, 0, 0, "M2"),
    "MB2": (2, -2, 3, 0, 0, 0, "M2"),
    "MKS2": (2, -2, 4, 0, 0, 0, "M2K2"),
    "LAMBDA2": (2, -1, 0, 1, 0, 180, "M2"),
    "L2": (2, -1, 2, -1, 0, 180, "M2"),
    "3L2": (2, -1, 2, 1, 0, 180, "M2"),
    "T2": (2, 0, -1, 0, 1, 0, ""),
    "S2": (2, 0, 0, 0, 0, 0, ""),
    "R2": (2, 0, 1, 0, -1, 180, ""),
    "K2": (2, 0, 2, 0, 0, 0, "K2"),
    "2SM2": (2, 2, -2, 0, 0, 0, "M2"),
    "M3": (3, -3, 3, 0, 0, 180, "M3"),
    "T3": (3, 0, -1, 0, 0, 0, ""),
    "S3": (3, 0, 0, 0, 0, 180, ""),
    "R3": (3, 0, 1, 0, 0, -90, "K1"),
    "N4": (4, -6, 4, 2, 0, 0, "M4"),
    "MN4": (4, -5, 4, 1, 0, 0, "M4"),
    "M4": (4, -4, 4, 0, 0, 0, "M4"),
    "MS4": (4, -2, 2, 0, 0, 0, "M2"),
    "S4": (4, 0, 0, 0, 0, 0, ""),
    "2MO5": (5, -6, 5, 0, 0, 90, "M4O1"),
    "2MK5": (5, -4, 5, 0, 0, -90, "M4K1"),
    "M6": (6, -6, 6, 0, 0, 0, "M6"),
    "2MS6": (6, -4, 4, 0, 0, 0, "M4"),
    "M8": (8, -8, 8, 0, 0, 0, "M8"),
}


def astronomical(time_ms: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """T, s, h, p, p1 (5, n) and N, the longitude of the moon's ascending node (n,), in degrees, at instants in ms since 1970 UTC."""
    days = (np.asarray(time_ms, dtype=np.int64) - _NOON_2000_MS) / _DAY_MS
    century = days / 36_525.0
    t = 360.0 * np.mod(days, 1.0)
    s = 218.3164477 + 481_267.88123421 * century
    h = 280.46646 + 36_000.76983 * century
    p = 83.3532465 + 4_069.0137287 * century
    p1 = 282.93768 + 1.71946 * century
    return np.stack((t, s, h, p, p1)), 125.04452 - 1_934.136261 * century


def argument(name: str, longitudes: Floats) -> Floats:
    """V of a constituent [degrees] (n,) from the longitudes (5, n)."""
    *numbers, k, _ = CONSTITUENTS[name]
    found: Floats = np.asarray(numbers, dtype=np.float64) @ longitudes + k
    return found


def nodal(node: Floats) -> Mapping[str, tuple[Floats, Floats]]:
    """Factor f and angle u [degrees], each (n,), by the name of the rule, from the longitude of the node [degrees]."""
    n = np.radians(node)
    c, c2, s, s2 = np.cos(n), np.cos(2 * n), np.sin(n), np.sin(2 * n)
    none = np.zeros_like(n)
    m2 = (1.0 - 0.037 * c, -2.1 * s)
    o1 = (1.009 + 0.187 * c - 0.015 * c2, 10.8 * s - 1.3 * s2)
    k1 = (1.006 + 0.115 * c - 0.009 * c2, -8.9 * s + 0.7 * s2)
    k2 = (1.024 + 0.286 * c + 0.008 * c2, -17.7 * s + 0.7 * s2)
    m4 = _compound(m2, m2)
    return {
        "": (none + 1.0, none),
        "MM": (1.0 - 0.130 * c, none),
        "MF": (1.043 + 0.414 * c, -23.7 * s + 2.7 * s2),
        "O1": o1,
        "K1": k1,
        "J1": (1.013 + 0.168 * c - 0.017 * c2, -12.9 * s + 1.3 * s2),
        "OO1": (1.103 + 0.650 * c + 0.032 * c2, -36.7 * s + 4.0 * s2),
        "K2": k2,
        "M2": m2,
        "M3": (m2[0] ** 1.5, 1.5 * m2[1]),
        "M4": m4,
        "M6": _compound(m4, m2),
        "M8": _compound(m4, m4),
        "M2K2": _compound(m2, k2),
        "M4K1": _compound(m4, k1),
        "M4O1": _compound(m4, o1),
    }


def _compound(a: tuple[Floats, Floats], b: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """What shallow water makes of two constituents: the factors multiplied, the angles added."""
    return a[0] * b[0], a[1] + b[1]
