"""The database's version: made when empty, refused when other, equal to the tables of the code."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from adapters.sql import SqlDatabase, migrate, open_database, prepare
from adapters.sql.engine import make_engine, parse_url, writing
from adapters.sql.schema import _config, _revisions, head
from adapters.sql.tables import metadata
from core.errors import CanhManError, ConfigError, FormatError, RefusedError, UnavailableError


def set_revision(url: str, revision: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()


def test_migrated_equals_tables(url: str) -> None:
    """The migrations make exactly the tables the code works with."""
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_revisions_are_those_alembic_finds() -> None:
    """The version is read without Alembic, from names of files: the same revisions, and the same last one."""
    scripts = ScriptDirectory.from_config(_config())
    assert [head()] == scripts.get_heads()
    assert _revisions() == {script.revision for script in scripts.walk_revisions()}


def test_prepare_makes_an_empty_database(empty: str) -> None:
    """An empty database is migrated, once; it holds the org `default`; a file uses write-ahead logging."""
    prepare(empty)
    prepare(empty)
    database = open_database(empty)
    snapshot = asyncio.run(database.snapshot())
    database.close()
    assert [(o.id, o.name) for o in snapshot.orgs] == [("default", "Mặc định")]
    assert snapshot.version == 1
    if empty.startswith("sqlite"):
        connection = sqlite3.connect(empty.removeprefix("sqlite:///"))
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_migrate_says_from_and_to(empty: str) -> None:
    """`migrate` returns the revision before and now, and does nothing a second time."""
    assert migrate(empty) == (None, head())
    assert migrate(empty) == (head(), head())


def test_a_database_of_the_first_version_is_brought_up(empty: str) -> None:
    """What stands in it stays; the new columns are empty and the new tables there."""
    engine = make_engine(parse_url(empty))
    with writing(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO station (id, org, name, position, commune, commune_scheme, timezone, level_datum, verdict_point, public, aliases) "
                "VALUES ('kenh-lau', 'default', 'Kênh Lầu', 'unknown', '', '', 'Asia/Ho_Chi_Minh', '', '', TRUE, '[]')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO series_state (org, station, point, sensor, quantity, role, newest_time, newest_flag, received, changed, config) "
                "VALUES ('default', 'kenh-lau', 'main', 'kl01', 'water.ec', 'primary', 5, 1, 6, 7, 'h')"
            )
        )
    engine.dispose()
    with pytest.raises(FormatError, match="run canhman migrate"):
        open_database(empty)
    assert migrate(empty) == ("0001", head())
    database = open_database(empty)
    assert [(s.id, s.intake, s.public) for s in asyncio.run(database.snapshot()).stations] == [("kenh-lau", "", True)]
    assert [(s.changed, s.config, s.interval_ms) for s in asyncio.run(database.states())] == [(7, "h", None)]
    database.close()
    engine = create_engine(empty)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_record_is_made_anew(empty: str) -> None:
    """Sums of before 0005 are gone with the cursors of the record, so that all is scored again; other cursors stay."""
    engine = make_engine(parse_url(empty))
    with writing(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        sums = 'n, missing, events, "right", known, inside, said, squares, squares_known, squares_reference, error'
        names = f"station, point, target, model, lead, line, bin, month, {sums}"
        connection.execute(text(f"INSERT INTO forecast_score ({names}) VALUES ('a', 'main', 'day_max', 'm', 1, 1, 0, 202603{', 1' * 11})"))
        connection.execute(text("INSERT INTO cursor (name, value) VALUES ('record a main', 5), ('mirror', 6)"))
    engine.dispose()
    migrate(empty)
    database = open_database(empty)
    assert asyncio.run(database.scores(stations=["a"], target="day_max")) == []
    assert [asyncio.run(database.load_cursor(name)) for name in ("record a main", "mirror")] == [0, 6]
    database.close()


def test_what_was_issued_outlives_the_wider_key(empty: str) -> None:
    """0006 keeps every issue with its number, and takes in a hindcast of the same instant; the record is made anew."""
    engine = make_engine(parse_url(empty))
    names = "id, org, station, point, target, model, version, issued_at, data_until, inputs, leads, times, quantiles, p_gt"
    values = f"5, 'o', 'a', 'main', 'day_max', 'm', '{{}}', 7, 1, '', '[1]', '[9]', '{json.dumps([[1] * 5])}', '{json.dumps([[0.5] * 4])}'"
    with writing(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.execute(text(f"INSERT INTO forecast_issue ({names}) VALUES ({values.format('1')})".replace(":", r"\:")))
        connection.execute(text("INSERT INTO forecast_point (station, point, target) VALUES ('a', 'main', 'day_max')"))
        connection.execute(text("INSERT INTO cursor (name, value) VALUES ('record a main', 5), ('mirror', 6)"))
        connection.execute(text("UPDATE serial SET value = 5 WHERE name = 'forecast'"))
    engine.dispose()
    migrate(empty)
    database = open_database(empty)
    [kept] = asyncio.run(database.latest_forecasts(target="day_max"))
    assert (kept.id, kept.version, kept.quantiles) == (5, "1", ((1.0,) * 5,))
    assert asyncio.run(database.issue([replace(kept, version="1+hindcast"), kept])) == 1
    assert asyncio.run(database.latest_forecasts(target="day_max")) == [kept]
    assert [asyncio.run(database.load_cursor(name)) for name in ("record a main", "mirror")] == [0, 6]
    database.close()


def test_many_processes_prepare_at_once(empty: str) -> None:
    """Processes that start together on an empty database all find it made, once."""
    program = "import sys; from adapters.sql import *; prepare(sys.argv[1]); open_database(sys.argv[1]).close()"
    command = [sys.executable, "-c", program, empty]
    processes = [subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in processes] == [(b"", 0)] * 3


def test_other_versions_are_refused(url: str) -> None:
    """A newer database is refused with both versions named, by `prepare`, `open_database` and `migrate`."""
    set_revision(url, "9999")
    for refuse in (prepare, open_database, migrate):
        with pytest.raises(FormatError, match=rf"version 9999.*{head()}"):
            refuse(url)


def test_older_is_refused_with_the_way_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older database is left alone and `canhman migrate` is named."""
    now = head()
    monkeypatch.setattr("adapters.sql.schema.head", lambda: "9000")
    for refuse in (prepare, open_database):
        with pytest.raises(FormatError, match=rf"version {now}, expected 9000: run canhman migrate"):
            refuse(url)


