"""When to pump, on the page of a station and on its card: in words, with the chance, and never where the water is not known."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.backend import NOW, Rig
from servers.browser import WATER, coming, pages_backend, tide
from servers.html_page import Element, read

from core.batch import Batch
from core.forecast import HOUR_MS
from core.place import Deployment, Device
from core.series import SeriesKey
from core.state import Latest, SeriesState

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The app of the pages, for tests that change nothing in it."""
    made = Rig(pages_backend(tmp_path_factory.mktemp("pages")))
    yield made
    made.close()


@pytest.fixture
def rising(tmp_path: Path) -> Iterator[Rig]:
    """Likewise, and at kenh-nam the newest issue has fresh hours until 19 o'clock and salt after."""
    backend = pages_backend(tmp_path)
    calm = coming(next(w for w in WATER if w.station == "kenh-nam"))
    salt = [start >= NOW + 9 * HOUR_MS for start in calm.times]
    issue = dataclasses.replace(
        calm,
        issued_at=calm.issued_at + 60_000,
        quantiles=tuple((3.0, 3.2, 3.5, 3.8, 4.0) if s else q for s, q in zip(salt, calm.quantiles, strict=True)),
        p_gt=tuple((0.98, 0.98, 0.98, 0.02) if s else (0.01,) * 4 for s in salt),
    )
    asyncio.run(backend.forecasts.issue([issue]))
    made = Rig(backend)
    yield made
    made.close()


def page(rig: Rig, path: str) -> Element:
    rig.client.cookies.clear()  # the language another test has chosen
    answer = rig.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    return read(answer.text.replace("\u00a0", " "))


def section(found: Element, title: str) -> Element:
    """The section under a heading."""
    sections = [s for s in found.all("section") if any(h.text == title for h in s.all("h2"))]
    assert len(sections) == 1
    return sections[0]


def pump(rig: Rig, path: str, title: str = "Khi nào bơm được?") -> Element:
    return section(page(rig, path), title)


def test_each_ebb_in_words_with_its_chance(still: Rig) -> None:
    """Part of the day and hours, nine boxes of ten, and to measure again."""
    shown = pump(still, "/stations/cai-tu")
    rows = shown.one("ul", class_="pump").all("li")
    assert [r.one(class_="when").text for r in rows] == [
        "Chiều nay 18–21 giờ",
        "Sáng mai 6–9 giờ",
        "Tối mai 19–22 giờ",
        "Sáng thứ Tư 7–10 giờ",
        "Tối thứ Tư 20–22 giờ",
        "Sáng thứ Năm 8–10 giờ",
    ]
    assert {r.one(class_="sure").text for r in rows} == {"9 trên 10 lần"}
    assert all(len(r.all("i")) == 10 for r in rows)
    assert all(len(r.all("i", class_="on")) == 9 for r in rows)
    assert "Đo lại trước khi bơm." in shown.text
    assert "Tính theo giới hạn 1 g/L. Chỉ ghi giờ nào ít nhất 9 trên 10 lần" in shown.text


def test_they_are_those_of_the_api(still: Rig) -> None:
    """The same hours by the same limit, in both languages."""
    for limit in ("1", "2"):
        said = still.get(f"/api/v1/stations/cai-tu/windows?limit={limit}").json()["windows"]
        for lang, title in (("vi", "Khi nào bơm được?"), ("en", "When to pump?")):
            rows = pump(still, f"/stations/cai-tu?limit={limit}&lang={lang}", title).all(class_="when")
            assert [r.text for r in rows] == [w["text"][lang].replace("\u00a0", " ") for w in said]


def test_the_chart_ticks_the_same_hours(still: Rig) -> None:
    """The 72 hours with their boxes; the strip of the day has the same in brackets."""
    found = page(still, "/stations/cai-tu")
    chart = found.one("svg", class_="ahead")
    assert chart.attributes["role"] == "img"
    assert "Ô có dấu ✓ là giờ bơm được, 1 g/L trở xuống." in chart.attributes["aria-label"]
    assert "18–21" in [t.text for t in chart.all("text")]
    assert "18–21 giờ" in found.one("details", id="ahead-words").text
    bold = [t.text for t in found.one("svg", class_="strip").all("text", font_weight="700")]
    assert bold[:2] == ["18", "21"]


def test_none_sure_enough(still: Rig) -> None:
    """Said with the limit, and to keep what one has."""
    assert "72 giờ tới không có giờ nào đủ chắc dưới 1 g/L. Giữ nước đang có." in pump(still, "/stations/go-quao").text


