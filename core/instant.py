"""Reading instants and spans from text: RFC 3339 with a zone, to whole milliseconds; a time without a zone is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_SPAN = re.compile(r"([+-]?)(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def to_ms(moment: datetime) -> int:
    """An aware datetime as ms since 1970 UTC, floored."""
    return (moment - _EPOCH) // _MS


def parse_rfc3339(text: str) -> int | None:
    """`2026-03-02T10:00:00+07:00` or `…Z` in ms since 1970 UTC; None where it is no such time or has no zone."""
    try:
        moment = datetime.fromisoformat(text)
        return to_ms(moment) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def parse_span(text: str) -> int | None:
    """`-7h`, `+90m`, `2d` in ms; None where it is no such span."""
    found = _SPAN.fullmatch(text)
    return round(float(found[2]) * _UNIT_MS[found[3]]) * (-1 if found[1] == "-" else 1) if found else None
