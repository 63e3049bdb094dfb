"""`/api/v1/waterways`: where the lines stand, from which readings, and how often these are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from servers.backend import NOW, QUARTER_MS, STATIONS, Rig

from api import reach_now
from core.batch import Batch
from core.forecast import HOUR_MS
from core.reach import StationMax, reach
from core.series import SeriesKey
from core.state import Latest, SeriesState


def cai_lon(rig: Rig, **more: Any) -> dict[str, Any]:
    answer = rig.get("/api/v1/waterways", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = next(w for w in answer.json()["items"] if w["id"] == "cai-lon")
    return found


def maxima(found: dict[str, Any]) -> dict[str, float | None]:
    return {s["station"]: s["max"] for s in found["stations"]}


def put(rig: Rig, key: SeriesKey, times: Sequence[int], values: Sequence[float], flags: Sequence[int]) -> None:
    """Store rows, and have `series_state` know of them."""
    good = [Latest(time=t, value=v, flag=f) for t, v, f in zip(times, values, flags, strict=True) if f == 1]
    newest = Latest(time=times[-1], value=values[-1], flag=flags[-1])
    state = SeriesState(
        key=key,
        role="primary",
        newest=newest,
        received=times[-1],
        judged=newest,
        good=good[-1] if good else None,
        dirty_from=None,
        changed=0,
        interval_ms=QUARTER_MS,
    )
    rig.run(lambda: rig.backend.store.write(Batch.of([0] * len(times), times, values, flag=flags), [key]))
    rig.run(lambda: rig.backend.states.replace([state]))


def test_the_lines_lie_between_the_maxima(rig: Rig) -> None:
    """Log-linear in km between the highest good values of 25 h at the good stations, hatched across the silent one; by id, in pages."""
    found = cai_lon(rig)
    assert [(s["station"], s["km"]) for s in found["stations"]] == [("cai-lon", 8.0), ("kenh-nam", 40.0), ("kenh-lau", 62.0)]
    assert maxima(found)["kenh-nam"] is None
    stations = [StationMax(station=s["station"], km=s["km"], value=s["max"]) for s in found["stations"]]
    for told, line in zip(found["reaches"], (1.0, 4.0), strict=True):
        wanted = reach(stations, line)
        assert wanted.km is not None
        assert (told["line"], told["side"], told["km"], told["hatched"]) == (line, "at", round(wanted.km, 2), True)
    ids = [w["id"] for w in rig.get("/api/v1/waterways").json()["items"]]
    first = rig.get("/api/v1/waterways?limit=3").json()
    rest = rig.get(f"/api/v1/waterways?next={first['next']}").json()
    assert [w["id"] for w in first["items"] + rest["items"]] == ids == sorted(ids)
    assert rest["next"] is None


def test_which_values_count(rig: Rig) -> None:
    """Good ones of the last 25 h at the verdict point: none that is older, suspect, not judged or at another point."""
    key = SeriesKey("vithanh", "kenh-nam", "main", "kn01", "water.salinity")
    times = [NOW - 25 * HOUR_MS - 1, NOW - 25 * HOUR_MS, NOW - 9 * HOUR_MS, NOW - 8 * HOUR_MS, NOW - QUARTER_MS]
    put(rig, key, times, [9.0, 2.5, 8.0, 7.0, 1.0], [1, 1, 3, 2, 1])
    assert maxima(cai_lon(rig))["kenh-nam"] == 2.5
    assert maxima(cai_lon(rig))["cai-lon"] == pytest.approx(6.5, abs=0.01)  # point `in`; at `out` it is 11.7


@pytest.mark.parametrize(("age_ms", "flag", "counts"), [(HOUR_MS, 1, True), (HOUR_MS + 1, 1, False), (QUARTER_MS, 3, True)])
def test_a_station_speaks_while_its_last_good_reading_is_fresh(rig: Rig, age_ms: int, flag: int, counts: bool) -> None:
    """With the last good reading older than `stale_after` it is silent on the diagram, whatever came in the last 25 h."""
    key = SeriesKey("vithanh", "kenh-nam", "main", "kn01", "water.salinity")
    times = [NOW - age_ms - QUARTER_MS, NOW - age_ms]
    put(rig, key, times, [2.5, 2.4], [1, flag])
    assert (maxima(cai_lon(rig))["kenh-nam"] == 2.5) == counts


def test_who_sees_which(rig: Rig) -> None:
    """A private station neither stands on a stranger's diagram nor moves its lines; a field never does."""
    places = (
        dataclasses.replace(STATIONS[5], waterway="cai-lon", km=30.0),
        dataclasses.replace(STATIONS[3], waterway="cai-lon", km=50.0),
    )
    before = cai_lon(rig)
    rig.run(lambda: rig.backend.registry.put(*places, actor="test"))
    rig.app.state.present._read_at = 0.0  # as a second later
    rig.app.state.maxima = None
    assert cai_lon(rig) == before
    theirs = cai_lon(rig, as_="be")
    assert list(maxima(theirs)) == ["cai-lon", "rieng", "kenh-nam", "kenh-lau"]
    assert theirs["reaches"] != before["reaches"]


def test_the_store_is_read_once_a_minute(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many who ask within a minute cost one read; on a fast clock one per 5 s of the wall; freshness is as of now all the same."""
    reads = 0
    plain = rig.backend.store.read

    async def counted(*args: Any, **more: Any) -> Batch:
        nonlocal reads
        reads += 1
        return await plain(*args, **more)

    wall = 1000.0
    monkeypatch.setattr(rig.backend.store, "read", counted)
    monkeypatch.setattr(reach_now.time, "monotonic", lambda: wall)
    cai_lon(rig)
    wall += 59
    cai_lon(rig)
    assert reads == 1
    wall += 1
    cai_lon(rig)
    assert reads == 2
    rig.clock.now += 10 * HOUR_MS  # a simulated clock at 600
    wall += 4.9
    assert set(maxima(cai_lon(rig)).values()) == {None}
    assert reads == 2
    wall += 0.1
    cai_lon(rig)
    assert reads == 3
