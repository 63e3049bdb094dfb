"""A page of docs/ whose commands are typed in: its fenced blocks by heading, and whether what came is what the page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. `kind` is the whole info string; `shows` the answer that follows it, if one does."""

    number: int
    heading: str
    kind: str
    text: str
    shows: str = ""
    shows_kind: str = ""

    @property
    def commands(self) -> list[str]:
        """Its logical lines: continued ones joined, here-documents and what stands within quotes left out."""
        text = re.sub(r"<<'?EOT'?\n.*?^EOT$", "", self.text, flags=re.MULTILINE | re.DOTALL)
        text = re.sub(r"\\\n\s*", " ", text)
        text = re.sub(r"'[^']*\n[^']*'", "''", text)
        return [line.strip() for line in text.splitlines() if line.strip()]


def blocks(path: Path) -> list[Block]:
    """Every block of a page, each with the heading it stands under; answers are with the block they answer."""
    text = path.read_text("utf-8")
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    headings = [(m.start(), m[1]) for m in re.finditer(r"^##+ (.+)$", text, re.MULTILINE)]
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        heading = next((title for at, title in reversed(headings) if at < match.start()), "")
        if match[1] in ("text", "json") and found and not found[-1].shows:
            before = found.pop()
            found.append(Block(number=before.number, heading=before.heading, kind=before.kind, text=before.text, shows=match[2], shows_kind=match[1]))
        else:
            found.append(Block(number=len(found), heading=heading, kind=match[1], text=match[2]))
    return found


def differs(block: Block, out: str, shows: str) -> str:
    """In words, how an answer is not what the page shows; empty where it is. `…` stands for anything."""
    if block.shows_kind == "json":
        return "; ".join(_unlike(json.loads(shows), json.loads(out), "answer"))
    lines = [line.rstrip() for line in out.splitlines() if line.strip()]
    wanted = shows.splitlines()
    if len(lines) != len(wanted):
        return f"{len(lines)} lines, the page shows {len(wanted)}:\n{out}"
    for line, shown in zip(lines, wanted, strict=True):
        if not re.fullmatch(".*".join(map(re.escape, shown.rstrip().split(ANYTHING))), line):
            return f"{line!r}, the page shows {shown!r}:\n{out}"
    return ""


def _unlike(shown: Any, found: Any, where: str) -> Iterator[str]:
    if shown == ANYTHING:
        return
    if isinstance(shown, dict) and isinstance(found, dict):
        if shown.keys() != found.keys():
            yield f"{where} has {sorted(found)}, the page shows {sorted(shown)}"
        for key in shown.keys() & found.keys():
            yield from _unlike(shown[key], found[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(found, list) and len(shown) == len(found):
        for number, (one, other) in enumerate(zip(shown, found, strict=True)):
            yield from _unlike(one, other, f"{where}[{number}]")
    elif shown != found:
        yield f"{where} is {found!r}, the page shows {shown!r}"
