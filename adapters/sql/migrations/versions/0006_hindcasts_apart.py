"""A hindcast and a real issue of the same instant are two: the version is part of what an issue is known by. The record is made anew."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BEFORE = ["station", "point", "target", "model", "issued_at"]
_NOW = ["station", "point", "target", "model", "version", "issued_at"]


def upgrade() -> None:
    """What was issued stays. Days of points read less than every two hours had no truth before: the service scores every issue again."""
    with op.batch_alter_table("forecast_issue") as table:
        table.drop_constraint(op.f("uq_forecast_issue_" + "_".join(_BEFORE)), type_="unique")
        table.create_unique_constraint(op.f("uq_forecast_issue_" + "_".join(_NOW)), _NOW)
    if op.get_context().dialect.name == "sqlite":  # which makes the table anew for it, without what kept it append-only
        for verb in ("UPDATE", "DELETE"):
            text = "SELECT RAISE(ABORT, 'forecast_issue is append-only')"
            op.execute(f"CREATE TRIGGER forecast_issue_no_{verb.lower()} BEFORE {verb} ON forecast_issue BEGIN {text}; END")
    op.execute("DELETE FROM forecast_score")
    op.execute("DELETE FROM forecast_day")
    op.execute("DELETE FROM cursor WHERE name LIKE 'record %'")
