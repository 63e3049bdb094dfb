"""The two loops of ingest, without sockets and without sleeping: servers that go and come back, a stop, faults of our own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import ingest.convert
import ingest.run
from core.clock import rfc3339
from core.deadletter import Choice
from core.derived import DERIVED
from core.errors import JournalFullError, UnavailableError
from core.flags import CLOCK_BIT
from core.message import Message
from core.place import Deployment, Device, Station
from core.seawater import salinity_from_ec
from ingest import mail
from ingest.convert import Columns
from ingest.decoder import Decoder, Record
from ingest.health import Health
from ingest.run import Worker, receive
from quality.sweep import sweep

NOON = 1_772_420_400_000
HOUR = 3_600_000


def at(time: int, value: float = 2.31) -> str:
    return json.dumps({"time": rfc3339(time), "readings": {"water.ec": value}})


class Rig:
    """A worker on a line. Whenever it would wait, the next step of the script is done; after the last it is told to stop."""

    def __init__(self, line: Any, monkeypatch: pytest.MonkeyPatch, script: Sequence[Callable[[], None]] = (), *, judging: bool = True) -> None:
        self.line, self.script, self.told = line, list(script), list[tuple[str, str]]()
        self.waits = 0
        self.now = 1000.0
        self.health = Health(lambda part, trouble: self.told.append((part, trouble)))

        async def judge() -> int:
            return (await sweep(line.database, line.store, line.config)).series

        self.worker = Worker(processor=line.processor, journal=line.journal, database=line.database, judge=judge if judging else None, health=self.health)
        monkeypatch.setattr(ingest.run, "time", SimpleNamespace(monotonic=self.tick, sleep=lambda s: None))
        monkeypatch.setattr(self.worker, "_pause", lambda seconds: self.step())
        monkeypatch.setattr(line.journal, "wait_for", lambda position, timeout: self.step())

    def tick(self) -> float:
        self.now += 0.5
        return self.now

    def step(self) -> bool:
        """What happens while the worker waits."""
        self.waits += 1
        assert self.waits < 200, "the worker waits for ever"
        if self.script:
            self.script.pop(0)()
        else:
            self.worker.stop()
        return False

    def run(self) -> None:
        asyncio.run(self.worker.run())


def nothing() -> None:
    """Time passes."""


@pytest.mark.parametrize("waits", [1e9, 6.0])
def test_a_backlog_goes_before_reading_back(line: Any, monkeypatch: pytest.MonkeyPatch, waits: float) -> None:
    """While whole batches wait the judge does not read back, but not for ever; in the end everything is judged."""
    for n in range(40):
        line.send("kl01", at(NOON + n, 2.0))
    rig = Rig(line, monkeypatch, [nothing])
    monkeypatch.setattr(ingest.run, "BATCH", 4)
    monkeypatch.setattr(ingest.run, "JUDGE_WAITS_S", waits)
    monkeypatch.setattr(ingest.run, "HOUSE_SHARE", 0)
    judge, left = rig.worker._judge, list[int]()

    async def judged() -> int:
        left.append(line.journal.end - line.processor.cursor)
        assert judge is not None
        return await judge()

    rig.worker._judge = judged
    rig.run()
    assert left[-1] == 0
    assert any(left) == (waits < 1e9)
    assert all(state.dirty_from is None for state in line.ask(line.database.states()))


# ---------------------------------------------------------------- servers away


def test_store_away_and_back(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the journal waits; told once in red and once as over; then everything is stored, committed and judged."""
    for n in range(5):
        line.send("kl01", at(NOON + n, 2.0 + n))

    def back() -> None:
        line.store.away = ""

    line.store.away = "connection refused"
    rig = Rig(line, monkeypatch, [nothing, nothing, back, nothing])
    rig.run()
    assert line.rows("kl01") == [(NOON + n, 2.0 + n, 1) for n in range(5)]
    assert rig.told == [("store", "memory store: connection refused"), ("store", "")]
    (ec, _) = line.ask(line.database.states())
    assert (ec.newest.time, ec.dirty_from) == (NOON + 4, None)


