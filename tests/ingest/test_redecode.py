"""redecode: a wrong past is repaired, nothing else is touched, and whatever is cut short ends the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ingest.mail
import ingest.past
from adapters.journal import FileJournal
from adapters.journal_keeping import Keeper
from adapters.journal_reading import JournalReader
from core.batch import Batch
from core.clock import SimClock, rfc3339
from core.flags import WITHDRAWN_BIT, Flag
from core.message import Message
from core.place import FOREVER, Deployment, Device, Station
from core.series import SeriesKey
from ingest.decoder import Decoder
from ingest.differences import compare
from ingest.pipeline import Processor
from ingest.redecode import Asked, Result, redecode
from quality.sweep import sweep

DAY_MS = 86_400_000
NOON = 1_772_420_400_000  # 2026-03-02T03:00:00Z
HOUR = 3_600_000
W = 1 << WITHDRAWN_BIT

Line = Any  # of conftest.py


def payload(seq: int, time: int, ec: float, **more: Any) -> str:
    return json.dumps({"seq": seq, "boot": 1, "time": rfc3339(time), "readings": {"water.ec": ec, "water.temperature": 28.5} | more})


def week(line: Line, device: str, *, days: int = 7, per_day: int = 12, start: int = NOON) -> None:
    """A reading every two hours."""
    times = [start + n * (DAY_MS // per_day) for n in range(days * per_day)]
    line.journal.append(
        [Message(f"canhman/default/{device}/telemetry", payload(n, time, 1.0 + (n - 1) / 100).encode(), time + 500) for n, time in enumerate(times, 1)]
    )


def run(line: Line, *, judged: bool = True, folders: Sequence[Path] = (), arrival_of_row: bool = True, **asked: Any) -> Result:
    """redecode beside the running line, from a reader of its journal; then the judge."""
    readers = [JournalReader(folder) for folder in folders or [line.folder]]
    for reader in readers:
        reader.open()
    wanted = Asked(**({"since": NOON - DAY_MS, "until": NOON + 100 * DAY_MS} | asked))
    clock = SimClock(line.now, 0)

    async def steps() -> Result:
        result = await redecode(
            wanted, journals=readers, store=line.store, database=line.database, config=line.config, clock=clock, arrival_of_row=arrival_of_row
        )
        if judged and not wanted.dry:
            await sweep(line.database, line.store, line.config)
        return result

    return asyncio.run(steps())


def stored(line: Line) -> dict[SeriesKey, list[tuple[Any, ...]]]:
    """Everything the store holds, to the bit."""
    found = {}
    for key in line.ask(line.store.series()):
        b = line.ask(line.store.read([key], 0, FOREVER))
        found[key] = list(zip(b.time.tolist(), b.value.view(np.int64).tolist(), b.flag.tolist(), b.tests.tolist(), b.received.tolist(), strict=True))
    return found


def counts(result: Result) -> dict[str, int]:
    return {name: n for name, n in result.counts.items() if n and name != "messages"}


@pytest.fixture
def wrong_decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[dict[str, float]], dict[str, float]]], None]]:
    """`wrong_decoder(change)`: until `undo`, the native decoder gives what `change` makes of the values."""
    real = ingest.mail._BY_KIND["telemetry"]

    def break_it(change: Callable[[dict[str, float]], dict[str, float]] | None) -> None:
        if change is None:
            monkeypatch.setitem(ingest.mail._BY_KIND, "telemetry", real)
            return

        def decode(raw: bytes) -> Any:
            return [r._replace(channels=[(c, change(dict(values))) for c, values in r.channels]) for r in real.decode(raw)]

        bad = Decoder(name=real.name, kind=real.kind, decode=decode, examples=(), quantities={})
        monkeypatch.setitem(ingest.mail._BY_KIND, "telemetry", bad)

    return break_it


def a_week_by_a_wrong_decoder(line: Line, wrong_decoder: Any) -> dict[SeriesKey, list[tuple[Any, ...]]]:
    """kl01's week was stored with a decoder that gave the temperature as EC; kl02 was read rightly. Returns what should stand there."""
    line.station("kl01")
    line.station("kl02")
    week(line, "kl01")
    wrong_decoder(lambda v: {"water.ec": v["water.temperature"], "water.level": 1.0})
    line.work()
    wrong_decoder(None)
    line.restart()
    week(line, "kl02")
    line.work()
    return {key: rows for key, rows in stored(line).items() if key.sensor == "kl02"}


