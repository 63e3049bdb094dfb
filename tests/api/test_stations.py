"""`/api/v1/stations`: who sees which, the newest values, search, pages, and that the verdict is the one function's."""

from __future__ import annotations

import dataclasses
import unicodedata
from typing import Any

import pytest
from servers.backend import DAY_MS, NOW, STATIONS, Rig

from core import verdict as rule
from core.flags import Flag
from core.place import Alias, Deployment, Device, Station
from core.series import SeriesKey
from core.state import Latest, SeriesState

PUBLIC_IDS = ["cai-lon", "kenh-lau", "kenh-nam", "ruong-8", "tram-moi"]


def listed(rig: Rig, query: str = "", **more: Any) -> list[dict[str, Any]]:
    answer = rig.get(f"/api/v1/stations{query}", **more)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(rig: Rig, query: str = "", **more: Any) -> list[str]:
    return [item["id"] for item in listed(rig, query, **more)]


def state(key: SeriesKey, value: float, *, time: int = NOW - 60_000, flag: int = Flag.GOOD, role: str = "primary") -> SeriesState:
    newest = Latest(time=time, value=value, flag=flag)
    return SeriesState(key=key, role=role, newest=newest, received=time, judged=newest, good=newest, dirty_from=None, changed=0)


def test_the_shape(rig: Rig) -> None:
    """An item has the fields of the contract, with the newest value of each quantity and the verdict object."""
    item = next(i for i in listed(rig) if i["id"] == "kenh-lau")
    assert item["name"] == "Kênh Lầu"
    assert (item["lat"], item["lon"], item["waterway"], item["km"], item["commune"]) == (9.78, 105.47, "cai-lon", 62.0, None)
    assert item["latest"]["water.salinity"] == {"value": 0.2, "unit": "g/L", "time": "2026-03-02T02:55:00Z", "flag": 1, "fresh": True, "point": "main"}
    assert list(item["risk"]) == ["verdict", "reason", "band", "as_of", "until", "p", "limit", "unit", "config"]
    assert (item["risk"]["verdict"], item["risk"]["reason"], item["risk"]["p"]) == ("take", "ok", 0.02)


def test_every_verdict_is_the_stations_own(rig: Rig) -> None:
    """A field shows its intake's verdict; a silent and a new station are unknown, for their own reasons."""
    found = {i["id"]: (i["risk"]["verdict"], i["risk"]["reason"]) for i in listed(rig, as_="minh")}
    assert found["ruong-8"] == found["kenh-lau"] == ("take", "ok")
    assert found["cai-lon"] == ("stop", "ok")
    assert found["kenh-nam"] == ("unknown", "silent")
    assert found["tram-moi"] == ("unknown", "no_data")
    assert found["rieng"] == ("wait", "ok")


def test_the_verdict_is_derived_nowhere_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the one function answers otherwise, list and station do too."""

    def never(*_: object, **__: object) -> rule.Verdict:
        return rule.Verdict(verdict="unknown", reason="fault", band=None, as_of=None, until=None, p=None, limit=7.0)

    monkeypatch.setattr(rule, "verdict", never)
    assert {i["risk"]["reason"] for i in listed(rig)} == {"fault"}
    assert rig.get("/api/v1/stations/kenh-lau").json()["risk"]["limit"] == 7.0


@pytest.mark.parametrize(("path", "name"), [("/api/v1/stations/kenh-lau", "limit"), ("/api/v1/stations", "salinity_limit")])
def test_the_callers_limit(rig: Rig, path: str, name: str) -> None:
    """Durian's 0.3 g/L makes 0.2 g/L no water to take; a limit that is none is a 422 that names it."""
    found = rig.get(f"{path}?{name}=0.3").json()
    risk = (found["items"][1] if "items" in found else found)["risk"]
    assert (risk["limit"], risk["verdict"]) == (0.3, "measure")
    for wrong in ("0", "-1", "nan", "inf", "salty"):
        refused = rig.get(f"{path}?{name}={wrong}")
        assert refused.status_code == 422
        assert refused.json()["parameter"] == name


def test_who_sees_which(rig: Rig) -> None:
    """Anonymous readers see public stations, an officer also their organisation's, an admin all; another's private one is as if it did not exist."""
    assert ids(rig) == PUBLIC_IDS
    assert ids(rig, as_="lan") == PUBLIC_IDS
    assert ids(rig, as_="be") == [*PUBLIC_IDS[:3], "rieng", *PUBLIC_IDS[3:]]
    assert "rieng" in ids(rig, as_="minh")
    assert ids(rig, "?org=longmy") == []
    absent, private = rig.get("/api/v1/stations/khong-co"), rig.get("/api/v1/stations/rieng", as_="lan")
    assert absent.status_code == private.status_code == 404
    assert absent.json() | {"value": "", "detail": "", "instance": ""} == private.json() | {"value": "", "detail": "", "instance": ""}
    assert rig.get("/api/v1/stations/rieng", as_="be").status_code == 200