@pytest.mark.parametrize(("station", "limit"), [("cai-tu", "0.5"), ("kenh-lau", "0.5")])
def test_none_sure_enough_where_the_headline_bids_to_measure(still: Rig, station: str, limit: str) -> None:
    """To wait for the ebb and measure is not to keep what one has: under which number it may be taken, and what else."""
    found = page(still, f"/stations/{station}?limit={limit}")
    title = found.one("article").one(data_part="title").text
    said = section(found, "Khi nào bơm được?").text
    assert (title, "để hẹn trước" in said) in (("Chờ nước ròng, đo rồi mới lấy", True), ("Đừng lấy nước", False))
    assert ("đo: dưới 0,5 g/L mới lấy, không thì giữ nước đang có." in said) == ("Chờ" in title)
    assert ("Giữ nước đang có." in said) == ("Đừng" in title)


def test_what_may_be_taken_does_not_end_within_hours_to_pump(rising: Rig) -> None:
    """Salt comes in nine hours: six before that the verdict ends, and the headline bids to measure then; it does not bid to stop."""
    found = page(rising, "/stations/kenh-nam")
    assert found.one("article").one(data_part="title").text == "Lấy và trữ nước được"
    assert section(found, "Khi nào bơm được?").one(class_="when").text.endswith("10–19 giờ")
    until = found.one("article").one(class_="until").text
    assert until.startswith("đo lại từ khoảng ")
    row = next(e for e in page(rising, "/?station=kenh-nam").all("article"))
    assert until in row.text
    assert "đến khoảng" not in row.text


@pytest.mark.parametrize(
    ("station", "why"),
    [
        ("dai-ngai", "Số cũ 2 giờ. Đo lại trước khi lấy nước."),
        ("hoc-po", "Máy im 9 giờ."),
        ("an-lac-tay", "Số đo đáng ngờ, phải đo lại bằng máy khác."),
        ("may-hong", "Máy đo báo sai, phải đo lại bằng máy khác."),
    ],
)
def test_where_the_water_is_not_known_nothing_is_offered(still: Rig, station: str, why: str) -> None:
    """Do not take it, and why; no hour on page, chart or card, though some have a calm forecast."""
    found = page(still, f"/stations/{station}")
    shown = section(found, "Khi nào bơm được?")
    assert shown.text.endswith(f"Chưa rõ, đừng lấy. {why}")
    assert not found.all("ul", class_="pump")
    assert "✓" not in found.one("svg", class_="ahead").attributes["aria-label"]
    row = next(e for e in page(still, "/").all("a", href=f"/stations/{station}") if e.all(data_part="title"))
    assert "Bơm được" not in row.text


def test_without_a_forecast(still: Rig) -> None:
    """Only measuring tells."""
    assert "Chưa đủ số để báo trước nên không nói được giờ nào bơm được." in pump(still, "/stations/moi-dat").text


def test_never_measured_there_is_no_such_section(still: Rig) -> None:
    """Nothing to say of hours where there is no number at all."""
    assert not [h for h in page(still, "/stations/tram-moi").all("h2") if h.text in ("Khi nào bơm được?", "72 giờ tới")]


def test_a_field_pumps_by_its_intake(still: Rig) -> None:
    """The hours of the water it takes."""
    assert [r.text for r in pump(still, "/stations/ruong-8").all(class_="when")] == [r.text for r in pump(still, "/stations/kenh-nam").all(class_="when")]


def test_the_next_hours_stand_on_the_cards(still: Rig) -> None:
    """One line where there is a window; on the large card with the chance."""
    home = page(still, "/?station=cai-tu")
    large = home.one("article")
    assert "Bơm được: chiều nay 18–21 giờ" in large.text
    assert "9 trên 10 lần. Đo lại trước khi bơm." in large.text
    row = next(e for e in home.all("a", href="/stations/kenh-nam") if e.all(data_part="title"))
    assert "Bơm được: suốt 72 giờ tới" in row.text
    assert "Bơm được" not in next(e for e in home.all("a", href="/stations/go-quao") if e.all(data_part="title")).text


def test_a_page_that_hears_nothing_new_withdraws_them(still: Rig) -> None:
    """They carry until when they may be shown: the reading's age, the forecast's, or the end of the first window."""
    found = page(still, "/stations/kenh-nam")
    shown = section(found, "Khi nào bơm được?")
    as_of, good_for = int(shown.attributes["data-as-of"]), int(shown.attributes["data-good-for"])
    assert (as_of, good_for) == (NOW - 5 * 60_000, HOUR_MS)  # stale an hour after it was measured
    assert shown.one(data_part="instead").text == ""
    assert shown.one(data_part="ahead").all("ul", class_="pump")
    line = next(e for e in page(still, "/").all("a", href="/stations/kenh-nam") if e.all(data_part="title")).one(class_="pumps")
    assert line.attributes["data-good-for"] == str(HOUR_MS)
    assert line.one(data_part="ahead").text.startswith("Bơm được:")


