"""The sparkline: never flat where nothing is known, a dot only where the line is alive."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import check, read

from api.web.charts.chart import Chart
from api.web.charts.sparkline import sparkline

MIN, HOUR = 60_000, 3_600_000
END = 24 * HOUR


def draw(times: list[int], values: list[float], flags: list[int] | None = None, **more: int) -> Chart:
    return sparkline(times, values, flags or [1] * len(times), start=0, end=END, limit=1, lang="vi", **more)


def dots(chart: Chart) -> list[str | None]:
    return [c.get("fill") for c in read(chart.svg).iter("{http://www.w3.org/2000/svg}circle")]


TIMES = [i * 15 * MIN for i in range(97)]


def test_a_whole_day() -> None:
    """A line, a dot in the colour of the newest value's band, no hatch; lowest and highest in words."""
    chart = draw(TIMES, [0.3 + 0.03 * i for i in range(97)])
    check(chart)
    assert dots(chart) == ["var(--s3)"]
    assert "--hatch" not in chart.svg
    assert chart.sentence == "24 giờ qua: từ 0,3 đến 3,2\u00a0g/L."


@pytest.mark.parametrize("flags", [[3] * 97, [4] * 97, [9] * 97])
def test_nothing_good_is_hatched_all_over(flags: list[int]) -> None:
    """No good value: stripes, no line, no dot, and the words say so."""
    chart = draw(TIMES, [1.0] * 97, flags)
    assert dots(chart) == []
    assert chart.svg.count("var(--hatch)") == 1
    assert chart.sentence == "24 giờ qua: không có số tốt."


def test_silence_at_the_end_has_no_dot() -> None:
    """The last value never borrows a band's colour once the sensor is silent."""
    assert dots(draw(TIMES[:50], [1.0] * 50)) == []
    assert dots(draw(TIMES, [1.0] * 97, unknown_from=20 * HOUR)) == []


ROW = st.tuples(st.integers(-HOUR, END + HOUR), st.floats(-1, 50) | st.just(math.nan), st.sampled_from([1, 2, 3, 4, 9]))


@given(st.lists(ROW, max_size=60, unique_by=lambda r: r[0]))
def test_any_series(rows: list[tuple[int, float, int]]) -> None:
    """Law: whatever came, in whatever order, the picture is whole."""
    check(draw([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]))


def test_minute_data_stay_light() -> None:
    """1,440 values weigh under 3 kB."""
    chart = draw([i * MIN for i in range(1440)], [2 + 2 * math.sin(i / 9) for i in range(1440)])
    assert len(chart.svg) < 3000
