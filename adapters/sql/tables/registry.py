"""What is registered, and who changed it."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, ForeignKey, Integer, String, Table, UniqueConstraint

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

org = Table("org", metadata, id_column("id", key=True), text_column("name"), Column("join_generation", Integer, nullable=False))

device = Table(
    "device",
    metadata,
    id_column("id", key=True),
    Column("org", String(160), ForeignKey("org.id"), nullable=False, index=True),
    text_column("model"),
    text_column("credential"),
    Column("opens_points", Boolean, nullable=False),
)

waterway = Table(
    "waterway",
    metadata,
    id_column("id", key=True),
    text_column("name"),
    text_column("sea"),
    Column("length_km", Double, nullable=False),
    Column("joins", JSON, nullable=False),
)

station = Table(
    "station",
    metadata,
    id_column("id", key=True),
    Column("org", String(160), ForeignKey("org.id"), nullable=False, index=True),
    text_column("name"),
    Column("lat", Double),
    Column("lon", Double),
    text_column("position"),
    Column("waterway", String(160), ForeignKey("waterway.id")),  # null where the station names none
    Column("km", Double),
    text_column("commune"),
    text_column("commune_scheme"),
    text_column("timezone"),
    text_column("level_datum"),
    text_column("verdict_point"),
    Column("intake", String(160)),  # null where it takes its own water; the registry checks that it is a station
    Column("public", Boolean, nullable=False),
    Column("aliases", JSON, nullable=False),
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("device", String(160), ForeignKey("device.id"), nullable=False),
    id_column("channel"),
    Column("station", String(160), ForeignKey("station.id"), nullable=False, index=True),
    id_column("point"),
    int_column("start"),
    int_column("end"),
    text_column("role"),
    Column("depth_m", Double),
    Column("interval_s", Double),
    UniqueConstraint("device", "channel", "start"),
)

# append-only: triggers of the migrations refuse UPDATE and DELETE
audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    int_column("at"),
    text_column("actor"),
    text_column("kind"),
    text_column("subject"),
    text_column("before"),
    text_column("after"),
    text_column("why"),
)
