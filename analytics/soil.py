"""Salt in the soil: what it costs a crop, how much water washes it down, and ECe from what probes measure.

Everything that is not known is a span: what is missing makes it wider, up to all there can be, and never narrower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.derived import pore_water_ec

Floats = NDArray[np.float64]

# Share of error of pore-water conductivity after Hilhorst in moist soil: GS3 manual, Decagon Devices.
PORE_ERROR = 0.2
# Error of a probe's water content [m³/m³]. Nobody has verified it for the soils here.
MOISTURE_ERROR = 0.03
# Below this water content pore water is not computed [m³/m³]: GS3 manual.
DRY = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `low` to `high`, arrays of one shape; 0 to infinity where nothing is known."""

    low: Floats
    high: Floats

    @classmethod
    def around(cls, low: ArrayLike, high: ArrayLike) -> Span:
        """The span of two bounds; where one is missing, negative or past the other, nothing is known."""
        low, high = np.broadcast_arrays(np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))
        known = (low >= 0) & (high >= low)
        return cls(low=np.where(known, low, 0.0), high=np.where(known, high, np.inf))


def relative_yield(ece: ArrayLike, *, threshold: float, slope: float) -> Floats:
    """Yield [%] of what the crop bears without salt: 100 − b (ECe − a) beyond the threshold a, at least 0.

    Maas and Hoffman 1977, doi:10.1061/JRCEA4.0001137. Args: ece [dS/m] (n,), threshold a [dS/m], slope b [% per dS/m].
    NaN where `ece` is NaN or negative.
    """
    ece = np.asarray(ece, dtype=np.float64)
    return np.where(ece >= 0, np.clip(100.0 - slope * (ece - threshold), 0.0, 100.0), np.nan)


def yield_loss(ece: Span, *, threshold: float, slope: float) -> Span:
    """What salt takes of the yield [%], least and most: 0 to 100 where ECe is not known."""
    least, most = (100.0 - relative_yield(bound, threshold=threshold, slope=slope) for bound in (ece.low, ece.high))
    return Span(low=least, high=most)


def leaching_requirement(ec_water: ArrayLike, *, ece: float) -> Floats:
    """Share of the applied water that must drain to hold the root zone at `ece`: ECw / (5 ECe − ECw).

    Rhoades 1974; Ayers and Westcot 1985 (FAO-29 rev. 1). Args: ec_water [dS/m] (n,), ece > 0 [dS/m], the most the crop is to bear.
    Infinity where no amount of this water holds it there; NaN where the water is not known.
    """
    ec_water = np.asarray(ec_water, dtype=np.float64)
    if not ece > 0:
        return np.full_like(ec_water, np.nan)
    rest = 5.0 * ece - ec_water
    share = ec_water / np.where(rest > 0, rest, 1.0)
    share = np.where((rest > 0) & (share < 1), share, np.inf)
    return np.where(ec_water >= 0, share, np.nan)


def water_with_leaching(et: ArrayLike, leaching: ArrayLike) -> Floats:
    """Depth to apply [mm] for crop water use `et` [mm] and a share `leaching` to drain: ET / (1 − LR), FAO-29. Infinity from a share of 1 on."""
    et, leaching = np.asarray(et, dtype=np.float64), np.asarray(leaching, dtype=np.float64)
    rest = 1.0 - leaching
    depth = np.where(rest > 0, et / np.where(rest > 0, rest, 1.0), np.inf)
    return np.where((et >= 0) & (leaching >= 0), depth, np.nan)


def leaching_depth(et: ArrayLike, leaching: ArrayLike) -> Floats:
    """The part of `water_with_leaching` [mm] that drains: what leaching asks for beyond the crop's use."""
    return water_with_leaching(et, leaching) - np.asarray(et, dtype=np.float64)


def ece_from_pore(
    ec_pore: ArrayLike, moisture: ArrayLike, *, saturation: tuple[float, float], pore_error: float = PORE_ERROR, moisture_error: float = MOISTURE_ERROR
) -> Span:
    """ECe [dS/m] from pore-water conductivity [dS/m] and water content [m³/m³], both (n,): σp·θ/θs, the pore water thinned to the saturated paste.

    A salt balance, not verified here; salts that dissolve only in the paste (gypsum) and conductivity's slight curve are left out.
    `saturation` is θs of the paste [m³/m³], from and to. Nothing is known below 0.10 m³/m³.
    """
    ec_pore, moisture = np.asarray(ec_pore, dtype=np.float64), np.asarray(moisture, dtype=np.float64)
    least, most = saturation
    usable = np.isfinite(ec_pore) & (ec_pore >= 0) & (moisture >= DRY) & (moisture <= 1) & (0 < least <= most)
    drier, wetter = np.maximum(moisture - moisture_error, 0.0), moisture + moisture_error
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low, high = ec_pore * (1.0 - pore_error) * drier / most, ec_pore * (1.0 + pore_error) * wetter / least
    return Span.around(np.where(usable, low, np.nan), np.where(usable, high, np.nan))


def ece_from_bulk(ec_bulk: ArrayLike, moisture: ArrayLike, temperature: ArrayLike, *, saturation: tuple[float, float]) -> Span:
    """ECe [dS/m] from bulk conductivity [dS/m], water content [m³/m³] and soil temperature [Cel], each (n,): Hilhorst 2000, then `ece_from_pore`."""
    bulk, theta, celsius = (cast("Floats", np.asarray(x, dtype=np.float64)) for x in (ec_bulk, moisture, temperature))
    return ece_from_pore(pore_water_ec(bulk, theta, celsius), theta, saturation=saturation)
