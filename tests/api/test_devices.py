"""`/api/v1/devices`: what talks and how it is, for the officers of its org."""

from __future__ import annotations

from servers.backend import NASTY, Rig

ALL = [("cl01", "vithanh"), ("kl01", "vithanh"), ("kn01", "vithanh"), ("la-hoac", "vithanh"), ("r801", "vithanh"), ("ri01", "longmy")]


def listed(rig: Rig, who: str, **params: object) -> list[dict[str, object]]:
    """The items of one page."""
    found: list[dict[str, object]] = rig.get("/api/v1/devices", as_=who, params=params).json()["items"]
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
