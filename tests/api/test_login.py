"""Logging in: the cookie, the limits, one-time passwords, what ends a session, and requests from other sites."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer
from servers.backend import NOW, ONE_TIME, PASSWORD, Rig, make_backend, make_rig

from api import passwords
from api.login import CLICK_MS, WINDOW_MS, place_of
from api.session import COOKIE, LIFE_MS, comes_from_us
from api.web.pages.login import own_path
from core.errors import UnavailableError

MINUTE = 60_000


def log_in(rig: Rig, name: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
    """POST /api/v1/session."""
    more["headers"] = {"X-Requested-With": "test"} | more.get("headers", {})
    return rig.post("/api/v1/session", json={"name": name, "password": password}, **more)


def kind(answer: httpx.Response) -> str:
    """The kind of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["type"]).rpartition(":")[2]


def change(rig: Rig, name: str, **changes: Any) -> None:
    """Another process changes an account, and a second passes."""
    person = rig.run(lambda: rig.backend.people.person(name))
    rig.run(lambda: rig.backend.people.put_person(replace(person, **changes), actor="test"))
    rig.app.state.sessions._kept.clear()


# ------------------------------------------------------------ the cookie


def test_who_logs_in_is_known_afterwards_and_a_stranger_after_logging_out(rig: Rig) -> None:
    """POST gives a cookie, GET says whose it is, DELETE takes it away."""
    assert rig.get("/api/v1/session").json() == {"name": "", "role": "public", "org": "", "must_change": False}
    mine = {"name": "lan", "role": "officer", "org": "vithanh", "must_change": False}
    assert log_in(rig, "lan").json() == mine
    assert rig.get("/api/v1/session").json() == mine
    assert rig.get("/api/v1/devices").status_code == 200
    assert rig.request("DELETE", "/api/v1/session", headers={"X-Requested-With": "test"}).status_code == 204
    assert rig.get("/api/v1/session").json()["role"] == "public"
    assert rig.get("/api/v1/devices").status_code == 401


def test_the_name_may_begin_with_the_capital_a_phone_makes_of_it(rig: Rig) -> None:
    """` Lan` is lan."""
    assert log_in(rig, " Lan").status_code == 200


def test_an_admin_is_of_no_org(rig: Rig) -> None:
    """An admin sees all orgs, whatever org the account names."""
    assert log_in(rig, "minh").json() == {"name": "minh", "role": "admin", "org": "", "must_change": False}


@pytest.mark.parametrize(("url", "base", "secure"), [("", "http", False), ("https://man.example.vn", "http", True), ("", "https", True)])
def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(tmp_path: Path, url: str, base: str, secure: bool) -> None:
    """HttpOnly, SameSite=Lax, Path=/, twelve hours; Secure where the request came by https or the public address is https."""
    rig = make_rig(tmp_path, url=url)
    rig.client.base_url = httpx.URL(f"{base}://canhman.test")
    for answer in (log_in(rig, "lan"), rig.post("/login", data={"name": "lan", "password": PASSWORD}, headers={"X-Requested-With": "test"})):
        parts = [part.strip().lower() for part in answer.headers["set-cookie"].split(";")]
        assert parts[0].startswith(f"{COOKIE}=")
        assert {"httponly", "samesite=lax", "path=/", f"max-age={LIFE_MS // 1000}"} <= set(parts)
        assert ("secure" in parts) is secure
        assert not any(part.startswith("domain") for part in parts)
        assert answer.headers["cache-control"] == "no-store"
    rig.close()


def test_a_session_that_stood_before_the_log_in_is_not_taken_over(rig: Rig) -> None:
    """Fixation: whatever cookie a browser came with, logging in gives another one, and the planted one stays what it was."""
    planted = rig.cookie("be")
    rig.system.now += 1000
    answer = log_in(rig, "lan", headers={"Cookie": f"{COOKIE}={planted}", "X-Requested-With": "test"})
    given_one = re.match(rf"{COOKIE}=([^;]+)", answer.headers["set-cookie"])
    assert given_one is not None
    assert given_one[1] != planted
    rig.client.cookies.clear()
    assert rig.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={planted}"}).json()["name"] == "be"


