"""The log of redecode: what was rewritten, old and new, bounded."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from adapters.sql import redecodes
from adapters.sql.database import SqlDatabase
from core.errors import NotFoundError
from core.redecode import Change, Run
from core.series import SeriesKey

KEY = SeriesKey("default", "kenh-lau", "main", "kl01", "water.ec")
OTHER = KEY._replace(station="kenh-nam")


def change(time: int, key: SeriesKey = KEY, **more: Any) -> Change:
    return Change(**({"key": key, "time": time, "kind": "value", "old": 1.5, "new": 2.5} | more))


def begun(database: SqlDatabase) -> int:
    return asyncio.run(database.begin_redecode(Run(at=7, actor="cli:lan", reason="why", since=1, until=1 << 62)))


def test_a_run_and_its_changes_come_back(database: SqlDatabase) -> None:
    """Run, changes in their order, and of each series the span and the kinds, summed up over all that was logged."""
    run = begun(database)
    asyncio.run(database.log_redecode(run, [change(5), change(9, kind="new", old=None), change(7, OTHER, kind="withdrawn", new=None)]))
    asyncio.run(database.log_redecode(run, [change(3), change(4, old=math.nan)]))
    asyncio.run(database.finish_redecode(run, counts={"value": 3}))
    (found,) = asyncio.run(database.redecode_runs())
    assert (found.id, found.actor, found.reason, found.until, found.state, found.counts) == (run, "cli:lan", "why", 1 << 62, "finished", {"value": 3})
    assert found.finished_at is not None
    changes = [c for _, c in asyncio.run(database.redecode_changes(run))]
    assert [(c.time, c.kind, c.old, c.new) for c in changes] == [
        (5, "value", 1.5, 2.5),
        (9, "new", None, 2.5),
        (7, "withdrawn", 1.5, None),
        (3, "value", 1.5, 2.5),
        (4, "value", None, 2.5),  # no database holds NaN as a number
    ]
    first, second = asyncio.run(database.redecode_touched(run))
    assert (first.key, first.since, first.until, dict(first.counts)) == (KEY, 3, 9, {"value": 3, "new": 1})
    assert (second.key, second.since, second.until, dict(second.counts)) == (OTHER, 7, 7, {"withdrawn": 1})
    (ids,) = [[i for i, _ in asyncio.run(database.redecode_changes(run))]]
    assert [c.time for _, c in asyncio.run(database.redecode_changes(run, limit=2, after=ids[1]))] == [7, 3]


def test_the_log_is_bounded(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many changes of a run, those of the last runs; the sums of a run are of all of it."""
    monkeypatch.setattr(redecodes, "MOST_CHANGES", 3)
    monkeypatch.setattr(redecodes, "KEPT_RUNS", 2)
    runs = [begun(database) for _ in range(1)]
    for _ in range(2):
        asyncio.run(database.log_redecode(runs[0], [change(1), change(2)]))
    assert len(asyncio.run(database.redecode_changes(runs[0]))) == 3
    assert dict(asyncio.run(database.redecode_touched(runs[0]))[0].counts) == {"value": 4}
    runs += [begun(database) for _ in range(2)]
    assert asyncio.run(database.redecode_changes(runs[0])) == []
    assert len(asyncio.run(database.redecode_touched(runs[0]))) == 1
    assert [r.id for r in asyncio.run(database.redecode_runs(state="running"))] == runs[::-1]


def test_an_unknown_run_is_said_so(database: SqlDatabase) -> None:
    """One line with the way out."""
    with pytest.raises(NotFoundError, match="canhman redecode list"):
        asyncio.run(database.redecode_run(99))
