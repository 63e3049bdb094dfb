"""The strip of the next 24 hours: a cell per hour in its band's colour, hatched where nothing is forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from pictures import check, read, words

from api.web.charts.chart import Chart
from api.web.charts.strip import INSET, WIDTH, strip
from core.window import Window

HOUR = 3_600_000
NOW = 1_772_670_240_000  # Thursday 5 March 2026, 7:24 in Việt Nam
FIRST = NOW - NOW % HOUR
ZONE = "Asia/Ho_Chi_Minh"


def window(start: int, end: int) -> Window:
    return Window(start=FIRST + start * HOUR, end=FIRST + end * HOUR, p=0.95, quantiles=(0.1, 0.2, 0.3, 0.4, 0.5))


def draw(hours: list[tuple[int, float]], lang: str = "vi", windows: Sequence[Window] = ()) -> Chart:
    chart = strip(hours, windows=windows, now=NOW, timezone=ZONE, lang=lang)
    check(chart)
    return chart


def cells(chart: Chart) -> list[tuple[str, float]]:
    """The filled cells: colour and width."""
    rects = read(chart.svg)[0].findall("{http://www.w3.org/2000/svg}rect")
    return [(r.get("fill", ""), float(r.get("width", "0"))) for r in rects if r.get("fill") != "none"]


def test_hours_in_colour_with_their_labels() -> None:
    """Six hours salty, then fresh: two runs of cells as wide as their hours, in the picture and in the table."""
    chart = draw([(FIRST + i * HOUR, 3.0 if i < 6 else 0.2) for i in range(24)])
    assert [colour for colour, _ in cells(chart)] == ["var(--s3)", "var(--s0)"]
    assert math.isclose(cells(chart)[0][1], WIDTH / 4 - INSET, abs_tol=0.1)
    assert words(chart.svg) == ["nay", "13", "19", "1", "7 giờ"]
    assert chart.rows == (("7\u00a0giờ sáng nay", "13\u00a0giờ chiều nay", "Mặn"), ("13\u00a0giờ chiều nay", "7\u00a0giờ sáng mai", "Ngọt"))
    assert chart.sentence == "24 giờ tới: mặn nhất chừng 3,0\u00a0g/L khoảng 7\u00a0giờ sáng nay, nhạt nhất chừng 0,2\u00a0g/L khoảng 13\u00a0giờ chiều nay."


def test_windows_stand_in_brackets() -> None:
    """Each is framed and ticked, its first and last hour are bold; other words give way where there is no room."""
    hours = [(FIRST + i * HOUR, 0.2 if 7 <= i < 11 or 19 <= i < 22 else 3.0) for i in range(24)]
    plain, framed = draw(hours), draw(hours, windows=[window(7, 11), window(19, 22), window(30, 34)])
    assert words(framed.svg) == ["nay", "14", "18", "2", "5"]
    bold = [t.text for t in read(framed.svg).iter("{http://www.w3.org/2000/svg}text") if t.get("font-weight") == "700"]
    assert bold == ["14", "18", "2", "5"]
    assert framed.svg.count("<path") - plain.svg.count("<path") == 2
    assert [colour for colour, _ in cells(framed)] == [colour for colour, _ in cells(plain)]
    assert (framed.sentence, framed.rows) == (plain.sentence, plain.rows)


def test_a_window_that_began_and_one_that_goes_on() -> None:
    """They are cut to the strip, whose ends keep their words."""
    assert words(draw([(FIRST + i * HOUR, 0.2) for i in range(24)], windows=[window(-2, 40)]).svg) == ["nay", "13", "19", "1", "7 giờ"]


def test_nothing_forecast_is_hatched() -> None:
    """Without a forecast: one dashed, striped bar and the words that say so."""
    chart = draw([])
    assert cells(chart) == []
    assert chart.svg.count("var(--hatch)") == 1
    assert "stroke-dasharray" in chart.svg
    assert chart.sentence == "24 giờ tới: chưa đủ số để báo trước."


def test_a_short_forecast_ends_in_stripes() -> None:
    """Hours beyond the forecast are not guessed."""
    chart = draw([(FIRST + i * HOUR, 1.2) for i in range(10)])
    assert [colour for colour, _ in cells(chart)] == ["var(--s2)"]
    assert chart.svg.count("var(--hatch)") == 1
    assert chart.rows[-1][2] == "Chưa rõ"


def test_two_hourly_forecasts_fill_their_hours() -> None:
    """Every second hour speaks for the next one too; an hourly forecast with a hole does not."""
    assert "var(--hatch)" not in draw([(FIRST + i * HOUR, 1.2) for i in range(0, 24, 2)]).svg
    assert "var(--hatch)" in draw([(FIRST + i * HOUR, 1.2) for i in range(24) if i != 7]).svg


@given(st.lists(st.tuples(st.integers(-5, 80), st.floats(-1, 50) | st.just(math.nan)), max_size=90), st.sampled_from(["vi", "en"]))
def test_any_forecast(hours: list[tuple[int, float]], lang: str) -> None:
    """Law: the cells and stripes together are as wide as the strip."""
    chart = draw([(FIRST + i * HOUR, v) for i, v in hours], lang)
    striped = [float(s.get("width", "0")) for s in read(chart.svg)[0].findall("{http://www.w3.org/2000/svg}svg")]
    assert math.isclose(sum(w for _, w in cells(chart)) + sum(striped), WIDTH - 2 * INSET, abs_tol=0.5 * len(cells(chart)) + 0.5)


def test_the_same_all_day_is_said_once() -> None:
    """No hour is the saltiest where every one reads the same."""
    hours = [(FIRST + i * HOUR, 0.01 * (i % 2)) for i in range(24)]
    assert strip(hours, now=NOW, timezone=ZONE, lang="en").sentence == "Next 24 hours: likely 0.0\u00a0g/L throughout."


def test_how_far_it_may_go_is_said_too() -> None:
    """The likeliest value alone reads as a bound: the highest of the 24 hours' tops stands beside it, but where it reads the same."""
    hours = [(FIRST + i * HOUR, 0.2 + 0.03 * i) for i in range(30)]
    told = strip(hours, tops={at: value * (9 if at > FIRST + 25 * HOUR else 2) for at, value in hours}, now=NOW, timezone=ZONE, lang="vi").sentence
    assert told.endswith("Có thể mặn tới 1,8\u00a0g/L.")
    assert "Có thể" not in strip(hours, tops=dict(hours), now=NOW, timezone=ZONE, lang="vi").sentence
    assert "Có thể" not in strip(hours, now=NOW, timezone=ZONE, lang="vi").sentence
