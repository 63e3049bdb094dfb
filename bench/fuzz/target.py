"""What is fuzzed: a thing that takes bytes, and what it may raise."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


class BrokenLawError(AssertionError):
    """A target gave an answer it must not give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`make` draws an input, `feed` gives it to the thing and holds the answer against its laws; `share` of all inputs go here."""

    name: str
    about: str
    share: float
    declared: tuple[type[Exception], ...]
    make: Callable[[random.Random], bytes]
    feed: Callable[[bytes], None]


def law(holds: bool, text: str) -> None:
    """Raise BrokenLawError unless it holds."""
    if not holds:
        raise BrokenLawError(text)
