"""The alerts as pages: what to do, where, how much, how sure; reading one is an officer's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from servers.backend import DAY_MS, NOW, Rig, make_rig
from servers.html_page import Element, read

from core.alert import AlertEvent, Step

HTML = {"Accept": "text/html"}


def page_of(rig: Rig, path: str, who: str = "") -> Element:
    """A page."""
    answer = rig.get(path, headers=HTML, as_=who)
    assert answer.status_code == 200, answer.text
    return read(answer.text.replace("\u00a0", " "))


def test_the_gravest_first_and_counted(pages: Rig) -> None:
    """Each with its band, or hatched where it is about a machine; the bottom bar counts them."""
    page = page_of(pages, "/alerts")
    rows = page.all("a", class_="row")
    assert rows[0].attributes["href"] == "/alerts/1"
    assert rows[0].all(class_="k4")
    assert rows[-1].all(class_="hatch")
    assert page.one("nav", id="nav").one("i").text == str(len(rows)) == "5"


def test_a_measured_one(pages: Rig) -> None:
    """What to do as the title, where, how much, that it was measured, from whom, the history; no button for the public."""
    page = page_of(pages, "/alerts/1")
    assert page.one("article").one("h2").text == "Đóng cống, bọng. Đừng lấy nước"
    facts = {row.one("dt").text: row.one("dd").text for row in page.one("dl").all("div")}
    assert facts["Ở đâu"].startswith("Gò Quao")
    assert facts["Bao nhiêu"].startswith("Đo được 6,1 g/L lúc 9:55.")
    assert facts["Độ chắc"] == "Đo được thật, không phải báo trước"
    assert facts["Nguồn"] == "Máy đo Gò Quao"
    assert [li.text for li in page.one("ol").all("li")] == ["Đóng cống, bọng.", "Đừng lấy nước.", "Gọi cán bộ thủy lợi.", "Đo lại trước khi bơm."]
    assert "Cảnh báo theo số đo." in page.one("ul", class_="line-of-time").text
    assert not page.one("main").all("form")


def test_a_forecast_one(pages: Rig) -> None:
    """The peak and its hour, how sure in parts of ten, and the model it comes from."""
    page = page_of(pages, "/alerts/2")
    facts = {row.one("dt").text: row.one("dd").text for row in page.one("dl").all("div")}
    assert facts["Bao nhiêu"] == "Dự báo đỉnh 1,9 g/L lúc 13 giờ."
    assert facts["Độ chắc"] == "Chắc 8 trên 10 lần quá 1 g/L"
    assert facts["Nguồn"] == "Báo trước theo cách “hôm nay sao mai vậy”, từ số đo Cái Tư"


def test_it_shows_the_stations_verdict_of_now(pages: Rig) -> None:
    """The alert warns; what the water is now the station's one verdict says."""
    assert page_of(pages, "/alerts/3").one(data_part="title").text == "Số cũ. Đừng lấy nước"


def test_an_officer_reads_it(pages: Rig) -> None:
    """A form without JavaScript; then who and when, told to the station's own officers only."""
    assert page_of(pages, "/alerts/1", "lan").one("form", action="/alerts/1/acknowledge").attributes["method"] == "post"
    assert pages.post("/alerts/1/acknowledge", as_="lan").headers["location"] == "/alerts/1"
    assert "lan đã đọc lúc 10:00" in page_of(pages, "/alerts/1", "lan").text
    public = page_of(pages, "/alerts/1").one("main").text
    assert "Cán bộ đã đọc lúc 10:00" in public
    assert "lan đã đọc" not in public
    assert not page_of(pages, "/alerts/1", "lan").one("main").all("form")


def test_who_may_not(pages: Rig) -> None:
    """A stranger is asked to log in; another site's page is refused whoever is logged in."""
    assert pages.post("/alerts/1/acknowledge", headers=HTML).status_code == 401
    answer = pages.post("/alerts/1/acknowledge", as_="lan", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "đã đọc" not in page_of(pages, "/alerts/1").one("main").text


def test_an_officer_of_another_organisation_may_not(rig: Rig) -> None:
    """be of longmy sees the public alert of vithanh and cannot read it for them."""
    assert rig.post("/alerts/3/acknowledge", as_="be").status_code == 403
    assert not page_of(rig, "/alerts/3", "be").one("main").all("form")


def test_what_is_over_stands_below(rig: Rig) -> None:
    """Cleared in the last days: told as over, without a colour, and never counted."""
    page = page_of(rig, "/alerts")
    cleared = [r for r in page.all("a", class_="row") if "Đã xuống dưới mức cảnh báo" in r.text]
    assert len(cleared) == 1
    assert not [e for e in cleared[0].all() if e.attributes.get("class", "").split()[-1:] in (["k0"], ["k1"])]
    one = page_of(rig, cleared[0].attributes["href"])
    assert "Đã hết" in one.text
    assert not one.all("ol")
    assert rig.post(f"{cleared[0].attributes['href']}/acknowledge", as_="lan").status_code == 409


def test_none(tmp_path: Path) -> None:
    """No alert does not say that water is good."""
    empty = make_rig(tmp_path, sown=False)
    page = page_of(empty, "/alerts")
    assert "Không có cảnh báo." in page.text
    assert "Nước có thể vẫn mặn" in page.text
    assert not page.one("nav", id="nav").all("i")
    empty.close()


def test_private_ones_do_not_exist(rig: Rig) -> None:
    """404 for strangers, as for one that is none; and never counted for them."""
    assert rig.get("/alerts/7", headers=HTML).status_code == rig.get("/alerts/99", headers=HTML).status_code == 404
    assert rig.get("/alerts/7", headers=HTML, as_="be").status_code == 200
    assert "Ao nhà Bé" not in page_of(rig, "/alerts").text


def test_what_is_over_stands_on_pages_of_its_own(pages: Rig) -> None:
    """`state=cleared`: the newest first, fifty a page, each once; another's private one never; a state that is none is refused."""
    empty = page_of(pages, "/alerts?state=cleared")
    assert "Chưa có cảnh báo nào đã hết." in empty.one("main").text
    old = pages.run(lambda: pages.backend.alerts.alert(1))

    def over(i: int, station: str = "go-quao") -> Step:
        at = NOW - (30 + i) * DAY_MS
        return Step(
            alert=replace(old, id=0, station=station, state="cleared", opened_at=at, updated_at=at, cleared_at=at + 1), event=AlertEvent(at=at, kind="opened")
        )

    pages.run(lambda: pages.backend.alerts.take_steps([*(over(i) for i in range(60)), over(1, "rieng")]))
    path, seen = "/alerts?state=cleared", []
    while path:
        page = page_of(pages, path)
        rows = [a.attributes["href"] for a in page.all("a", class_="row")]
        assert len(rows) <= 50
        seen += rows
        older = [a.attributes["href"] for a in page.one("main").all("a") if "next=" in a.attributes["href"]]
        path = older[0] if older else ""
    assert len(seen) == len(set(seen)) == 60
    assert page_of(pages, "/alerts").all("a", href="/alerts?state=cleared")
    assert pages.get("/alerts?state=nope", headers=HTML).status_code == 422