@pytest.mark.parametrize("text", ["", "x", "eyJ.x", "WyJsYW4iLDEsMV0.AAAA", "é" * 20, "A" * 4000, '["lan",1,1]'])
def test_a_forged_cookie_is_nobodys(rig: Rig, text: str) -> None:
    """What we did not sign is as good as no cookie: no error, no right."""
    answer = rig.get("/api/v1/session", headers={b"cookie": f"{COOKIE}={text}".encode()})
    assert answer.status_code == 200
    assert answer.json()["role"] == "public"


def test_a_cookie_of_another_secret_or_purpose_is_nobodys(rig: Rig) -> None:
    """The key is derived from the installation's secret, for this purpose alone."""
    for key, salt in ((b"other" * 8, "canhman.session"), (rig.backend.secret, "canhman.session"), (rig.backend.secret, "itsdangerous")):
        forged = URLSafeSerializer(key, salt=salt).dumps(["minh", 1, NOW])
        assert rig.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={forged}"}).json()["role"] == "public"


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(rig: Rig) -> None:
    """The life is absolute, by the system's clock; the installation's may run at any speed."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    rig.clock.now += 100 * LIFE_MS
    for _ in range(3):
        rig.system.now += LIFE_MS // 3 - 1000
        assert rig.get("/api/v1/session", headers=cookie).json()["name"] == "lan"
    rig.system.now = NOW + LIFE_MS
    assert rig.get("/api/v1/session", headers=cookie).json()["name"] == ""
    rig.system.now = NOW - 10 * MINUTE  # issued in the future
    assert rig.get("/api/v1/session", headers=cookie).json()["name"] == ""


@pytest.mark.parametrize("changes", [{"active": False}, {"role": "admin"}, {"org": "longmy"}, {"password": "other"}, {"generation": 2}])
def test_a_session_ends_with_a_change_of_its_account(rig: Rig, changes: dict[str, Any]) -> None:
    """A closed account, another role, org or password, or a raised generation: older sessions are nobody's."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 200
    change(rig, "lan", **changes)
    assert rig.get("/api/v1/session", headers=cookie).json()["role"] == "public"
    assert rig.get("/api/v1/devices", headers=cookie).status_code == 401


def test_the_account_is_read_at_most_once_a_second(rig: Rig) -> None:
    """Many requests of one session ask the database once."""
    asked = []
    people = rig.backend.people
    read = people.person

    async def counted(name: str) -> Any:
        asked.append(name)
        return await read(name)

    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    people.person = counted  # type: ignore[method-assign]  # to see it asked
    for _ in range(5):
        assert rig.get("/api/v1/session", headers=cookie).json()["name"] == "lan"
    assert len(asked) == 1


def test_with_a_cookie_and_the_database_away_the_answer_is_503_and_statics_still_come(rig: Rig) -> None:
    """Nobody is taken for a stranger because we cannot look; the health of the process and static files ask for nobody."""
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}

    async def away(name: str) -> Any:
        raise UnavailableError("the database is away")

    rig.backend.people.person = away  # type: ignore[method-assign]  # as it is
    answer = rig.get("/api/v1/session", headers=cookie)
    assert answer.status_code == 503
    assert kind(answer) == "away"
    assert answer.headers["retry-after"] == "5"
    assert "text/html" in rig.get("/login", headers=cookie | {"Accept": "text/html"}).headers["content-type"]
    assert rig.get("/healthz", headers=cookie).status_code == 200
    assert rig.get("/static/x/none.css", headers=cookie).status_code == 404
    assert log_in(rig, "lan").status_code == 503


# ------------------------------------------------------------ wrong passwords


def test_wrong_password_unknown_name_and_closed_account_are_told_alike(rig: Rig) -> None:
    """One answer for all three, so that nobody learns which names there are."""
    answers = [log_in(rig, "lan", "not-the-password"), log_in(rig, "nobody"), log_in(rig, "cu"), log_in(rig, "\0' or 1=1")]
    assert {a.status_code for a in answers} == {401}
    assert len({a.text for a in answers}) == 1
    assert kind(answers[0]) == "wrong_password"
    assert all("set-cookie" not in a.headers for a in answers)


