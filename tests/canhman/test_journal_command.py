"""canhman journal: what is kept, whether it is whole, and the messages as they came; read-only, also while ingest writes."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest
from servers.front import Front
from servers.hand_clock import HandClock

from adapters.journal import FileJournal
from adapters.journal_keeping import Keeper
from adapters.sql.database import open_database
from canhman import checks, heartbeat, journals
from canhman.journal_house import IN_USE_S, lease_of
from canhman.settings import read_settings
from core.clock import rfc3339
from core.message import Message
from core.state import Commit

T0 = 1_772_420_400_000  # 2026-03-02T03:00:00Z
DAY_MS = 86_400_000


def message(device: str, ms: int, payload: bytes = b"{}") -> Message:
    return Message(f"canhman/default/{device}/telemetry", payload, ms, "device:" + device)


@pytest.fixture
def journal(front: Front) -> FileJournal:
    """Three days of two devices, open as ingest has it; the older days are compressed."""
    clock = HandClock(T0)
    found = FileJournal(front.data / "journal", clock=clock)
    found.open()
    for day in range(3):
        clock.ms = T0 + day * DAY_MS
        found.append([message(f"kl0{n % 2}", clock.ms + n, b'{"seq": %d}' % n) for n in range(40)])
    found.release(found.end)
    Keeper(found, keep_days=0, clock=clock, rest=lambda seconds: None).once()
    yield found
    found.close()


def flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


def test_without_a_journal_the_way_out_is_said(front: Front) -> None:
    """A mistyped folder is one line, and nothing is made there."""
    done = front("journal", "list")
    assert done.code == 1
    assert "CANHMAN_DATA" in done.err
    assert not front.data.exists()


def test_list_shows_segments_and_what_was_removed(front: Front, journal: FileJournal) -> None:
    """Positions, days, records, size, compressed; and that segments are gone, with the reason."""
    (one,) = front.ok("journal", "list", "--json").json
    assert [s["records"] for s in one["segments"]] == [40, 40, 40]
    assert [s["compressed"] for s in one["segments"]] == ["yes", "yes", "no"]
    assert [s["first"][:10] for s in one["segments"]] == ["2026-03-02", "2026-03-03", "2026-03-04"]
    assert one["segments"][-1]["to"] == journal.end
    journal.remove_oldest("CANHMAN_JOURNAL_KEEP")
    text = front.ok("journal", "list").out
    assert "removed so far: 1 segments" in text
    assert "CANHMAN_JOURNAL_KEEP" in text


def test_verify_names_what_is_damaged(front: Front, journal: FileJournal) -> None:
    """Whole: exit code 0. Damaged: 1, and each place with its bytes, the arrivals beside it and the device."""
    (one,) = front.ok("journal", "verify", "--json").json
    assert (one["whole"], one["records"], one["damage"]) == (True, 120, [])
    records = journal.read(journal.segments[-1].base, limit=100).records
    flip(journal.segments[-1].path, records[7][0] + len(records[7][1].topic) + 35 - journal.segments[-1].base)
    done = front("journal", "verify", "--json")
    assert done.code == 1
    (damage,) = done.json[0]["damage"]
    assert (damage["from"], damage["to"]) == (records[7][0], records[8][0])
    assert damage["device"] == "kl01"
    assert (damage["arrived after"], damage["arrived before"]) == ("2026-03-04T03:00:00.006Z", "2026-03-04T03:00:00.008Z")
    assert f"{damage['bytes']} bytes damaged in 1 places" in front("journal", "verify").out


def test_verify_names_a_damaged_index(front: Front, journal: FileJournal) -> None:
    """Damage that costs no record is damage: it is named, and the exit code is 1."""
    path = journal.segments[0].path
    flip(path, path.stat().st_size - 3)
    done = front("journal", "verify")
    assert done.code == 1
    assert "its index is damaged" in done.out
    assert "120 records" in done.out


def test_export_is_every_message_as_it_came(front: Front, journal: FileJournal) -> None:
    """One JSON object a line, by device and time of arrival; bytes that are no text come as base64."""
    journal.append([message("kl00", T0 + 2 * DAY_MS + 5000, b"\xff\x00\x01")])
    rows = [json.loads(line) for line in front.ok("journal", "export").out.splitlines()]
    assert len(rows) == 121
    assert [r["position"] for r in rows] == sorted(r["position"] for r in rows)
    assert rows[0] | {"journal": ""} == {
        "journal": "",
        "position": journal.start,
        "received": "2026-03-02T03:00:00Z",
        "topic": "canhman/default/kl00/telemetry",
        "source": "device:kl00",
        "qos": 1,
        "payload": '{"seq": 0}',
    }
    assert base64.b64decode(rows[-1]["payload_base64"]) == b"\xff\x00\x01"
    file = front.data.parent / "out.jsonl"
    front.ok("journal", "export", "--device", "kl01", "--since", "2026-03-03T10:00:00+07:00", "--until", "2026-03-03T03:00:00.020Z", "--to", str(file))
    assert [json.loads(json.loads(line)["payload"])["seq"] for line in file.read_text().splitlines()] == list(range(1, 20, 2))


def test_doctor_says_how_much_and_how_long(front: Front, journal: FileJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size and since when, what a day adds, and whether the days to keep fit; full and damaged are red."""
    (found,) = checks._journal(read_settings())
    assert (found.mark, found.part) == ("ok", "journal")
    assert "since 2026-03-02 in 3 segments, 2 of them compressed" in found.text
    assert "400 days (CANHMAN_JOURNAL_KEEP) fit" in found.text
    monkeypatch.setattr(journals, "spare_bytes", lambda disk, share: 1 << 60)
    assert "nothing is acknowledged" in checks._journal(read_settings())[0].text
    heartbeat.write(front.data, "ingest", {}, {"journal_damaged_bytes": 106})
    assert [f.mark for f in checks._journal(read_settings())] == ["red", "red"]


