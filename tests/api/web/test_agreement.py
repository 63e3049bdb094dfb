"""No statement contradicts another: headline, number, hours, days, soil and API of one moment, in made situations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from servers.backend import NOW, Rig, make_backend
from servers.fields import FIELD, sow_soil
from servers.html_page import Element, read

from api.web.view import title_of
from core.flags import Flag
from core.forecast import HOUR_MS
from core.series import SeriesKey
from core.state import Latest
from core.texts import say

INTAKE = "kenh-lau"  # of FIELD; its hours were issued an hour before NOW, its days five hours before, both of 0.2 g/L
WATER = SeriesKey("vithanh", INTAKE, "main", "kl01", "water.salinity")
MINUTE_MS = 60_000


@dataclass(frozen=True, kw_only=True)
class Case:
    """`later` [h] than NOW is looked; the newest reading is `old` [h], of `value` [g/L], judged as `flag`; `waits`: a newer one of (value, flag) not judged."""

    later: float = 0.0
    old: float = 0.1
    value: float = 0.2
    flag: int = Flag.GOOD
    waits: tuple[float, int] | None = None


CASES = {
    "fresh and good": Case(),
    "newest out of range, not judged yet": Case(waits=(45.0, Flag.FAIL)),
    "newest suspect, not judged yet": Case(waits=(0.2, Flag.SUSPECT)),
    "a higher one waits for the judge": Case(waits=(0.9, Flag.GOOD)),
    "judged failed": Case(flag=Flag.FAIL),
    "judged suspect": Case(flag=Flag.SUSPECT),
    "quiet for two hours": Case(later=2, old=2),
    "quiet for four hours": Case(later=4, old=4),
    "quiet for five hours and fifty minutes": Case(later=5.8, old=5.8),
    "silent since yesterday": Case(later=20, old=20),
    "silent for nine days": Case(later=9 * 24, old=9 * 24),
    "from a time to come": Case(old=-2),
    "fresh by the crop's limit, not sure by a lower one": Case(value=0.3),
    "brackish": Case(value=0.6),
    "over the limit": Case(value=1.3),
    "very salty": Case(value=9.0),
    "hours still believed, days not": Case(later=20),
    "no forecast believed": Case(later=24),
    "sends again after nine days without a forecast": Case(later=9 * 24),
}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A field whose soil is salty in any case, and its intake."""
    backend = make_backend(tmp_path_factory.mktemp("agreement"))
    asyncio.run(sow_soil(backend, pore={"p1": 20.0, "d30": 20.0}))
    made = Rig(backend)
    yield made
    made.close()


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest, field: Rig) -> Case:
    """One of them, put into the field's world."""
    found: Case = request.param
    asked = NOW + round(found.later * HOUR_MS)
    judged = Latest(time=asked - round(found.old * HOUR_MS), value=found.value, flag=found.flag)
    newest = judged if found.waits is None else Latest(time=judged.time + MINUTE_MS, value=found.waits[0], flag=found.waits[1])
    states = field.run(lambda: field.backend.states.states(station=INTAKE))
    old = next(s for s in states if s.key == WATER)
    dirty = None if newest is judged else newest.time
    good = judged if judged.flag == Flag.GOOD else Latest(time=judged.time - HOUR_MS, value=0.2, flag=Flag.GOOD)
    field.run(lambda: field.backend.states.replace([replace(old, newest=newest, judged=judged, good=good, dirty_from=dirty)]))
    field.clock.now = asked
    field.app.state.present._read_at = 0.0
    return found


def api(rig: Rig, path: str) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/stations/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def page(rig: Rig, path: str) -> Element:
    answer = rig.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return read(answer.text.replace("\u00a0", " "))


def headline(risk: dict[str, Any]) -> str:
    """What the verdict of the API is called on a page."""
    number = {"take": 0, "measure": 1, "wait": 2, "stop": 3}.get(risk["verdict"])
    if number is None:
        return say("vi", "page.stale" if risk["reason"] == "stale" else "unknown")
    return title_of(say("vi", f"verdict.{4 if risk['band'] == 4 and number == 3 else number}"))[0]