def test_a_week_stored_with_a_wrong_decoder_is_repaired(line: Line, make_line: Callable[..., Line], wrong_decoder: Any) -> None:
    """Afterwards the store holds what a right decoder would have stored, flags too; what it never would have is withdrawn; kl02 is as it was, to the bit."""
    others = a_week_by_a_wrong_decoder(line, wrong_decoder)
    right = make_line()
    right.station("kl01")
    week(right, "kl01")
    right.work()
    result = run(line)
    now = stored(line)
    assert {key: rows for key, rows in now.items() if key.sensor == "kl02"} == others
    level = SeriesKey("default", "kl01", "main", "kl01", "water.level")
    assert {key: rows for key, rows in now.items() if key.sensor == "kl01" and key != level} == stored(right)
    assert {(flag, tests) for _, _, flag, tests, _ in now[level]} == {(Flag.MISSING, W)}
    assert counts(result) == {"value": 84 * 2, "new": 84, "withdrawn": 84}  # EC and salinity, temperature, level
    assert counts(run(line)) == {}  # a second time there is nothing to do
    assert stored(line) == now


def test_a_week_stored_under_a_wrong_deployment_is_repaired(line: Line, make_line: Callable[..., Line]) -> None:
    """The readings stand at the right station with the right flags; at the wrong one they keep their number, withdrawn; nothing else is touched."""
    for at in (line, right := make_line()):
        at.put(*(Station(id=s, org="default", name=s) for s in ("kenh-lau", "kenh-nam")), Device(id="kl01", org="default"))
        at.station("kl02")
    line.put(Deployment(device="kl01", channel="main", station="kenh-lau", point="main"))
    right.put(Deployment(device="kl01", channel="main", station="kenh-nam", point="main", start=NOON + 2 * DAY_MS))
    right.put(Deployment(device="kl01", channel="main", station="kenh-lau", point="main", end=NOON + 2 * DAY_MS))
    for at in (line, right):
        week(at, "kl01")
        week(at, "kl02")
        at.work()
    before = stored(line)
    moved = NOON + 2 * DAY_MS
    line.put(Deployment(device="kl01", channel="main", station="kenh-lau", point="main", end=moved))
    line.put(Deployment(device="kl01", channel="main", station="kenh-nam", point="main", start=moved))
    result = run(line, device="kl01")
    now, wanted = stored(line), stored(right)
    for key, rows in now.items():
        if key.station == "kenh-lau":
            assert [r[:2] for r in rows] == [r[:2] for r in before[key]]  # every number is still there
            assert [r for r in rows if r[0] < moved] == [r for r in wanted[key] if r[0] < moved]
            assert {(flag, tests & W) for time, _, flag, tests, _ in rows if time >= moved} == {(Flag.MISSING, W)}
        else:
            assert rows == wanted[key]
    assert counts(result) == {"new": 60 * 3, "withdrawn": 60 * 3}
    assert counts(run(line)) == {}
    assert stored(line) == now


