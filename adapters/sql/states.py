"""`series_state`: the newest stored, judged and good reading of each series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, case, func, or_, select, update

from adapters.sql import tables as t
from adapters.sql.engine import incoming, others, upsert
from adapters.sql.serials import take
from core.place import ALWAYS
from core.series import SeriesKey
from core.state import Judged, Latest, SeriesState, Written

_T = t.series_state
_KEY = SeriesKey._fields


def write(c: Connection, rows: Sequence[Written]) -> None:
    """What ingest stored: `newest` only moves forward (an equal time is replaced), `dirty_from` only back."""
    if not rows:
        return
    last = take(c, "changed", len(rows))
    new = incoming(_T)
    forward = new.newest_time >= _T.c.newest_time
    update = {name: case((forward, new[name]), else_=_T.c[name]) for name in ("role", "newest_time", "newest_value", "newest_flag", "received")}
    earlier = or_(_T.c.dirty_from.is_(None), new.dirty_from < _T.c.dirty_from)
    update["dirty_from"] = case((earlier, new.dirty_from), else_=_T.c.dirty_from)
    update["changed"] = new.changed
    values = [
        {
            **_key(w.key),
            **_latest("newest", w.newest),
            "role": w.role,
            "received": int(w.received),
            "dirty_from": int(w.dirty_from),
            "changed": changed,
            "config": "",
        }
        for changed, w in enumerate(rows, last - len(rows) + 1)
    ]
    upsert(c, _T, values, key=_KEY, update=update)


def judged(c: Connection, rows: Sequence[Judged]) -> int:
    """The judge's answers; clears `dirty_from` only where `changed` is what it read. Returns how many were cleared."""
    if not rows:
        return 0
    last = take(c, "changed", len(rows))
    base = last - len(rows)
    values = [
        {
            **{f"k_{name}": part for name, part in zip(_KEY, j.key, strict=True)},
            **_latest("judged", j.newest),
            **(_latest("good", j.good) if j.good else dict.fromkeys(("good_time", "good_value", "good_flag"))),
            "config": j.config,
            "k_interval": None if j.interval_ms is None else int(j.interval_ms),
            "k_read": int(j.changed),
            "k_new": changed,
        }
        for changed, j in enumerate(rows, base + 1)
    ]
    statement = (
        update(_T)
        .where(*(_T.c[name] == bindparam(f"k_{name}") for name in _KEY))
        .values(
            **{name: bindparam(name) for name in ("judged_time", "judged_value", "judged_flag", "good_time", "good_value", "good_flag", "config")},
            newest_flag=case((_T.c.newest_time == bindparam("judged_time"), bindparam("judged_flag")), else_=_T.c.newest_flag),
            interval_ms=func.coalesce(bindparam("k_interval", type_=_T.c.interval_ms.type), _T.c.interval_ms),
            changed=bindparam("k_new"),
        )
    )
    # first the current ones: their new numbers are beyond `base`, and nobody else takes numbers until we commit
    c.execute(statement.where(_T.c.changed == bindparam("k_read")).values(dirty_from=None), values)
    cleared = int(c.execute(select(func.count()).select_from(_T).where(_T.c.changed > base)).scalar_one())
    if cleared < len(rows):
        c.execute(statement.where(_T.c.changed <= base), values)
    return cleared


def judge_again(c: Connection, but: str) -> int:
    """Every row judged by another configuration than `but` is dirty from the beginning. Returns how many."""
    rows = [_state(row) for row in c.execute(select(_T).where(_T.c.config != but))]
    write(c, [Written(key=s.key, role=s.role, newest=s.newest, received=s.received, dirty_from=ALWAYS) for s in rows])
    return len(rows)


def replace(c: Connection, rows: Sequence[SeriesState]) -> None:
    """These rows, whatever stood there."""
    if not rows:
        return
    last = take(c, "changed", len(rows))
    values = [
        {
            **_key(s.key),
            "role": s.role,
            "received": int(s.received),
            "dirty_from": None if s.dirty_from is None else int(s.dirty_from),
            "changed": changed,
            "config": s.config,
            "interval_ms": None if s.interval_ms is None else int(s.interval_ms),
        }
        | {name: value for prefix, latest in (("newest", s.newest), ("judged", s.judged), ("good", s.good)) for name, value in _latest(prefix, latest).items()}
        for changed, s in enumerate(rows, last - len(rows) + 1)
    ]
    upsert(c, _T, values, key=_KEY, update=others(_T, _KEY))


def states(c: Connection, station: str | None) -> list[SeriesState]:
    """All rows (of one station), sorted by key."""
    return _sorted(c, select(_T) if station is None else select(_T).where(_T.c.station == station))


def dirty(c: Connection) -> list[SeriesState]:
    """Rows with `dirty_from` set, sorted by key."""
    return _sorted(c, select(_T).where(_T.c.dirty_from.is_not(None)))


def changed_since(c: Connection, changed: int, limit: int) -> list[SeriesState]:
    """Rows with `changed` greater, in rising order."""
    return [_state(row) for row in c.execute(select(_T).where(_T.c.changed > changed).order_by(_T.c.changed).limit(limit))]


def _sorted(c: Connection, query: Select[Any]) -> list[SeriesState]:
    # sorted here: a database orders text by its locale
    return sorted((_state(row) for row in c.execute(query)), key=lambda s: s.key)


def _key(key: SeriesKey) -> dict[str, str]:
    return dict(zip(_KEY, key, strict=True))


def _latest(prefix: str, latest: Latest | None) -> dict[str, Any]:
    if latest is None:
        return {f"{prefix}_time": None, f"{prefix}_value": None, f"{prefix}_flag": None}
    # int and float: numpy's own integers are not known to the drivers, and SQLite has no NaN
    value = None if math.isnan(latest.value) else float(latest.value)
    return {f"{prefix}_time": int(latest.time), f"{prefix}_value": value, f"{prefix}_flag": int(latest.flag)}


def _read(time: int | None, value: float | None, flag: int | None) -> Latest | None:
    return None if time is None or flag is None else Latest(time=time, value=math.nan if value is None else value, flag=flag)


def _state(row: Row[Any]) -> SeriesState:
    newest = _read(row.newest_time, row.newest_value, row.newest_flag)
    assert newest is not None  # noqa: S101 - both columns are NOT NULL
    return SeriesState(
        key=SeriesKey(row.org, row.station, row.point, row.sensor, row.quantity),
        role=row.role,
        newest=newest,
        received=row.received,
        judged=_read(row.judged_time, row.judged_value, row.judged_flag),
        good=_read(row.good_time, row.good_value, row.good_flag),
        dirty_from=row.dirty_from,
        changed=row.changed,
        config=row.config,
        interval_ms=row.interval_ms,
    )
