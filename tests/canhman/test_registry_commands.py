"""orgs, devices, stations and dead letters: what each command changes, and that doing it twice is doing it once."""

from __future__ import annotations

import re
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from servers.front import Front

from adapters.journal import FileJournal
from adapters.sql.database import SqlDatabase
from canhman.device_facts import findings
from core.clock import SimTime, SystemClock
from core.deadletter import REASONS, DeadLetter
from core.message import Message
from core.state import BootSpan, Commit, DeviceClock, DeviceStatus, Waiting
from registry.broker_files import verify_password

T0 = 1_772_420_400_000


def kept(front: Front, device: str, *, position: int, messages: int = 2) -> None:
    """Messages of a device that waits for approval."""
    rows = tuple(Waiting(org="default", device=device, journal="j", position=position + n, received=T0 + n, size=9, head=b'{"x":1}') for n in range(messages))
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=100, waiting=rows)))


def devices(front: Front) -> dict[str, dict[str, object]]:
    """What `devices list` says, by id."""
    return {d["id"]: d for d in front.ok("devices", "list", "--json").json["devices"]}


def test_orgs(front: Front) -> None:
    """Added, renamed, listed; the key is the same whenever asked, another after a rotation, and each org's own."""
    front.ok("migrate")
    assert [o["id"] for o in front.ok("orgs", "list", "--json").json] == ["default"]
    assert "added" in front.ok("orgs", "add", "vithanh", "--name", "Vị Thanh").out
    assert "changed" in front.ok("orgs", "add", "vithanh", "--name", "Thành phố Vị Thanh").out
    assert "Thành phố Vị Thanh" in front.ok("orgs", "list").out
    key = front.ok("orgs", "join-key", "vithanh", "--json").json
    assert (key["user"], key["broker_user"]) == ("org:vithanh", "org/vithanh")
    assert re.fullmatch(r"[a-z2-7]{26}", key["key"])
    assert key["key"] in front.ok("orgs", "join-key", "vithanh").out
    assert front.ok("orgs", "join-key", "default", "--json").json["key"] != key["key"]
    assert front.ok("orgs", "join-key", "vithanh", "--rotate", "--json").json["key"] != key["key"]
    assert (front.data / "secret").stat().st_mode & 0o777 == 0o600


def test_a_device_is_added_with_a_password_shown_once(front: Front) -> None:
    """Only its hash is kept; a new credential replaces it."""
    made = front.ok("devices", "add", "kl:01", "--station", "kenh-lau", "--name", "Kênh Lầu", "--point", "out", "--json").json
    assert (made["user"], made["broker_user"]) == ("kl:01", "kl/01")

    def credential() -> str:
        return str(front.database(lambda db: db.snapshot()).devices[0].credential)

    assert verify_password(credential(), made["password"])
    assert devices(front)["kl:01"]["places"] == ["kenh-lau/out"]
    again = front.ok("devices", "credential", "kl:01", "--json").json
    assert verify_password(credential(), again["password"])
    assert not verify_password(credential(), made["password"])
    everything = front.ok("devices", "list").out + front.ok("devices", "list", "--json").out + str(front.database(lambda db: db.audit()))
    assert again["password"] not in everything
    assert credential() not in everything


def test_approving_and_rejecting(front: Front) -> None:
    """An approved device stands at its own station, or at the one named; a rejected one's messages are gone."""
    for position, name in ((0, "kl77"), (10, "kl78"), (20, "kl79")):
        kept(front, name, position=position)
    assert "kl77" in front.ok("devices", "list").out
    assert "kl77 approved at kl77/main" in front.ok("devices", "approve", "kl77", "--name", "Kênh Bảy").out
    assert front.ok("stations", "show", "kl77", "--json").json["station"]["name"] == "Kênh Bảy"
    front.ok("devices", "approve", "kl78", "--station", "kl77", "--point", "out")
    assert devices(front)["kl78"]["places"] == ["kl77/out"]
    assert "2 waiting messages dropped" in front.ok("devices", "reject", "kl79").out
    assert "kl79" not in devices(front)
    assert "kl79" in front("devices", "reject", "kl79").line
    assert {a.actor.split(":")[0] for a in front.database(lambda db: db.audit())} == {"cli"}


