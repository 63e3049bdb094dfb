"""Rules for all tests: unit tests open no sockets; tests marked `servers` or `sockets` reach loopback and nothing else."""

from __future__ import annotations

import os
import shutil
import sys
from itertools import zip_longest
from pathlib import Path
from tempfile import gettempdir

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_configure() -> None:
    """The processes of a test run are as many as the cores: each computes on one, and so do those it starts. Before anything loads numpy."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the files, those that take minutes come first, one that waits, one that computes, in turn: none is left over at the end."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    waiting = [file for file in files if "e2e" in file.parts]
    computing = [file for file in files if "analytics" in file.parts]
    first = [file for pair in zip_longest(waiting, computing) for file in pair if file is not None]
    items[:] = [item for file in dict.fromkeys([*first, *files]) for item in files[file]]


def pytest_unconfigure() -> None:
    """What was compiled of files in folders of tests, which nobody will run again."""
    if sys.pycache_prefix and "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(Path(sys.pycache_prefix) / gettempdir().lstrip("/"), ignore_errors=True)


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
