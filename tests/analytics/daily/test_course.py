"""The course of a day and the tide by twelfths: what they tell, of which days, and that a later day never tells anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.daily.course import LEAST, course_columns, tide_columns
from analytics.daily.dressing import Scale
from analytics.daily.panel import TWELFTHS, Daily, Floats
from analytics.daily.sky import HIGH, LOW, sky
from core.instant import parse_rfc3339
from core.tide import level, port_of_zone, shipped_ports

ZONE = "Asia/Ho_Chi_Minh"
PLAIN = Scale(unit=1.0, curved=False, floor=0.0)
DAY, STATION = np.array([1]), np.array([0])


def days(today: list[float], *, before: list[float] | None = None, after: list[float] | None = None) -> Daily:
    """Three days at one station, by twelfths; nothing is known of the days around where they are not given."""
    nothing = [np.nan] * TWELFTHS
    course = np.array([before or nothing, today, after or nothing]).T[:, :, None]
    high = np.nanmax(np.where(np.isfinite(course), course, -1.0), axis=0)
    parts = dict.fromkeys(("target", "high", "low", "mean", "last", "evening"), high)
    return Daily(zone=ZONE, days=np.datetime64("2021-03-01") + np.arange(3), stations=("an",), drivers={}, course=course, **parts)


def told(daily: Daily) -> dict[str, float]:
    """Of the second day, in g/L beside its highest."""
    return {name: float(column[0]) for name, column in course_columns(daily, DAY, STATION, PLAIN, daily.target[DAY, STATION]).items()}


RISING = [float(n) for n in range(TWELFTHS)]


def test_rising_water_is_told_from_falling_water_of_the_same_height() -> None:
    """Two days with the same readings in the other order: highest at the end or at the beginning, last steps up or down."""
    up, down = told(days(RISING)), told(days(RISING[::-1]))
    assert (up["i_high_at"], up["i_low_at"], down["i_high_at"], down["i_low_at"]) == (0, TWELFTHS - 1, TWELFTHS - 1, 0)
    assert (up["i_turn1"], up["i_turn2"], down["i_turn1"], down["i_turn2"]) == (1, 2, -1, -2)
    assert (up["i_late_high"], down["i_late_high"]) == (0, -8)
    assert [up[f"i_c{k}"] for k in range(TWELFTHS)] == [-float(k) for k in range(TWELFTHS)]


def test_a_few_hours_without_a_reading_are_drawn_across() -> None:
    """Four hours between two readings are on the line between them; a longer gap, and what no reading ends, is not known."""
    some = list(RISING)
    some[4] = some[5] = some[11] = np.nan
    found = told(days(some))
    assert (found["i_c7"], found["i_c6"]) == (-6, -5)  # twelfths 4 and 5, below the highest of 10
    assert np.isnan(found["i_c0"])
    some[6] = np.nan
    assert np.isnan(told(days(some))["i_c7"])


def test_the_evening_before_ends_a_gap() -> None:
    """Of a day whose first reading comes late, the day before tells where the line begins."""
    late = [np.nan, *RISING[1:]]
    assert told(days(late, before=[0.0] * TWELFTHS))["i_c11"] == pytest.approx(0.5 - 11)
    assert np.isnan(told(days(late))["i_c11"])


def test_a_day_of_few_readings_has_no_course() -> None:
    """One sample, or one a watch: where the highest stands in such a day is not known, so nothing is told."""
    few = [1.0 if n % 4 == 1 else np.nan for n in range(TWELFTHS)]
    assert np.isfinite(few).sum() < LEAST
    assert all(np.isnan(value) for value in told(days(few)).values())
    assert course_columns(replace(days(RISING), course=None), DAY, STATION, PLAIN, np.array([1.0])) == {}


def test_what_a_line_was_drawn_through_is_no_reading() -> None:
    """Two readings and the evening before: twelve values can be drawn through them, and no course was read."""
    some = [np.nan] * TWELFTHS
    some[2], some[5] = 1.0, 2.0
    assert all(np.isnan(value) for value in told(days(some, before=RISING)).values())


def test_a_later_day_tells_nothing() -> None:
    """Whatever is read after the issue day, no bit of a column moves."""
    assert told(days(RISING)) == told(days(RISING, after=[99.0] * TWELFTHS))


def test_the_tide_by_twelfths_is_the_port_s_level_in_their_middle() -> None:
    """Of two hours from local midnight on, the second hour's beginning; and within the day's highest and lowest."""
    port = port_of_zone(ZONE, shipped_ports())
    assert port is not None
    first = int(np.datetime64("2021-03-01").astype(np.int64))
    found = sky(ZONE, first, 40)
    midnight = parse_rfc3339("2021-03-03T00:00:00+07:00") or 0
    middles = midnight + (2 * np.arange(TWELFTHS) + 1) * 3_600_000
    assert found.course[2] == pytest.approx(level(port, middles), abs=1e-9)
    assert (found.course.max(axis=1) <= found.tide[:, HIGH]).all()
    assert (found.course.min(axis=1) >= found.tide[:, LOW]).all()
    assert np.isnan(sky("UTC", first, 3).course).all()


def test_how_the_tide_of_the_day_ahead_differs_from_today_s() -> None:
    """A tide that is a metre higher and four hours earlier: higher by one, at the beginning too; felt two twelfths late it is as it was two before."""
    today = np.where(np.arange(TWELFTHS) == 8, 2.0, 0.0)
    ahead = np.where(np.arange(TWELFTHS) == 2, 3.0, 0.0)
    course: Floats = np.stack([np.zeros(TWELFTHS), today, ahead])
    found = {name: float(column[0]) for name, column in tide_columns(course, np.array([1]), np.array([2])).items()}
    assert [found[f"t_c{k}"] for k in range(TWELFTHS)] == ahead.tolist()
    assert (found["t_high_chg0"], found["t_early_chg0"], found["t_first_chg0"]) == (1, 1, 0)
    assert (found["t_high_chg2"], found["t_early_chg2"], found["t_first_chg2"]) == (1, -2, 0)  # its third twelfth is felt in the fifth
    assert found["t_first_chg4"] == 2 - 0  # what stood in today's ninth is felt in the first of the day ahead
