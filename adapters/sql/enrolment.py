"""Messages of devices that wait for approval: where they stand in the journal."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select

from adapters.sql import tables as t
from adapters.sql.engine import in_chunks, upsert
from adapters.sql.registry import audit
from core.deadletter import HEAD_BYTES
from core.state import Waiting, WaitingDevice

_T = t.waiting


def write(c: Connection, rows: Sequence[Waiting]) -> None:
    """Keep these; one already kept at its position stays as it is."""
    values = [
        {
            "org": w.org,
            "device": w.device,
            "journal": w.journal,
            "position": int(w.position),
            "received": int(w.received),
            "size": int(w.size),
            "head": bytes(w.head[:HEAD_BYTES]),
        }
        for w in rows
    ]
    upsert(c, _T, values, key=("journal", "position"))


def done(c: Connection, ids: Sequence[int]) -> set[tuple[str, int]]:
    """Read again and stored: they wait no more. Returns where they stand: (journal, position)."""
    places: set[tuple[str, int]] = set()
    for chunk in in_chunks(map(int, ids)):
        rows = c.execute(delete(_T).where(_T.c.id.in_(chunk)).returning(_T.c.journal, _T.c.position))
        places.update((row.journal, row.position) for row in rows)
    return places


def waiting(c: Connection, device: str, journal: str, limit: int) -> list[Waiting]:
    """What is kept of one device in one journal, oldest first."""
    query = select(_T).where(_T.c.device == device, _T.c.journal == journal).order_by(_T.c.position).limit(limit)
    return [Waiting(**row._mapping) for row in c.execute(query)]


def waiting_devices(c: Connection) -> list[WaitingDevice]:
    """All that wait, by org and device: sums, and the head of the last message."""
    sums = (
        select(
            _T.c.org,
            _T.c.device,
            func.count().label("messages"),
            func.sum(_T.c.size).label("size"),
            func.min(_T.c.received).label("first_received"),
            func.max(_T.c.received).label("last_received"),
            func.max(_T.c.id).label("last_id"),
        )
        .group_by(_T.c.device, _T.c.org)
        .subquery()
    )
    rows = c.execute(select(sums, _T.c.head).join(_T, _T.c.id == sums.c.last_id))
    found = [
        WaitingDevice(
            org=row.org,
            device=row.device,
            messages=row.messages,
            size=int(row.size),
            first_received=row.first_received,
            last_received=row.last_received,
            head=row.head,
        )
        for row in rows
    ]
    return sorted(found, key=lambda w: (w.org, w.device))


def forget_waiting(c: Connection, device: str, *, actor: str, at: int) -> int:
    """Drop what is kept of it, with an audit row; returns how many messages."""
    n, size = c.execute(select(func.count(), func.coalesce(func.sum(_T.c.size), 0)).select_from(_T).where(_T.c.device == device)).one()
    if n:
        c.execute(delete(_T).where(_T.c.device == device))
        before = json.dumps({"messages": int(n), "size": int(size)}, sort_keys=True)
        audit(c, at=at, actor=actor, kind="waiting", subject=device, before=before, after="")
    return int(n)