@pytest.mark.parametrize("limit", ["0.5", "1", "4"])
@pytest.mark.parametrize("crop", ["rice", "orange"])
def test_of_one_field(field: Rig, case: Case, limit: str, crop: str) -> None:
    """Headline as the API; who is told to wash is told that water may be taken; nothing good of water that is not known, no day of an issue too old."""
    risk = api(field, f"{FIELD}?limit={limit}")["risk"]
    soil = api(field, f"{FIELD}/soil?crop={crop}&limit={limit}")
    hours = api(field, f"{FIELD}/windows?limit={limit}")
    days = api(field, f"{INTAKE}/forecast?target=day_max")
    shown = page(field, f"/stations/{FIELD}?limit={limit}&crop={crop}&lang=vi")
    main = shown.one("main")
    assert shown.one("article").one(data_part="title").text == headline(risk)
    known = risk["verdict"] != "unknown"
    # the soil
    told = shown.one("section", id="soil")
    assert ("Nên rửa mặn cho đất." in told.text) == (soil["advice"]["act"] == "leach")
    if soil["advice"]["act"] == "leach":
        assert (risk["verdict"], soil["verdict"]["verdict"]) == ("take", "take")
        assert told.attributes["data-good-for"]
    if not known and soil["advice"]["act"] != "unknown":
        assert (soil["advice"]["act"], soil["advice"]["why"]) == ("measure", "no_water")
        assert "Khoan rửa: chờ trạm có số đo nước mới và tốt" in told.text
    assert soil["leached"] is None or soil["advice"]["act"] == "leach"
    # the hours
    assert len(main.all("ul", class_="pump")) == min(1, len(hours["windows"]))
    if not known:
        assert not hours["windows"]
        assert not main.all("svg", class_="strip")
        assert not main.one(class_="say").all("b")
        assert not [e for e in main.all() if {"k0", "k1", "k2", "k3", "k4"} & set(e.attributes.get("class", "").split())]
    if "giờ tới không có giờ nào đủ chắc" in main.text:  # who is told to measure and then to take is not told to keep to what is stored
        assert ("Giữ nước đang có." in main.text) == (risk["verdict"] == "stop")
        assert ("mới lấy, không thì giữ nước đang có." in main.text) == (risk["verdict"] != "stop")
    until = " ".join(e.text for e in shown.one("article").all(class_="until"))
    if until.startswith("đến khoảng") and hours["windows"]:
        assert hours["windows"][0]["end"] <= risk["until"]
    # the days
    believed = case.later + 5 <= 24
    assert ("ngày tới, mặn nhất mỗi ngày" in main.one("svg", class_="week").text) == believed
    assert ("Vì sao báo vậy?" in main.text) == believed
    assert (soil["water"] is not None) == believed
    assert days["fresh"] is believed
    # the hours' forecast that the page names is one it uses
    assert ("Báo từng giờ lúc" in main.one("ul", class_="trust").text) == (case.later + 1 <= 24)


def test_of_the_intake_its_field_and_the_list(field: Rig, case: Case) -> None:
    """One verdict: on both stations' pages, on the list, and no hour to pump in a row that is not known."""
    told = [page(field, f"/stations/{s}?lang=vi").one("article").one(data_part="title").text for s in (INTAKE, FIELD)]
    rows = [next(e for e in page(field, "/?station=cai-lon&lang=vi").all("a", href=f"/stations/{s}") if e.all(data_part="title")) for s in (INTAKE, FIELD)]
    assert {*told, *(r.one(data_part="title").text for r in rows)} == {headline(api(field, INTAKE)["risk"])}
    if api(field, INTAKE)["risk"]["verdict"] == "unknown":
        assert not any("Bơm được" in r.text for r in rows)
        assert all("unknown" in r.attributes["class"] for r in rows)