def test_a_fields_place_is_coarse_for_strangers(rig: Rig) -> None:
    """A field's position is told to 0.05° and its km to 5 to all but its own officers and admins; a canal's as it is."""
    field = Station(id="ruong-9", org="longmy", name="Ruộng chín", lat=9.6812, lon=105.5723, waterway="cai-lon", km=58.7, intake="kenh-lau", public=True)
    rig.run(lambda: rig.backend.registry.put(field, actor="test"))

    def told(**more: Any) -> tuple[float, float, float]:
        one, many = rig.get("/api/v1/stations/ruong-9", **more).json(), next(i for i in listed(rig, **more) if i["id"] == "ruong-9")
        assert (one["lat"], one["lon"], one["km"]) == (many["lat"], many["lon"], many["km"])
        return one["lat"], one["lon"], one["km"]

    assert told() == told(as_="lan") == (9.7, 105.55, 60.0)
    assert told(as_="be") == told(as_="minh") == (9.6812, 105.5723, 58.7)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["Kênh Lầu", "kenh lau", "KÊNH LẦU", "kênh  lau", "lầu kênh", "kenh-lau"])
def test_search_in_any_spelling(rig: Rig, asked: str, form: str) -> None:
    """With or without accents, composed or decomposed, in capitals, in another order, or by its id."""
    response = rig.request("GET", "/api/v1/stations", params={"q": unicodedata.normalize(form, asked)})
    assert [i["id"] for i in response.json()["items"]] == ["kenh-lau"]


def test_search_in_aliases_and_with_d(rig: Rig) -> None:
    """đ is found as d; an old commune's name finds the station that has it as an alias; two that fold alike are both named."""
    named = (
        Station(id="dai-ngai", org="vithanh", name="Đại Ngãi", public=True),
        Station(id="m1", org="vithanh", name="Kênh Mới", public=True, aliases=(Alias(name="Hỏa Tiến", end="2025-07-01"),)),
        Station(id="m2", org="vithanh", name="Kênh Mối", public=True),
    )
    rig.run(lambda: rig.backend.registry.put(*named, actor="test"))
    assert ids(rig, "?q=dai+ngai") == ids(rig, "?q=ĐẠI NGÃI") == ["dai-ngai"]
    assert ids(rig, "?q=hoa+tien") == ["m1"]
    assert ids(rig, "?q=kenh+moi") == ["m1", "m2"]
    assert ids(rig, "?q=khong+co+dau") == []
    assert rig.get("/api/v1/stations/m1").json()["aliases"] == [{"name": "Hỏa Tiến", "start": None, "end": "2025-07-01"}]


def test_filters(rig: Rig) -> None:
    """By waterway and by organisation, together with the rest."""
    assert ids(rig, "?waterway=cai-lon") == ["cai-lon", "kenh-lau", "kenh-nam"]
    assert ids(rig, "?waterway=cai-lon&q=kenh") == ["kenh-lau", "kenh-nam"]
    assert ids(rig, "?org=longmy", as_="minh") == ["rieng"]


@pytest.mark.parametrize("limit", range(1, 8))
def test_pages_while_stations_come(rig: Rig, limit: int) -> None:
    """Every station once for any page size, though one is registered before and one behind the first page's end; no `next` on the last page."""
    found: list[str] = []
    token = ""
    for number in range(20):
        page = rig.get(f"/api/v1/stations?limit={limit}{token}").json()
        found += [i["id"] for i in page["items"]]
        assert len(page["items"]) <= limit
        if number == 0:
            late = (Station(id="a-som", org="vithanh", name="A", public=True), Station(id="z-muon", org="vithanh", name="Z", public=True))
            rig.run(lambda late=late: rig.backend.registry.put(*late, actor="test"))
            rig.app.state.present._read_at = 0.0  # as a second later
        if page["next"] is None:
            break
        token = f"&next={page['next']}"
    assert len(found) == len(set(found))
    assert [i for i in found if i in PUBLIC_IDS] == PUBLIC_IDS
    assert "a-som" not in found
    assert ("z-muon" in found) == (limit < 5)


def test_next_goes_with_its_filters(rig: Rig) -> None:
    """A `next` used with other filters is a 422, not another list's rows."""
    token = rig.get("/api/v1/stations?limit=1&waterway=cai-lon").json()["next"]
    assert rig.get(f"/api/v1/stations?limit=2&waterway=cai-lon&next={token}").json()["items"][0]["id"] == "kenh-lau"
    refused = rig.get(f"/api/v1/stations?limit=1&next={token}", headers={"Accept-Language": "en"})
    assert (refused.status_code, refused.json()["parameter"]) == (422, "next")


