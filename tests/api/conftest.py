"""One app on a backend of its own, made anew for each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.backend import Rig, make_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """The app with stations, readings, forecasts, alerts and people (see `servers.backend`)."""
    made = make_rig(tmp_path)
    yield made
    made.close()