def test_deploying_moving_withdrawing(front: Front) -> None:
    """A move ends the old deployment where the new begins; a second one at the same time, or two primaries at one point, is refused."""
    front.ok("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    front.ok("devices", "add", "kl02", "--station", "kenh-nam", "--name", "Kênh Năm")
    said = front.ok(
        "devices", "deploy", "kl01", "--station", "kenh-nam", "--point", "out", "--at", "2026-03-02T10:00:00+07:00", "--depth", "0.5", "--interval", "900"
    ).out
    assert "kl01 at kenh-lau/main (primary) from always to 2026-03-02T03:00:00Z" in said
    assert "kl01 at kenh-nam/out (primary) from 2026-03-02T03:00:00Z on" in said
    spans = front.ok("stations", "show", "kenh-nam", "--json").json["deployments"]
    assert [(d["device"], d["point"], d["depth_m"], d["interval_s"]) for d in spans] == [("kl02", "main", None, None), ("kl01", "out", 0.5, 900.0)]
    assert "already" in front("devices", "deploy", "kl01", "--station", "kenh-lau", "--at", "2026-03-01T00:00:00Z").line
    assert "primary" in front("devices", "deploy", "kl01", "--station", "kenh-nam", "--point", "main", "--at", "2026-04-01T00:00:00Z").line
    front.ok("devices", "deploy", "kl01", "--station", "kenh-nam", "--point", "main", "--check", "--at", "2026-04-01T00:00:00Z")
    front.ok("devices", "withdraw", "kl01", "--at", "2026-05-01T00:00:00Z")
    assert "stands nowhere" in front("devices", "withdraw", "kl01", "--at", "2026-06-01T00:00:00Z").line
    front.ok("devices", "deploy", "kl01", "--channel", "d10", "--station", "kenh-lau", "--always")
    assert devices(front)["kl01"]["places"] == ["kenh-lau/d10"]


def test_now_is_by_the_clock_of_the_installation(front: Front) -> None:
    """Where a sensor stands, and from when it is moved, withdrawn or swapped without --at: by the simulated clock where there is one."""
    front.ok("devices", "add", "kl01", "--station", "a", "--name", "A")
    front.ok("devices", "add", "kl02", "--station", "b", "--name", "B")
    front.database(lambda db: db.save_clock(SimTime(sim_ms=T0, speed=0.0, anchor_ms=T0)))
    assert "from 2026-03-02T03:00:00Z on" in front.ok("devices", "deploy", "kl01", "--station", "b", "--point", "out", CLOCK="sim").out
    assert front.ok("devices", "show", "kl01", "--json", CLOCK="sim").json["places"] == ["main: b/out (primary)"]
    front.database(lambda db: db.save_clock(SimTime(sim_ms=T0 - 1000, speed=0.0, anchor_ms=T0)))
    assert {d["id"]: d["places"] for d in front.ok("devices", "list", "--json", CLOCK="sim").json["devices"]} == {"kl01": ["a/main"], "kl02": ["b/main"]}
    assert "to 2026-03-02T02:59:59Z" in front.ok("devices", "withdraw", "kl02", CLOCK="sim").out


def test_swapping(front: Front) -> None:
    """The new device takes every place of the old one; one that stands somewhere already is refused."""
    front.ok("devices", "add", "old", "--station", "s", "--name", "S")
    front.ok("devices", "deploy", "old", "--channel", "d10", "--station", "s", "--always")
    front.ok("devices", "add", "new")
    front.ok("devices", "add", "busy", "--station", "t", "--name", "T")
    assert "busy" in front("devices", "swap", "old", "busy").line
    front.ok("devices", "swap", "old", "new", "--at", "2026-03-02T00:00:00Z")
    assert sorted(devices(front)["new"]["places"]) == ["s/d10", "s/main"]  # type: ignore[call-overload]  # JSON: a list of texts
    assert devices(front)["old"]["places"] == []


def test_a_wrong_time_of_a_move_is_mended(front: Front) -> None:
    """--replace withdraws what starts later; the refusal without it names it."""
    front.ok("devices", "add", "kl01", "--station", "a", "--name", "A")
    front.ok("devices", "add", "kl02", "--station", "b", "--name", "B")
    front.ok("devices", "withdraw", "kl02", "--at", "2026-01-01T00:00:00Z")
    move = ("devices", "deploy", "kl01", "--station", "b", "--point", "main", "--at")
    front.ok(*move, "2062-03-02T00:00:00Z")
    assert "--replace" in front(*move, "2026-03-02T00:00:00Z").line
    said = front.ok(*move, "2026-03-02T00:00:00Z", "--replace").out
    assert "kl01 at b/main (primary) withdrawn (was from 2062-03-02T00:00:00Z)" in said
    assert "kl01 at a/main (primary) from always to 2026-03-02T00:00:00Z" in said
    assert devices(front)["kl01"]["places"] == ["b/main"]
    front.ok("devices", "swap", "kl01", "kl02", "--at", "2062-05-01T00:00:00Z")
    assert "--replace" in front("devices", "swap", "kl01", "kl02", "--at", "2026-05-01T00:00:00Z").line
    front.ok("devices", "swap", "kl01", "kl02", "--at", "2026-05-01T00:00:00Z", "--replace")
    assert (devices(front)["kl01"]["places"], devices(front)["kl02"]["places"]) == ([], ["b/main"])


def test_devices_that_are_not_what_was_meant(front: Front) -> None:
    """Itself, nobody, one that is let in already, a model without a decoder: each is told in a line."""
    front.ok("devices", "add", "kl01", "--station", "a", "--name", "A")
    assert "with itself" in front("devices", "swap", "kl01", "kl01").line
    front.ok("devices", "add", "free")
    for words in (("withdraw", "nosuch"), ("swap", "nosuch", "free"), ("deploy", "nosuch", "--station", "a")):
        assert "no device is called 'nosuch'" in front("devices", *words).line
    assert "registered already" in front("devices", "approve", "kl01").line
    assert "only native has a decoder" in front.ok("devices", "add", "kl09", "--model", "dragino").err
    assert "decoder" not in front.ok("devices", "add", "kl10").err


def test_a_second_approval_moves_nothing(front: Front) -> None:
    """Also while ingest has not yet read what waited."""
    kept(front, "kl77", position=0)
    front.ok("devices", "approve", "kl77")
    assert "registered already" in front("devices", "approve", "kl77").line
    assert devices(front)["kl77"]["places"] == ["kl77/main"]


def test_the_last_word_of_a_device(front: Front) -> None:
    """`status` of `devices list` is what the device or its last will said."""
    front.ok("devices", "add", "kl01")
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=1, statuses=(DeviceStatus(device="kl01", status="offline", at=T0),))))
    assert (devices(front)["kl01"]["status"], devices(front)["kl01"]["status_at"]) == ("offline", "2026-03-02T03:00:00Z")


