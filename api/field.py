"""What is known of the soil of a field and of the water it takes, gathered for its page and the API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.crops import Crop, Crops
from analytics.field import BACK_DAYS, QUANTITIES, SOURCES, Probe, RootZoneNow, WaterDays, ahead, depth_of, probe, root_zone_now, water_days
from analytics.history import DAY_MS, Floats, History, Times, local_date, local_times
from analytics.soil import Span, yield_loss
from analytics.soil_advice import Advice, SoilState, soil_advice
from api.backend import Backend
from api.best import stretches
from core.batch import Batch
from core.flags import Flag
from core.forecast import HOUR_MS, Forecast
from core.place import Station
from core.seawater import ec_from_salinity, salinity_from_ec
from core.state import SeriesState
from core.verdict import Verdict
from core.window import KNOWN
from registry.situation import Situation

RAIN = "air.rain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """ECe [dS/m] and yield loss [%] at the end of each coming day, all (n,); `leaching` is the share of the water that drains."""

    ece: Span
    loss: Span | None
    leaching: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Soil:
    """The soil of a station and its water; without a crop nothing is advised, and no root zone is told of.

    `source` and `point` are where the water is read; `water` its coming days, with the chances by the crop's limit, and `issued` its forecast.
    `verdict` is the one on that water now that the advice rests on: by the crop's limit, or by the reader's where that is lower.
    `watered` and `leached` are with water of the freshest hours, `any_hour` with that of whichever.
    """

    station: Station
    crop: Crop | None
    stage: str | None
    probes: tuple[Probe, ...]
    now: RootZoneNow | None
    source: str
    point: str
    water: WaterDays | None
    issued: Forecast | None
    verdict: Verdict | None
    watered: Course | None
    any_hour: Course | None
    leached: Course | None
    advice: Advice | None


def has_soil(situation: Situation, station: Station) -> bool:
    """Whether there is anything to tell of its soil: a probe, or water that it takes from elsewhere (a field)."""
    return bool(station.intake) or any(r.quantity in SOURCES for r in situation.readings(station.id))


async def soil_of(
    backend: Backend,
    situation: Situation,
    station: Station,
    now: int,
    *,
    rules: Crops,
    crop: Crop | None = None,
    stage: str | None = None,
    limit: float | None = None,
) -> Soil:
    """Reads the store and the newest forecasts; `limit` [g/L] is the one its reader is shown the verdict by, else the installation's.

    Raises UnavailableError, and NotFoundError for a stage the crop has not.

    Whoever sees a field sees the water it takes: the registry holds no public field with a private intake.
    """
    if crop is not None:
        crop.threshold_at(stage)  # a stage it has not is refused before anything is read
    of = situation.source_of(station.id)
    point = situation.verdict_point(of) or ""
    probes = await _probes(backend, situation, station, now, rules)
    day_max, day_min = await _forecasts(backend, situation, of, point, now) if point else (None, None)
    water = water_days(day_max, day_min, now, limit=crop.water_limit.value if crop is not None else None)
    zone = advice = verdict = watered = any_hour = leached = None
    if crop is not None:
        zone = root_zone_now(probes, crop.root_depth.value, now, max_age_ms=rules.soil_max_age_h * HOUR_MS)
        # by the lower of the two limits: no crop is given water over its own, and nobody is told to wash beside a verdict that says to wait
        verdict = situation.verdict(station.id, now, limit=min(crop.water_limit.value, situation.risk.limit if limit is None else limit))
        state = _state(situation, zone, verdict, of, point, now)
        advice = soil_advice(state, crop, stage, rules)
        if water is not None and zone.time is not None:
            rain = await _rain(backend, situation, (station.id, of), zone.time, now, station.timezone)
            watered, any_hour = (_course(rules, crop, stage, zone, water, state, rain, station.timezone, any_hour=each) for each in (False, True))
            if advice.leaching is not None and 0 < advice.leaching < 1:
                leached = _course(rules, crop, stage, zone, water, state, rain, station.timezone, leaching=advice.leaching)
    return Soil(
        station=station,
        crop=crop,
        stage=stage,
        probes=probes,
        now=zone,
        source=of,
        point=point,
        water=water,
        issued=day_max if water is not None else None,
        verdict=verdict,
        watered=watered,
        any_hour=any_hour,
        leached=leached,
        advice=advice,
    )


def _course(
    rules: Crops,
    crop: Crop,
    stage: str | None,
    zone: RootZoneNow,
    water: WaterDays,
    state: SoilState,
    rain: dict[int, float],
    timezone: str,
    *,
    leaching: float = 0.0,
    any_hour: bool = False,
) -> Course:
    measured = float(salinity_from_ec(state.water_ec))
    ece = ahead(rules.ground, crop.root_depth.value, zone, water, timezone, measured=measured, rain=rain, leaching=leaching, any_hour=any_hour)
    threshold, slope = crop.threshold_at(stage), crop.slope
    loss = None if threshold is None or slope is None else yield_loss(ece, threshold=threshold.value, slope=slope.value)
    return Course(ece=ece, loss=loss, leaching=leaching)


def _standing(situation: Situation, station: str, now: int) -> list[tuple[str, float | None]]:
    """The points with a primary sensor now that ever told of salt in the soil, and their depth [m], the shallowest first."""
    told = {r.point for r in situation.readings(station) if r.quantity in SOURCES}
    standing = [d for d in situation.directory.deployments_at(station) if d.role == "primary" and d.start <= now < d.end and d.point in told]
    depths = {d.point: depth_of(d.point, d.depth_m) for d in standing}
    return sorted(depths.items(), key=lambda p: (p[1] is None, p[1] or 0.0, p[0]))


async def _probes(backend: Backend, situation: Situation, station: Station, now: int, rules: Crops) -> tuple[Probe, ...]:
    standing = _standing(situation, station.id, now)
    there: dict[str, set[str]] = {point: set() for point, _ in standing}
    for r in situation.readings(station.id):
        if r.point in there and r.quantity in QUANTITIES:
            there[r.point].add(r.quantity)
    for quantities in there.values():
        if "soil.ec_pore" in quantities:
            quantities -= {"soil.ec_bulk", "soil.temperature"}  # it was computed from them
    first = local_times(station.timezone, local_date(now - (BACK_DAYS - 1) * DAY_MS, station.timezone), 1)
    wanted = [(point, quantity) for point, quantities in there.items() for quantity in sorted(quantities)]
    read = await _judged(backend, situation, station, wanted, int(first[0]), now) if wanted else {}
    return tuple(probe(point, depth, {q: read[point, q] for q in there[point]}, rules.ground) for point, depth in standing)


async def _judged(
    backend: Backend, situation: Situation, station: Station, wanted: Sequence[tuple[str, str]], start: int, now: int
) -> dict[tuple[str, str], History]:
    """The good readings with start ≤ time ≤ now [ms] that the judge has seen, of each (point, quantity)."""
    states = {s.key: s for s in await backend.states.states(station=station.id)}
    parts = [
        (place, part)
        for place in wanted
        for part in stretches(situation.directory, states, station=station.id, point=place[0], quantity=place[1], start=start, end=now + 1)
    ]
    batch = await backend.store.read([part.key for _, part in parts], start, now + 1) if parts else Batch.empty()
    edges = np.searchsorted(batch.series, np.arange(len(parts) + 1))  # sorted by series
    found: dict[tuple[str, str], list[Batch]] = {place: [] for place in wanted}
    for n, (place, part) in enumerate(parts):
        rows = batch.take(slice(int(edges[n]), int(edges[n + 1])))
        until = min(part.end, _judged_until(states[part.key]))
        found[place].append(rows.take((rows.flag == Flag.GOOD) & np.isfinite(rows.value) & (rows.time >= part.start) & (rows.time < until)))
    return {place: _history(station, place[0], rows) for place, rows in found.items()}


def _history(station: Station, point: str, rows: Sequence[Batch]) -> History:
    whole = Batch.concat(rows)
    whole = whole.take(np.argsort(whole.time, kind="stable"))
    return History(station=station.id, point=point, zone=station.timezone, time=whole.time, value=whole.value)


def _judged_until(state: SeriesState) -> int:
    """Before which time [ms] everything of it has been judged."""
    until = state.judged.time + 1 if state.judged is not None else 0
    return until if state.dirty_from is None else min(until, state.dirty_from)


async def _forecasts(backend: Backend, situation: Situation, station: str, point: str, now: int) -> tuple[Forecast | None, Forecast | None]:
    """The newest of the days' highest and lowest there that are not too old to be believed."""
    found = []
    for target in ("day_max", "day_min"):
        issued = await backend.forecasts.latest_forecasts(target=target, station=station, until=now)
        found.append(next((f for f in issued if f.point == point and situation.believes(f, now)), None))
    return found[0], found[1]


