"""Texts of alerts: the look's words, facts in separate sentences, parts of ten, local times."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.message import event_text, sure, text
from alerts.shape import shape
from core.alert import Alert, AlertEvent
from core.place import Station
from core.texts import LANGUAGES, NBSP, say

NOW = 1_772_410_500_000  # 2026-03-02T00:15:00Z = 7:15 in Vietnam
MIN = 60_000
HOUR = 60 * MIN
STATION = Station(id="kenh-lau", org="vithanh", name="Kênh Lầu")


def make(**given: Any) -> Alert:
    base: dict[str, Any] = {
        "org": "vithanh",
        "station": "kenh-lau",
        "point": "main",
        "kind": "observed",
        "line": 2.0,
        "level": 3,
        "state": "open",
        "opened_at": NOW,
        "updated_at": NOW,
        "value": 3.2,
        "time": NOW - 5 * MIN,
    }
    return Alert(**(base | given))


def test_a_measured_one() -> None:
    """Action as title, place, measured value with its local time, the line; decimal comma and NBSP."""
    vi = text(make(), station=STATION, lang="vi", now=NOW)
    assert vi.title == "Đừng lấy nước. Tưới bằng nước đã trữ."
    assert vi.place == "Kênh Lầu"
    assert vi.facts == (f"Đo được 3,2{NBSP}g/L lúc 7:10.", f"Đã tới mức cảnh báo 2{NBSP}g/L.")
    assert vi.summary == f"Kênh Lầu: Đừng lấy nước. Tưới bằng nước đã trữ. Đo được 3,2{NBSP}g/L lúc 7:10. Đã tới mức cảnh báo 2{NBSP}g/L."
    en = text(make(), station=STATION, lang="en", now=NOW)
    assert en.title == "Do not take water. Use stored water."
    assert en.facts[0] == f"Measured 3.2{NBSP}g/L at 7:10."


def test_a_forecast_one() -> None:
    """The forecast peak at its hour, and how sure in parts of ten, never a per cent."""
    alert = make(kind="forecast", line=4.0, level=4, value=5.0, time=NOW - 15 * MIN + 2 * HOUR, p=0.81)
    vi = text(alert, station=STATION, lang="vi", now=NOW)
    assert vi.title == "Đóng cống, bọng. Đừng lấy nước. Gọi cán bộ thủy lợi."
    assert vi.facts == (f"Dự báo đỉnh 5,0{NBSP}g/L lúc 9 giờ.", f"Quá 4{NBSP}g/L? Chắc 8 trên 10 lần.")
    assert text(alert, station=STATION, lang="en", now=NOW).facts[1] == f"Over 4{NBSP}g/L? Likely: 8 times out of 10."


def test_another_day_has_its_date() -> None:
    """A time of another local day carries the date, of another year the year too."""
    day_before = make(time=NOW - 12 * HOUR)
    assert text(day_before, station=STATION, lang="vi", now=NOW).facts[0] == f"Đo được 3,2{NBSP}g/L lúc 19:15 ngày 1/3."
    assert text(day_before, station=STATION, lang="en", now=NOW).facts[0] == f"Measured 3.2{NBSP}g/L at 19:15 on 1 March."
    a_year_on = text(day_before, station=STATION, lang="vi", now=NOW + 400 * 24 * HOUR).facts[0]
    assert a_year_on == f"Đo được 3,2{NBSP}g/L lúc 19:15 ngày 1/3/2026."


def test_an_old_value_says_so() -> None:
    """An open alert whose value is old does not sound fresh."""
    old = text(make(time=NOW - 48 * HOUR), station=STATION, lang="vi", now=NOW)
    assert old.facts[-1] == "Số cũ 2 ngày. Đo lại trước khi lấy nước."
    assert not any("Số cũ" in fact for fact in text(make(), station=STATION, lang="vi", now=NOW).facts)


def test_a_silent_one() -> None:
    """Silence in the look's words; unknown, which already says not to take water; days when it lasts."""
    alert = make(kind="silent", line=None, level=0, value=5.0, time=NOW - 9 * HOUR - 5 * MIN)
    vi = text(alert, station=STATION, lang="vi", now=NOW)
    assert vi.title == "Chưa rõ, đừng lấy"
    assert vi.facts == (f"Máy im 9 giờ. Lần cuối 5,0{NBSP}g/L.",)
    assert text(alert, station=STATION, lang="vi", now=NOW + 72 * HOUR).facts == (f"Máy im 3 ngày. Lần cuối 5,0{NBSP}g/L.",)
    assert text(replace(alert, value=None), station=STATION, lang="vi", now=NOW).facts == ("Máy im 9 giờ.",)


def test_a_cleared_one_says_nothing_safe() -> None:
    """What is over sends people to the verdict; it never says that water may be taken."""
    alert = make(state="cleared", cleared_at=NOW, value=0.7)
    vi = text(alert, station=STATION, lang="vi", now=NOW)
    assert vi.title == f"Đã xuống dưới mức cảnh báo 2{NBSP}g/L"
    assert vi.facts[-1] == "Xem kết luận bây giờ rồi hãy lấy nước."
    assert "Lấy được" not in vi.summary