CSV = "id;name;lat;lon;km;aliases\nkenh-lau;Cống Kênh Lầu;9.71;105.40;37;Kênh Lầu|2020-01-01|\ndai-ngai;Đại Ngãi;;;;\n"


def test_stations_apply_is_idempotent(front: Front, tmp_path: Path) -> None:
    """It shows what changes, changes nothing with --dry-run, nothing the second time, and never deletes."""
    file = tmp_path / "stations.csv"
    file.write_text(CSV)
    front.ok("migrate")
    dry = front.ok("stations", "apply", str(file), "--dry-run").out
    assert "+ kenh-lau" in dry
    assert "2 would change, 0 unchanged" in dry
    assert front.ok("stations", "list", "--json").json == []
    assert "2 changed, 0 unchanged" in front.ok("stations", "apply", str(file)).out
    assert "0 changed, 2 unchanged" in front.ok("stations", "apply", str(file)).out
    file.write_text("id;name\nkenh-lau;Kênh Lầu mới\n")
    (change,) = front.ok("stations", "apply", str(file), "--dry-run", "--json").json
    assert change == {"id": "kenh-lau", "new": False, "changes": {"name": ["Cống Kênh Lầu", "Kênh Lầu mới"]}}
    out = front.ok("stations", "apply", str(file)).out
    assert "~ kenh-lau" in out
    assert "name: Cống Kênh Lầu → Kênh Lầu mới" in out
    shown = front.ok("stations", "show", "kenh-lau", "--json").json["station"]
    assert (shown["lat"], shown["km"]) == (9.71, 37.0)  # an absent column takes nothing away
    assert len(front.ok("stations", "list", "--json").json) == 2