def _state(situation: Situation, zone: RootZoneNow, water: Verdict, of: str, point: str, now: int) -> SoilState:
    """`water` is the verdict at `of` and `point`: where it is not known, what was measured last counts for nothing."""
    judged = situation.water(of, point).judged if water.verdict in KNOWN else None
    return SoilState(
        ece=zone.ece,
        age_h=math.nan if zone.time is None else (now - zone.time) / HOUR_MS,
        is_good=zone.time is not None,
        water=water,
        water_ec=math.nan if judged is None else float(ec_from_salinity(judged.value)),
    )


async def _rain(backend: Backend, situation: Situation, stations: tuple[str, str], since: int, now: int, zone: str) -> dict[int, float]:
    """Rain [mm] by local start of day [ms] since the soil was read, of the first of these stations that measures it; empty where none does."""
    for name in dict.fromkeys(stations):
        known = situation.directory.station(name)
        point = next((r.point for r in situation.readings(name) if r.quantity == RAIN), None)
        if known is not None and point is not None:
            fell = (await _judged(backend, situation, known, [(point, RAIN)], since + 1, now))[point, RAIN]
            return _sums(fell.time, fell.value, zone)
    return {}


def _sums(time: Times, value: Floats, zone: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for t, mm in zip(time.tolist(), value.tolist(), strict=True):
        day = int(local_times(zone, local_date(t, zone), 1)[0])
        found[day] = found.get(day, 0.0) + mm
    return found
