"""Dead letters, and what waits for its device to be approved."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, UniqueConstraint

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", RowId, primary_key=True),
    id_column("reason"),
    text_column("text"),
    id_column("journal"),
    int_column("position"),
    text_column("topic"),
    text_column("org"),
    text_column("device"),
    text_column("key"),
    int_column("received"),
    Column("head", LargeBinary, nullable=False),
    Column("offset_ms", BigInteger),
    int_column("count"),
    # up to which position the letters without a row of their own are in `count`; null where all have one
    Column("counted_to", BigInteger),
    Column("replay", Boolean, nullable=False),
    int_column("shift_ms"),
    Column("resolved_at", BigInteger),
    UniqueConstraint("journal", "position", "reason", "key"),
    Index("ix_dead_letter_device_reason", "device", "reason", "resolved_at"),
    Index("ix_dead_letter_replay", "replay", "journal"),
)

waiting = Table(
    "waiting",
    metadata,
    Column("id", RowId, primary_key=True),
    id_column("org"),
    id_column("device"),
    id_column("journal"),
    int_column("position"),
    int_column("received"),
    int_column("size"),
    Column("head", LargeBinary, nullable=False),
    UniqueConstraint("journal", "position"),
    Index("ix_waiting_device", "device", "org"),
)
