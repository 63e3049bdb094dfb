"""Ninety days of one station: each day stands once, for what became of it, in both drawings, the legend and the table."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import check, read, words

from api.web.charts.days import DAYS, Strip, days_strip
from api.web.words import midnight
from core.record import Day, outcome

NOW = 1_772_670_240_000  # Thursday 5 March 2026, 7:24 in Việt Nam
ZONE = "Asia/Ho_Chi_Minh"
SAID = {"hit": (0.8, 2.0), "missed": (0.5, 2.0), "vain": (0.6, 0.5), "quiet": (0.1, 0.5), "unread": (0.8, None)}


def day(back: int, kind: str) -> Day:
    p, came = SAID.get(kind, (0.0, 1.0))
    said = () if kind == "unsaid" else (1.0, p, 0.0, 0.0)
    return Day(station="a", point="main", target="day_max", time=midnight(NOW, ZONE, -back), model="m", said=said, came=came)


def draw(days: list[Day], lang: str = "vi") -> Strip:
    strip = days_strip(days, line=1, last=date(2026, 3, 5), timezone=ZONE, lang=lang)
    for svg in (strip.wide, strip.tall):
        check(replace(strip.chart, svg=svg))
    return strip


def test_what_became_of_a_day() -> None:
    """By the line that is asked about; a day nobody spoke of is nothing."""
    assert [outcome(day(0, kind), 1) for kind in (*SAID, "unsaid")] == [*SAID, "unsaid"]
    assert outcome(day(0, "quiet"), 0) == "vain"
    assert outcome(replace(day(0, "hit"), came=1.0), 1) == "vain", "on the line is not over it"


def test_a_season() -> None:
    """Counts, words and the days that were not quiet, with what was said and what came."""
    strip = draw([day(3, "hit"), day(2, "missed"), day(1, "vain"), day(0, "unread"), *(day(n, "quiet") for n in range(4, 80)), day(85, "unsaid")])
    assert [(kind.words, kind.count) for kind in strip.legend] == [
        ("Báo mặn, mặn thật", 1),
        ("Mặn mà không báo", 1),
        ("Báo mặn mà không mặn", 1),
        ("Không báo, không mặn", 76),
        ("Không có số đo để chấm", 1),
    ]
    assert strip.chart.rows == (
        ("2/3", "8 trên 10 lần", "2,0\u00a0g/L", "Báo mặn, mặn thật"),
        ("3/3", "5 trên 10 lần", "2,0\u00a0g/L", "Mặn mà không báo"),
        ("4/3", "6 trên 10 lần", "0,5\u00a0g/L", "Báo mặn mà không mặn"),
    )
    assert words(strip.wide) == ["6/12", "Tháng 1", "Tháng 2"]
    assert words(draw([day(0, "hit"), day(80, "hit")], "en").tall)[0] == "6 Dec"
    assert len(draw([day(0, "hit")]).legend) == 4, "no silent sensor, no mark for it"


def test_a_young_station_has_no_empty_rows() -> None:
    """On a phone its days begin in the first row that is drawn; a row empty between others stays."""
    young, whole, torn = draw([day(20, "hit")]).tall, draw([day(20, "hit"), day(50, "hit"), day(80, "hit")]).tall, draw([day(20, "hit"), day(80, "hit")]).tall
    assert [words(svg)[0] for svg in (young, whole, torn)] == ["4/2", "6/12", "6/12"]
    high = [float(read(svg)[0].attrib["viewBox"].split()[3]) for svg in (young, whole, torn)]
    assert high[0] < high[1] / 2.9
    assert high[1] == high[2]


@settings(max_examples=40)
@given(st.dictionaries(st.integers(0, DAYS + 20), st.sampled_from([*SAID, "unsaid"])))
def test_every_day_is_drawn_once(kinds: dict[int, str]) -> None:
    """Law: as many marks as days of each kind within the 90, in one row and in three."""
    strip = draw([day(back, kind) for back, kind in kinds.items()])
    within = [kind for back, kind in kinds.items() if back < DAYS]
    for svg in (strip.wide, strip.tall):
        paths = re.findall(r'<path d="([^"]*)"', svg)
        assert sum(d.count("z") for d in paths) == sum(kind in SAID for kind in within)
        assert sum(d.count("m0-6.8") for d in paths) == within.count("missed")
    assert sum(kind.count for kind in strip.legend) == sum(kind in SAID for kind in within)


def test_what_was_said_is_told_as_pages_tell_it() -> None:
    """In full parts of ten: never ten of ten, and 5, which is no warning, up to the 6 that is one."""
    said = [replace(day(n, "missed"), said=(1.0, p, 0.0, 0.0)) for n, p in ((2, 0.599), (1, 0.038))]
    sure = replace(day(0, "hit"), said=(1.0, 0.996, 0.0, 0.0))
    assert [row[1] for row in draw([*said, sure]).chart.rows] == ["5 trên 10 lần", "0 trên 10 lần", "9 trên 10 lần"]
