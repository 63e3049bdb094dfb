"""deploy/backup.py: the order of the parts, what it refuses, and how many it keeps. A whole backup and restore: tests/e2e/test_install_doc.py."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from servers.ports import free_port

ROOT = Path(__file__).parents[1]


def installation(folder: Path) -> dict[str, str]:
    """A folder with every kind of file, its databases open in WAL mode as services leave them."""
    data = folder / "data"
    (data / "journal").mkdir(parents=True)
    for name, text in (("secret", "s" * 20), ("broker-password", "p"), ("ingest.heartbeat.json", "{}"), ("judge.lock", "")):
        (data / name).write_text(text)
    for name, text in (("00000000000000000000.cmj", "records"), ("00000000000000000064.cmj.new", "draft"), ("lock", ""), ("influx.cursor", "far")):
        (data / "journal" / name).write_text(text)
    for name in ("day_max/1.20260302-abc", "day_max/.1.20260303-abc.7.new"):
        (data / "models" / name).mkdir(parents=True)
        (data / "models" / name / "model.canhman").write_text("numbers")
    (data / "models/day_max/speaking.json").write_text("{}")
    for name in ("registry.db", "series.db"):
        with closing(sqlite3.connect(data / name)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE t (a)")
            db.commit()
    return {"CANHMAN_DATA": str(data)}


def backup(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_")}
    env = {**clean, **settings, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, ROOT / "deploy" / "backup.py", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False)


def only(folder: Path) -> Path:
    [found] = folder.iterdir()
    return found


def test_what_is_copied_and_what_is_not(tmp_path: Path) -> None:
    """Databases with what is still in their -wal, segments, secrets; no lock, draft, heartbeat or live file."""
    settings = installation(tmp_path)
    with closing(sqlite3.connect(tmp_path / "data" / "registry.db")) as db:  # stays open: its row is in the -wal
        db.execute("INSERT INTO t VALUES (7)")
        db.commit()
        done = backup(settings, str(tmp_path / "b"))
    assert done.returncode == 0, done.stderr
    made = only(tmp_path / "b")
    files = {str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()}
    names = ["secret", "broker-password", "registry.db", "series.db", "journal/00000000000000000000.cmj", "journal/influx.cursor"]
    names += ["models/day_max/speaking.json", "models/day_max/1.20260302-abc/model.canhman"]
    assert files == {f"data/{name}" for name in names}
    with closing(sqlite3.connect(made / "data" / "registry.db")) as copy:
        assert copy.execute("SELECT a FROM t").fetchall() == [(7,)]


def test_cursor_and_database_before_the_store_and_the_journal_last(tmp_path: Path) -> None:
    """A restored installation reads on from its cursors: the journal must reach further than they, and the store at least as far."""
    settings = installation(tmp_path) | {"CANHMAN_STORE": "influxdb://127.0.0.1:8086/canhman"}
    look = tmp_path / "look"
    look.write_text('#!/bin/sh\nmkdir "$1" && cd "$1/.." && : >influxdb/then && find . -type f | sort >influxdb/then\n')
    look.chmod(0o755)
    assert backup(settings, str(tmp_path / "b"), str(look)).returncode == 0
    then = (only(tmp_path / "b") / "influxdb" / "then").read_text().split()
    assert then == ["./data/journal/influx.cursor", "./data/registry.db", "./influxdb/then"]


@pytest.mark.parametrize(
    ("setting", "words", "says"),
    [
        ({"CANHMAN_STORE": "influxdb://127.0.0.1:8086/canhman"}, [], "name its backup command"),
        ({"CANHMAN_STORE": "influxdb://127.0.0.1:8086/canhman"}, ["false"], "false ended with 1"),
        ({"CANHMAN_STORE": "influxdb://127.0.0.1:8086/canhman"}, ["/no/such"], "/no/such"),
        ({"CANHMAN_DATABASE": "postgresql+psycopg://u@h/d"}, [], "pg_dump"),
        ({"CANHMAN_DATA": "/no/such/folder"}, [], "/no/such/folder): no installation is there"),
        ({"CANHMAN_DATTA": "x"}, [], "did you mean CANHMAN_DATA?"),
    ],
)
def test_what_cannot_be_backed_up_is_one_line_and_leaves_nothing(tmp_path: Path, setting: dict[str, str], words: list[str], says: str) -> None:
    """A half backup would be taken for a whole one."""
    done = backup(installation(tmp_path) | setting, str(tmp_path / "b"), *words)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert says in done.stderr
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.sockets
@pytest.mark.parametrize("words", ["{folder}/influxd backup -portable -host 127.0.0.1:{port}", "{folder}/influx backup --host=http://127.0.0.1:{port}"])
def test_a_wrong_port_is_said_at_once(tmp_path: Path, words: str) -> None:
    """Before anything is copied and without calling the program, which would try for minutes; address and setting are named."""
    settings = installation(tmp_path) | {"CANHMAN_STORE": "influxdb://127.0.0.1:8086/canhman"}
    for name in ("influxd", "influx"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho called >"{tmp_path}/called"\nexit 1\n')
        (tmp_path / name).chmod(0o755)
    port = free_port()
    command = words.format(folder=tmp_path, port=port).split()
    done = backup(settings, str(tmp_path / "b"), *command)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"InfluxDB does not answer at 127.0.0.1:{port} (Connection refused)" in done.stderr
    assert "BACKUP_STORE" in done.stderr
    assert not (tmp_path / "called").exists()
    with socket.create_server(("127.0.0.1", port)):
        assert f"{command[0]} backup" in backup(settings, str(tmp_path / "b"), *command).stderr, "it is called where somebody listens"
    assert (tmp_path / "called").exists()


def test_what_the_program_said_is_told_in_whole_lines(tmp_path: Path) -> None:
    """However much it said: the last lines, none of them from its middle on."""
    settings = installation(tmp_path) | {"CANHMAN_STORE": "influxdb://127.0.0.1:8086/canhman"}
    (tmp_path / "talks").write_text('#!/bin/sh\nfor i in $(seq 100); do echo "line $i of what went wrong" >&2; done\nexit 3\n')
    (tmp_path / "talks").chmod(0o755)
    done = backup(settings, str(tmp_path / "b"), str(tmp_path / "talks"))
    said = done.stderr.partition("ended with 3: ")[2].strip().split("; ")
    assert said[-1] == "line 100 of what went wrong"
    assert all(re.fullmatch(r"line \d+ of what went wrong", line) for line in said)
    assert len(said) > 10


def test_a_damaged_database_is_no_backup(tmp_path: Path) -> None:
    """What SQLite cannot read whole is said, not copied."""
    settings = installation(tmp_path)
    with closing(sqlite3.connect(tmp_path / "data" / "series.db")) as db:
        db.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "data" / "series.db").open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(40_000))
    done = backup(settings, str(tmp_path / "b"))
    assert done.returncode == 1
    assert "series.db" in done.stderr


def test_the_newest_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    """--keep 2: the two newest stay, and so does what is no backup."""
    folder = tmp_path / "b"
    for name in ("2026-01-01T000000Z", "2026-01-02T000000Z", "etc", "2026-01-03T000000Z.part"):
        (folder / name).mkdir(parents=True)
    assert backup(installation(tmp_path), "--keep", "2", str(folder)).returncode == 0
    left = sorted(p.name for p in folder.iterdir())
    assert left[:2] == ["2026-01-02T000000Z", "2026-01-03T000000Z.part"]
    assert "etc" in left
    assert len(left) == 4
