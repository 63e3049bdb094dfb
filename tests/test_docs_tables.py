"""The tables in docs/ say what the registries say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, ROOT / "deploy" / "docs_tables.py", folder], check=True, timeout=60, cwd=ROOT)
    return folder


@pytest.mark.parametrize("page", ["quantities.md", "texts.md", "settings.md", "commands.md", "quality.md", "deadletters.md"])
def test_the_page_is_as_made(made: Path, page: str) -> None:
    """`make docs` would change nothing: a page left behind is an error here, not a surprise to a reader."""
    assert (ROOT / "docs" / page).read_text("utf-8") == (made / page).read_text("utf-8")
