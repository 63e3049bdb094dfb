"""The next 72 hours: a fan where a forecast speaks and stripes where none does, each window with its box, the tide where there is one."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import SVG, check, read, words

from api.web.charts.ahead import ahead
from api.web.charts.chart import Chart
from api.web.charts.week_words import Days
from core.forecast import Forecast
from core.tide import port_of_zone, shipped_ports
from core.window import Window

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_772_670_240_000  # Thursday 5 March 2026, 7:24 in Việt Nam
FIRST = NOW - NOW % HOUR
ZONE = "Asia/Ho_Chi_Minh"
PORT = port_of_zone(ZONE, shipped_ports())
FAN = "url(#bands-30-180)"


def forecast(times: list[int], mean: float = 1.6) -> Forecast:
    medians = [max(0.05, mean * (1 + 0.8 * math.sin(t / HOUR * 2 * math.pi / 12.42))) for t in times]
    return Forecast(
        org="o",
        station="s",
        point="main",
        target="hour",
        model="m",
        version="1",
        issued_at=NOW,
        data_until=NOW,
        inputs="",
        leads=tuple(range(1, len(times) + 1)),
        times=tuple(times),
        quantiles=tuple(tuple(m * share for share in (0.5, 0.8, 1.0, 1.2, 1.8)) for m in medians),
        p_gt=tuple((1.0, 0.8, 0.5, 0.2) for _ in times),
    )


def hourly(step: int = 1, mean: float = 1.6) -> Forecast:
    return forecast([FIRST + i * HOUR for i in range(0, 72, step)], mean)


def window(start: int, end: int) -> Window:
    return Window(start=FIRST + start * HOUR, end=FIRST + end * HOUR, p=0.95, quantiles=(0.1, 0.2, 0.3, 0.4, 0.5))


EBBS = [window(7, 11), window(20, 23), window(32, 36), window(45, 48), window(57, 61)]


def draw(
    f: Forecast | None, windows: list[Window] | None = None, *, tide: bool = True, limit: float = 1.0, lang: str = "vi", last: float | None = 0.7
) -> Chart:
    seen = None if last is None else (NOW - 5 * 60_000, last)
    port = PORT if tide else None
    chart = ahead(f, windows or [], now=NOW, limit=limit, last=seen, port=port, lang=lang, timezone=ZONE)
    check(chart)
    return chart


@pytest.mark.parametrize(("last", "said"), [(None, True), (0.7, False)])
def test_hours_beside_water_that_is_not_known_say_so_first(last: float | None, said: bool) -> None:
    """From when they are, and that nobody is to take water by them."""
    told = draw(hourly(), last=last, lang="vi").sentence.replace("\u00a0", " ")
    assert told.startswith("Báo từ lúc 7 giờ sáng nay; nước lúc này chưa rõ, đừng lấy nước theo báo này. 3 ngày tới:") is said
    assert ("chưa rõ" in told) is said


def heights(chart: Chart) -> float:
    box = re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', chart.svg)
    assert box is not None
    return float(box[1])


def test_everything_there() -> None:
    """A fan, the limit, a box and the hours of each window, the tide, the days, the dot of now; no stripes. Sentence and table say the same."""
    chart = draw(hourly(), EBBS)
    drawn = words(chart.svg)
    assert {"giới hạn 1\u00a0g/L", "14–18", "3–6", "15–19", "4–7", "16–20", "T6 6/3", "T7 7/3"} <= set(drawn)
    assert chart.svg.count(FAN) == 2  # the painted gauge and the fan
    assert "var(--silt)" in chart.svg
    assert len(list(read(chart.svg).iter(f"{SVG}circle"))) == 1
    assert "--hatch" not in chart.svg
    for part in (
        "3 ngày tới: mặn nhất chừng ",
        "Có thể mặn tới ",
        "Ô có dấu ✓ là giờ bơm được, 1\u00a0g/L trở xuống.",
        "9 trên 10 lần nước nằm trong vùng màu.",
        "thủy triều tính ở Vũng Tàu",
    ):
        assert part in chart.sentence
    assert chart.head[-1] == "Giờ bơm được"
    assert [row[-1] for row in chart.rows] == ["14–18\u00a0giờ", "3–6\u00a0giờ; 15–19\u00a0giờ", "4–7\u00a0giờ; 16–20\u00a0giờ", "–"]


def test_no_windows_no_boxes() -> None:
    """Nothing is ticked, nothing is said of ticks, and the picture is lower."""
    without, some = draw(hourly()), draw(hourly(), EBBS)
    assert "✓" not in without.sentence
    assert heights(without) < heights(some)
    assert {row[-1] for row in without.rows} == {"–"}


def test_without_a_port_there_is_no_tide() -> None:
    """Where no port stands for a place none is drawn, and none is spoken of."""
    chart = draw(hourly(), EBBS, tide=False)
    assert "var(--silt)" not in chart.svg
    assert "thủy triều" not in chart.sentence


def test_without_a_forecast() -> None:
    """Stripes and the words; no fan, no table."""
    chart = draw(None, last=None)
    assert "Chưa đủ số để báo trước" in words(chart.svg)
    assert chart.svg.count(FAN) == 1
    assert (chart.sentence, chart.rows) == ("Chưa đủ số để báo trước.", ())
    assert not list(read(chart.svg).iter(f"{SVG}circle"))


def test_a_forecast_that_ends_early_is_striped_after() -> None:
    """Hours no forecast speaks of are not drawn as if known."""
    chart = draw(forecast([FIRST + i * HOUR for i in range(30)]))
    assert len(list(read(chart.svg)[0].findall(f"{SVG}svg"))) == 1


def test_two_hourly_forecasts_are_one_fan() -> None:
    """Every second hour is enough to go on; a hole of ten hours is not."""

    def fans(f: Forecast) -> int:
        found = [p.get("d", "") for p in read(draw(f).svg).iter(f"{SVG}path") if p.get("fill") == FAN and p.get("stroke-width") == ".8"]
        return str(found[0]).count("M")

    assert fans(hourly(2)) == 1
    assert fans(forecast([FIRST + i * HOUR for i in range(72) if not 20 < i < 30])) == 2


def test_what_is_over_or_beyond_three_days_is_not_drawn() -> None:
    """A forecast of long ago and one that reaches farther are cut to the 72 hours."""
    assert draw(forecast([FIRST + i * HOUR for i in range(-30, 120)]), EBBS).rows == draw(hourly(), EBBS).rows


def test_the_scale_grows_with_the_water() -> None:
    """Up to 29 g/L: lines at 8 and 16, no mark, and no part of the fan is cut at the frame."""
    chart = draw(hourly(mean=9.0))
    assert {"8", "16"} <= set(words(chart.svg))
    assert not any(w.startswith("16,2") for w in words(chart.svg))
    fan = next(p.get("d", "") for p in read(chart.svg).iter(f"{SVG}path") if p.get("fill") == "url(#bands-30-180-7)" and p.get("stroke-width") == ".8")
    numbers = [float(n) for n in re.findall(r"-?(?:\d+\.\d+|\.\d+|\d+)", fan)]
    heights = [sum(numbers[1 : i + 2 : 2]) for i in range(0, len(numbers), 2)]
    assert min(heights) == pytest.approx(30 + 150 * (32 - 16.2 * 1.8) / 16 / 7, abs=0.5)
    assert "nằm ngoài hình" not in chart.sentence


def test_above_every_scale_is_marked() -> None:
    """What is saltier than 64 g/L is drawn at the top with an arrow and its value, and the sentence does not claim that all is in the picture."""
    chart = draw(hourly(mean=60.0))
    assert any(w.startswith("10") for w in words(chart.svg))
    assert "Chỗ cao hơn 64\u00a0g/L nằm ngoài hình" in chart.sentence


def test_a_whole_day_has_one_range_in_both_tables() -> None:
    """Tomorrow's is that of the chart of days, with its name as there; today and the last day say of which hours they are."""
    tomorrow = FIRST - FIRST % DAY + DAY - 7 * HOUR  # by the clock of Việt Nam, before 17 o'clock UTC
    days = Days(rows=((tomorrow, (0.1, 1.0, 3.0, 5.0, 7.7)), (tomorrow + DAY, (0.2, 1.0, 3.0, 5.0, 9.9))), whole=frozenset({tomorrow}))
    chart = ahead(hourly(), [], now=NOW, limit=1.0, last=None, port=None, days=days, lang="vi", timezone=ZONE)
    assert [row[0] for row in chart.rows] == ["Thứ Năm 5/3, từ 7 giờ sáng", "Thứ Sáu 6/3", "Thứ Bảy 7/3", "Chủ Nhật 8/3, đến 7 giờ sáng"]
    assert chart.rows[1][2:4] == ("3,0\u00a0g/L", "0,1–7,7\u00a0g/L")
    assert chart.rows[2][3] != "0,2–9,9\u00a0g/L", "that day the hours do not tell whole"
    assert chart.head[3] == "Cao nhất, 9 trên 10 lần"


