"""Errors: RFC 9457 in the caller's language, or a page; they name the parameter, its value and the way out."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st
from servers.backend import Rig

import api.problem
from api.access import PUBLIC
from api.language import accepted
from api.problem import Problem, bad_value, told
from core.errors import ConfigError, ConflictError, DecodeError, NotFoundError, RefusedError, UnavailableError
from core.texts import LANGUAGES, texts

MARKUP = "<script>alert(1)</script>"


def serve(rig: Rig, path: str, error: Exception) -> None:
    """Add a route that fails so."""
    router = APIRouter()

    @router.get(path, dependencies=[PUBLIC])
    async def fails() -> None:
        raise error

    rig.app.include_router(router)


def sound(answer: Any, status: int, kind: str) -> dict[str, Any]:
    """The answer is a problem+json of this kind."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:canhman:problem:{kind}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"].startswith("/")
    return body


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (NotFoundError("no station is called x"), 404, "unknown"),
        (ConflictError("two of them"), 409, "conflict"),
        (ConfigError("a name that is none"), 422, "refused"),
        (UnavailableError("InfluxDB at 10.1.2.3:8086"), 503, "away"),
        (RefusedError("InfluxDB at 10.1.2.3:8086"), 503, "refused_us"),
        (Problem(404, "no_person", value="x"), 404, "no_person"),
        (DecodeError("malformed", "what no route raises"), 500, "fault"),
        (ZeroDivisionError("secret inside"), 500, "fault"),
    ],
)
def test_every_error_of_ours_is_a_problem(rig: Rig, error: Exception, status: int, kind: str) -> None:
    """Its status and kind; what a server inside said is logged and not told; faults are told without their trace."""
    serve(rig, "/api/v1/fails", error)
    answer = rig.get("/api/v1/fails")
    body = sound(answer, status, kind)
    assert "10.1.2.3" not in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert ("retry-after" in answer.headers) is (status == 503)
    if isinstance(error, NotFoundError | ConflictError | ConfigError):
        assert str(error) in body["detail"]
    assert answer.headers["content-security-policy"]  # a 500 too


def test_a_fault_of_ours_is_logged_with_its_trace(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    """The caller hears that it is logged; it is."""
    serve(rig, "/api/v1/fails", ZeroDivisionError("the inside of it"))
    rig.get("/api/v1/fails")
    said = "".join(capfd.readouterr())
    assert "the inside of it" in said
    assert "Traceback" in said


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/api/v2/stations", "/api/v1/stations/kenh-lau/nope"])
def test_404_names_the_address(rig: Rig, path: str) -> None:
    """What nobody serves."""
    assert sound(rig.get(path), 404, "not_found")["value"] == path


def test_405_names_what_is_allowed(rig: Rig) -> None:
    """Allow lists every method of the address, not only the first."""
    answer = rig.request("PUT", "/api/v1/session")
    body = sound(answer, 405, "method")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, POST"
    assert "DELETE, GET, HEAD, POST" in body["detail"]


@pytest.mark.parametrize(
    ("query", "parameter", "vi", "en"),
    [
        ("limit=0", "limit", "Tham số limit = “0” không dùng được: phải từ 1 trở lên.", "Parameter limit = “0” cannot be used: it must be 1 or more."),
        ("limit=1001", "limit", "không quá 1000", "it must be 1000 or less"),
        ("limit=ten", "limit", "phải là số nguyên", "it must be a whole number"),
        ("limit=", "limit", "phải là số nguyên", "it must be a whole number"),
        ("next=x", "next", "phải đúng như giá trị next của trang trước", "it must be the value of next of the page before"),
    ],
)
def test_422_names_parameter_value_and_what_it_must_be_in_both_languages(rig: Rig, query: str, parameter: str, vi: str, en: str) -> None:
    """In words a person can act on."""
    for lang, words in (("vi", vi), ("en", en)):
        answer = rig.get(f"/api/v1/devices?{query}", as_="lan", headers={"Accept-Language": lang})
        body = sound(answer, 422, "invalid")
        assert body["parameter"] == parameter
        assert words in body["detail"]
        assert answer.headers["content-language"] == lang


def test_all_wrong_parameters_are_named_at_once(rig: Rig) -> None:
    """`errors` lists each, so that one mends them in one go."""
    body = sound(rig.get(f"/api/v1/devices?limit=x&next={'n' * 3000}", as_="lan"), 422, "invalid")
    assert {e["parameter"] for e in body["errors"]} == {"limit", "next"}


def test_a_value_is_cut_and_never_markup(rig: Rig) -> None:
    """Said back at most 80 characters of it; on a page it is text, in JSON a string of a type no browser runs."""
    long = rig.get("/api/v1/devices", as_="lan", params={"limit": "9" * 5000})
    assert len(long.text) < 1500
    shown = rig.get(f"/{MARKUP}", headers={"Accept": "text/html"})
    assert shown.status_code == 404
    assert "<script" not in shown.text
    assert "&lt;script&gt;" in shown.text
    plain = rig.get(f"/api/v1/{MARKUP}", headers={"Accept": "text/html"})
    assert plain.headers["content-type"] == "application/problem+json"
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert "\n" not in api.problem.short("a\nb\x1b[31m\u202e")
    assert "\x1b" not in api.problem.short("a\nb\x1b[31m\u202e")


@pytest.mark.parametrize("path", ["/api/v1/session", "/login"])
def test_a_body_that_is_too_large_is_refused_before_it_is_held(rig: Rig, path: str) -> None:
    """413 after 256 KiB, whether its length was told or it comes in chunks for ever."""
    sent = 0

    async def for_ever() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 << 20:
            sent += 1 << 16
            yield b"a" * (1 << 16)

    kind = "application/json" if path.startswith("/api/") else "application/x-www-form-urlencoded"
    sound(rig.post(path, content=b"a" * (1 << 20), headers={"Content-Type": kind}), 413, "too_large")
    sound(rig.post(path, content=for_ever(), headers={"Content-Type": kind}), 413, "too_large")


def test_a_body_that_is_no_json_is_told(rig: Rig) -> None:
    """Also an empty one, and JSON of another shape."""
    for content in ("{", "", "[]", '"x"', "null"):
        body = sound(rig.post("/api/v1/session", content=content, headers={"Content-Type": "application/json"}), 422, "invalid")
        assert "{" not in body["detail"]


def test_a_browser_gets_a_page_and_a_program_a_problem(rig: Rig) -> None:
    """By Accept, outside the API; under /api/ always a problem."""
    serve(rig, "/fails", UnavailableError("away"))
    page = rig.get("/fails", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["retry-after"] == "5"
    assert texts("vi")["error.server"] in page.text
    assert '<html lang="vi"' in page.text
    english = rig.get("/fails?lang=en", headers={"Accept": "text/html"})
    assert texts("en")["error.server"] in html.unescape(english.text)
    assert rig.get("/fails", headers={"Accept": "*/*"}).headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9,vi;q=0.8", "en"),
        ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        ("fr,en;q=0.5,vi;q=0.4", "en"),
        ("fr", "vi"),
        ("en;q=0,vi;q=0.1", "vi"),
        ("en;q=x", "vi"),
        ("*", "vi"),
        ("EN-us", "en"),
        (",;q=,;;", "vi"),
    ],
)
def test_the_language_is_the_best_of_ours(header: str, lang: str) -> None:
    """By the weights of Accept-Language; Vietnamese where none of ours is asked for."""
    assert accepted(header) == lang


