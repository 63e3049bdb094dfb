"""Waiting messages over SQL: kept once, summed by device, gone when read again or rejected."""

from __future__ import annotations

import asyncio
import json

from adapters.sql import SqlDatabase
from core.state import Commit, Waiting, WaitingDevice


def waiting(position: int, *, device: str = "x1", org: str = "default", journal: str = "j") -> Waiting:
    return Waiting(org=org, device=device, journal=journal, position=position, received=position * 10, size=100, head=f"{position}".encode())


def commit(database: SqlDatabase, *rows: Waiting, done: tuple[int, ...] = ()) -> None:
    asyncio.run(database.commit(Commit(journal="j", state_cursor=1, waiting=rows, done_waiting=done)))


def test_kept_once_and_summed(database: SqlDatabase) -> None:
    """A device's messages are kept once each, oldest first, and summed with the head of the last."""
    for _ in range(2):
        commit(database, waiting(1), waiting(2), waiting(3, device="a1"), waiting(4, device="a1", org="can-tho"))
    assert asyncio.run(database.waiting_devices()) == [
        WaitingDevice(org="can-tho", device="a1", messages=1, size=100, first_received=40, last_received=40, head=b"4"),
        WaitingDevice(org="default", device="a1", messages=1, size=100, first_received=30, last_received=30, head=b"3"),
        WaitingDevice(org="default", device="x1", messages=2, size=200, first_received=10, last_received=20, head=b"2"),
    ]
    kept = asyncio.run(database.waiting("x1", "j"))
    assert [(w.position, w.head) for w in kept] == [(1, b"1"), (2, b"2")]
    assert [w.position for w in asyncio.run(database.waiting("x1", "j", limit=1))] == [1]
    assert asyncio.run(database.waiting("x1", "other")) == []


def test_done(database: SqlDatabase) -> None:
    """What was read again and stored waits no more."""
    commit(database, waiting(1), waiting(2))
    first, second = asyncio.run(database.waiting("x1", "j"))
    commit(database, done=(first.id,))
    assert asyncio.run(database.waiting("x1", "j")) == [second]


def test_reject_is_audited(database: SqlDatabase) -> None:
    """Rejecting drops what is kept of one device and says who did; of a device that does not wait nothing is said."""
    commit(database, waiting(1), waiting(2), waiting(3, device="a1"))
    assert asyncio.run(database.forget_waiting("x1", actor="lan")) == 2
    assert asyncio.run(database.forget_waiting("x1", actor="lan")) == 0
    assert [w.device for w in asyncio.run(database.waiting_devices())] == ["a1"]
    (row,) = asyncio.run(database.audit())
    assert (row.actor, row.kind, row.subject, row.after) == ("lan", "waiting", "x1", "")
    assert json.loads(row.before) == {"messages": 2, "size": 200}
