"""`/api/v1/devices`: what talks and how it is, for the officers of its org."""

from __future__ import annotations

from typing import Any

from servers.backend import NASTY, NOW, SERIES, Rig

from core.state import BootSpan, Commit, DeviceClock, Latest, Written

ALL = [("cl01", "vithanh"), ("kl01", "vithanh"), ("kn01", "vithanh"), ("la-hoac", "vithanh"), ("r801", "vithanh"), ("ri01", "longmy")]


def listed(rig: Rig, who: str, *, language: str = "vi", **params: object) -> list[dict[str, Any]]:
    """The items of one page."""
    found: list[dict[str, Any]] = rig.get("/api/v1/devices", as_=who, params=params, headers={"Accept-Language": language}).json()["items"]
    return found


def test_an_officer_sees_the_own_orgs_devices_and_an_admin_all(rig: Rig) -> None:
    """By id, registered and waiting alike; nothing of another org."""
    assert [(d["id"], d["org"]) for d in listed(rig, "minh")] == ALL
    assert [(d["id"], d["org"]) for d in listed(rig, "lan")] == [d for d in ALL if d[1] == "vithanh"]
    assert [(d["id"], d["org"]) for d in listed(rig, "be")] == [("ri01", "longmy")]


def test_a_device_tells_where_it_stands_and_how_it_is(rig: Rig) -> None:
    """Deployments, last word, newest reading with its age by the installation's clock, interval and counters."""
    rig.clock.now += 60_000
    kl01 = next(d for d in listed(rig, "lan") if d["id"] == "kl01")
    assert kl01 == {
        "id": "kl01",
        "org": "vithanh",
        "state": "registered",
        "model": "native",
        "credential": "join_key",
        "deployments": [
            {"channel": "main", "station": "kenh-lau", "point": "main", "role": "primary", "start": None, "end": None, "interval_s": 900.0, "depth_m": None}
        ],
        "status": "online",
        "status_at": "2026-03-02T02:00:00Z",
        "newest": {"time": "2026-03-02T02:55:00Z", "age_s": 360, "received": "2026-03-02T02:55:02Z"},
        "interval_s": 900.0,
        "counters": {"duplicate": 3, "gap": 2},
        "waiting": None,
        "clock": None,
        "missing": 0,
    }
    ri01 = listed(rig, "be")[0]
    assert ri01["interval_s"] == 900.0  # of its readings: its deployment names none
    assert ri01["status"] is None
    assert ri01["counters"] == {}


def test_a_device_that_waits_shows_what_it_sent_as_plain_text(rig: Rig) -> None:
    """T40: a stranger's payload is a string of JSON, never of a type a browser would run."""
    answer = rig.get("/api/v1/devices", as_="lan")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    stranger = next(d for d in answer.json()["items"] if d["id"] == "la-hoac")
    assert stranger["state"] == "waiting"
    assert stranger["waiting"] == {
        "messages": 1,
        "bytes": len(NASTY),
        "first": "2026-03-02T02:00:00Z",
        "last": "2026-03-02T02:00:00Z",
        "head": NASTY,
    }
    assert stranger["model"] is None
    assert stranger["newest"] is None