def test_an_unknown_name_costs_the_same_hash_as_a_known_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path runs: one check of a hash of today's cost, whether the name is known, unknown or closed."""
    checked = []
    monkeypatch.setattr(passwords, "fits", lambda kept, password: checked.append(kept or passwords.NOBODY) or False)
    for name in ("lan", "nobody", "cu"):
        log_in(rig, name, "x" * 12)
    assert len(checked) == 3
    assert checked[1] == checked[2] == passwords.NOBODY
    cost = re.escape(passwords.hash_of("x").split("$")[3])
    assert re.match(rf"\$argon2id\$v=19\${cost}\$", passwords.NOBODY)


def test_the_hash_of_nobody_is_a_sound_one_that_no_password_fits() -> None:
    """It is computed in full: a hash that could not be read would answer at once, and tell."""
    with pytest.raises(Exception, match="does not match"):
        passwords.HASHER.verify(passwords.NOBODY, "anything")
    assert not passwords.fits("", "anything")


def test_five_failures_of_a_name_close_its_door_for_a_quarter_of_an_hour(rig: Rig) -> None:
    """The sixth try is 429 with Retry-After, with the right password too, from any address; after 15 minutes it is let in."""
    for n in range(5):
        assert log_in(rig, "lan", f"wrong-{n}").status_code == 401
    answer = log_in(rig, "lan")
    assert answer.status_code == 429
    assert kind(answer) == "too_many"
    assert 0 < int(answer.headers["retry-after"]) <= WINDOW_MS // 1000
    assert "set-cookie" not in answer.headers
    assert log_in(rig, "be").status_code == 200  # others are not touched
    rig.system.now += WINDOW_MS - 1
    assert log_in(rig, "lan").status_code == 429
    rig.system.now += 2
    assert log_in(rig, "lan").status_code == 200


def test_the_limit_is_the_same_for_a_name_nobody_has(rig: Rig) -> None:
    """A 429 must not tell which names there are."""
    for n in range(5):
        assert log_in(rig, "nobody", f"wrong-{n}").status_code == 401
    assert log_in(rig, "nobody").status_code == 429


def test_a_right_password_forgets_the_failures_of_its_name(rig: Rig) -> None:
    """Four slips, the right one, four slips: no limit."""
    for _ in range(2):
        for n in range(4):
            assert log_in(rig, "lan", f"wrong-{n}").status_code == 401
        assert log_in(rig, "lan").status_code == 200


def test_twenty_failures_of_an_address_close_its_door_to_every_name(rig: Rig) -> None:
    """Trying many names from one address ends after twenty; a right log-in in between does not reset the address."""
    for n in range(20):
        assert log_in(rig, f"guess{n}", "wrong").status_code == 401
        if n == 10:
            assert log_in(rig, "lan").status_code == 200
    assert log_in(rig, "lan").status_code == 429
    other = Rig(rig.backend, address="192.0.2.8")
    assert log_in(other, "lan").status_code == 200
    other._runner.run(other.client.aclose())
    other._runner.close()


def test_the_address_is_the_connections_not_what_a_header_says(rig: Rig) -> None:
    """X-Forwarded-For and its like are anybody's to write."""
    for n in range(20):
        log_in(rig, f"guess{n}", "wrong", headers={"X-Forwarded-For": f"198.51.100.{n}", "Forwarded": f"for=198.51.100.{n}"})
    assert log_in(rig, "lan").status_code == 429


def test_failures_outlive_the_process(rig: Rig) -> None:
    """The count stands in the database: a restart is no way around it."""
    for n in range(5):
        log_in(rig, "lan", f"wrong-{n}")
    again = Rig(rig.backend)
    assert log_in(again, "lan").status_code == 429
    again._runner.run(again.client.aclose())
    again._runner.close()


def test_a_hundred_tries_at_the_same_moment_are_no_way_around_the_limit(rig: Rig) -> None:
    """Attempts under way count: of thirty at once five are looked at, and at most two hashes run beside each other."""
    running, most, looked = 0, 0, 0

    async def slow(kept: str, password: str) -> bool:
        nonlocal running, most, looked
        async with rig.app.state.log_ins._hashing._turn:
            running, looked = running + 1, looked + 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
        return False

    rig.app.state.log_ins._hashing.fits = slow

    async def burst() -> list[int]:
        tries = [rig.client.post("/api/v1/session", json={"name": "lan", "password": f"w{n}"}) for n in range(30)]
        return [a.status_code for a in await asyncio.gather(*tries)]

    codes = rig.run(burst)
    assert sorted(codes) == [401] * 5 + [429] * 25
    assert looked == 5
    assert most == 2
    assert not rig.app.state.log_ins._under_way


