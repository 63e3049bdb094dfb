"""The socket of a peer: its name for the log, and how its death is noticed."""

from __future__ import annotations

import socket


def peer_name(address: tuple[str, int] | None) -> str:
    """`10.0.0.7:51234`, `[fe80::1]:51234`; a question mark where there is none any more."""
    if not address:
        return "?"
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


def watch_for_dead_peers(sock: socket.socket | None) -> None:
    """TCP's own keep-alive, for clients that ask for none of MQTT's: a peer without power is noticed after 2 minutes, also
    where our last bytes to it were never confirmed."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 120_000)):
        if hasattr(socket, name):  # Linux has all four
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
