"""A database of its own for every test, copied from one that was migrated once; for some modules on PostgreSQL too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.postgres import Postgres

from adapters.sql import SqlDatabase, open_database, prepare

ON_POSTGRESQL = ("test_registry", "test_shared", "test_cursors", "test_turns")
BY_OUR_CLOCK = ("test_who_dies_keeps_the_turn_for_a_minute_at_most", "test_flags_that_took_longer_than_their_turn_do_not_count")  # PostgreSQL goes by its own


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`url` is SQLite's; in the modules above PostgreSQL's as well, where that is at hand."""
    if "url" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_POSTGRESQL and metafunc.function.__name__ not in BY_OUR_CLOCK:
        metafunc.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)], indirect=True)


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
    if getattr(request, "param", "sqlite") == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.database()
    shutil.copy(prepared, tmp_path / "registry.db")
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def database(url: str, clock: StandingClock) -> Iterator[SqlDatabase]:
    database = open_database(url, clock=clock)
    yield database
    database.close()
