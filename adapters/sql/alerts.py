"""Alerts, their history and the outbox: one step of the policy, its event and its intents are one transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from adapters.sql import cursors
from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, insert_into
from core.alert import Alert, AlertEvent, AlertKey, Intent, Step
from core.errors import ConflictError, NotFoundError

_T = t.alert


def live(c: Connection, cleared_since: int) -> list[Alert]:
    """Those not cleared, and those cleared at or after `cleared_since`; in the order of their ids."""
    query = select(_T).where(or_(_T.c.state != "cleared", _T.c.cleared_at >= cleared_since)).order_by(_T.c.id)
    return [_alert(row) for row in c.execute(query)]


def alerts(c: Connection, *, states: Sequence[str], station: str | None, limit: int, before: tuple[int, int] | None, ids: Sequence[int] | None) -> list[Alert]:
    """Newest `opened_at` first, then the higher id; `ids` are not bounded by `limit`."""
    query = select(_T)
    if states:
        query = query.where(_T.c.state.in_(list(states)))
    if station is not None:
        query = query.where(_T.c.station == station)
    if before is not None:
        opened_at, last = before
        query = query.where(or_(_T.c.opened_at < opened_at, and_(_T.c.opened_at == opened_at, _T.c.id < last)))
    if ids is None:
        return [_alert(row) for row in c.execute(query.order_by(_T.c.opened_at.desc(), _T.c.id.desc()).limit(limit))]
    found = [_alert(row) for chunk in in_chunks(sorted(set(map(int, ids)))) for row in c.execute(query.where(_T.c.id.in_(chunk)))]
    return sorted(found, key=lambda a: (a.opened_at, a.id), reverse=True)


def alert(c: Connection, id: int) -> Alert:
    """One of them. Raises NotFoundError."""
    return _alert(_row(c, id))


def events(c: Connection, alert: int) -> list[AlertEvent]:
    """The history of one alert, oldest first."""
    rows = c.execute(select(t.alert_event).where(t.alert_event.c.alert == alert).order_by(t.alert_event.c.id))
    return [AlertEvent(**row._mapping) for row in rows]


def take_steps(c: Connection, steps: Sequence[Step], *, name: str, value: int) -> list[Alert]:
    """All of `steps`, in order, and the cursor `name` where it is given; the alerts as they stand in the database now."""
    taken = [_take(c, step) for step in steps]
    if name:
        cursors.save(c, name, value)
    return taken


def acknowledge(c: Connection, id: int, *, actor: str, at: int) -> Alert:
    """open → acknowledged, with its event. Raises NotFoundError, and ConflictError where it is cleared."""
    now = _alert(_row(c, id, lock=True))
    if now.state == "acknowledged":
        return now
    if now.state == "cleared":
        raise ConflictError(f"alert {id} is cleared already: nothing is left to acknowledge")
    after = replace(now, state="acknowledged", acknowledged_by=actor, acknowledged_at=int(at), updated_at=max(now.updated_at, int(at)))
    _update(c, after)
    _add_event(c, AlertEvent(alert=id, at=at, kind="acknowledged", value=now.value, time=now.time, p=now.p, actor=actor))
    return after


def due_intents(c: Connection, now: int, limit: int) -> list[Intent]:
    """Waiting intents with due_at ≤ `now`, oldest first."""
    o = t.outbox
    rows = c.execute(select(o).where(o.c.state == "waiting", o.c.due_at <= now).order_by(o.c.id).limit(limit))
    return [Intent(**row._mapping) for row in rows]


def settle(c: Connection, intents: Sequence[Intent]) -> None:
    """Save state, attempts, due_at and receipt of these."""
    for i in intents:
        values = {"state": i.state, "attempts": int(i.attempts), "due_at": int(i.due_at), "receipt": i.receipt}
        c.execute(update(t.outbox).where(t.outbox.c.id == i.id).values(**values))


def intents(c: Connection, state: str | None, limit: int) -> list[Intent]:
    """The outbox, newest first."""
    query = select(t.outbox) if state is None else select(t.outbox).where(t.outbox.c.state == state)
    return [Intent(**row._mapping) for row in c.execute(query.order_by(t.outbox.c.id.desc()).limit(limit))]


def _take(c: Connection, step: Step) -> Alert:
    before = _alert(_row(c, step.alert.id, lock=True)) if step.alert.id else None
    if before is not None and _is_late(before, step):
        return before
    after = _insert(c, step.alert) if before is None else _change(c, before, step)
    event = 0 if step.event is None else _add_event(c, replace(step.event, alert=after.id))
    for intent in step.intents:
        _add_intent(c, replace(intent, alert=after.id, event=event))
    return after


def _insert(c: Connection, new: Alert) -> Alert:
    if new.state != "cleared":
        _check_alone(c, new.key, 0)
    return _alert(_row(c, c.execute(insert(_T).values(**_values(new)).returning(_T.c.id)).scalar_one()))


def _is_late(before: Alert, step: Step) -> bool:
    """Whether another was first: it has cleared the alert that this would change, or reopened the one that this would reopen."""
    reopens = step.event is not None and step.event.kind == "reopened"
    return step.alert.key == before.key and (before.state == "cleared") is not reopens


def _change(c: Connection, before: Alert, step: Step) -> Alert:
    """What the policy makes of an alert it has read before; a person may have acknowledged it since."""
    after = step.alert
    if after.key != before.key:
        raise ConflictError(f"alert {before.id} is about {_words(before.key)}, not {_words(after.key)}: another key is another alert")
    if before.state == "acknowledged":
        state = after.state if after.state == "cleared" else before.state
        after = replace(after, state=state, acknowledged_by=before.acknowledged_by, acknowledged_at=before.acknowledged_at)
    if before.state == "cleared" and after.state != "cleared":
        _check_alone(c, after.key, after.id)
    _update(c, after)
    return _alert(_row(c, after.id))


def _check_alone(c: Connection, key: AlertKey, id: int) -> None:
    """The unique index says it too; this says it so that it can be read."""
    same = and_(_T.c.station == key.station, _T.c.point == key.point, _T.c.kind == key.kind, _T.c.line_key == _line_key(key.line))
    other = c.execute(select(_T.c.id).where(same, _T.c.state != "cleared", _T.c.id != id)).scalar_one_or_none()
    if other is not None:
        raise ConflictError(f"alert {other} about {_words(key)} is not cleared yet: at most one of a key may be open")


def _words(key: AlertKey) -> str:
    return f"{key.station}/{key.point} {key.kind}" + ("" if key.line is None else f" {key.line:g} g/L")


def _line_key(line: float | None) -> str:
    return "" if line is None else repr(float(line))


def _row(c: Connection, id: int, *, lock: bool = False) -> Row[Any]:
    query = select(_T).where(_T.c.id == id)
    row = c.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no alert {id}")
    return row


def _update(c: Connection, a: Alert) -> None:
    c.execute(update(_T).where(_T.c.id == a.id).values(**_values(a)))


def _add_event(c: Connection, e: AlertEvent) -> int:
    values = {"alert": e.alert, "at": int(e.at), "kind": e.kind, "value": _real(e.value), "time": _whole(e.time), "p": _real(e.p), "actor": e.actor}
    return int(c.execute(insert(t.alert_event).values(**values).returning(t.alert_event.c.id)).scalar_one())


def _add_intent(c: Connection, i: Intent) -> None:
    """One whose key is there already is not added again, whatever became of it."""
    values = {name: getattr(i, name) for name in ("key", "channel", "recipient", "alert", "event", "attempts", "state", "receipt")}
    c.execute(insert_into(c.dialect.name, t.outbox).values(**values, due_at=int(i.due_at)).on_conflict_do_nothing(index_elements=[t.outbox.c.key]))


def _values(a: Alert) -> dict[str, Any]:
    return {
        **{name: getattr(a, name) for name in ("org", "station", "point", "kind", "state", "unit", "model", "acknowledged_by", "config")},
        "line": _real(a.line),
        "line_key": _line_key(a.line),
        "level": int(a.level),
        **{name: int(getattr(a, name)) for name in ("opened_at", "updated_at")},
        **{name: _whole(getattr(a, name)) for name in ("cleared_at", "time", "acknowledged_at")},
        **{name: _real(getattr(a, name)) for name in ("value", "p")},
        "memory": {name: x if x is None or isinstance(x, int) else _real(x) for name, x in a.memory.items()},
    }


def _real(x: float | None) -> float | None:
    # neither SQLite nor JSON knows NaN; and numpy's own numbers are not known to the drivers
    return None if x is None or not math.isfinite(x) else float(x)


def _whole(x: int | None) -> int | None:
    return None if x is None else int(x)


def _alert(row: Row[Any]) -> Alert:
    values = dict(row._mapping)
    del values["line_key"]
    return Alert(**values)
