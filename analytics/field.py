"""The root zone of one field: from the judged readings of its probes to days behind, now, and days ahead under the water that is forecast. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.agreement import agree
from analytics.ground import Ground
from analytics.history import DAY_MS, MINUTE_MS, Floats, History, Times, local_date, local_times
from analytics.root_zone import RootZone, SoilDays, balance
from analytics.soil import MOISTURE_ERROR, PORE_ERROR, Span, ece_from_bulk, ece_from_pore
from core.forecast import Forecast
from core.seawater import ec_from_salinity

BACK_DAYS = 14
TOGETHER_MS = 15 * MINUTE_MS  # what a probe measured within so long of each other belongs together
NOW_MS = DAY_MS  # a probe's "now" is the median of its last day: its single readings scatter
SOURCES = ("soil.ec_e", "soil.ec_pore", "soil.ec_bulk")  # the first that is as new as any other is used
QUANTITIES = (*SOURCES, "soil.moisture", "soil.temperature")
LEAST, MOST = 0, -1  # among a forecast's quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One depth of a field: `depth` [m], None where nobody told it; ECe [dS/m] of each local day from `days` [ms] on, both (m,).

    `now` is that of the day until `newest` [ms], `moisture` [m³/m³] of the same day, from and to, NaN where it was not measured.
    `quantity` is the one it was computed from. `newest` is None where nothing good and judged tells ECe.
    """

    point: str
    depth: float | None
    quantity: str
    days: Times
    ece: Span
    newest: int | None
    now: tuple[float, float]
    moisture: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootZoneNow:
    """ECe [dS/m] and water content [m³/m³] of the root zone, from and to; `time` [ms] of the oldest reading it rests on, None where it is not known.

    `silent` are the points in it that have nothing good and fresh to say: with one of them the whole is not known.
    """

    ece: tuple[float, float]
    moisture: tuple[float, float]
    time: int | None
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaterDays:
    """The irrigation water of coming local days, `starts` [ms] (n,): salinity [g/L] from the freshest (`low`) to the saltiest hour that may come (`high`).

    `freshest` is the most that the day's freshest hour may have; as much as the saltiest where no forecast tells it.
    `above` is P(the day's saltiest hour is above the limit asked for), `always` P(its freshest hour is); NaN where not known.
    """

    starts: Times
    low: Floats
    freshest: Floats
    high: Floats
    above: Floats
    always: Floats


def depth_of(point: str, registered: float | None) -> float | None:
    """A probe's depth [m]: as registered, else by its point's name, `d30` is 30 cm."""
    if registered is not None:
        return registered
    return int(point[1:]) / 100 if point[:1] == "d" and point[1:].isdecimal() and point.isascii() else None


def probe(point: str, depth: float | None, series: Mapping[str, History], ground: Ground) -> Probe:
    """What the good, judged readings at a point (by quantity of `QUANTITIES`) tell of its ECe."""
    paste = (ground.saturation_least.value, ground.saturation_most.value)
    found = [(name, *_readings(name, series, paste)) for name in SOURCES if name in series]
    found = [one for one in found if len(one[1])]
    if not found:
        nothing = np.empty(0)
        none: Times = np.empty(0, dtype=np.int64)
        unknown = (math.nan, math.nan)
        return Probe(point=point, depth=depth, quantity="", days=none, ece=Span(low=nothing, high=nothing), newest=None, now=(0.0, math.inf), moisture=unknown)
    quantity, time, ece = max(found, key=lambda one: one[1][-1])  # of those as new as each other the first
    zone = next(iter(series.values())).zone
    newest = int(time[-1])
    last = time > newest - NOW_MS
    days, low, high = _daily(time, ece, zone)
    return Probe(
        point=point,
        depth=depth,
        quantity=quantity,
        days=days,
        ece=Span(low=low, high=high),
        newest=newest,
        now=(float(np.median(ece.low[last])), float(np.median(ece.high[last]))),
        moisture=_moisture(series.get("soil.moisture"), newest),
    )


def shares(depths: Sequence[float], bottom: float) -> Floats:
    """Which share of a root zone down to `bottom` [m] each probe stands for, (n,): halfway to its neighbours, the deepest to the bottom."""
    order = np.argsort(np.asarray(depths, dtype=np.float64), kind="stable")
    rising = np.asarray(depths, dtype=np.float64)[order]
    edges = np.clip(np.concatenate(([0.0], (rising[1:] + rising[:-1]) / 2, [math.inf])), 0.0, bottom)
    found = np.zeros(len(order))
    found[order] = np.diff(edges) / bottom
    return found


