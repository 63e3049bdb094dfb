"""The root zone of a field: weights of depths, never known without a fresh reading of each probe in it, days ahead that hold what may come."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.field import Probe, RootZoneNow, WaterDays, ahead, depth_of, probe, root_zone_now, shares, water_days
from analytics.ground import SHIPPED, Ground
from analytics.history import DAY_MS, History, local_times
from core.forecast import HOUR_MS, Forecast
from core.seawater import ec_from_salinity, salinity_from_ec

NOW = 1_772_420_400_000  # 2026-03-02T03:00:00Z, ten o'clock in Vietnam
ZONE = "Asia/Ho_Chi_Minh"
TWO_DAYS = 48 * HOUR_MS


def history(values: list[float], *, last: int = NOW - HOUR_MS, step: int = HOUR_MS) -> History:
    """Readings that end at `last`."""
    time = last - step * np.arange(len(values) - 1, -1, -1, dtype=np.int64)
    return History(station="f", point="d10", zone=ZONE, time=time, value=np.array(values))


def of_pore(pore: float = 6.0, moisture: float = 0.36, *, point: str = "d10", depth: float | None = 0.1, last: int = NOW - HOUR_MS) -> Probe:
    """A probe with three days of the same readings."""
    series = {"soil.ec_pore": history([pore] * 72, last=last), "soil.moisture": history([moisture] * 72, last=last)}
    return probe(point, depth, series, SHIPPED)


def zone_now(*, low: float = 2.0, high: float = 3.0) -> RootZoneNow:
    """A root zone at field capacity, read an hour ago."""
    return RootZoneNow(ece=(low, high), moisture=(0.36, 0.36), time=NOW - HOUR_MS)


def water(low: float, high: float, days: int = 7) -> WaterDays:
    """The same water on each of the coming days, tomorrow first [g/L]."""
    starts = local_times(ZONE, date(2026, 3, 3), days)
    unknown = np.full(days, math.nan)
    return WaterDays(starts=starts, low=np.full(days, low), freshest=np.full(days, high), high=np.full(days, high), above=unknown, always=unknown)


# ------------------------------------------------------------ one probe


def test_pore_water_is_thinned_to_the_paste() -> None:
    """σp·θ/θs with 20 % of σp, 0.03 of θ and a paste of 0.45 to 0.60; each local day by itself, and now of the last 24 h."""
    found = of_pore(6.0, 0.36)
    assert found.quantity == "soil.ec_pore"
    assert found.now == pytest.approx((6.0 * 0.8 * 0.33 / 0.60, 6.0 * 1.2 * 0.39 / 0.45))
    assert found.moisture == pytest.approx((0.33, 0.39))
    assert found.newest == NOW - HOUR_MS
    assert found.days.tolist() == local_times(ZONE, date(2026, 2, 27), 4).tolist()
    assert found.ece.low.tolist() == pytest.approx([found.now[0]] * 4)


def test_an_extract_needs_no_moisture() -> None:
    """ECe itself, with the error of a probe."""
    found = probe("d10", 0.1, {"soil.ec_e": history([5.0] * 30)}, SHIPPED)
    assert found.now == pytest.approx((4.0, 6.0))
    assert all(math.isnan(x) for x in found.moisture)


def test_the_source_that_speaks_now_is_used() -> None:
    """A sample in the laboratory two weeks ago does not stand for today where a probe goes on."""
    series = {"soil.ec_e": history([9.0], last=NOW - 10 * DAY_MS), "soil.ec_pore": history([6.0] * 30), "soil.moisture": history([0.36] * 30)}
    assert probe("d10", 0.1, series, SHIPPED).quantity == "soil.ec_pore"
    series["soil.ec_e"] = history([9.0])
    assert probe("d10", 0.1, series, SHIPPED).quantity == "soil.ec_e"


def test_bulk_conductivity_with_moisture_and_warmth() -> None:
    """Through Hilhorst; without the warmth nothing is known."""
    series = {"soil.ec_bulk": history([0.8] * 30), "soil.moisture": history([0.36] * 30), "soil.temperature": history([28.0] * 30)}
    low, high = probe("d10", 0.1, series, SHIPPED).now
    assert 0 < low < high < math.inf
    del series["soil.temperature"]
    assert probe("d10", 0.1, series, SHIPPED).newest is None


@pytest.mark.parametrize(("apart", "known"), [(0, True), (14 * 60_000, True), (16 * 60_000, False)])
def test_moisture_belongs_to_the_conductivity_measured_beside_it(apart: int, known: bool) -> None:
    """Within a quarter of an hour; an older one would be another soil."""
    series = {"soil.ec_pore": history([6.0]), "soil.moisture": history([0.36], last=NOW - HOUR_MS - apart)}
    assert (probe("d10", 0.1, series, SHIPPED).newest is not None) == known


def test_dry_soil_tells_nothing() -> None:
    """Below 0.10 m³/m³ pore water is not computed: no day, no now."""
    found = of_pore(6.0, 0.08)
    assert (found.newest, len(found.days), found.now) == (None, 0, (0.0, math.inf))


@pytest.mark.parametrize(
    ("point", "registered", "depth"),
    [("d10", None, 0.1), ("d100", None, 1.0), ("d10", 0.15, 0.15), ("main", None, None), ("d", None, None), ("d1a", None, None)],
)
def test_a_depth_is_the_registered_one_or_its_points_name(point: str, registered: float | None, depth: float | None) -> None:
    """`d30` is 30 cm."""
    assert depth_of(point, registered) == depth


# ------------------------------------------------------------ the root zone now


@pytest.mark.parametrize(
    ("depths", "bottom", "expected"),
    [
        ([0.1, 0.3], 0.3, [2 / 3, 1 / 3]),
        ([0.3, 0.1], 0.3, [1 / 3, 2 / 3]),
        ([0.1, 0.5], 0.3, [1.0, 0.0]),
        ([0.5], 0.3, [1.0]),
        ([0.1, 0.3], 0.6, [1 / 3, 2 / 3]),
    ],
)
def test_each_probe_stands_for_the_soil_nearest_to_it(depths: list[float], bottom: float, expected: list[float]) -> None:
    """Halfway to its neighbours, the deepest down to the bottom; one below the roots for nothing."""
    assert shares(depths, bottom).tolist() == pytest.approx(expected)


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=6, unique=True), st.floats(0.1, 3.0))
def test_shares_are_parts_of_one(depths: list[float], bottom: float) -> None:
    """Never negative, in all the whole root zone."""
    found = shares(depths, bottom)
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1.0)


def test_the_root_zone_is_the_weighted_mean() -> None:
    """Two thirds of 10 cm and one third of 30 cm, to a depth of 0.3 m; its time is that of the older reading."""
    shallow, deep = of_pore(6.0), of_pore(3.0, point="d30", depth=0.3, last=NOW - 5 * HOUR_MS)
    found = root_zone_now([shallow, deep], 0.3, NOW, max_age_ms=TWO_DAYS)
    assert found.ece[0] == pytest.approx((2 * shallow.now[0] + deep.now[0]) / 3)
    assert found.ece[1] == pytest.approx((2 * shallow.now[1] + deep.now[1]) / 3)
    assert found.time == NOW - 5 * HOUR_MS


@pytest.mark.parametrize("last", [NOW - TWO_DAYS - 1, NOW + HOUR_MS])
def test_one_probe_without_a_fresh_reading_makes_the_whole_unknown(last: int) -> None:
    """Too old or from the future: named, and nothing is told of the root zone, however fresh the other."""
    found = root_zone_now([of_pore(), of_pore(point="d30", depth=0.3, last=last)], 0.3, NOW, max_age_ms=TWO_DAYS)
    assert (found.time, found.silent, found.ece) == (None, ("d30",), (0.0, math.inf))


def test_a_silent_probe_below_the_roots_does_not_matter() -> None:
    """Only those in the root zone are asked."""
    found = root_zone_now([of_pore(), of_pore(point="d80", depth=0.8, last=NOW - 9 * DAY_MS)], 0.3, NOW, max_age_ms=TWO_DAYS)
    assert (found.time, found.silent) == (NOW - HOUR_MS, ())


def test_probes_whose_depth_nobody_told() -> None:
    """A lone one stands for all; beside one with a depth it is left out; two without are nothing."""
    lone = of_pore(point="main", depth=None)
    assert root_zone_now([lone], 0.3, NOW, max_age_ms=TWO_DAYS).ece == pytest.approx(lone.now)
    other = of_pore(9.0)
    assert root_zone_now([lone, other], 0.3, NOW, max_age_ms=TWO_DAYS).ece == pytest.approx(other.now)
    assert root_zone_now([lone, lone], 0.3, NOW, max_age_ms=TWO_DAYS).time is None
    assert root_zone_now([], 0.3, NOW, max_age_ms=TWO_DAYS).time is None


# ------------------------------------------------------------ the water


def issue(target: str, value: float, *, days: int = 3, first: date = date(2026, 3, 2)) -> Forecast:
    """An issue that says the same of each day, around `value` [g/L]."""
    return Forecast(
        org="o",
        station="s",
        point="main",
        target=target,
        model="m",
        version="1",
        issued_at=NOW - 5 * HOUR_MS,
        data_until=NOW - 6 * HOUR_MS,
        inputs="",
        leads=tuple(range(1, days + 1)),
        times=tuple(local_times(ZONE, first, days).tolist()),
        quantiles=(tuple(value * share for share in (0.5, 0.8, 1.0, 1.2, 1.5)),) * days,
        p_gt=((0.9, 0.7, 0.4, 0.1),) * days,
    )


def test_the_days_of_the_water() -> None:
    """From the lowest's 5 % to the highest's 95 %; the chances at the limit are the forecasts' own; a day that is over is left out."""
    day_max, day_min = issue("day_max", 2.0), issue("day_min", 0.6)
    found = water_days(day_max, day_min, NOW, limit=1.0)
    assert found is not None
    assert found.starts.tolist() == list(day_max.times)
    assert (found.low.tolist(), found.high.tolist()) == (pytest.approx([0.3] * 3), pytest.approx([3.0] * 3))
    assert found.freshest.tolist() == pytest.approx([0.9] * 3)
    assert found.above.tolist() == [day_max.exceedance(i, 1.0) for i in range(3)] == [0.7] * 3
    between = water_days(day_max, day_min, NOW, limit=1.8)
    assert between is not None
    assert between.above.tolist() == [day_max.exceedance(0, 1.8)] * 3
    assert 0.4 < between.above[0] < 0.7
    later = water_days(day_max, day_min, NOW + DAY_MS, limit=1.0)
    assert later is not None
    assert later.starts.tolist() == list(day_max.times[1:])


