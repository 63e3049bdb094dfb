"""The command line on an installation of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers.front import Front


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Front:
    """The command line on an empty CANHMAN_DATA, with no other setting of ours about."""
    for name in [n for n in os.environ if n.startswith("CANHMAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CANHMAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_COLOR", "1")
    return Front(data=tmp_path / "data", monkeypatch=monkeypatch, capfd=capfd)