@given(st.text())
def test_any_accept_language_gives_a_language(header: str) -> None:
    """Whatever stands in it."""
    assert accepted(header) in LANGUAGES


def test_every_problem_has_its_words() -> None:
    """Every kind raised in the code has title and detail in each language, and every `must` its words."""
    from pathlib import Path

    kinds, musts = set(), set()
    for path in (*Path("api").rglob("*.py"), *Path("alerts").rglob("*.py")):
        source = path.read_text()
        kinds |= set(re.findall(r'Problem\(\s*\d{3},\s*"(\w+)"', source))
        musts |= set(re.findall(r'must="([\w.]+)"', source))
    assert {"log_in", "must_change", "forbidden", "away", "fault", "too_many", "cross_site", "no_person"} <= kinds
    for lang in LANGUAGES:
        have = texts(lang)
        for kind in kinds:
            assert f"problem.{kind}.title" in have, (lang, kind)
            assert f"problem.{kind}" in have, (lang, kind)
        for must in musts | set(api.problem._MUST.values()):
            assert f"problem.must.{must}" in have, (lang, must)


def test_a_bad_value_of_a_route_reads_like_one_of_the_frameworks() -> None:
    """`bad_value` and a failed check of the framework say the same sentence."""
    about = told(bad_value("reason", "x", must="one_of", expected="a, b"), "en")
    assert about.detail == "Parameter reason = “x” cannot be used: it must be one of a, b."
    assert about.members == {"parameter": "reason", "value": "x"}


@pytest.mark.parametrize(
    ("path", "vi"),
    [
        ("/stations/kenh-lau?limit=0", "Giới hạn mặn “0”: phải lớn hơn 0."),
        ("/stations/kenh-lau?limit=1e9", "Giới hạn mặn “1e9”: không quá 100."),
        ("/stations/nope", "Không có trạm “nope”."),
        ("/nope", "Không có trang “/nope”."),
        ("/alerts/99", "Không có cảnh báo này."),
    ],
)
def test_a_page_speaks_to_people(rig: Rig, path: str, vi: str) -> None:
    """Without parameters, addresses of the API or numbers of programs; it leads home."""
    text = html.unescape(rig.get(path, headers={"Accept": "text/html"}).text)
    assert vi in text
    assert "Tham số" not in text
    assert "/api/" not in text
    assert 'href="/">' in text.partition("<main")[2].partition("</main>")[0]


def test_bounds_are_written_as_people_write_them(rig: Rig) -> None:
    """0, not 0.0, in the API too."""
    assert "it must be over 0." in rig.get("/api/v1/stations/kenh-lau?limit=0", headers={"Accept-Language": "en"}).json()["detail"]


def test_no_control_character_of_a_search_reaches_the_page(rig: Rig) -> None:
    """Whatever was typed."""
    text = rig.get("/?q=%00%1b%E2%80%AEx", headers={"Accept": "text/html"}).text
    assert not {"\x00", "\x1b", "\u202e"} & set(text)


@pytest.mark.parametrize(("lang", "joined"), [("vi", "phải là một trong 'open', 'acknowledged', 'cleared' hoặc 'all'"), ("en", "'cleared' or 'all'")])
def test_a_choice_is_in_one_language(rig: Rig, lang: str, joined: str) -> None:
    """The framework joins the values there are with an English word; each language has its own."""
    found = sound(rig.get("/api/v1/alerts?state=x", headers={"Accept-Language": lang}), 422, "invalid")
    assert joined in found["detail"]
    assert (" or " in str(found)) == (lang == "en")