def test_stations_apply_names_line_and_column(front: Front, tmp_path: Path) -> None:
    """And a file with one bad row changes nothing."""
    for text, says in [
        ("id,name,lat\na,A,1\nb,B,x\n", "line 3: lat 'x'"),
        ("id,nmae\na,A\n", "nmae"),
        ("id,name\nA b,x\n", "line 2"),
        ("id,name\na,A\na,B\n", "line 3"),
        ("id,name,lat,lon\na,A,91,0\n", "line 2"),
        ("id,name\na," + "x" * 300 + "\n", "at most 200"),
        ("id,name\na,\n", "needs a name"),
        ("", "no column id"),
    ]:
        file = tmp_path / "stations.csv"
        file.write_text(text)
        assert says in front("stations", "apply", str(file)).line
    (tmp_path / "stations.txt").write_text("")
    assert ".toml or .csv" in front("stations", "apply", str(tmp_path / "stations.txt")).line
    (tmp_path / "s.csv").write_text("id,name\na,A\n")
    assert "zz" in front("stations", "apply", str(tmp_path / "s.csv"), "--org", "zz").line
    assert front.ok("stations", "list", "--json").json == []


def test_search_folds_accents(front: Front, tmp_path: Path) -> None:
    """T34: composed, decomposed, without accents, capitals, d for đ, an alias of old."""
    file = tmp_path / "stations.csv"
    file.write_text(CSV)
    front.ok("stations", "apply", str(file))
    for text in ("kenh lau", "KÊNH LẦU", "Ke\u0302nh La\u0302\u0300u", "kênh  lầu", "kenh-lau", "lau"):
        assert [s["id"] for s in front.ok("stations", "list", "--search", text, "--json").json] == ["kenh-lau"], text
    assert [s["id"] for s in front.ok("stations", "list", "--search", "dai ngai", "--json").json] == ["dai-ngai"]
    assert "No station is called like 'zz'" in front.ok("stations", "list", "--search", "zz").out


def test_publishing_a_station(front: Front) -> None:
    """Public, and hidden again."""
    front.ok("devices", "add", "kl01", "--station", "s", "--name", "S")
    assert "is public" in front.ok("stations", "publish", "s").out
    assert front.ok("stations", "list", "--json").json[0]["public"] is True
    front.ok("stations", "publish", "s", "--hide")
    assert front.ok("stations", "list", "--json").json[0]["public"] is False