def test_ipv6_is_limited_by_household_and_a_mapped_address_is_its_ipv4() -> None:
    """A household has 2⁶⁴ addresses; ::ffff:192.0.2.7 is 192.0.2.7."""
    assert place_of("2001:db8:1:2:aaaa::1") == place_of("2001:db8:1:2:bbbb::2")
    assert place_of("2001:db8:1:3::1") != place_of("2001:db8:1:2::1")
    assert place_of("::ffff:192.0.2.7") == place_of("192.0.2.7") == "192.0.2.7"
    assert place_of("fe80::1%eth0") == place_of("fe80::2")
    assert place_of("") == ""


def test_no_password_is_ever_said_back(rig: Rig) -> None:
    """A body that cannot be read is a problem that repeats neither its password nor the whole body."""
    for body in ({"name": "lan", "password": 20061996}, {"name": ["lan"], "password": "tell-nobody"}, {"name": "lan", "password": "tell-nobody" * 200}):
        answer = rig.post("/api/v1/session", json=body)
        assert answer.status_code == 422
        assert "20061996" not in answer.text
        assert "tell-nobody" not in answer.text
    plain = rig.post("/api/v1/session", content='{"name": "lan", "password": "tell-nobody"}', headers={"Content-Type": "text/plain"})
    assert plain.status_code == 422
    assert "tell-nobody" not in plain.text
    page = rig.post("/login", data={"name": "lan", "password": "tell-nobody" * 200}, headers={"Accept": "text/html"})
    assert "tell-nobody" not in page.text


HALF = "\\ud800"  # in JSON: half a surrogate pair, which no UTF-8 text holds


def test_half_a_surrogate_in_a_password_is_a_failure_like_any_other(rig: Rig) -> None:
    """No hash takes such a text: 401, no fault of ours, and it counts towards the limit."""

    def knock(body: str) -> httpx.Response:
        return rig.post("/api/v1/session", content=body.encode(), headers={"Content-Type": "application/json", "X-Requested-With": "test"})

    answer = knock(f'{{"name": "{HALF}", "password": "x"}}')  # nobody's name: refused before any hash
    assert (answer.status_code, answer.json()["parameter"]) == (422, "name")
    assert [knock(f'{{"name": "lan", "password": "{HALF}{n}"}}').status_code for n in range(5)] == [401] * 5
    assert log_in(rig, "lan").status_code == 429


