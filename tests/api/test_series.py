"""`/api/v1/stations/{id}/series`: which rows, which times, in pages, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from servers.backend import DAY_MS, NOW, QUARTER_MS, Rig, Sown

from api.routes.series import MOST_ROWS
from core.batch import Batch
from core.clock import rfc3339
from core.flags import Flag
from core.place import ALWAYS, FOREVER, Deployment, Device, Station
from core.series import SeriesKey
from core.state import Latest, SeriesState

KL = Sown(key=SeriesKey("vithanh", "kenh-lau", "main", "kl01", "water.salinity"), base=0.2)
WHOLE = f"start={rfc3339(NOW - 9 * DAY_MS)}&end={rfc3339(NOW + DAY_MS)}"


def page(rig: Rig, station: str, query: str, **more: Any) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/stations/{station}/series?{query}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert len(found["times"]) == len(found["values"]) == len(found["flags"])
    return found


def refused(rig: Rig, station: str, query: str, **more: Any) -> dict[str, Any]:
    answer = rig.get(f"/api/v1/stations/{station}/series?{query}", headers={"Accept-Language": "en"}, **more)
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == answer.status_code
    return found


def walk(rig: Rig, station: str, query: str, limit: int) -> list[tuple[str, float]]:
    rows: list[tuple[str, float]] = []
    token = ""
    while True:
        found = page(rig, station, f"{query}&limit={limit}{token}")
        assert len(found["times"]) <= limit
        rows += zip(found["times"], found["values"], strict=True)
        if found["next"] is None:
            return rows
        token = f"&next={found['next']}"


def put(rig: Rig, key: SeriesKey, times: Sequence[int], values: Sequence[float], flags: Sequence[int] | None = None, *, role: str = "primary") -> None:
    """Store rows, and have `series_state` know of them."""
    newest = Latest(time=max(times), value=values[-1], flag=1)
    state = SeriesState(key=key, role=role, newest=newest, received=newest.time, judged=newest, good=newest, dirty_from=None, changed=0)
    rig.run(lambda: rig.backend.store.write(Batch.of([0] * len(times), times, values, flag=flags), [key]))
    rig.run(lambda: rig.backend.states.replace([state]))
    rig.app.state.present._read_at = 0.0  # as a second later


def test_the_shape(rig: Rig) -> None:
    """Point `main`, all flags, unit and columns as in the contract; a day of rows is one page."""
    found = page(rig, "kenh-lau", "quantity=water.salinity")
    assert {k: found[k] for k in ("station", "point", "quantity", "unit", "version", "next")} == {
        "station": "kenh-lau",
        "point": "main",
        "quantity": "water.salinity",
        "unit": "g/L",
        "version": "best",
        "next": None,
    }
    assert found["times"] == [rfc3339(t) for t in KL.times()]
    assert found["values"] == KL.values()
    assert found["flags"] == [4 if i == 40 else 1 for i in range(96)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-01T00:00:00+07:00", "2026-03-02T00:00:00+07:00"),  # the raw + is a space to the server
        ("2026-03-01T00:00:00%2B07:00", "2026-03-02T00:00:00%2B07:00"),
        ("2026-02-28T17:00:00Z", "2026-03-01T17:00:00Z"),
    ],
)
def test_a_local_day_however_it_is_written(rig: Rig, start: str, end: str) -> None:
    """96 readings of 15 min: the first at local midnight, none at the next one; the + raw, as %2B, or in Z."""
    first = 1_772_298_000_000  # 2026-02-28T17:00:00Z
    key = SeriesKey("vithanh", "kenh-nam", "main", "kn01", "water.salinity")
    put(rig, key, [first + QUARTER_MS * i for i in range(-8, 120)], [1.0 + i / 100 for i in range(128)])
    found = page(rig, "kenh-nam", f"quantity=water.salinity&start={start}&end={end}")
    assert len(found["times"]) == 96
    assert (found["times"][0], found["times"][-1]) == ("2026-02-28T17:00:00Z", "2026-03-01T16:45:00Z")


@pytest.mark.parametrize("wrong", ["start=2026-03-01T00:00:00", "end=2026-03-01", "start=2026-03-01T00:00:00%2B0700x", "end=1772420400"])
def test_a_time_without_zone_is_refused(rig: Rig, wrong: str) -> None:
    """422 that names the parameter and %2B, never an empty 200."""
    found = refused(rig, "kenh-lau", f"quantity=water.salinity&{wrong}")
    assert (found["status"], found["parameter"]) == (422, wrong.split("=")[0])
    assert "%2B07:00" in found["detail"]


def test_end_before_start_is_refused(rig: Rig) -> None:
    """422 that names both; the same time twice is an empty page."""
    found = refused(rig, "kenh-lau", "quantity=water.salinity&start=2026-03-02T00:00:00Z&end=2026-03-01T00:00:00Z")
    assert (found["status"], found["parameter"]) == (422, "end")
    assert "2026-03-02T00:00:00Z" in found["detail"]
    assert page(rig, "kenh-lau", "quantity=water.salinity&start=2026-03-01T00:00:00Z&end=2026-03-01T00:00:00Z")["times"] == []


def test_the_default_is_the_last_seven_days(rig: Rig) -> None:
    """From 7 days ago to now and the 10 minutes a device's clock may be ahead; with an end alone the 7 days before it."""
    key = SeriesKey("vithanh", "kenh-nam", "main", "kn01", "water.salinity")
    times = [NOW - 7 * DAY_MS - 1, NOW - 7 * DAY_MS, NOW - 3 * DAY_MS, NOW, NOW + 500_000]
    put(rig, key, times, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert [v for v in page(rig, "kenh-nam", "quantity=water.salinity")["values"] if v in (1.0, 2.0, 3.0, 4.0, 5.0)] == [2.0, 3.0, 4.0, 5.0]
    until = rfc3339(NOW - 7 * DAY_MS + 1)
    assert page(rig, "kenh-nam", f"quantity=water.salinity&end={until}")["values"] == [1.0, 2.0]
    assert page(rig, "kenh-nam", f"quantity=water.salinity&start={rfc3339(NOW)}")["values"] == [4.0, 5.0]


@pytest.mark.parametrize("limit", [1, 5, 95, 96, 97])
def test_pages_hold_every_row_once(rig: Rig, limit: int) -> None:
    """Any page size gives the rows of one page, and no `next` on the last."""
    assert walk(rig, "kenh-lau", f"quantity=water.salinity&{WHOLE}", limit) == list(zip([rfc3339(t) for t in KL.times()], KL.values(), strict=True))


def test_late_rows_and_time_passing_shift_nothing(rig: Rig) -> None:
    """Between two pages rows come in before and behind the page's end and two days pass: every old row is still seen once, in the first page's window."""
    first = page(rig, "kenh-lau", "quantity=water.salinity&limit=50")
    late = [KL.times()[3] + 1000, KL.times()[70] + 1000, NOW + DAY_MS]
    put(rig, KL.key, late, [77.0, 78.0, 79.0])
    rig.clock.now += 8 * DAY_MS
    rest = page(rig, "kenh-lau", f"quantity=water.salinity&next={first['next']}")
    assert rest["next"] is None
    assert [t for t in first["times"] + rest["times"] if not t.endswith("01Z")] == [rfc3339(t) for t in KL.times()]
    assert [v for v in rest["values"] if v > 70] == [78.0]


def test_next_goes_with_its_series(rig: Rig) -> None:
    """A `next` of another series or with other flags is a 422."""
    token = page(rig, "kenh-lau", "quantity=water.salinity&limit=5")["next"]
    for query in ("quantity=water.temperature", "quantity=water.salinity&flags=1", "quantity=water.salinity&version=raw"):
        assert refused(rig, "kenh-lau", f"{query}&next={token}")["parameter"] == "next"


def test_flags(rig: Rig) -> None:
    """Only rows with one of the flags; a flag that is none is a 422 that names them."""
    assert page(rig, "kenh-lau", "quantity=water.salinity&flags=4")["flags"] == [4]
    assert len(page(rig, "kenh-lau", "quantity=water.salinity&flags=1,2")["flags"]) == 95
    assert page(rig, "kenh-lau", "quantity=water.salinity&flags=9,3")["flags"] == []
    for wrong in ("5", "1,,2", "", "good"):
        assert refused(rig, "kenh-lau", f"quantity=water.salinity&flags={wrong}")["parameter"] == "flags"


@pytest.mark.parametrize("version", ["raw", "corrected"])
def test_versions(rig: Rig, version: str) -> None:
    """Until corrections exist, the values as received and the corrected ones are the best ones; another version is a 422."""
    best = page(rig, "kenh-lau", "quantity=water.salinity")
    assert page(rig, "kenh-lau", f"quantity=water.salinity&version={version}") == best | {"version": version}
    assert refused(rig, "kenh-lau", "quantity=water.salinity&version=pretty")["status"] == 422


def test_the_series_is_of_the_primary_sensors_while_they_stood_there(rig: Rig) -> None:
    """A probe swapped at T is one series; what either stored outside its time, a check probe and a withdrawn one are not in it."""
    t = NOW - DAY_MS
    deployments = (
        Deployment(device="s1", channel="main", station="tram-moi", point="main", start=ALWAYS, end=t),
        Deployment(device="s2", channel="main", station="tram-moi", point="main", start=t, end=FOREVER),
        Deployment(device="s3", channel="main", station="tram-moi", point="main", role="check"),
        Deployment(device="s4", channel="main", station="tram-moi", point="main", start=t, end=t),
    )
    devices = [Device(id=f"s{i}", org="vithanh") for i in range(1, 5)]
    rig.run(lambda: rig.backend.registry.put(*devices, *deployments, actor="test"))
    for i in range(1, 5):
        key = SeriesKey("vithanh", "tram-moi", "main", f"s{i}", "water.salinity")
        put(rig, key, [t - 2, t - 1, t, t + 1], [10.0 * i + n for n in range(4)], role="check" if i == 3 else "primary")
    for limit in (1, 2, 3, 10):
        assert [v for _, v in walk(rig, "tram-moi", f"quantity=water.salinity&{WHOLE}", limit)] == [10.0, 11.0, 22.0, 23.0]
    check = page(rig, "tram-moi", f"quantity=water.salinity&sensor=s3&{WHOLE}")
    assert check["values"] == [30.0, 31.0, 32.0, 33.0]
    wrong = refused(rig, "tram-moi", f"quantity=water.salinity&sensor=s4&{WHOLE}")
    assert wrong["status"] == 404
    assert "s1, s2, s3" in wrong["detail"]


def test_a_devices_own_quantities(rig: Rig) -> None:
    """Battery is at point `device` where nothing is said; two devices' rows of one time both come, and `sensor` chooses."""
    second = Deployment(device="kl02", channel="top", station="kenh-lau", point="top")
    rig.run(lambda: rig.backend.registry.put(Device(id="kl02", org="vithanh"), second, actor="test"))
    times = KL.times()[-4:]
    put(rig, SeriesKey("vithanh", "kenh-lau", "device", "kl02", "device.battery"), times, [1.0, 2.0, 3.0, 4.0])
    for limit in (1, 3, 100):
        rows = walk(rig, "kenh-lau", f"quantity=device.battery&{WHOLE}", limit)
        assert len(rows) == 100
        assert [v for _, v in rows[-8:] if v in (1.0, 2.0, 3.0, 4.0)] == [1.0, 2.0, 3.0, 4.0]
        assert [t for t, _ in rows] == sorted(t for t, _ in rows)
    found = page(rig, "kenh-lau", f"quantity=device.battery&sensor=kl02&{WHOLE}")
    assert (found["point"], found["values"]) == ("device", [1.0, 2.0, 3.0, 4.0])


def test_the_point_where_nothing_is_said(rig: Rig) -> None:
    """Without a `main` the verdict point; where the quantity is not there, the first point that has it."""
    assert page(rig, "cai-lon", "quantity=water.salinity")["point"] == "in"
    assert page(rig, "cai-lon", "quantity=water.salinity&point=out")["values"][-1] == 9.0
    assert page(rig, "ruong-8", "quantity=soil.moisture")["point"] == "d10"


def test_what_is_not_there_is_named(rig: Rig) -> None:
    """An unknown quantity is a 422; a point that is not there and a quantity not measured there are 404s; each says what there is."""
    unknown = refused(rig, "cai-lon", "quantity=water.salt")
    assert (unknown["status"], unknown["parameter"], unknown["value"]) == (422, "quantity", "water.salt")
    assert "water.salinity (in), water.salinity (out)" in unknown["detail"]
    assert ": water.salinity (main), device.battery (device), water.temperature (main)." in refused(rig, "kenh-lau", "quantity=nope")["detail"]
    point = refused(rig, "cai-lon", "quantity=water.salinity&point=main")
    assert point["status"] == 404
    assert "in, out" in point["detail"]
    absent = refused(rig, "kenh-lau", "quantity=soil.moisture")
    assert absent["status"] == 404
    assert "water.temperature (main)" in absent["detail"]
    assert refused(rig, "kenh-lau", "")["parameter"] == "quantity"


def test_a_new_station_is_empty(rig: Rig) -> None:
    """Nothing measured yet is a 200 without rows."""
    assert page(rig, "tram-moi", "quantity=water.salinity")["times"] == []


def test_who_may_read(rig: Rig) -> None:
    """A private station's series is a 404 to strangers, as if it did not exist, and there for its officers."""
    assert refused(rig, "rieng", "quantity=water.salinity")["status"] == 404
    assert refused(rig, "rieng", "quantity=water.salinity", as_="lan")["type"] == "urn:canhman:problem:no_station"
    assert page(rig, "rieng", "quantity=water.salinity", as_="be")["values"][-1] == 1.2


def test_odd_names_and_milliseconds(rig: Rig) -> None:
    """A sensor with odd signs in its name and times between the seconds come back as they were stored, over pages."""
    odd = "Z._:-9/a-1"
    rig.run(lambda: rig.backend.registry.put(Station(id="0", org="vithanh", name="0", public=True), Device(id="Z._:-9", org="vithanh"), actor="test"))
    rig.run(lambda: rig.backend.registry.put(Deployment(device="Z._:-9", channel="a-1", station="0", point="p"), actor="test"))
    times = [NOW - 3001, NOW - 2000, NOW - 1]
    put(rig, SeriesKey("vithanh", "0", "p", odd, "water.salinity"), times, [0.1, 1e-9, 41.999999999])
    for limit in (1, 2, 3):
        assert walk(rig, "0", "quantity=water.salinity", limit) == list(zip([rfc3339(t) for t in times], [0.1, 1e-9, 41.999999999], strict=True))


def test_page_sizes_have_bounds(rig: Rig) -> None:
    """10,000 rows a page where nothing is said, 1 to 100,000."""
    put(rig, KL.key, [NOW - DAY_MS + 1000 * i for i in range(10_001)], [1.0] * 10_001, [Flag.GOOD] * 10_001)
    assert len(page(rig, "kenh-lau", "quantity=water.salinity")["times"]) == 10_000
    assert len(page(rig, "kenh-lau", f"quantity=water.salinity&limit={MOST_ROWS}")["times"]) > 10_000
    for wrong in (0, MOST_ROWS + 1):
        assert refused(rig, "kenh-lau", f"quantity=water.salinity&limit={wrong}")["parameter"] == "limit"