def test_pages_give_every_device_once(rig: Rig) -> None:
    """`limit` and `next` walk the same list, whatever the page size."""
    for limit in (1, 2, 4, 6, 1000):
        seen, after = [], None
        while True:
            page = rig.get("/api/v1/devices", as_="minh", params={"limit": limit} | ({"next": after} if after else {})).json()
            assert len(page["items"]) <= limit
            seen += [(d["id"], d["org"]) for d in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert seen == ALL


def test_a_wrong_limit_or_next_is_told(rig: Rig) -> None:
    """422 that names the parameter."""
    for params, parameter in (({"limit": 0}, "limit"), ({"limit": 1001}, "limit"), ({"limit": "x"}, "limit"), ({"next": "nonsense"}, "next")):
        answer = rig.get("/api/v1/devices", as_="minh", params=params)
        assert answer.status_code == 422
        assert answer.json()["parameter"] == parameter


def test_a_clock_is_told_in_the_callers_language(rig: Rig) -> None:
    """Verdict and offset for programs, the sentence with its way out for people."""
    clock = DeviceClock(device="kl01", verdict="zone", offset_ms=25_199_000, spread_ms=250, drift_ms=None, at=NOW, reset_at=NOW - 1000, reset_to=0)
    rig.run(lambda: rig.backend.states.commit(Commit(journal="j1", state_cursor=1, clocks=(clock,))))
    found = listed(rig, "lan", language="en")[1]["clock"]
    text = found.pop("text")
    assert found == {
        "verdict": "zone",
        "offset_s": 25_199.0,
        "spread_s": 0.25,
        "drift_s_per_day": None,
        "at": "2026-03-02T03:00:00Z",
        "lost_at": "2026-03-02T02:59:59Z",
    }
    assert "canhman deadletters replay --reason clock --device kl01 --shift -7h" in text
    assert "1970-01-01" in text
    assert listed(rig, "lan")[1]["clock"]["text"].startswith("Máy mất giờ")


def test_what_is_missing_is_told_by_number(rig: Rig) -> None:
    """Per device how many, and by boot which; another org's device is none."""
    spans = (
        BootSpan(device="kl01", boot=4, lowest=1, highest=20, holes=((3, 5), (9, 9)), last_time=NOW - 1000),
        BootSpan(device="kl01", boot=-1, lowest=1, highest=20, holes=((7, 8),), last_time=NOW),
        BootSpan(device="ri01", boot=1, lowest=1, highest=2),
    )
    rig.run(lambda: rig.backend.states.commit(Commit(journal="j1", state_cursor=1, boots=spans)))
    assert listed(rig, "lan")[1]["missing"] == 6
    found = rig.get("/api/v1/devices/kl01/gaps", as_="lan").json()
    assert (found["device"], found["missing"]) == ("kl01", 6)
    assert [(g["boot"], g["missing"]) for g in found["items"]] == [(4, 4), (None, 2)]
    assert found["items"][0]["holes"] == [{"first": 3, "last": 5}, {"first": 9, "last": 9}]
    assert found["items"][0]["last_time"] == "2026-03-02T02:59:59Z"
    assert rig.get("/api/v1/devices/ri01/gaps", as_="minh").json() == {"device": "ri01", "missing": 0, "items": []}
    for who, name in (("lan", "ri01"), ("be", "kl01"), ("minh", "nobody")):
        answer = rig.get(f"/api/v1/devices/{name}/gaps", as_=who)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:canhman:problem:no_device")
    assert rig.get("/api/v1/devices/kl01/gaps").status_code == 401


def test_late_readings_move_no_latest_back(rig: Rig) -> None:
    """A backlog of last week is stored and judged again from there; station, verdict and device still tell of the newest time."""
    before = rig.get("/api/v1/stations/kenh-lau").json()
    device = listed(rig, "lan")[1]["newest"]
    key = SERIES[0].key
    late = Written(key=key, role="primary", newest=Latest(time=NOW - 7 * 86_400_000, value=9.0, flag=1), received=NOW, dirty_from=NOW - 7 * 86_400_000)
    rig.run(lambda: rig.backend.states.commit(Commit(journal="j1", state_cursor=1, written=(late,))))
    after = rig.get("/api/v1/stations/kenh-lau").json()
    assert (after["latest"], after["risk"]) == (before["latest"], before["risk"])
    assert before["latest"]["water.salinity"]["time"] == "2026-03-02T02:55:00Z"
    assert listed(rig, "lan")[1]["newest"] == device
    states = {s.key: s for s in rig.run(lambda: rig.backend.states.states())}
    assert (states[key].newest.time, states[key].dirty_from) == (NOW - 5 * 60_000, NOW - 7 * 86_400_000)
