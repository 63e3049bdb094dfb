"""`SqlDatabase`: every database port over one engine; the families of ports stand in `adapters.sql.ports`."""

from __future__ import annotations

from adapters.sql import schema
from adapters.sql.engine import make_engine, parse_url
from adapters.sql.ports.alerts import SqlAlerts
from adapters.sql.ports.forecasts import SqlForecasts
from adapters.sql.ports.identities import SqlIdentities
from adapters.sql.ports.letters import SqlLetters
from adapters.sql.ports.people import SqlPeople
from adapters.sql.ports.processes import SqlProcesses
from adapters.sql.ports.registry import SqlRegistry
from adapters.sql.ports.states import SqlStates
from core.clock import Clock, SystemClock


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


class SqlDatabase(SqlRegistry, SqlStates, SqlLetters, SqlIdentities, SqlForecasts, SqlAlerts, SqlProcesses, SqlPeople):
    """Implements Registry, States, DeadLetters, Redecodes, Enrolment, Identities, SimClockRow, Forecasts, Records, Alerts, Cursors, Leases and People.

    The methods are async for the ports' sake and *block*: they run for milliseconds, in a loop of their own thread, or
    where others must not wait behind `adapters.offload.offload`.
    Two threads and many processes may use one database: each call takes a connection of its own from the pool, a writer
    waits for the one before it, readers wait for nobody. Raises UnavailableError where the database is away or locked.
    """

    any_thread = True  # for `offload`: calls may run beside each other

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
