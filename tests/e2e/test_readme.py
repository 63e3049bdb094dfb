"""README without running it: every block is typed in by a test, every picture and link is there. What it says to type is run in `test_clean_clone.py`."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from servers.papers import ROOT, asked_for, blocks

README = (ROOT / "README.md").read_text("utf-8")
TYPED_IN = Path(__file__).with_name("test_clean_clone.py")
MOST_BYTES = 150_000
pictures = re.findall(r"<img ([^>]*)>", README)
links = re.findall(r"\]\(([^)]+)\)", README) + re.findall(r'(?:href|src|srcset)="([^"]+)"', README)


def anchors(page: str) -> set[str]:
    """What a link into a page may name: its headings, as GitHub writes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}


def test_every_block_is_typed_in() -> None:
    """A shell block of README that no test runs on the clean clone is an error; and it has no other blocks that look like commands."""
    assert set(blocks(README)) == asked_for("README.md", TYPED_IN)
    assert set(re.findall(r"^```(\w*)", README, re.MULTILINE)) == {"sh", ""}


def test_the_demo_is_the_first_command() -> None:
    """Before any other, and the Makefile has it."""
    assert next(iter(blocks(README).items())) == (("", 0), "make demo\n")
    assert re.search(r"^demo:.*\n\t@deploy/install.sh\n\t@\.venv/bin/canhman demo \$\(ARGS\)", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("picture", pictures, ids=lambda p: re.findall(r'src="([^"]*)"', p)[0])
def test_a_picture(picture: str) -> None:
    """It is in docs/look, light enough for a weak signal, and has a text for who cannot see it."""
    [source], [alt] = re.findall(r'src="([^"]*)"', picture), re.findall(r'alt="([^"]*)"', picture)
    assert source.startswith("docs/look/")
    assert 0 < (ROOT / source).stat().st_size < MOST_BYTES
    assert len(alt.split()) > 8


def test_there_are_three_pictures() -> None:
    """The demo in a terminal, the phone page, the path; no picture without the form checked above."""
    assert len(pictures) == 3
    assert "![" not in README


def test_the_drawn_picture() -> None:
    """Well formed, for light and dark, with title and description; it fetches nothing."""
    text = (ROOT / "docs/look/path.svg").read_text("utf-8")
    tree = ET.fromstring(text)  # noqa: S314 ours
    assert [child.tag.rpartition("}")[2] for child in tree][:2] == ["title", "desc"]
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|href|<script", text)


@pytest.mark.parametrize("link", sorted({link for link in links if not link.startswith("http")}))
def test_a_link(link: str) -> None:
    """It leads to a file, and to a heading of it."""
    path, _, anchor = link.partition("#")
    page = ROOT / path if path else ROOT / "README.md"
    assert page.exists()
    if anchor:
        assert anchor in anchors(page.read_text("utf-8"))


def test_it_stays_short() -> None:
    """A newcomer reads it to the end; what is longer goes to docs/."""
    assert 100 < README.count("\n") <= 180
