"""The States port over SQL: newest only forward, dirty only back, every change numbered in order, all or nothing."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError

from adapters.sql import SqlDatabase, open_database
from adapters.sql.states import _ANSWER, _CLEAR, _REPLACE, _WRITE
from core.deadletter import DeadLetter
from core.errors import NotFoundError
from core.series import SeriesKey
from core.state import Commit, Judged, Latest, SeriesState, Waiting, Written

KEY = SeriesKey("default", "kenh-lau", "main", "kl01", "water.ec")
OTHER = SeriesKey("default", "ba-co", "main", "bc01", "water.ec")


def written(time: int, value: float = 1.0, *, key: SeriesKey = KEY, dirty_from: int | None = None, flag: int = 2) -> Written:
    return Written(
        key=key, role="primary", newest=Latest(time=time, value=value, flag=flag), received=time + 5, dirty_from=time if dirty_from is None else dirty_from
    )


def commit(database: SqlDatabase, cursor: int, *rows: Written) -> None:
    asyncio.run(database.commit(Commit(journal="j", state_cursor=cursor, written=rows)))


def states(database: SqlDatabase) -> list[SeriesState]:
    return asyncio.run(database.states())


def state(database: SqlDatabase) -> SeriesState:
    return next(s for s in states(database) if s.key == KEY)


def test_a_new_series(database: SqlDatabase) -> None:
    """The first commit makes the row: unjudged, dirty from its first time."""
    commit(database, 10, written(100, 2.5, dirty_from=40))
    assert states(database) == [
        SeriesState(key=KEY, role="primary", newest=Latest(time=100, value=2.5, flag=2), received=105, judged=None, good=None, dirty_from=40, changed=1)
    ]


def test_newest_only_moves_forward(database: SqlDatabase) -> None:
    """An older reading leaves newest alone and takes dirty_from back; an equal time is replaced."""
    commit(database, 10, written(100, 1.0))
    commit(database, 20, written(50, 9.0))
    assert state(database).newest == Latest(time=100, value=1.0, flag=2)
    assert (state(database).received, state(database).dirty_from) == (105, 50)
    commit(database, 30, written(100, 3.0, flag=4))
    assert state(database).newest == Latest(time=100, value=3.0, flag=4)
    assert state(database).dirty_from == 50


@pytest.fixture(scope="module")
def scratch(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlDatabase]:
    """One database for all examples of a property."""
    path = shutil.copy(prepared, tmp_path_factory.mktemp("scratch"))
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()


@settings(max_examples=30)  # each example waits for three fsyncs
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12), st.integers(1, 12))
def test_any_split_ends_in_the_same_state(scratch: SqlDatabase, rows: list[tuple[int, int]], at: int) -> None:
    """However writes are split over commits, and however often a part is read again, newest and dirty_from are the same."""
    with scratch._engine.begin() as connection:  # no port empties a database
        connection.exec_driver_sql("DELETE FROM series_state")
    whole = [written(time, float(time), dirty_from=max(0, time - back)) for time, back in rows]
    commit(scratch, 1, *whole[:at])
    commit(scratch, 2, *whole[:at], *whole[at:])
    found = state(scratch)
    assert found.newest.time == max(w.newest.time for w in whole)
    assert found.dirty_from == min(w.dirty_from for w in whole)


def test_changed_rises_in_order(database: SqlDatabase) -> None:
    """Each touched row gets a new number, and watchers that ask for more than the last miss none."""
    commit(database, 10, written(1), written(1, key=OTHER))
    commit(database, 20, written(2))
    assert [(s.key, s.changed) for s in asyncio.run(database.changed_since(0))] == [(OTHER, 1), (KEY, 3)]
    assert [s.changed for s in asyncio.run(database.changed_since(2))] == [3]
    assert [s.changed for s in asyncio.run(database.changed_since(0, limit=1))] == [1]
    assert asyncio.run(database.changed_since(3)) == []


def test_judged_clears_only_what_it_read(database: SqlDatabase) -> None:
    """An answer to the current row clears it; one to an older row is taken in and the row stays dirty."""
    commit(database, 10, written(100, 2.0), written(100, key=OTHER))
    read = {s.key: s.changed for s in asyncio.run(database.dirty())}
    commit(database, 20, written(200, 5.0))
    good = Latest(time=100, value=2.0, flag=1)
    answers = [Judged(key=key, changed=read[key], newest=good, good=good, config="abc") for key in (KEY, OTHER)]
    assert asyncio.run(database.judged(answers)) == 1
    kenh_lau, ba_co = state(database), states(database)[0]
    assert (ba_co.dirty_from, ba_co.newest.flag, ba_co.judged, ba_co.good, ba_co.config) == (None, 1, good, good, "abc")
    assert (kenh_lau.dirty_from, kenh_lau.newest, kenh_lau.judged) == (100, Latest(time=200, value=5.0, flag=2), good)
    assert {s.key for s in asyncio.run(database.changed_since(3))} == {KEY, OTHER}
    assert [s.key for s in asyncio.run(database.dirty())] == [KEY]


def test_a_current_answer_takes_the_newest_back(database: SqlDatabase) -> None:
    """Where the newest reading was withdrawn, the judge names another, and what comes then moves on from there; an older answer moves nothing."""
    commit(database, 10, written(100, 2.0), written(200, 5.0, flag=9))
    older = Latest(time=100, value=2.0, flag=1)
    answer = Judged(key=KEY, changed=state(database).changed, newest=older, good=older, config="")
    asyncio.run(database.judged([replace(answer, changed=-1)]))
    assert state(database).newest.time == 200
    asyncio.run(database.judged([replace(answer, changed=state(database).changed)]))
    assert (state(database).newest, state(database).judged, state(database).dirty_from) == (older, older, None)
    commit(database, 20, written(150, 3.0))
    assert state(database).newest == Latest(time=150, value=3.0, flag=2)


def test_judged_may_have_no_good(database: SqlDatabase) -> None:
    """A series of suspect readings has no good one, and a series nobody knows is not made up."""
    commit(database, 10, written(100))
    bad = Latest(time=100, value=1.0, flag=3)
    answers = [Judged(key=KEY, changed=1, newest=bad, good=None, config=""), Judged(key=OTHER, changed=1, newest=bad, good=None, config="")]
    assert asyncio.run(database.judged(answers)) == 1
    assert (state(database).good, state(database).newest.flag) == (None, 3)
    assert len(states(database)) == 1


def test_replace_takes_what_it_is_given(database: SqlDatabase) -> None:
    """A repair may move newest back; the row gets a new number so that watchers see it."""
    commit(database, 10, written(900), written(1, key=OTHER))
    repaired = SeriesState(
        key=KEY, role="check", newest=Latest(time=5, value=1.0, flag=1), received=6, judged=Latest(time=5, value=1.0, flag=1),
        good=None, dirty_from=None, changed=0, config="c",
    )  # fmt: skip
    asyncio.run(database.replace([repaired]))
    found = state(database)
    assert (found.newest.time, found.role, found.judged, found.changed) == (5, "check", repaired.judged, 3)
    assert [s.key for s in states(database)] == [OTHER, KEY]
    assert [s.key for s in asyncio.run(database.states(station="ba-co"))] == [OTHER]


def test_nan_and_numpy_numbers(database: SqlDatabase) -> None:
    """Numbers of numpy are numbers, and a NaN never stops the commit."""
    row = Written(
        key=KEY, role="primary", newest=Latest(time=np.int64(7), value=np.float64("nan"), flag=np.uint8(9)), received=np.int64(8), dirty_from=np.int64(7)
    )
    commit(database, 10, row)
    assert math.isnan(state(database).newest.value)
    assert (state(database).newest.time, state(database).newest.flag) == (7, 9)


def test_cursor_and_counters_only_forward(database: SqlDatabase) -> None:
    """Reading the same journal again counts nothing twice and never moves the cursor back; each journal has its own."""
    first = Commit(journal="j", state_cursor=100, counters={"duplicate:kl01": 2})
    for part in (first, first, Commit(journal="j", state_cursor=50, counters={"duplicate:kl01": 1})):
        asyncio.run(database.commit(part))
    asyncio.run(database.commit(Commit(journal="j", state_cursor=120, counters={"duplicate:kl01": 1, "gap:kl01": 4})))
    assert asyncio.run(database.counters()) == {"duplicate:kl01": 3, "gap:kl01": 4}
    assert asyncio.run(database.state_cursor("j")) == 120
    assert asyncio.run(database.state_cursor("other")) == 0


def test_a_journal_can_be_forgotten(database: SqlDatabase) -> None:
    """Its cursor goes, with an audit row that keeps how far it had come; the others stay; one that nobody knows is named."""
    commit(database, 10, written(100))
    asyncio.run(database.commit(Commit(journal="k", state_cursor=7)))
    asyncio.run(database.forget_journal("k", actor="lan"))
    assert asyncio.run(database.state_cursors()) == {"j": 10}
    [row] = asyncio.run(database.audit(limit=1))
    assert (row.actor, row.kind, row.subject, row.before) == ("lan", "journal", "k", "7")
    assert asyncio.run(database.forgotten_journals()) == {"k": 7}
    with pytest.raises(NotFoundError, match="'k'"):
        asyncio.run(database.forget_journal("k", actor="lan"))


def test_all_or_nothing(database: SqlDatabase) -> None:
    """A commit that fails in its last part leaves none of the earlier ones."""
    letter = DeadLetter(reason="malformed", text="", journal="j", position=1, topic="", org="", device="", received=1)
    waiting = Waiting(org="default", device="x", journal="j", position=1, received=1, size=1)
    with pytest.raises((OverflowError, DataError)):  # of SQLite, of PostgreSQL
        asyncio.run(database.commit(Commit(journal="j", state_cursor=9, written=(written(1),), dead=(letter,), waiting=(waiting,), counters={"n": 1 << 70})))
    assert states(database) == []
    assert asyncio.run(database.dead_letters()) == []
    assert asyncio.run(database.waiting_devices()) == []
    assert asyncio.run(database.state_cursor("j")) == 0


def test_writers_in_threads_take_turns(url: str, database: SqlDatabase) -> None:
    """Two threads and two connections that write at once lose nothing, and numbers are never given twice."""
    other = open_database(url)

    def write(into: SqlDatabase, key: SeriesKey) -> None:
        for n in range(1, 31):
            commit(into, n, written(n, key=key))

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(write, database, KEY), pool.submit(write, database, OTHER), pool.submit(write, other, KEY._replace(point="in"))]:
            done.result()
    other.close()
    found = states(database)
    assert [s.newest.time for s in found] == [30, 30, 30]
    assert max(s.changed for s in found) == 90


def test_the_interval_stays_until_the_judge_knows_another(database: SqlDatabase) -> None:
    """None from the judge leaves it, so does ingest; a rebuild writes what it is given."""
    commit(database, 10, written(100))
    assert state(database).interval_ms is None

    def answer(interval_ms: int | None) -> None:
        newest = Latest(time=100, value=1.0, flag=1)
        row = Judged(key=KEY, changed=state(database).changed, newest=newest, good=newest, config="h", interval_ms=interval_ms)
        assert asyncio.run(database.judged([row])) == 1

    for given_ms, stored in ((None, None), (900_000, 900_000), (None, 900_000), (7_200_000, 7_200_000)):
        answer(given_ms)
        assert state(database).interval_ms == stored
    commit(database, 20, written(200))
    assert state(database).interval_ms == 7_200_000
    asyncio.run(database.replace([replace(state(database), interval_ms=60_000)]))
    assert state(database).interval_ms == 60_000
    asyncio.run(database.replace([replace(state(database), interval_ms=None)]))
    assert state(database).interval_ms is None


# ---------------------------------------------------------------- judged as it was written


def judged_row(time: int, value: float = 1.0, *, good: Latest | None = None, interval_ms: int | None = None) -> Written:
    return replace(written(time, value, flag=1), judged=True, good=good, config="h", interval_ms=interval_ms)


def commit_judged(database: SqlDatabase, cursor: int, *rows: Written, rewritten: int | None = 0) -> None:
    asyncio.run(database.commit(Commit(journal="j", state_cursor=cursor, written=rows, rewritten=rewritten)))


def test_rows_judged_as_they_were_written_are_not_dirty(database: SqlDatabase) -> None:
    """Newest, judged and good move together; what is not said (good, interval) stays; the hash of the oldest judgement stays."""
    commit_judged(database, 10, judged_row(100, 2.0, good=Latest(time=100, value=2.0, flag=1), interval_ms=900))
    found = state(database)
    assert (found.newest, found.judged, found.good) == (Latest(time=100, value=2.0, flag=1),) * 3
    assert (found.dirty_from, found.config, found.interval_ms) == (None, "h", 900)
    commit_judged(database, 20, replace(judged_row(200, 3.0), config="other"))
    found = state(database)
    assert found.newest == found.judged == Latest(time=200, value=3.0, flag=1)
    assert (found.good, found.dirty_from, found.config, found.interval_ms) == (Latest(time=100, value=2.0, flag=1), None, "h", 900)


def test_what_was_dirty_stays_so(database: SqlDatabase) -> None:
    """A judged row behind a dirty one clears nothing, and has a new number: the judge's answer to the older state clears nothing either."""
    commit(database, 10, written(100))
    commit_judged(database, 20, judged_row(200))
    found = state(database)
    assert (found.dirty_from, found.judged, found.changed) == (100, Latest(time=200, value=1.0, flag=1), 2)
    assert asyncio.run(database.judged([Judged(key=KEY, changed=1, newest=found.newest, good=None, config="h")])) == 0
    assert state(database).dirty_from == 100


