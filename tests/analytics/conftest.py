"""`world`: a small installation for issuing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.forecast_world import FIVE, Hands, World

from adapters.memory_store import MemoryStore
from adapters.sql.database import open_database
from adapters.sql.schema import prepare
from analytics.issuing import Issuer
from analytics.models.persistence import MODEL


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """It is 05:00 in Vietnam; nothing is registered."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    prepare(url)
    db = open_database(url)
    store, clock = MemoryStore(), Hands(FIVE)
    yield World(db=db, store=store, clock=clock, issuer=Issuer(database=db, store=store, clock=clock, models=(MODEL,)))
    db.close()
