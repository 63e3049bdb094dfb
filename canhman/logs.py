"""Logs: one line each on standard error, coloured on a terminal, JSON where CANHMAN's output is piped into a collector."""

from __future__ import annotations

import os
import sys

import structlog
from structlog.typing import Processor


def set_up(*, json: bool = False) -> None:
    """Configure structlog for this process; a service's lines carry UTC times of the system's clock."""
    colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False) if json else structlog.dev.ConsoleRenderer(colors=colours)
    last: list[Processor] = [structlog.processors.format_exc_info, renderer] if json else [renderer]
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), *last],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