def test_without_the_lowest_its_hour_may_hold_no_salt() -> None:
    """And without any forecast, or days, there is no water to tell of."""
    found = water_days(issue("day_max", 2.0), None, NOW, limit=1.0)
    assert found is not None
    assert found.low.tolist() == [0.0] * 3
    assert found.freshest.tolist() == found.high.tolist()
    assert all(math.isnan(p) for p in found.always)
    assert water_days(None, issue("day_min", 2.0), NOW, limit=1.0) is None
    assert water_days(issue("day_max", 2.0), None, NOW + 9 * DAY_MS, limit=1.0) is None


# ------------------------------------------------------------ days ahead


def still(ground: Ground = SHIPPED, **values: float) -> Ground:
    """A ground of which everything is known: nothing rises, all mixes, one paste, one use."""
    fixed = {"use_least": 5.0, "use_most": 5.0, "rise_most": 0.0, "efficiency_least": 1.0, "saturation_least": 0.5, "saturation_most": 0.5} | values
    return replace(ground, **{name: replace(getattr(ground, name), value=value) for name, value in fixed.items()})


def test_watering_by_use_leaves_all_its_salt() -> None:
    """By hand: 5 mm a day of 1 g/L are 5 g/m²; in 0.3 m of soil with a paste of 0.5 (150 mm) ECe rises by what 1/30 g/L adds."""
    start = RootZoneNow(ece=(2.0, 2.0), moisture=(0.30, 0.30), time=int(water(1.0, 1.0).starts[0]))
    found = ahead(still(), 0.3, start, water(1.0, 1.0, days=30), ZONE)
    expected = ec_from_salinity(salinity_from_ec(2.0) + np.arange(1, 31) / 30)
    assert found.low == pytest.approx(expected, rel=1e-6)
    assert found.high == pytest.approx(expected, rel=1e-6)


