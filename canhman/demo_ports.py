"""Ports for the demo: where its pages are, and the next free one for what another program has taken."""

from __future__ import annotations

import errno
import socket

from canhman.settings import PREFIX, Settings
from core.errors import CanhManError, ConfigError

PORTS = 100  # tried, from the usual one on


def url(settings: Settings) -> str:
    """Where a browser on this machine finds the pages."""
    host, _, port = settings.listen.rpartition(":")
    return settings.url or f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]', '::') else host}:{port}"  # noqa: S104 compared, not bound


def port_taken(settings: Settings) -> ConfigError:
    """That the pages' port is taken, with one that is free."""
    host, _, port = settings.listen.rpartition(":")
    return ConfigError(f"port {port} on {host} is taken by another program: choose one with --port, e.g. --port {next_free(host, int(port) + 1)}")


def after_a_used_port(settings: Settings, name: str, error: CanhManError) -> Settings:
    """With the next free port for what `name` could not listen on. Raises `error` where that was not the trouble, or one line for the pages' port.

    Which ports are free is asked by trying: between a look and a start another program may take one.
    """
    cause = error.__cause__
    if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
        raise error
    if name == "ingest":
        address = settings.broker_address
        return settings.model_copy(update={"broker": f"embedded://{_shown(address.host)}:{next_free(address.host, address.port + 1)}"})
    if name == "serve" and str(error).startswith(f"{PREFIX}METRICS="):
        host, _, port = settings.metrics.rpartition(":")
        return settings.model_copy(update={"metrics": f"{host}:{next_free(host, int(port) + 1)}"})
    if name == "serve":
        raise port_taken(settings) from error
    raise error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def next_free(host: str, first: int) -> int:
    """The first free port from `first` on. Raises ConfigError."""
    for port in range(first, min(first + PORTS, 65_536)):
        if is_free(host, port):
            return port
    raise ConfigError(f"no free port on {host} from {first} on")


def is_free(host: str, port: int) -> bool:
    """Whether it can be listened on. Raises ConfigError where the address is none of ours."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise ConfigError(f"{host}:{port} cannot be listened on: {error.strerror or error}") from error
        return True