@pytest.mark.parametrize("field", ["name", "password", "next"])
def test_half_a_surrogate_in_a_form_is_told(rig: Rig, field: str) -> None:
    """A multipart form may name a charset that makes one."""
    head = 'Content-Disposition: form-data; name="'
    fields = {"name": "lan", "password": PASSWORD, "next": "/"} | {field: f"/{HALF}"}
    parts = "".join(f'--b\r\n{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    headers = {"Content-Type": "multipart/form-data; boundary=b; charset=unicode_escape", "X-Requested-With": "test"}
    answer = rig.post("/login", content=f"{parts}--b--\r\n".encode(), headers=headers)
    assert (answer.status_code, answer.json()["parameter"]) == (422, field)


def test_a_new_password_with_half_a_surrogate_is_refused(rig: Rig) -> None:
    """422 in words, and as the old one 403 that counts."""
    headers = {"Content-Type": "application/json", "X-Requested-With": "test"}

    def choose(old: str, new: str) -> httpx.Response:
        return rig.post("/api/v1/session/password", as_="lan", content=f'{{"old": "{old}", "new": "{new}"}}'.encode(), headers=headers)

    answer = choose(PASSWORD, f"bong-sung-{HALF}")
    assert (answer.status_code, answer.json()["parameter"]) == (422, "new")
    assert [choose(HALF, "bong-sung-trang").status_code for _ in range(5)] == [403] * 5
    assert choose(PASSWORD, "bong-sung-trang").status_code == 429


# ------------------------------------------------------------ one-time passwords and choosing another


def test_a_one_time_password_opens_once_and_only_the_way_to_a_new_one(rig: Rig) -> None:
    """It logs in once; that session may choose a password and nothing else; then it is a full one, and the old password is gone."""
    first = log_in(rig, "moi", ONE_TIME)
    assert first.json() == {"name": "moi", "role": "officer", "org": "vithanh", "must_change": True}
    refused = rig.get("/api/v1/devices")
    assert refused.status_code == 403
    assert kind(refused) == "must_change"
    assert "/api/v1/session/password" in refused.json()["detail"]
    assert rig.get("/api/v1/session").json()["must_change"] is True
    other = Rig(rig.backend)
    assert log_in(other, "moi", ONE_TIME).status_code == 401  # the second time
    before = rig.client.cookies[COOKIE]
    headers = {"X-Requested-With": "test"}
    chosen = rig.post("/api/v1/session/password", json={"old": ONE_TIME, "new": "bong-sung-trang"}, headers=headers)
    assert chosen.json() == {"name": "moi", "role": "officer", "org": "vithanh", "must_change": False}
    assert rig.get("/api/v1/devices").status_code == 200
    assert other.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={before}"}).json()["name"] == ""  # the session of the one-time password is over
    assert log_in(other, "moi", ONE_TIME).status_code == 401
    assert log_in(other, "moi", "bong-sung-trang").status_code == 200
    other._runner.run(other.client.aclose())
    other._runner.close()


def test_a_one_time_session_sees_public_things_as_a_stranger_does(rig: Rig) -> None:
    """Its org's private stations are not shown before a password was chosen."""
    change(rig, "be", must_change=True)
    answer = rig.get("/api/v1/stations", as_="be")
    assert answer.status_code == 200
    assert "rieng" not in answer.text


def test_choosing_a_password_ends_every_other_session(rig: Rig) -> None:
    """A stolen session dies with the password it was opened by; the browser that chose goes on."""
    stolen = rig.cookie("lan")
    log_in(rig, "lan")
    answer = rig.post("/api/v1/session/password", json={"old": PASSWORD, "new": "bong-sung-trang"}, headers={"X-Requested-With": "test"})
    assert answer.status_code == 200
    assert rig.get("/api/v1/session").json()["name"] == "lan"
    rig.client.cookies.clear()
    assert rig.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={stolen}"}).json()["name"] == ""


@pytest.mark.parametrize(
    ("new", "detail"),
    [
        ("short", "10 characters"),
        ("123456789", "10 characters"),
        ("lan1234567", "made of the name"),
        ("LAN-2026-!!!", "made of the name"),
        ("matkhau123", "many people"),
        ("aaaaaaaaaaaa", "many people"),
        (PASSWORD, "differ"),
        ("x" * 1025, "1024"),
    ],
)
def test_a_new_password_must_be_long_and_not_the_easy_guess(rig: Rig, new: str, detail: str) -> None:
    """At least ten characters, not the name, not a common one, not the old one; the reason is told, the password is not."""
    answer = rig.post("/api/v1/session/password", as_="lan", json={"old": PASSWORD, "new": new}, headers={"Accept-Language": "en"})
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
    assert new not in answer.text or len(new) < 6
    assert log_in(rig, "lan").status_code == 200


def test_choosing_needs_the_old_password_and_a_session(rig: Rig) -> None:
    """Without a session 401; with a wrong old one 403, which counts towards the limit."""
    assert rig.post("/api/v1/session/password", json={"old": PASSWORD, "new": "bong-sung-trang"}).status_code == 401
    for _ in range(5):
        answer = rig.post("/api/v1/session/password", as_="lan", json={"old": "wrong", "new": "bong-sung-trang"})
        assert answer.status_code == 403
        assert kind(answer) == "wrong_old"
    assert rig.post("/api/v1/session/password", as_="lan", json={"old": PASSWORD, "new": "bong-sung-trang"}).status_code == 429


@given(name=st.from_regex(r"[a-z][a-z0-9]{2,15}", fullmatch=True), tail=st.text("0123456789._-!", max_size=12))
def test_no_password_made_of_the_name_is_taken(name: str, tail: str) -> None:
    """The name with digits and marks around it is the first thing anybody tries."""
    assert passwords.fault(name, name + tail) != ""
    assert passwords.fault(name, tail + name.upper()) != ""


def test_one_time_passwords_are_long_enough_to_be_anybodys_and_never_refused() -> None:
    """Over 70 bits, no letter that reads as another, and all different."""
    made = {passwords.one_time() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"([a-hj-km-np-z2-9]{4}-){3}[a-hj-km-np-z2-9]{4}", p) for p in made)