def root_zone_now(probes: Sequence[Probe], bottom: float, now: int, *, max_age_ms: float) -> RootZoneNow:
    """The root zone down to `bottom` [m] at `now` [ms]; not known where one of the probes in it has no good reading of at most `max_age_ms`.

    A lone probe whose depth nobody told stands for all of it; where there are several, such a one is left out.
    """
    told = [p for p in probes if p.depth is not None] or list(probes[:1] if len(probes) == 1 else ())
    weights = shares([p.depth or 0.0 for p in told], bottom) if told else np.empty(0)
    inside = [(p, float(w)) for p, w in zip(told, weights, strict=True) if w > 0]
    silent = tuple(p.point for p, _ in inside if p.newest is None or not 0 <= now - p.newest <= max_age_ms)
    if not inside or silent:
        return RootZoneNow(ece=(0.0, math.inf), moisture=(math.nan, math.nan), time=None, silent=silent)
    ece = tuple(sum(w * p.now[i] for p, w in inside) for i in (0, 1))
    moisture = tuple(sum(w * p.moisture[i] for p, w in inside) for i in (0, 1))
    return RootZoneNow(ece=(ece[0], ece[1]), moisture=(moisture[0], moisture[1]), time=min(p.newest or 0 for p, _ in inside))


def water_days(day_max: Forecast | None, day_min: Forecast | None, now: int, *, limit: float | None) -> WaterDays | None:
    """The days of the forecasts that are not over at `now` [ms].

    Without the one of the lowest, or where the two contradict each other (as issued now they do not), nothing is known of the freshest hour: it may
    hold no salt at all, or as much as the saltiest, and no chance is told of it.
    """
    if day_max is None:
        return None
    lowest = {t: i for i, t in enumerate(day_min.times)} if day_min is not None else {}
    rows = []
    for i, start in enumerate(day_max.times):
        high = day_max.quantiles[i][MOST]
        if start + DAY_MS <= now or not (math.isfinite(high) and high >= 0):
            continue
        j = lowest.get(start)
        above = day_max.exceedance(i, limit) if limit is not None else math.nan
        low, freshest, always = 0.0, high, math.nan
        if day_min is not None and j is not None and 0 <= day_min.quantiles[j][LEAST] <= day_min.quantiles[j][MOST] and agree(day_min, j, day_max, i):
            low, freshest = (day_min.quantiles[j][k] for k in (LEAST, MOST))
            always = day_min.exceedance(j, limit) if limit is not None else math.nan
        rows.append((start, low, freshest, high, above, always))
    if not rows:
        return None
    starts, *columns = zip(*rows, strict=True)
    low_, freshest_, high_, above_, always_ = (np.array(column, dtype=np.float64) for column in columns)
    return WaterDays(starts=np.array(starts, dtype=np.int64), low=low_, freshest=freshest_, high=high_, above=above_, always=always_)


