"""The database behind registry, latest states, dead letters, enrolment and identities: SQLite here, PostgreSQL in a province."""

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import migrate, prepare

__all__ = ["SqlDatabase", "migrate", "open_database", "prepare"]
