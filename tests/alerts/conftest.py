"""A database migrated once, copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.alert_world import Rig, World

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


@pytest.fixture
def make_rig(prepared: Path, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Rigs over one database."""
    made: list[Rig] = []

    def make(**given: Any) -> Rig:
        shutil.copy(prepared, tmp_path / "registry.db")
        made.append(Rig(tmp_path / "registry.db", **given))
        return made[-1]

    yield make
    for rig in made:
        rig.db.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """One station."""
    return make_rig()
