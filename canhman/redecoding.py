"""`canhman redecode`: the past decoded again, beside a running ingest; what it did, for people and machines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from adapters.sqlite_store import SqliteStore
from canhman import journals, terminal, wiring
from canhman.configuration import read_qc
from canhman.judge_lock import JudgeLock
from canhman.settings import Settings
from core.clock import rfc3339
from core.errors import NotFoundError, RefusedError
from core.place import FOREVER
from core.redecode import KINDS, Change, Run, Touched
from ingest.redecode import Asked, Result, redecode

LOCK = "redecode.lock"

# what a run counts, in words
COUNTS = {
    "new": "new",
    "value": "changed",
    "withdrawn": "withdrawn",
    "restored": "restored",
    "messages": "messages read",
    "resolved": "dead letters resolved",
    "refused": "new dead letters",
    "without_message": "left alone: not proven by the messages of the journals",
    "not_looked_at": "left for another run: run it again",
    "refused_by_store": "refused by the store",
    "failed": "messages that our own code cannot read; the log has them",
    "damaged_bytes": "damaged bytes of the journal",
}


def run(settings: Settings, asked: Asked, *, wait_s: float) -> Result:
    """One run. Raises NotFoundError (no installation, device or org), RefusedError (another one runs), and what servers raise."""
    db = wiring.existing_database(settings)
    lock = JudgeLock(wiring.data_folder(settings), LOCK)
    try:
        if not asked.dry and not lock.take():
            raise RefusedError("another canhman redecode runs on this CANHMAN_DATA; wait for its end")
        return asyncio.run(_run(settings, asked, db, wait_s))
    finally:
        lock.release()
        db.close()


async def _run(settings: Settings, asked: Asked, db: Any, wait_s: float) -> Result:
    snapshot = await db.snapshot()
    if asked.device and asked.device not in {d.id for d in snapshot.devices}:
        raise NotFoundError(f"no device is called {asked.device!r}; `canhman devices list` shows them")
    if asked.org and asked.org not in {o.id for o in snapshot.orgs}:
        raise NotFoundError(f"no org is called {asked.org!r}; `canhman orgs list` shows them")
    store = wiring.store(settings, shared=True, journalled=False)
    try:
        await wiring.patient(store.open, wait_s=wait_s, say=terminal.say)
        with terminal.progress("reading the journal", None) as moved:
            return await redecode(
                asked,
                journals=[journal for _, journal in journals.opened(settings)],
                store=store,
                database=db,
                config=read_qc(settings.config),
                clock=await wiring.clock(settings, db),
                arrival_of_row=isinstance(store, SqliteStore),
                moved=lambda done, total: moved(done, f"of {journals.shown(total)}"),
            )
    finally:
        await store.close()


def words(result: Result, *, dry: bool) -> Iterator[str]:
    """What it did, line by line."""
    counts = {name: n for name, n in result.counts.items() if n}
    changed = sum(counts.get(kind, 0) for kind in KINDS)
    head = f"{changed} readings differ" if dry else f"run {result.run}: {changed} readings were changed"
    yield head + (f" in {len(result.touched)} series" if changed else "") + ("; nothing was written (--dry-run)" if dry else "")
    for name, text in COUNTS.items():
        if counts.get(name):
            yield f"  {counts[name]} {text}"
    for journal in sorted(result.not_read):
        yield f"journal {journal} is not in this CANHMAN_DATA and was not read, so what nothing gives any more was left alone;"
        yield f"  run it where that journal is, too, or, where it is gone for good: canhman journal forget {journal}"
    if changed and not dry:
        yield "The running ingest (or canhman judge) gives them their flags; without one: canhman judge --once"


SERIES = ["station", "point", "sensor", "quantity", "from", "to", *KINDS]


def series_row(t: Touched) -> list[object]:
    """One line of the table of series."""
    return [
        *(t.key.station, t.key.point, t.key.sensor, t.key.quantity, rfc3339(t.since), rfc3339(t.until)),
        *(t.counts.get(kind) or "" for kind in KINDS),
    ]


CHANGES = ["station", "point", "sensor", "quantity", "time", "what", "old", "new"]


def change_row(c: Change) -> list[object]:
    """One line of the table of changes."""
    return [c.key.station, c.key.point, c.key.sensor, c.key.quantity, rfc3339(c.time), c.kind, _number(c.old), _number(c.new)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def as_json(changes: list[Change], touched: list[Touched]) -> dict[str, Any]:
    """Series and changes for machines."""
    return {
        "series": [{**t.key._asdict(), "from": rfc3339(t.since), "to": rfc3339(t.until), **{kind: t.counts.get(kind, 0) for kind in KINDS}} for t in touched],
        "changes": [{**c.key._asdict(), "time": rfc3339(c.time), "kind": c.kind, "old": c.old, "new": c.new} for c in changes],
    }


def run_json(run: Run) -> dict[str, Any]:
    """A run of the log for machines."""
    return {
        "id": run.id,
        "at": rfc3339(run.at),
        "actor": run.actor,
        "reason": run.reason,
        "device": run.device,
        "org": run.org,
        "since": rfc3339(run.since),
        "until": None if run.until >= FOREVER else rfc3339(run.until),
        "state": run.state,
        "finished": None if run.finished_at is None else rfc3339(run.finished_at),
        "counts": dict(run.counts),
    }


@contextlib.contextmanager
def log(settings: Settings) -> Iterator[Callable[[Callable[[Any], Any]], Any]]:
    """`ask(lambda db: db.redecode_runs())`: one question to the log."""
    with wiring.registry(settings) as (_, ask):
        yield ask
