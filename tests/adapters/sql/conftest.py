"""A database of its own for every test, copied from one that was migrated once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sql import SqlDatabase, open_database, prepare


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


@pytest.fixture
def url(prepared: Path, tmp_path: Path) -> str:
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
