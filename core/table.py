"""A table as its file holds it: words in columns, not yet read as times or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`columns` are those asked for that are there, as long as `lines`: the line of the file each row stands in."""

    file: str
    header: tuple[str, ...]
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    decimal_comma: bool  # columns are not parted by commas, so that 3,4 may be a number


# (file as a dataset names it, the columns wanted) → the table
ReadTable = Callable[[str, Sequence[str]], Table]
