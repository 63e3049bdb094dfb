"""`/api/v1/deadletters`: what could not be stored, for the officers of the org it concerns."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from servers.backend import NASTY, NOW, Rig, with_parts

from core.clock import rfc3339
from core.deadletter import DeadLetter
from core.message import Message
from core.state import Commit


def walked(rig: Rig, who: str, **params: Any) -> list[dict[str, Any]]:
    """All items over all pages."""
    found: list[dict[str, Any]] = []
    after = None
    for _ in range(100):
        answer = rig.get("/api/v1/deadletters", as_=who, params=params | ({"next": after} if after else {}))
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) <= params.get("limit", 100)
        found += answer.json()["items"]
        after = answer.json()["next"]
        if after is None:
            return found
    raise AssertionError("no end")


def test_an_officer_sees_the_letters_of_the_own_org_and_an_admin_all(rig: Rig) -> None:
    """Newest first; a device nobody registered belongs to the org it wrote to."""
    assert len(walked(rig, "minh")) == 8
    assert {x["device"] for x in walked(rig, "lan")} == {"kl01", "stranger"}
    assert len(walked(rig, "lan")) == 7
    assert [x["device"] for x in walked(rig, "be")] == ["ri01"]
    ids = [x["id"] for x in walked(rig, "minh")]
    assert ids == sorted(ids, reverse=True)


def test_a_letter_belongs_to_its_devices_org_not_to_the_one_it_wrote_to(rig: Rig) -> None:
    """A device of longmy that writes under vithanh is longmy's matter: its words are not shown to vithanh's officers."""
    letter = DeadLetter(
        reason="wrong_org", text="", journal="j1", position=99, topic="canhman/vithanh/ri01/telemetry", org="vithanh", device="ri01", received=NOW
    )
    rig.run(lambda: rig.backend.states.commit(Commit(journal="j1", state_cursor=100, dead=(letter,))))
    assert "wrong_org" in {x["reason"] for x in walked(rig, "be")}
    assert "wrong_org" not in {x["reason"] for x in walked(rig, "lan")}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
@pytest.mark.parametrize("who", ["minh", "lan"])
def test_pages_give_every_letter_once(rig: Rig, who: str, limit: int) -> None:
    """Whatever the page size, the walk is the list."""
    whole = [x["id"] for x in walked(rig, who)]
    assert [x["id"] for x in walked(rig, who, limit=limit)] == whole


def test_reason_and_device_choose(rig: Rig) -> None:
    """Each filter alone and both together; `next` of one choice does not go on in another."""
    assert len(walked(rig, "lan", reason="not_a_number")) == 5
    assert len(walked(rig, "lan", device="stranger")) == 2
    assert len(walked(rig, "lan", device="stranger", reason="clock", limit=1)) == 1
    assert walked(rig, "lan", device="nobody") == []
    after = rig.get("/api/v1/deadletters", as_="lan", params={"reason": "not_a_number", "limit": 2}).json()["next"]
    other = rig.get("/api/v1/deadletters", as_="lan", params={"reason": "clock", "next": after})
    assert other.status_code == 422
    assert other.json()["parameter"] == "next"


def test_a_reason_that_is_none_is_told_with_those_there_are(rig: Rig) -> None:
    """It would find nothing; 422 lists what may stand there."""
    answer = rig.get("/api/v1/deadletters", as_="lan", params={"reason": "nosuch"}, headers={"Accept-Language": "en"})
    assert answer.status_code == 422
    assert answer.json()["value"] == "nosuch"
    assert "not_a_number, unknown_quantity" in answer.json()["detail"]
    assert rig.get("/api/v1/deadletters?device=%00", as_="lan").status_code == 422


def test_a_letter_shows_a_strangers_words_as_plain_text(rig: Rig) -> None:
    """T40: text and payload as they came, in a JSON string."""
    letter = walked(rig, "lan", reason="malformed")[0]
    assert letter["text"] == NASTY
    assert letter["payload"] == NASTY
    assert letter["topic"] == "canhman/vithanh/stranger/telemetry"
    clock = walked(rig, "lan", reason="clock")[0]
    assert clock["offset_ms"] == 86_400_000
    assert clock["received"] == "2026-03-02T02:59:59.995Z"
    assert clock["resolved_at"] is None


def test_a_forged_next_is_told(rig: Rig) -> None:
    """An id no database takes is no position; it is 422, never a fault of ours."""
    after = rig.get("/api/v1/deadletters", as_="minh", params={"limit": 1}).json()["next"]
    scope = json.loads(base64.urlsafe_b64decode(after + "==="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([scope, 10**30]).encode()).decode()
    assert rig.get("/api/v1/deadletters", as_="minh", params={"next": forged}).status_code == 422


def test_an_officer_reaches_old_letters_behind_many_of_another_org(rig: Rig) -> None:
    """A page looks through a bounded number of rows, may come out empty, and still goes on to the end."""
    for start in range(0, 2500, 500):
        many = [
            DeadLetter(reason="malformed", text="", journal="j2", position=n, topic="t", org="longmy", device=f"x{start}", received=NOW + n)
            for n in range(start, start + 500)
        ]
        rig.run(lambda many=many: rig.backend.states.commit(Commit(journal="j2", state_cursor=9999, dead=tuple(many))))
    assert len(walked(rig, "lan", limit=1000)) == 7
    assert len(walked(rig, "be", limit=1000)) == 2501


# ---------------------------------------------------------------- a span, counts


def test_a_span_and_what_is_unresolved_choose(rig: Rig) -> None:
    """`start` and `end` are about when a letter was received; a `next` of one span does not go on in another."""
    assert len(walked(rig, "lan", start=rfc3339(NOW - 3))) == 4
    assert len(walked(rig, "lan", start=rfc3339(NOW - 3), end=rfc3339(NOW - 1))) == 2
    assert len(walked(rig, "lan", unresolved=True, limit=2)) == 7
    after = rig.get("/api/v1/deadletters", as_="lan", params={"limit": 2}).json()["next"]
    assert rig.get("/api/v1/deadletters", as_="lan", params={"next": after, "start": rfc3339(NOW - 3)}).status_code == 422


def test_counts_by_reason_and_device(rig: Rig) -> None:
    """Of the own org, the most first; the sums are of all of them."""
    found = rig.get("/api/v1/deadletters/counts", as_="lan").json()
    assert (found["count"], found["open"]) == (7, 7)
    assert [(x["reason"], x["device"], x["count"], x["open"]) for x in found["items"]] == [
        ("not_a_number", "kl01", 5, 5),
        ("clock", "stranger", 1, 1),
        ("malformed", "stranger", 1, 1),
    ]
    assert found["items"][0]["newest"] == rfc3339(NOW)
    assert rig.get("/api/v1/deadletters/counts", as_="minh", params={"device": "ri01"}).json()["count"] == 1
    assert rig.get("/api/v1/deadletters/counts", as_="lan", params={"device": "ri01"}).json() == {"count": 0, "open": 0, "items": []}


# ---------------------------------------------------------------- one letter, and reading it again


def test_one_letter_with_its_message(rig: Rig) -> None:
    """Whole where the journal keeps it, else its head; bytes that are no text are written out, and kept as they came beside it."""
    number = walked(rig, "lan", device="kl01")[0]["id"]
    found = rig.get(f"/api/v1/deadletters/{number}", as_="lan").json()
    assert (found["kept"], found["payload"], found["payload_base64"]) == (False, '{"seq": 1}', base64.b64encode(b'{"seq": 1}').decode())
    whole = b'{"seq": 1} \xff \x1b[2J' + NASTY.encode()
    kept = with_parts(rig.backend, message_at=lambda journal, position: Message("t", whole, NOW) if journal == "j1" else None)
    rig.app.state.backend = kept
    found = rig.get(f"/api/v1/deadletters/{number}", as_="minh")
    assert found.headers["content-type"] == "application/json"
    assert found.json()["kept"] is True
    assert found.json()["payload"] == whole.decode("utf-8", "backslashreplace")
    assert base64.b64decode(found.json()["payload_base64"]) == whole


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/replay")])
def test_a_letter_of_another_org_is_none(rig: Rig, method: str, path: str) -> None:
    """404, the same as for one that does not exist; it is not touched."""
    theirs = walked(rig, "be")[0]["id"]
    mine = rig.request(method, f"/api/v1/deadletters/{theirs}{path}", as_="lan")
    none = rig.request(method, f"/api/v1/deadletters/999{path}", as_="lan")
    assert (mine.status_code, none.status_code) == (404, 404)
    assert mine.json()["type"] == none.json()["type"] == "urn:canhman:problem:no_letter"
    assert rig.run(lambda: rig.backend.dead_letters.replays("j1")) == []
    assert rig.request(method, f"/api/v1/deadletters/{theirs}{path}").status_code == 401
    assert rig.request(method, f"/api/v1/deadletters/0{path}", as_="lan").status_code == 422


def test_asked_for_one_by_one(rig: Rig) -> None:
    """Marked with its shift, asked twice as asked once, audited by name; one that is resolved stays as it is."""
    number = walked(rig, "lan", reason="clock")[0]["id"]
    for _ in range(2):
        answer = rig.post(f"/api/v1/deadletters/{number}/replay", as_="lan", json={"shift": "-7h"})
        assert answer.status_code == 202
        assert (answer.json()["replay"], answer.json()["shift_ms"]) == (True, -25_200_000)
    assert [d.id for d in rig.run(lambda: rig.backend.dead_letters.replays("j1"))] == [number]
    assert rig.run(lambda: rig.backend.registry.audit(limit=1))[0].actor == "lan"
    assert rig.post(f"/api/v1/deadletters/{number}/replay", as_="lan").json()["shift_ms"] == 0
    rig.run(lambda: rig.backend.states.commit(Commit(journal="j1", state_cursor=100, done_replays=(number,))))
    done = rig.post(f"/api/v1/deadletters/{number}/replay", as_="lan").json()
    assert (done["replay"], done["resolved_at"]) == (False, rfc3339(NOW))
    assert walked(rig, "lan", reason="clock", unresolved=True) == []


def test_asked_for_by_choice(rig: Rig) -> None:
    """A dry run counts and marks none; then all that fit, of the own org alone."""
    body: dict[str, Any] = {"start": rfc3339(NOW - 6), "dry_run": True}
    dry = rig.post("/api/v1/deadletters/replay", as_="lan", json=body)
    assert (dry.status_code, dry.json()["marked"], dry.json()["would_mark"]) == (202, 0, 7)
    assert rig.run(lambda: rig.backend.dead_letters.replays("j1")) == []
    done = rig.post("/api/v1/deadletters/replay", as_="lan", json=body | {"dry_run": False, "reason": "not_a_number", "shift": "90m"}).json()
    assert (done["marked"], done["only_counted"]) == (5, 0)
    assert {(d.device, d.shift_ms) for d in rig.run(lambda: rig.backend.dead_letters.replays("j1"))} == {("kl01", 5_400_000)}
    assert rig.post("/api/v1/deadletters/replay", as_="lan", json={"device": "ri01"}).json()["marked"] == 0
    assert rig.post("/api/v1/deadletters/replay", as_="minh", json={"device": "ri01"}).json()["marked"] == 1


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "reason"),
        ({"end": "2026-03-02T00:00:00Z"}, "reason"),
        ({"reason": "nosuch"}, "reason"),
        ({"reason": "clock", "shift": "7"}, "shift"),
        ({"reason": "clock", "start": "2026-03-02"}, "start"),
        ({"reason": "clock", "ids": [1]}, "ids"),
    ],
)
def test_a_choice_that_cannot_be_meant(rig: Rig, body: dict[str, Any], parameter: str) -> None:
    """422 that names what is wrong; nothing is marked. Nobody marks everything by an empty body."""
    answer = rig.post("/api/v1/deadletters/replay", as_="minh", json=body)
    assert (answer.status_code, answer.json()["parameter"]) == (422, parameter)
    assert rig.run(lambda: rig.backend.dead_letters.replays("j1")) == []


def test_the_public_reads_nothing_again(rig: Rig) -> None:
    """401 without a log-in; 403 with a cookie and no word that it is no other site's form."""
    assert rig.post("/api/v1/deadletters/replay", json={"reason": "clock"}).status_code == 401
    assert rig.post("/api/v1/deadletters/1/replay").status_code == 401
    forged = rig.post("/api/v1/deadletters/replay", as_="lan", json={"reason": "clock"}, headers={"Origin": "https://x.example"})
    assert forged.status_code == 403
