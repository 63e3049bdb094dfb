"""Dead letters read again, and what is learnt of clocks on the way: through journal, processor, store and database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from core.clock import SimClock, rfc3339
from core.deadletter import Choice, DeadLetter
from core.message import Message
from core.state import DeviceClock
from ingest.clock_words import is_to_be_named
from ingest.health import Health
from ingest.run import Worker, place_of

NOON = 1_772_420_400_000
HOUR, MINUTE = 3_600_000, 60_000


def said(time: int, value: float = 2.31, **more: Any) -> dict[str, Any]:
    """One object of a device with a clock."""
    return {"time": rfc3339(time), "readings": {"water.ec": value}, **more}


def read_again(line: Any, choice: Choice, *, shift: int = 0, times: int = 1) -> None:
    """As somebody asks for it (so often), and the worker does it."""
    for _ in range(times):
        line.ask(line.database.ask_replays(choice, shift_ms=shift))
    worker = Worker(processor=line.processor, journal=line.journal, database=line.database, judge=None, health=Health(lambda part, trouble: None))
    asyncio.run(worker._replays())


def letters(line: Any) -> list[DeadLetter]:
    """Oldest first."""
    found: list[DeadLetter] = line.ask(line.database.dead_letters(limit=1000))
    return found[::-1]


def clock(line: Any, device: str = "kl01") -> DeviceClock | None:
    """What the database knows of its clock."""
    return next((c for c in line.ask(line.database.device_clocks()) if c.device == device), None)


# ---------------------------------------------------------------- clocks


def test_local_time_sent_as_utc_is_named_and_mended(line: Any) -> None:
    """T06: refused with the command that mends it in its words; asked twice it is stored once, at the right time, and resolved."""
    for i in range(3):
        line.send("kl01", json.dumps(said(NOON + i * 15 * MINUTE + 7 * HOUR)), received=NOON + i * 15 * MINUTE + 2000)
    line.work()
    assert line.rows("kl01") == []
    assert all("canhman deadletters replay --reason clock --device kl01 --shift -7h" in x.text for x in letters(line))
    known = clock(line)
    assert known is not None
    assert (known.verdict, known.offset_ms) == ("zone", 7 * HOUR - 2000)
    for _ in range(2):
        read_again(line, Choice(reason="clock", device="kl01"), shift=-7 * HOUR, times=2)
        assert [t for t, _, _ in line.rows("kl01")] == [NOON + i * 15 * MINUTE for i in range(3)]
        assert all(x.resolved_at is not None for x in letters(line))
    line.work()
    assert clock(line) == known  # moved times are not measured


def test_a_device_that_lost_its_clock(line: Any) -> None:
    """T04: three letters from 1970 with their bytes, the right reading stored, the device named, no number counted as lost."""
    line.send("kl01", json.dumps(said(NOON - HOUR, seq=9, boot=2)), received=NOON - HOUR)
    for seq in range(3):
        line.send("kl01", json.dumps(said(3000 + 1000 * seq, seq=seq, boot=3)), received=NOON + seq)
    line.send("kl01", json.dumps(said(NOON, seq=3, boot=3)), received=NOON + 100)
    line.work()
    assert [t for t, _, _ in line.rows("kl01")] == [NOON - HOUR, NOON]
    assert [(x.reason, json.loads(x.head)["seq"]) for x in letters(line)] == [("clock", 0), ("clock", 1), ("clock", 2)]
    known = clock(line)
    assert known is not None
    assert (known.verdict, known.reset_at, known.reset_to) == ("good", NOON + 2, 5000)
    assert is_to_be_named(known, NOON)
    assert line.ask(line.database.gaps()) == []


def test_a_clock_is_measured_over_a_restart(line: Any) -> None:
    """Two slots before it, the third after it: behind, as if nothing had happened; reading the journal again changes nothing."""
    for i in range(3):
        line.send("kl01", json.dumps(said(NOON + i * 5 * MINUTE - 25 * MINUTE)), received=NOON + i * 5 * MINUTE)
        line.work()
        line.restart()
    known = clock(line)
    assert known is not None
    assert (known.verdict, known.offset_ms) == ("behind", -25 * MINUTE)
    line.restart(stored_to=0)
    line.work()
    assert clock(line) == known


def test_a_device_without_a_clock_has_none(line: Any) -> None:
    """`age_s` says nothing of a clock."""
    line.send("kl01", json.dumps({"age_s": 1800, "seq": 1, "boot": 1, "readings": {"water.ec": 2.0}}), received=NOON)
    line.send("kl02", json.dumps(said(NOON)), received=NOON)
    line.work()
    assert clock(line) is None
    assert clock(line, "kl02") is not None


def test_a_simulated_clock_that_runs_fast_measures_nothing(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 600 times real time a second on the way is ten minutes; nobody's clock is wrong for that."""
    monkeypatch.setattr(line.processor, "_clock", SimClock(NOON, 600))
    line.send("kl01", json.dumps(said(NOON)), received=NOON + HOUR)
    line.work()
    assert line.rows("kl01") != []
    assert clock(line) is None