def test_judged_rows_are_not_believed_after_a_rewriting(database: SqlDatabase) -> None:
    """Somebody announced to write past ingest: rows that rely on an older number, or on none, are read back."""
    assert asyncio.run(database.rewriting()) == 0
    assert asyncio.run(database.announce_rewriting()) == 1
    commit_judged(database, 10, replace(judged_row(100), dirty_from=40))
    assert (state(database).dirty_from, state(database).judged) == (40, None)
    commit_judged(database, 20, replace(judged_row(100, value=5.0), key=OTHER), rewritten=None)
    assert [s.dirty_from for s in states(database)] == [100, 40]
    third = KEY._replace(quantity="water.level")
    commit_judged(database, 30, replace(judged_row(100), key=third), rewritten=1)
    assert [s.dirty_from for s in states(database) if s.key == third] == [None]


def test_late_answers_do_not_undo_a_rewriting(database: SqlDatabase) -> None:
    """What a round read before a rewriting counts only where nobody wrote the series since; without a rewriting it still tells the latest."""
    commit(database, 10, written(100))
    was = state(database)
    good = Latest(time=100, value=1.0, flag=1)
    late = Judged(key=KEY, changed=was.changed, newest=good, good=good, config="h")
    commit(database, 20, written(100, 9.0))
    before = asyncio.run(database.rewriting())
    asyncio.run(database.announce_rewriting())
    assert asyncio.run(database.judged([late], rewritten=before)) == 0
    assert (state(database).good, state(database).judged, state(database).dirty_from) == (None, None, 100)
    assert asyncio.run(database.judged([late], rewritten=before + 1)) == 0
    assert (state(database).good, state(database).dirty_from) == (good, 100)
    assert asyncio.run(database.judged([replace(late, changed=state(database).changed)], rewritten=before)) == 1, "current"
    assert state(database).dirty_from is None


def test_the_statements_are_those_of_postgresql_too() -> None:
    """There each row is a dictionary of what the statement uses, and nothing else."""
    for many, used in ((_WRITE, 20), (_REPLACE, 20), (_CLEAR, 15), (_ANSWER, 15)):
        statement, arrange = many._prepare(postgresql.dialect())
        [row] = arrange([tuple(range(len(many._names)))])
        assert len(row) == used
        text = str(statement.compile(dialect=postgresql.dialect(), column_keys=list(row) if many._columns else None))
        assert all(f"%({name})s" in text for name in row)