def test_dead_letters(front: Front) -> None:
    """Listed by reason and device, shown with their bytes, marked with a shift; asking twice is asking once."""

    def letter(position: int, reason: str, device: str) -> DeadLetter:
        return DeadLetter(
            reason=reason, text=f"why {position}", journal="j", position=position, topic="t", org="default", device=device, received=T0, head=b"{\xff"
        )

    dead = tuple(letter(n, "clock" if n % 2 else "malformed", "kl01" if n < 6 else "kl02") for n in range(10))
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=10, dead=dead)))
    found = front.ok("deadletters", "list", "--json").json
    assert found["counts"] == {"clock": 5, "malformed": 5}
    assert sorted(x["position"] for x in found["items"]) == list(range(10))
    assert [x["id"] for x in found["items"]] == list(range(10, 0, -1))
    assert len(front.ok("deadletters", "list", "--reason", "clock", "--device", "kl01", "--json").json["items"]) == 3
    assert len(front.ok("deadletters", "list", "--limit", "2", "--json").json["items"]) == 2
    assert "unresolved: clock 5, malformed 5" in front.ok("deadletters", "list").out
    shown = front.ok("deadletters", "show", "1", "--json").json
    assert (shown["text"], shown["payload"]) == (f"why {shown['position']}", "{\\xff")
    assert shown["text"] in front.ok("deadletters", "show", "1").out
    for _ in range(2):
        assert front.ok("deadletters", "replay", "--reason", "clock", "--device", "kl01", "--shift", "-7h", "--json").json == {"marked": 3}
    marked = front.database(lambda db: db.replays("j"))
    assert [(d.position, d.shift_ms) for d in marked] == [(n, -25_200_000) for n in (1, 3, 5)]
    assert "2 marked" in front.ok("deadletters", "replay", "7", "8", "--shift", "90m").out
    assert {d.shift_ms for d in front.database(lambda db: db.replays("j")) if d.id in (7, 8)} == {5_400_000}
    assert "dead letter 99" in front("deadletters", "replay", "7", "99").line


def test_dead_letters_counted_and_read_again_by_choice(front: Front) -> None:
    """By reason, device or both, over a span; a dry run marks none; nothing is chosen by no option, or by ids and options at once."""
    front.ok("migrate")

    def letter(position: int, reason: str, device: str, received: int) -> DeadLetter:
        return DeadLetter(reason=reason, text="why", journal="j", position=position, topic="t", org="default", device=device, received=received)

    now = SystemClock().now_ms()
    dead = tuple(letter(n, "clock" if n % 2 else "malformed", "kl01" if n < 6 else "kl02", now - n * 86_400_000) for n in range(10))
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=10, dead=dead)))
    found = front.ok("deadletters", "count", "--json").json
    assert (found["count"], found["open"]) == (10, 10)
    assert {(x["reason"], x["device"]): x["count"] for x in found["items"]} == {
        ("clock", "kl01"): 3, ("clock", "kl02"): 2, ("malformed", "kl01"): 3, ("malformed", "kl02"): 2
    }  # fmt: skip
    assert front.ok("deadletters", "count", "--since", "36h", "--json").json["count"] == 2
    assert front.ok("deadletters", "count", "--until", "36h", "--device", "kl01", "--json").json["count"] == 4
    by_device = front.ok("deadletters", "count", "--by", "device").out.splitlines()
    assert [line.split()[:3] for line in by_device] == [["device", "count", "open"], ["kl01", "6", "6"], ["kl02", "4", "4"]]
    assert "--by 'org'" in front("deadletters", "count", "--by", "org").usage
    assert "24h or 7d" in front("deadletters", "count", "--since", "yesterday").usage
    dry = front.ok("deadletters", "replay", "--reason", "clock", "--since", "3d", "--dry-run", "--json").json
    assert (dry["marked"], dry["would_mark"]) == (0, 1)
    assert "1 would be marked; nothing was" in front.ok("deadletters", "replay", "--reason", "clock", "--since", "3d", "--dry-run").out
    assert front.database(lambda db: db.replays("j")) == []
    assert front.ok("deadletters", "replay", "--since", "3d", "--json").json == {"marked": 3}
    assert front.database(lambda db: db.audit(limit=1))[0].kind == "replay"
    assert "nothing chosen" in front("deadletters", "replay").usage
    assert "not both" in front("deadletters", "replay", "1", "--reason", "clock").usage
    assert "no unresolved" in front("deadletters", "replay", "--device", "nobody").line


