"""The latest state of every series, and how far each journal is in it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, SmallInteger, Table

from adapters.sql.tables.columns import id_column, int_column, metadata, text_column

series_state = Table(
    "series_state",
    metadata,
    *(id_column(name, key=True) for name in ("org", "station", "point", "sensor", "quantity")),
    text_column("role"),
    int_column("newest_time"),
    Column("newest_value", Double),  # null stands for NaN, which SQLite does not know
    Column("newest_flag", SmallInteger, nullable=False),
    int_column("received"),
    Column("judged_time", BigInteger),
    Column("judged_value", Double),
    Column("judged_flag", SmallInteger),
    Column("good_time", BigInteger),
    Column("good_value", Double),
    Column("good_flag", SmallInteger),
    Column("dirty_from", BigInteger),
    Column("changed", BigInteger, nullable=False, index=True),
    text_column("config"),
    Column("interval_ms", BigInteger),
    sqlite_with_rowid=False,
)
Index(
    "ix_series_state_dirty",
    series_state.c.dirty_from,
    sqlite_where=series_state.c.dirty_from.is_not(None),
    postgresql_where=series_state.c.dirty_from.is_not(None),
)

state_cursor = Table("state_cursor", metadata, id_column("journal", key=True), int_column("position"))
