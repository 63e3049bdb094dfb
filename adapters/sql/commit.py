"""`States.commit`: one second of ingest in one transaction.

What makes reading the same journal again harmless, part by part: `written` only moves newest forward and dirty_from back;
`dead` and `waiting` are known by their journal position; `seen`, `boots` and `statuses` are upserts. Counters cannot be
told apart, so they are taken in only where the commit moves `state_cursor` forward: **a commit's counters must cover
positions from the stored `state_cursor` on, no earlier ones**. `state_cursor` never moves back.
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from adapters.sql import deadletters, enrolment, identities, shared, states
from adapters.sql import tables as t
from adapters.sql.engine import incoming, upsert
from adapters.sql.registry import audit
from core.errors import NotFoundError
from core.state import Commit


def write(c: Connection, commit: Commit, *, at: int) -> None:
    """All of `commit`; `at` [system ms] dates the dead letters it resolves."""
    states.write(c, commit.written, rewritten=commit.rewritten)  # first: it takes the lock that orders writers
    covered = state_cursor(c, commit.journal)
    again = enrolment.done(c, commit.done_waiting)
    deadletters.write(c, commit.dead, done=commit.done_replays, again=again, at=at)
    deadletters.fail(c, commit.failed_replays)
    enrolment.write(c, commit.waiting)
    identities.write_seen(c, commit.seen, cursor=commit.state_cursor)
    identities.write_boots(c, commit.boots)
    identities.write_statuses(c, commit.statuses)
    identities.write_clocks(c, commit.clocks)
    duplicates = shared.merge(c, commit.arrivals)
    if commit.state_cursor > covered:
        identities.add_counters(c, commit.counters)
        identities.add_counters(c, {f"duplicate:{device}": times for device, times in duplicates.items()})
        upsert(
            c,
            t.state_cursor,
            [{"journal": commit.journal, "position": int(commit.state_cursor)}],
            key=["journal"],
            update={"position": incoming(t.state_cursor).position},
        )


def state_cursor(c: Connection, journal: str) -> int:
    """The journal position the last commit covers; 0 where there is none."""
    return int(c.execute(select(t.state_cursor.c.position).where(t.state_cursor.c.journal == journal)).scalar_one_or_none() or 0)


def state_cursors(c: Connection) -> dict[str, int]:
    """By journal, of all that ever committed."""
    return {journal: int(position) for journal, position in c.execute(select(t.state_cursor.c.journal, t.state_cursor.c.position))}


def forget_journal(c: Connection, journal: str, *, actor: str, at: int) -> None:
    """Its row goes; what remembers clockless objects by their place in it stays. Raises NotFoundError."""
    gone = c.execute(delete(t.state_cursor).where(t.state_cursor.c.journal == journal).returning(t.state_cursor.c.position)).scalar_one_or_none()
    if gone is None:
        raise NotFoundError(f"no journal {journal!r} is known to the database")
    audit(c, at=at, actor=actor, kind="journal", subject=journal, before=str(gone), after="")


def forgotten_journals(c: Connection) -> dict[str, int]:
    """How far each had come when it was forgotten: the audit keeps it, and nothing is ever removed from that."""
    a = t.audit.c
    rows = c.execute(select(a.subject, a.before).where(a.kind == "journal", a.after == "").order_by(a.id))
    return {journal: int(position) for journal, position in rows}
