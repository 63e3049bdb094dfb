"""When water may be taken: never from what is not known, and each hour as sure as promised."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bands import LINES
from core.clock import AHEAD_MS
from core.forecast import HOUR_MS, MEDIAN, QUANTILES, Forecast
from core.risk import Risk
from core.state import Latest
from core.verdict import Verdict, WaterState, verdict
from core.window import AHEAD_H, PROMISED, Window, Windows, windows

NOW = 1_772_422_200_000  # 2026-03-02T03:30:00Z
HOUR = NOW - NOW % HOUR_MS  # the hour that runs
RISK = Risk()


def certain(value: float, chance: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """An hour at `value` [g/L] that is over 1 g/L with `chance`, quantiles and lines of one mind."""
    spread = (0.8, 0.9, 1.0, 1.02, 1.05) if chance < 0.5 else (0.98, 0.99, 1.0, 1.1, 1.2)
    p = tuple(chance if line == 1.0 else (min(1.0, chance + 0.05) if line < 1.0 else chance / 2) for line in LINES)
    return tuple(value * s for s in spread), p


def forecast(chances: dict[int, float], *, issued: int = NOW, step: int = HOUR_MS) -> Forecast:
    """Hour by hour from the one that runs: lead → P(S > 1 g/L); the median is .3 g/L where that is under a half, else 3."""
    rows = [certain(0.3 if p < 0.5 else 3.0, p) for p in chances.values()]
    return Forecast(
        org="o",
        station="s",
        point="main",
        target="hour",
        model="m",
        version="1",
        issued_at=issued,
        data_until=issued,
        inputs="",
        leads=tuple(n + 1 for n in chances),
        times=tuple(HOUR + n * step for n in chances),
        quantiles=tuple(q for q, _ in rows),
        p_gt=tuple(p for _, p in rows),
    )


def tides(hours: int = AHEAD_H) -> Forecast:
    """Fresh in hours 4–7 of every 12, else salty."""
    return forecast({n: 0.02 if 4 <= n % 12 < 8 else 0.97 for n in range(hours)})


def water(value: float = 0.2, *, age: int = 0, flag: int = 1) -> WaterState:
    """A judged newest reading."""
    latest = Latest(time=NOW - age, value=value, flag=flag)
    return WaterState(newest=latest, judged=latest, interval_s=900.0)


def found(state: WaterState, f: Forecast | None, limit: float | None = None, now: int = NOW, *, promised: float = PROMISED) -> Windows:
    """As the situation asks: by the verdict of the same water, forecast and moment."""
    return windows(state, verdict(state, f, limit, now, risk=RISK), f, now, promised=promised)


def hours(w: Windows) -> list[tuple[int, int]]:
    """Start and end of each, in hours from the one that runs."""
    return [((x.start - HOUR) // HOUR_MS, (x.end - HOUR) // HOUR_MS) for x in w.windows]


def test_the_hours_of_low_water() -> None:
    """Each ebb of three days is one window, with its least chance and the likeliest water of its freshest hour; salty water now takes none of them."""
    w = found(water(3.0), tides())
    assert hours(w) == [(4, 8), (16, 20), (28, 32), (40, 44), (52, 56), (64, 68)]
    assert (w.reason, w.until, w.verdict.verdict) == ("ok", HOUR + AHEAD_H * HOUR_MS, "stop")
    assert {(x.p, x.median) for x in w.windows} == {(0.98, 0.3)}


def test_an_hour_holds_the_promise_or_is_not_offered() -> None:
    """P(S ≤ 1) = .9 is enough, .899 is not; the window says the least of its hours."""
    w = found(water(), forecast({0: 0.02, 1: 0.1, 2: 0.05, 3: 0.101, **dict.fromkeys(range(4, 12), 0.02)}))
    assert hours(w) == [(0, 3), (4, 12)]
    assert [x.p for x in w.windows] == [0.9, 0.98]
    assert hours(found(water(), forecast(dict.fromkeys(range(12), 0.2)), promised=0.8)) == [(0, 12)]


def test_the_freshest_hour_speaks_for_a_window() -> None:
    """The quantiles are those of the hour with the lowest median."""
    f = forecast(dict.fromkeys(range(12), 0.02))
    f = replace(f, quantiles=(*f.quantiles[:5], (0.1, 0.11, 0.12, 0.13, 0.2), *f.quantiles[6:]))
    (w,) = found(water(), f).windows
    assert w.quantiles == (0.1, 0.11, 0.12, 0.13, 0.2)
    assert w.median == 0.12


@pytest.mark.parametrize("value", [1.0, 1.5, 2.0, 9.0])
def test_the_hour_that_runs_is_not_offered_against_the_verdict(value: float) -> None:
    """The forecast says fresh, the sensor says salty: wait or stop, and the window begins an hour later at the earliest."""
    w = found(water(value), forecast(dict.fromkeys(range(12), 0.02)))
    assert w.verdict.verdict in ("wait", "stop")
    assert hours(w) == [(1, 12)]


@pytest.mark.parametrize(("waiting", "expected"), [(0.2, (0, 12)), (0.99, (0, 12)), (1.0, (1, 12)), (13.0, (1, 12)), (math.nan, (1, 12))])
def test_nor_against_a_reading_that_waits_for_the_judge(waiting: float, expected: tuple[int, int]) -> None:
    """Salt that is stored and not judged yet takes the hour that runs; fresh water leaves it."""
    state = replace(water(age=15 * 60_000), newest=Latest(time=NOW, value=waiting, flag=2))
    assert hours(found(state, forecast(dict.fromkeys(range(12), 0.02)))) == [expected]


def test_an_older_reading_forbids_nothing() -> None:
    """What was read before the judged one is no news."""
    state = replace(water(), newest=Latest(time=NOW - 60_000, value=9.0, flag=1))
    assert hours(found(state, forecast(dict.fromkeys(range(12), 0.02)))) == [(0, 12)]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (WaterState(), "no_data"),
        (water(age=RISK.stale_after_ms(900) + 1), "stale"),
        (water(age=RISK.silent_after_ms(900)), "silent"),
        (water(flag=3), "suspect"),
        (water(flag=4), "fault"),
        (water(flag=2), "no_data"),
        (water(math.nan), "no_data"),
        (replace(water(age=60_000), newest=Latest(time=NOW, value=0.1, flag=4)), "fault"),
    ],
)
def test_no_window_where_the_water_is_not_known(state: WaterState, reason: str) -> None:
    """The verdict's reason, and nothing looked at."""
    w = found(state, tides())
    assert (w.windows, w.reason, w.until) == ((), reason, None)