def test_dead_letters_that_nobody_has_and_times_that_are_moved(front: Front) -> None:
    """Nothing that fits is said by what was asked, an unknown device as such; a shift says what it moves; `7d` is of the installation's clock."""
    front.ok("migrate")
    front.ok("devices", "add", "kl09")

    def letter(position: int, reason: str) -> DeadLetter:
        return DeadLetter(reason=reason, text="why", journal="j", position=position, topic="t", org="default", device="kl01", received=T0 - position)

    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=10, dead=(letter(1, "clock"), letter(2, "malformed")))))
    for command in ("list", "count"):
        out = front.ok("deadletters", command, "--device", "kl9").out
        assert "No dead letter fits --device kl9. No device kl9 is registered" in out
        assert "registered" not in front.ok("deadletters", command, "--device", "kl09", "--reason", "clock").out
    assert "unresolved in all: clock 1, malformed 1" in front.ok("deadletters", "list", "--device", "kl9").out
    assert "fits --device kl9" in front("deadletters", "replay", "--device", "kl9").line
    assert "--shift '7' is no span of time" in front("deadletters", "replay", "--reason", "clock", "--shift", "7").usage
    dry = front.ok("deadletters", "replay", "--device", "kl01", "--shift", "-7h", "--dry-run")
    assert "2 would be marked, their times moved by -7h; nothing was" in dry.out
    assert "(malformed) are moved, too" in dry.err
    assert "too" not in front.ok("deadletters", "replay", "--reason", "clock", "--shift", "-7h", "--dry-run").err
    front.database(lambda db: db.save_clock(SimTime(sim_ms=T0 + 3_600_000, speed=0.0, anchor_ms=T0)))
    assert len(front.ok("deadletters", "list", "--since", "2h", "--json", CLOCK="sim").json["items"]) == 2
    assert front.ok("deadletters", "list", "--since", "30m", "--json", CLOCK="sim").json["items"] == []


def test_a_dead_letter_with_its_whole_message(front: Front) -> None:
    """From the journal in CANHMAN_DATA where that still keeps it; of another journal, or one that is gone, only the head."""
    front.ok("migrate")
    journal = FileJournal(front.data / "journal")
    journal.open()
    whole = b"{" + b"x" * 5000
    journal.append([Message("t", b"before", 1), Message("t", whole, 2)])
    position = journal.read(0, limit=2).records[1][0]
    dead = tuple(
        DeadLetter(reason="malformed", text="why", journal=of, position=position, topic="t", org="default", device="kl01", received=2, head=whole[:1024])
        for of in (journal.id, "f" * 32)
    )
    front.database(lambda db: db.commit(Commit(journal=journal.id, state_cursor=10, dead=dead)))
    shown = front.ok("deadletters", "show", "1", "--json").json  # while ingest writes it
    assert (shown["kept"], b64decode(shown["payload_base64"])) == (True, whole)
    other = front.ok("deadletters", "show", "2", "--json").json
    assert (other["kept"], b64decode(other["payload_base64"])) == (False, whole[:1024])
    journal.close()
    shutil.rmtree(front.data / "journal")
    assert front.ok("deadletters", "show", "1", "--json").json["kept"] is False


