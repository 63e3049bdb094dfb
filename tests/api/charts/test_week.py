"""The week behind and the days ahead: nothing joined over what is not known, nothing forecast that no forecast says, light to load."""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import MOST_BYTES, SVG, check, read, words

from api.web.charts.ahead import ahead
from api.web.charts.chart import Chart
from api.web.charts.week import week
from api.web.charts.week_words import ahead_of, days_ahead
from core.forecast import Forecast

MIN, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR
NOW = 1_772_670_240_000  # Thursday 5 March 2026, 7:24 in Việt Nam
FIRST_DAY = 1_772_730_000_000  # the next local midnight
ZONE = "Asia/Ho_Chi_Minh"


def tide(ms: int, mean: float = 1.6) -> float:
    return max(0.05, mean * (1 + 0.8 * math.sin(ms / HOUR * 2 * math.pi / 12.42)))


def daily(mean: float = 1.6) -> Forecast:
    times = tuple(FIRST_DAY + i * DAY for i in range(14))
    quantiles = tuple(tuple(tide(t, mean) * share for share in (0.5, 0.8, 1.0, 1.2, 1.8)) for t in times)
    return Forecast(
        org="o",
        station="s",
        point="main",
        target="day_max",
        model="m",
        version="1",
        issued_at=NOW,
        data_until=NOW,
        inputs="",
        leads=tuple(range(1, len(times) + 1)),
        times=times,
        quantiles=quantiles,
        p_gt=tuple((1.0, 0.8, 0.5, 0.2) for _ in times),
    )


def hourly(hours: int = 72, *, high: float = 5.8, issued: int = NOW + MIN) -> Forecast:
    """The next hours, each the same likeliest value."""
    times = tuple(NOW - NOW % HOUR + i * HOUR for i in range(hours))
    return replace(
        daily(),
        target="hour",
        issued_at=issued,
        leads=tuple(range(1, hours + 1)),
        times=times,
        quantiles=((high - 1, high - 0.5, high, high + 0.5, high + 1),) * hours,
        p_gt=((1.0, 1.0, 1.0, 1.0),) * hours,
    )


def readings(step: int, mean: float = 1.6) -> tuple[list[int], list[float], list[int]]:
    times = list(range(NOW - 7 * DAY, NOW + 1, step))
    return times, [tide(t, mean) for t in times], [1] * len(times)


def draw(times: list[int], values: list[float], flags: list[int], days: Forecast | None = None, *, limit: float = 1, lang: str = "vi") -> Chart:
    chart = week(times, values, flags, days, now=NOW, limit=limit, lang=lang, timezone=ZONE)
    check(chart)
    return chart


def test_everything_there() -> None:
    """Two panels with their names, bars, no stripes, and sentence and table say the same."""
    chart = draw(*readings(15 * MIN), daily())
    drawn = words(chart.svg)
    assert {"7 ngày qua", "14 ngày tới, mặn nhất mỗi ngày", "giới hạn 1\u00a0g/L", "6/3"} <= set(drawn)
    assert "--hatch" not in chart.svg
    assert chart.svg.count("url(#bands-") >= 3  # two painted gauges and the bars
    assert chart.sentence.startswith("7 ngày qua: từ 0,3 đến 2,9\u00a0g/L. 14 ngày tới: mặn nhất ")
    assert chart.sentence.endswith("9 trên 10 lần mức cao nhất trong ngày nằm trong cột màu.")
    assert len(chart.rows) == 8 + 14  # days measured, days forecast
    assert [row[3] for row in chart.rows[:8]] == ["đo được"] * 8


def test_a_day_that_newer_hours_tell_whole_is_told_by_them_alone() -> None:
    """Tomorrow and the day after by the hours, whose range holds the days' too; a day reached in part is never under its hours; older hours change nothing."""
    found = days_ahead(daily(), hourly(), NOW, ZONE)
    plain = ahead_of(daily(), NOW, DAY)
    assert (found.hourly, found.issued, [start for start, _ in found.rows]) == (2, NOW, [start for start, _ in plain])
    for (_, q), (_, day) in zip(found.rows[:2], plain[:2], strict=True):
        assert q == (min(4.8, day[0]), 5.3, 5.8, 6.3, max(6.8, day[4]))
    assert found.rows[2][1] == tuple(map(max, (4.8, 5.3, 5.8, 6.3, 6.8), plain[2][1]))
    assert found.rows[3:] == plain[3:]
    assert days_ahead(daily(), hourly(issued=NOW - HOUR), NOW, ZONE).rows == plain
    assert days_ahead(daily(), None, NOW, ZONE).rows == plain


