"""Forecasts say what moved them and which drivers were silent."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two columns, null in the issues that are there: an issue is never changed."""
    for name in ("reasons", "missing"):
        op.add_column("forecast_issue", sa.Column(name, sa.JSON(), nullable=True))
