"""redecode touches only what it can prove: whatever live ingest stored stays, where nothing is wrong with it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import ingest.mail
from adapters.journal import FileJournal
from adapters.journal_reading import JournalReader
from core.clock import SimClock, rfc3339
from core.message import Message
from core.place import FOREVER, Org
from core.series import SeriesKey
from ingest.decoder import Decoder
from ingest.pipeline import Processor
from ingest.redecode import Asked, redecode
from quality.sweep import sweep

NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE
Line = Any  # of conftest.py


def redo(line: Line, *folders: Path, arrival_of_row: bool = True, **asked: Any) -> Counter[str]:
    """What a run counts, but for how much it read."""
    readers = [JournalReader(folder) for folder in folders or [line.folder]]
    for reader in readers:
        reader.open()
    wanted = Asked(**({"since": NOON - 24 * HOUR, "until": NOON + 2400 * HOUR} | asked))
    clock = SimClock(line.now, 0)
    run = redecode(wanted, journals=readers, store=line.store, database=line.database, config=line.config, clock=clock, arrival_of_row=arrival_of_row)
    counts = asyncio.run(run).counts
    return Counter({name: n for name, n in counts.items() if n and name not in ("messages", "damaged_bytes")})


def stored(line: Line) -> dict[SeriesKey, list[tuple[Any, ...]]]:
    """Everything the store holds, to the bit."""
    found = {}
    for key in line.ask(line.store.series()):
        b = line.ask(line.store.read([key], 0, FOREVER))
        found[key] = list(zip(b.time.tolist(), b.value.tolist(), b.flag.tolist(), b.tests.tolist(), b.received.tolist(), strict=True))
    return found


def message(device: str = "kl01", *, seq: int = 1, time: int | None = NOON, ec: float = 2.0, at: int = NOON + HOUR, **more: Any) -> Message:
    """A reading; without a time it is of a clockless device, a minute old."""
    when = {"age_s": 60} if time is None else {"time": rfc3339(time)}
    body = {"seq": seq, "boot": 1, **when, "readings": {"water.ec": ec}} | more
    return Message(f"canhman/default/{device}/telemetry", json.dumps(body).encode(), at, qos=1)


def damage(journal: FileJournal, number: int) -> None:
    """One bit of a record turns over on the disk."""
    position = journal.read(0, limit=1000).records[number][0]
    segment = next(s for s in reversed(journal.segments) if s.base <= position)
    raw = bytearray(segment.path.read_bytes())
    raw[position - segment.base + 60] ^= 1
    segment.path.write_bytes(raw)


class Second:
    """Another worker of the same installation, with a journal of its own."""

    def __init__(self, line: Line, folder: Path) -> None:
        self.line = line
        self.folder = folder
        self.journal = FileJournal(folder)
        self.journal.open()
        self.processor = Processor(
            journal=self.journal,
            store=line.store,
            database=line.database,
            config=line.config,
            clock=SimClock(line.now, 0),
            mode="open",
            public=False,
            shared=True,
        )
        line.ask(self.processor.start())

    async def store(self, *, commit: bool = True) -> None:
        """What is in its journal."""
        await stored_by(self.processor, self.journal, commit=commit)


async def stored_by(processor: Processor, journal: FileJournal, *, commit: bool = True) -> None:
    """Take what is in the journal to the store."""
    while (found := journal.read(processor.cursor, limit=500)).records:
        await processor.write(await processor.process(found.records), found.next)
    if commit:
        await processor.commit()


def two(make_line: Callable[..., Line]) -> tuple[Line, Second]:
    """Two workers that share kl01."""
    line = make_line(shared=True)
    line.station("kl01")
    line.restart()
    return line, Second(line, line.folder.with_name("journal-b"))


def judged(line: Line) -> None:
    """A round of the judge."""
    asyncio.run(sweep(line.database, line.store, line.config))


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """`levels(True)`: until `levels(False)` the decoder gives a level that is in no message."""
    real = ingest.mail._BY_KIND["telemetry"]

    def decode(raw: bytes) -> Any:
        return [r._replace(channels=[(c, dict(values) | {"water.level": 1.0}) for c, values in r.channels]) for r in real.decode(raw)]

    wrong = Decoder(name=real.name, kind=real.kind, decode=decode, examples=(), quantities={})
    return lambda on: monkeypatch.setitem(ingest.mail._BY_KIND, "telemetry", wrong if on else real)


# ---------------------------------------------------------------- what is withdrawn


@pytest.mark.parametrize("lost", range(5))
def test_a_damaged_record_of_a_burst_takes_no_reading_with_it(line: Line, lost: int) -> None:
    """Five readings of one read of the socket have one arrival; where one record rots, its reading is left alone."""
    line.station("kl01")
    line.journal.append([message(seq=n, time=NOON + n * MINUTE, ec=2.0 + n) for n in range(5)])
    line.work()
    before = stored(line)
    damage(line.journal, lost)
    assert redo(line) == {"without_message": 2}  # EC and salinity
    assert stored(line) == before


def test_a_burst_dealt_to_two_workers_is_whole_after_each_runs_its_part(make_line: Callable[..., Line]) -> None:
    """Each machine knows its own half of the messages, which have the same device and arrival: neither withdraws the other's."""
    line, other = two(make_line)
    burst = [message(seq=n, time=NOON + n * MINUTE, ec=2.0 + n) for n in range(10)]
    line.journal.append(burst[::2])
    other.journal.append(burst[1::2])
    line.work()
    asyncio.run(other.store())
    judged(line)
    before = stored(line)
    for folders in ([line.folder], [other.folder]):
        assert redo(line, *folders) == {"without_message": 10}
    assert redo(line, line.folder, other.folder) == {}
    assert stored(line) == before
    other.journal.close()