def test_water_of_the_freshest_hour_salts_less_than_that_of_any() -> None:
    """The least is the same, the most is not: whoever takes water at the wrong hour has it all."""
    coming = replace(water(0.2, 4.0), freshest=np.full(7, 0.5))
    freshest, whichever = (ahead(SHIPPED, 0.3, zone_now(), coming, ZONE, any_hour=each) for each in (False, True))
    assert freshest.low == pytest.approx(whichever.low)
    assert (freshest.high < whichever.high).all()
    assert freshest.high == pytest.approx(ahead(SHIPPED, 0.3, zone_now(), water(0.2, 0.5), ZONE).high)


def test_a_lowest_above_the_highest_counts_as_none() -> None:
    """Two models may contradict each other: then the freshest hour may be as fresh as can be, and as salty as the day."""
    found = water_days(issue("day_max", 1.0), issue("day_min", 3.0), NOW, limit=None)
    assert found is not None
    assert (found.low.tolist(), found.freshest.tolist()) == ([0.0] * 3, found.high.tolist())


@pytest.mark.parametrize(
    "crossing",
    [
        {"quantiles": ((0.3, 0.8, 2.01, 2.4, 3.0),) * 3},
        {"quantiles": ((1.01, 1.1, 1.2, 1.3, 1.4),) * 3},
        {"p_gt": ((0.95, 0.7, 0.4, 0.1),) * 3},
        {"p_gt": ((0.9, 0.7, 0.4, math.nan),) * 3},
    ],
)
def test_of_a_lowest_that_crosses_the_highest_nothing_is_told(crossing: dict[str, Any]) -> None:
    """Wherever it does, at a quantile or at a line: no "as fresh as can be" beside a chance that it is always salty."""
    found = water_days(issue("day_max", 2.0), replace(issue("day_min", 0.6), **crossing), NOW, limit=1.0)
    assert found is not None
    assert (found.low.tolist(), found.freshest.tolist()) == ([0.0] * 3, found.high.tolist())
    assert all(math.isnan(p) for p in found.always)


