"""The examples of CONTRIBUTING.md are added to a copy of this checkout, where the tests that run over all of their kind must take them up and pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# `file.py`: and then its whole text
EXAMPLES = dict(re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL | re.MULTILINE))
# folder of a kind → what tests all of that kind, and how many of its tests a new one meets at least
CONTRACTS = {
    "ingest/decoders": ("tests/ingest/test_decoders.py", 10),
    "quality/tests": ("tests/quality/test_tests.py", 6),
    "dashboards/boards": ("tests/dashboards/test_boards.py", 4),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Packages and tests, without what was made beside them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in (*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], "deploy", "docs", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


# folder of a kind → made pages of docs/ that name the new one
TOLD = {"ingest/decoders": ("devices.md",), "quality/tests": ("quality.md", "configuration.md"), "dashboards/boards": ()}


def run(copy: Path, *words: str) -> str:
    """Run a Python module in the copy, which stands before this checkout on the path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-m", *words], cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_kind_has_an_example() -> None:
    """One whole file of each kind this page tells how to add."""
    assert sorted(path.rpartition("/")[0] for path in EXAMPLES) == sorted(CONTRACTS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.rpartition("/")[2])
def test_an_example(path: str, copy: Path) -> None:
    """It is a new file, in our form, and passes every test of its kind."""
    assert not (ROOT / path).exists(), "an example must not have the name of what is there"
    (copy / path).write_text(EXAMPLES[path], "utf-8")
    contract, least = CONTRACTS[path.rpartition("/")[0]]
    shown = run(copy, "pytest", "-q", "-p", "no:cacheprovider", contract, "-k", f"{Path(path).stem}")
    assert int(re.findall(r"(\d+) passed", shown)[0]) >= least, shown


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.rpartition("/")[2])
def test_an_example_is_in_our_form(path: str, copy: Path) -> None:
    """As `make lint` asks of every file."""
    pytest.importorskip("ruff")
    (copy / path).write_text(EXAMPLES[path], "utf-8")
    run(copy, "ruff", "check", "--no-cache", path)
    run(copy, "ruff", "format", "--no-cache", "--check", path)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.rpartition("/")[2])
def test_make_docs_takes_an_example_up(path: str, copy: Path) -> None:
    """Whoever follows the page can run `make docs` next: it writes every page, and those of its kind name the new one."""
    (copy / path).write_text(EXAMPLES[path], "utf-8")
    run(copy, "deploy.docs_tables", "docs")
    for page in TOLD[path.rpartition("/")[0]]:
        assert re.search(rf"\b{Path(path).stem}\b", (copy / "docs" / page).read_text("utf-8")), page