def test_only_what_has_an_arrival_of_its_own_is_withdrawn(line: Line, levels: Callable[[bool], None]) -> None:
    """What no message gives any more goes where its message is known; of a burst nobody knows which one it was of."""
    line.station("kl01")
    levels(True)
    line.journal.append([message(seq=1), message(seq=2, time=NOON + MINUTE), message(seq=3, time=NOON + HOUR, at=NOON + HOUR + 9)])
    line.work()
    levels(False)
    assert redo(line) == {"withdrawn": 1, "without_message": 2}


def test_nothing_is_withdrawn_by_the_arrival_of_a_point(line: Line, levels: Callable[[bool], None]) -> None:
    """InfluxDB keeps when the point was written last, not the row: its message may be another one."""
    line.station("kl01")
    levels(True)
    line.journal.append([message(seq=1)])
    line.work()
    levels(False)
    before = stored(line)
    assert redo(line, arrival_of_row=False) == {"without_message": 1}
    assert stored(line) == before


def test_nothing_is_withdrawn_while_a_journal_is_elsewhere(make_line: Callable[..., Line], levels: Callable[[bool], None]) -> None:
    """Another worker's journal may hold the message; with both of them the proof is there."""
    line, other = two(make_line)
    levels(True)
    line.journal.append([message(seq=1)])
    other.journal.append([message(seq=2, time=NOON + HOUR, at=NOON + 2 * HOUR)])
    line.work()
    asyncio.run(other.store())
    levels(False)
    assert redo(line, line.folder, dry=True) == {"without_message": 4}  # three of the other one, and the level
    assert redo(line, line.folder, other.folder) == {"withdrawn": 2}
    other.journal.close()


def test_a_journal_that_is_gone_for_good_is_waited_for_until_it_is_forgotten(make_line: Callable[..., Line], levels: Callable[[bool], None]) -> None:
    """A dead worker's cursor keeps the second proof away; released, what came through our journal is proven, what came through its one is left alone."""
    line, other = two(make_line)
    levels(True)
    line.journal.append([message(seq=1)])
    other.journal.append([message(seq=2, time=NOON + HOUR, at=NOON + 2 * HOUR)])
    line.work()
    asyncio.run(other.store())
    other.journal.close()
    levels(False)
    assert redo(line, line.folder) == {"without_message": 4}
    line.ask(line.database.forget_journal(other.journal.id, actor="test"))
    assert redo(line, line.folder) == {"withdrawn": 1, "without_message": 3}


def test_a_battery_told_again_to_a_journal_elsewhere_stands(make_line: Callable[..., Line]) -> None:
    """A clockless object came again at another worker, with its first arrival and another battery: who reads one journal alone leaves that battery."""
    line, other = two(make_line)
    line.journal.append([message(time=None, battery=3.7)])
    line.work(judge=False)
    other.journal.append([message(time=None, battery=3.6, at=NOON + 2 * HOUR)])
    asyncio.run(other.store())
    before = stored(line)
    assert redo(line, line.folder) == {"without_message": 1}
    assert stored(line) == before
    other.journal.close()


