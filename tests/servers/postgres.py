"""Debian's PostgreSQL on a free loopback port in a folder of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from servers.ports import free_port
from sqlalchemy import create_engine, text

from adapters.sql import prepare

_OWNER = "postgres"  # who runs it where we are root, whom it refuses


def _program(name: str) -> str:
    """Where it is; skips the test where it is nowhere, or fails it with REQUIRE_SERVERS=1."""
    # Debian keeps each version's programs in a folder of its own
    places = [str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    if found is None:
        why = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        if os.environ.get("REQUIRE_SERVERS") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return found


class Postgres:
    """A server with a database that is migrated once; each test gets a copy. Nothing of it outlives `close`."""

    def __init__(self) -> None:
        initdb, self._control = _program("initdb"), _program("pg_ctl")
        self._folder = Path(tempfile.mkdtemp(prefix="canhman-postgres-"))
        self._as = ["runuser", "-u", _OWNER, "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self._folder, _OWNER)
        self._data = str(self._folder / "data")
        self._names = itertools.count(1)
        self._run(initdb, "-D", self._data, "-U", "u", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
        port = free_port()
        self._url = f"postgresql+psycopg://u@127.0.0.1:{port}/"
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -F"
        self._run(self._control, "-D", self._data, "-o", options, "-l", str(self._folder / "log"), "-w", "start")
        try:
            self._admin = create_engine(f"{self._url}postgres", isolation_level="AUTOCOMMIT")
            self._say("CREATE DATABASE prepared")
            prepare(f"{self._url}prepared")
        except BaseException:
            self.close()
            raise

    def database(self, *, prepared: bool = True) -> str:
        """The URL of a new one, as the migrations make it, or without a table."""
        name = f"t{next(self._names)}"
        self._say(f"CREATE DATABASE {name} TEMPLATE {'prepared' if prepared else 'template0'} STRATEGY file_copy")
        return self._url + name

    def close(self) -> None:
        """Stop it, and remove its folder."""
        self._admin.dispose()
        self._run(self._control, "-D", self._data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder)

    def _say(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def _run(self, *command: str) -> None:
        # its own output goes nowhere: the server would hold a pipe open
        done = subprocess.run([*self._as, *command], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}"
