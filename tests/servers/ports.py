"""Free loopback ports below the ephemeral range (32768 up), where a client's own connections cannot take them first.

A port is one process's own from the moment it is given to that process's end: seconds may pass until a server binds it, and its
tests start that server again on it. So no other test process is given it meanwhile, wherever it runs from.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

_LOW, _HIGH = 20_000, 32_000
_rng = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A loopback TCP port nobody listens on now, and no process of ours was given and lives."""
    for port in _rng.sample(range(_LOW, _HIGH), _HIGH - _LOW):
        if port not in _given and _reserved(port) and _unbound(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port between {_LOW} and {_HIGH} on 127.0.0.1")


def _reserved(port: int) -> bool:
    try:
        fcntl.lockf(_reservations(os.getpid()), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _reservations(process: int) -> int:
    # one record lock per port in one file, by a descriptor that stays open: closing it, as the end does, gives all back
    path = Path(tempfile.gettempdir()) / f"canhman-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _unbound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
