"""A station's page: what to do, how salty it is, will be and was, and why that may be believed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from servers.backend import DAY_MS, NOW, Rig
from servers.browser import WATER, coming
from servers.html_page import Element, read

from adapters.model_folder import ModelFolder
from analytics.packing import packed
from api.web.reasons import why
from api.web.trust import record_line, season
from core.batch import Batch
from core.errors import UnavailableError
from core.forecast import HOUR_MS, Reason
from core.instant import parse_rfc3339
from core.model_card import ModelCard
from core.record import Score
from core.series import SeriesKey
from core.state import Latest


def station(rig: Rig, path: str) -> Element:
    """The page of a station."""
    answer = rig.get(f"/stations/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return read(answer.text.replace("\u00a0", " "))


def test_all_of_it(pages: Rig) -> None:
    """Verdict, until, number with word and trend, ruler, 24 hours, week and forecast, each chart with its sentence and table."""
    page = station(pages, "nuoc-trong")
    assert page.one("article").one(data_part="title").text == "Đừng lấy nước"
    assert page.one(class_="until").text == "bơm được: tối nay 19–20 giờ"
    assert page.one(class_="big").text == "3,1 g/L ba phẩy một gam trên lít"
    assert page.one(class_="say").text.startswith("Mặn, đang lên 1 giờ trước đó: 1,9 g/L Đo 9:55, 5 phút trước")
    for kind in ("ruler", "strip", "week"):
        chart = page.one("svg", class_=kind)
        assert chart.attributes["role"] == "img"
        assert chart.attributes["aria-label"]
    for words in ("strip-words", "week-words"):
        assert page.one("details", id=words).one("summary").text == "Xem bằng chữ"
        assert len(page.one("details", id=words).all("tr")) > 1


def test_the_limit_is_a_plain_form(pages: Rig) -> None:
    """Each choice is a GET; the verdict follows it, and the one chosen is marked."""
    buttons = station(pages, "kenh-lau").one("form", method="get").all("button")
    assert [b.attributes["value"] for b in buttons] == ["0.5", "1", "2", "4"]
    assert [b.attributes["aria-pressed"] for b in buttons] == ["false", "true", "false", "false"]
    by = {limit: station(pages, f"kenh-lau?limit={limit}").one("article").one(data_part="title").text for limit in ("0.5", "1", "4")}
    assert by == {"0.5": "Chờ nước ròng, đo rồi mới lấy", "1": "Đo trước khi tưới", "4": "Lấy và trữ nước được"}
    marked = station(pages, "kenh-lau?limit=4").one("form", method="get").all("button", aria_pressed="true")
    assert [b.attributes["value"] for b in marked] == ["4"]


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "abc", "1e9"])
def test_a_limit_that_is_none(pages: Rig, limit: str) -> None:
    """Refused with the parameter's name, never judged by another."""
    answer = pages.get(f"/stations/kenh-lau?limit={limit}", headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "limit" in answer.text


def test_why_to_believe_it(pages: Rig) -> None:
    """Age, interval, check, what the check sensor read, forecast, and that nobody approved the thresholds: without a name, version or hash."""
    page = station(pages, "kenh-lau")
    trust = page.one("ul", class_="trust").text
    for words in (
        "Đo 9:55, 5 phút trước. Máy gửi 15 phút một lần.",
        "Kiểm tra tự động: tốt.",
        "Máy đối chứng: 0,8 g/L, 15 phút trước.",
        "Báo từng giờ lúc 9:30, 30 phút trước, theo cách “hôm nay sao mai vậy”.",
        "chưa được duyệt",
    ):
        assert words in trust
    assert not [words for words in ("d-kenh-lau", "d-check", "bản 1", pages.backend.risk().hash) if words and words in trust]
    technical = page.one("details", id="technical")
    assert "open" not in technical.attributes
    for words in (
        "Máy đo d-kenh-lau.",
        "Máy đối chứng d-check.",
        "Báo từng giờ: cách “hôm nay sao mai vậy”, bản 1.",
        "Báo từng ngày: cách “hôm nay sao mai vậy”, bản 1.",
        "Ngưỡng kết luận: ",
    ):
        assert words in technical.text


def test_ages_and_ticks_of_the_trust_follow_the_clock(pages: Rig) -> None:
    """Each age is one the script lets grow; the only tick stands at a check of a fresh good reading, and has a time to go."""
    lines = station(pages, "kenh-lau").one("ul", class_="trust").all("li")
    assert {a.attributes["data-age"] for line in lines for a in line.all("span", data_form="ago")} == {str(NOW - minutes * 60_000) for minutes in (5, 15, 30)}
    ticked = [line for line in lines if is_ticked(line)]
    assert [line.text for line in ticked] == ["Kiểm tra tự động: tốt."]
    assert (ticked[0].attributes["data-as-of"], ticked[0].attributes["data-good-for"]) == (str(NOW - 5 * 60_000), str(HOUR_MS))
    pages.clock.now = NOW + 18 * HOUR_MS
    pages.app.state.present._read_at = 0.0
    later = station(pages, "kenh-lau").one("ul", class_="trust").all("li")
    assert "Kiểm tra tự động: tốt." in [line.text for line in later]
    assert not [line for line in later if is_ticked(line)]


def is_ticked(line: Element) -> bool:
    """Whether a check-mark stands before it."""
    return bool(line.all("path", d="M5 12.6l4.6 4.6L19.2 7"))


def test_paper_has_its_dates(pages: Rig) -> None:
    """When it was printed, and the full date of the reading."""
    page = station(pages, "kenh-lau")
    assert [e.text for e in page.all(class_="paper")] == ["In lúc 10:00, ngày 02/03/2026", "(02/03/2026)"]
    assert station(pages, "kenh-lau?lang=en").one("p", class_="paper").text == "Printed at 10:00, 2026-03-02"


def test_the_record_of_this_place(pages: Rig) -> None:
    """How often one day ahead was right here since December; with few days that, and with none that."""

    def told(id: str) -> str:
        return station(pages, id).one("ul", class_="trust").text

    assert "Báo trước 1 ngày nước có quá 1 g/L không: ở đây đúng 85 trên 100 lần từ tháng 12 (đã chấm 88 ngày)." in told("cai-tu")
    assert "từ tháng 12 mới chấm 12 ngày, chưa đủ để nói đúng bao nhiêu." in told("nuoc-trong")
    assert "từ tháng 12 chưa có ngày nào qua rồi để chấm." in told("go-quao")


@pytest.mark.parametrize(("events", "words"), [(0, "Ngày nào cũng dưới 1 g/L nên dễ đúng."), (30, "Ngày nào cũng quá 1 g/L nên dễ đúng."), (1, "")])
def test_being_right_where_it_is_easy(events: int, words: str) -> None:
    """Where it is always so, it says so; models and months are added up."""
    score = Score(station="a", point="main", target="day_max", model="m", lead=1, line=1.0, bin=0, month=0, n=15, right=15)
    two = [replace(score, events=min(events, 15)), replace(score, model="other", events=max(0, events - 15))]
    text = record_line(two, lang="vi").text
    assert "đúng 100 trên 100 lần" in text
    assert record_line(two, lang="vi").icon != "check"
    assert text.endswith(words or "ngày).")


def test_the_season() -> None:
    """December belongs to the season it begins."""
    at = {"2026-03-02T03:00:00Z": 202512, "2025-12-01T00:00:00Z": 202512, "2025-11-30T16:00:00Z": 202412, "2025-11-30T18:00:00Z": 202512}
    assert {text: season(parse_rfc3339(text) or 0, "Asia/Ho_Chi_Minh") for text in at} == at


def test_why_the_forecast_says_so(pages: Rig) -> None:
    """Reasons in words with the hours or days they are about, the nearest first, the silent driver once, and whose word each is; where none is given, that."""
    page = station(pages, "cai-tu").text
    nearest = ("Vì sao báo vậy? Từng giờ: Con nước đang vào kỳ đẩy mặn lên, mặn thêm chừng 1,2 g/L.", "Ngày mai: Sau những ngày", "7 ngày nữa: Con nước")
    assert all(words in page for words in nearest)
    assert sorted(nearest, key=page.index) == list(nearest)
    assert "Mực nước Kênh Năm nghiêng về ngọt" in page
    assert page.count("Thiếu số liệu lưu lượng thượng nguồn, nên khoảng báo rộng hơn.") == 1
    for kind in ("giờ", "ngày"):
        assert f"Báo từng {kind} lúc 9:30 theo cách “hôm nay sao mai vậy”; số liệu đến 9:00." in page
    assert "Không có lý do nào nổi bật." in station(pages, "kenh-lau").text
    assert "Vì sao báo vậy?" not in station(pages, "tram-moi").text


@pytest.mark.parametrize(("model", "named"), [("persistence", False), ("boosted", True)])
def test_reasons_of_days_are_no_reasons_of_hours(model: str, named: bool) -> None:
    """Where the hours are another model's word and it gives no reason, those of tomorrow say that they are tomorrow's."""
    days = replace(coming(WATER[2], target="day_max"), reasons=(Reason(code="persistence", effect=0.0, lead=1),))
    told = why(days, replace(coming(WATER[2]), model=model), card=None, now=NOW, lang="vi", timezone="Asia/Ho_Chi_Minh").reasons
    assert told == (("Ngày mai" if named else "", "Báo theo con nước hôm qua: hôm nay sao mai vậy."),)


def test_days_of_an_issue_that_is_too_old_are_not_shown(pages: Rig) -> None:
    """A fresh station that fell silent nine days ago: no day ahead, no reason for one; it says when the last was made, and its trust names no forecast."""
    before = station(pages, "kenh-nam")
    assert "14 ngày tới, mặn nhất mỗi ngày" in before.one("svg", class_="week").text
    assert len(before.all("div", data_as_of=str(NOW - HOUR_MS // 2), data_good_for=str(DAY_MS))) == 2, "week and reasons, on a page that hears nothing new"
    pages.clock.now = NOW + 9 * DAY_MS
    page = station(pages, "kenh-nam")
    assert page.one("article").one(data_part="title").text == "Chưa rõ, đừng lấy"
    week = page.one("section", id="week")
    assert "ngày tới, mặn nhất" not in week.text
    assert "Mấy ngày tới chưa có báo mới: lần báo cuối là lúc 10 giờ sáng ngày 2/3, cũ quá rồi, đừng tính theo." in week.text
    assert not page.all("div", data_good_for=str(DAY_MS))
    assert "Vì sao báo vậy?" not in page.text
    assert "Báo trước lúc" not in page.one("ul", class_="trust").text


@pytest.mark.parametrize(("version", "told"), [("1", True), ("2", False)])
def test_what_the_model_learned_from(pages: Rig, tmp_path: Path, version: str, told: bool) -> None:
    """The days and stations of the model whose forecast it is, also where another speaks since; a card that cannot be read keeps nobody from the page."""
    folder = ModelFolder(tmp_path / "models")
    card = ModelCard(
        target="day_max",
        model="persistence",
        version=version,
        trained_at=NOW,
        data_from="2025-12-01",
        data_until="2026-02-28",
        stations=("a", "b"),
        drivers=(),
        rows=9,
        source="store",
        held_out=None,
    )
    kept = asyncio.run(folder.keep(card, packed(())))
    asyncio.run(folder.promote(kept, at=NOW, why="t"))
    object.__setattr__(pages.backend, "models", folder)
    words = "Mô hình học từ số liệu 1/12/2025 đến 28/2/2026 của 2 trạm."
    assert (words in station(pages, "cai-tu").text) is told
    newer = asyncio.run(folder.keep(replace(card, version="3", trained_at=NOW + 1), packed(())))
    asyncio.run(folder.promote(newer, at=NOW, why="t"))
    assert (words in station(pages, "cai-tu").text) is told, "another one was promoted since the issue"
    (tmp_path / "models" / "day_max" / "speaking.json").write_text("{")
    assert words not in station(pages, "cai-tu").text


@pytest.mark.parametrize(("id", "words"), [("an-lac-tay", "đáng ngờ (đứng yên quá lâu)"), ("may-hong", "hỏng (ngoài khoảng có thể có)")])
def test_a_flag_with_the_tests_behind_it(pages: Rig, id: str, words: str) -> None:
    """The names of the tests in words; the value shown is the last good one, pale, the ruler's pointer dashed."""
    page = station(pages, id)
    assert f"Kiểm tra tự động: {words}" in page.text
    assert "quiet" in page.one(class_="big").attributes["class"]
    assert page.one("article").one(data_part="title").text == "Chưa rõ, đừng lấy"


def test_a_field_shows_its_intakes_verdict_and_says_so(pages: Rig) -> None:
    """The water of the intake is judged, its name is told and linked."""
    page = station(pages, "ruong-8")
    assert "Ruộng này lấy nước Kênh Năm" in page.text
    assert page.one("article").one(data_part="title").text == "Lấy và trữ nước được"
    assert page.all("a", href="/stations/kenh-nam")


def test_no_forecast(pages: Rig) -> None:
    """It says so, draws no strip, and never allows."""
    page = station(pages, "moi-dat")
    assert "Chưa đủ số để báo trước" in page.text
    assert not page.all("svg", class_="strip")
    assert page.one("article").one(data_part="title").text == "Đo trước khi tưới"


def test_nothing_measured(pages: Rig) -> None:
    """A station without a reading is a page all the same."""
    page = station(pages, "tram-moi")
    assert "Chưa có số đo" in page.text
    assert page.one(class_="big").text == "– g/L"


def test_its_alerts_stand_on_it(pages: Rig) -> None:
    """The open alert of a stale station is linked."""
    assert page_links(station(pages, "dai-ngai")) == ["/alerts/3"]


def page_links(page: Element) -> list[str]:
    """The alerts linked from a page's content."""
    return [a.attributes["href"] for a in page.one("main").all("a") if a.attributes["href"].startswith("/alerts/")]


@pytest.mark.parametrize("id", ["rieng", "nowhere", "<b>nowhere"])
def test_private_and_unknown_are_the_same(pages: Rig, id: str) -> None:
    """404 either way, as a page in words, with the id as text."""
    answer = pages.get(f"/stations/{id}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "<b>nowhere" not in answer.text
    assert "/stations/rieng" not in answer.text


def test_an_officer_sees_the_private_one(pages: Rig) -> None:
    """Of their own organisation."""
    assert pages.get("/stations/rieng", as_="lan").status_code == 200


def test_the_newest_hour_decides_the_trend(pages: Rig) -> None:
    """Five hours after the tide began to rise nothing new came: no trend is told of old numbers."""
    pages.clock.now = NOW + 5 * 3_600_000
    assert "đang lên" not in station(pages, "nuoc-trong").one("main").text


@pytest.mark.parametrize("path", ["/", "/stations/nuoc-trong"])
def test_the_verdict_needs_no_store(pages: Rig, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """While the store is away the verdict, the number and the ruler are shown; what is missing is said."""

    async def away(*_: object, **__: object) -> Batch:
        raise UnavailableError("the store is away")

    monkeypatch.setattr(pages.backend.store, "read", away)
    answer = pages.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "Đừng lấy nước" in answer.text
    if path != "/":
        assert read(answer.text).all("svg", class_="ruler")
        assert "Chưa đọc được số đã qua." in answer.text


def test_a_reading_that_waits_for_the_judge_is_not_a_second_number(pages: Rig) -> None:
    """Headline, trust and table speak of the newest judged one, with its age, flag and tests; the API gives the newest stored."""
    key = SeriesKey("vithanh", "nuoc-trong", "main", "d-nuoc-trong", "water.salinity")
    states = pages.run(pages.backend.states.states)
    old = next(s for s in states if s.key == key)
    waiting = Latest(time=NOW - 60_000, value=9.9, flag=1)
    pages.run(lambda: pages.backend.store.write(Batch.of([0], [waiting.time], [waiting.value]), [key]))
    pages.run(lambda: pages.backend.states.replace([replace(old, newest=waiting, received=NOW, dirty_from=waiting.time)]))
    page = station(pages, "nuoc-trong")
    assert page.one(class_="big").text.startswith("3,1")
    trust = page.one("ul", class_="trust").text
    assert "Đo 9:55, 5 phút trước." in trust
    assert "Kiểm tra tự động: tốt." in trust
    assert "chưa xét" not in page.one("main").text
    row = page.one("table", class_="points").one("tbody").text
    assert "3,1" in row
    assert "5 phút trước" in row
    assert "9,9" not in row
    assert pages.get("/api/v1/stations/nuoc-trong").json()["latest"]["water.salinity"]["value"] == 9.9
