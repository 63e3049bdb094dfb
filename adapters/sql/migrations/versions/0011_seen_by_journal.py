"""Of which journal a remembered clockless object is: several ingests have one each."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty for what a lone ingest remembered; and an index to ask for the times of a device that are taken."""
    op.add_column("seen", sa.Column("journal", sa.String(length=160), nullable=False, server_default=sa.text("''")))
    op.create_index("ix_seen_device_time", "seen", ["device", "time"])
