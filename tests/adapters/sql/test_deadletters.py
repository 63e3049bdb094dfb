"""Dead letters over SQL: one row per refusal, none doubled by reading the journal again, bounded, replayable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.sql import SqlDatabase
from core.deadletter import Choice, DeadLetter
from core.errors import NotFoundError
from core.place import Device, Org
from core.state import Commit, Waiting


def letter(position: int, *, reason: str = "malformed", device: str = "kl01", key: str = "", journal: str = "j", text: str = "no JSON") -> DeadLetter:
    return DeadLetter(
        reason=reason, text=text, journal=journal, position=position, topic="canhman/default/kl01/telemetry", org="default", device=device, key=key,
        received=position + 1, head=b"{",
    )  # fmt: skip


def commit(database: SqlDatabase, *dead: DeadLetter, done: Sequence[int] = (), done_waiting: Sequence[int] = (), waiting: Sequence[Waiting] = ()) -> None:
    cursor = max((d.position for d in dead), default=0) + 1
    asyncio.run(
        database.commit(Commit(journal="j", state_cursor=cursor, dead=dead, done_replays=tuple(done), done_waiting=tuple(done_waiting), waiting=tuple(waiting)))
    )


def letters(database: SqlDatabase, limit: int = 5000) -> list[DeadLetter]:
    return asyncio.run(database.dead_letters(limit=limit))


def total(database: SqlDatabase) -> dict[str, int]:
    return asyncio.run(database.dead_letter_counts())


def test_written_and_found(database: SqlDatabase) -> None:
    """What is committed is listed newest first, field by field, and filtered by reason and device."""
    first = replace(letter(10, reason="clock"), offset_ms=-5)
    commit(database, first, letter(20, key="water.ec"), letter(20, key="water.ph", device="bc01"))
    found = letters(database)
    assert [(d.position, d.key) for d in found] == [(20, "water.ph"), (20, "water.ec"), (10, "")]
    assert found[-1] == replace(first, id=found[-1].id)
    assert [d.position for d in asyncio.run(database.dead_letters(reason="clock"))] == [10]
    assert [d.key for d in asyncio.run(database.dead_letters(device="bc01"))] == ["water.ph"]
    assert [d.key for d in asyncio.run(database.dead_letters(limit=1, before=found[0].id))] == ["water.ec"]
    assert asyncio.run(database.dead_letter(found[0].id)) == found[0]
    assert total(database) == {"clock": 1, "malformed": 2}
    with pytest.raises(NotFoundError, match="dead letter 999"):
        asyncio.run(database.dead_letter(999))


def test_reading_again_doubles_nothing(database: SqlDatabase) -> None:
    """The same part of the journal again, alone or with what follows it, or twice in one commit, adds no row and no count."""
    commit(database, letter(10), letter(20))
    commit(database, letter(10), letter(20), letter(30), letter(30))
    commit(database, letter(20))
    assert [d.position for d in letters(database)] == [30, 20, 10]
    assert total(database) == {"malformed": 3}


def test_beyond_a_thousand_only_the_count_rises(database: SqlDatabase) -> None:
    """A device that only sends rubbish fills 1,000 rows and then a counter; another device or reason has its own; no re-read counts twice."""
    many = [letter(n) for n in range(1, 1503)]
    commit(database, *many[:990])
    commit(database, *many[:1200])
    commit(database, *many[1100:])
    commit(database, *many)
    assert len(letters(database)) == 1000
    assert total(database) == {"malformed": 1502}
    commit(database, letter(1503, reason="clock"), letter(1503, device="bc01"))
    assert len(letters(database)) == 1002


def test_values_of_the_message_that_fills_the_last_row(database: SqlDatabase) -> None:
    """Two values of one message, the first of which takes the last row: the second is counted, once."""
    commit(database, *(letter(n) for n in range(1, 1000)))
    for _ in range(2):
        commit(database, letter(1000, key="a"), letter(1000, key="b"))
    assert len(letters(database)) == 1000
    assert total(database) == {"malformed": 1001}


def test_room_after_resolving(database: SqlDatabase) -> None:
    """Resolved letters make room for rows again."""
    commit(database, *(letter(n) for n in range(1, 1001)))
    asyncio.run(database.ask_replay([1, 2]))
    commit(database, letter(2000), letter(2001), letter(2002), done=(1, 2))
    assert [d.position for d in letters(database, 2)] == [2001, 2000]
    assert total(database) == {"malformed": 1001}


def test_replay(database: SqlDatabase) -> None:
    """Asked for, handed to ingest with its shift, done: resolved, once; a resolved one is not read again."""
    commit(database, letter(10, reason="clock"), letter(20, reason="clock"), letter(30, journal="k"))
    ids = [d.id for d in reversed(letters(database))]
    assert asyncio.run(database.ask_replay(ids, shift_ms=-7000)) == 3
    marked = asyncio.run(database.replays("j"))
    assert [(d.position, d.shift_ms, d.replay) for d in marked] == [(10, -7000, True), (20, -7000, True)]
    assert len(asyncio.run(database.replays("j", limit=1))) == 1
    commit(database, done=[d.id for d in marked])
    assert asyncio.run(database.replays("j")) == []
    done = asyncio.run(database.dead_letter(ids[0]))
    assert (done.replay, done.resolved_at) == (False, 1_772_000_000_000)
    assert total(database) == {"malformed": 1}
    assert asyncio.run(database.ask_replay(ids[:2])) == 0


def test_refused_again(database: SqlDatabase) -> None:
    """A replayed letter refused for the same reason is open once more with the new words; for another reason it is a new letter."""
    commit(database, letter(10, reason="clock"), letter(20, reason="clock"), letter(500))
    ids = [d.id for d in letters(database)]
    asyncio.run(database.ask_replay(ids[1:]))
    commit(database, letter(10, reason="clock", text="still ahead"), letter(20, reason="not_deployed"), done=ids[1:])
    assert total(database) == {"clock": 1, "malformed": 1, "not_deployed": 1}
    again = asyncio.run(database.dead_letter(ids[2]))
    assert (again.text, again.replay, again.resolved_at) == ("still ahead", False, None)


def test_a_plain_reread_does_not_reopen(database: SqlDatabase) -> None:
    """After a restart the journal is read again: what was resolved meanwhile stays resolved."""
    commit(database, letter(10))
    commit(database, done=[letters(database)[0].id])
    commit(database, letter(10))
    assert total(database) == {}


def test_approval_brings_letters_of_old_places(database: SqlDatabase) -> None:
    """What an approval reads again may be refused: a letter of an old position, even where later ones are only counted."""
    commit(database, *(letter(n) for n in range(100, 1200)), waiting=[Waiting(org="default", device="kl01", journal="j", position=50, received=1, size=1)])
    (kept,) = asyncio.run(database.waiting("kl01", "j"))
    commit(database, letter(50), done_waiting=[kept.id])
    assert total(database) == {"malformed": 1101}


def test_what_strangers_send_fits(database: SqlDatabase) -> None:
    """NUL, half a surrogate pair, and keys, texts and heads of any length are kept cut, and never stop a commit."""
    odd = replace(letter(10, key="k" * 5000, text="x\0y\ud800" * 1000), head=b"\0" * 5000, topic="t\ud800")
    commit(database, odd)
    commit(database, odd)
    (found,) = letters(database)
    assert (len(found.key), len(found.head)) == (160, 1024)
    assert found.text.startswith("x\ufffdy?")


def tallies(database: SqlDatabase, **choice: Any) -> dict[tuple[str, str], tuple[int, int, int]]:
    """{(reason, device): (count, open, rows)} of a choice."""
    found = asyncio.run(database.dead_letter_tallies(Choice(**choice)))
    return {(t.reason, t.device): (t.count, t.open, t.rows) for t in found}


def test_counted_by_reason_and_device(database: SqlDatabase) -> None:
    """All of a span and what is open of them; what has no row of its own is in the count and not in the rows."""
    commit(database, *(letter(n) for n in range(1, 1101)), letter(2000, reason="clock"), letter(3000, reason="clock", device="bc01"))
    asyncio.run(database.ask_replay([1, 2, 3]))
    commit(database, done=(1, 2, 3))
    assert tallies(database) == {("clock", "bc01"): (1, 1, 1), ("clock", "kl01"): (1, 1, 1), ("malformed", "kl01"): (1100, 1097, 997)}
    assert tallies(database, reason="clock", device="bc01") == {("clock", "bc01"): (1, 1, 1)}
    assert tallies(database, since=2001) == {("clock", "bc01"): (1, 1, 1), ("clock", "kl01"): (1, 1, 1)}
    assert tallies(database, since=2, until=4) == {("malformed", "kl01"): (2, 0, 0)}
    assert tallies(database, until=6, is_open=True) == {("malformed", "kl01"): (1, 1, 1)}
    (one,) = asyncio.run(database.dead_letter_tallies(Choice(reason="clock", device="kl01")))
    assert (one.org, one.oldest, one.newest) == ("default", 2001, 2001)


def test_a_choice_by_org_follows_the_device(database: SqlDatabase) -> None:
    """A registered device's letters are its own org's, whatever org it wrote to; a stranger's are of that one."""
    asyncio.run(database.put(Org(id="longmy", name="Long Mỹ"), actor="t"))
    asyncio.run(database.put(Device(id="ri01", org="longmy"), actor="t"))
    commit(database, letter(1, device="ri01"), letter(2, device="stranger"))
    assert tallies(database, org="longmy") == {("malformed", "ri01"): (1, 1, 1)}
    assert tallies(database, org="default") == {("malformed", "stranger"): (1, 1, 1)}
    assert [d.device for d in asyncio.run(database.chosen_letters(Choice(org="longmy")))] == ["ri01"]
    assert asyncio.run(database.ask_replays(Choice(org="longmy"))) == 1
    assert [d.device for d in asyncio.run(database.replays("j"))] == ["ri01"]