def test_days_until_full(front: Front, journal: FileJournal) -> None:
    """What is left of the bound, divided by what a day adds; within two weeks it is a warning, unless the days to keep fit."""
    room = journals.Room(size=100, segments=2, sealed=1, since=T0, a_day=10.0, left=50)
    assert room.days_left == 5
    assert room.is_short(400)
    assert "full in about 5 days" in room.words(400)
    assert not room.is_short(14)
    assert "14 days (CANHMAN_JOURNAL_KEEP) fit" in room.words(14)
    assert not journals.Room(size=1, segments=1, sealed=0, since=None, a_day=None, left=0).is_short(400)


def test_a_journal_that_is_gone_is_forgotten_and_one_that_is_here_is_not(front: Front, journal: FileJournal) -> None:
    """What `redecode` names can be released by what it says; a journal it can read need not be, and a mistyped one is said."""
    front.ok("migrate")
    front.ok("devices", "add", "kl01", "--station", "kenh-lau", "--name", "Kênh Lầu")
    db = open_database(f"sqlite:///{front.data / 'registry.db'}")
    for name, cursor in (("dead", 9), (journal.id, 5)):
        asyncio.run(db.commit(Commit(journal=name, state_cursor=cursor)))
    run = ("redecode", "--since", rfc3339(T0), "--device", "kl01", "--dry-run")
    assert "canhman journal forget dead" in front.ok(*run).out
    assert front.ok(*run, "--json").json["not_read"] == ["dead"]
    assert "is in" in front("journal", "forget", journal.id).line
    asyncio.run(db.take_lease(lease_of("dead"), "far:/var/lib/canhman/journal-b", IN_USE_S))
    assert "the ingest at far:/var/lib/canhman/journal-b" in front("journal", "forget", "dead").line
    assert asyncio.run(db.state_cursors())["dead"] == 9
    asyncio.run(db.release_lease(lease_of("dead"), "far:/var/lib/canhman/journal-b"))
    front.ok("journal", "forget", "dead")
    assert asyncio.run(db.state_cursors()) == {journal.id: 5}
    assert "forget" not in front.ok(*run).out
    assert "no journal 'dead'" in front("journal", "forget", "dead").line
    db.close()
