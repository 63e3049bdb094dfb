"""The second part: forecasts as issued, alerts with their outbox, people, cursors; a station's intake and a series' interval."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add columns and tables; what is there stays as it is."""
    op.add_column("station", sa.Column("intake", sa.String(length=160), nullable=True))
    op.add_column("series_state", sa.Column("interval_ms", sa.BigInteger(), nullable=True))
    _forecasts()
    _alerts()
    _people()
    for table in ("forecast_issue", "alert_event"):
        _append_only(table)
    op.execute("INSERT INTO serial (name, value) VALUES ('forecast', 0)")


def _id(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=160), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _forecasts() -> None:
    op.create_table(
        "forecast_issue",
        sa.Column("id", _row_id, autoincrement=False, nullable=False),
        _id("org"),
        _id("station"),
        _id("point"),
        _id("target"),
        _id("model"),
        _text("version"),
        _int("issued_at"),
        _int("data_until"),
        _text("inputs"),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("leads", "times", "quantiles", "p_gt")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forecast_issue")),
        sa.UniqueConstraint("station", "point", "target", "model", "issued_at", name=op.f("uq_forecast_issue_station_point_target_model_issued_at")),
    )
    op.create_index("ix_forecast_issue_latest", "forecast_issue", ["target", "station", "point", "issued_at"], unique=False)
    op.create_table(
        "forecast_point",
        _id("target"),
        _id("station"),
        _id("point"),
        sa.PrimaryKeyConstraint("target", "station", "point", name=op.f("pk_forecast_point")),
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _row_id, nullable=False),
        _id("org"),
        _id("station"),
        _id("point"),
        _id("kind"),
        sa.Column("line", sa.Double(), nullable=True),
        _id("line_key"),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        _id("state"),
        _int("opened_at"),
        _int("updated_at"),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        _text("unit"),
        sa.Column("time", sa.BigInteger(), nullable=True),
        sa.Column("p", sa.Double(), nullable=True),
        _text("model"),
        _text("acknowledged_by"),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        _text("config"),
        sa.Column("memory", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
    )
    op.create_index("ix_alert_opened_at", "alert", ["opened_at", "id"], unique=False)
    op.create_index("ix_alert_station", "alert", ["station", "opened_at"], unique=False)
    op.create_index("ix_alert_cleared_at", "alert", ["cleared_at"], unique=False)
    live = sa.text("state != 'cleared'")
    op.create_index("uq_alert_live", "alert", ["station", "point", "kind", "line_key"], unique=True, sqlite_where=live, postgresql_where=live)
    op.create_table(
        "alert_event",
        sa.Column("id", _row_id, nullable=False),
        _int("alert"),
        _int("at"),
        _text("kind"),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=True),
        sa.Column("p", sa.Double(), nullable=True),
        _text("actor"),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_alert_event_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_event")),
    )
    op.create_index(op.f("ix_alert_event_alert"), "alert_event", ["alert"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", _row_id, nullable=False),
        _text("key"),
        _text("channel"),
        _text("recipient"),
        _int("alert"),
        _int("event"),
        _int("due_at"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _id("state"),
        _text("receipt"),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name=op.f("fk_outbox_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    op.create_index("ix_outbox_state", "outbox", ["state", "due_at"], unique=False)
    op.create_table("cursor", _id("name"), _int("value"), sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")))


def _people() -> None:
    op.create_table(
        "person",
        _id("name"),
        _id("org"),
        _text("role"),
        _text("password"),
        sa.Column("spent", sa.Boolean(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        _int("generation"),
        _int("created_at"),
        sa.Column("last_login_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["org"], ["org.id"], name=op.f("fk_person_org")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_person")),
    )
    op.create_table(
        "login_failure",
        sa.Column("id", _row_id, nullable=False),
        _id("key"),
        _int("at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failure")),
    )
    op.create_index("ix_login_failure_key", "login_failure", ["key", "at"], unique=False)


def _append_only(table: str) -> None:
    """Nobody changes or deletes a row of `table`, whatever program holds the connection."""
    text = f"{table} is append-only"
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{text}'); END")
        return
    op.execute(f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{text}'; END $$")
    op.execute(f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()")
