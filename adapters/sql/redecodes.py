"""The log of `redecode`: its runs, what each did to every series, and its changes one by one.

Bounded: 100,000 changes of a run, and those of the last 20 runs; what a run did to a series is kept of all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from adapters.sql import tables as t
from adapters.sql.engine import incoming, upsert
from core.errors import NotFoundError
from core.place import ALWAYS, FOREVER
from core.redecode import KINDS, Change, Run, Touched
from core.series import SeriesKey

MOST_CHANGES = 100_000
KEPT_RUNS = 20

_RUN, _CHANGE, _SERIES = t.redecode_run, t.redecode_change, t.redecode_series
_KEY = SeriesKey._fields


def begin(c: Connection, run: Run) -> int:
    """A new run; returns its id."""
    values = {name: getattr(run, name) for name in ("at", "actor", "reason", "device", "org", "since", "until", "state", "finished_at")}
    number = int(c.execute(insert(_RUN).values(**values, counts={}).returning(_RUN.c.id)).scalar_one())
    c.execute(delete(_CHANGE).where(_CHANGE.c.run <= number - KEPT_RUNS))
    return number


def log(c: Connection, run: int, changes: Sequence[Change]) -> None:
    """What is about to be written."""
    room = MOST_CHANGES - int(c.execute(select(func.count()).select_from(_CHANGE).where(_CHANGE.c.run == run)).scalar_one())
    if changes[: max(0, room)]:
        c.execute(insert(_CHANGE), [_change_row(run, change) for change in changes[: max(0, room)]])
    found: dict[SeriesKey, dict[str, Any]] = {}
    for change in changes:
        row = found.setdefault(change.key, {"run": run, **change.key._asdict(), "since": FOREVER, "until": ALWAYS, **dict.fromkeys(KINDS, 0)})
        row["since"], row["until"] = min(row["since"], change.time), max(row["until"], change.time)
        row[change.kind] += 1
    for row in found.values():
        here = [_SERIES.c.run == run, *(_SERIES.c[name] == row[name] for name in _KEY)]
        was = c.execute(select(_SERIES).where(*here)).one_or_none()
        if was is not None:
            row |= {"since": min(row["since"], was.since), "until": max(row["until"], was.until)}
            row |= {kind: row[kind] + was._mapping[kind] for kind in KINDS}
    upsert(c, _SERIES, list(found.values()), key=("run", *_KEY), update={name: incoming(_SERIES)[name] for name in ("since", "until", *KINDS)})


def finish(c: Connection, run: int, *, state: str, counts: Mapping[str, int], at: int) -> None:
    """The end of it."""
    c.execute(update(_RUN).where(_RUN.c.id == run).values(state=state, counts=dict(counts), finished_at=at))


def runs(c: Connection, *, limit: int, state: str | None) -> list[Run]:
    """The newest first."""
    query = select(_RUN).order_by(_RUN.c.id.desc()).limit(limit)
    return [_run(row) for row in c.execute(query if state is None else query.where(_RUN.c.state == state))]


def run(c: Connection, id: int) -> Run:
    """One of them. Raises NotFoundError."""
    row = c.execute(select(_RUN).where(_RUN.c.id == id)).one_or_none()
    if row is None:
        raise NotFoundError(f"run {id} does not exist: see canhman redecode list")
    return _run(row)


def touched(c: Connection, run: int) -> list[Touched]:
    """What it did to each series, by key."""
    query = select(_SERIES).where(_SERIES.c.run == run).order_by(*(_SERIES.c[name] for name in _KEY))
    return [
        Touched(
            key=SeriesKey(*(row._mapping[name] for name in _KEY)),
            since=row.since,
            until=row.until,
            counts={kind: row._mapping[kind] for kind in KINDS if row._mapping[kind]},
        )
        for row in c.execute(query)
    ]


def changes(c: Connection, run: int, *, limit: int, after: int) -> list[tuple[int, Change]]:
    """Its changes with their ids, in the order they were made, from the id after `after` on."""
    query = select(_CHANGE).where(_CHANGE.c.run == run, _CHANGE.c.id > after).order_by(_CHANGE.c.id).limit(limit)
    return [
        (row.id, Change(key=SeriesKey(*(row._mapping[name] for name in _KEY)), time=row.time, kind=row.kind, old=row.old, new=row.new))
        for row in c.execute(query)
    ]


def _change_row(run: int, change: Change) -> dict[str, Any]:
    values = {name: value if value is not None and math.isfinite(value) else None for name, value in (("old", change.old), ("new", change.new))}
    return {"run": run, **change.key._asdict(), "time": int(change.time), "kind": change.kind, **values}


def _run(row: Row[Any]) -> Run:
    return Run(**row._mapping)