def test_what_was_sent_under_another_org_stays_there(line: Line) -> None:
    """A device that went to another org sends its backlog again: the readings are there too, and the old org keeps its own."""
    line.station("kl01")
    line.journal.append([message()])
    line.work()
    before = stored(line)
    moved = Message("canhman/b/kl01/telemetry", message().payload, NOON + 2 * HOUR, qos=1)
    line.put(Org(id="b", name="b"))
    assert redo(line) == {}
    line.journal.append([moved])
    line.work()
    assert redo(line)["withdrawn"] == 0
    assert {key: rows for key, rows in stored(line).items() if key.org == "default"} == before


# ---------------------------------------------------------------- what is written over


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_journals_the_message_that_arrived_last_stands(make_line: Callable[..., Line], reverse: bool) -> None:
    """A reading that was sent again with another value, to another worker: in whatever order the journals are read, it is no difference."""
    line, other = two(make_line)
    other.journal.append([message(ec=2.0, at=NOON + 1000)])
    line.journal.append([message(ec=2.5, at=NOON + 5 * MINUTE)])
    asyncio.run(other.store())
    line.work()
    folders = [line.folder, other.folder]
    assert redo(line, *(folders[::-1] if reverse else folders)) == {}
    assert line.rows("kl01")[0][1] == 2.5
    assert redo(line, other.folder) == {"without_message": 2}  # the later one is elsewhere
    assert line.rows("kl01")[0][1] == 2.5
    other.journal.close()


def test_a_later_value_stands_though_its_journal_is_forgotten(make_line: Callable[..., Line]) -> None:
    """A reading was sent again with another value, to a worker whose journal is gone: forgetting it lets no earlier value of ours be written over that."""
    line, other = two(make_line)
    line.journal.append([message(ec=1.0, at=NOON + 1000)])
    line.work()
    other.journal.append([message(ec=2.0, at=NOON + 5 * MINUTE)])
    asyncio.run(other.store())
    line.ask(line.database.forget_journal(other.journal.id, actor="test"))
    before = stored(line)
    assert redo(line, line.folder) == {"without_message": 2}  # ec, and what is derived from it
    assert stored(line) == before
    assert redo(line, line.folder, other.folder) == {}  # found again, it is read as if never forgotten
    other.journal.close()


def test_an_older_value_never_takes_the_place_of_one_whose_record_rots(line: Line) -> None:
    """The corrected reading is damaged in the journal; the first one is not written over it."""
    line.station("kl01")
    line.journal.append([message(ec=2.0, at=NOON + 1000), message(ec=2.5, at=NOON + HOUR), message(seq=2, time=NOON + MINUTE, at=NOON + 2 * HOUR)])
    line.work()
    before = stored(line)
    damage(line.journal, 1)
    assert redo(line) == {"without_message": 2}
    assert stored(line) == before


def test_a_value_stands_whose_record_rots_at_the_very_end(line: Line) -> None:
    """Two values of one reading came in one read of the socket, and the record of the later one, the journal's last, is damaged: it looks like a torn end."""
    line.station("kl01")
    line.journal.append([message(seq=1, ec=2.5), message(seq=3, ec=2.0)])
    line.work()
    before = stored(line)
    damage(line.journal, 1)
    assert redo(line) == {"without_message": 2}
    assert stored(line) == before


def test_a_battery_told_again_in_a_damaged_record_stands(line: Line) -> None:
    """A clockless object came again with a battery, kept the time and arrival of the first, and its record rots: the first one is no proof against it."""
    line.station("kl01")
    again = message(seq=1, time=None, battery=3.7, at=NOON + 3 * HOUR)
    others = [message(seq=n, time=None, at=NOON + n * HOUR) for n in (2, 4)]
    line.journal.append([message(seq=1, time=None), others[0], again, others[1]])
    line.work()
    before = stored(line)
    damage(line.journal, 2)
    assert redo(line) == {"without_message": 1}
    assert stored(line) == before


def test_two_readings_of_one_clockless_moment_stay_two_though_a_record_rots(line: Line) -> None:
    """The later one took the next free millisecond; where the first cannot be read any more it does not move back onto it."""
    line.station("kl01")
    spaced = [message("kl02", seq=9, at=NOON + n * MINUTE, time=NOON + n * MINUTE) for n in (2, 4)]
    first = message(time=None, seq=1, ec=2.0, at=NOON + MINUTE)
    second = message(time=None, seq=2, ec=3.0, at=NOON + 5 * MINUTE, age_s=300)
    line.station("kl02")
    line.journal.append([first, spaced[0], spaced[1], second])
    line.work()
    before = stored(line)
    assert len(line.rows("kl01")) == 2
    damage(line.journal, 0)
    redo(line)
    assert stored(line) == before


