"""Alerts, their history and their outbox."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Index, Integer, SmallInteger, Table, UniqueConstraint

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

alert = Table(
    "alert",
    metadata,
    Column("id", RowId, primary_key=True),
    id_column("org"),
    id_column("station"),
    id_column("point"),
    id_column("kind"),
    Column("line", Double),
    # `line` as text, empty for none: in a unique index two nulls would be two keys
    id_column("line_key"),
    Column("level", SmallInteger, nullable=False),
    id_column("state"),
    int_column("opened_at"),
    int_column("updated_at"),
    Column("cleared_at", BigInteger),
    Column("value", Double),
    text_column("unit"),
    Column("time", BigInteger),
    Column("p", Double),
    text_column("model"),
    text_column("acknowledged_by"),
    Column("acknowledged_at", BigInteger),
    text_column("config"),
    Column("memory", JSON, nullable=False),
    Index("ix_alert_opened_at", "opened_at", "id"),
    Index("ix_alert_station", "station", "opened_at"),
    Index("ix_alert_cleared_at", "cleared_at"),
)
Index(
    "uq_alert_live",
    *(alert.c[name] for name in ("station", "point", "kind", "line_key")),
    unique=True,
    sqlite_where=alert.c.state != "cleared",
    postgresql_where=alert.c.state != "cleared",
)

# append-only, as `audit`
alert_event = Table(
    "alert_event",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("alert", BigInteger, ForeignKey("alert.id"), nullable=False, index=True),
    int_column("at"),
    text_column("kind"),
    Column("value", Double),
    Column("time", BigInteger),
    Column("p", Double),
    text_column("actor"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True),
    text_column("key"),
    text_column("channel"),
    text_column("recipient"),
    Column("alert", BigInteger, ForeignKey("alert.id"), nullable=False),
    int_column("event"),  # 0 where the step had none
    int_column("due_at"),
    Column("attempts", Integer, nullable=False),
    id_column("state"),
    text_column("receipt"),
    UniqueConstraint("key"),
    Index("ix_outbox_state", "state", "due_at"),
)
