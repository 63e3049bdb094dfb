"""How each device's clock stands against ours."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one table; ingest measures from now on."""
    op.create_table(
        "device_clock",
        sa.Column("device", sa.String(length=160), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("offset_ms", sa.BigInteger()),
        sa.Column("spread_ms", sa.BigInteger()),
        sa.Column("drift_ms", sa.Double()),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reset_at", sa.BigInteger()),
        sa.Column("reset_to", sa.BigInteger()),
        sa.Column("memory", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_device_clock")),
    )
