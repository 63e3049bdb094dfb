"""Write the made pages of docs/, and the index of all of them: `python deploy/docs_tables.py FOLDER`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import deploy.pages
from core.plugins import collect
from deploy.page import MADE, Page, table

HAND = Path(__file__).parents[1] / "docs"  # where the pages written by hand are
INDEX = "README.md"
PAGES = {f"{name}.md": page for name, page in collect(deploy.pages, "PAGE", Page).items()}


def index() -> str:
    """The page that names all others."""
    made = ((f"[{page.title}]({name})", page.about) for name, page in PAGES.items())
    hand = ((f"[{title}]({name})", about) for name, (title, about) in written().items())
    return f"""# The papers of Canh Mặn

{MADE}

The first steps are in [the README](../README.md), how to change something in [CONTRIBUTING](../CONTRIBUTING.md), why things are as they are in the
[decisions](decisions/README.md).

## Written by hand

{table(("Page", "What it tells"), hand)}

## Made from the code

`make docs` writes them; a test fails where one is behind the code, or the code tells nothing of itself.

{table(("Page", "What it tells"), made)}
"""


def written() -> dict[str, tuple[str, str]]:
    """Title and first sentence of each page that is written by hand."""
    found = {}
    for path in sorted(HAND.glob("*.md")):
        if path.name not in PAGES and path.name != INDEX:
            title, _, rest = path.read_text("utf-8").removeprefix("# ").partition("\n")
            first = " ".join(rest.strip().split("\n\n")[0].split())
            found[path.name] = (title, re.split(r"(?<=[.!])\s", first)[0])
    return found


def text(name: str) -> str:
    """A made page, by the name of its file."""
    return index() if name == INDEX else PAGES[name].text()


def main() -> None:
    """Write the pages into the folder named."""
    folder = Path(sys.argv[1])
    for name in (*PAGES, INDEX):
        (folder / name).write_text(text(name), "utf-8")


if __name__ == "__main__":
    main()
