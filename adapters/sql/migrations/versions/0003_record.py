"""The record: sums of scores of issued forecasts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one table; what is there stays as it is."""
    keys = [sa.Column(name, sa.String(length=160), nullable=False) for name in ("station", "point", "target", "model")]
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("n", "missing", "events", "right", "known", "inside")]
    sums: list[sa.Column[float]] = [sa.Column(name, sa.Double(), nullable=False) for name in ("said", "squares", "squares_known", "squares_reference", "error")]
    op.create_table(
        "forecast_score",
        *keys,
        sa.Column("lead", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Double(), nullable=False),
        sa.Column("bin", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("month", sa.Integer(), autoincrement=False, nullable=False),
        *counts,
        *sums,
        sa.PrimaryKeyConstraint("station", "point", "target", "model", "lead", "line", "bin", "month", name=op.f("pk_forecast_score")),
        sqlite_with_rowid=False,
    )
