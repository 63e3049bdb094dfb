"""Reading instants from text: RFC 3339 with a zone, to whole milliseconds; a time without a zone is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


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
