"""What the papers tell people to type: the shell blocks of a page, word by word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> dict[tuple[str, int], str]:
    """Every shell block of a page by its heading and its number under it. Before the first `## ` the heading is empty."""
    found: dict[tuple[str, int], str] = {}
    for number, part in enumerate(re.split(r"^## ", text, flags=re.MULTILINE)):
        heading = part.partition("\n")[0] if number else ""
        found |= {(heading, n): block for n, block in enumerate(_BLOCK.findall(part))}
    return found


def block(page: str, heading: str, number: int = 0, *, root: Path = ROOT) -> str:
    """One of them."""
    return blocks((root / page).read_text("utf-8"))[heading, number]


def asked_for(page: str, *tests: Path) -> set[tuple[str, int]]:
    """The blocks of `page` these test files ask for by `block("page", "heading", number)`, read from their source."""
    found = set()
    for test in tests:
        for node in ast.walk(ast.parse(test.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "block":
                words = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if words and words[0] == page:
                    found.add((str(words[1]), int(words[2]) if len(words) > 2 else 0))
    return found
