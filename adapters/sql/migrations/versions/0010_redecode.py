"""The log of `redecode`: its runs, what each did to every series, and its changes."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEY = ("org", "station", "point", "sensor", "quantity")
_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add three tables."""
    op.create_table(
        "redecode_run",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("actor", "reason", "device", "org")),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redecode_run")),
    )
    op.create_table(
        "redecode_series",
        sa.Column("run", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(length=160), nullable=False) for name in _KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("since", "until", "new", "value", "withdrawn", "restored")),
        sa.ForeignKeyConstraint(["run"], ["redecode_run.id"], name=op.f("fk_redecode_series_run")),
        sa.PrimaryKeyConstraint("run", *_KEY, name=op.f("pk_redecode_series")),
    )
    op.create_table(
        "redecode_change",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(length=160), nullable=False) for name in _KEY),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("old", sa.Double()),
        sa.Column("new", sa.Double()),
        sa.ForeignKeyConstraint(["run"], ["redecode_run.id"], name=op.f("fk_redecode_change_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redecode_change")),
    )
    op.create_index(op.f("ix_redecode_change_run"), "redecode_change", ["run"])
