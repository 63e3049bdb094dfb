"""A database migrated once, copied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.alert_world import World

from adapters.sql import prepare


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with its tables and nothing in it."""
    path = tmp_path_factory.mktemp("prepared") / "registry.db"
    prepare(f"sqlite:///{path}")
    return path


@pytest.fixture
def world(prepared: Path, tmp_path: Path) -> Iterator[World]:
    """One point, every 15 min."""
    world = World.of(prepared, tmp_path)
    yield world
    world.db.close()
