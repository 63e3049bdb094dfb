"""Threads have names that the system knows."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from adapters.offload import offload
from adapters.threads import name_this_thread


def comm() -> str:
    return Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text().strip()


class LongNamedAdapter:
    async def name(self) -> str:
        return comm()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows them in /proc")
def test_the_system_knows_a_thread_by_our_name() -> None:
    """As much of it as it keeps; an adapter behind a thread lends it its own; the process keeps its name."""
    before, found = comm(), []

    def work() -> None:
        name_this_thread("worker")
        found.append(comm())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [*found, asyncio.run(offload(LongNamedAdapter()).name())] == ["worker", "LongNamedAdapte"]
    assert comm() == before