def test_store_away_in_the_middle(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes while messages come, and comes back: nothing is lost, nothing counted twice, the rows before it were judged."""

    def gone() -> None:
        line.store.away = "connection refused"
        line.send("kl01", at(NOON + 1, 3.0))
        line.send("kl01", "{")

    def back() -> None:
        line.store.away = ""

    line.send("kl01", at(NOON))
    rig = Rig(line, monkeypatch, [nothing, gone, nothing, nothing, back, nothing])
    rig.run()
    assert line.rows("kl01") == [(NOON, 2.31, 1), (NOON + 1, 3.0, 1)]
    assert line.counters() == {"refused:malformed": 1}
    assert line.dead() == [("malformed", "")]
    assert rig.health.troubles == {}


def test_database_away_and_back(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of known devices go on to the store meanwhile; what there was to commit is committed once it is back."""
    line.station("kl01")
    commit = line.database.commit
    tries = []

    async def away(what: Any) -> None:
        tries.append(what)
        raise UnavailableError("database: locked")

    def gone() -> None:
        monkeypatch.setattr(line.database, "commit", away)
        line.send("kl01", at(NOON + 1, 3.0))
        line.send("kl01", "{")

    def stored() -> None:
        assert len(line.rows("kl01")) == 2, "the store is not kept waiting"
        assert tries
        assert line.dead() == []

    def back() -> None:
        monkeypatch.setattr(line.database, "commit", commit)

    line.send("kl01", at(NOON))
    rig = Rig(line, monkeypatch, [nothing, gone, nothing, nothing, stored, back, nothing, nothing, nothing])
    rig.run()
    assert line.rows("kl01") == [(NOON, 2.31, 1), (NOON + 1, 3.0, 1)]
    assert (line.dead(), line.counters()) == ([("malformed", "")], {"refused:malformed": 1})
    assert {s.dirty_from for s in line.ask(line.database.states())} == {None}
    assert rig.told == [("database", "database: locked"), ("database", "")]


def test_store_away_while_only_the_judge_needs_it(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing new comes, the judge cannot read: it is the judge that is red, with the store's name; the flags follow later."""

    def gone() -> None:
        line.store.away = "connection refused"

    def back() -> None:
        line.store.away = ""

    line.send("kl01", at(NOON))
    line.work(judge=False)
    gone()
    rig = Rig(line, monkeypatch, [nothing, nothing, nothing, nothing, back, *[nothing] * 12])
    monkeypatch.setattr(line.processor, "start", _started)
    rig.run()
    assert rig.told == [("judge", "memory store: connection refused"), ("judge", "")]
    assert {s.dirty_from for s in line.ask(line.database.states())} == {None}


async def _started() -> None:
    """It was started before the store went away."""


def test_a_new_device_while_the_database_is_away(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its registration waits, and its messages with it; they are not refused."""
    recalled = line.database.recalled

    async def away(devices: list[str]) -> Any:
        raise UnavailableError("database: locked")

    def back() -> None:
        monkeypatch.setattr(line.database, "recalled", recalled)

    monkeypatch.setattr(line.database, "recalled", away)
    line.send("kl01", at(NOON))
    Rig(line, monkeypatch, [nothing, nothing, back, nothing]).run()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]
    assert line.dead() == []


def recalled_at_the_second_time(line: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The database is away when it is first asked what it remembers; returns what it was asked."""
    recalled, asked = line.database.recalled, list[list[str]]()

    async def once_away(devices: list[str]) -> Any:
        asked.append(list(devices))
        if len(asked) == 1:
            raise UnavailableError("the database restarts")
        return await recalled(devices)

    monkeypatch.setattr(line.database, "recalled", once_away)
    return asked


def test_what_the_database_could_not_recall_is_asked_again(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a device met while it was away nothing is read before it has answered: no reading becomes a fault of ours."""
    line.station("kl01")
    line.restart()
    asked = recalled_at_the_second_time(line, monkeypatch)
    for seq in range(5):
        line.send("kl01", json.dumps({"seq": seq, "boot": 1, "age_s": 1, "readings": {"water.ec": 2.0 + seq}}), received=NOON + seq * 1000)
    Rig(line, monkeypatch, [nothing, nothing]).run()
    assert len(line.rows("kl01")) == 5
    assert line.dead() == []
    assert asked == [["kl01"], ["kl01"]]


def test_clocks_are_not_mixed_where_the_database_was_away(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two devices met then, one three hours behind the other and numbered after it: each is counted by its own memory."""
    for device in ("kl01", "kl02"):
        line.station(device)
    line.restart()
    recalled_at_the_second_time(line, monkeypatch)
    for n in range(4):
        for more, device in enumerate(("kl01", "kl02")):
            time = NOON + n * 1000 - 3 * HOUR * more
            line.send(device, json.dumps({"seq": 10 + 2 * n + more, "boot": 1, "time": rfc3339(time), "readings": {"water.ec": 2.0}}), received=NOON + n * 1000)
    Rig(line, monkeypatch, [nothing, nothing], judging=False).run()
    assert not any(tests >> CLOCK_BIT & 1 for device in ("kl01", "kl02") for tests in line.tests(device))
    spans = {device: line.ask(line.database.boots(device))[0] for device in ("kl01", "kl02")}
    assert {device: (span.lowest, span.highest) for device, span in spans.items()} == {"kl01": (10, 16), "kl02": (11, 17)}


def test_while_the_database_is_away_no_more_is_taken_in_than_it_can_hold(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; when it is back everything is stored."""
    line = make_line(shared=True)
    line.station("kl01")
    line.restart()
    monkeypatch.setattr(ingest.run, "MAX_PENDING", 100)
    monkeypatch.setattr(ingest.run, "BATCH", 50)
    commit, held = line.database.commit, list[int]()
    for seq in range(1000):
        line.send("kl01", json.dumps({"seq": seq, "boot": 1, "time": rfc3339(NOON + seq), "readings": {"water.ec": 2.0}}))

    async def away(what: Any) -> None:
        raise UnavailableError("the database is away")

    def back() -> None:
        monkeypatch.setattr(line.database, "commit", commit)

    monkeypatch.setattr(line.database, "commit", away)
    look = lambda: held.append(line.processor.held)  # noqa: E731
    Rig(line, monkeypatch, [look] * 10 + [back, nothing], judging=False).run()
    assert 100 < max(held) <= 100 + 2 * 50
    assert len(line.rows("kl01")) == 1000
    assert line.processor.held == 0


def test_a_stop_while_the_store_is_away(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends within its bound; a new process stores what the journal holds."""
    line.send("kl01", at(NOON))
    line.store.away = "connection refused"
    rig = Rig(line, monkeypatch)
    rig.run()
    assert line.processor.cursor == 0
    line.store.away = ""
    line.restart()
    monkeypatch.undo()
    Rig(line, monkeypatch, [nothing]).run()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]


def test_a_stop_in_the_middle_while_the_store_is_away(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored before is committed at the stop, so that the latest state is true."""

    def gone() -> None:
        line.store.away = "connection refused"
        line.send("kl01", at(NOON + 1))

    line.send("kl01", at(NOON))
    Rig(line, monkeypatch, [gone], judging=False).run()
    assert [s.newest.time for s in line.ask(line.database.states())] == [NOON, NOON]
    line.store.away = ""
    line.restart()
    monkeypatch.undo()
    Rig(line, monkeypatch, [nothing]).run()
    assert [t for t, _, _ in line.rows("kl01")] == [NOON, NOON + 1]


def test_a_stop_finishes_what_is_in_the_journal(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages that came before the stop are stored, committed and judged."""

    def stop() -> None:
        for n in range(3):
            line.send("kl01", at(NOON + n, 2.0 + n))
        rig.worker.stop()

    rig = Rig(line, monkeypatch, [stop])
    rig.run()
    assert [flag for _, _, flag in line.rows("kl01")] == [1, 1, 1]
    assert {s.dirty_from for s in line.ask(line.database.states())} == {None}


class FarStore:
    """Between worker and store: each write waits until the script lets it go on, as one behind a network does."""

    def __init__(self, line: Any, monkeypatch: pytest.MonkeyPatch, batch: int, answers: Sequence[bool]) -> None:
        self.events: list[str] = []
        write, process, left = type(line.store).write, line.processor.process, list(answers)

        async def slow(store: Any, rows: Any, *args: Any, **more: Any) -> Any:
            self.events.append("send")
            for _ in range(3):
                await asyncio.sleep(0)
            self.events.append("answer")
            if left and not left.pop(0):
                raise UnavailableError("store: gone")
            return await write(store, rows, *args, **more)

        async def told(records: Any, **more: Any) -> Any:
            self.events.append(f"convert {len(records)}")
            return await process(records, **more)

        monkeypatch.setattr(ingest.run, "BATCH", batch)
        monkeypatch.setattr(type(line.store), "write", slow)
        monkeypatch.setattr(line.processor, "process", told)


def numbered(seq: int) -> str:
    return json.dumps({"seq": seq, "boot": 1, "time": rfc3339(NOON + seq), "readings": {"water.ec": 2.0 + seq}})


def test_the_next_batch_is_converted_while_one_is_written(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a backlog drains; what is left to do alone at its end is not."""
    line.station("kl01")
    for n in range(7):
        line.send("kl01", numbered(n))
    far = FarStore(line, monkeypatch, 3, [])
    rig = Rig(line, monkeypatch, judging=False)
    monkeypatch.setattr(rig.worker, "_house_every", 1e9)
    rig.worker._kept_house_at = rig.now
    rig.run()
    assert far.events == ["convert 3", "send", "convert 3", "answer", "send", "convert 1", "answer", "send", "answer"]
    assert [v for _, v, _ in line.rows("kl01")] == [2.0 + n for n in range(7)]
    (span,) = line.ask(line.database.boots("kl01"))
    assert (span.lowest, span.highest, span.holes) == (0, 6, ())


def test_a_stop_with_a_batch_converted_ahead(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was converted and not written is not committed either: read again, nothing of it is a duplicate, and nothing is counted twice."""
    line.station("kl01")
    for n in range(6):
        line.send("kl01", numbered(n))
        line.send("kl01", "{")
    far = FarStore(line, monkeypatch, 4, [True, *[False] * 20])
    rig = Rig(line, monkeypatch, judging=False)
    rig.worker._kept_house_at = rig.now + 1e9
    rig.run()
    assert far.events[:4] == ["convert 4", "send", "convert 4", "answer"]
    (span,) = line.ask(line.database.boots("kl01"))
    assert (span.highest, line.counters()) == (1, {"refused:malformed": 2})
    monkeypatch.undo()
    line.restart()
    line.work()
    (span,) = line.ask(line.database.boots("kl01"))
    assert (span.highest, span.holes, line.counters()) == (5, (), {"refused:malformed": 6})
    assert len(line.dead()) == 6


# ---------------------------------------------------------------- faults of our own


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder with a fault: a message with the word poison makes it raise something it never should."""
    native = mail.DECODERS["native"]

    def decode(payload: bytes) -> list[Record]:
        if b"poison" in payload:
            raise ZeroDivisionError("division by zero")
        return native.decode(payload)

    broken = Decoder(name="native", kind="telemetry", decode=decode, examples=native.examples, quantities={})
    monkeypatch.setattr(mail, "_BY_KIND", {"telemetry": broken})


@pytest.mark.usefixtures("poisoned")
def test_a_poison_message_stalls_nobody(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes a dead letter that names our fault; those beside it, refused ones too, are as without it."""
    for n in range(3):
        line.send("kl01", at(NOON + n))
        line.send("kl01", "{")
    position = line.send("kl01", '{"poison":1}')
    line.send("bc01", at(NOON))
    Rig(line, monkeypatch, [nothing]).run()
    assert len(line.rows("kl01")) == 3
    assert line.rows("bc01") == [(NOON, 2.31, 1)]
    letter = next(d for d in line.ask(line.database.dead_letters()) if d.position == position)
    assert "our fault: ZeroDivisionError" in letter.text
    assert (letter.device, letter.head) == ("kl01", b'{"poison":1}')
    assert line.counters() == {"refused:malformed": 4}


@pytest.mark.usefixtures("poisoned")
def test_poison_that_waits_for_approval(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In an approved device's backlog it stalls nothing either, and is done with."""
    line = make_line(mode="approve")
    line.send("kl01", at(NOON))
    line.send("kl01", at(NOON + 1))

    def approve() -> None:
        native = mail._BY_KIND["telemetry"]

        def decode(payload: bytes) -> list[Record]:
            if rfc3339(NOON).encode() in payload:
                raise ZeroDivisionError("division by zero")
            return native.decode(payload)

        monkeypatch.setattr(mail, "_BY_KIND", {"telemetry": Decoder(name="n", kind="telemetry", decode=decode, examples=(), quantities={})})
        line.station("kl01")

    Rig(line, monkeypatch, [nothing, approve, nothing, nothing, nothing]).run()
    assert [t for t, _, _ in line.rows("kl01")] == [NOON + 1]
    assert line.dead() == [("malformed", "")]
    assert line.ask(line.database.waiting_devices()) == []


@pytest.mark.parametrize("where", ["columns", "careful"])
def test_a_fault_behind_the_decoder(line: Any, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Wherever our code fails over one message, the others are stored and counted once, their numbers too."""
    add = Columns.add

    def breaking(ec: Any) -> Any:
        if 6.66 in ec:
            raise IndexError("list index out of range")
        return salinity_from_ec(ec)

    def broken(self: Columns, device: str, channel: str, values: dict[str, float], **more: Any) -> Any:
        if values.get("water.level") == 6.66:
            raise IndexError("list index out of range")
        return add(self, device, channel, values, **more)

    if where == "careful":
        monkeypatch.setattr(Columns, "add", broken)
    else:
        monkeypatch.setattr(ingest.convert, "DERIVED", [replace(d, compute=breaking) if d.quantity == "water.salinity" else d for d in DERIVED])
    for n, value in enumerate([1.0, 2.0, 6.66, 3.0]):
        line.send("kl01", json.dumps({"seq": n, "boot": 1, "time": rfc3339(NOON + n), "readings": {"water.ec": value}}))
        line.send("kl02", json.dumps({"seq": n, "boot": 1, "age_s": 5, "readings": {"water.level": value}}), received=NOON + n)
    line.send("kl01", "{")
    Rig(line, monkeypatch, [nothing]).run()
    all_of_them, but_one = [1.0, 2.0, 6.66, 3.0], [1.0, 2.0, 3.0]
    assert [v for _, v, _ in line.rows("kl01")] == (all_of_them if where == "careful" else but_one)
    assert [v for _, v, _ in line.rows("kl02", "water.level")] == (but_one if where == "careful" else all_of_them)
    assert line.counters() == {"refused:malformed": 2}
    assert sum("our fault" in d.text for d in line.ask(line.database.dead_letters())) == 1
    assert line.ask(line.database.boots("kl01"))[0].holes == (() if where == "careful" else ((2, 2),)), "a message nobody stored was not received"


def test_a_poisonous_message_is_found_by_halving(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One among a thousand costs some twenty tries, not a thousand."""
    line.station("kl01")
    for n in range(1000):
        line.send("kl01", at(NOON + n) if n != 700 else at(NOON + n, 6.66))
    tries = []
    batch = Columns.batch

    def broken(self: Columns) -> Any:
        tries.append(1)
        rows = batch(self)
        if 6.66 in rows.value:
            raise IndexError("list index out of range")
        return rows

    monkeypatch.setattr(Columns, "batch", broken)
    Rig(line, monkeypatch, [nothing], judging=False).run()
    assert len(line.rows("kl01")) == 999
    assert len(tries) <= 2 * 10 + 2
    assert [d.position for d in line.ask(line.database.dead_letters())] == [line.journal.read(0, limit=1000).records[700][0]]


def test_a_trouble_that_passes_becomes_no_dead_letter(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine had no memory, or no file handle left, for one message: it is stored a second later."""
    process, failed = line.processor.process, list[int]()

    async def short_of_memory(records: Any, **more: Any) -> Any:
        if not failed or (len(records) == 1 and len(failed) < 2):
            failed.append(len(records))
            raise MemoryError
        return await process(records, **more)

    monkeypatch.setattr(line.processor, "process", short_of_memory)
    for n in range(2):
        line.send("kl01", at(NOON + n))
    Rig(line, monkeypatch, [nothing, nothing]).run()
    assert failed == [2, 1]
    assert len(line.rows("kl01")) == 2
    assert line.dead() == []


def test_a_fault_of_ours_that_is_mended_is_read_again(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dead letter can be replayed like any other."""
    with monkeypatch.context() as broken:
        broken.setattr(Columns, "batch", lambda self: 1 // 0)
        line.send("kl01", at(NOON))
        Rig(line, monkeypatch, [nothing]).run()
    assert line.dead() == [("malformed", "")]
    line.restart()
    line.ask(line.database.ask_replays(Choice(reason="malformed", device="kl01")))
    Rig(line, monkeypatch, [nothing, nothing]).run()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]
    assert line.ask(line.database.dead_letters())[0].resolved_at is not None


def test_a_judge_with_a_fault_stops_no_rows(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A QC test that raises is logged and told at once; what comes is stored and waits for its judgement."""
    rig = Rig(line, monkeypatch, [nothing, lambda: line.send("kl01", at(NOON + 1)) and None, nothing, nothing])

    async def judge() -> int:
        raise IndexError("a fault in a test")

    rig.worker._judge = judge
    line.send("kl01", at(NOON))
    with pytest.raises(IndexError):  # the last round of a stop has nobody behind it to go on
        rig.run()
    told = [trouble for part, trouble in rig.told if part == "ingest"]
    assert "IndexError: a fault in a test" in told[0]
    assert [t for t, _, _ in line.rows("kl01")] == [NOON, NOON + 1]
    assert {s.dirty_from for s in line.ask(line.database.states())} == {NOON}


# ---------------------------------------------------------------- read again


def test_approval(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """All that an unknown device sent before its approval is stored after it, also from before a restart; a redelivery is known."""
    line = make_line(mode="approve")
    for n in range(3):
        line.send("kl01", at(NOON + n))
    line.send("kl01", json.dumps({"seq": 1, "boot": 1, "age_s": 60, "readings": {"water.ec": 9.0}}), received=NOON)
    line.work()
    line.restart()
    line.send("kl01", json.dumps({"seq": 1, "boot": 1, "age_s": 60, "readings": {"water.ec": 9.0}}), received=NOON + HOUR)
    line.send("kl02", at(NOON))

    def approve() -> None:
        assert not line.ask(line.store.series())
        line.station("kl01")
        line.send("kl01", at(NOON + 3))

    Rig(line, monkeypatch, [nothing, approve, nothing, nothing]).run()
    assert [t for t, _, _ in line.rows("kl01")] == [NOON - 60_000, *(NOON + n for n in range(4))]
    assert [d.device for d in line.ask(line.database.waiting_devices())] == ["kl02"]
    assert {s.dirty_from for s in line.ask(line.database.states())} == {None}


def test_a_waiting_message_that_is_damaged_is_named(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an approved device's backlog what the journal cannot give any more is a dead letter, and the others are stored."""
    line = make_line(mode="approve")
    for n in range(3):
        line.send("kl01", at(NOON + n))
    positions = [position for position, _ in line.journal.read(0, limit=3).records]
    get = line.journal.get
    monkeypatch.setattr(line.journal, "get", lambda position: None if position == positions[1] else get(position))
    Rig(line, monkeypatch, [nothing, lambda: line.station("kl01"), nothing, nothing]).run()
    assert [t for t, _, _ in line.rows("kl01")] == [NOON, NOON + 2]
    letter = line.ask(line.database.dead_letters())[0]
    assert (letter.reason, letter.device, letter.position, letter.head) == ("malformed", "kl01", positions[1], at(NOON + 1).encode())
    assert line.dead() == [("malformed", "")]
    assert line.ask(line.database.waiting_devices()) == []


def test_approval_while_the_store_is_away(make_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What waited goes on waiting until it is stored; a stop in between loses none of it."""
    line = make_line(mode="approve")
    line.send("kl01", at(NOON))

    def approve() -> None:
        line.station("kl01")
        line.store.away = "connection refused"

    Rig(line, monkeypatch, [nothing, approve, nothing]).run()
    assert [d.messages for d in line.ask(line.database.waiting_devices())] == [1]
    line.store.away = ""
    line.restart()
    monkeypatch.undo()
    Rig(line, monkeypatch, [nothing, nothing]).run()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]
    assert line.ask(line.database.waiting_devices()) == []


def test_replay_with_a_shift(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters of a wrong clock are read again with the shift asked for, stored once, and resolved; a wrong shift is refused again."""
    wrong = NOON - 40 * 365 * 24 * HOUR
    for n in range(3):
        line.send("kl01", at(wrong + n))

    def ask(shift: int) -> Callable[[], None]:
        def now() -> None:
            ids = [d.id for d in line.ask(line.database.dead_letters(reason="clock")) if d.resolved_at is None]
            assert len(ids) == 3
            line.ask(line.database.ask_replay(ids, shift_ms=shift))

        return now

    Rig(line, monkeypatch, [nothing, ask(HOUR), nothing, nothing, ask(NOON - wrong), nothing, nothing]).run()
    assert line.rows("kl01") == [(NOON + n, 2.31, 1) for n in range(3)]
    assert all(d.resolved_at is not None for d in line.ask(line.database.dead_letters()))
    assert line.ask(line.database.dead_letter_counts()) == {}
    assert line.counters()["refused:clock"] == 3


def test_replay_after_a_deployment_was_added(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood nowhere is stored once somebody says where it stood; nothing else of its message is counted again."""
    line.put(Device(id="kl01", org="default"), Station(id="kl01", org="default", name="Kênh Láng"))
    line.send("kl01", json.dumps({"seq": 1, "boot": 1, "time": rfc3339(NOON), "readings": {"water.ec": 2.31, "water.salt": 1}}))

    def deploy() -> None:
        line.put(Deployment(device="kl01", channel="main", station="kl01", point="main"))
        line.ask(line.database.ask_replay([d.id for d in line.ask(line.database.dead_letters(reason="not_deployed"))]))

    Rig(line, monkeypatch, [nothing, deploy, nothing, nothing]).run()
    assert line.rows("kl01") == [(NOON, 2.31, 1)]
    assert line.ask(line.database.dead_letter_counts()) == {"unknown_quantity": 1}
    assert line.counters() == {"refused:not_deployed": 1, "refused:unknown_quantity": 1}


# ---------------------------------------------------------------- receive


class Source:
    """Batches from a list; remembers what was acknowledged, and when."""

    def __init__(self, batches: list[list[Message]], log: list[str]) -> None:
        self.batches, self.log = batches, log

    async def batch(self) -> list[Message]:
        if not self.batches:
            raise asyncio.CancelledError
        return self.batches.pop(0)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        self.log.append(f"ack {len(messages)}")


class FullDisk:
    """A journal that is full for some time."""

    def __init__(self, full: int, log: list[str]) -> None:
        self.full, self.log = full, log

    def append(self, messages: Sequence[Message]) -> int:
        self.full -= 1
        if self.full >= 0:
            raise JournalFullError("journal: no space left on device")
        self.log.append(f"fsync {len(messages)}")
        return 0


def test_nothing_is_acknowledged_before_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fsync, then acknowledge, batch by batch in order of arrival; while the disk is full nothing is, and it is told once."""
    log: list[str] = []
    told: list[tuple[str, str]] = []

    async def no_time(seconds: float) -> None:
        log.append("wait")

    monkeypatch.setattr(ingest.run.asyncio, "sleep", no_time)
    one = Message("t", b"1", 1)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(receive(Source([[one, one], [one]], log), FullDisk(2, log), Health(lambda part, trouble: told.append((part, trouble)))))  # type: ignore[arg-type] # as much of the ports as is used
    assert log == ["wait", "wait", "fsync 2", "ack 2", "fsync 1", "ack 1"]
    assert [(part, bool(trouble)) for part, trouble in told] == [("journal", True), ("journal", False)]


def test_a_batch_of_long_messages_goes_in_parts() -> None:
    """Each part is fsynced and acknowledged by itself, so that the smallest journal takes what its bound has room for; none is lost or put twice."""
    log: list[str] = []
    long = [Message("t", b"x" * size, n) for n, size in enumerate([3 << 20, (1 << 20) - 2, 1, 9 << 20, 1, 4 << 20])]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(receive(Source([long], log), FullDisk(0, log), Health(lambda part, trouble: None)))  # type: ignore[arg-type] # as much of the ports as is used
    assert log == ["fsync 2", "ack 2", "fsync 1", "ack 1", "fsync 1", "ack 1", "fsync 1", "ack 1", "fsync 1", "ack 1"]


def test_health_tells_what_changed_and_nothing_else() -> None:
    """Once when trouble begins, once when it becomes another, once when it is over."""
    told: list[tuple[str, str]] = []
    health = Health(lambda part, trouble: told.append((part, trouble)))
    health.green("store")
    for trouble in ("away", "away", "refused"):
        health.red("store", trouble)
    health.red("database", "locked")
    assert health.troubles == {"store": "refused", "database": "locked"}
    health.green("store")
    health.green("store")
    assert told == [("store", "away"), ("store", "refused"), ("database", "locked"), ("store", "")]


def test_a_trouble_that_differs_in_its_numbers_alone_is_told_once() -> None:
    """A lag that grows for hours is one line in the log; who asks sees its number of now, and another kind is told."""
    told: list[tuple[str, str]] = []
    health = Health(lambda part, trouble: told.append((part, trouble)))
    for seconds in range(60, 7200, 2):
        health.red("lag", f"the oldest came {seconds} s ago")
    assert told == [("lag", "the oldest came 60 s ago")]
    assert health.troubles == {"lag": "the oldest came 7198 s ago"}
    health.red("lag", "the worker hangs")
    health.green("lag")
    assert told[1:] == [("lag", "the worker hangs"), ("lag", "")]
