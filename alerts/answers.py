"""What an HTTP answer means for a message: taken, to be tried again, or refused for good."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from alerts.notifier import Receipt
from core.http import Response

AGAIN = (408, 425, 429)


def read(response: Response) -> Receipt:
    """2xx done; 408, 425, 429 and 5xx again (after Retry-After where it is given); a redirect or another 4xx failed."""
    said = f"HTTP {response.status}"
    if 200 <= response.status < 300:
        return Receipt(outcome="done", text=said)
    if response.status in AGAIN or response.status >= 500:
        return Receipt(outcome="retry", text=said, after_s=_retry_after(response))
    if 300 <= response.status < 400:
        return Receipt(outcome="failed", text=f"{said}: redirects are not followed, give the final address")
    return Receipt(outcome="failed", text=said)


def _retry_after(response: Response) -> float | None:
    """Seconds as they stand, or up to the date by the receiver's own clock; None where it says nothing we can read."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until, sent = parsedate_to_datetime(asked), parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, TypeError):  # no date, or only one of the two has a zone
        return None
