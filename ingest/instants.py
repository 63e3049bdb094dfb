"""Times as devices write them, to milliseconds: RFC 3339 with a zone."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec

from core.instant import to_ms

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_MOST = 50_000  # minutes remembered, a month
# msgspec rounds a time to whole microseconds, and .2509999 would become .251; ours are floored
_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
SECONDS = {f"{n:02}Z": n * 1000 for n in range(60)}
_THOUSAND = {f"{n:03}": n for n in range(1000)}


def instant(text: str) -> int | None:
    """ms since 1970 UTC, floored; None where it is no such time or has no zone."""
    try:
        return to_ms(msgspec.convert(_BEYOND_MICROSECONDS.sub(r"\1", text), _Instant))
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):  # the last for half a surrogate pair
        return None


class Instants:
    """`instant`, remembered by the minute: most times are one of a few minutes and one of sixty seconds.

    `minutes` is for who looks there first: `2026-03-01T00:10:` → ms, to which `SECONDS` adds what follows, `00Z`.
    """

    def __init__(self) -> None:
        self.minutes: dict[str, int] = {}

    def read(self, text: str) -> int | None:
        """ms since 1970 UTC, floored; None where it is no such time or has no zone."""
        second = _second(text[17:])
        if second is None:
            return instant(text)
        minute = self.minutes.get(text[:17])
        if minute is None:
            minute = instant(f"{text[:17]}00Z")
            if minute is None:
                return None
            if len(self.minutes) >= _MOST:
                self.minutes.clear()
            self.minutes[text[:17]] = minute
        return minute + second


def _second(text: str) -> int | None:
    """What stands after `2026-03-01T00:10:`: `00Z` or `00.250Z` in ms; None where it is written in another way."""
    if len(text) == 7 and text[2] == "." and text[6] == "Z":
        millis, second = _THOUSAND.get(text[3:6]), SECONDS.get(f"{text[:2]}Z")
        return None if millis is None or second is None else second + millis
    return SECONDS.get(text)