@pytest.mark.parametrize(
    "none",
    [
        None,
        replace(tides(), issued_at=NOW - 24 * HOUR_MS - 1),
        replace(tides(), issued_at=NOW + AHEAD_MS + 1),
        replace(tides(), target="day_max"),
        replace(tides(), p_gt=((math.nan,) * 4,) * AHEAD_H),
        forecast(dict.fromkeys(range(3, 72), 0.02)),  # the next hours are not in it: to the verdict it is none
        forecast({}),
    ],
)
@pytest.mark.parametrize("value", [0.2, 3.0])
def test_no_window_without_the_forecast_a_verdict_takes(none: Forecast | None, value: float) -> None:
    """Absent, over 24 h old, ahead of us, of days, not sound, or not of the next hours."""
    w = found(water(value), none)
    assert (w.windows, w.reason) == ((), "no_forecast")


def test_none_sure_enough() -> None:
    """Looked at, and nothing found: the reason says that all is in order."""
    w = found(water(), forecast(dict.fromkeys(range(AHEAD_H), 0.3)))
    assert (w.windows, w.reason, w.until) == ((), "ok", HOUR + AHEAD_H * HOUR_MS)


def test_missing_and_unsound_hours_break_a_window() -> None:
    """An hour the forecast leaves out, or in which it is no number, is not bridged."""
    whole = forecast(dict.fromkeys(range(24), 0.02))
    holed = forecast({n: 0.02 for n in range(24) if n != 10})
    bad = replace(whole, p_gt=(*whole.p_gt[:15], (0.02, math.nan, 0.01, 0.01), *whole.p_gt[16:]))
    worse = replace(whole, quantiles=(*whole.quantiles[:15], (0.1, 0.2, math.nan, 0.3, 0.4), *whole.quantiles[16:]))
    assert hours(found(water(), whole)) == [(0, 24)]
    assert hours(found(water(), holed)) == [(0, 10), (11, 24)]
    assert hours(found(water(), bad)) == hours(found(water(), worse)) == [(0, 15), (16, 24)]