# ---------------------------------------------------------------- our own clock


def test_readings_of_a_time_when_our_clock_was_behind_are_stored_when_asked(line: Line) -> None:
    """Refused as ahead by our own fault: a run that is told so stores them all, those without a letter too, and resolves the letters; other runs leave them."""
    line.station("kl01")
    line.journal.append([message(seq=n, time=NOON + n * MINUTE, ec=2.0 + n, at=NOON + n * MINUTE - HOUR) for n in range(5)])
    line.work()
    assert line.rows("kl01") == []
    assert redo(line) == {}
    letters = line.ask(line.database.dead_letters(limit=99))
    assert len(letters) == 5
    assert redo(line, clock_was_behind=True) == {"new": 10, "resolved": 5}
    assert [v for _, v, _ in line.rows("kl01")] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert all(d.resolved_at is not None for d in line.ask(line.database.dead_letters(limit=99)))
    now = stored(line)
    redo(line)
    assert redo(line, clock_was_behind=True) == {}
    assert stored(line) == now


# ---------------------------------------------------------------- whatever live ingest stored

_MESSAGES = st.lists(
    st.tuples(
        st.booleans(),  # by which worker
        st.sampled_from(["kl01", "kl02", "kl03"]),  # kl02 has no clock
        st.integers(0, 3),  # seq
        st.integers(0, 3),  # the time of the reading
        st.sampled_from([2.0, 2.5]),
        st.sampled_from([3.6, 3.7, None]),  # battery
        st.sampled_from([0, 0, 1, 60_000]),  # after the message before it [ms]
        st.sampled_from([0, 0, 0, 3 * HOUR]),  # the clock of a device is ahead
    ),
    min_size=1,
    max_size=14,
)


@given(messages=_MESSAGES, shared=st.booleans(), damaged=st.lists(st.integers(0, 13), max_size=3), reverse=st.booleans(), alone=st.booleans())
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # shrinking would take minutes
def test_what_live_ingest_stored_is_no_difference(
    open_line: Callable[..., Line],
    messages: Sequence[tuple[bool, str, int, int, float, float | None, int, int]],
    shared: bool,
    damaged: Sequence[int],
    reverse: bool,
    alone: bool,
) -> None:
    """Bursts, duplicates, conflicts, late and clockless ones, by one worker or two, and then some records rot: no decoder and no deployment
    has changed, and redecode changes nothing, whichever journals it is given."""
    with tempfile.TemporaryDirectory() as folder:
        line = open_line(Path(folder), shared=shared)
        for device in ("kl01", "kl02", "kl03"):
            line.station(device)
        line.restart()
        other = Second(line, Path(folder) / "journal-b") if shared else None
        at, before_it = NOON + HOUR, messages[0][0]
        for second, device, seq, minute, ec, battery, later, ahead in messages:
            # where one journal is read, two values that came to both in one millisecond cannot be told apart
            at, before_it = at + max(later, alone and second != before_it), second
            time = None if device == "kl02" else NOON + minute * MINUTE + ahead
            more = {} if battery is None else {"battery": battery}
            sent = message(device, seq=seq, time=time, ec=ec, at=at, **more)
            if second and other is not None:
                other.journal.append([sent])
                asyncio.run(other.store(commit=False))
            else:
                line.journal.append([sent])
                asyncio.run(stored_by(line.processor, line.journal, commit=False))
        asyncio.run(line.processor.commit())
        journals = [line.journal]
        if other is not None:
            asyncio.run(other.processor.commit())
            journals.append(other.journal)
        judged(line)
        before, letters = stored(line), line.ask(line.database.dead_letters(limit=99))
        for journal in journals:
            for number in sorted({n for n in damaged if n < len(journal.read(0, limit=99).records)}, reverse=True):
                damage(journal, number)
        folders = [line.folder, *([other.folder] if other is not None else [])]
        found = redo(line, *((folders[::-1] if reverse else folders)[: 1 if alone else 2]))
        assert set(found) <= {"without_message"}
        assert stored(line) == before
        assert line.ask(line.database.dead_letters(limit=99)) == letters
        for journal in journals:
            journal.close()
        line.database.close()