@pytest.mark.parametrize("moves", [True, False])
def test_nothing_is_good_that_was_changed_until_it_is_judged(line: Line, wrong_decoder: Any, moves: bool) -> None:
    """From the moment of the write on, before any judge has passed, the newest judged reading is not good where it was withdrawn or has another value."""
    line.put(*(Station(id=s, org="default", name=s) for s in ("a", "b")), Device(id="kl01", org="default"))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    wrong_decoder(None if moves else lambda v: {"water.ec": v["water.ec"] * 2})
    week(line, "kl01", days=1)
    line.work()
    wrong_decoder(None)
    if moves:
        line.put(Deployment(device="kl01", channel="main", station="a", point="main", end=0))
        line.put(Deployment(device="kl01", channel="main", station="b", point="main", start=1))

    def ec() -> Any:
        return next(s for s in line.ask(line.database.states(station="a")) if s.key.quantity == "water.ec")

    assert (ec().judged.flag, ec().good.time) == (Flag.GOOD, ec().newest.time)
    run(line, judged=False)
    assert (ec().judged.flag, ec().good) == (Flag.MISSING if moves else Flag.NOT_EVALUATED, None)
    asyncio.run(sweep(line.database, line.store, line.config))
    assert (ec().judged.flag, ec().good is None) == (Flag.MISSING if moves else Flag.GOOD, moves)


def test_a_good_reading_behind_a_bad_one_is_not_good_any_more_where_it_is_withdrawn(line: Line) -> None:
    """The newest reading is a bad one and stays: the good one before it is withdrawn, and before any judge has passed the good one before that is told."""
    line.put(*(Station(id=s, org="default", name=s) for s in ("a", "b")), Device(id="kl01", org="default"))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    for n, ec in enumerate((5.0, 5.1, 190.0)):
        line.send("kl01", payload(n, NOON + n * HOUR, ec), received=NOON + n * HOUR)
    line.work()
    line.put(Deployment(device="kl01", channel="main", station="a", point="main", end=0))
    line.put(Deployment(device="kl01", channel="main", station="b", point="main", start=1))

    def ec() -> Any:
        return next(s for s in line.ask(line.database.states(station="a")) if s.key.quantity == "water.ec")

    bad = ec().judged
    assert (bad.time, bad.flag, ec().good.time) == (NOON + 2 * HOUR, Flag.FAIL, NOON + HOUR)
    run(line, judged=False, since=NOON + HOUR, until=NOON + 2 * HOUR)
    assert (ec().judged, ec().newest, ec().good.time) == (bad, bad, NOON)
    run(line, judged=False, since=NOON, until=NOON + HOUR)
    assert (ec().judged, ec().newest, ec().good) == (bad, bad, None)
    asyncio.run(sweep(line.database, line.store, line.config))
    assert (ec().good, ec().dirty_from) == (None, None)