def test_an_hour_forecast_twice_counts_as_the_worse() -> None:
    """Of two words for one hour the graver."""
    f = forecast(dict.fromkeys(range(12), 0.02))
    twice = replace(f, leads=(*f.leads, 13), times=(*f.times, f.times[9]), quantiles=(*f.quantiles, f.quantiles[0]), p_gt=(*f.p_gt, (0.9, 0.8, 0.5, 0.1)))
    assert hours(found(water(), twice)) == [(0, 9), (10, 12)]


def test_an_hour_forecast_twice_with_one_chance_counts_with_the_saltier_course() -> None:
    """Else a limit that stands on a line was offered an hour which a higher one was not."""
    f = forecast(dict.fromkeys(range(12), 0.02))
    twice = replace(f, leads=(*f.leads, 13), times=(*f.times, f.times[9]), quantiles=(*f.quantiles, (3.0,) * 5), p_gt=(*f.p_gt, f.p_gt[0]))
    for limit in (0.5, 0.7, 1.0, 2.0):
        assert (9, 10) not in [(n, n + 1) for start, end in hours(found(water(), twice, limit)) for n in range(start, end)]


def test_a_likeliest_value_over_the_limit_is_never_offered() -> None:
    """A forecast of two minds: its chance says fresh, its median says salty."""
    f = forecast(dict.fromkeys(range(12), 0.02))
    f = replace(f, quantiles=(*f.quantiles[:9], (1.0, 1.1, 1.2, 1.3, 1.4), *f.quantiles[10:]))
    assert hours(found(water(), f)) == [(0, 9), (10, 12)]


def test_nothing_past_and_nothing_beyond_three_days() -> None:
    """From the hour that runs on, 72 of them."""
    f = forecast(dict.fromkeys(range(-5, 90), 0.02))
    assert hours(found(water(), f)) == [(0, AHEAD_H)]


def test_only_whole_hours() -> None:
    """An interval that begins between two full hours is none of ours."""
    f = forecast(dict.fromkeys(range(12), 0.02))
    shifted = replace(f, times=tuple(t + (60_000 if t >= HOUR + 8 * HOUR_MS else 0) for t in f.times))
    assert hours(found(water(), shifted)) == [(0, 8)]


QUANTILE_ROWS = st.lists(st.floats(0.01, 8), min_size=5, max_size=5).map(lambda x: tuple(sorted(x)))
CHANCE_ROWS = st.lists(st.floats(0, 1) | st.sampled_from([0.02, 0.05, math.nan]), min_size=4, max_size=4).map(
    lambda p: tuple(sorted(p, reverse=True)) if not any(math.isnan(x) for x in p) else tuple(p)
)
CALM = st.just((0.1, 0.15, 0.2, 0.25, 0.3)), st.just((0.02, 0.01, 0.01, 0.0))
ROWS = st.tuples(st.integers(-3, 80), st.one_of(CALM[0], QUANTILE_ROWS), st.one_of(CALM[1], CHANCE_ROWS))


@st.composite
def forecasts(draw: st.DrawFn) -> Forecast:
    """Any forecast, sound or not, with the calm hours among the others that make windows likely."""
    first = [(n, (0.1, 0.15, 0.2, 0.25, 0.3), (0.02, 0.01, 0.01, 0.0)) for n in range(draw(st.sampled_from([0, 8])))]
    rows = first + draw(st.lists(ROWS, max_size=20))
    issued = NOW - draw(st.sampled_from([0, 3 * HOUR_MS, 24 * HOUR_MS, 25 * HOUR_MS]))
    base = forecast(dict.fromkeys((n for n, _, _ in rows), 0.02), issued=issued)
    return replace(
        base,
        leads=tuple(range(1, len(rows) + 1)),
        times=tuple(HOUR + n * HOUR_MS for n, _, _ in rows),
        quantiles=tuple(q for _, q, _ in rows),
        p_gt=tuple(p for _, _, p in rows),
    )


READING = st.builds(
    Latest, time=st.integers(NOW - 60 * HOUR_MS, NOW + HOUR_MS), value=st.floats(0, 5) | st.just(math.nan), flag=st.sampled_from([1, 1, 1, 2, 3, 4, 9])
)
FRESH = st.builds(lambda v: water(v, age=60_000), st.floats(0, 3))
STATES = st.one_of(FRESH, st.builds(WaterState, newest=st.none() | READING, judged=st.none() | READING, interval_s=st.sampled_from([None, 900.0, 7200.0])))
LIMITS = st.sampled_from([*LINES, 0.3, 0.7, 1.5, 3.0, 6.0]) | st.floats(0.05, 12)