@pytest.mark.parametrize("older", [HOUR, 5 * HOUR, 23 * HOUR])
def test_of_older_hours_both_tables_say_what_the_days_say(older: int) -> None:
    """One range a day: of each day that both tell whole, also of the one that has just begun, the days' alone; and the page says so."""
    for now in (NOW, FIRST_DAY + 90 * MIN):
        days = replace(daily(), issued_at=now)
        hours = replace(hourly(issued=now - older), times=tuple(now - now % HOUR + i * HOUR for i in range(72)))
        found = days_ahead(days, hours, now, ZONE)
        assert (found.hourly, found.rows) == (0, ahead_of(days, now, DAY))
        assert len(found.whole) >= 2
        above = ahead(hours, [], now=now, limit=1.0, last=None, port=None, days=found, lang="vi", timezone=ZONE)
        below = week([], [], [], days, hours, now=now, limit=1, lang="vi", timezone=ZONE)
        ranges = {row[0]: row[3] for row in below.rows}
        both = [row for row in above.rows if row[0] in ranges]
        assert len(both) == len(found.whole)
        assert all(row[3] == ranges[row[0]] for row in both)
        assert all(float(row[1].split("\u00a0")[0].replace(",", ".")) <= float(row[2].split("\u00a0")[0].replace(",", ".")) for row in above.rows)
        assert "hai bảng ghi theo báo từng ngày" in below.sentence
        assert "báo từng giờ ở trên, khoảng" not in below.sentence


def test_the_day_that_runs_is_the_hours() -> None:
    """Before the next issue of days today still stands in the last one: newer hours tell of it alone."""
    early = FIRST_DAY + 3 * HOUR
    later = replace(hourly(issued=early), times=tuple(early + i * HOUR for i in range(72)))
    assert days_ahead(daily(), later, early, ZONE).rows[0][0] == FIRST_DAY + DAY
    assert days_ahead(daily(), None, early, ZONE).rows[0][0] == FIRST_DAY


def test_it_says_from_when_the_days_are() -> None:
    """The hour of their issue, and which days are the hours'."""
    times, values, flags = readings(15 * MIN)
    told = week(times, values, flags, daily(), hourly(), now=NOW, limit=1, lang="vi", timezone=ZONE).sentence.replace("\u00a0", " ")
    assert "Báo từng ngày lúc 7 giờ sáng nay. 2 ngày đầu lấy theo báo từng giờ ở trên, khoảng gồm cả báo từng ngày; hai bảng ghi như nhau." in told
    assert "mặn nhất chừng 5,8 g/L, Thứ Sáu 6/3. Có thể mặn tới 6,8 g/L. Báo từng ngày" in told
    assert "Báo từng ngày lúc 7 giờ sáng nay. Vạch đậm" in draw(times, values, flags, daily()).sentence.replace("\u00a0", " ")


def test_an_old_issue_is_named_and_not_drawn() -> None:
    """One panel, no row of a day ahead, and when the last one was made; it is not the words for too few readings."""
    times, values, flags = readings(15 * MIN)
    chart = week(times, values, flags, None, hourly(), old=NOW - 9 * DAY, now=NOW, limit=1, lang="en", timezone=ZONE)
    check(chart)
    assert "There is no new forecast of the coming days: the last one was made at 7 am on 24 February and is too old to go by." in chart.sentence.replace(
        "\u00a0", " "
    )
    assert "Not enough data" not in chart.sentence
    assert not [w for w in words(chart.svg) if "highest of each day" in w]
    assert {row[3] for row in chart.rows} == {"measured"}


@pytest.mark.parametrize(("step", "flags"), [(MIN, 1), (15 * MIN, 1), (2 * HOUR, 1), (MIN, 3), (15 * MIN, 4)])
@pytest.mark.parametrize("mean", [0.2, 1.6, 9.0])
def test_it_stays_light(step: int, flags: int, mean: float) -> None:
    """A week of readings a minute apart, noisy, with the forecast: at most 12 kB."""
    rng = random.Random(7)
    times, values, _ = readings(step, mean)
    noisy = [v * rng.uniform(0.5, 1.6) for v in values]
    chart = draw(times, noisy, [flags] * len(times), daily(mean), lang="en")
    assert len(chart.svg.encode()) <= MOST_BYTES


