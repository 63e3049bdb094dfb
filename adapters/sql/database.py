"""`SqlDatabase`: every database port over one engine. Each method is one transaction of its module's functions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from adapters.sql import commit as commits
from adapters.sql import deadletters, enrolment, identities, registry, schema, simclock, states
from adapters.sql.engine import make_engine, parse_url, reading, writing
from core.clock import Clock, SimTime, SystemClock
from core.deadletter import DeadLetter
from core.place import Deployment, Device, Org, Station, Waterway
from core.ports import AuditRow, RegistrySnapshot
from core.state import BootSpan, Commit, DeviceStatus, Judged, Seen, SeriesState, Waiting, WaitingDevice


def open_database(url: str, *, clock: Clock | None = None) -> SqlDatabase:
    """Connect to a database that `prepare` or `migrate` has made. `clock` (the system's) dates audit rows and resolutions.

    Raises ConfigError, UnavailableError, RefusedError, and FormatError where the database is not of this version.
    """
    engine = make_engine(parse_url(url))
    try:
        schema.check(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlDatabase(engine, clock or SystemClock())


class SqlDatabase:
    """Implements Registry, States, DeadLetters, Enrolment, Identities and SimClockRow.

    The methods are async for the ports' sake and *block*: they run for milliseconds, in a loop of their own thread.
    Two threads and many processes may use one database: each call takes a connection of its own from the pool, a writer
    waits for the one before it, readers wait for nobody. Raises UnavailableError where the database is away or locked.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # ------------------------------------------------------------ Registry

    async def version(self) -> int:
        """The number of the last change."""
        with reading(self._engine) as c:
            return registry.version(c)

    async def snapshot(self) -> RegistrySnapshot:
        """Everything registered, in one consistent read."""
        with reading(self._engine) as c:
            return registry.snapshot(c)

    async def put(self, *items: Org | Device | Station | Deployment | Waterway, actor: str, why: str = "") -> int:
        """Insert or change these in one transaction. Raises ConflictError or ConfigError, and then changes nothing."""
        with writing(self._engine) as c:
            return registry.put(c, items, actor=actor, why=why, at=self._clock.now_ms())

    async def audit(self, *, limit: int = 100) -> list[AuditRow]:
        """The newest changes first."""
        with reading(self._engine) as c:
            return registry.audit_rows(c, limit)

    # ------------------------------------------------------------ States

    async def commit(self, commit: Commit) -> None:
        """All of `commit` in one transaction; see `adapters.sql.commit` for what makes it idempotent."""
        with writing(self._engine) as c:
            commits.write(c, commit, at=self._clock.now_ms())

    async def state_cursor(self, journal: str) -> int:
        """The journal position the last commit covers; 0 where there is none."""
        with reading(self._engine) as c:
            return commits.state_cursor(c, journal)

    async def states(self, *, station: str | None = None) -> list[SeriesState]:
        """All rows (of one station), sorted by key."""
        with reading(self._engine) as c:
            return states.states(c, station)

    async def changed_since(self, changed: int, *, limit: int = 1000) -> list[SeriesState]:
        """Rows with `changed` greater, in rising order."""
        with reading(self._engine) as c:
            return states.changed_since(c, changed, limit)

    async def dirty(self) -> list[SeriesState]:
        """Rows with `dirty_from` set, sorted by key."""
        with reading(self._engine) as c:
            return states.dirty(c)

    async def judged(self, rows: Sequence[Judged]) -> int:
        """Take in the judge's answers; returns how many were still current and so cleared."""
        with writing(self._engine) as c:
            return states.judged(c, rows)

    async def judge_again(self, *, but: str) -> int:
        """Mark every row judged by another configuration than `but` as dirty from the beginning; how many."""
        with writing(self._engine) as c:
            return states.judge_again(c, but)

    async def replace(self, rows: Sequence[SeriesState]) -> None:
        """These rows, whatever stood there; each gets a new `changed`. Rows of other series are left alone."""
        with writing(self._engine) as c:
            states.replace(c, rows)

    # ------------------------------------------------------------ DeadLetters

    async def dead_letters(self, *, reason: str | None = None, device: str | None = None, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first, resolved ones too; `before` an id, for paging."""
        with reading(self._engine) as c:
            return deadletters.dead_letters(c, reason=reason, device=device, limit=limit, before=before)

    async def dead_letter(self, id: int) -> DeadLetter:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return deadletters.dead_letter(c, id)

    async def dead_letter_counts(self) -> dict[str, int]:
        """Unresolved by reason (sums of `count`)."""
        with reading(self._engine) as c:
            return deadletters.counts(c)

    async def ask_replay(self, ids: Sequence[int], *, shift_ms: int = 0) -> int:
        """Mark unresolved ones for ingest to read again; returns how many were marked."""
        with writing(self._engine) as c:
            return deadletters.ask_replay(c, ids, shift_ms)

    async def replays(self, journal: str, *, limit: int = 1000) -> list[DeadLetter]:
        """Marked and not yet done, oldest first."""
        with reading(self._engine) as c:
            return deadletters.replays(c, journal, limit)

    # ------------------------------------------------------------ Enrolment

    async def waiting_devices(self) -> list[WaitingDevice]:
        """All that wait, by org and device."""
        with reading(self._engine) as c:
            return enrolment.waiting_devices(c)

    async def waiting(self, device: str, journal: str, *, limit: int = 1000) -> list[Waiting]:
        """The kept messages of one device in one journal, oldest first."""
        with reading(self._engine) as c:
            return enrolment.waiting(c, device, journal, limit)

    async def forget_waiting(self, device: str, *, actor: str) -> int:
        """Reject: drop what is kept of it (audited); returns how many messages."""
        with writing(self._engine) as c:
            return enrolment.forget_waiting(c, device, actor=actor, at=self._clock.now_ms())

    # ------------------------------------------------------------ Identities

    async def seen(self, device: str) -> list[Seen]:
        """The last 1,000 objects of a clockless device, oldest first."""
        with reading(self._engine) as c:
            return identities.seen(c, device)

    async def boots(self, device: str) -> list[BootSpan]:
        """What a device with a clock sent, by boot (its last 1,000 boots)."""
        with reading(self._engine) as c:
            return identities.boots(c, device)

    async def device_statuses(self) -> list[DeviceStatus]:
        """The last word of every device."""
        with reading(self._engine) as c:
            return identities.device_statuses(c)

    async def counters(self) -> dict[str, int]:
        """All counters."""
        with reading(self._engine) as c:
            return identities.counters(c)

    # ------------------------------------------------------------ SimClockRow

    async def load_clock(self) -> SimTime | None:
        """The saved row; None before the first start."""
        with reading(self._engine) as c:
            return simclock.load(c)

    async def save_clock(self, clock: SimTime) -> None:
        """Save it."""
        with writing(self._engine) as c:
            simclock.save(c, clock)