def sluice(rig: Rig, *, flag: int = 1, base: float = 1.3, swing: float = 0.8) -> None:
    """Give cai-tu an inside and an outside: 1 g/L inside throughout, outside the tide around `base`."""
    keys = [SeriesKey("vithanh", "cai-tu", point, f"d-{point}", "water.salinity") for point in ("in", "out")]
    values = {"in": 1.0, "out": tide(base, swing, NOW)}

    def state(key: SeriesKey) -> SeriesState:
        last = Latest(time=NOW - 5 * 60_000, value=values[key.point], flag=flag if key.point == "out" else 1)
        return SeriesState(
            key=key,
            role="primary",
            newest=last,
            received=NOW,
            judged=last,
            good=last if last.flag == 1 else None,
            dirty_from=None,
            changed=0,
            interval_ms=900_000,
        )

    async def sow() -> None:
        registry: Any = rig.backend.registry
        await registry.put(*(Device(id=k.sensor, org="vithanh") for k in keys), actor="test")
        await registry.put(*(Deployment(device=k.sensor, channel="main", station="cai-tu", point=k.point, interval_s=900) for k in keys), actor="test")
        states: Any = rig.backend.states
        await states.replace([state(k) for k in keys])
        water = next(w for w in WATER if w.station == "cai-tu")
        inside = dataclasses.replace(coming(water._replace(base=1.0, swing=0.0)), point="in")
        outside = dataclasses.replace(coming(water._replace(base=base, swing=swing)), point="out")
        await rig.backend.forecasts.issue([inside, outside])
        await rig.backend.store.write(Batch.empty(), [])

    rig.run(sow)


def test_when_to_open_and_when_to_shut_a_sluice(pages: Rig) -> None:
    """Each ebb with the hour to shut again, both values and the chance in tenths; the first three, the others folded; who decides."""
    sluice(pages)
    shown = pump(pages, "/stations/cai-tu", "Mở cống, đóng cống lúc nào?")
    rows = [r.text for r in shown.all("li")]
    assert (
        rows[0]
        == "Mở chiều nay 17–22 giờ Đóng trước 22 giờ đêm nay. Ngoài nhạt hơn trong và không quá giới hạn, ít nhất 9 trên 10 lần: ngoài 0,3 g/L, trong 1,0 g/L."
    )
    assert len(rows) == 6
    assert [r.text for r in shown.one("details").all("li")] == rows[3:]
    assert rows[5].startswith("Mở sáng thứ Năm 7–10 giờ Ngoài nhạt hơn")  # the forecast ends: nobody knows when to shut
    assert "người vận hành quyết định" in shown.text
    assert "data-good-for" in shown.attributes
    assert not [h for h in page(pages, "/stations/kenh-nam").all("h2") if "cống" in h.text]


def test_a_long_opening_may_wrap(pages: Rig) -> None:
    """From … to … is too long for one line of a phone: only hours of a clock are kept together."""
    sluice(pages, base=0.4, swing=0.0)
    row = pump(pages, "/stations/cai-tu", "Mở cống, đóng cống lúc nào?").all("li")[0]
    assert row.one(class_="when").text.startswith("Mở từ 10 giờ sáng nay đến ")
    assert not row.all(class_="hours")


def test_nobody_is_told_to_open_to_water_over_the_limit(pages: Rig) -> None:
    """Fresher is not fresh."""
    sluice(pages)
    shown = pump(pages, "/stations/cai-tu?limit=0.2", "Mở cống, đóng cống lúc nào?")
    assert "72 giờ tới chưa thấy lúc nào đủ chắc là ngoài nhạt hơn trong và không quá 0,2 g/L. Đo cả hai bên rồi hãy mở." in shown.text
    assert not shown.all("li")


def test_a_sluice_with_a_failed_sensor_says_nothing(pages: Rig) -> None:
    """Fresh good data on both sides, or no word of opening."""
    sluice(pages, flag=4)
    shown = pump(pages, "/stations/cai-tu", "Mở cống, đóng cống lúc nào?")
    assert "Chưa đủ số đo mới và tốt ở cả hai bên cống" in shown.text
    assert not shown.all("li")


def test_an_outside_that_is_never_fresher(pages: Rig) -> None:
    """No opening: measure on both sides first."""
    sluice(pages, swing=0.05)
    assert "chưa thấy lúc nào đủ chắc" in pump(pages, "/stations/cai-tu", "Mở cống, đóng cống lúc nào?").text
