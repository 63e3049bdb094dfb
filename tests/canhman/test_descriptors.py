"""File descriptors: as many as the system allows, and few words where they run out."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from canhman.descriptors import BY_STRANGERS, OUT_OF_DESCRIPTORS, Rarely

ROOT = Path(__file__).parents[2]


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("asyncio", logging.ERROR, "f", 1, message, None, None)


@pytest.mark.parametrize("message", BY_STRANGERS)
def test_what_strangers_can_cause_is_said_once_a_minute(message: str) -> None:
    """A thousand times in a minute is one line, in the next minute another; other messages pass each time."""
    now = [0.0]
    rarely = Rarely(lambda: now[0])
    said = [rarely.filter(record(f"{message}\nsocket: <…>")) for _ in range(1000)]
    assert said == [True] + [False] * 999
    assert all(rarely.filter(record("Task exception was never retrieved")) for _ in range(3))
    now[0] = 59.9
    assert not rarely.filter(record(message))
    now[0] = 60.1
    assert rarely.filter(record(message))


def test_the_soft_limit_rises_to_the_hard_one() -> None:
    """In a process of its own: 256 of 800 become 800, never more than 65,536; the messages are filtered once, however often it is called."""
    code = """if True:
        import logging, resource
        from canhman import descriptors
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 800))
        descriptors.make_ready()
        descriptors.make_ready()
        print(resource.getrlimit(resource.RLIMIT_NOFILE), descriptors.soft_limit(), len(logging.getLogger("asyncio").filters))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert done.stdout.strip() == "(800, 800) 800 1"


def test_the_message_is_the_one_asyncio_logs() -> None:
    """Its wording is Python's: should it change, the filter must."""
    import asyncio.selector_events as events

    assert OUT_OF_DESCRIPTORS in Path(events.__file__).read_text()
