"""What stands around every page: language, addresses, landmarks, nothing from elsewhere; and the one verdict on every surface."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from servers.backend import Rig
from servers.browser import pages_backend
from servers.html_page import read

import core.verdict
from core.verdict import Verdict

HTML = {"Accept": "text/html"}
PATHS = ("/", "/stations/kenh-nam", "/stations/dai-ngai", "/river", "/record", "/alerts", "/alerts/1", "/login", "/docs", "/nowhere")
VERDICTS = ("/", "/?station=kenh-nam", "/stations/kenh-nam", "/stations/ruong-8", "/alerts/1")


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_whole(pages: Rig, path: str) -> None:
    """Well-formed, with language, title, one main, one h1, a way to both languages, ids used once, no style or script in the text."""
    answer = pages.get(path, headers=HTML)
    page = read(answer.text)
    assert page.one("html").attributes["lang"] == answer.headers.get("content-language", "vi") == "vi"
    assert page.one("title").text
    assert len(page.all("main")) == 1
    assert len(page.all("h1")) == 1, path
    ids = [e.attributes["id"] for e in page.all(id="")]
    assert len(ids) == len(set(ids))
    assert not page.all("style")
    assert not page.all(style="")
    assert not [e for e in page.all("script") if "src" not in e.attributes]
    assert not [e for e in page.all() if any(a.startswith("on") for a in e.attributes)]


@pytest.mark.parametrize("path", [*PATHS, "/alerts?state=cleared", "/stations/ruong-8"])
@pytest.mark.parametrize(("lang", "words"), [("vi", "Số liệu mô phỏng"), ("en", "Simulated data")])
def test_what_is_made_is_marked_on_every_page_and_what_is_measured_never(tmp_path: Path, path: str, lang: str, words: str) -> None:
    """In words, and on every sheet of paper; an installation on the real clock has no trace of it."""
    joined = "&" if "?" in path else "?"
    for simulated in (True, False):
        folder = tmp_path / str(simulated)
        folder.mkdir()
        rig = Rig(pages_backend(folder, simulated=simulated))
        try:
            page = read(rig.get(f"{path}{joined}lang={lang}", headers=HTML).text)
        finally:
            rig.close()
        assert [e.text.strip() for e in page.all("aside", class_="made")] == [words] * simulated
        assert page.text.count(words) == 1 + 1 if simulated else words not in page.text
        assert ("simulated" in page.one("html").attributes.get("class", "")) is simulated
        assert len(page.all("style")) == simulated


@pytest.mark.parametrize("path", PATHS)
def test_nothing_comes_from_elsewhere(pages: Rig, path: str) -> None:
    """No address of another host in what the page loads."""
    page = read(pages.get(path, headers=HTML).text)
    loaded = [e.attributes.get("src") or e.attributes["href"] for e in page.all() if e.tag in ("link", "script", "img")]
    assert loaded
    assert all(u.startswith("/static/") for u in loaded)
    for address in loaded:
        assert pages.get(address).status_code == 200, address


def test_the_switch_keeps_the_page(pages: Rig) -> None:
    """EN leads to the same page with the same question, and is remembered; VI leads back."""
    page = read(pages.get("/stations/kenh-nam?limit=2", headers=HTML).text)
    other = page.one("a", hreflang="en")
    assert other.attributes["href"] == "?limit=2&lang=en"
    assert other.attributes["lang"] == "en"
    assert page.one("a", hreflang="vi").attributes["aria-current"] == "true"
    answer = pages.get(f"/stations/kenh-nam{other.attributes['href']}", headers=HTML)
    assert re.search(r"canhman_lang=en; Path=/; Max-Age=31536000; SameSite=Lax", answer.headers["set-cookie"])
    assert "You can take and store water" in answer.text
    assert read(answer.text).one("html").attributes["lang"] == "en"
    remembered = pages.get("/stations/kenh-nam", headers=HTML | {"Cookie": "canhman_lang=en"})
    assert "You can take and store water" in remembered.text


@pytest.mark.parametrize("lang", ["fr", "", "<b>"])
def test_a_language_we_do_not_have(pages: Rig, lang: str) -> None:
    """Vietnamese, and nothing is remembered."""
    pages.client.cookies.clear()
    answer = pages.get("/", params={"lang": lang}, headers=HTML)
    assert read(answer.text).one("html").attributes["lang"] == "vi"
    assert "set-cookie" not in answer.headers


def test_vietnamese_until_somebody_chooses(pages: Rig) -> None:
    """A phone that was never set to Vietnamese still shows it."""
    pages.client.cookies.clear()
    assert read(pages.get("/", headers=HTML | {"Accept-Language": "en-US,en"}).text).one("html").attributes["lang"] == "vi"


@pytest.mark.parametrize("found", ["take", "stop", "unknown"])
def test_no_surface_has_a_verdict_of_its_own(pages: Rig, monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    """Another function, another verdict on every page and in the API: nobody derives one beside it."""

    def other(*_: object, **__: object) -> Verdict:
        band = None if found == "unknown" else 1
        reason = "no_data" if found == "unknown" else "ok"
        return Verdict(verdict=found, reason=reason, band=band, as_of=1_772_420_000_000, until=None, p=0.5, limit=1.0)

    monkeypatch.setattr(core.verdict, "verdict", other)
    title = {"take": "Lấy và trữ nước được", "stop": "Đừng lấy nước", "unknown": "Chưa rõ, đừng lấy"}[found]
    for path in VERDICTS:
        titles = [e.text for e in read(pages.get(path, headers=HTML).text).one("main").all(data_part="title")]
        assert titles
        assert set(titles) == {title}, path
    items = pages.get("/api/v1/stations").json()["items"]
    assert {i["risk"]["verdict"] for i in items} == {found}


def test_a_verdict_nobody_knows_allows_nothing(pages: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word this page has no text for is shown as not known."""
    monkeypatch.setattr(
        core.verdict, "verdict", lambda *_, **__: Verdict(verdict="perhaps", reason="ok", band=0, as_of=1_772_420_000_000, until=None, p=None, limit=1.0)
    )
    page = read(pages.get("/stations/kenh-nam", headers=HTML).text)
    assert page.one("article").one(data_part="title").text == "Chưa rõ, đừng lấy"
    assert not page.one("article").all(class_="k0")


def test_river(pages: Rig) -> None:
    """Each river with its lines in a sentence, and the same in a table."""
    page = read(pages.get("/river", headers=HTML).text)
    assert "Sông Cái Lớn" in page.one("main").text
    assert len(page.one("details").all("tr")) > 8
    assert {e.attributes["role"] for e in page.one("main").all("svg", class_="river")} == {"img"}
    assert "Ao riêng" not in page.text
