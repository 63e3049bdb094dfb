"""Accounts and failed log-ins."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

person = Table(
    "person",
    metadata,
    id_column("name", key=True),
    Column("org", String(160), ForeignKey("org.id"), nullable=False),
    text_column("role"),
    text_column("password"),
    Column("spent", Boolean, nullable=False),  # its one-time password was used
    Column("must_change", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    int_column("generation"),
    int_column("created_at"),
    Column("last_login_at", BigInteger),
)

login_failure = Table(
    "login_failure",
    metadata,
    Column("id", RowId, primary_key=True),
    id_column("key"),
    int_column("at"),
    Index("ix_login_failure_key", "key", "at"),
)