def test_clocks_and_gaps_of_devices(front: Front) -> None:
    """In the list a short word, in show and doctor the sentence with its way out; gaps by boot and number; who is well is not named."""
    front.ok("migrate")
    for name in ("kl01", "kl02", "kl03"):
        front.ok("devices", "add", name)
    assert "Nothing is missing" in front.ok("devices", "gaps").out
    now = SystemClock().now_ms()

    def clock(name: str, verdict: str, offset: int) -> DeviceClock:
        return DeviceClock(device=name, verdict=verdict, offset_ms=offset, spread_ms=300, drift_ms=None, at=now)

    clocks = (clock("kl01", "zone", 25_199_000), replace(clock("kl02", "good", -400), reset_at=now - 1000, reset_to=0), clock("kl03", "good", -400))
    spans = (
        BootSpan(device="kl01", boot=4, lowest=1, highest=20, holes=((3, 5), (9, 9)), last_time=now),
        BootSpan(device="kl03", boot=-1, lowest=1, highest=9),
    )
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=1, clocks=clocks, boots=spans)))
    listed = front.ok("devices", "list").out
    assert re.search(r"kl01 .*\+7 h \(zone\?\) +4 *\n", listed)
    assert re.search(r"kl02 .*ok \(was lost\) *\n", listed)
    way = "canhman deadletters replay --reason clock --device kl01 --shift -7h"
    shown = front.ok("devices", "show", "kl01", "--json").json
    assert way in shown["clock"]["text"]
    assert (shown["missing"], shown["gaps"][0]["holes"]) == (4, [[3, 5], [9, 9]])
    assert "boot 4: 3-5, 9" in front.ok("devices", "show", "kl01").out
    assert "not measured" not in front.ok("devices", "show", "kl03").out
    assert "no device is called 'zz'" in front("devices", "show", "zz").line
    gaps = front.ok("devices", "gaps", "--json").json
    assert (gaps["missing"], [g["device"] for g in gaps["items"]]) == (4, ["kl01"])
    assert front.ok("devices", "gaps", "--device", "kl03", "--json").json == {"missing": 0, "items": []}
    told = front.database(_told_by_doctor)
    assert ("gaps", "4 messages were numbered by devices and never came: kl01 4 (canhman devices gaps)") in told
    words = " ".join(text for part, text in told if part == "clock")
    assert way in words
    assert "kl02: It lost its clock" in words
    assert "kl03" not in words
    same = tuple(clock(name, "ahead", 300_000) for name in ("kl01", "kl02", "kl03"))
    front.database(lambda db: db.commit(Commit(journal="j", state_cursor=1, clocks=same)))
    assert [text.partition(" (")[0] for part, text in front.database(_told_by_doctor) if part == "clock"] == [
        "most devices agree that this machine's clock is 5 min behind: is its time synchronised"
    ]


async def _told_by_doctor(db: SqlDatabase) -> list[tuple[str, str]]:
    return findings(await db.device_clocks(), await db.gaps(), SystemClock().now_ms())


@pytest.mark.parametrize("words", [("list",), ("replay",), ("replay", "1")])
def test_an_unknown_reason_is_told_the_known_ones(front: Front, words: tuple[str, ...]) -> None:
    """A misspelt one must not look like "there is nothing"."""
    line = front("deadletters", *words, "--reason", "clokc").usage
    assert "'clokc'" in line
    assert all(reason in line for reason in REASONS)


@pytest.mark.parametrize(
    "words",
    [("deploy", "kl01", "--station", "a", "--at", "tomorrow"), ("withdraw", "kl01", "--at", "tomorrow"), ("swap", "kl01", "kl02", "--at", "tomorrow")],
)
def test_a_time_that_cannot_be_read(front: Front, words: tuple[str, ...]) -> None:
    """Used wrongly: exit code 2, with an example of a good one; nothing is made."""
    assert "--at 'tomorrow' is no time with a zone, such as 2026-" in front("devices", *words).usage
    assert not front.data.exists()


@pytest.mark.parametrize(
    "words",
    ["users list", "users reset a", "users role a admin", "users disable a", "stations list", "stations show a", "stations publish a", "devices list",
     "devices approve a", "devices swap a b", "deadletters list", "deadletters show 1", "orgs list", "orgs join-key default", "publish kl01 water.ec=1"],
)  # fmt: skip
def test_a_command_that_reads_makes_no_installation(front: Front, tmp_path: Path, words: str) -> None:
    """A mistyped folder or file is one line that names the setting, not an empty list; nothing is made."""
    assert "CANHMAN_DATA=" in front(*words.split()).line
    assert not front.data.exists()
    assert "CANHMAN_DATABASE=" in front(*words.split(), DATABASE=f"sqlite:///{tmp_path}/typo.db").line
    assert list(tmp_path.iterdir()) == []


def test_a_join_key_where_enrolment_is_closed(front: Front) -> None:
    """It is printed, and standard error says that nobody can log in with it now."""
    front.ok("migrate")
    assert "cannot log in" not in front.ok("orgs", "join-key", "default").err
    for words in ((), ("--json",)):
        said = front.ok("orgs", "join-key", "default", *words, ENROL="closed")
        assert "cannot log in now" in said.err
        assert "CANHMAN_ENROL" in said.err