def test_unprepared_and_foreign(tmp_path: Path) -> None:
    """An empty file is not opened unprepared, and another program's tables are never touched."""
    with pytest.raises(FormatError, match="run canhman migrate"):
        open_database(f"sqlite:///{tmp_path}/empty.db")
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.close()
    with pytest.raises(FormatError, match="photos"):
        prepare(f"sqlite:///{tmp_path}/other.db")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("nonsense", ConfigError, "cannot be read"),
        ("sqlite://", ConfigError, "names no file"),
        ("sqlite:///:memory:", ConfigError, "names no file"),
        ("mysql://u:geheim@host/db", ConfigError, "supported"),
        ("sqlite:///{tmp}/absent/x.db", ConfigError, "does not exist"),
        ("sqlite:///{tmp}", ConfigError, "is a folder"),
        ("sqlite:///{tmp}/text.db", FormatError, "not a sound SQLite database"),
    ],
)
def test_one_line_errors(tmp_path: Path, given: str, error: type[CanhManError], words: str) -> None:
    """A database that cannot be used is one line that names it, without its password."""
    (tmp_path / "text.db").write_text("Đây là một lá thư, không phải cơ sở dữ liệu. " * 40)
    with pytest.raises(error, match=words) as caught:
        prepare(given.format(tmp=tmp_path))
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.sqlite("a file")
def test_read_only_file(url: str) -> None:
    """A file nobody may write is RefusedError, not a traceback."""
    database = open_database(url)
    with database._engine.connect() as connection:  # root may write any file: its mode would try nothing
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(RefusedError, match="cannot be written"):
        asyncio.run(database.ask_replay([1]))
    database.close()


@pytest.mark.sqlite("one writer at a time")
def test_locked_file(url: str, database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waits too long for another one gets UnavailableError; readers do not wait."""
    monkeypatch.setattr("adapters.sql.engine.BUSY_SECONDS", 0.05)
    other = open_database(url)
    holder = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert asyncio.run(other.version()) == 1
    with pytest.raises(UnavailableError, match="locked"):
        asyncio.run(other.ask_replay([1]))
    holder.execute("ROLLBACK")
    holder.close()
    assert asyncio.run(other.ask_replay([1])) == 0
    other.close()


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("audit", "(at, actor, kind, subject, before, after, why) VALUES (1, 'a', 'org', 'x', '', '', '')"),
        ("alert_event", "(alert, at, kind, actor) SELECT id, 1, 'opened', '' FROM alert"),
        (
            "forecast_issue",
            "(id, org, station, point, target, model, version, issued_at, data_until, inputs, leads, times, quantiles, p_gt) "
            "VALUES (1, 'o', 's', 'p', 'hour', 'm', '', 1, 1, '', '[]', '[]', '[]', '[]')",
        ),
    ],
)
def test_append_only(url: str, table: str, values: str) -> None:
    """Whoever holds a connection: the audit trail, the forecasts as issued and the history of alerts only grow."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO alert (org, station, point, kind, line_key, level, state, opened_at, updated_at, unit, model, acknowledged_by, config, memory) "
            "VALUES ('o', 's', 'p', 'silent', '', 0, 'open', 1, 1, '', '', '', '', '{}')"
        )
        connection.exec_driver_sql(f"INSERT INTO {table} {values}")
    for statement in (f"UPDATE {table} SET id = 2", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match=f"{table} is append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
