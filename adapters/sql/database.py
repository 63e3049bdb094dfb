"""`SqlDatabase`: every database port over one engine. Each method is one transaction of its module's functions."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql import alerts as alarms
from adapters.sql import commit as commits
from adapters.sql import cursors, deadletters, enrolment, identities, leases, people, records, redecodes, registry, schema, shared, simclock, states
from adapters.sql import forecasts as issues
from adapters.sql.engine import make_engine, parse_url, reading, writing
from core.alert import Alert, AlertEvent, Intent, Step
from core.clock import Clock, SimTime, SystemClock
from core.deadletter import Choice, DeadLetter, Tally
from core.forecast import Forecast
from core.person import Person
from core.place import Deployment, Device, Org, Station, Waterway
from core.ports import AuditRow, RegistrySnapshot
from core.record import Day, Score
from core.redecode import Change, Run, Touched
from core.state import BootSpan, Claim, Commit, DeviceClock, DeviceStatus, Gap, Judged, Seen, SeriesState, Waiting, WaitingDevice


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
    """Implements Registry, States, DeadLetters, Redecodes, Enrolment, Identities, SimClockRow, Forecasts, Records, Alerts, Cursors, Leases and People.

    The methods are async for the ports' sake and *block*: they run for milliseconds, in a loop of their own thread, or
    where others must not wait behind `adapters.offload.offload`.
    Two threads and many processes may use one database: each call takes a connection of its own from the pool, a writer
    waits for the one before it, readers wait for nobody. Raises UnavailableError where the database is away or locked.
    """

    any_thread = True  # for `offload`: calls may run beside each other

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # ------------------------------------------------------------ Registry

    async def version(self) -> int:
        """The number of the last change."""
        if self._engine.dialect.name == "sqlite":
            with suppress(sqlite3.Error, SQLAlchemyError):  # asked once more below, it comes with our words
                return registry.version_at_once(self._engine)
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

    async def state_cursors(self) -> dict[str, int]:
        """By journal, of all that ever committed."""
        with reading(self._engine) as c:
            return commits.state_cursors(c)

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

    async def judged(self, rows: Sequence[Judged], *, rewritten: int | None = None) -> int:
        """Take in the judge's answers; returns how many were still current and so cleared. See the port for `rewritten`."""
        with writing(self._engine) as c:
            return states.judged(c, rows, rewritten=rewritten)

    async def judge_again(self, *, but: str) -> int:
        """Mark every row judged by another configuration than `but` as dirty from the beginning; how many."""
        with writing(self._engine) as c:
            return states.judge_again(c, but)

    async def rewriting(self) -> int:
        """How often readings were announced to be written past ingest."""
        with reading(self._engine) as c:
            return states.rewriting(c)

    async def announce_rewriting(self) -> int:
        """To be said before readings are written past ingest; returns the new number."""
        with writing(self._engine) as c:
            return states.announce_rewriting(c)

    async def replace(self, rows: Sequence[SeriesState]) -> None:
        """These rows, whatever stood there; each gets a new `changed`. Rows of other series are left alone."""
        with writing(self._engine) as c:
            states.replace(c, rows)

    # ------------------------------------------------------------ DeadLetters

    async def dead_letters(self, *, reason: str | None = None, device: str | None = None, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Newest first, resolved ones too; `before` an id, for paging."""
        with reading(self._engine) as c:
            return deadletters.dead_letters(c, Choice(reason=reason, device=device), limit=limit, before=before)

    async def chosen_letters(self, choice: Choice, *, limit: int = 100, before: int | None = None) -> list[DeadLetter]:
        """Those of a choice, newest first; `before` an id, for paging."""
        with reading(self._engine) as c:
            return deadletters.dead_letters(c, choice, limit=limit, before=before)

    async def dead_letter_tallies(self, choice: Choice) -> list[Tally]:
        """How many there are, by reason and device."""
        with reading(self._engine) as c:
            return deadletters.tallies(c, choice)

    async def dead_letter(self, id: int) -> DeadLetter:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return deadletters.dead_letter(c, id)

    async def dead_letter_counts(self) -> dict[str, int]:
        """Unresolved by reason (sums of `count`)."""
        with reading(self._engine) as c:
            return deadletters.counts(c)

    async def ask_replay(self, ids: Sequence[int], *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark unresolved ones for ingest to read again; returns how many were marked. Audited where an actor is named."""
        with writing(self._engine) as c:
            return deadletters.ask_replay(c, ids, shift_ms, actor=actor, at=self._clock.now_ms())

    async def ask_replays(self, choice: Choice, *, shift_ms: int = 0, actor: str = "") -> int:
        """Mark all unresolved ones of a choice."""
        with writing(self._engine) as c:
            return deadletters.ask_replays(c, choice, shift_ms, actor=actor, at=self._clock.now_ms())

    async def replays(self, journal: str, *, limit: int = 1000) -> list[DeadLetter]:
        """Marked and not yet done, oldest first."""
        with reading(self._engine) as c:
            return deadletters.replays(c, journal, limit)

    # ------------------------------------------------------------ Redecodes

    async def begin_redecode(self, run: Run) -> int:
        """A new run; returns its id."""
        with writing(self._engine) as c:
            return redecodes.begin(c, run)

    async def log_redecode(self, run: int, changes: Sequence[Change]) -> None:
        """What is about to be written."""
        with writing(self._engine) as c:
            redecodes.log(c, run, changes)

    async def finish_redecode(self, run: int, *, state: str = "finished", counts: Mapping[str, int]) -> None:
        """The end of a run."""
        with writing(self._engine) as c:
            redecodes.finish(c, run, state=state, counts=counts, at=self._clock.now_ms())

    async def redecode_runs(self, *, limit: int = 100, state: str | None = None) -> list[Run]:
        """The newest first."""
        with reading(self._engine) as c:
            return redecodes.runs(c, limit=limit, state=state)

    async def redecode_run(self, id: int) -> Run:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return redecodes.run(c, id)

    async def redecode_touched(self, run: int) -> list[Touched]:
        """What a run did to each series, by key."""
        with reading(self._engine) as c:
            return redecodes.touched(c, run)

    async def redecode_changes(self, run: int, *, limit: int = 1000, after: int = 0) -> list[tuple[int, Change]]:
        """Its changes with their ids, beyond the id `after`."""
        with reading(self._engine) as c:
            return redecodes.changes(c, run, limit=limit, after=after)

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

    async def recalled(self, devices: Sequence[str]) -> dict[str, tuple[list[Seen], list[BootSpan]]]:
        """`seen` and `boots` of each of these devices."""
        with reading(self._engine) as c:
            return identities.recalled(c, devices)

    async def claim(self, objects: Sequence[tuple[Seen, bool]]) -> list[Claim | None]:
        """Who read these clockless objects first, where several ingests share the devices."""
        with writing(self._engine) as c:
            return shared.claim(c, objects)

    async def gaps(self, device: str | None = None) -> list[Gap]:
        """Numbers that never came (of one device), by device and boot."""
        with reading(self._engine) as c:
            return identities.gaps(c, device)

    async def device_clocks(self) -> list[DeviceClock]:
        """How each device's clock was last measured."""
        with reading(self._engine) as c:
            return identities.device_clocks(c)

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

    # ------------------------------------------------------------ Forecasts

    async def issue(self, forecasts: Sequence[Forecast]) -> int:
        """Append these in one transaction; returns how many were new. Raises ConflictError for arrays that are no forecast."""
        with writing(self._engine) as c:
            return issues.issue(c, forecasts)

    async def latest_forecasts(self, *, target: str, station: str | None = None, until: int | None = None) -> list[Forecast]:
        """The newest issue per (station, point) of one target, sorted by them."""
        with reading(self._engine) as c:
            return issues.latest(c, target, station, until)

    async def forecasts(self, *, station: str, point: str, target: str, since: int = 0, until: int | None = None, limit: int = 100) -> list[Forecast]:
        """Issues with since ≤ issued_at < until, oldest first."""
        with reading(self._engine) as c:
            return issues.between(c, station=station, point=point, target=target, since=since, until=until, limit=limit)

    async def forecasts_after(self, id: int, *, limit: int = 100) -> list[Forecast]:
        """Issues with a greater id, in rising order."""
        with reading(self._engine) as c:
            return issues.after(c, id, limit)

    # ------------------------------------------------------------ Records

    async def add_scores(self, scores: Sequence[Score], days: Sequence[Day] = (), *, name: str, was: int, value: int) -> bool:
        """Add these to what is there and move cursor `name`, all or nothing; False where it did not stand at `was`."""
        with writing(self._engine) as c:
            return records.add(c, scores, days, name=name, was=was, value=value)

    async def scores(
        self, *, stations: Sequence[str], target: str, leads: Sequence[int] = (), since: int = 0, lines: Sequence[float] = (), over: Sequence[str] = ()
    ) -> list[Score]:
        """The sums over all months from `since` on, and over the keys in `over`, of these stations and one target (of these leads and lines)."""
        with reading(self._engine) as c:
            return records.scores(c, stations=stations, target=target, leads=leads, since=since, lines=lines, over=over)

    async def scored_days(self, *, stations: Sequence[str], target: str, since: int = 0, until: int | None = None) -> list[Day]:
        """Days of these stations and one target with since ≤ time < until, by station, point and time."""
        with reading(self._engine) as c:
            return records.days(c, stations=stations, target=target, since=since, until=until)

    # ------------------------------------------------------------ Alerts

    async def live_alerts(self, *, cleared_since: int = 0) -> list[Alert]:
        """Those not cleared, and those cleared at or after `cleared_since`."""
        with reading(self._engine) as c:
            return alarms.live(c, cleared_since)

    async def alerts(
        self,
        *,
        states: Sequence[str] = (),
        station: str | None = None,
        limit: int = 100,
        before: tuple[int, int] | None = None,
        ids: Sequence[int] | None = None,
    ) -> list[Alert]:
        """Newest `opened_at` first, then the higher id; `before` an (opened_at, id), for paging."""
        with reading(self._engine) as c:
            return alarms.alerts(c, states=states, station=station, limit=limit, before=before, ids=ids)

    async def alert(self, id: int) -> Alert:
        """One of them. Raises NotFoundError."""
        with reading(self._engine) as c:
            return alarms.alert(c, id)

    async def alert_events(self, alert: int) -> list[AlertEvent]:
        """The history of one alert, oldest first."""
        with reading(self._engine) as c:
            return alarms.events(c, alert)

    async def take_steps(self, steps: Sequence[Step], *, name: str = "", value: int = 0) -> list[Alert]:
        """All of `steps` (but those another was first with) and the cursor `name`, or nothing; the alerts as they stand now.

        Raises ConflictError, NotFoundError.
        """
        with writing(self._engine) as c:
            return alarms.take_steps(c, steps, name=name, value=value)

    async def acknowledge(self, id: int, *, actor: str, at: int) -> Alert:
        """open → acknowledged; a second time changes nothing. Raises NotFoundError, ConflictError (cleared already)."""
        with writing(self._engine) as c:
            return alarms.acknowledge(c, id, actor=actor, at=at)

    async def due_intents(self, now: int, *, limit: int = 100) -> list[Intent]:
        """Waiting intents with due_at ≤ `now` [system ms], oldest first."""
        with reading(self._engine) as c:
            return alarms.due_intents(c, now, limit)

    async def settle(self, intents: Sequence[Intent]) -> None:
        """Save state, attempts, due_at and receipt of these."""
        with writing(self._engine) as c:
            alarms.settle(c, intents)

    async def intents(self, *, state: str | None = None, limit: int = 100) -> list[Intent]:
        """The outbox, newest first."""
        with reading(self._engine) as c:
            return alarms.intents(c, state, limit)

    # ------------------------------------------------------------ Cursors

    async def load_cursor(self, name: str) -> int:
        """0 where it was never saved."""
        with reading(self._engine) as c:
            return cursors.load(c, name)

    async def save_cursor(self, name: str, value: int) -> None:
        """Save it."""
        with writing(self._engine) as c:
            cursors.save(c, name, value)

    # ------------------------------------------------------------ Leases

    async def take_lease(self, name: str, holder: str, ttl_s: float) -> bool:
        """Take or renew it for `ttl_s`; False while another holder has it."""
        with writing(self._engine) as c:
            return leases.take(c, name, holder, int(ttl_s * 1000), at=self._clock.now_ms())

    async def release_lease(self, name: str, holder: str) -> None:
        """Give it up, where `holder` still has it."""
        with writing(self._engine) as c:
            leases.release(c, name, holder)

    async def lease_holder(self, name: str) -> str:
        """Who holds it now; empty where nobody does."""
        with reading(self._engine) as c:
            return leases.holder(c, name, at=self._clock.now_ms())

    # ------------------------------------------------------------ People

    async def people(self) -> list[Person]:
        """All, by name."""
        with reading(self._engine) as c:
            return people.people(c)

    async def person(self, name: str) -> Person | None:
        """One of them."""
        with reading(self._engine) as c:
            return people.person(c, name)

    async def put_person(self, person: Person, *, actor: str, why: str = "") -> None:
        """Insert or change, audited. Raises ConfigError or ConflictError, and then changes nothing."""
        with writing(self._engine) as c:
            people.put(c, person, actor=actor, why=why, at=self._clock.now_ms())

    async def spend_password(self, name: str, generation: int) -> bool:
        """Mark a one-time password as used; False where it was used already."""
        with writing(self._engine) as c:
            return people.spend_password(c, name, generation)

    async def failed_logins(self, keys: Sequence[str], since: int) -> dict[str, int]:
        """How many attempts failed per key since `since` [system ms]."""
        with reading(self._engine) as c:
            return people.failed_logins(c, keys, since)

    async def note_login(self, keys: Sequence[str], at: int, *, ok: bool, name: str = "") -> None:
        """A failed attempt is counted per key; a good one forgets the name's failures and sets its last_login_at."""
        with writing(self._engine) as c:
            people.note_login(c, keys, at, ok=ok, name=name)
