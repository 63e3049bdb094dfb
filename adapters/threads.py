"""The system's name of a thread: what `top -H` and /proc tell it apart by. Python gives its own names on to the system only from 3.14 on."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

_MOST = 15  # bytes Linux keeps


def name_this_thread(name: str) -> None:
    """Where the system has no such names nothing happens."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[:_MOST])
