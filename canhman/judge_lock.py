"""One judge (or demo) at a time on one installation folder: a lock the kernel drops with the process that held it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from core.errors import ConfigError


class JudgeLock:
    """Held from the first `take` that succeeds until `release` or the end of the process."""

    def __init__(self, folder: Path, name: str = "judge.lock") -> None:
        self._path = folder / name
        self._descriptor: int | None = None

    def take(self) -> bool:
        """True where this process is the judge (now, or already was)."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let another process judge."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
