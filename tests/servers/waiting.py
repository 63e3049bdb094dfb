"""Waiting for what another process does: asked again and again until a deadline, for there is no event to await."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float, what: str | Callable[[], str], *, every: float = 0.02) -> T:
    """The first true answer of `condition`. AssertionError with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(every)
    return answer
