"""Home: every station with one verdict, in words, colour and shape; found by name; nothing shown that is not known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from servers.backend import NOW, Rig, make_rig
from servers.browser import MARKUP
from servers.html_page import Element, read

from api.web.view import _chance
from core.clock import Clock
from core.errors import UnavailableError
from core.forecast import HOUR_MS
from core.place import Org, Station
from core.ports import RegistrySnapshot
from core.risk import Risk
from core.verdict import Verdict
from registry.directory import Directory
from registry.situation import Situation
from registry.waterways import default_waterways

PUBLIC = ("go-quao", "nuoc-trong", "cai-tu", "kenh-lau", "kenh-nam", "moi-dat", "dai-ngai", "hoc-po", "an-lac-tay", "may-hong", "markup", "ruong-8", "tram-moi")


def home(rig: Rig, query: str = "", **more: str) -> Element:
    """The page."""
    answer = rig.get(f"/{query}", headers={"Accept": "text/html"}, **more)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def tile(page: Element, station: str) -> Element:
    """The row or card of a station."""
    found = [e for e in page.all("a", href=f"/stations/{station}") if e.all(data_part="title")]
    assert len(found) == 1, f"{len(found)} of {station}"
    return found[0]


def test_every_public_station_has_exactly_one_verdict(pages: Rig) -> None:
    """All public stations, each once, a private one never; as many verdicts as stations."""
    page = home(pages)
    for station in PUBLIC:
        tile(page, station)
    assert not page.all("a", href="/stations/rieng")
    assert len(page.all(data_part="title")) == len(PUBLIC)


@pytest.mark.parametrize(
    ("station", "ground", "title", "more"),
    [
        ("go-quao", "k4", "Đóng cống, bọng. Đừng lấy nước", "Gọi cán bộ thủy lợi."),
        ("nuoc-trong", "k3", "Đừng lấy nước", "3,1 g/L · mặn · 5 phút trước"),
        ("cai-tu", "k2", "Chờ nước ròng, đo rồi mới lấy", "1,3 g/L · lợ"),
        ("kenh-lau", "k1", "Đo trước khi tưới", "0,7 g/L · hơi lợ"),
        ("kenh-nam", "k0", "Lấy và trữ nước được", "0,2 g/L · ngọt"),
        ("ruong-8", "k0", "Lấy và trữ nước được", "lấy nước Kênh Năm"),
        ("moi-dat", "k0", "Đo trước khi tưới", "Chưa đủ số để báo trước"),
        ("dai-ngai", "hatch", "Số cũ. Đừng lấy nước", "2 giờ trước · lần cuối 0,4 g/L, lúc 8:00"),
        ("hoc-po", "hatch", "Chưa rõ, đừng lấy", "Máy im 9 giờ"),
        ("an-lac-tay", "hatch", "Chưa rõ, đừng lấy", "Số đo đáng ngờ"),
        ("may-hong", "hatch", "Chưa rõ, đừng lấy", "Máy đo báo sai"),
        ("tram-moi", "hatch", "Chưa rõ, đừng lấy", "Chưa có số đo"),
    ],
)
def test_a_state_in_colour_word_and_reason(pages: Rig, station: str, ground: str, title: str, more: str) -> None:
    """Known water wears its band; what is not known is hatched, says why, and never wears a band, not even for the last value."""
    page = home(pages)
    row = tile(page, station)
    classes = " ".join(e.attributes.get("class", "") for e in [row, *row.all()])
    assert ground in classes.split()
    assert row.one(data_part="title").text == title
    assert more in row.text.replace("\u00a0", " ")
    assert len(row.all("svg", class_="shape")) == 1
    if ground == "hatch":
        assert not {"k0", "k1", "k2", "k3", "k4"} & set(classes.split())
        assert "unknown" in classes.split()
        assert not [e for e in row.all("path") if "--s" in e.attributes.get("fill", "")]


def test_the_gravest_is_shown_large_and_the_one_asked_for_before_it(pages: Rig) -> None:
    """Without a wish the saltiest stop; `?station=` another one, and then the first is a row."""
    assert home(pages).one("article").one(data_part="title").text.startswith("Đóng cống")
    page = home(pages, "?station=kenh-nam")
    assert "Kênh Năm" in page.one("article").text
    assert "row" in tile(page, "go-quao").attributes["class"]


def test_the_large_card_says_until_when_and_how_it_goes(pages: Rig) -> None:
    """When to pump next, trend, the 24 hours in band colours with a label, and the chance in parts of ten."""
    card = home(pages, "?station=nuoc-trong").one("article")
    assert card.one(data_part="until").text == "bơm được: tối nay 19–20 giờ"
    assert "Mặn, đang lên" in card.one(data_part="word").text.replace(" ,", ",")
    assert "9 trên 10 lần" in card.text
    assert card.one("svg", class_="strip").attributes["role"] == "img"
    assert "mặn nhất" in card.one("svg", class_="strip").attributes["aria-label"]


@pytest.mark.parametrize(
    ("found", "p", "told"), [("stop", 0.007, ""), ("wait", 0.3, ""), ("wait", 0.8, "8 trên 10"), ("measure", 0.2, "2 trên 10"), ("take", 0.02, "Khó")]
)
def test_what_is_over_the_limit_is_not_said_to_be_unlikely_over_it(found: str, p: float, told: str) -> None:
    """Water measured over the limit refutes a chance that it passes it: none is told beside it; every other chance is."""
    nothing = RegistrySnapshot(version=1, orgs=(), devices=(), stations=(), deployments=(), waterways=())
    v = Verdict(verdict=found, reason="ok", band=1, as_of=1, until=None, p=p, limit=1.0)
    said = _chance(Situation(Directory(nothing), [], [], Risk()), v, "vi")
    assert told in said
    assert bool(said) is bool(told)


def test_an_open_alert_stays_beside_what_is_not_known(pages: Rig) -> None:
    """The verdict of a stale station is unknown; its forecast alert is still told."""
    assert "Có báo trước sẽ mặn" in tile(home(pages), "dai-ngai").text


@pytest.mark.parametrize("q", ["kenh lau", "KÊNH  LẦU", "Ke\u0302nh La\u0302\u0300u", "kênh lầu", "lau"])
def test_found_by_name(pages: Rig, q: str) -> None:
    """Accents, case and composition do not matter; the only one found is shown large."""
    page = home(pages, f"?q={q}")
    assert [e.attributes["href"] for e in page.all("a") if e.attributes["href"].startswith("/stations/")] == ["/stations/kenh-lau"]
    assert page.all("article")


def test_an_ambiguous_name_asks_which(pages: Rig) -> None:
    """Two that fit are both rows: none is put before the other."""
    page = home(pages, "?q=kenh")
    assert not page.all("article")
    assert len(page.all("a", class_="row")) == 2  # the field tells of Kênh Năm, but is not named so


def test_nothing_found(pages: Rig) -> None:
    """It says so, with the words searched for, and the way back."""
    page = home(pages, "?q=%3Cb%3Enowhere")
    assert "Không thấy chỗ nào tên “<b>nowhere”." in page.text
    assert not page.all("b")[0:] or all(e.text != "nowhere" for e in page.all("b"))
    assert page.one(class_="empty").one("a").attributes["href"] == "/"


def test_names_of_strangers_are_text(pages: Rig) -> None:
    """A name that is markup stands there as its letters, on every page that shows it."""
    for path in ("/", "/stations/markup", "/alerts", "/alerts/5", "/river"):
        answer = pages.get(path, headers={"Accept": "text/html"})
        page = read(answer.text)
        assert "<img" not in answer.text, path
        assert not page.all("img"), path
        assert MARKUP[:14] in page.text, path


def test_no_stations(tmp_path: Path) -> None:
    """A new installation says what will come."""
    rig = make_rig(tmp_path, sown=False)
    page = home(rig)
    assert "Chưa có trạm nào." in page.text
    assert not page.all("form")
    rig.close()


def test_the_database_away(pages: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, whose fault it is, that it tries again, and not a single verdict that allows."""

    async def away(**_: object) -> list[object]:
        raise UnavailableError("the database is away")

    monkeypatch.setattr(pages.backend.alerts, "live_alerts", away)
    answer = pages.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "Lỗi ở máy chủ, không phải điện thoại." in answer.text
    assert "Chưa rõ, đừng lấy" in answer.text
    assert "Lấy và trữ" not in answer.text


