"""File descriptors of a service: as many as the system allows, and few words where they run out."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable

MOST = 65_536  # Python's own children close them one by one on some systems
OUT_OF_DESCRIPTORS = "socket.accept() out of system resource"
BY_STRANGERS = (OUT_OF_DESCRIPTORS, "Invalid HTTP request received.", "Unsupported upgrade request.")
EVERY_S = 60.0


def make_ready() -> None:
    """At the start of a service: raise the soft limit to the hard one, and let what strangers can cause be said once a minute."""
    raise_limit()
    for name in ("asyncio", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(f, Rarely) for f in logger.filters):
            logger.addFilter(Rarely())


def raise_limit() -> int:
    """The soft limit, now the hard one where that is at most `MOST`; what is not allowed stays as it was."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    aim = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < aim:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (aim, hard))
        except (OSError, ValueError):  # macOS has a lower one besides
            return soft
        return aim
    return soft


def soft_limit() -> int:
    """How many this process may hold now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else soft


class Rarely(logging.Filter):
    """Lets each of the messages that strangers can cause pass at most once a minute; everything else passes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is logged."""
        message = next((m for m in BY_STRANGERS if record.getMessage().startswith(m)), None)
        if message is None:
            return True
        now = self._now()
        if now - self._said.get(message, float("-inf")) < EVERY_S:
            return False
        self._said[message] = now
        return True
