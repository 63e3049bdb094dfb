"""What an HTTP answer means for a message: taken, to be tried again, or refused for good."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from alerts.notifier import Receipt
from core.http import Response

# besides redirects and 5xx: what a receiver says while it is being deployed, moved or given new keys, or is busy
AGAIN = (401, 403, 404, 408, 425, 429)


def read(response: Response) -> Receipt:
    """2xx done, but for a web page; 3xx, 401, 403, 404, 408, 425, 429 and 5xx again (after Retry-After where it is given); another 4xx failed."""
    said = f"HTTP {response.status}"
    if 200 <= response.status < 300:
        if _is_page(response):
            return Receipt(outcome="retry", text=f"{said} with a web page: something between us and the receiver answered")
        return Receipt(outcome="done", text=said)
    if response.status in AGAIN or response.status >= 500:
        return Receipt(outcome="retry", text=said, after_s=_retry_after(response))
    if 300 <= response.status < 400:
        return Receipt(outcome="retry", text=f"{said}: redirects are not followed, give the final address", after_s=_retry_after(response))
    return Receipt(outcome="failed", text=said)


def _is_page(response: Response) -> bool:
    """A captive portal's page. A word or nothing is an answer all the same: small frameworks call everything text/html."""
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    packed = response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
    return kind == "text/html" and (packed or response.body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"))


def _retry_after(response: Response) -> float | None:
    """Seconds as they stand, or up to the date by the receiver's own clock; None where it says nothing we can read."""
    asked = response.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until, sent = parsedate_to_datetime(asked), parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (until - sent).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, only one of the two has a zone, or one no calendar has
        return None