@pytest.mark.parametrize("limit", [0, 1001, "x"])
def test_page_sizes_have_bounds(rig: Rig, limit: object) -> None:
    """1 to 1,000."""
    assert rig.get(f"/api/v1/stations?limit={limit}").status_code == 422


def test_latest_is_at_the_verdict_point_else_main_else_the_first(rig: Rig) -> None:
    """Water at the verdict point, another quantity at `main`, one that neither has at its first point; whatever the flag."""

    def key(point: str, quantity: str) -> SeriesKey:
        return SeriesKey("vithanh", "kenh-lau", point, "kl09", quantity)  # a device without deployments

    station = dataclasses.replace(STATIONS[0], verdict_point="bottom")
    states = (
        state(key("bottom", "water.salinity"), 0.9, flag=Flag.SUSPECT),
        state(key("top", "water.salinity"), 0.1),
        state(key("bottom", "air.rain"), 3.0),
        state(key("main", "air.rain"), 4.0),
        state(key("d30", "soil.moisture"), 0.3),
        state(key("d10", "soil.moisture"), 0.2),
    )
    rig.run(lambda: rig.backend.registry.put(station, actor="test"))
    rig.run(lambda: rig.backend.states.replace(states))
    found = rig.get("/api/v1/stations/kenh-lau").json()
    latest = {quantity: (entry["point"], entry["value"], entry["flag"]) for quantity, entry in found["latest"].items()}
    assert latest["water.salinity"] == ("bottom", 0.9, 3)
    assert latest["air.rain"] == ("main", 4.0, 1)
    assert latest["soil.moisture"] == ("d10", 0.2, 1)
    assert (found["risk"]["verdict"], found["risk"]["reason"]) == ("unknown", "suspect")
    assert sorted(found["points"]) == ["bottom", "d10", "d30", "device", "main", "top"]
    assert found["points"]["d30"]["soil.moisture"]["value"] == 0.3


def test_a_stale_value_is_shown_as_such(rig: Rig) -> None:
    """The silent station's last value stands there, not fresh, with its time."""
    entry = next(i for i in listed(rig) if i["id"] == "kenh-nam")["latest"]["water.salinity"]
    assert (entry["value"], entry["fresh"], entry["time"]) == (1.5, False, "2026-02-28T03:00:00Z")


def test_one_station_in_full(rig: Rig) -> None:
    """Its sensors with their times (null = open), a check one too, and how old a reading may get."""
    check = Deployment(device="kl02", channel="main", station="kenh-lau", point="main", start=NOW - DAY_MS, end=NOW, role="check", depth_m=0.5)
    rig.run(lambda: rig.backend.registry.put(Device(id="kl02", org="vithanh"), check, actor="test"))
    found = rig.get("/api/v1/stations/kenh-lau").json()
    assert [s["sensor"] for s in found["sensors"]] == ["kl01", "kl02"]
    assert found["sensors"][0] | {"role": "primary", "start": None, "end": None, "interval_s": 900.0} == found["sensors"][0]
    assert found["sensors"][1] == {
        "sensor": "kl02",
        "model": "native",
        "point": "main",
        "role": "check",
        "start": "2026-03-01T03:00:00Z",
        "end": "2026-03-02T03:00:00Z",
        "depth_m": 0.5,
        "interval_s": None,
    }
    assert (found["interval_s"], found["stale_after_s"], found["silent_after_s"]) == (900.0, 3600.0, 21600.0)
    assert (found["timezone"], found["position"], found["verdict_point"], found["intake"]) == ("Asia/Ho_Chi_Minh", "approximate", "main", None)
    assert found["points"]["main"]["water.salinity"]["received_at"] == "2026-03-02T02:55:02Z"
    assert rig.get("/api/v1/stations/ruong-8").json()["intake"] == "kenh-lau"


def test_caches(rig: Rig) -> None:
    """A verdict never comes out of a cache unasked, what else everybody sees only while it is fresh; the same answer again is a 304 without a body."""
    first = rig.get("/api/v1/stations")
    assert first.headers["Cache-Control"] == "no-cache"
    assert rig.get("/api/v1/stations/kenh-lau").headers["Cache-Control"] == "no-cache"
    for path in ("waterways", "alerts", "stations/kenh-lau/series?quantity=water.salinity"):
        assert rig.get(f"/api/v1/{path}").headers["Cache-Control"] == "public, max-age=10, must-revalidate"
    assert "Cookie" in first.headers["Vary"]
    assert first.headers["Canhman-Now"] == "2026-03-02T03:00:00Z"
    rig.clock.now += 1000
    again = rig.get("/api/v1/stations", headers={"If-None-Match": f'"x", {first.headers["ETag"]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    rig.clock.now += DAY_MS  # everything is silent now
    assert rig.get("/api/v1/stations", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200
    assert rig.get("/api/v1/stations", as_="lan").headers["Cache-Control"] == "private, no-cache"