def test_extremes_survive_thinning() -> None:
    """One reading of 7.9 among 10,080 low ones still stands at the top of its panel."""
    times, values, flags = readings(MIN, 0.2)
    values[5000] = 7.9
    path = max((p.get("d", "") for p in read(draw(times, values, flags).svg).iter(f"{SVG}path") if p.get("stroke") == "var(--ink)"), key=len)
    numbers = [float(n) for n in re.findall(r"-?(?:\d+\.\d+|\.\d+|\d+)", path)]
    heights = [sum(numbers[1 : i + 2 : 2]) for i in range(0, len(numbers), 2)]
    assert min(heights) == pytest.approx(50 + 110 * 0.1 / 20, abs=0.2)


def test_silence_and_bad_values_are_not_joined() -> None:
    """Silence at the end, a gap and suspect values are striped; the suspect ones are crossed and named; no dot is left at the end."""
    times, values, flags = readings(15 * MIN)
    flags[200:260] = [3] * 60
    kept = [i for i, t in enumerate(times) if not NOW - 60 * HOUR < t < NOW - 40 * HOUR and t < NOW - 9 * HOUR]
    chart = draw([times[i] for i in kept], [values[i] for i in kept], [flags[i] for i in kept], daily())
    assert len(list(read(chart.svg)[0].findall(f"{SVG}svg"))) == 3
    assert "số đáng ngờ" in words(chart.svg)
    assert not list(read(chart.svg).iter(f"{SVG}circle"))


def test_the_newest_has_a_bands_colour_only_where_the_verdict_believes_it() -> None:
    """Else its dot is empty: colour says nothing of a value that is stale or suspect."""
    times, values, flags = readings(15 * MIN)

    def dot(is_known: bool) -> str | None:
        chart = week(times, values, flags, daily(), is_known=is_known, now=NOW, limit=1, lang="vi", timezone=ZONE)
        check(chart)
        (circle,) = (c for c in read(chart.svg).iter(f"{SVG}circle") if c.get("class") == "newest")
        return circle.get("fill")

    assert (dot(True) or "").startswith("var(--s")
    assert dot(False) == "var(--card)"


def test_nothing_known() -> None:
    """No reading, no forecast: stripes and the words, no panel of days, no line of its own."""
    chart = draw([], [], [])
    assert chart.sentence == "7 ngày qua: không có số tốt. Chưa đủ số để báo trước."
    assert chart.rows == ()
    assert "url(#bands-220-330)" not in chart.svg


def test_one_reading() -> None:
    """A single value is a dot, not a line."""
    chart = draw([NOW - HOUR], [0.4], [1])
    assert len(list(read(chart.svg).iter(f"{SVG}circle"))) == 2  # the value and its mark
    assert chart.rows == (("Thứ Năm 5/3", "0,4\u00a0g/L", "0,4\u00a0g/L", "đo được"),)


def test_the_scale_grows_with_the_water() -> None:
    """Both panels go on to 32 g/L where a day may have 29: lines at 8 and 16 in both, no mark, and each bar has its ends inside."""
    chart = draw(*readings(15 * MIN, 9), daily(9))
    drawn = words(chart.svg)
    assert (drawn.count("8"), drawn.count("16"), drawn.count("32")) == (2, 2, 0)
    assert not any(w.startswith("16,2") for w in drawn)
    bars = next(p.get("d", "") for p in read(chart.svg).iter(f"{SVG}path") if "bands-236-362-7" in str(p.get("fill")) and p.get("stroke-width") == ".8")
    tops = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)", bars)]
    assert len(tops) == 14
    assert min(tops) > 236.5
    assert "nằm ngoài hình" not in chart.sentence


def test_above_every_scale_is_marked() -> None:
    """What is saltier than 64 g/L is drawn at the top with an arrow and its value, and said to lie outside."""
    chart = draw(*readings(15 * MIN, 60), daily(60))
    assert any(w.startswith("108,0") for w in words(chart.svg))
    assert "Chỗ cao hơn 64\u00a0g/L nằm ngoài hình" in chart.sentence


VALUE = st.floats(-1, 60) | st.just(math.nan)
ROW = st.tuples(st.integers(NOW - 8 * DAY, NOW + HOUR), VALUE, st.sampled_from([1, 2, 3, 4, 9]))


@settings(max_examples=50)
@given(st.lists(ROW, max_size=80, unique_by=lambda r: r[0]), st.booleans(), st.sampled_from([0.3, 1, 4, 12]), st.sampled_from(["vi", "en"]))
def test_any_week(rows: list[tuple[int, float, int]], days: bool, limit: float, lang: str) -> None:
    """Law: whatever came, in whatever order, the picture is whole."""
    draw([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], daily() if days else None, limit=limit, lang=lang)
