"""What processes tell each other: the numbers of rows, how far one has read, who holds a name, what the clock says."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, Integer, Table

from adapters.sql.tables.columns import id_column, int_column, metadata, text_column

# rows `registry` (version of the registry), `changed` (last number given to a row of series_state), `forecast` (last id of forecast_issue)
serial = Table("serial", metadata, id_column("name", key=True), int_column("value"))

cursor = Table("cursor", metadata, id_column("name", key=True), int_column("value"))

lease = Table("lease", metadata, id_column("name", key=True), text_column("holder"), int_column("expires_at"))

sim_clock = Table(
    "sim_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    int_column("sim_ms"),
    Column("speed", Double, nullable=False),
    int_column("anchor_ms"),
    CheckConstraint("id = 1", name="one_row"),
)
