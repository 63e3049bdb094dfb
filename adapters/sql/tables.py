"""The tables. What changes here needs a migration in `migrations/versions/`; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# only a column declared INTEGER numbers its rows by itself on SQLite, and there it holds 64 bits anyway
RowId = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _id(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, String(160), primary_key=key, nullable=False)


def _int(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


# ---------------------------------------------------------------- registry

org = Table("org", metadata, _id("id", key=True), _text("name"), Column("join_generation", Integer, nullable=False))

device = Table(
    "device",
    metadata,
    _id("id", key=True),
    Column("org", String(160), ForeignKey("org.id"), nullable=False, index=True),
    _text("model"),
    _text("credential"),
    Column("opens_points", Boolean, nullable=False),
)

waterway = Table(
    "waterway",
    metadata,
    _id("id", key=True),
    _text("name"),
    _text("sea"),
    Column("length_km", Double, nullable=False),
    Column("joins", JSON, nullable=False),
)

station = Table(
    "station",
    metadata,
    _id("id", key=True),
    Column("org", String(160), ForeignKey("org.id"), nullable=False, index=True),
    _text("name"),
    Column("lat", Double),
    Column("lon", Double),
    _text("position"),
    Column("waterway", String(160), ForeignKey("waterway.id")),  # null where the station names none
    Column("km", Double),
    _text("commune"),
    _text("commune_scheme"),
    _text("timezone"),
    _text("level_datum"),
    _text("verdict_point"),
    Column("intake", String(160)),  # null where it takes its own water; the registry checks that it is a station
    Column("public", Boolean, nullable=False),
    Column("aliases", JSON, nullable=False),
)

deployment = Table(
    "deployment",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("device", String(160), ForeignKey("device.id"), nullable=False),
    _id("channel"),
    Column("station", String(160), ForeignKey("station.id"), nullable=False, index=True),
    _id("point"),
    _int("start"),
    _int("end"),
    _text("role"),
    Column("depth_m", Double),
    Column("interval_s", Double),
    UniqueConstraint("device", "channel", "start"),
)

# append-only: triggers of the migrations refuse UPDATE and DELETE
audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    _int("at"),
    _text("actor"),
    _text("kind"),
    _text("subject"),
    _text("before"),
    _text("after"),
    _text("why"),
)

# rows `registry` (version of the registry), `changed` (last number given to a row of series_state), `forecast` (last id of forecast_issue)
serial = Table("serial", metadata, _id("name", key=True), _int("value"))

# ---------------------------------------------------------------- latest states

series_state = Table(
    "series_state",
    metadata,
    *(_id(name, key=True) for name in ("org", "station", "point", "sensor", "quantity")),
    _text("role"),
    _int("newest_time"),
    Column("newest_value", Double),  # null stands for NaN, which SQLite does not know
    Column("newest_flag", SmallInteger, nullable=False),
    _int("received"),
    Column("judged_time", BigInteger),
    Column("judged_value", Double),
    Column("judged_flag", SmallInteger),
    Column("good_time", BigInteger),
    Column("good_value", Double),
    Column("good_flag", SmallInteger),
    Column("dirty_from", BigInteger),
    Column("changed", BigInteger, nullable=False, index=True),
    _text("config"),
    Column("interval_ms", BigInteger),
    sqlite_with_rowid=False,
)
Index(
    "ix_series_state_dirty",
    series_state.c.dirty_from,
    sqlite_where=series_state.c.dirty_from.is_not(None),
    postgresql_where=series_state.c.dirty_from.is_not(None),
)

state_cursor = Table("state_cursor", metadata, _id("journal", key=True), _int("position"))

counter = Table("counter", metadata, Column("name", Text, primary_key=True), _int("value"))

# ---------------------------------------------------------------- dead letters and what waits

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", RowId, primary_key=True),
    _id("reason"),
    _text("text"),
    _id("journal"),
    _int("position"),
    _text("topic"),
    _text("org"),
    _text("device"),
    _text("key"),
    _int("received"),
    Column("head", LargeBinary, nullable=False),
    Column("offset_ms", BigInteger),
    _int("count"),
    # up to which position the letters without a row of their own are in `count`; null where all have one
    Column("counted_to", BigInteger),
    Column("replay", Boolean, nullable=False),
    _int("shift_ms"),
    Column("resolved_at", BigInteger),
    UniqueConstraint("journal", "position", "reason", "key"),
    Index("ix_dead_letter_device_reason", "device", "reason", "resolved_at"),
    Index("ix_dead_letter_replay", "replay", "journal"),
)

waiting = Table(
    "waiting",
    metadata,
    Column("id", RowId, primary_key=True),
    _id("org"),
    _id("device"),
    _id("journal"),
    _int("position"),
    _int("received"),
    _int("size"),
    Column("head", LargeBinary, nullable=False),
    UniqueConstraint("journal", "position"),
    Index("ix_waiting_device", "device", "org"),
)

# ---------------------------------------------------------------- identities

seen = Table(
    "seen",
    metadata,
    Column("id", RowId, primary_key=True),
    _id("device"),
    _int("boot"),
    _int("seq"),
    _int("time"),
    _int("received"),
    _int("position"),
    Column("digest", LargeBinary, nullable=False),
    Column("journal", String(160), nullable=False, server_default=text("''")),
    # the digest too: of two objects with one number both are kept, and each keeps its own time
    UniqueConstraint("device", "boot", "seq", "digest"),
    Index("ix_seen_device_id", "device", "id"),
    Index("ix_seen_device_time", "device", "time"),
)

boot_span = Table(
    "boot_span",
    metadata,
    _id("device", key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    _int("lowest"),
    _int("highest"),
    Column("holes", JSON, nullable=False),
    _int("last_time"),
    Column("fallen_back", JSON, nullable=False),
)

device_clock = Table(
    "device_clock",
    metadata,
    _id("device", key=True),
    _text("verdict"),
    Column("offset_ms", BigInteger),
    Column("spread_ms", BigInteger),
    Column("drift_ms", Double),
    _int("at"),
    Column("reset_at", BigInteger),
    Column("reset_to", BigInteger),
    Column("memory", JSON, nullable=False),
)

device_status = Table("device_status", metadata, _id("device", key=True), _text("status"), _int("at"))

sim_clock = Table(
    "sim_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _int("sim_ms"),
    Column("speed", Double, nullable=False),
    _int("anchor_ms"),
    CheckConstraint("id = 1", name="one_row"),
)

# ---------------------------------------------------------------- forecasts

# append-only, as `audit`; ids from `serial`, so that they become visible in their order
forecast_issue = Table(
    "forecast_issue",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    _id("org"),
    _id("station"),
    _id("point"),
    _id("target"),
    _id("model"),
    _text("version"),
    _int("issued_at"),
    _int("data_until"),
    _text("inputs"),
    Column("leads", JSON, nullable=False),
    Column("times", JSON, nullable=False),
    Column("quantiles", JSON, nullable=False),
    Column("p_gt", JSON, nullable=False),
    Column("reasons", JSON),  # null in issues of before 0004, as `missing`
    Column("missing", JSON),
    UniqueConstraint("station", "point", "target", "model", "version", "issued_at"),
    Index("ix_forecast_issue_latest", "target", "station", "point", "issued_at"),
)

# what was ever forecast, so that the latest of each is one seek and not a pass over all issues
forecast_point = Table("forecast_point", metadata, _id("target", key=True), _id("station", key=True), _id("point", key=True))

# sums of scores; see `core.record.Score`
forecast_score = Table(
    "forecast_score",
    metadata,
    *(_id(name, key=True) for name in ("station", "point", "target", "model")),
    Column("lead", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("line", Double, primary_key=True, nullable=False),
    Column("bin", SmallInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("month", Integer, primary_key=True, nullable=False, autoincrement=False),
    *(_int(name) for name in ("n", "missing", "events", "right", "known", "compared", "inside", "within")),
    *(
        Column(name, Double, nullable=False)
        for name in ("said", "squares", "squares_known", "squares_reference", "squares_compared", "squares_persistence", "error")
    ),
    sqlite_with_rowid=False,
)

# see `core.record.Day`
forecast_day = Table(
    "forecast_day",
    metadata,
    *(_id(name, key=True) for name in ("station", "point", "target")),
    Column("time", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    _id("model"),
    Column("said", JSON, nullable=False),
    Column("came", Double),
    sqlite_with_rowid=False,
)

# ---------------------------------------------------------------- alerts

alert = Table(
    "alert",
    metadata,
    Column("id", RowId, primary_key=True),
    _id("org"),
    _id("station"),
    _id("point"),
    _id("kind"),
    Column("line", Double),
    # `line` as text, empty for none: in a unique index two nulls would be two keys
    _id("line_key"),
    Column("level", SmallInteger, nullable=False),
    _id("state"),
    _int("opened_at"),
    _int("updated_at"),
    Column("cleared_at", BigInteger),
    Column("value", Double),
    _text("unit"),
    Column("time", BigInteger),
    Column("p", Double),
    _text("model"),
    _text("acknowledged_by"),
    Column("acknowledged_at", BigInteger),
    _text("config"),
    Column("memory", JSON, nullable=False),
    Index("ix_alert_opened_at", "opened_at", "id"),
    Index("ix_alert_station", "station", "opened_at"),
    Index("ix_alert_cleared_at", "cleared_at"),
)
Index(
    "uq_alert_live",
    *(alert.c[name] for name in ("station", "point", "kind", "line_key")),
    unique=True,
    sqlite_where=alert.c.state != "cleared",
    postgresql_where=alert.c.state != "cleared",
)

# append-only, as `audit`
alert_event = Table(
    "alert_event",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("alert", BigInteger, ForeignKey("alert.id"), nullable=False, index=True),
    _int("at"),
    _text("kind"),
    Column("value", Double),
    Column("time", BigInteger),
    Column("p", Double),
    _text("actor"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True),
    _text("key"),
    _text("channel"),
    _text("recipient"),
    Column("alert", BigInteger, ForeignKey("alert.id"), nullable=False),
    _int("event"),  # 0 where the step had none
    _int("due_at"),
    Column("attempts", Integer, nullable=False),
    _id("state"),
    _text("receipt"),
    UniqueConstraint("key"),
    Index("ix_outbox_state", "state", "due_at"),
)

cursor = Table("cursor", metadata, _id("name", key=True), _int("value"))

lease = Table("lease", metadata, _id("name", key=True), _text("holder"), _int("expires_at"))

# ---------------------------------------------------------------- people

person = Table(
    "person",
    metadata,
    _id("name", key=True),
    Column("org", String(160), ForeignKey("org.id"), nullable=False),
    _text("role"),
    _text("password"),
    Column("spent", Boolean, nullable=False),  # its one-time password was used
    Column("must_change", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    _int("generation"),
    _int("created_at"),
    Column("last_login_at", BigInteger),
)

login_failure = Table(
    "login_failure",
    metadata,
    Column("id", RowId, primary_key=True),
    _id("key"),
    _int("at"),
    Index("ix_login_failure_key", "key", "at"),
)

# ---------------------------------------------------------------- the past, decoded again

redecode_run = Table(
    "redecode_run",
    metadata,
    Column("id", RowId, primary_key=True),
    _int("at"),
    _text("actor"),
    _text("reason"),
    _text("device"),
    _text("org"),
    _int("since"),
    _int("until"),
    Column("state", String(20), nullable=False),
    Column("finished_at", BigInteger),
    Column("counts", JSON, nullable=False),
)

redecode_series = Table(
    "redecode_series",
    metadata,
    Column("run", BigInteger, ForeignKey("redecode_run.id"), primary_key=True),
    *(_id(name, key=True) for name in ("org", "station", "point", "sensor", "quantity")),
    _int("since"),
    _int("until"),
    *(_int(name) for name in ("new", "value", "withdrawn", "restored")),
)

redecode_change = Table(
    "redecode_change",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("run", BigInteger, ForeignKey("redecode_run.id"), nullable=False, index=True),
    *(_id(name) for name in ("org", "station", "point", "sensor", "quantity")),
    _int("time"),
    Column("kind", String(20), nullable=False),
    Column("old", Double),
    Column("new", Double),
)
