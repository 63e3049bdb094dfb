"""Plug-ins: found by their file, by name, and never skipped in silence."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from core.errors import ConfigError
from core.plugins import collect


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """An empty package of its own for each test; put plug-ins into its folder."""
    name = f"plugged_{abs(hash(request.node.name))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[module]


def put(package: ModuleType, module: str, text: str) -> None:
    (Path(package.__path__[0]) / f"{module}.py").write_text(text)


def test_every_module_by_name(package: ModuleType) -> None:
    """One file is one plug-in, whatever the order of files on disk; other names in it do not matter."""
    put(package, "b", "THING = 2\nother = 'x'\n")
    put(package, "a", "THING = 1\n")
    assert list(collect(package, "THING", int).items()) == [("a", 1), ("b", 2)]


def test_nothing_there(package: ModuleType) -> None:
    """A package without modules has no plug-ins."""
    assert collect(package, "THING", int) == {}


@pytest.mark.parametrize("text", ["", "THING = 'seven'\n"])
def test_a_module_that_exports_something_else(package: ModuleType, text: str) -> None:
    """Without the export, or with one of another type, the module is named: adding a file that does nothing is an error."""
    put(package, "a", "THING = 1\n")
    put(package, "odd", text)
    with pytest.raises(ConfigError, match=r"\.odd must export THING of type int, found"):
        collect(package, "THING", int)
