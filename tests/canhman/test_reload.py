"""SIGHUP reads the configuration of quality control again; a broken file keeps the old one."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from canhman.services import Reloaded
from canhman.settings import read_settings
from canhman.signals import Signals
from core.errors import ConfigError
from quality.rules import QcConfig


def hang_up(reloaded: Reloaded) -> list[QcConfig]:
    """One SIGHUP to ourselves; what the listener was told."""
    told: list[QcConfig] = []

    async def once() -> None:
        signals = Signals()
        signals.listen()
        reloaded.on_hangup(signals, told.append)
        os.kill(os.getpid(), signal.SIGHUP)
        for _ in range(50):  # the loop hears of it through a pipe, in one of its next rounds
            await asyncio.sleep(0)

    asyncio.run(once())
    return told


def test_sighup_reads_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new parameters hold, under a new hash, and whoever judges is told; a broken file changes nothing and tells nobody."""
    monkeypatch.setenv("CANHMAN_CONFIG", str(tmp_path))
    file = tmp_path / "qc.toml"
    file.write_text('[stuck."water.ec"]\nresolution = 0.01\n')
    reloaded = Reloaded(read_settings())
    first = reloaded.current
    file.write_text('[stuck."water.ec"]\nresolution = 0.5\n')
    assert hang_up(reloaded) == [reloaded.current]
    assert reloaded.current.general[("stuck", "water.ec")] == {"resolution": 0.5}
    assert reloaded.current.hash != first.hash
    kept = reloaded.current
    file.write_text('[stuck."water.ec"]\nresolution = \n')
    assert hang_up(reloaded) == []
    assert reloaded.current is kept


def test_a_broken_file_at_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At start there is no old one to keep."""
    monkeypatch.setenv("CANHMAN_CONFIG", str(tmp_path))
    (tmp_path / "qc.toml").write_text('[rnage."water.ec"]\n')
    with pytest.raises(ConfigError, match="rnage"):
        Reloaded(read_settings())