def test_what_is_told_of_water_agrees_with_itself() -> None:
    """The freshest hour is under the saltiest, and its chance to be over the limit too."""
    found = water_days(issue("day_max", 2.0), issue("day_min", 0.6), NOW, limit=1.0)
    assert found is not None
    assert (found.low <= found.freshest).all()
    assert (found.freshest <= found.high).all()
    assert (found.always <= found.above).all()


def test_the_days_since_the_reading_count_too() -> None:
    """A reading of the day before yesterday: up to three days of watering lie between it and the first day ahead, or none."""
    fresh = replace(zone_now(low=2.0, high=2.0), time=int(water(1.0, 1.0).starts[0]))
    old = replace(fresh, time=NOW - 2 * DAY_MS)
    new, since = (ahead(still(), 0.3, start, water(1.0, 1.0), ZONE, measured=1.0) for start in (fresh, old))
    assert since.low[0] == pytest.approx(new.low[0])
    assert since.high[0] == pytest.approx(new.high[3])
    salty = ahead(still(), 0.3, old, water(1.0, 1.0), ZONE, measured=5.0)
    assert salty.high[0] > since.high[0]


def test_rain_since_the_reading_washes() -> None:
    """150 mm on soil at field capacity drain, and take salt along."""
    start = replace(zone_now(), time=NOW - HOUR_MS)
    today = int(local_times(ZONE, date(2026, 3, 2), 1)[0])
    dry, wet = (ahead(still(), 0.3, start, water(0.5, 0.5), ZONE, rain=rain) for rain in (None, {today: 150.0}))
    assert (wet.high < 0.7 * dry.high).all()


def test_leaching_holds_salt_down() -> None:
    """With a share that drains the soil becomes less salty than without, under the same water."""
    plain, washed = (ahead(still(), 0.3, zone_now(low=6.0, high=6.0), water(0.8, 0.8, days=14), ZONE, leaching=share) for share in (0.0, 0.3))
    assert washed.high[-1] < plain.high[-1]


@given(
    low=st.floats(0.0, 4.0),
    wide=st.floats(0.0, 4.0),
    ece=st.floats(0.1, 10.0),
    use=st.floats(2.0, 8.0),
    rise=st.floats(0.0, 1.0),
    paste=st.floats(0.45, 0.60),
    efficiency=st.floats(0.5, 1.0),
    share=st.floats(0.0, 1.0),
)
def test_the_span_holds_every_course_it_was_made_of(
    low: float, wide: float, ece: float, use: float, rise: float, paste: float, efficiency: float, share: float
) -> None:
    """A ground and a water anywhere within the shipped bounds give an ECe within the span of them all."""
    start = RootZoneNow(ece=(ece, ece), moisture=(0.30, 0.30), time=int(water(1.0, 1.0).starts[0]))
    whole = ahead(SHIPPED, 0.3, start, water(low, low + wide), ZONE)
    one = still(
        use_least=use, use_most=use, rise_most=rise, saturation_least=paste, saturation_most=paste, efficiency_least=efficiency, efficiency_most=efficiency
    )
    course = ahead(one, 0.3, start, water(low + share * wide, low + share * wide), ZONE)
    assert (whole.low <= course.low + 1e-6).all()
    assert (course.high <= whole.high + 1e-6).all()


def test_an_unknown_root_zone_stays_unknown() -> None:
    """No day ahead is told of soil that nobody measured."""
    found = ahead(SHIPPED, 0.3, RootZoneNow(ece=(0.0, math.inf), moisture=(math.nan, math.nan), time=None), water(0.1, 0.2), ZONE)
    assert (found.low.tolist(), found.high.tolist()) == ([0.0] * 7, [math.inf] * 7)


def test_unknown_moisture_widens() -> None:
    """Soil that may be full drains, soil that may be dry does not: both are in the span."""
    known = ahead(SHIPPED, 0.3, zone_now(), water(0.5, 1.0), ZONE)
    wide = ahead(SHIPPED, 0.3, replace(zone_now(), moisture=(math.nan, math.nan)), water(0.5, 1.0), ZONE)
    assert (wide.low <= known.low).all()
    assert (wide.high >= known.high).all()
    assert wide.low[0] < known.low[0]
