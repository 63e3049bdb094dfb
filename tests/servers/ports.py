"""Free loopback ports below the ephemeral range (32768 up), where a client's own connections cannot take them first."""

from __future__ import annotations

import random
import socket

_rng = random.SystemRandom()


def free_port() -> int:
    """A loopback TCP port nobody listens on now."""
    for _ in range(200):
        port = _rng.randrange(20_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000 on 127.0.0.1")
