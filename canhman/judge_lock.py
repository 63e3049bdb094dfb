"""One judge (or demo) at a time: on a folder by a lock the kernel drops with the process, among machines by a lease in the database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path

from core.errors import ConfigError, RefusedError, UnavailableError
from core.ports import Leases

LEASE = "judge"
TTL_S = 30.0  # how long nobody judges where a machine that did has died; its own folder takes it up again at once


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


class JudgeSeat:
    """Who judges: one process of this folder, and one folder of all that share the database.

    The lease is renewed after a third of its time, so a round of the judge that asks in between keeps it. Two judges at
    once would do the same work twice and no harm: an answer clears only what is as it was read.
    """

    def __init__(self, folder: Path, leases: Leases, *, ttl_s: float = TTL_S) -> None:
        self._lock = JudgeLock(folder)
        self._leases = leases
        self._ttl_s = ttl_s
        self._renew_at = 0.0
        self._holder = f"{socket.gethostname()}:{folder.absolute()}"

    async def take(self) -> bool:
        """True where this process is the judge (now, or still). Raises what the database raises."""
        if not self._lock.take():
            return False
        if time.monotonic() < self._renew_at:
            return True
        asked = time.monotonic()
        if not await self._leases.take_lease(LEASE, self._holder, self._ttl_s):
            self._renew_at = 0.0
            return False
        self._renew_at = asked + self._ttl_s / 3
        return True

    async def other(self) -> str:
        """Who judges instead, for people: a folder, of another machine with its name; empty where it is this folder."""
        holder = await self._leases.lease_holder(LEASE)
        return "" if holder == self._holder else holder

    async def release(self) -> None:
        """Let another process judge; where the database is away its lease runs out by itself."""
        if self._renew_at:
            self._renew_at = 0.0
            with contextlib.suppress(UnavailableError, RefusedError):
                await self._leases.release_lease(LEASE, self._holder)
        self._lock.release()
