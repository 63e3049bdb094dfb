"""Forecasts as issued, and how they scored."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, Index, Integer, SmallInteger, Table, UniqueConstraint

from adapters.sql.tables.columns import RowId, id_column, int_column, metadata, text_column

# append-only, as `audit`; ids from `serial`, so that they become visible in their order
forecast_issue = Table(
    "forecast_issue",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    id_column("org"),
    id_column("station"),
    id_column("point"),
    id_column("target"),
    id_column("model"),
    text_column("version"),
    int_column("issued_at"),
    int_column("data_until"),
    text_column("inputs"),
    Column("leads", JSON, nullable=False),
    Column("times", JSON, nullable=False),
    Column("quantiles", JSON, nullable=False),
    Column("p_gt", JSON, nullable=False),
    Column("reasons", JSON),  # null in issues of before 0004, as `missing`
    Column("missing", JSON),
    UniqueConstraint("station", "point", "target", "model", "version", "issued_at"),
    Index("ix_forecast_issue_latest", "target", "station", "point", "issued_at"),
)

# what was ever forecast, so that the latest of each is one seek and not a pass over all issues
forecast_point = Table("forecast_point", metadata, id_column("target", key=True), id_column("station", key=True), id_column("point", key=True))

# sums of scores; see `core.record.Score`
forecast_score = Table(
    "forecast_score",
    metadata,
    *(id_column(name, key=True) for name in ("station", "point", "target", "model")),
    Column("lead", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("line", Double, primary_key=True, nullable=False),
    Column("bin", SmallInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("month", Integer, primary_key=True, nullable=False, autoincrement=False),
    *(int_column(name) for name in ("n", "missing", "events", "right", "known", "compared", "inside", "within")),
    *(
        Column(name, Double, nullable=False)
        for name in ("said", "squares", "squares_known", "squares_reference", "squares_compared", "squares_persistence", "error")
    ),
    sqlite_with_rowid=False,
)

# see `core.record.Day`
forecast_day = Table(
    "forecast_day",
    metadata,
    *(id_column(name, key=True) for name in ("station", "point", "target")),
    Column("time", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    id_column("model"),
    Column("said", JSON, nullable=False),
    Column("came", Double),
    sqlite_with_rowid=False,
)

# see `core.record.Basis`: of a point [time, digest, targets, limits] of each of its newest scored days
forecast_basis = Table(
    "forecast_basis",
    metadata,
    *(id_column(name, key=True) for name in ("station", "point")),
    Column("days", JSON, nullable=False),
    sqlite_with_rowid=False,
)
