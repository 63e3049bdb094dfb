"""What is shipped and what it stands on: our plain top-level names clash with nobody's, imports do nothing, licences fit."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
LOCKED = {p["name"]: p for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}

NAMES = {*PACKAGES, "tests", "bench", "deploy", "docs"}
KNOWN_CLASHES = {("gmqtt", "tests")}  # only in the test group; nothing imports `tests`


def closure(names: set[str]) -> list[importlib.metadata.Distribution]:
    """The installed distributions of these locked packages and of all they need; what this platform lacks is left out."""
    seen: set[str] = set()
    queue = sorted(names)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += [d["name"] for d in LOCKED[name].get("dependencies", [])]
    found = []
    for name in sorted(seen):
        try:
            found.append(importlib.metadata.distribution(name))
        except importlib.metadata.PackageNotFoundError:
            assert any("marker" in d for p in LOCKED.values() for d in p.get("dependencies", []) if d["name"] == name), f"{name} is locked and not installed"
    return found


RUNTIME = closure({d["name"] for d in (*LOCKED["canhman"]["dependencies"], *chain(*LOCKED["canhman"]["optional-dependencies"].values()))})
TESTING = closure({d["name"] for d in LOCKED["canhman"]["dev-dependencies"]["test"]})


def top_level_names(distribution: importlib.metadata.Distribution) -> set[str]:
    return {file.parts[0].removesuffix(".py") for file in distribution.files or () if file.suffix in {".py", ".so"} and file.parts[0] != ".."}


@pytest.mark.parametrize("distribution", RUNTIME, ids=lambda d: d.name)
def test_no_runtime_dependency_has_one_of_our_names(distribution: importlib.metadata.Distribution) -> None:
    """Plain top-level packages are sound only while nobody else installs `core`, `config`, `tests` …"""
    assert top_level_names(distribution), "its files are not listed"
    assert top_level_names(distribution) & NAMES == set()


def test_the_known_clash_of_the_test_group_is_the_only_one() -> None:
    """gmqtt installs `tests`; a second one would have to be looked at."""
    assert {(d.name, name) for d in TESTING for name in top_level_names(d) & NAMES} <= KNOWN_CLASHES


def test_one_urllib3() -> None:
    """One distribution installs the module; grafana-client's niquests would put another in its place."""
    assert not {"grafana-client", "niquests", "urllib3-future"} & set(LOCKED)
    assert {d.name for d in (*RUNTIME, *TESTING) if "urllib3" in top_level_names(d)} == {"urllib3"}


@pytest.mark.parametrize("distribution", RUNTIME, ids=lambda d: d.name)
def test_no_gpl_at_run_time(distribution: importlib.metadata.Distribution) -> None:
    """Every runtime dependency states a licence, and none is the GPL (the LGPL, used unchanged, may be)."""
    metadata = distribution.metadata
    stated = [metadata.get("License-Expression") or "", (metadata.get("License") or "").strip().split("\n")[0]]
    stated += [c for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    words = " ".join(stated).replace("Lesser General Public License", "LGPL").replace("LGPL", "L-G-P-L")
    assert words.strip(), "no licence stated"
    assert "GPL" not in words
    assert "General Public License" not in words


def test_the_wheel_holds_every_package() -> None:
    """The list in pyproject.toml is what there is: a package left out would be missing from the container only."""
    there = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert there == set(PACKAGES)
    assert not (ROOT / "tests" / "__init__.py").exists(), "an `import tests` would find it, or gmqtt's"
    assert set(PROJECT["tool"]["mypy"]["packages"]) == set(PACKAGES)
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == set(PACKAGES) - {"config"}


def modules() -> list[str]:
    """Every module but the two that are scripts: run by `python -m`, and by Alembic."""
    files = [f for package in PACKAGES for f in sorted((ROOT / package).rglob("*.py")) if f.name not in {"__main__.py", "env.py"}]
    return [".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for f in files]


IMPORT_ALL = """
import importlib, os, sys
root = sys.argv[1] + os.sep
ours = lambda path: path.startswith(root) and os.sep + ".venv" + os.sep not in path
io = {"open", "socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename", "_thread.start_new_thread"}
caught = []

def directly_ours():
    # the nearest frame of ours, unless an import (of somebody else's module) stands between it and the call
    frame = sys._getframe(2)
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        if ours(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False

def watch(event, args):
    if event in io and directly_ours():
        caught.append((module, event, str(args[:1])))

sys.addaudithook(watch)
for module in sys.argv[2:]:
    importlib.import_module(module)
    assert ours(sys.modules[module].__file__), module
for line in caught:
    print(*line)
"""


def test_importing_does_nothing() -> None:
    """Every module imports with no file read or written, no socket, process, thread or database: I/O begins where it is asked for."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", IMPORT_ALL, str(ROOT), *modules()]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""


def importing(files: Iterable[Path], *wanted: str) -> list[str]:
    """Those of the files that import one of these top-level names, anywhere in them. Only where the word stands is there anything to look at."""
    found = []
    for file in files:
        text = file.read_text("utf-8")
        if any(name in text for name in wanted) and imported(ast.parse(text)) & {*wanted}:
            found.append(str(file.relative_to(ROOT)))
    return found


def imported(tree: ast.AST) -> set[str]:
    """Top-level names that a module imports, anywhere in it."""
    names = [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.split(".")[0] for name in names}


def test_one_file_knows_the_library_of_grafana() -> None:
    """grafana-api and its requests are imported by `dashboards/push.py` alone (0020), so that replacing it touches one file."""
    files = [f for package in PACKAGES for f in (ROOT / package).rglob("*.py")]
    assert importing(files, "grafana_api", "requests") == ["dashboards/push.py"]


def test_nothing_imports_tests() -> None:
    """`tests` is a folder, not a package: what tests share is imported by its own name."""
    files = [f for folder in (*PACKAGES, "tests", "bench", "deploy") for f in (ROOT / folder).rglob("*.py")]
    assert importing(files, "tests") == []
