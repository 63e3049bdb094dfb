"""The only place that may say safe."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.bands import LINES, band
from core.clock import AHEAD_MS
from core.forecast import QUANTILES, Forecast
from core.risk import Risk
from core.state import Latest
from core.verdict import Verdict, WaterState, shape, verdict

HOUR = 3_600_000
NOW = 1_772_420_400_000  # 2026-03-02T03:00:00Z
RISK = Risk()


def forecast(p: float = 0.02, *, median: float = 0.2, issued: int = NOW, first: int = NOW, hours: int = 72, step: int = 1, line: float = 1.0) -> Forecast:
    """Every hour alike: P(S > 1 g/L) = p."""
    leads = tuple(range(1, hours + 1, step))
    chances = tuple(p if at == line else min(1.0, p * 1.5) if at < line else p / 2 for at in LINES)
    return Forecast(
        org="default",
        station="kenh-nam",
        point="main",
        target="hour",
        model="persistence",
        version="1",
        issued_at=issued,
        data_until=issued,
        inputs="",
        leads=leads,
        times=tuple(first + (lead - 1) * HOUR for lead in leads),
        quantiles=((median * 0.8, median * 0.9, median, median * 1.1, median * 1.2),) * len(leads),
        p_gt=(chances,) * len(leads),
    )


def water(value: float = 0.2, *, age: int = 0, flag: int = 1, interval_s: float | None = 900.0) -> WaterState:
    """A judged newest reading."""
    latest = Latest(time=NOW - age, value=value, flag=flag)
    return WaterState(newest=latest, judged=latest, interval_s=interval_s)


def told(v: Verdict) -> tuple[str, str]:
    """Verdict and reason."""
    return v.verdict, v.reason


def test_fresh_good_water_with_a_calm_forecast_may_be_taken() -> None:
    """0.2 g/L, good and fresh, P(S > 1) = .02: take."""
    v = verdict(water(), forecast(), None, NOW)
    assert (told(v), v.band, v.as_of, v.p, v.limit, v.until) == (("take", "ok"), 0, NOW, 0.02, 1.0, None)


@pytest.mark.parametrize(
    ("value", "p", "limit", "expected"),
    [
        (2.0, 0.0, 1.0, "stop"),
        (1.999, 0.0, 1.0, "wait"),
        (1.0, 0.0, 1.0, "wait"),
        (0.2, 0.5, 1.0, "wait"),
        (0.2, 0.499, 1.0, "measure"),
        (0.2, 0.101, 1.0, "measure"),
        (0.2, 0.1, 1.0, "take"),
        (0.499, 0.1, 1.0, "take"),
        (0.5, 0.0, 1.0, "measure"),
        (8.0, 0.0, 4.0, "stop"),
        (4.0, 0.0, 4.0, "wait"),
        (1.9, 0.0, 4.0, "take"),
        (1.0, 0.0, 0.5, "stop"),
    ],
)
def test_the_first_that_holds(value: float, p: float, limit: float, expected: str) -> None:
    """stop v ≥ 2·limit; wait v ≥ limit or p ≥ .5; take v < ½·limit and p ≤ .1; else measure."""
    assert told(verdict(water(value), forecast(p, line=limit), limit, NOW)) == (expected, "ok")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (WaterState(), "no_data"),
        (water(age=RISK.stale_after_ms(900) + 1), "stale"),
        (water(age=RISK.silent_after_ms(900)), "silent"),
        (water(flag=3), "suspect"),
        (water(flag=4), "fault"),
        (water(flag=2), "no_data"),
        (water(flag=9), "no_data"),
        (water(math.nan), "no_data"),
        (water(age=-AHEAD_MS - 1), "stale"),
        (replace(water(age=60_000), newest=Latest(time=NOW, value=40.0, flag=4)), "fault"),
        (replace(water(age=60_000), newest=Latest(time=NOW, value=40.0, flag=3)), "suspect"),
        (WaterState(newest=Latest(time=NOW, value=0.2, flag=2), judged=None, interval_s=900.0), "no_data"),
        (WaterState(newest=Latest(time=NOW, value=0.2, flag=2), judged=Latest(time=NOW - 2 * HOUR, value=0.2, flag=1), interval_s=900.0), "stale"),
    ],
)
@pytest.mark.parametrize("value", [None, 9.0])
def test_without_fresh_good_data_nothing_is_said_but_unknown(state: WaterState, reason: str, value: float | None) -> None:
    """Stale, silent, suspect, fault, no data: unknown, without a band, even for water that read salty."""
    if value is not None and state.judged is not None and math.isfinite(state.judged.value):
        state = replace(state, judged=replace(state.judged, value=value))
    v = verdict(state, forecast(), None, NOW)
    assert (told(v), v.band, v.until, v.p) == (("unknown", reason), None, None, None)


def test_a_reading_that_waits_for_the_judge_leaves_the_one_before_it_speaking() -> None:
    """Not evaluated yet is no reason to fall silent while the judged one is fresh."""
    state = replace(water(age=15 * 60_000), newest=Latest(time=NOW, value=0.2, flag=2))
    assert told(verdict(state, forecast(), None, NOW)) == ("take", "ok")


@pytest.mark.parametrize(("waiting", "expected"), [(0.2, "take"), (0.499, "take"), (0.5, "measure"), (13.0, "measure"), (math.nan, "measure")])
@pytest.mark.parametrize("age", [0, 15 * 60_000])
def test_a_reading_that_waits_for_the_judge_may_not_say_safe_but_may_forbid_it(waiting: float, expected: str, age: int) -> None:
    """Salt that is stored and not judged yet, newer or written again at the same time, ends `take`; fresh water adds nothing."""
    state = replace(water(age=age), newest=Latest(time=NOW, value=waiting, flag=2))
    assert told(verdict(state, forecast(), None, NOW)) == (expected, "ok")


@pytest.mark.parametrize(
    "none",
    [
        None,
        forecast(issued=NOW - 24 * HOUR - 1),
        forecast(issued=NOW + AHEAD_MS + 1),
        forecast(first=NOW - 80 * HOUR),  # its hours are over
        forecast(first=NOW + 2 * HOUR),  # the next two hours are not in it
        forecast(hours=3),
        replace(forecast(), target="day_max"),
        replace(forecast(), p_gt=((math.nan,) * 4,) * 72),
        replace(forecast(), quantiles=((math.nan,) * 5,) * 72),
        replace(forecast(), p_gt=((0.1, -0.1, 0.0, 0.0),) * 72),
    ],
)
def test_without_a_sound_forecast_at_best_measure(none: Forecast | None) -> None:
    """None, one of yesterday, one that leaves the next hours out, one that is no number: never take; salty water still stops."""
    assert told(verdict(water(0.2), none, None, NOW)) == ("measure", "no_forecast")
    assert told(verdict(water(2.5), none, None, NOW)) == ("stop", "ok")
    assert told(verdict(water(1.5), none, None, NOW)) == ("wait", "ok")


def test_two_hourly_forecasts_cover_the_hours_ahead() -> None:
    """Every second lead is enough: take stays possible for two-hourly stations."""
    assert told(verdict(water(interval_s=7200.0), forecast(step=2), None, NOW)) == ("take", "ok")


def test_p_is_the_highest_of_the_next_six_hours_and_of_no_other() -> None:
    """The hour that runs counts, the seventh does not."""
    base = forecast()
    spike = lambda i: replace(base, p_gt=tuple((0.9, 0.8, 0.1, 0.0) if n == i else row for n, row in enumerate(base.p_gt)))  # noqa: E731
    at = NOW + 1
    assert [verdict(water(), spike(i), None, at).p for i in range(9)] == [0.8] * 7 + [0.02] * 2
    assert [verdict(water(), spike(i), None, NOW).p for i in range(9)] == [0.8] * 6 + [0.02] * 3


def test_until_is_the_first_hour_that_would_be_judged_otherwise() -> None:
    """Take until the chance of the hours ahead rises; stop until the median falls under two limits; nothing beyond 24 h."""
    base = forecast()
    rising = replace(base, p_gt=tuple((0.9, 0.8, 0.1, 0.0) if n >= 10 else row for n, row in enumerate(base.p_gt)))
    assert verdict(water(), rising, None, NOW).until == NOW + 5 * HOUR  # from there on hour 10 is within six
    falling = replace(forecast(0.02, median=3.0), quantiles=tuple(((m := 3.0 if n < 4 else 0.2), m, m, m, m) for n in range(72)))
    assert verdict(water(3.0), falling, None, NOW).until == NOW + 4 * HOUR
    late = replace(base, p_gt=tuple((0.9, 0.8, 0.1, 0.0) if n >= 40 else row for n, row in enumerate(base.p_gt)))
    assert verdict(water(), late, None, NOW).until is None


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
def test_a_limit_that_is_none_is_refused(limit: float) -> None:
    """Not judged by something else instead."""
    with pytest.raises(ValueError, match="limit"):
        verdict(water(), forecast(), limit, NOW)


def test_the_object_is_the_contracts() -> None:
    """Names, null and times as design §4 has them, with the configuration's hash beside."""
    assert shape(verdict(water(), forecast(), 2.0, NOW, risk=replace(RISK, hash="abc"))) == {
        "verdict": "take",
        "reason": "ok",
        "band": 0,
        "as_of": "2026-03-02T03:00:00Z",
        "until": None,
        "p": 0.01,
        "limit": 2.0,
        "unit": "g/L",
        "config": "abc",
    }
    assert shape(verdict(WaterState(), None, None, NOW))["as_of"] is None