def test_clocks_wait_for_the_database(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that fails loses no measurement."""
    line.send("kl01", json.dumps(said(NOON)), received=NOON)
    line.work(commit=False)
    with monkeypatch.context() as patch:
        patch.setattr(line.database, "commit", lambda commit: (_ for _ in ()).throw(ConnectionError("away")))
        with pytest.raises(ConnectionError):
            line.ask(line.processor.commit())
    assert clock(line) is None
    line.ask(line.processor.commit())
    assert clock(line) is not None


@pytest.mark.parametrize("behind", [HOUR, 20 * MINUTE, 60 * 24 * HOUR])
def test_readings_refused_while_our_clock_was_behind_are_stored_once_it_is_right(line: Any, behind: int) -> None:
    """A machine that started behind: healthy devices' readings are refused, it says that it is its own clock, and reading again stores them all."""
    true = line.now
    line.now = true - behind
    line.restart()
    devices = [f"kl0{n}" for n in range(1, 5)]
    for n in range(40):
        line.send(devices[n % 4], json.dumps(said(true - (40 - n) * 1000, seq=n // 4, boot=1)), received=line.now - (39 - n) * 1000)
    line.send("kl09", json.dumps({"seq": 1, "boot": 1, "age_s": 5, "readings": {"water.ec": 1.0}}))
    line.work()
    told = dict[str, str]()
    health = Health(told.__setitem__)
    worker = Worker(processor=line.processor, journal=line.journal, database=line.database, judge=None, health=health)
    worker._look_at_our_clock()
    assert "this machine's clock" in told["clock"]
    assert "behind" in told["clock"]
    assert len(letters(line)) == 40
    read_again(line, Choice(reason="clock"))
    assert line.rows("kl01") == [], "as long as our clock is wrong they are as refused as before"
    line.now = true
    line.restart()
    read_again(line, Choice(reason="clock"))
    assert {device: [t for t, _, _ in line.rows(device)] for device in devices} == {
        d: [true - (40 - n) * 1000 for n in range(40) if n % 4 == i] for i, d in enumerate(devices)
    }
    assert all(x.resolved_at is not None for x in letters(line))
    line.send("kl01", json.dumps(said(true + 11 * MINUTE)), received=true)
    line.work()
    read_again(line, Choice(reason="clock"))
    assert letters(line)[-1].resolved_at is None, "what is ahead of now stays refused"
    worker = Worker(processor=line.processor, journal=line.journal, database=line.database, judge=None, health=health)
    worker._look_at_our_clock()
    assert told["clock"] == ""


# ---------------------------------------------------------------- what a shift moves


@pytest.mark.parametrize(("key", "place"), [("", ""), ("water.ec", ""), ("[0]", "[0]"), ("[12].d10/water.ec", "[12]"), ("[", ""), ("a[1]", "")])
def test_the_place_of_a_letter(key: str, place: str) -> None:
    """The object of its message it is about."""
    assert place_of(key) == place


def test_a_shift_moves_only_what_was_refused(line: Any) -> None:
    """Of an array with one wrong clock the other object stays where it stands, and is stored once."""
    line.send("kl01", json.dumps([said(NOON, 1.0), said(NOON + 7 * HOUR + MINUTE, 2.0)]), received=NOON + MINUTE)
    line.work()
    read_again(line, Choice(reason="clock"), shift=-7 * HOUR)
    assert [(t, v) for t, v, _ in line.rows("kl01")] == [(NOON, 1.0), (NOON + MINUTE, 2.0)]


# ---------------------------------------------------------------- success and failure


def test_after_a_fix_the_whole_message_is_there(line: Any) -> None:
    """A value that was refused beside good ones: these are rewritten as they were, nothing is counted again, the letter says why it is still refused."""
    line.send("kl01", json.dumps(said(NOON, seq=1, boot=1) | {"readings": {"water.ec": 2.0, "water.salt": 1.0}}), received=NOON)
    line.work()
    before, counted = line.rows("kl01"), line.counters()
    read_again(line, Choice(reason="unknown_quantity"), times=2)
    assert line.rows("kl01") == before
    (letter,) = letters(line)
    assert (letter.key, letter.replay, letter.resolved_at) == ("water.salt", False, None)
    line.ask(line.processor.commit())
    assert line.counters() == counted


def test_what_the_journal_no_longer_keeps_says_so(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays open, in words, once; its neighbour is read; nobody waits for it for ever."""
    gone = line.send("kl01", json.dumps(said(NOON + 7 * HOUR)), received=NOON)
    line.send("kl01", json.dumps(said(NOON + 8 * HOUR)), received=NOON + HOUR)
    line.work()
    get: Callable[[int], Message | None] = line.journal.get
    monkeypatch.setattr(line.journal, "get", lambda position: None if position == gone else get(position))
    for _ in range(2):
        read_again(line, Choice(reason="clock"), shift=-7 * HOUR)
    first, second = letters(line)
    assert first.text.count("does not keep its message any more") == 1
    assert "clock of kl01" in first.text
    assert (first.replay, first.resolved_at) == (False, None)
    assert second.resolved_at is not None
    assert [t for t, _, _ in line.rows("kl01")] == [NOON + HOUR]


def test_killed_between_store_and_commit(line: Any) -> None:
    """The rows were written and the database never heard of it: the letter is read again, and nothing is there twice."""
    line.send("kl01", json.dumps(said(NOON + 7 * HOUR)), received=NOON)
    line.work()
    line.ask(line.database.ask_replays(Choice(reason="clock"), shift_ms=-7 * HOUR))
    (row,) = line.ask(line.database.replays(line.journal.id))
    work = asyncio.run(line.processor.process([(row.position, line.journal.get(row.position))], shifts={(row.position, ""): row.shift_ms}))
    line.ask(line.processor.write(work, None))
    line.restart()
    read_again(line, Choice(reason="clock"), shift=-7 * HOUR)
    assert [t for t, _, _ in line.rows("kl01")] == [NOON]
    assert letters(line)[0].resolved_at is not None
