"""Whatever is asked, a route of data answers it or says what is wrong with it: never a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from servers.backend import STATIONS, Rig, make_rig

from canhman.configuration import read_crops

KNOWN = [s.id for s in STATIONS] + ["1", "3", "6"]  # alerts too
PLACES = st.one_of(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.text(min_size=1, max_size=20))
SENSIBLE = {
    "q": st.just("kênh"),
    "limit": st.sampled_from(["1", "3", "100000"]),
    "salinity_limit": st.sampled_from(["0.5", "4"]),
    "state": st.sampled_from(["open", "all", "cleared"]),
    "station": st.sampled_from([s.id for s in STATIONS]),
    "all_lines": st.sampled_from(["true", "false"]),
    "quantity": st.sampled_from(["water.salinity", "device.battery", "soil.moisture"]),
    "point": st.sampled_from(["main", "in", "device", "d10"]),
    "start": st.sampled_from(["2026-03-01T00:00:00Z", "1900-01-01T00:00:00Z", "2026-03-01"]),
    "end": st.sampled_from(["2026-03-02T00:00:00+07:00", "2100-01-01T00:00:00Z"]),
    "issued_before": st.just("2026-03-02T00:00:00Z"),
    "target": st.sampled_from(["day_max", "hour"]),
    "version": st.sampled_from(["best", "raw"]),
    "flags": st.sampled_from(["1", "1,2,3", "9"]),
    "sensor": st.sampled_from(["kl01", "cl01/in"]),
    "waterway": st.just("cai-lon"),
    "org": st.just("vithanh"),
    "next": st.just("WyJhIl0"),
    "crop": st.sampled_from(["rice", "durian"]),
    "stage": st.just("seedling"),
}
PATHS = (
    "/stations",
    "/stations/{}",
    "/stations/{}/series",
    "/stations/{}/forecast",
    "/stations/{}/forecasts",
    "/stations/{}/soil",
    "/alerts",
    "/alerts/{}",
    "/waterways",
)


@st.composite
def queries(draw: st.DrawFn) -> dict[str, str]:
    """A few parameters, mostly with a sensible value, and mostly the quantity a series needs."""
    names = draw(st.lists(st.sampled_from(sorted(SENSIBLE)), max_size=3, unique=True)) + draw(st.sampled_from([[], ["quantity"], ["quantity"]]))
    return {name: draw(st.one_of(SENSIBLE[name], SENSIBLE[name], SENSIBLE[name], st.text(max_size=30))) for name in names}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = make_rig(tmp_path_factory.mktemp("any"), crops=lambda: read_crops(None))
    yield made
    made.close()


@settings(max_examples=300)
@given(path=st.sampled_from(PATHS), place=PLACES, query=queries(), as_=st.sampled_from(["", "lan"]))
def test_no_query_is_a_fault(rig: Rig, path: str, place: str, query: dict[str, str], as_: str) -> None:
    """200, or a problem+json of the 4xx that is about the request."""
    answer = rig.get("/api/v1" + path.format(quote(place, safe="")), params=query, as_=as_)
    event(f"{path} {answer.status_code}")
    assert answer.status_code in (200, 307, 404, 422), answer.text
    if answer.status_code in (404, 422):
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["detail"]