def test_a_long_window_has_its_box_and_no_hours() -> None:
    """Three fresh days are one bar with one box; the list tells when they end."""
    drawn = words(draw(hourly(mean=0.1), [window(0, 72)]).svg)
    assert not [w for w in drawn if "–" in w]


def test_hours_do_not_lie_on_each_other() -> None:
    """Windows close together write their hours in two lines; single hours two apart keep their bars alone where there is no room."""
    chart = draw(hourly(), [window(n, n + 1) for n in range(0, 72, 2)])
    labels = [(float(t.get("x", "0")), t.get("y"), 4.2 * len(t.text or "")) for t in read(chart.svg).iter(f"{SVG}text") if "–" in (t.text or "")]
    assert len({y for _, y, _ in labels}) == 2
    for line in {y for _, y, _ in labels}:
        on_it = sorted((x, half) for x, y, half in labels if y == line)
        assert all(x - half > before + its for (before, its), (x, half) in pairwise(on_it))


WINDOWS = st.lists(st.tuples(st.integers(0, 71), st.integers(1, 20)), max_size=12).map(
    lambda rows: [window(a, min(a + n, 72)) for a, n in sorted(dict(rows).items())]
)
VALUE = st.floats(-1, 60) | st.just(math.nan)


@settings(max_examples=50)
@given(WINDOWS, st.sampled_from([0.05, 1.0, 30.0]), st.booleans(), st.sampled_from([0.3, 1.0, 4.0, 12.0]), st.sampled_from(["vi", "en"]))
def test_any_windows(windows: list[Window], mean: float, tide: bool, limit: float, lang: str) -> None:
    """Law: whatever the windows, the picture is whole and as wide as its place."""
    chart = draw(hourly(mean=mean), windows, tide=tide, limit=limit, lang=lang)
    assert all(0 <= float(t.get("x", "0")) <= 304 for t in read(chart.svg).iter(f"{SVG}text"))


@given(st.lists(st.lists(VALUE, min_size=5, max_size=5), min_size=1, max_size=20))
def test_any_forecast(quantiles: list[list[float]]) -> None:
    """Law: a forecast that is not sound in places draws what is."""
    base = forecast([FIRST + i * HOUR for i in range(len(quantiles))])
    broken = Forecast(**{**{f: getattr(base, f) for f in Forecast.__slots__}, "quantiles": tuple(tuple(q) for q in quantiles)})
    draw(broken, [window(0, 1)])


@pytest.mark.parametrize("timezone", ["Asia/Ho_Chi_Minh", "Asia/Kathmandu", "America/New_York"])
def test_other_zones(timezone: str) -> None:
    """Half-hour zones and clock changes draw as well."""
    check(ahead(hourly(), EBBS, now=NOW, limit=1.0, last=None, port=None, lang="en", timezone=timezone))
