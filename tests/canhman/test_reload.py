"""SIGHUP reads the configuration of quality control again; a broken file keeps the old one."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from importlib.resources import files
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import config
from canhman import alerting, serving
from canhman.reloading import Reloaded
from canhman.services import qc
from canhman.settings import read_settings
from canhman.signals import Signals
from core.errors import ConfigError
from quality.rules import QcConfig


def hang_up(reloaded: Reloaded[QcConfig]) -> list[QcConfig]:
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
    reloaded = qc(read_settings())
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
        qc(read_settings())


def test_a_folder_that_went_away_keeps_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quality control, the verdict's numbers and the alerts' all stay; each says so in one line that names its file."""
    own = tmp_path / "config"
    own.mkdir()
    for name in ("qc.toml", "risk.toml", "alerts.toml"):
        (own / name).write_text((files(config) / name).read_text("utf-8") + "\n# ours\n")
    monkeypatch.setenv("CANHMAN_CONFIG", str(own))
    settings = read_settings()
    quality, alarms, risk = qc(settings), alerting.numbers(settings), serving.numbers(settings)
    before = (quality.current, alarms.current, risk.current)
    shutil.rmtree(own)
    with capture_logs() as lines:
        assert hang_up(quality) == []
        alarms.again()
        risk.again()
    assert (quality.current, alarms.current, risk.current) == before
    assert [line["log_level"] for line in lines] == ["error"] * 3
    for line, name in zip(lines, ("qc.toml", "alerts.toml", "risk.toml"), strict=True):
        assert line["why"].startswith(name)
        assert str(own) in line["why"]
