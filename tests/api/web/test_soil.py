"""The soil on a field's page: what to do, in words; nothing where there is no field; whole without a store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.backend import NOW, Rig, make_backend
from servers.fields import FIELD, sow_soil
from servers.html_page import Element, read

from canhman.configuration import read_crops
from core.batch import Batch
from core.errors import UnavailableError
from core.forecast import HOUR_MS

CROPS = read_crops(None)


def made(folder: Path, **soil: Any) -> Rig:
    backend = make_backend(folder, crops=lambda: CROPS)
    asyncio.run(sow_soil(backend, **soil))
    return Rig(backend)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = made(tmp_path_factory.mktemp("page"))
    yield rig
    rig.close()


def page(rig: Rig, path: str) -> Element:
    answer = rig.get(f"/stations/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return read(answer.text.replace("\u00a0", " "))


def part(rig: Rig, query: str = "", station: str = FIELD) -> Element:
    lang = "" if "lang=" in query else ("&" if query else "?") + "lang=vi"  # the browser keeps the last one
    return page(rig, station + query + lang).one("section", id="soil")


def test_without_a_crop_it_shows_what_is_measured_and_asks(field: Rig) -> None:
    """The picture of the depths, no advice, and a button for every crop, none of them pressed."""
    found = part(field)
    assert found.one("svg", class_="soil").attributes["role"] == "img"
    assert "Chọn cây để biết đất có mặn quá sức cây không." in found.text
    assert "rửa mặn" not in found.text
    buttons = found.one("details", id="soil-crops").all("button", name="crop")
    assert [b.attributes["value"] for b in buttons] == [c.id for c in CROPS.crops]
    assert {b.attributes["aria-pressed"] for b in buttons} == {"false"}
    assert found.one("details", id="soil-crops").one("summary").text == "Chọn cây trồng"
    assert not found.all("button", name="stage")


def test_with_a_crop_it_says_what_to_do(field: Rig) -> None:
    """The act first, that nobody approved it, the root zone with its age, the water's chances, and what is only supposed."""
    found = part(field, "?crop=rice&stage=ripening")
    assert found.one("b").text == "Đo lại rồi hãy tính."
    for words in (
        "chưa được duyệt",
        "Vùng rễ, tới 30 cm: 2,5–5,8 dS/m, đo 30 phút trước.",
        "14 ngày tới, nước có lúc quá 1 g/L, mức cây chịu: ngày nào cũng dưới 1 trên 10 lần.",
        "trời không mưa",
        "Có số chưa ai đối chiếu với nguồn.",
    ):
        assert words in found.text
    assert found.one("ul", class_="ticks").one("span", data_form="ago").attributes["data-age"], "the script lets it grow"
    chosen = [b.attributes["value"] for b in found.all("button", name="stage") if b.attributes["aria-pressed"] == "true"]
    assert chosen == ["ripening"]
    assert [b.attributes["value"] for b in found.all("button", name="crop") if b.attributes["aria-pressed"] == "true"] == ["rice"]
    assert "Cây trồng: Lúa" in found.text
    assert len(found.one("details", id="soil-words").all("tr")) == 1 + 14 + 14


def test_english_says_the_same(field: Rig) -> None:
    """Every sentence of it."""
    found = part(field, "?crop=rice&stage=ripening&lang=en")
    assert "Root zone, down to 30 cm: 2.5–5.8 dS/m, measured 30" in found.text
    assert "not approved by anybody" in found.text


@pytest.mark.parametrize("query", ["?crop=cassava", "?crop=durian&stage=seedling", "?stage=seedling", "?crop=", "?crop=rice&stage=%3Cb%3E"])
def test_a_crop_or_stage_there_is_not_is_as_none(field: Rig, query: str) -> None:
    """A link may be old: the page stands, without advice for another crop."""
    found = part(field, query)
    assert "<b>" not in found.text
    if "durian" in query:
        assert "Chưa có số về sức chịu mặn trong đất của cây này." in found.text


def test_a_silent_probe_is_named(tmp_path: Path) -> None:
    """What is not known is said with its reason; no root zone, no day ahead, and never that the soil is fine."""
    rig = made(tmp_path, pore={"p1": 0.5, "d30": 0.5}, last=NOW - 60 * HOUR_MS)
    try:
        found = part(rig, "?crop=rice")
        assert found.one("b").text == "Chưa rõ đất mặn cỡ nào."
        assert "Không có số mới và tốt ở 10 cm, 30 cm, nên chưa rõ cả vùng rễ." in found.text
        assert "chưa tới ngưỡng" not in found.text
        assert "vùng rễ:" not in found.text
    finally:
        rig.close()


def test_washing_is_withdrawn_with_the_verdict_it_rests_on(tmp_path: Path) -> None:
    """A page that hears nothing new shows it an hour from the water's reading on, then what to do instead; without it as long as the days ahead may stand."""
    for folder, pore, until in (("salty", 20.0, NOW - 5 * 60_000 + HOUR_MS), ("fresh", 0.5, NOW + 19 * HOUR_MS)):
        (tmp_path / folder).mkdir()
        rig = made(tmp_path / folder, pore={"p1": pore, "d30": pore})
        try:
            found = part(rig, "?crop=rice")
            assert int(found.attributes["data-as-of"]) + int(found.attributes["data-good-for"]) == until
            assert found.one(data_part="instead").text == ""
            assert found.one(data_part="ahead").all("b")
            assert not found.one(data_part="ahead").all("button")
        finally:
            rig.close()


def test_a_field_without_probes_says_so(tmp_path: Path) -> None:
    """It takes water from elsewhere, so its crop's limit is told; a station of the river has no such part."""
    rig = Rig(make_backend(tmp_path, crops=lambda: CROPS))
    try:
        found = part(rig, "?crop=durian")
        assert "Chỗ này chưa có máy đo đất." in found.text
        assert "nước có lúc quá 0,5 g/L" in found.text
        assert not page(rig, "kenh-lau").all("section", id="soil")
    finally:
        rig.close()


def test_the_page_stands_without_a_store(field: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is said, and the crops can still be chosen."""

    async def away(*_: object, **__: object) -> Batch:
        raise UnavailableError("the store is away")

    monkeypatch.setattr(field.backend.store, "read", away)
    found = part(field, "?crop=rice")
    assert "Chưa đọc được số đã qua." in found.text
    assert found.all("button", name="crop")
    assert not found.all("svg", class_="soil")
