"""Conductivity and salinity of water that is diluted sea water, by TEOS-10 and PSS-78 through `gsw`; never a fixed factor.

Salinity here is mass concentration [g/L] at 25 °C: g/L = SR · ρ(SR, 25 °C, 0 dbar) / 1000, SR the reference salinity [g/kg].
References: PSS-78, UNESCO Technical Papers in Marine Science 44 (1983); TEOS-10, IOC Manuals and Guides 56 (2010);
low-salinity extension, Hill, Dauphinee and Woods 1986, doi:10.1109/JOE.1986.1145154.
"""

from __future__ import annotations

from typing import cast

import gsw
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_T25 = 25.0


def _array(x: ArrayLike) -> Floats:
    return np.asarray(x, dtype=np.float64)


_FRESHEST = 0.01  # mS/cm
_SALTIEST = 120.0  # g/kg, where TEOS-10 ends
_beyond = np.errstate(over="ignore", invalid="ignore")  # a broken probe's 1e200 mS/cm overflows inside gsw: no number comes out, and no warning


@_beyond
def _practical(conductivity: Floats, temperature: ArrayLike) -> Floats:
    """Practical salinity; 0 below some 0.002 mS/cm, where the low-salinity extension would go below 0 and gsw answers NaN.

    Rain and distilled water stand there: such a reading must not be without a salinity.
    """
    sp = gsw.SP_from_C(conductivity, temperature, 0.0)
    fresh = np.isnan(sp) & (conductivity >= 0) & (conductivity < _FRESHEST) & np.isfinite(temperature)
    return cast("Floats", np.where(fresh, 0.0, sp) if fresh.any() else sp)


@_beyond
def _concentration(sp: Floats) -> Floats:
    """Mass concentration [g/L] at 25 °C of practical salinity `sp`.

    Beyond TEOS-10's end its density falls towards 0, and µS/cm sent as mS/cm would be fresh water: there it stays that of the end.
    """
    sr = gsw.SR_from_SP(sp)
    return cast("Floats", sr * gsw.rho_t_exact(np.minimum(sr, _SALTIEST), _T25, 0.0) / 1000.0)


def salinity_from_ec(ec: ArrayLike) -> Floats:
    """Salinity [g/L] from conductivity at 25 °C [mS/cm]; the water's temperature plays no part.

    Args: ec: shape (n,) or scalar. Returns: the same shape; NaN where `ec` is negative or NaN.
    """
    return _concentration(_practical(_array(ec), _T25))


def ec_from_salinity(salinity: ArrayLike) -> Floats:
    """Conductivity at 25 °C [mS/cm] from salinity [g/L]: the inverse of `salinity_from_ec`, to 1e-9 relative.

    Args: salinity: shape (n,) or scalar. Returns: the same shape; NaN where it is negative or NaN.
    """
    target = _array(salinity)
    with np.errstate(invalid="ignore", divide="ignore"):
        sp = np.where(target >= 0, target, np.nan)
        for _ in range(12):  # density changes by under 3 % over the range, so a fixed point gains two digits a step
            sp = np.where(sp > 0, sp * target / _concentration(sp), sp)
        return cast("Floats", gsw.C_from_SP(sp, _T25, 0.0))


@_beyond
def ec25_from_raw(raw: ArrayLike, temperature: ArrayLike) -> Floats:
    """Conductivity at 25 °C [mS/cm] from that at the water's temperature [mS/cm] and the temperature [Cel].

    `C_from_SP(SP_from_C(raw, T, 0), 25, 0)`. Shapes broadcast; NaN in, NaN out.
    """
    sp = _practical(_array(raw), _array(temperature))
    return cast("Floats", gsw.C_from_SP(sp, _T25, 0.0))