def test_a_choice_is_asked_for_as_a_whole(database: SqlDatabase) -> None:
    """Only what is unresolved and fits; asking twice is asking once; who asked stands in the audit, with the shift."""
    commit(database, *(letter(n, reason="clock") for n in range(1, 6)), letter(7), letter(8, reason="clock", device="bc01"))
    for _ in range(2):
        assert asyncio.run(database.ask_replays(Choice(reason="clock", device="kl01", since=3), shift_ms=-5, actor="lan")) == 4
    assert [(d.position, d.shift_ms) for d in asyncio.run(database.replays("j"))] == [(n, -5) for n in (2, 3, 4, 5)]
    newest = asyncio.run(database.audit(limit=1))[0]
    assert (newest.actor, newest.kind, newest.subject) == ("lan", "replay", "reason=clock device=kl01 since=3")
    assert json.loads(newest.after) == {"marked": 4, "shift_ms": -5}
    assert asyncio.run(database.ask_replays(Choice(reason="no_decoder"), actor="lan")) == 0
    assert asyncio.run(database.audit(limit=1))[0] == newest


def test_what_cannot_be_read_again_says_so(database: SqlDatabase) -> None:
    """It stays open with the words of why, waits no more, and may be asked for again."""
    commit(database, letter(10))
    (one,) = letters(database)
    asyncio.run(database.ask_replay([one.id]))
    asyncio.run(database.commit(Commit(journal="j", state_cursor=99, failed_replays=((one.id, "its message is no longer kept"),))))
    (after,) = letters(database)
    assert (after.text, after.replay, after.resolved_at) == ("its message is no longer kept", False, None)
    assert asyncio.run(database.replays("j")) == []
    assert asyncio.run(database.ask_replay([one.id])) == 1
