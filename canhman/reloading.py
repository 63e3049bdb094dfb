"""A configuration that is read at start and again at each SIGHUP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import structlog

from canhman.signals import Signals
from core.errors import ConfigError

log = structlog.get_logger()
T = TypeVar("T")


class Reloaded(Generic[T]):
    """`current` is what `read` gave last; where it fails the one before stays, which is said in one line with its hashes by file."""

    def __init__(self, read: Callable[[], T], hashes: Callable[[T], Mapping[str, str]]) -> None:
        """Raises ConfigError: at start there is no old one to keep."""
        self._read = read
        self._hashes = hashes
        self.current = read()

    def again(self) -> bool:
        """Read anew; whether it could be."""
        try:
            self.current = self._read()
        except ConfigError as error:
            log.error("the configuration is kept as it was", why=str(error), **self._hashes(self.current))
            return False
        log.info("configuration read again", **self._hashes(self.current))
        return True

    def on_hangup(self, signals: Signals, tell: Callable[[T], None] | None = None) -> None:
        """From now on read anew at SIGHUP, and `tell` of what was read (in the main thread)."""

        def work() -> None:
            if self.again() and tell is not None:
                tell(self.current)

        signals.on_hangup(work)
