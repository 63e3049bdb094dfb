"""One app for the tests of the pages: stations in every state there is (see `servers.browser`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.backend import Rig
from servers.browser import pages_backend


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Rig]:
    """The app, and a browser without sockets."""
    made = Rig(pages_backend(tmp_path))
    yield made
    made.close()
