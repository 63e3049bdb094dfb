"""What makes a message that comes again recognisable, and what is known of its sender."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, Index, LargeBinary, String, Table, Text, UniqueConstraint, text

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

seen = Table(
    "seen",
    metadata,
    Column("id", RowId, primary_key=True),
    id_column("device"),
    int_column("boot"),
    int_column("seq"),
    int_column("time"),
    int_column("received"),
    int_column("position"),
    Column("digest", LargeBinary, nullable=False),
    Column("journal", String(160), nullable=False, server_default=text("''")),
    # the digest too: of two objects with one number both are kept, and each keeps its own time
    UniqueConstraint("device", "boot", "seq", "digest"),
    Index("ix_seen_device_id", "device", "id"),
    Index("ix_seen_device_time", "device", "time"),
)

boot_span = Table(
    "boot_span",
    metadata,
    id_column("device", key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    int_column("lowest"),
    int_column("highest"),
    Column("holes", JSON, nullable=False),
    int_column("last_time"),
    Column("fallen_back", JSON, nullable=False),
)

device_clock = Table(
    "device_clock",
    metadata,
    id_column("device", key=True),
    text_column("verdict"),
    Column("offset_ms", BigInteger),
    Column("spread_ms", BigInteger),
    Column("drift_ms", Double),
    int_column("at"),
    Column("reset_at", BigInteger),
    Column("reset_to", BigInteger),
    Column("memory", JSON, nullable=False),
)

device_status = Table("device_status", metadata, id_column("device", key=True), text_column("status"), int_column("at"))

counter = Table("counter", metadata, Column("name", Text, primary_key=True), int_column("value"))
