"""What the newest scores rest on, so that days whose readings were judged anew, came late or were decoded again are scored anew."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one table; what is there stays as it is. What earlier scores rest on is taken down as it stands when the point is looked at next."""
    op.create_table(
        "forecast_basis",
        *(sa.Column(name, sa.String(length=160), nullable=False) for name in ("station", "point")),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("station", "point", name=op.f("pk_forecast_basis")),
        sqlite_with_rowid=False,
    )
