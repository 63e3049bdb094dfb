"""`/api/v1/deadletters`: what could not be stored, for the officers of the org it concerns."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from servers.backend import NASTY, NOW, Rig

from core.deadletter import DeadLetter
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