@pytest.mark.parametrize(("lang", "title"), [("vi", "Không còn báo trước sẽ mặn"), ("en", "Salt is no longer forecast")])
def test_a_forecast_that_is_over_says_nothing_of_the_water(lang: str, title: str) -> None:
    """It was never measured, so nothing is "back under the line", and the peak that was forecast is no measure of now."""
    told = text(make(kind="forecast", state="cleared", cleared_at=NOW, value=0.7), station=STATION, lang=lang, now=NOW)
    assert told.title == title
    assert told.facts == (say(lang, "alert.cleared.see"),)
    assert "g/L" not in told.summary


def test_the_point_is_named() -> None:
    """A point other than `main` stands beside the station's name."""
    assert text(make(point="out"), station=STATION, lang="vi", now=NOW).place == "Kênh Lầu (ngoài cống)"


@given(st.floats(0, 1), st.sampled_from(LANGUAGES))
def test_how_sure(p: float, lang: str) -> None:
    """Law: parts of ten from 2 to 9, never a per cent, never certain, never 10 of 10."""
    words = sure(p, lang)
    assert "%" not in words
    assert "10 trên 10" not in words
    assert "10 times" not in words
    assert "chắc chắn" not in words.lower()
    assert "certain" not in words.lower()


kinds = st.sampled_from([("observed", 1.0, 2), ("forecast", 4.0, 4), ("silent", None, 0), ("fault", None, 0)])


@given(kinds, st.sampled_from(["open", "acknowledged", "cleared"]), st.none() | st.floats(0, 40), st.none() | st.floats(0, 1), st.integers(-1, 10**6))
def test_every_alert_has_a_text(kind: tuple[str, float | None, int], state: str, value: float | None, p: float | None, minutes: int) -> None:
    """Law: whatever the facts, there is a text in both languages, without a hole in it, and the JSON object is whole."""
    time = None if value is None else NOW - minutes * MIN
    alert = make(kind=kind[0], line=kind[1], level=kind[2], state=state, value=value, time=time, p=p, cleared_at=NOW if state == "cleared" else None)
    shown = shape(alert, station=STATION, now=NOW)
    assert " ".join(shown) == "id station point kind line level state opened_at updated_at cleared_at value unit time p text"
    words = shown["text"]
    assert isinstance(words, dict)
    assert set(words) == {"vi", "en"}
    for line in words.values():
        assert line.startswith("Kênh Lầu: ")
        assert "{" not in line
        assert "None" not in line
        assert "  " not in line


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", ["observed", "forecast", "silent", "fault"])
@pytest.mark.parametrize("what", ["opened", "reopened", "raised", "acknowledged", "cleared"])
def test_every_event_has_a_text(lang: str, kind: str, what: str) -> None:
    """History reads in both languages for every kind; nobody's name unless it is asked for."""
    event = AlertEvent(at=NOW, kind=what, value=3.2, time=NOW - 5 * MIN, p=0.7, actor="lan")
    line = 4.0 if kind in ("observed", "forecast") else None
    alert = make(kind=kind, line=line)
    shown = event_text(event, alert, station=STATION, lang=lang)
    assert shown.endswith((".", "?"))
    assert "lan " not in shown
    if what == "acknowledged":
        assert event_text(event, alert, station=STATION, lang=lang, named=True).startswith("lan ")


def test_an_event_tells_its_facts() -> None:
    """The facts as they were, separate from the words of what happened."""
    event = AlertEvent(at=NOW, kind="opened", value=3.2, time=NOW - 5 * MIN)
    assert event_text(event, make(), station=STATION, lang="vi") == f"Cảnh báo theo số đo. Đo được 3,2{NBSP}g/L lúc 7:10."


def test_times_are_rfc3339() -> None:
    """The JSON object carries UTC with a Z and the texts of both languages."""
    shown = shape(make(id=7, p=0.12345), station=STATION, now=NOW)
    assert shown["opened_at"] == "2026-03-02T00:15:00Z"
    assert shown["time"] == "2026-03-02T00:10:00Z"
    assert shown["cleared_at"] is None
    assert shown["p"] == 0.123
    assert shown["id"] == 7


def test_the_action_is_never_milder_than_the_water() -> None:
    """An alert about 1 g/L whose water has reached 3 says what 3 says; falling water does not make it milder than its line."""
    assert text(make(line=1.0, level=2, value=1.2), station=STATION, lang="en", now=NOW).title.startswith("Wait for low tide")
    assert text(make(line=1.0, level=2, value=3.0), station=STATION, lang="en", now=NOW).title.startswith("Do not take water")
    assert text(make(line=4.0, level=4, value=3.0), station=STATION, lang="en", now=NOW).title.startswith("Shut sluices")
    ahead = make(kind="forecast", line=1.0, level=2, value=3.0, p=0.7)
    assert text(ahead, station=STATION, lang="en", now=NOW).title.startswith("Wait for low tide")


def test_falling_water_is_not_over_the_line() -> None:
    """While the alert stays open under its line, its text does not say that the line is reached."""
    assert text(make(line=4.0, level=4, value=3.3), station=STATION, lang="vi", now=NOW).facts[1] == f"Chưa xuống hẳn dưới mức cảnh báo 4{NBSP}g/L."
    assert text(make(line=4.0, level=4, value=4.0), station=STATION, lang="vi", now=NOW).facts[1] == f"Đã tới mức cảnh báo 4{NBSP}g/L."
