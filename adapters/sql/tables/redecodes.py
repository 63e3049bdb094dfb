"""The log of the past, decoded again."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, String, Table

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

redecode_run = Table(
    "redecode_run",
    metadata,
    Column("id", RowId, primary_key=True),
    int_column("at"),
    text_column("actor"),
    text_column("reason"),
    text_column("device"),
    text_column("org"),
    int_column("since"),
    int_column("until"),
    Column("state", String(20), nullable=False),
    Column("finished_at", BigInteger),
    Column("counts", JSON, nullable=False),
)

redecode_series = Table(
    "redecode_series",
    metadata,
    Column("run", BigInteger, ForeignKey("redecode_run.id"), primary_key=True),
    *(id_column(name, key=True) for name in ("org", "station", "point", "sensor", "quantity")),
    int_column("since"),
    int_column("until"),
    *(int_column(name) for name in ("new", "value", "withdrawn", "restored")),
)

redecode_change = Table(
    "redecode_change",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("run", BigInteger, ForeignKey("redecode_run.id"), nullable=False, index=True),
    *(id_column(name) for name in ("org", "station", "point", "sensor", "quantity")),
    int_column("time"),
    Column("kind", String(20), nullable=False),
    Column("old", Double),
    Column("new", Double),
)
