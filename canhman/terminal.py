"""What commands print: tables and lines for people, JSON for machines, progress bars on long work."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text


class UntilGone:
    """A text stream whose terminal may be closed: from then on what is written to it is dropped, and `gone` is called, once."""

    def __init__(self, stream: TextIO, gone: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self._gone = gone
        self._is_gone = False

    def write(self, text: str) -> int:
        """Write, or drop it."""
        try:
            return len(text) if self._is_gone else self._stream.write(text)
        except OSError:
            self._end()
            return len(text)

    def flush(self) -> None:
        """Flush what can be."""
        try:
            if not self._is_gone:
                self._stream.flush()
        except OSError:
            self._end()

    def _end(self) -> None:
        self._is_gone = True
        with contextlib.suppress(OSError, ValueError):  # what is buffered goes nowhere: else it fails again at the end of the process
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        self._gone()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


# into a file or a pipe a table is never folded at 80 columns
OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 240)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str, *, style: str = "") -> None:
    """A line for people, on standard error, so that results on standard output stay clean."""
    with contextlib.suppress(OSError):  # a service outlives the terminal it was started in
        ERR.print(Text(visible(line), style=style))


class Doubt(str):
    """What a service says at its start where something is wrong: it is not shown as good."""

    __slots__ = ()


def started(name: str, what: str) -> None:
    """That a service takes work, and in which state."""
    say(f"canhman {name}: {what}", style="yellow" if isinstance(what, Doubt) else "green")


def result(line: str) -> None:
    """A line of result on standard output; what it holds is never read as markup."""
    OUT.print(Text(visible(line)))


def visible(text: str) -> str:
    """`text` with its control characters spelt out: what a stranger's device sent never drives the reader's terminal."""
    return "".join(c.encode("unicode_escape").decode() if _drives(c) else c for c in text)


_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the direction of the line


def _drives(c: str) -> bool:
    return c in _TURNS or (c != "\n" and unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"})


def as_json(value: Any) -> None:
    """A result for machines."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """A table on standard output, or the sentence `empty` where there is no row."""
    if not rows:
        result(empty)
        return
    view = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        view.add_column(column, overflow="fold")
    for row in rows:
        view.add_row(*(Text("" if cell is None else visible(str(cell))) for cell in row))
    OUT.print(view)


class Bar(Protocol):
    """A running progress bar."""

    def __call__(self, done: int, note: str = "") -> None:
        """`done` of the total so far."""
        ...


@contextmanager
def progress(title: str, total: int | None, *, quiet: bool = False) -> Iterator[Bar]:
    """A progress bar on standard error; silent where it is no terminal or `quiet`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # half of rich

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR, disable=quiet or not ERR.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=total, note="")

        def move(done: int, note: str = "") -> None:
            bar.update(task, completed=done, note=note)

        yield move


def actor() -> str:
    """Who runs this command, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"