def believed(state: WaterState) -> bool:
    """Whether the newest judged reading is good and fresh, written out anew."""
    judged = state.judged
    return judged is not None and judged.flag == 1 and math.isfinite(judged.value) and NOW - judged.time <= 6 * HOUR_MS


@given(state=STATES, f=st.none() | forecasts(), limit=LIMITS)
def test_never_a_window_from_what_is_not_known(state: WaterState, f: Forecast | None, limit: float) -> None:
    """Law: stale, suspect, failed or absent data, and a forecast that is absent or over a day old, give none."""
    w = found(state, f, limit)
    if not believed(state) or w.verdict.verdict == "unknown" or f is None or NOW - f.issued_at > 24 * HOUR_MS:
        assert w.windows == ()
        assert w.reason != "ok"


@given(state=STATES, f=forecasts(), limit=LIMITS, promised=st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_every_hour_of_a_window_holds_the_promise(state: WaterState, f: Forecast, limit: float, promised: float) -> None:
    """Law: each whole hour of a window stands in the forecast with a chance that is a number and holds; the verdict's stop or wait is not contradicted."""
    w = found(state, f, limit, promised=promised)
    for window in w.windows:
        for start in range(window.start, window.end, HOUR_MS):
            of = [i for i, t in enumerate(f.times) if t == start]
            sound = [i for i in of if not math.isnan(f.exceedance(i, limit))]
            assert sound
            assert all(1.0 - f.exceedance(i, limit) >= window.p >= promised for i in sound)
            assert min(f.quantiles[i][MEDIAN] for i in sound) < limit
            assert not (w.verdict.verdict in ("wait", "stop") and start <= NOW)
        assert window.quantiles in f.quantiles


@given(state=STATES, f=forecasts(), limit=LIMITS)
def test_windows_are_apart_in_order_and_within_three_days(state: WaterState, f: Forecast, limit: float) -> None:
    """Law: whole hours from the one that runs to the 72nd, rising, never touching."""
    all_of = found(state, f, limit).windows
    assert all(HOUR <= x.start < x.end <= HOUR + AHEAD_H * HOUR_MS and x.start % HOUR_MS == x.end % HOUR_MS == 0 for x in all_of)
    assert all(a.end < b.start for a, b in pairwise(all_of))


@given(state=STATES, f=forecasts(), limits=st.tuples(LIMITS, LIMITS))
def test_a_higher_limit_never_gives_less(state: WaterState, f: Forecast, limits: tuple[float, float]) -> None:
    """Law: whoever bears more salt is offered every hour that others are, by any forecast."""
    low, high = (found(state, f, limit).windows for limit in sorted(limits))
    assert all(any(b.start <= a.start and a.end <= b.end for b in high) for a in low)


@given(f=forecasts(), shift=st.integers(-400, 400))
def test_the_day_does_not_matter(f: Forecast, shift: int) -> None:
    """Law: all moved by whole days is the same windows, moved."""
    by = shift * 24 * HOUR_MS
    moved = replace(f, issued_at=f.issued_at + by, times=tuple(t + by for t in f.times))
    last = Latest(time=NOW + by, value=0.2, flag=1)
    there = found(WaterState(newest=last, judged=last, interval_s=900.0), moved, now=NOW + by)
    here = found(water(), f)
    assert [(x.start - by, x.end - by, x.p) for x in there.windows] == [(x.start, x.end, x.p) for x in here.windows]


def test_what_is_promised() -> None:
    """Nine times out of ten; the quantiles of a window are those of the forecast."""
    assert PROMISED == 0.9
    assert len(Window(start=0, end=1, p=1.0, quantiles=(0.1,) * len(QUANTILES)).quantiles) == len(QUANTILES)


def test_a_verdict_nobody_knows_offers_nothing() -> None:
    """A word that is none of the four is as unknown."""
    state, f = water(), forecast(dict.fromkeys(range(12), 0.02))
    odd: Verdict = replace(verdict(state, f, None, NOW), verdict="perhaps")
    told = windows(state, odd, f, NOW)
    assert (told.windows, told.reason) == ((), "no_data")
