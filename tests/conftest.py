"""Rules for all tests: unit tests open no sockets; tests marked `servers` or `sockets` reach loopback and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("servers") or item.get_closest_marker("sockets"):
        enable_socket()
        socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)  # asyncio's own wake-up pair is a unix socket


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of measured data beside the checkout; tests that need it skip where it is absent."""
    return Path(os.environ.get("SHARED_DIR", Path(__file__).parents[2] / "shared"))
