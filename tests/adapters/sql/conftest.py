"""A database of its own for every test, copied from one that was migrated once: on SQLite, and on PostgreSQL but where a test says why not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.postgres import Postgres

from adapters.sql import SqlDatabase, open_database, prepare


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`url` (migrated) and `empty` are SQLite's, and PostgreSQL's as well but for tests marked `sqlite`."""
    kinds = ["sqlite"] if metafunc.definition.get_closest_marker("sqlite") else ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)]
    for name in ("url", "empty"):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, kinds, indirect=True)


class StandingClock:
    """A clock that says what the test set."""

    def __init__(self) -> None:
        self.ms = 1_772_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def real_seconds(self, sim_seconds: float) -> float:
        return sim_seconds


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prepared") / "registry.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def url(request: pytest.FixtureRequest, prepared: Path, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.database()
    shutil.copy(prepared, tmp_path / "registry.db")
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.database(prepared=False)
    return f"sqlite:///{tmp_path}/new.db"


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def database(url: str, clock: StandingClock) -> Iterator[SqlDatabase]:
    database = open_database(url, clock=clock)
    yield database
    database.close()
