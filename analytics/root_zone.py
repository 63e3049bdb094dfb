"""Daily balance of water and salt in the root zone: one bucket, well mixed, that drains what is above field capacity (after FAO-56, chapter 8).

Inputs that are missing stand for all they can be, so the answer is a span that holds whatever they were.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.soil import Floats, Span
from core.errors import ConfigError
from core.quantities import QUANTITIES
from core.seawater import ec_from_salinity, salinity_from_ec

# What a day can bring where its number is missing: judgement, on the wide side.
MOST_WATER = 300.0  # mm of rain or irrigation
MOST_ET = 12.0  # mm, of crop water use, and of water that rises from below
MOST_EC = QUANTITIES["water.ec"].high  # dS/m
SALTIEST = QUANTITIES["water.salinity"].high  # g/L, where the scale of conductivity ends
# The scale begins a little above 0, fresher than rain: below this conductivity [dS/m], and its salinity [g/L], a straight line to 0.
FRESHEST = 0.01
FRESHEST_SALINITY = float(salinity_from_ec(FRESHEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class RootZone:
    """The bucket: `depth` [m]; water contents [m³/m³]: `wilting` < `field_capacity` < `saturation` (of the paste).

    `efficiency`, from and to: how salty the water that drains is, as a share of the mixed root zone; under 1 where it runs down cracks.
    """

    depth: float
    wilting: float
    field_capacity: float
    saturation: float
    efficiency: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if not (self.depth > 0 and 0 < self.wilting < self.field_capacity < self.saturation <= 1):
            raise ConfigError(f"root zone: must be depth > 0 and 0 < wilting < field_capacity < saturation ≤ 1, found {self}")
        if not 0 <= self.efficiency[0] <= self.efficiency[1] <= 1:
            raise ConfigError(f"root zone: efficiency must rise within 0 to 1, found {self.efficiency}")

    def mm(self, content: float) -> float:
        """Water [mm] in the root zone at this water content."""
        return 1000.0 * self.depth * content

    def salt(self, ece: Span) -> Span:
        """Salt [g/m²] that makes this ECe [dS/m]; its upper bound is infinite beyond the scale."""
        low, high = (_salinity(np.minimum(bound, MOST_EC)) * self.mm(self.saturation) for bound in (ece.low, ece.high))
        return Span(low=low, high=np.where(ece.high <= MOST_EC, high, np.inf))

    def ece(self, salt: Span) -> Span:
        """ECe [dS/m] of this salt [g/m²]: all of it in the water of the saturated paste."""
        low, high = (bound / self.mm(self.saturation) for bound in (salt.low, salt.high))
        most = _conductivity(np.minimum(high, SALTIEST))
        return Span(low=_conductivity(np.minimum(low, SALTIEST)), high=np.where(high <= SALTIEST, most, np.inf))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoilDays:
    """What each day brought, columns (n,) or (n, fields), NaN where not known.

    `irrigation`, `rain`, `etc` (crop water use) and `rise` (water that comes up from below) in mm; `ec_irrigation` and `ec_rise` in dS/m. Rain holds no salt.
    A day without irrigation is 0, not NaN.
    """

    irrigation: Floats
    ec_irrigation: Floats
    rain: Floats
    etc: Floats
    rise: Floats
    ec_rise: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """At the end of each day (n, …): `water` [mm], `salt` [g/m²], `ece` [dS/m]; of the day: `drained` [mm], `salt_in`, `salt_out` [g/m²]."""

    water: Span
    salt: Span
    ece: Span
    drained: Span
    salt_in: Span
    salt_out: Span


def balance(zone: RootZone, days: SoilDays, *, moisture: Span, ece: Span) -> Balance:
    """Day by day from water content [m³/m³] and ECe [dS/m] at the start; begin again from each probe reading that can be trusted.

    More water than known drains more: each bound takes the most salt with the least water to wash it, and the other way round.
    """
    water = _ranges(days)
    salt_in = Span(
        low=_salt(water["irrigation"].low, _ec(days.ec_irrigation).low) + _salt(water["rise"].low, _ec(days.ec_rise).low),
        high=_salt(water["irrigation"].high, _ec(days.ec_irrigation).high) + _salt(water["rise"].high, _ec(days.ec_rise).high),
    )
    came = Span(low=sum(water[k].low for k in _WATER), high=sum(water[k].high for k in _WATER))  # type: ignore[arg-type]  # never empty
    dry, full = zone.mm(zone.wilting), zone.mm(zone.field_capacity)
    at_most = np.where(np.isfinite(moisture.high), moisture.high, zone.saturation)
    w_low, w_high = (np.maximum(zone.mm(1.0) * content, dry) for content in (moisture.low, at_most))
    start = zone.salt(ece)
    m_low, m_high = start.low, start.high
    rows: list[tuple[Floats, ...]] = []
    for t in range(len(days.rain)):
        mixed_low = np.maximum(w_low + came.low[t] - water["etc"].high[t], dry)
        mixed_high = np.maximum(w_high + came.high[t] - water["etc"].low[t], dry)
        drained_low, drained_high = np.maximum(mixed_low - full, 0.0), np.maximum(mixed_high - full, 0.0)
        share_low, share_high = zone.efficiency[0] * drained_low / mixed_low, zone.efficiency[1] * drained_high / mixed_high
        total_low, total_high = m_low + salt_in.low[t], m_high + salt_in.high[t]
        w_low, w_high = np.minimum(mixed_low, full), np.minimum(mixed_high, full)
        m_low, m_high = total_low * (1.0 - share_high), total_high * (1.0 - share_low)
        with np.errstate(invalid="ignore"):
            out_high = np.where(share_high > 0, total_high * share_high, 0.0)
        rows.append((w_low, w_high, m_low, m_high, drained_low, drained_high, total_low * share_low, out_high))
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 8
    spans = [Span(low=low, high=high) for low, high in zip(columns[::2], columns[1::2], strict=True)]
    return Balance(water=spans[0], salt=spans[1], ece=zone.ece(spans[1]), drained=spans[2], salt_in=salt_in, salt_out=spans[3])


_WATER = ("irrigation", "rain", "rise")
_MOST = {"irrigation": MOST_WATER, "rain": MOST_WATER, "etc": MOST_ET, "rise": MOST_ET}


def _ranges(days: SoilDays) -> dict[str, Span]:
    return {name: _between(getattr(days, name), most) for name, most in _MOST.items()}


def _ec(column: Floats) -> Span:
    column = np.asarray(column, dtype=np.float64)
    return _between(np.where(column <= MOST_EC, column, np.nan), MOST_EC)


def _between(column: Floats, most: float) -> Span:
    """The column itself; 0 to `most` where it is missing or makes no sense."""
    column = np.asarray(column, dtype=np.float64)
    known = (column >= 0) & np.isfinite(column)
    return Span(low=np.where(known, column, 0.0), high=np.where(known, column, most))


def _salt(mm: Floats, ec: Floats) -> Floats:
    """Salt [g/m²] in this water: 1 mm on 1 m² is 1 L."""
    return mm * _salinity(ec)


def _salinity(ec: Floats) -> Floats:
    return np.where(ec < FRESHEST, ec / FRESHEST * FRESHEST_SALINITY, salinity_from_ec(np.maximum(ec, FRESHEST)))


def _conductivity(salinity: Floats) -> Floats:
    return np.where(salinity < FRESHEST_SALINITY, salinity / FRESHEST_SALINITY * FRESHEST, ec_from_salinity(np.maximum(salinity, FRESHEST_SALINITY)))
