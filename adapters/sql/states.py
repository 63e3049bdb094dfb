"""`series_state`: the newest stored, judged and good reading of each series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, func, literal_column, null, or_, select, update

from adapters.sql import tables as t
from adapters.sql.bulk import Many
from adapters.sql.engine import incoming, insert_into, others
from adapters.sql.serials import take
from core.place import ALWAYS
from core.series import SeriesKey
from core.state import Judged, Latest, SeriesState, Written

_T = t.series_state
_KEY = SeriesKey._fields
_NOTHING = (None, None, None)


def write(c: Connection, rows: Sequence[Written], *, rewritten: int | None = None) -> None:
    """What ingest stored: `newest`, `judged` and `good` only move forward (an equal time is replaced), `dirty_from` only back.

    Rows that were judged as they were written are believed only where the number of `rewriting` is still `rewritten`.
    """
    if not rows:
        return
    last = take(c, "changed", len(rows))
    believed = rewritten is not None and rewritten == rewriting(c)
    # in the order of the key: rows that lie beside each other in the file are changed one after the other (3 times faster)
    ordered = sorted(rows, key=lambda w: w.key)
    _WRITE.run(c, [_row(w, changed, believed and w.judged) for changed, w in enumerate(ordered, last - len(rows) + 1)])


def _row(w: Written, changed: int, judged: bool) -> tuple[Any, ...]:
    newest = _three(w.newest)
    if judged:
        interval = None if w.interval_ms is None else int(w.interval_ms)
        return (*w.key, w.role, *newest, int(w.received), *newest, *_three(w.good), None, changed, w.config, interval)
    return (*w.key, w.role, *newest, int(w.received), *_NOTHING, *_NOTHING, int(w.dirty_from), changed, "", None)


def _write(dialect: str) -> Any:
    new, old = incoming(_T), _T.c
    changes: dict[str, Any] = {"changed": new.changed}
    for time, moved in (
        ("newest_time", ("newest_time", "newest_value", "newest_flag", "role", "received")),
        ("judged_time", ("judged_time", "judged_value", "judged_flag")),
        ("good_time", ("good_time", "good_value", "good_flag")),
    ):
        forward = and_(new[time].is_not(None), or_(old[time].is_(None), new[time] >= old[time]))
        changes |= {name: case((forward, new[name]), else_=old[name]) for name in moved}
    earlier = or_(old.dirty_from.is_(None), new.dirty_from < old.dirty_from)
    changes["dirty_from"] = case((earlier, new.dirty_from), else_=old.dirty_from)
    changes["config"] = case((old.config == literal_column("''"), new.config), else_=old.config)
    changes["interval_ms"] = func.coalesce(new.interval_ms, old.interval_ms)
    return insert_into(dialect, _T).on_conflict_do_update(index_elements=[old[name] for name in _KEY], set_=changes)


_WRITE = Many([column.name for column in _T.columns], _write, columns=True)


def rewriting(c: Connection) -> int:
    """How often readings were announced to be written past ingest."""
    return int(c.execute(select(t.serial.c.value).where(t.serial.c.name == "rewriting")).scalar_one())


def announce_rewriting(c: Connection) -> int:
    """One more time; returns the number."""
    return take(c, "rewriting", 1)


def judged(c: Connection, rows: Sequence[Judged], *, rewritten: int | None = None) -> int:
    """The judge's answers; clears `dirty_from` only where `changed` is what it read. Returns how many were cleared.

    What is current tells what is newest, too: it goes back where what lay beyond was withdrawn. What is not current any more still
    tells the latest, but not of rows read before a rewriting: those are what was before it.
    """
    if not rows:
        return 0
    last = take(c, "changed", len(rows))
    base = last - len(rows)
    ordered = sorted(rows, key=lambda j: j.key)
    values = [
        (*_three(j.newest), *_three(j.good), j.config, None if j.interval_ms is None else int(j.interval_ms), changed, *j.key, int(j.changed), base)
        for changed, j in enumerate(ordered, base + 1)
    ]
    # first the current ones: their new numbers are beyond `base`, and nobody else takes numbers until we commit
    _CLEAR.run(c, values)
    cleared = int(c.execute(select(func.count()).select_from(_T).where(_T.c.changed > base)).scalar_one())
    if cleared < len(rows) and (rewritten is None or rewritten == rewriting(c)):
        _ANSWER.run(c, values)
    return cleared


def _judge(*, clearing: bool) -> Any:
    number = _T.c.changed.type
    current = _T.c.changed == bindparam("k_read", type_=number) if clearing else _T.c.changed <= bindparam("k_base", type_=number)
    answered: dict[str, Any] = {name: bindparam(name, type_=_T.c[name].type) for name in _ANSWERED}
    newest: dict[str, Any] = {"newest_flag": case((_T.c.newest_time == answered["judged_time"], answered["judged_flag"]), else_=_T.c.newest_flag)}
    if clearing:
        answered["dirty_from"] = null()
        newest = {f"newest_{n}": case((_T.c.newest_time >= answered["judged_time"], answered[f"judged_{n}"]), else_=_T.c[f"newest_{n}"]) for n in _LATEST}
    return (
        update(_T)
        .where(*(_T.c[name] == bindparam(f"k_{name}") for name in _KEY), current)
        .values(
            **answered,
            **newest,
            interval_ms=func.coalesce(bindparam("k_interval", type_=number), _T.c.interval_ms),
            changed=bindparam("k_new", type_=number),
        )
    )


_LATEST = ("time", "value", "flag")
_ANSWERED = ("judged_time", "judged_value", "judged_flag", "good_time", "good_value", "good_flag", "config")
_ANSWERS = (*_ANSWERED, "k_interval", "k_new", *(f"k_{name}" for name in _KEY), "k_read", "k_base")
_CLEAR = Many(_ANSWERS, lambda _: _judge(clearing=True))
_ANSWER = Many(_ANSWERS, lambda _: _judge(clearing=False))


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
        (
            *s.key,
            s.role,
            *_three(s.newest),
            int(s.received),
            *_three(s.judged),
            *_three(s.good),
            None if s.dirty_from is None else int(s.dirty_from),
            changed,
            s.config,
            None if s.interval_ms is None else int(s.interval_ms),
        )
        for changed, s in enumerate(rows, last - len(rows) + 1)
    ]
    _REPLACE.run(c, values)


def _replace(dialect: str) -> Any:
    return insert_into(dialect, _T).on_conflict_do_update(index_elements=[_T.c[name] for name in _KEY], set_=others(_T, _KEY))


_REPLACE = Many([column.name for column in _T.columns], _replace, columns=True)


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


def _three(latest: Latest | None) -> tuple[int | None, float | None, int | None]:
    if latest is None:
        return _NOTHING
    # int and float: numpy's own integers are not known to the drivers, and SQLite has no NaN
    value = float(latest.value)
    return int(latest.time), None if math.isnan(value) else value, int(latest.flag)


def _latest(time: int | None, value: float | None, flag: int | None) -> Latest | None:
    return None if time is None or flag is None else Latest(time=time, value=math.nan if value is None else value, flag=flag)


def _state(row: Sequence[Any]) -> SeriesState:
    # by place: a look-up by name costs more than the database's work
    org, station, point, sensor, quantity, role, time, value, flag, received, *rest = row
    j_time, j_value, j_flag, g_time, g_value, g_flag, dirty_from, changed, config, interval_ms = rest
    newest = Latest(time=time, value=math.nan if value is None else value, flag=flag)
    # nearly always one and the same
    judged = newest if (j_time, j_value, j_flag) == (time, value, flag) else _latest(j_time, j_value, j_flag)
    good = judged if (g_time, g_value, g_flag) == (j_time, j_value, j_flag) else _latest(g_time, g_value, g_flag)
    return SeriesState(
        key=SeriesKey(org, station, point, sensor, quantity),
        role=role,
        newest=newest,
        received=received,
        judged=judged,
        good=good,
        dirty_from=dirty_from,
        changed=changed,
        config=config,
        interval_ms=interval_ms,
    )
