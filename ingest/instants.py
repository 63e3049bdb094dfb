"""Times as devices write them, to milliseconds: RFC 3339 with a zone."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec

from core.instant import to_ms

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_MOST = 20_000  # texts remembered
# msgspec rounds a time to whole microseconds, and .2509999 would become .251; ours are floored
_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
_SIXTY = {f"{n:02}": n for n in range(60)}
_THOUSAND = {f"{n:03}": n for n in range(1000)}


def instant(text: str) -> int | None:
    """ms since 1970 UTC, floored; None where it is no such time or has no zone."""
    try:
        return to_ms(msgspec.convert(_BEYOND_MICROSECONDS.sub(r"\1", text), _Instant))
    except (msgspec.ValidationError, OverflowError):
        return None


class Instants(dict[str, int]):
    """`instant` by the text, remembered: `instants[text]`, None where it is none.

    Devices that speak in the same second write the same text, and those of the same hour the same 14 letters.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hours: dict[str, int] = {}

    def __missing__(self, text: str) -> int | None:
        time = self._within_the_hour(text)
        if time is None:
            time = instant(text)
        if time is not None:
            if len(self) >= _MOST:
                self.clear()
            self[text] = time
        return time

    def _within_the_hour(self, text: str) -> int | None:
        """`2026-03-01T00:10:00Z` or `…00.250Z`; None where it is written in another way."""
        if len(text) == 20:
            millis = 0 if text[19] == "Z" else None
        elif len(text) == 24 and text[19] == "." and text[23] == "Z":
            millis = _THOUSAND.get(text[20:23])
        else:
            return None
        minute, second = _SIXTY.get(text[14:16]), _SIXTY.get(text[17:19])
        if millis is None or minute is None or second is None or text[16] != ":":
            return None
        hour = self._hours.get(text[:14])
        if hour is None:
            hour = instant(f"{text[:14]}00:00Z")
            if hour is None:
                return None
            if len(self._hours) >= _MOST:
                self._hours.clear()
            self._hours[text[:14]] = hour
        return hour + minute * 60_000 + second * 1000 + millis
