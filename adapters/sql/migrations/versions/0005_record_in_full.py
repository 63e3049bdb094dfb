"""The record in full: more sums, and of each day what was said the day before and what came. It is made anew from the issues."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The sums of before lack the new columns and nothing could fill them: the service scores every issue again."""
    op.drop_table("forecast_score")
    keys = [sa.Column(name, sa.String(length=160), nullable=False) for name in ("station", "point", "target", "model")]
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("n", "missing", "events", "right", "known", "compared", "inside", "within")]
    sums: list[sa.Column[float]] = [
        sa.Column(name, sa.Double(), nullable=False)
        for name in ("said", "squares", "squares_known", "squares_reference", "squares_compared", "squares_persistence", "error")
    ]
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
    op.create_table(
        "forecast_day",
        *(sa.Column(name, sa.String(length=160), nullable=False) for name in ("station", "point", "target")),
        sa.Column("time", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.String(length=160), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("came", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("station", "point", "target", "time", name=op.f("pk_forecast_day")),
        sqlite_with_rowid=False,
    )
    op.execute("DELETE FROM cursor WHERE name LIKE 'record %'")
