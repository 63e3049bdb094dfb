"""The house's layers: the tree is clean, and an import planted across them makes the check fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of our packages with the rules that hold for them."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([tool, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_tree_is_clean() -> None:
    """Imports point one way: canhman → api → alerts → {ingest | analytics | dashboards | firmware_sim} → quality → registry → core."""
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("package", "imported"),
    [
        ("core", "ingest"),
        ("core", "registry"),
        ("registry", "quality"),
        ("quality", "adapters"),
        ("ingest", "adapters"),
        ("ingest", "canhman"),
        ("ingest", "firmware_sim"),
        ("firmware_sim", "ingest"),
        ("analytics", "dashboards"),
        ("alerts", "api"),
        ("api", "adapters"),
        ("adapters", "ingest"),
        ("adapters", "quality"),
        ("adapters", "canhman"),
    ],
)
def test_a_planted_import_fails(tree: Path, package: str, imported: str) -> None:
    """One import against the arrows, even inside a function, breaks the check, which names both ends."""
    (tree / package / "planted.py").write_text(f"def later() -> object:\n    import {imported}\n\n    return {imported}\n")
    result = lint_imports(tree)
    assert result.returncode != 0
    assert "BROKEN" in result.stdout
    assert f"{package}.planted" in result.stdout
    assert imported in result.stdout


def test_the_copied_tree_is_clean(tree: Path) -> None:
    """What fails above fails for the planted import, not for the copy."""
    assert lint_imports(tree).returncode == 0
