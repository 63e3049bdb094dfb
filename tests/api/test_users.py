"""`/api/v1/users`: accounts made, changed and closed by admins; passwords shown once."""

from __future__ import annotations

import json

from servers.backend import PASSWORD, Rig

from api.session import COOKIE


def stored(rig: Rig) -> str:
    """All of the database's accounts and audit rows as text."""
    people = rig.run(lambda: rig.backend.people.people())
    audit = rig.run(lambda: rig.backend.registry.audit(limit=1000))
    return f"{people}{audit}"


def test_the_list_is_paged_by_name_and_holds_no_hash(rig: Rig) -> None:
    """Every account once over the pages, sorted, and nothing of its password."""
    seen, after = [], None
    for _ in range(9):
        page = rig.get("/api/v1/users", as_="minh", params={"limit": 2} | ({"next": after} if after else {}))
        assert "argon2" not in page.text
        seen += [p["name"] for p in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            break
    assert seen == ["be", "cu", "lan", "minh", "moi"]
    lan = next(p for p in rig.get("/api/v1/users", as_="minh").json()["items"] if p["name"] == "lan")
    assert lan == {
        "name": "lan",
        "org": "vithanh",
        "role": "officer",
        "active": True,
        "must_change": False,
        "created_at": "2026-02-21T03:00:00Z",
        "last_login_at": None,
    }


def test_an_account_is_made_with_a_password_that_is_shown_once_and_logs_in_once(rig: Rig) -> None:
    """201 with the password; the database holds neither it nor, in the audit trail, its hash; the list does not show it again."""
    made = rig.post("/api/v1/users", as_="minh", json={"name": "tam", "role": "officer", "org": "longmy"})
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    password = made.json()["password"]
    assert password not in stored(rig)
    assert password not in rig.get("/api/v1/users", as_="minh").text
    audit = rig.run(lambda: rig.backend.registry.audit(limit=1))[0]
    assert (audit.actor, audit.kind, audit.subject, audit.why) == ("minh", "person", "tam", "added")
    assert "argon2" not in audit.after
    entered = rig.post("/api/v1/session", json={"name": "tam", "password": password})
    assert entered.json() == {"name": "tam", "role": "officer", "org": "longmy", "must_change": True}


def test_what_cannot_be_an_account_is_refused_with_the_way_out(rig: Rig) -> None:
    """A taken name is 409; a bad name, role or org is 422 that names the parameter; nothing is made."""
    taken = rig.post("/api/v1/users", as_="minh", json={"name": "lan", "role": "admin", "org": "vithanh"})
    assert taken.status_code == 409
    for body, parameter in (
        ({"name": "Tám", "role": "officer", "org": "vithanh"}, "name"),
        ({"name": "", "role": "officer", "org": "vithanh"}, "name"),
        ({"name": "tam", "role": "king", "org": "vithanh"}, "role"),
        ({"name": "tam", "role": "public", "org": "vithanh"}, "role"),
        ({"name": "tam", "role": "officer", "org": "nowhere"}, "org"),
        ({"name": "tam", "role": "officer", "org": "vithanh", "password": "mine"}, "password"),
    ):
        answer = rig.post("/api/v1/users", as_="minh", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["parameter"] == parameter
    assert len(rig.run(lambda: rig.backend.people.people())) == 5
    assert rig.run(lambda: rig.backend.people.person("lan")).role == "officer"


def test_a_change_of_role_or_org_ends_the_sessions_at_once(rig: Rig) -> None:
    """The next request of an old session is a stranger's, in this process without waiting a second."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 200
    changed = rig.request("PATCH", "/api/v1/users/lan", as_="minh", json={"role": "admin", "org": "longmy"})
    assert changed.json()["role"] == "admin"
    assert changed.json()["org"] == "longmy"
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 401
    assert rig.post("/api/v1/session", json={"name": "lan", "password": PASSWORD}).json()["role"] == "admin"


def test_a_closed_account_is_out_and_an_opened_one_in_again(rig: Rig) -> None:
    """active false ends session and log-in; true lets the same password in, not the old session."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    assert rig.request("PATCH", "/api/v1/users/lan", as_="minh", json={"active": False}).json()["active"] is False
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 401
    assert rig.post("/api/v1/session", json={"name": "lan", "password": PASSWORD}).status_code == 401
    assert rig.request("PATCH", "/api/v1/users/lan", as_="minh", json={"active": True}).status_code == 200
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 401
    assert rig.post("/api/v1/session", json={"name": "lan", "password": PASSWORD}).status_code == 200


def test_a_change_that_changes_nothing_ends_no_session(rig: Rig) -> None:
    """The same role again is no change, and leaves no audit row."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    before = stored(rig)
    assert rig.request("PATCH", "/api/v1/users/lan", as_="minh", json={"role": "officer"}).status_code == 200
    assert rig.request("PATCH", "/api/v1/users/lan", as_="minh", json={}).status_code == 200
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 200
    assert stored(rig) == before


def test_the_last_admin_cannot_be_closed(rig: Rig) -> None:
    """409: somebody must be able to let others in."""
    answer = rig.request("PATCH", "/api/v1/users/minh", as_="minh", json={"active": False}, headers={"Accept-Language": "en"})
    assert answer.status_code == 409
    assert "last admin" in json.dumps(answer.json())
    assert rig.get("/api/v1/users", as_="minh").status_code == 200


def test_a_reset_gives_a_one_time_password_and_ends_the_old_one(rig: Rig) -> None:
    """The old password and every session are over; the new one must be changed at its log-in."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    reset = rig.post("/api/v1/users/lan/password", as_="minh")
    assert reset.json()["must_change"] is True
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 401
    assert rig.post("/api/v1/session", json={"name": "lan", "password": PASSWORD}).status_code == 401
    entered = rig.post("/api/v1/session", json={"name": "lan", "password": reset.json()["password"]})
    assert entered.json()["must_change"] is True


def test_an_unknown_account_is_404(rig: Rig) -> None:
    """By name, also one no database takes."""
    for name in ("nobody", "%00", "a%20b"):
        assert rig.request("PATCH", f"/api/v1/users/{name}", as_="minh", json={}).status_code == 404
        assert rig.post(f"/api/v1/users/{name}/password", as_="minh").status_code == 404