def test_an_old_page_is_never_kept(pages: Rig) -> None:
    """No cache keeps a verdict."""
    assert pages.get("/", headers={"Accept": "text/html"}).headers["cache-control"] == "no-store"


def test_what_a_script_may_show_for_how_long(pages: Rig) -> None:
    """The server's now and speed; per known card its time and how long it holds: until stale, or until the verdict changes."""
    page = home(pages)
    assert f'"now": {NOW}' in page.one("body").attributes["data-live-page"]
    assert '"refresh": 15.0' in page.one("body").attributes["data-live-page"]
    row = tile(page, "kenh-nam")
    assert int(row.attributes["data-as-of"]) == NOW - 5 * 60_000
    assert int(row.attributes["data-good-for"]) <= HOUR_MS
    assert "data-good-for" not in tile(page, "dai-ngai").attributes


def test_a_fast_clock_is_asked_more_often(tmp_path: Path, pages: Rig) -> None:
    """At 600 times the pace every 2 seconds, or its verdicts would be old before they are fetched again."""
    fast = Rig(dataclasses.replace(pages.backend, speed=lambda: 600.0))
    assert '"refresh": 2.0' in home(fast).one("body").attributes["data-live-page"]
    fast._runner.close()


def test_stale_by_the_installations_clock(pages: Rig) -> None:
    """An hour and a half later nothing allows any more."""
    clock: Clock = pages.clock
    assert "Lấy và trữ" in home(pages).text
    pages.clock.now = NOW + 3 * HOUR_MS // 2
    assert clock.now_ms() == pages.clock.now
    assert "Lấy và trữ" not in home(pages).text


def test_stations_that_never_measured_are_folded_at_the_end(pages: Rig) -> None:
    """They are no part of a group, never the gravest, and no stop of the river; asked for by name they are shown."""
    page = home(pages)
    folded = page.one("details", id="without")
    assert folded.one("summary").text == "Chưa có số đo (1)"
    assert [e.attributes["href"] for e in folded.all("a")] == ["/stations/tram-moi"]
    assert "open" not in folded.attributes
    only = home(pages, "?q=tram+moi")
    assert "Trạm mới" in only.one("article").text
    assert not only.all("details")


def test_only_stations_that_never_measured(tmp_path: Path) -> None:
    """The fold stands open, no card is large, and no waterway is drawn."""
    rig = make_rig(tmp_path, sown=False)
    places = [Station(id=f"s{i}", org="o", name=f"Trạm {i}", waterway="hau", km=10.0 + i, public=True) for i in (1, 2)]
    rig.run(lambda: rig.backend.registry.put(Org(id="o", name="O"), *default_waterways(), actor="test"))
    rig.run(lambda: rig.backend.registry.put(*places, actor="test"))
    page = home(rig)
    assert not page.all("article")
    assert "open" in page.one("details", id="without").attributes
    assert len(page.all("a", class_="row")) == 2
    assert "Trạm 1" not in rig.get("/river").text
    rig.close()
