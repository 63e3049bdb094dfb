"""Logs: one line each on standard error, coloured on a terminal, JSON where CANHMAN's output is piped into a collector."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import Processor

from canhman.terminal import UntilGone


def set_up(*, json: bool = False, into: TextIO | None = None) -> None:
    """Configure structlog for this process; a service's lines carry UTC times of the system's clock. `into` a file in place of standard error."""
    colours = into is None and sys.stderr.isatty() and "NO_COLOR" not in os.environ
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(
            colors=colours,
            exception_formatter=structlog.dev.plain_traceback,  # the prettier one prints local variables: passwords
        )
    )
    last: list[Processor] = [structlog.processors.format_exc_info, renderer] if json else [renderer]
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), *last],
        logger_factory=structlog.PrintLoggerFactory(into or cast(TextIO, UntilGone(sys.stderr))),
        cache_logger_on_first_use=True,
    )


class LogFile:
    """A log that never fills the disk: at `limit` bytes it becomes NAME.1 and begins anew. What libraries log from warnings on goes there too."""

    def __init__(self, path: Path, limit: int = 10 << 20) -> None:
        self._path = path
        self._limit = limit
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", errors="replace")

    def write(self, text: str) -> int:
        """Append, from any thread."""
        with self._lock:
            if self._file.tell() > self._limit:
                self._file.close()
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._file = self._path.open("a", encoding="utf-8", errors="replace")
            return self._file.write(text)

    def flush(self) -> None:
        """To the file."""
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        """Nothing more is written."""
        with self._lock:
            self._file.close()

    def take_all(self) -> None:
        """Structlog's lines and, from warnings on, those of libraries."""
        set_up(into=self)  # type: ignore[arg-type]  # write and flush are all that is asked of it
        logging.basicConfig(stream=self, level=logging.WARNING, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s", force=True)
