"""Dates, hours, ages and values in words."""

from __future__ import annotations

import math
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.words import (
    ago,
    band_word,
    clock,
    date_header,
    hour_words,
    local,
    midnight,
    sure_key,
    tide_word,
    value_text,
    value_words,
)
from core.bands import band
from core.texts import LANGUAGES, NBSP, say

ZONE = "Asia/Ho_Chi_Minh"
HOUR = 3_600_000


def at(text: str) -> int:
    """Local time in Việt Nam [ms]."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


NOW = at("2026-03-05T07:24")  # a Thursday


@pytest.mark.parametrize(
    ("when", "vi", "en"),
    [
        ("2026-03-05T07:24", "Thứ Năm 5/3 · 17 tháng Giêng · nước rong", "Thursday 5 March · lunar 17/1 · spring tide"),
        ("2026-02-17T00:00", "Thứ Ba 17/2 · 1 tháng Giêng · nước rong", "Tuesday 17 February · lunar 1/1 · spring tide"),
        ("2026-02-16T23:59", "Thứ Hai 16/2 · 29 tháng Chạp · nước rong", "Monday 16 February · lunar 29/12 · spring tide"),
        ("2026-03-08T12:00", "Chủ Nhật 8/3 · 20 tháng Giêng", "Sunday 8 March · lunar 20/1"),
        ("2026-03-10T12:00", "Thứ Ba 10/3 · 22 tháng Giêng · nước kém", "Tuesday 10 March · lunar 22/1 · neap tide"),
        ("2025-08-01T12:00", "Thứ Sáu 1/8 · 8 tháng 6 nhuận · nước kém", "Friday 1 August · lunar 8/6 (leap) · neap tide"),
    ],
)
def test_the_date_header(when: str, vi: str, en: str) -> None:
    """Day, lunar day and tide; Tết 2026 is 17 February; the day turns at local midnight; a leap month is named."""
    assert str(date_header(at(when), ZONE, "vi")) == vi
    assert str(date_header(at(when), ZONE, "en")) == en


def test_tides_follow_the_moon() -> None:
    """Within a lunar month: nước rong around new and full moon, nước kém around the quarters, a word for neither between."""
    days = [tide_word(date.fromordinal(date(2026, 2, 17).toordinal() + i), "vi") for i in range(30)]
    spring = {i + 1 for i, word in enumerate(days) if word == "nước rong"}
    neap = {i + 1 for i, word in enumerate(days) if word == "nước kém"}
    assert spring == {1, 2, 3, 14, 15, 16, 17, 18, 29, 30}
    assert neap == {7, 8, 9, 10, 21, 22, 23, 24, 25}


@pytest.mark.parametrize(
    ("when", "vi", "en"),
    [
        ("2026-03-05T14:00", "14 giờ chiều nay", "2 pm today"),
        ("2026-03-06T03:00", "3 giờ sáng mai", "3 am tomorrow"),
        ("2026-03-07T09:00", "9 giờ sáng thứ Bảy", "9 am on Saturday"),
        ("2026-03-08T20:00", "20 giờ tối Chủ Nhật", "8 pm on Sunday"),
        ("2026-03-04T22:00", "22 giờ đêm qua", "10 pm yesterday"),
        ("2026-03-12T12:00", "12 giờ trưa ngày 12/3", "noon on 12 March"),
        ("2026-03-02T18:00", "18 giờ chiều ngày 2/3", "6 pm on 2 March"),
        ("2026-03-05T23:40", "0 giờ sáng mai", "midnight tomorrow"),
        ("2026-03-05T13:29", "13 giờ chiều nay", "1 pm today"),
    ],
)
def test_hours_as_people_say_them(when: str, vi: str, en: str) -> None:
    """Today, tomorrow, yesterday, a weekday within six days, else a date; to the nearest hour, held together."""
    assert hour_words(at(when), NOW, ZONE, "vi") == vi.replace(" ", NBSP, 1)
    assert hour_words(at(when), NOW, ZONE, "en") == (en.replace(" ", NBSP, 1) if en[0].isdigit() else en)
    assert say("en", "until", when=hour_words(at("2026-03-05T14:00"), NOW, ZONE, "en")) == f"until about 2{NBSP}pm today"


@given(st.integers(-20 * 24 * 60, 20 * 24 * 60), st.sampled_from(LANGUAGES))
def test_two_moments_an_hour_apart_read_differently(minutes: int, lang: str) -> None:
    """Law: within a fortnight no two hours have the same words."""
    then = NOW + minutes * 60_000
    assert hour_words(then, NOW, ZONE, lang) != hour_words(then + HOUR, NOW, ZONE, lang)


@pytest.mark.parametrize(
    ("value", "vi", "en"),
    [
        (3.2, "ba phẩy hai gam trên lít", "three point two grams per litre"),
        (0.04, "không gam trên lít", "zero grams per litre"),
        (0.5, "không phẩy năm gam trên lít", "zero point five grams per litre"),
        (10, "mười gam trên lít", "ten grams per litre"),
        (15.1, "mười lăm phẩy một gam trên lít", "fifteen point one grams per litre"),
        (21, "hai mươi mốt gam trên lít", "twenty-one grams per litre"),
        (35, "ba mươi lăm gam trên lít", "thirty-five grams per litre"),
        (math.nan, "Chưa rõ", "not known"),
        (120, "120,0 gam trên lít", "120.0 grams per litre"),
    ],
)
def test_values_for_speech(value: float, vi: str, en: str) -> None:
    """Numbers as they are spoken: mốt and lăm after tens, a comma in Vietnamese; what is no number is not known."""
    assert value_words(value, "vi") == vi
    assert value_words(value, "en") == en


@given(st.floats(0, 50), st.sampled_from(LANGUAGES))
def test_a_shown_value_reads_in_its_own_band(value: float, lang: str) -> None:
    """Law: rounding never moves the number people read up or down by a band, but for the last half hundredth."""
    shown = float(value_text(value, lang, unit="").replace(",", "."))
    assert abs(shown - value) <= 0.05 + 1e-9
    assert band(shown) == band(value) or abs(shown - value) <= 0.005 + 1e-9


def test_values_as_text() -> None:
    """A tenth; a hundredth only where the tenth would read as another band."""
    assert value_text(3.2, "vi") == "3,2\u00a0g/L"
    assert value_text(0.47, "vi") == "0,47\u00a0g/L"
    assert value_text(0.97, "en", unit="") == "0.97"
    assert value_text(math.nan, "vi") == "–"


def test_ages_and_clock() -> None:
    """How long ago, and the time on the wall without a leading nought."""
    assert ago(NOW - 13_200_000, NOW, "vi") == "3 giờ 40 phút trước"
    assert ago(NOW - 13_200_000, NOW, "en") == "3 h 40 min ago"
    assert ago(NOW + 5000, NOW, "vi") == "vừa mới"
    assert clock(at("2026-03-05T07:10"), ZONE) == "7:10"


def test_band_words() -> None:
    """With a capital alone, without within a sentence, in both languages."""
    assert [band_word(k, "vi") for k in (1, "unknown")] == ["Hơi lợ", "Chưa rõ"]
    assert band_word(1, "vi", upper=False) == "hơi lợ"
    assert band_word(4, "en") == "Very salty"
    assert band_word(4, "en", upper=False) == "very salty"


@pytest.mark.parametrize(
    ("p", "key"),
    [(1.0, "sure.9"), (0.85, "sure.9"), (0.8, "sure.8"), (0.7, "sure.7"), (0.6, "sure.5"), (0.4, "sure.5"), (0.3, "sure.3"), (0.2, "sure.2"), (0.1, "sure.1")],
)
def test_how_sure(p: float, key: str) -> None:
    """Parts of ten; nothing is told as certain, and under two as hardly to be expected."""
    assert sure_key(p) == key


@given(st.floats(0, 1), st.sampled_from(LANGUAGES))
def test_no_probability_is_overstated(p: float, lang: str) -> None:
    """Law: the parts of ten a text names are the probability's to the nearest one, but for 10, which is told as 9."""
    told = [int(c) for c in say(lang, sure_key(p)) if c.isdigit()][:1]
    if told:
        assert abs(told[0] / 10 - min(p, 0.9)) <= 0.05 + 1e-9


@pytest.mark.parametrize("p", [None, math.nan])
def test_no_forecast(p: float | None) -> None:
    """Without a forecast the words say that there is none."""
    assert sure_key(p) == "sure.none"


@given(st.integers(946_684_800_000, 4_000_000_000_000), st.integers(-20, 20))
def test_midnight_is_the_start_of_a_local_day(ms: int, days: int) -> None:
    """Law: local midnight of the day, so many days on."""
    start = midnight(ms, ZONE, days)
    then = local(start, ZONE)
    assert (then.hour, then.minute, then.second) == (0, 0, 0)
    assert (then.date() - local(ms, ZONE).date()).days == days
