"""Ingest at start: whatever of ours cannot be used is one line that names it, and nothing of a stranger's file is touched."""

from __future__ import annotations

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from servers.front import Front
from servers.ports import free_port

pytestmark = pytest.mark.sockets


def refusal(front: Front, **settings: str) -> str:
    """The one line of an ingest that may not start."""
    return front("ingest", "--wait", "0", **({"BROKER": f"embedded://127.0.0.1:{free_port()}"} | settings)).line


def test_settings(front: Front) -> None:
    """The variable, the value, the way out."""
    assert "did you mean CANHMAN_STORE?" in refusal(front, STROE="sqlite:///x.db")
    assert "CANHMAN_ENROL='opne'" in refusal(front, ENROL="opne")
    assert "CANHMAN_SECRET is too short" in refusal(front, SECRET="abc")
    assert "canhman simulate" in refusal(front, CLOCK="sim")
    assert "CANHMAN_TLS_CERT" in refusal(front, BROKER=f"embeddeds://127.0.0.1:{free_port()}")
    assert "nowhere.pem" in refusal(front, BROKER=f"embeddeds://127.0.0.1:{free_port()}", TLS_CERT="nowhere.pem", TLS_KEY="nowhere.pem")
    assert "cannot listen on 192.0.2.1" in refusal(front, BROKER="embedded://192.0.2.1:18830")
    assert "nowhere.pem" in refusal(front, BROKER=f"mqtts://127.0.0.1:{free_port()}", BROKER_CA="nowhere.pem")


def test_configuration(front: Front, tmp_path: Path) -> None:
    """An unknown key, broken text, no folder."""
    (tmp_path / "qc.toml").write_text('[range."water.ec"]\nfail_hihg = 3\n')
    assert "fail_hihg" in refusal(front, CONFIG=str(tmp_path))
    (tmp_path / "qc.toml").write_text("[range")
    assert "qc.toml" in refusal(front, CONFIG=str(tmp_path))
    assert "is not a folder" in refusal(front, CONFIG=str(tmp_path / "nowhere"))


def test_files_that_are_something_else(front: Front, tmp_path: Path) -> None:
    """Data folder, database and store: a file in the way, no database, a folder, somebody else's tables."""
    file = tmp_path / "file"
    file.write_text("I am no database, and I am long enough to be taken for one." * 20)
    assert "CANHMAN_DATA" in refusal(front, DATA=str(file))
    assert "not a sound SQLite database" in refusal(front, DATABASE=f"sqlite:///{file}")
    assert "CANHMAN_DATABASE" in refusal(front, DATABASE=f"sqlite:///{tmp_path}")
    assert "does not exist" in refusal(front, DATABASE=f"sqlite:///{tmp_path}/no/registry.db")
    text = refusal(front, DATABASE="mysql://root:hunter2@h/x")
    assert "CANHMAN_DATABASE" in text
    assert "hunter2" not in text
    assert str(file) in refusal(front, STORE=f"sqlite:///{file}")
    assert str(file) in refusal(front, STORE=f"sqlite:///{file}/below/series.db")
    assert str(tmp_path) in refusal(front, STORE=f"sqlite:///{tmp_path}")
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as db, db:
        db.execute("CREATE TABLE photos(id INTEGER)")
    assert "tables of something else (photos)" in refusal(front, DATABASE=f"sqlite:///{foreign}")
    assert "foreign.db" in refusal(front, STORE=f"sqlite:///{foreign}")
    with closing(sqlite3.connect(foreign)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)  # nothing of ours was put into it


def test_a_port_that_is_taken(front: Front) -> None:
    """Another program listens there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}: another program has that port" in refusal(front, BROKER=f"embedded://127.0.0.1:{port}")


def test_servers_that_are_away(front: Front) -> None:
    """Each by its address."""
    port = free_port()
    assert f"127.0.0.1:{port}" in refusal(front, BROKER=f"mqtt://canhman-ingest@127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in refusal(front, STORE=f"influxdb://127.0.0.1:{port}/canhman")


def test_a_journal_of_another_version(front: Front) -> None:
    """Its id is not ours to guess."""
    front.ok("migrate")
    (front.data / "journal").mkdir()
    (front.data / "journal" / "journal.id").write_text("not an id")
    assert "journal.id" in refusal(front)
