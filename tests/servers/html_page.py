"""Reading a page as a person's eyes do: its text, its elements by class, their attributes; what stands in a template is not there.

Nor is what stands on paper only (class `paper`), unless one asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])


@dataclass(slots=True)
class Element:
    """One element with what is in it."""

    tag: str
    attributes: dict[str, str]
    inside: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, spaces as one."""
        return " ".join("".join(map(_told, self.inside)).split())

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Every element below with this tag and these attributes (`class_`: one of its classes; `""`: whatever it is)."""
        found: list[Element] = []
        for part in self.inside:
            if isinstance(part, Element) and part.tag != "template":
                if tag in ("", part.tag) and all(part._has(k, v) for k, v in attributes.items()):
                    found.append(part)
                found += part.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of <{tag}> {attributes}"
        return found[0]

    def _has(self, name: str, value: str) -> bool:
        name = name.rstrip("_").replace("_", "-")
        held = self.attributes.get(name)
        return held is not None and (not value or value in (held.split() if name == "class" else [held]))


def _told(part: Element | str) -> str:
    """Elements stand apart, but for an age within a sentence."""
    if isinstance(part, str):
        return part
    if part.tag == "template" or part._has("class", "paper"):
        return ""
    return part.text if "data-age" in part.attributes else f" {part.text} "


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("document", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {k: v or "" for k, v in attrs})
        self.open[-1].inside.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Element(tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(text: str) -> Element:
    """The page; a tag that is closed in the wrong order, or never, is an AssertionError."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert len(reader.open) == 1, f"never closed: {[e.tag for e in reader.open[1:]]}"
    return reader.root
