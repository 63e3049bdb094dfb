"""What a command line cannot mean: one line that names option and value, and exit code 2."""

from __future__ import annotations

from collections.abc import Callable, Collection

from core.errors import ConfigError
from core.instant import parse_rfc3339, parse_span


class UsageError(ConfigError):
    """A value of the command line that cannot be read; the front door ends with exit code 2."""


def checked(check: Callable[[], object]) -> None:
    """Do `check`, and what it refuses is wrong use. Raises UsageError."""
    try:
        check()
    except ConfigError as error:
        raise UsageError(str(error)) from error


def one_of(option: str, value: str, known: Collection[str]) -> str:
    """`value`, where it is known. Raises UsageError with what is."""
    if value not in known:
        raise UsageError(f"{option} {value!r} is not known; it is one of {', '.join(known)}")
    return value


def instant(option: str, text: str) -> int:
    """A time with a zone in ms. Raises UsageError with an example."""
    found = parse_rfc3339(text)
    if found is None:
        raise UsageError(f"{option} {text!r} is no time with a zone, such as 2026-03-02T10:00:00+07:00")
    return found


def moment(option: str, text: str, now: int) -> int:
    """A time with a zone, or how long before `now` (24h, 7d), in ms. Raises UsageError with an example."""
    span = parse_span(text)
    if span is not None and span > 0:
        return now - span
    found = parse_rfc3339(text)
    if found is None:
        raise UsageError(f"{option} {text!r} is neither how long ago, such as 24h or 7d, nor a time with a zone, such as 2026-03-02T10:00:00+07:00")
    return found