def test_a_judge_that_had_read_before_takes_no_withdrawal_back(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flat line is withdrawn while the judge, who has read it, is about to fail it: the bits of the withdrawal stay, and the next round ends as always."""
    line.put(*(Station(id=s, org="default", name=s) for s in ("a", "b")), Device(id="kl01", org="default"))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    for n in range(40):
        line.send("kl01", payload(n, NOON + n * 15 * 60_000, 5.0), received=NOON + n * 15 * 60_000)
    line.work(judge=False)
    line.put(Deployment(device="kl01", channel="main", station="a", point="main", end=0))
    line.put(Deployment(device="kl01", channel="main", station="b", point="main", start=1))
    read, store = type(line.store).read, type(line.store)

    async def read_before(*args: Any, **more: Any) -> Batch:
        rows: Batch = await read(*args, **more)
        monkeypatch.setattr(store, "read", read)
        await redecode(Asked(since=NOON - DAY_MS), journals=readers, store=line.store, database=line.database, config=line.config, clock=SimClock(line.now, 0))
        return rows

    readers = [JournalReader(line.folder)]
    readers[0].open()
    monkeypatch.setattr(store, "read", read_before)
    asyncio.run(sweep(line.database, line.store, line.config))
    for key, rows in stored(line).items():
        assert all(tests & W for _, _, _, tests, _ in rows) == (key.station == "a"), key
    asyncio.run(sweep(line.database, line.store, line.config))
    assert not line.ask(line.database.dirty())
    assert {flag for _, _, flag in line.rows("kl01", station="a")} == {9}


def test_a_withdrawn_newest_reading_is_not_the_newest(line: Line) -> None:
    """A device that had moved before its last reading: its old place was last heard with the reading before, as far as silence and freshness go."""
    line.put(*(Station(id=s, org="default", name=s) for s in ("a", "b")), Device(id="kl01", org="default"))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    week(line, "kl01", days=1)
    line.work()
    was = {s.key: s for s in line.ask(line.database.states(station="a"))}
    moved = NOON + 11 * 2 * HOUR
    line.put(Deployment(device="kl01", channel="main", station="a", point="main", end=moved))
    line.put(Deployment(device="kl01", channel="main", station="b", point="main", start=moved))
    assert counts(run(line)) == {"new": 3, "withdrawn": 3}
    for state in line.ask(line.database.states(station="a")):
        assert was[state.key].newest.time == moved
        assert (state.newest.time, state.newest.flag) == (moved - 2 * HOUR, Flag.GOOD)
        assert state.newest == state.judged == state.good
    assert {s.newest.time for s in line.ask(line.database.states(station="b"))} == {moved}


def test_a_withdrawn_reading_comes_back_with_its_deployment(line: Line) -> None:
    """A change of mind is a run like any other: what was withdrawn is restored, and what was moved is withdrawn in turn."""
    line.put(*(Station(id=s, org="default", name=s) for s in ("a", "b")), Device(id="kl01", org="default"))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    week(line, "kl01", days=1)
    line.work()
    before = {key: rows for key, rows in stored(line).items() if key.station == "a"}
    line.put(Deployment(device="kl01", channel="main", station="a", point="main", end=0))
    line.put(Deployment(device="kl01", channel="main", station="b", point="main", start=1))
    assert counts(run(line)) == {"new": 36, "withdrawn": 36}
    line.put(Deployment(device="kl01", channel="main", station="b", point="main", start=1, end=1))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    assert counts(run(line)) == {"restored": 36, "withdrawn": 36}
    assert {key: rows for key, rows in stored(line).items() if key.station == "a"} == before


def test_a_dry_run_shows_and_writes_nothing(line: Line, wrong_decoder: Any) -> None:
    """The same differences as the run that follows, and store, states and dead letters stay as they are."""
    a_week_by_a_wrong_decoder(line, wrong_decoder)
    before, states = stored(line), line.ask(line.database.states())
    shown = run(line, dry=True)
    assert stored(line) == before
    assert line.ask(line.database.states()) == states
    assert line.ask(line.database.redecode_runs()) == []
    done = run(line)
    assert (shown.counts, shown.changes, shown.touched) == (done.counts, done.changes, done.touched)


def test_only_the_span_and_device_asked_for_are_touched(line: Line, wrong_decoder: Any) -> None:
    """Readings of another day, device or org stay as they are."""
    line.station("kl01")
    line.station("kl02")
    wrong_decoder(lambda v: {"water.ec": v["water.ec"] * 2})
    week(line, "kl01")
    week(line, "kl02")
    line.work()
    wrong_decoder(None)
    before = stored(line)
    low, high = NOON + 2 * DAY_MS, NOON + 3 * DAY_MS
    assert counts(run(line, device="kl01", since=low, until=high))["value"] == 24
    now = stored(line)
    for key, rows in before.items():
        same = [r[:2] for r in now[key] if not low <= r[0] < high]
        assert same == [r[:2] for r in rows if not low <= r[0] < high]
        assert key.sensor == "kl01" or now[key] == rows
    assert counts(run(line, org="another")) == {}


def test_the_log_tells_old_and_new(line: Line, wrong_decoder: Any) -> None:
    """Run, span, who and why, and each change with the value before and after."""
    line.station("kl01")
    wrong_decoder(lambda v: {"water.ec": 9.0})
    line.send("kl01", payload(1, NOON, 2.5), received=NOON + 1)
    line.work()
    wrong_decoder(None)
    result = run(line, actor="cli:lan", reason="decoder 2")
    (logged,) = line.ask(line.database.redecode_runs())
    assert (logged.id, logged.actor, logged.reason, logged.state) == (result.run, "cli:lan", "decoder 2", "finished")
    assert logged.counts["value"] == 2
    changes = [c for _, c in line.ask(line.database.redecode_changes(result.run))]
    assert [(c.kind, c.old, c.new) for c in changes if c.key.quantity == "water.ec"] == [("value", 9.0, 2.5)]
    assert [(c.kind, c.old) for c in changes if c.key.quantity == "water.temperature"] == [("new", None)]
    assert {t.key.quantity: dict(t.counts) for t in line.ask(line.database.redecode_touched(result.run))} == {
        "water.ec": {"value": 1},
        "water.salinity": {"value": 1},
        "water.temperature": {"new": 1},
    }


class KilledError(Exception):
    """The process dies here."""


def half_wrong(line: Line, wrong_decoder: Any) -> Line:
    """Two devices' day by a wrong decoder, one of them under a wrong deployment too."""
    line.put(*(Station(id=s, org="default", name=s) for s in ("a", "b")), *(Device(id=d, org="default") for d in ("kl01", "kl02")))
    for device in ("kl01", "kl02"):
        line.put(Deployment(device=device, channel="main", station="a", point=device))
    wrong_decoder(lambda v: {"water.ec": v["water.ec"] * 2, "water.level": 1.0})
    week(line, "kl01", days=1)
    week(line, "kl02", days=1)
    line.work()
    wrong_decoder(None)
    line.put(Deployment(device="kl02", channel="main", station="a", point="kl02", end=0))
    line.put(Deployment(device="kl02", channel="main", station="b", point="kl02", start=1))
    return line


def test_killed_in_the_middle_and_run_again_ends_the_same(make_line: Callable[..., Line], wrong_decoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever call it dies, before or after it: the next run leaves the store and the flags as if it had never died."""
    reference = half_wrong(make_line(), wrong_decoder)
    told: list[str] = []
    for name in _CALLS:
        _counted(monkeypatch, reference.store if name in _OF_STORE else reference.database, name, told, dies_at=None, after=False)
    run(reference, judged=False)
    monkeypatch.undo()
    asyncio.run(sweep(reference.database, reference.store, reference.config))
    wanted = stored(reference)
    assert set(told) == set(_CALLS)
    for name, after in [*((call, True) for call in _CALLS), ("write", False), ("commit", False)]:
        number = told.index(name)  # at its first time
        line = half_wrong(make_line(), wrong_decoder)
        seen: list[str] = []
        with monkeypatch.context() as patch:
            for call in _CALLS:
                _counted(patch, line.store if call in _OF_STORE else line.database, call, seen, dies_at=number, after=after)
            with pytest.raises(KilledError):
                run(line)
        run(line)
        assert stored(line) == wanted, (name, number, after)
        assert not line.ask(line.database.dirty())
        assert "running" not in [r.state for r in line.ask(line.database.redecode_runs())]


_OF_STORE = ("write", "write_flags")
_CALLS = ("begin_redecode", "log_redecode", "begin_rewriting", "end_rewriting", "announce_rewriting", "commit", "judged", "finish_redecode", *_OF_STORE)


def _counted(patch: pytest.MonkeyPatch, whose: Any, name: str, told: list[str], *, dies_at: int | None, after: bool) -> None:
    """Have a call write itself down, and the one with number `dies_at` be the last."""
    real = getattr(whose, name)

    async def call(self: Any, *args: Any, **named: Any) -> Any:
        number = len(told)
        told.append(name)
        if number == dies_at and not after:
            raise KilledError
        answer = await real(*args, **named)
        if number == dies_at:
            raise KilledError
        return answer

    patch.setattr(type(whose), name, call)


def test_over_sealed_segments_and_a_damaged_record(line: Line, wrong_decoder: Any) -> None:
    """Compressed segments are read as the plain ones; rows of a damaged record, and those next to it, stay as they are, and nothing is withdrawn for it."""
    line.station("kl01")
    wrong_decoder(lambda v: {"water.ec": v["water.ec"] * 2})
    line.journal._segment_bytes = 1
    for day in range(3):
        week(line, "kl01", days=1, start=NOON + day * DAY_MS)
    line.work()
    wrong_decoder(None)
    line.journal.release(line.journal.end)
    Keeper(line.journal, keep_days=0, clock=SimClock(0, 0), rest=lambda s: None).once()
    assert sum(s.sealed for s in line.journal.segments) == 2
    records = line.journal.read(line.journal.segments[-1].base, limit=9).records
    lost = records[0][1].received - 500
    raw = bytearray(line.journal.segments[-1].path.read_bytes())
    raw[records[0][0] - line.journal.segments[-1].base + 60] ^= 1
    line.journal.segments[-1].path.write_bytes(raw)
    before = {r[0]: r for r in stored(line)[SeriesKey("default", "kl01", "main", "kl01", "water.ec")]}
    result = run(line)
    assert result.counts["damaged_bytes"] > 0
    assert result.counts["withdrawn"] == 0
    now = stored(line)[SeriesKey("default", "kl01", "main", "kl01", "water.ec")]
    for time, value, *_ in now:
        wanted = 1.0 + (time - NOON) // (2 * HOUR) % 12 / 100
        assert np.int64(value).view(np.float64) == (wanted if abs(time - lost) > 2 * HOUR else np.int64(before[time][1]).view(np.float64))


def test_rows_whose_messages_are_gone_stay(line: Line, wrong_decoder: Any) -> None:
    """What the journal keeps no more cannot be decoded again, and is no reason to withdraw anything."""
    line.station("kl01")
    line.journal._segment_bytes = 1
    for hours in (0, 12):
        week(line, "kl01", days=1, per_day=6, start=NOON + hours * HOUR)
    line.work()
    before = stored(line)
    line.journal.release(line.journal.end)
    assert line.journal.remove_oldest("test")
    result = run(line)
    assert stored(line) == before
    assert counts(result) == {"without_message": 9}


def test_clockless_objects_keep_the_time_of_their_first_arrival(line: Line, wrong_decoder: Any) -> None:
    """Redelivered ones are one reading at its first time; nothing is doubled, and the repaired value stands there."""
    line.station("kl01")
    wrong_decoder(lambda v: {"water.ec": v["water.ec"] * 2})
    for n in range(5):
        body = json.dumps({"seq": n, "boot": 3, "age_s": 60, "readings": {"water.ec": 1.0 + n}})
        line.send("kl01", body, received=NOON + n * HOUR)
        line.send("kl01", body, received=NOON + n * HOUR + 5 * 60_000)  # the same bytes, later
    line.work()
    wrong_decoder(None)
    result = run(line)
    assert [(t, v) for t, v, _ in line.rows("kl01")] == [(NOON + n * HOUR - 60_000, 1.0 + n) for n in range(5)]
    assert counts(result) == {"value": 10}
    assert counts(run(line)) == {}


def test_several_journals_of_one_installation(line: Line, wrong_decoder: Any) -> None:
    """Two ingests that share the messages have a journal each: with one of them its own values are repaired and no row of the other touched; with both, all."""
    line.station("kl01")
    times = [NOON + n * HOUR for n in range(12)]
    other = FileJournal(line.folder.with_name("journal-b"))
    other.open()
    for n, time in enumerate(times):
        message = Message("canhman/default/kl01/telemetry", payload(n, time, 1.0 + n).encode(), time + 500)
        (line.journal if n % 2 else other).append([message])
    wrong_decoder(lambda v: {"water.ec": v["water.ec"] * 2, "water.level": 1.0})
    line.work()

    async def second() -> None:
        processor = Processor(
            journal=other, store=line.store, database=line.database, config=line.config, clock=SimClock(line.now, 0), mode="open", public=False
        )
        await processor.start()
        await processor.write(await processor.process(other.read(0, limit=99).records), other.end)
        await processor.commit()
        await sweep(line.database, line.store, line.config)

    asyncio.run(second())
    wrong_decoder(None)
    before = stored(line)
    assert counts(run(line)) == {"value": 12, "new": 6, "without_message": 24}
    now = stored(line)
    mine = set(times[1::2])
    assert {key: [r for r in rows if r[0] not in mine] for key, rows in now.items() if key in before} == {
        key: [r for r in rows if r[0] not in mine] for key, rows in before.items()
    }
    assert counts(run(line, folders=[line.folder, other._folder])) == {"value": 12, "new": 6, "withdrawn": 12}
    assert [(t, v) for t, v, _ in line.rows("kl01")] == [(time, 1.0 + n) for n, time in enumerate(times)]
    assert counts(run(line, folders=[line.folder, other._folder])) == {}
    other.close()


def test_what_ingest_stores_meanwhile_is_the_later_word(line: Line, wrong_decoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that is journalled and stored between our look at the store and our write is not written over."""
    line.station("kl01")
    wrong_decoder(lambda v: {"water.ec": v["water.ec"] * 2})
    line.send("kl01", payload(1, NOON, 2.5), received=NOON + 1)
    line.work()
    wrong_decoder(None)
    real = type(line.store).read
    late = []

    async def read(self: Any, *args: Any, **named: Any) -> Any:
        batch = await real(self, *args, **named)
        if not late:
            late.append(line.send("kl01", payload(2, NOON, 2.75), received=NOON + 2))
            work = await line.processor.process(line.journal.read(line.processor.cursor, limit=9).records)
            await line.processor.write(work, line.journal.end)
        return batch

    monkeypatch.setattr(type(line.store), "read", read)
    run(line)
    assert [(t, v) for t, v, _ in line.rows("kl01")] == [(NOON, 2.75)]
    assert counts(run(line)) == {}


def test_the_last_of_two_messages_of_one_reading_stands(line: Line) -> None:
    """As live: what was sent again with another value is that value, and no difference."""
    line.station("kl01")
    line.send("kl01", payload(1, NOON, 2.5), received=NOON + 1)
    line.send("kl01", payload(2, NOON, 2.6), received=NOON + 2)
    line.work()
    assert counts(run(line)) == {}


def test_messages_that_can_be_read_now_resolve_their_dead_letters(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused for want of a place: after the deployment is made good they are stored and no letter is open; other letters stay, and none is doubled."""
    line.put(Device(id="kl01", org="default"), Station(id="a", org="default", name="a"))
    for n in range(3):
        line.send("kl01", payload(n, NOON + n * HOUR, 2.0, **({"water.nonsense": 1} if n == 1 else {})), received=NOON + n * HOUR)
    line.work()
    assert len(line.dead()) == 7
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    result = run(line)
    assert counts(result) == {"new": 9, "resolved": 6}
    open_ = [(d.reason, d.key) for d in line.ask(line.database.dead_letters(limit=99)) if d.resolved_at is None]
    assert open_ == [("unknown_quantity", "water.nonsense")]
    assert len(line.dead()) == 7
    assert counts(run(line)) == {}


def test_a_new_refusal_is_one_dead_letter(line: Line) -> None:
    """A sensor that stood nowhere after all: its readings are withdrawn, and each message has its letter once, however often it is run."""
    line.put(Device(id="kl01", org="default"), Station(id="a", org="default", name="a"))
    line.put(Deployment(device="kl01", channel="main", station="a", point="main"))
    week(line, "kl01", days=1)
    line.work()
    line.put(Deployment(device="kl01", channel="main", station="a", point="main", end=0))
    assert counts(run(line)) == {"withdrawn": 36, "refused": 24}
    assert counts(run(line)) == {}
    assert line.ask(line.database.dead_letter_counts()) == {"not_deployed": 24}


def test_a_fault_of_our_own_is_no_reason_to_withdraw(line: Line, wrong_decoder: Any) -> None:
    """A decoder that falls over its message: the message is counted and what is stored of it stays; its neighbours are done."""
    line.station("kl01")
    week(line, "kl01", days=1)
    line.work()
    before = stored(line)

    def falls(values: dict[str, float]) -> dict[str, float]:
        if values["water.ec"] == 1.05:
            raise ZeroDivisionError
        return values

    wrong_decoder(falls)
    assert counts(run(line)) == {"failed": 1, "without_message": 3}
    assert stored(line) == before


def test_times_moved_by_hand_stay_moved(line: Line) -> None:
    """A dead letter that was read again with --shift is read with it here too: its rows are no difference."""
    line.station("kl01")
    ahead = NOON + 7 * HOUR
    line.send("kl01", payload(1, ahead, 2.5), received=NOON)
    line.work()
    (letter,) = line.ask(line.database.dead_letters())
    line.ask(line.database.ask_replay([letter.id], shift_ms=-7 * HOUR))

    async def again() -> None:
        record = line.journal.read(0, limit=1).records
        work = await line.processor.process(record, shifts={(record[0][0], ""): -7 * HOUR})
        await line.processor.write(work, None)
        line.processor.pending.done_replays.append(letter.id)
        await line.processor.commit()
        await sweep(line.database, line.store, line.config)

    asyncio.run(again())
    assert [(t, v) for t, v, _ in line.rows("kl01")] == [(NOON, 2.5)]
    before = stored(line)
    assert counts(run(line)) == {}
    assert stored(line) == before


def test_a_span_too_big_for_memory_is_done_in_parts(line: Line, make_line: Callable[..., Line], wrong_decoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for a few rows at once the end is the same as with room for all."""
    ends = []
    for most in (1_000_000, 150):
        at = make_line()
        monkeypatch.setattr(ingest.past, "MOST_ROWS", most)
        a_week_by_a_wrong_decoder(at, wrong_decoder)
        result = run(at)
        ends.append((stored(at), counts(result)))
    assert ends[0] == ends[1]


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.sampled_from([1.0, 2.0])), max_size=12),
    held=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 6), st.sampled_from([1.0, 2.0]), st.booleans()), max_size=12),
)
@settings(max_examples=100)
def test_after_the_differences_nothing_differs(rows: list[tuple[int, int, float]], held: list[tuple[int, int, float, bool]]) -> None:
    """Whatever is wanted and stored: with the changes made, a second look finds none; rows that are equal are in no change."""
    keys = [SeriesKey("o", place, "main", "kl01", "water.ec") for place in ("a", "b")] + [SeriesKey("o", "a", "main", "kl02", "water.ec")]
    wanted = Batch.of(*(_columns([(s, t, v) for s, t, v in rows]))).last_wins()
    there = Batch.of(*_columns([(s, t, v) for s, t, v, _ in held]), tests=[W if w else 0 for *_, w in held]).last_wins()
    found = compare(wanted, there, keys)
    after = Batch.concat([there, found.write, found.withdraw]).last_wins()
    again = compare(wanted, after, keys)
    assert (again.changes, len(again.write), len(again.withdraw)) == ([], 0, 0)
    ours = {(s, t): v for s, t, v in zip(wanted.series.tolist(), wanted.time.tolist(), wanted.value.tolist(), strict=True)}
    for s, t, v, bits in zip(after.series.tolist(), after.time.tolist(), after.value.tolist(), after.tests.tolist(), strict=True):
        assert ours.get((s, t), v) == v
        assert not ((s, t) in ours and bits & W)
    untouched = {(c.key, c.time) for c in found.changes}
    equal = {(keys[s], t) for s, t, v, w in _last(held) if ours.get((s, t)) == v and not w}
    assert not equal & untouched


def _columns(rows: list[tuple[int, int, float]]) -> tuple[list[int], list[int], list[float]]:
    return [s for s, _, _ in rows], [t for _, t, _ in rows], [v for _, _, v in rows]


def _last(held: list[tuple[int, int, float, bool]]) -> list[tuple[int, int, float, bool]]:
    return list({(s, t): (s, t, v, w) for s, t, v, w in held}.values())
