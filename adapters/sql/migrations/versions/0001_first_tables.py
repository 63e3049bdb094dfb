"""The first tables: registry with its audit trail, latest states, dead letters, enrolment, identities and the simulated clock."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_row_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the one org a new database holds."""
    _registry()
    _states()
    _refused_and_waiting()
    _identities()
    _append_only()
    op.execute("INSERT INTO org (id, name, join_generation) VALUES ('default', 'Mặc định', 1)")
    op.execute("INSERT INTO serial (name, value) VALUES ('registry', 1), ('changed', 0)")


def _registry() -> None:
    op.create_table(
        "org",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("join_generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org")),
    )
    op.create_table(
        "waterway",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sea", sa.Text(), nullable=False),
        sa.Column("length_km", sa.Double(), nullable=False),
        sa.Column("joins", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waterway")),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("org", sa.String(length=160), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("opens_points", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["org"], ["org.id"], name=op.f("fk_device_org")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    op.create_index(op.f("ix_device_org"), "device", ["org"], unique=False)
    op.create_table(
        "station",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("org", sa.String(length=160), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("waterway", sa.String(length=160), nullable=True),
        sa.Column("km", sa.Double(), nullable=True),
        sa.Column("commune", sa.Text(), nullable=False),
        sa.Column("commune_scheme", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("level_datum", sa.Text(), nullable=False),
        sa.Column("verdict_point", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["org"], ["org.id"], name=op.f("fk_station_org")),
        sa.ForeignKeyConstraint(["waterway"], ["waterway.id"], name=op.f("fk_station_waterway")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station")),
    )
    op.create_index(op.f("ix_station_org"), "station", ["org"], unique=False)
    op.create_table(
        "deployment",
        sa.Column("id", _row_id, nullable=False),
        sa.Column("device", sa.String(length=160), nullable=False),
        sa.Column("channel", sa.String(length=160), nullable=False),
        sa.Column("station", sa.String(length=160), nullable=False),
        sa.Column("point", sa.String(length=160), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("depth_m", sa.Double(), nullable=True),
        sa.Column("interval_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["device.id"], name=op.f("fk_deployment_device")),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_deployment_station")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
        sa.UniqueConstraint("device", "channel", "start", name=op.f("uq_deployment_device_channel_start")),
    )
    op.create_index(op.f("ix_deployment_station"), "deployment", ["station"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", _row_id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "serial",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_serial")),
    )


def _states() -> None:
    op.create_table(
        "series_state",
        sa.Column("org", sa.String(length=160), nullable=False),
        sa.Column("station", sa.String(length=160), nullable=False),
        sa.Column("point", sa.String(length=160), nullable=False),
        sa.Column("sensor", sa.String(length=160), nullable=False),
        sa.Column("quantity", sa.String(length=160), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("newest_time", sa.BigInteger(), nullable=False),
        sa.Column("newest_value", sa.Double(), nullable=True),
        sa.Column("newest_flag", sa.SmallInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("judged_time", sa.BigInteger(), nullable=True),
        sa.Column("judged_value", sa.Double(), nullable=True),
        sa.Column("judged_flag", sa.SmallInteger(), nullable=True),
        sa.Column("good_time", sa.BigInteger(), nullable=True),
        sa.Column("good_value", sa.Double(), nullable=True),
        sa.Column("good_flag", sa.SmallInteger(), nullable=True),
        sa.Column("dirty_from", sa.BigInteger(), nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org", "station", "point", "sensor", "quantity", name=op.f("pk_series_state")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_series_state_changed"), "series_state", ["changed"], unique=False)
    op.create_index(
        "ix_series_state_dirty",
        "series_state",
        ["dirty_from"],
        unique=False,
        sqlite_where=sa.text("dirty_from IS NOT NULL"),
        postgresql_where=sa.text("dirty_from IS NOT NULL"),
    )
    op.create_table(
        "state_cursor",
        sa.Column("journal", sa.String(length=160), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journal", name=op.f("pk_state_cursor")),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )


def _refused_and_waiting() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("id", _row_id, nullable=False),
        sa.Column("reason", sa.String(length=160), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("journal", sa.String(length=160), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("offset_ms", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("counted_to", sa.BigInteger(), nullable=True),
        sa.Column("replay", sa.Boolean(), nullable=False),
        sa.Column("shift_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
        sa.UniqueConstraint("journal", "position", "reason", "key", name=op.f("uq_dead_letter_journal_position_reason_key")),
    )
    op.create_index("ix_dead_letter_device_reason", "dead_letter", ["device", "reason", "resolved_at"], unique=False)
    op.create_index("ix_dead_letter_replay", "dead_letter", ["replay", "journal"], unique=False)
    op.create_table(
        "waiting",
        sa.Column("id", _row_id, nullable=False),
        sa.Column("org", sa.String(length=160), nullable=False),
        sa.Column("device", sa.String(length=160), nullable=False),
        sa.Column("journal", sa.String(length=160), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting")),
        sa.UniqueConstraint("journal", "position", name=op.f("uq_waiting_journal_position")),
    )
    op.create_index("ix_waiting_device", "waiting", ["device", "org"], unique=False)


def _identities() -> None:
    op.create_table(
        "seen",
        sa.Column("id", _row_id, nullable=False),
        sa.Column("device", sa.String(length=160), nullable=False),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seen")),
        sa.UniqueConstraint("device", "boot", "seq", "digest", name=op.f("uq_seen_device_boot_seq_digest")),
    )
    op.create_index("ix_seen_device_id", "seen", ["device", "id"], unique=False)
    op.create_table(
        "boot_span",
        sa.Column("device", sa.String(length=160), nullable=False),
        sa.Column("boot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lowest", sa.BigInteger(), nullable=False),
        sa.Column("highest", sa.BigInteger(), nullable=False),
        sa.Column("holes", sa.JSON(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("fallen_back", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("device", "boot", name=op.f("pk_boot_span")),
    )
    op.create_table(
        "device_status",
        sa.Column("device", sa.String(length=160), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_device_status")),
    )
    op.create_table(
        "sim_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sim_ms", sa.BigInteger(), nullable=False),
        sa.Column("speed", sa.Double(), nullable=False),
        sa.Column("anchor_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_sim_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sim_clock")),
    )


def _append_only() -> None:
    """Nobody changes or deletes a row of the audit trail, whatever program holds the connection."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END")
        return
    op.execute("CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit is append-only'; END $$")
    op.execute("CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()")