# ------------------------------------------------------------ other sites' pages


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, False),
        ({"X-Requested-With": "test"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "X-Requested-With": "test"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://canhman.test"}, False),
        ({"Origin": "http://canhman.test"}, True),
        ({"Origin": "http://canhman.test:80"}, True),
        ({"Origin": "https://canhman.test"}, True),  # a proxy in front of us ends TLS
        ({"Origin": "http://canhman.test.evil.example"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://evil.example", "X-Requested-With": "test"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://canhman.test:8080"}, False),
        ({"Origin": "http://[x"}, False),
        ({"Referer": "http://canhman.test/login"}, True),
        ({"Referer": "http://evil.example/canhman.test"}, False),
        ({"Origin": "https://man.example.vn"}, True),
        ({"Origin": "http://man.example.vn"}, False),
    ],
)
def test_a_change_with_a_session_must_come_from_our_own_pages(tmp_path: Path, headers: dict[str, str], allowed: bool) -> None:
    """A page of another site cannot act with somebody's cookie: own Origin or Sec-Fetch-Site, or a header no form can send."""
    rig = make_rig(tmp_path, url="https://man.example.vn")
    cookie = {"Cookie": f"{COOKIE}={rig.cookie('lan')}"}
    answer = rig.request("DELETE", "/api/v1/session", headers=cookie | headers)
    assert answer.status_code == (204 if allowed else 403)
    if not allowed:
        assert kind(answer) == "cross_site"
    assert rig.get("/api/v1/session", headers=cookie | headers).status_code == 200  # looking changes nothing
    rig.close()


def test_another_sites_form_cannot_log_a_visitor_in(rig: Rig) -> None:
    """Log-in CSRF: without a cookie too, a form of another site is refused; a program that says nothing is not."""
    data = {"name": "lan", "password": PASSWORD}
    assert rig.post("/login", data=data, headers={"Origin": "http://evil.example"}).status_code == 403
    assert rig.post("/login", data=data, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert rig.post("/login", data=data).status_code == 303


def test_no_source_says_nothing() -> None:
    """A request that names no source is neither ours nor another's."""
    from starlette.datastructures import Headers

    assert comes_from_us(Headers({"host": "a"}), "http", "") is None


# ------------------------------------------------------------ the pages


def test_the_forms_work_without_scripts(rig: Rig) -> None:
    """Log in, be sent on to a new password, choose it, be sent on, log out: all by forms."""
    html = {"Accept": "text/html", "Origin": "http://canhman.test"}
    form = rig.get("/login?next=/tram/kenh-lau", headers=html)
    assert 'name="next" value="/tram/kenh-lau"' in form.text
    assert form.headers["cache-control"] == "no-store"
    wrong = rig.post("/login", data={"name": "moi", "password": "x"}, headers=html)
    assert wrong.status_code == 401
    assert "Sai tên hoặc mật khẩu" in wrong.text
    entered = rig.post("/login", data={"name": "moi", "password": ONE_TIME, "next": "/tram/kenh-lau"}, headers=html)
    assert entered.status_code == 303
    assert entered.headers["location"] == "/password?next=%2Ftram%2Fkenh-lau"
    form = rig.get(entered.headers["location"], headers=html)
    assert "chỉ dùng được một lần" in form.text
    assert 'name="next" value="/tram/kenh-lau"' in form.text
    differ = rig.post("/password", data={"old": ONE_TIME, "new": "bong-sung-trang", "again": "bong-sung-tran"}, headers=html)
    assert differ.status_code == 422
    filled = {"old": ONE_TIME, "new": "bong-sung-trang", "again": "bong-sung-trang", "next": "/tram/kenh-lau"}
    chosen = rig.post("/password", data=filled, headers=html)
    assert chosen.status_code == 303
    assert chosen.headers["location"] == "/tram/kenh-lau"
    assert "Đang vào với tên moi" in rig.get("/login", headers=html).text
    assert "Logged in as moi" in rig.get("/login?lang=en", headers=html).text
    left = rig.post("/logout", headers=html)
    assert left.headers["location"] == "/"
    assert rig.get("/api/v1/session").json()["name"] == ""


def test_a_second_click_on_the_form_is_the_same_log_in(rig: Rig) -> None:
    """A browser drops the answer to the first click: the second gets the session. Another form, none, or a later one opens nothing with a spent password."""
    html = {"Accept": "text/html", "Origin": "http://canhman.test"}
    here, another = (re.findall(r'name="form" value="([^"]{16,})"', rig.get("/login", headers=html).text)[0] for _ in range(2))
    assert here != another
    clicked = {"name": "moi", "password": ONE_TIME, "form": here}
    assert rig.post("/login", data=clicked, headers=html).status_code == 303
    rig.client.cookies.clear()
    assert rig.post("/login", data=clicked | {"form": another}, headers=html).status_code == 401
    assert rig.post("/login", data=clicked | {"form": ""}, headers=html).status_code == 401
    assert rig.post("/login", data=clicked | {"password": "x"}, headers=html).status_code == 401
    assert rig.post("/login", data=clicked, headers=html).headers["location"] == "/password"
    assert rig.get("/api/v1/session").json()["name"] == "moi"
    rig.client.cookies.clear()
    rig.system.now += CLICK_MS + 1
    assert rig.post("/login", data=clicked, headers=html).status_code == 401


def test_the_password_page_of_a_stranger_is_the_log_in_form(rig: Rig) -> None:
    """401 to a browser is the form itself, which leads back to where one wanted to go."""
    page = rig.get("/password", headers={"Accept": "text/html"})
    assert page.status_code == 401
    assert 'action="/login"' in page.text
    assert 'name="next" value="/password"' in page.text


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/tram/kenh-lau", "/tram/kenh-lau"),
        ("/?lang=en#x", "/?lang=en#x"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/" + "a" * 600, "/"),
        ("login", "/"),
    ],
)
def test_next_leads_only_to_our_own_pages(rig: Rig, asked: str, led: str) -> None:
    """A link to our log-in that ends at another site would be a fisher's tool."""
    assert own_path(asked) == led
    answer = rig.post("/login", data={"name": "lan", "password": PASSWORD, "next": asked})
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        assert answer.headers["location"] == led


@given(st.text(max_size=40))
def test_next_is_a_path_whatever_is_asked(text: str) -> None:
    """Whatever stands in it, a browser on our site stays on our site."""
    led = own_path(text)
    joined = httpx.URL("http://canhman.test/login").join(led)
    assert joined.host == "canhman.test"


def test_the_forms_escape_what_strangers_put_into_the_address(rig: Rig) -> None:
    """`next` is text in an attribute, never markup."""
    page = rig.get('/login?next=/"><script>alert(1)</script>', headers={"Accept": "text/html"})
    assert "<script>" not in page.text


def test_a_backend_of_its_own_secret_reads_no_cookie_of_another(tmp_path: Path) -> None:
    """Two installations do not share sessions."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = Rig(make_backend(tmp_path / "a")), Rig(make_backend(tmp_path / "b", secret=b"another" * 5))
    cookie = one.cookie("lan")
    assert one.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={cookie}"}).json()["name"] == "lan"
    assert two.get("/api/v1/session", headers={"Cookie": f"{COOKIE}={cookie}"}).json()["name"] == ""
    one.close()
    two.close()


def test_the_form_keeps_the_name_after_a_wrong_password(rig: Rig) -> None:
    """As text, never the password; who is logged in finds the way out at the foot of every page."""
    answer = rig.post("/login", data={"name": 'l"an', "password": "wrong-wrong"}, headers={"X-Requested-With": "test"})
    assert answer.status_code == 401
    assert 'value="l&#34;an"' in answer.text
    assert "wrong-wrong" not in answer.text
    assert 'action="/logout"' in rig.get("/", as_="lan", headers={"Accept": "text/html"}).text
    assert 'action="/logout"' not in rig.get("/", headers={"Accept": "text/html"}).text


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("1234567890", "New password: many people use this one, choose another."),
        ("8-20-4756-1", "New password: it must not be digits and signs only."),
        ("lan-1234567", "New password: it must not be made of the name."),
        ("qwertyuiop", "New password: many people use this one, choose another."),
        ("short", "New password: it must have 10 characters or more."),
    ],
)
def test_why_a_password_is_refused(rig: Rig, new: str, why: str) -> None:
    """In a sentence that is true of it, without the name of a parameter."""
    sent = {"old": PASSWORD, "new": new, "again": new}
    assert why in rig.post("/password?lang=en", as_="lan", data=sent, headers={"Accept": "text/html"}).text