def ahead(
    ground: Ground,
    bottom: float,
    start: RootZoneNow,
    water: WaterDays,
    zone: str,
    *,
    measured: float = math.nan,
    rain: Mapping[int, float] | None = None,
    leaching: float = 0.0,
    any_hour: bool = False,
) -> Span:
    """ECe [dS/m] at the end of each day of `water` (n,), if each day so much is watered as the crop uses, and the share `leaching` on top.

    The water is taken at the day's freshest hour, with `any_hour` at whichever. No rain in the days ahead. The days since the reading are
    reckoned too, with the water `measured` [g/L] or as of the first day of `water`, and the `rain` [mm] by local start of day. Nothing is known
    where the root zone now is not.
    """
    n = len(water.starts)
    if start.time is None or not math.isfinite(start.ece[1]):
        return Span(low=np.zeros(n), high=np.full(n, np.inf))
    behind = _days_between(start.time, int(water.starts[0]), zone)
    most = water.high if any_hour else water.freshest
    first_low, first_high = (float(x) for x in (np.fmin(measured, water.low[0]), np.fmax(measured, most[0])))
    salt = [np.concatenate((np.full(len(behind), first), column)) for first, column in ((first_low, water.low), (first_high, most))]
    fell = np.array([(rain or {}).get(int(day), 0.0) for day in behind] + [0.0] * n)
    uses = (ground.use_least.value, (ground.use_least.value + ground.use_most.value) / 2, ground.use_most.value)
    members = [(use, ec, rise) for use in uses for ec in salt for rise in (0.0, ground.rise_most.value)]
    shape = (len(fell), len(members))
    etc = np.broadcast_to([use for use, _, _ in members], shape).copy()
    etc[: len(behind), : 2 * len(salt)] = 0.0  # of the days behind nobody knows whether they were watered: at least not at all
    days = SoilDays(
        irrigation=etc / (1.0 - leaching),
        ec_irrigation=ec_from_salinity(np.stack([ec for _, ec, _ in members], axis=1)),
        rain=np.broadcast_to(fell[:, None], shape),
        etc=etc,
        rise=np.broadcast_to([rise for _, _, rise in members], shape),
        ec_rise=np.full(shape, ground.ec_rise.value),
    )
    ece = Span.around(*start.ece)
    moisture = Span.around(*start.moisture)
    low, high = np.full(len(fell), np.inf), np.zeros(len(fell))
    for paste in (ground.saturation_least.value, ground.saturation_most.value):
        bucket = RootZone(
            depth=bottom,
            wilting=ground.wilting.value,
            field_capacity=ground.field_capacity.value,
            saturation=paste,
            efficiency=(ground.efficiency_least.value, ground.efficiency_most.value),
        )
        found = balance(bucket, days, moisture=moisture, ece=ece).ece
        low, high = np.minimum(low, found.low.min(axis=1)), np.maximum(high, found.high.max(axis=1))
    return Span(low=low[len(behind) :], high=high[len(behind) :])


def _readings(name: str, series: Mapping[str, History], paste: tuple[float, float]) -> tuple[Times, Span]:
    """Time and ECe of each reading of this quantity that tells it."""
    of = series[name]
    if name == "soil.ec_e":
        ece = Span.around(of.value * (1.0 - PORE_ERROR), of.value * (1.0 + PORE_ERROR))
    elif name == "soil.ec_pore":
        ece = ece_from_pore(of.value, _beside(of.time, series.get("soil.moisture")), saturation=paste)
    else:
        theta, warmth = (_beside(of.time, series.get(other)) for other in ("soil.moisture", "soil.temperature"))
        ece = ece_from_bulk(of.value, theta, warmth, saturation=paste)
    known = np.isfinite(ece.high)
    return of.time[known], Span(low=ece.low[known], high=ece.high[known])


def _beside(time: Times, other: History | None) -> Floats:
    """The other quantity's reading nearest to each time, NaN where none is within a quarter of an hour."""
    if other is None or not len(other.time):
        return np.full(len(time), np.nan)
    after = np.clip(np.searchsorted(other.time, time), 0, len(other.time) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(other.time[before] - time) <= np.abs(other.time[after] - time), before, after)
    return np.where(np.abs(other.time[nearest] - time) <= TOGETHER_MS, other.value[nearest], np.nan)


def _daily(time: Times, ece: Span, zone: str) -> tuple[Times, Floats, Floats]:
    """Each local day with a reading [ms], and the medians of its bounds."""
    first, last = local_date(int(time[0]), zone), local_date(int(time[-1]), zone)
    starts = local_times(zone, first, (last - first).days + 1)
    day = np.searchsorted(starts, time, side="right") - 1
    found = np.unique(day)
    low, high = (np.array([np.median(bound[day == d]) for d in found]) for bound in (ece.low, ece.high))
    return starts[found], low, high


def _moisture(of: History | None, newest: int) -> tuple[float, float]:
    if of is None:
        return math.nan, math.nan
    last = of.value[(of.time > newest - NOW_MS) & (of.time <= newest + TOGETHER_MS)]
    if not len(last):
        return math.nan, math.nan
    middle = float(np.median(last))
    return max(0.0, middle - MOISTURE_ERROR), middle + MOISTURE_ERROR


def _days_between(time: int, until: int, zone: str) -> Times:
    """The local days [ms] from that of `time` on that begin before `until`."""
    first = local_date(time, zone)
    days = max(0, (local_date(until, zone) - first).days)
    return local_times(zone, first, days)
