"""What a made page of docs/ is, and how its tables are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MADE = "<!-- made by `make docs`; change the source it names, not this file -->"
UNAPPROVED = "Not approved by anybody yet (*chưa được duyệt*)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page, exported as `PAGE` by a module of `deploy/pages`; the module's name is the page's.

    `about` is its line in the index, `source` where what it tells of is written down, `body` makes all that follows.
    """

    title: str
    about: str
    source: str
    body: Callable[[], str]

    def text(self) -> str:
        """The whole page."""
        return f"# {self.title}\n\n{MADE}\n\nSource: {self.source}.\n\n{self.body().strip()}\n"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def mark(text: object) -> str:
    """`text` as code; nothing where there is none."""
    return f"`{text}`" if str(text) else ""


def approved(by: str) -> str:
    """Who stands behind the numbers of a file, in a sentence."""
    return f"Approved by {by}." if by else UNAPPROVED