# ---------------------------------------------------------------- the law


values = st.one_of(st.floats(0, 40), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
times = st.one_of(st.integers(NOW - 4 * 86_400_000, NOW + 2 * HOUR), st.just(NOW))
latests = st.builds(lambda t, v, f: Latest(time=t, value=v, flag=f), times, values, st.sampled_from([1, 1, 1, 2, 3, 4, 9]))
states = st.builds(
    lambda newest, judged, interval: WaterState(newest=newest, judged=judged, interval_s=interval),
    st.none() | latests,
    st.none() | latests,
    st.none() | st.floats(-1, 1e6),
)
chances = st.one_of(st.floats(0, 1), st.just(0.0), st.floats(allow_nan=True, allow_infinity=True))


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast | None:
    """Sound ones, old ones, broken ones, none."""
    if draw(st.booleans()) and draw(st.booleans()):
        return None
    n = draw(st.integers(0, 12))
    sound = draw(st.booleans())
    rows = [tuple(sorted((draw(st.floats(0, 1) if sound else chances) for _ in LINES), reverse=True)) for _ in range(n)]
    quantiles = [tuple(sorted(draw(st.floats(0, 40) if sound else values) for _ in QUANTILES)) for _ in range(n)]
    issued = draw(times)
    first = draw(st.sampled_from([NOW, NOW - HOUR // 2, NOW - HOUR, NOW + 3 * HOUR]))
    return replace(
        forecast(issued=issued, hours=n),
        times=tuple(first + i * HOUR for i in range(n)),
        leads=tuple(range(1, n + 1)),
        quantiles=tuple(quantiles),
        p_gt=tuple(rows),
        target=draw(st.sampled_from(["hour", "hour", "hour", "day_max"])),
    )


limits = st.none() | st.floats(0.01, 50) | st.sampled_from(LINES)


@given(state=states, issued=forecasts(), limit=limits)
@example(state=water(0.2), issued=forecast(), limit=None)
def test_no_input_without_fresh_good_data_and_a_forecast_yields_take(state: WaterState, issued: Forecast | None, limit: float | None) -> None:
    """Take implies: judged, flag 1, finite, fresh, nothing newer suspect or failed, a sound forecast of today that covers six hours."""
    v = verdict(state, issued, limit, NOW)
    judged, newest = state.judged, state.newest
    interval = state.interval_s if state.interval_s and state.interval_s > 0 else 900.0
    fit = (
        judged is not None
        and judged.flag == 1
        and math.isfinite(judged.value)
        and judged.value >= 0
        and -AHEAD_MS <= NOW - judged.time <= RISK.stale_after_ms(interval)
        and not (newest is not None and newest.time >= judged.time and newest.flag in (3, 4))
    )
    if not fit:
        assert (v.verdict, v.band, v.p) == ("unknown", None, None)
        assert v.reason not in ("ok", "no_forecast")
        return
    assert judged is not None
    assert v.band == band(judged.value)
    if v.verdict == "take":
        assert issued is not None
        assert issued.target == "hour"
        assert NOW - issued.issued_at <= 24 * HOUR
        assert v.p is not None
        assert v.p <= 0.1
        assert judged.value < 0.5 * v.limit
        assert max(issued.exceedance(i, v.limit) for i, t in enumerate(issued.times) if t + HOUR > NOW and t < NOW + 6 * HOUR) == v.p
    if v.p is None:
        assert v.verdict in ("measure", "wait", "stop")


@given(value=st.floats(0, 10), p=st.floats(0, 1), limit=st.sampled_from(LINES))
def test_saltier_water_is_never_judged_milder(value: float, p: float, limit: float) -> None:
    """With the same forecast the order take < measure < wait < stop rises with the measured value."""
    order = ["take", "measure", "wait", "stop"]
    calm = forecast(p, line=limit)
    here, saltier = (order.index(verdict(water(v), calm, limit, NOW).verdict) for v in (value, value + 0.3))
    assert here <= saltier
