"""The hours of a window as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.hours_words import clock_hours, span, upper
from core.texts import NBSP

HOUR = 3_600_000
NOW = 1_772_670_240_000  # Thursday 5 March 2026, 7:24 in Việt Nam
FIRST = NOW - NOW % HOUR  # 7 o'clock
ZONE = "Asia/Ho_Chi_Minh"


def said(start: int, end: int, lang: str, *, until: int | None = None) -> str:
    """From and to in hours after seven this morning."""
    known = None if until is None else FIRST + until * HOUR
    return str(span(FIRST + start * HOUR, FIRST + end * HOUR, NOW, ZONE, lang, until=known)).replace(NBSP, " ")


@pytest.mark.parametrize(
    ("start", "end", "vi", "en"),
    [
        (0, 3, "sáng nay 7–10 giờ", "this morning 7–10 am"),
        (3, 6, "sáng nay 10–13 giờ", "this morning 10 am–1 pm"),
        (4, 6, "trưa nay 11–13 giờ", "midday today 11 am–1 pm"),
        (7, 11, "chiều nay 14–18 giờ", "this afternoon 2–6 pm"),
        (12, 16, "tối nay 19–23 giờ", "this evening 7–11 pm"),
        (13, 17, "tối nay 20–24 giờ", "this evening 8 pm–midnight"),
        (15, 19, "đêm nay 22–2 giờ", "tonight 10 pm–2 am"),
        (17, 20, "rạng sáng mai 0–3 giờ", "early tomorrow midnight–3 am"),
        (20, 23, "rạng sáng mai 3–6 giờ", "early tomorrow 3–6 am"),
        (32, 36, "chiều mai 15–19 giờ", "tomorrow afternoon 3–7 pm"),
        (45, 48, "rạng sáng thứ Bảy 4–7 giờ", "early on Saturday 4–7 am"),
        (57, 61, "chiều thứ Bảy 16–20 giờ", "Saturday afternoon 4–8 pm"),
        (5, 9, "trưa nay 12–16 giờ", "midday today noon–4 pm"),
        (7, 30, "từ 14 giờ chiều nay đến 13 giờ chiều mai", "from 2 pm today to 1 pm tomorrow"),
        (0, 30, "từ 7 giờ sáng nay đến 13 giờ chiều mai", "from 7 am today to 1 pm tomorrow"),
    ],
)
def test_as_people_say_them(start: int, end: int, vi: str, en: str) -> None:
    """Part of the day by its first hour, today, tomorrow or the day of the week, and a clock's hours; long ones from … to …"""
    assert said(start, end, "vi") == vi
    assert said(start, end, "en") == en


def test_as_far_as_anything_is_known() -> None:
    """What holds now and as far as the forecast reaches has no end to tell."""
    assert said(0, 72, "vi", until=72) == "suốt 72 giờ tới"
    assert said(0, 40, "en", until=40) == "for the next 40 hours"
    assert said(0, 40, "en", until=72).startswith("from 7 am")


def test_a_capital_begins_a_line() -> None:
    """Đ and R as well as A."""
    assert [upper(t) for t in ("đêm nay", "rạng sáng", "", "từ")] == ["Đêm nay", "Rạng sáng", "", "Từ"]


@given(st.integers(0, 71), st.integers(1, 12), st.sampled_from(["vi", "en"]))
def test_hours_of_a_clock_stay_together(start: int, hours: int, lang: str) -> None:
    """Law: no plain space within them, and both ends are told."""
    text = clock_hours(FIRST + start * HOUR, FIRST + (start + hours) * HOUR, ZONE, lang)
    assert " " not in text
    first, _, last = text.partition("–")
    assert first
    assert last
    assert first != last
