"""Webhook: a signed JSON POST to the address in CANHMAN_WEBHOOK, see docs/alerts.md.

The receiver proves the sender by X-Canhman-Signature = "sha256=" + hex(HMAC-SHA256(secret, timestamp + "." + body)), and knows a
message it already has by Idempotency-Key. What its answers mean: `alerts.answers`.
"""

from __future__ import annotations

import hashlib
import hmac
import json

from alerts.answers import read
from alerts.notifier import Channels, Notice, Notifier
from alerts.shape import shape
from core import verdict
from core.clock import rfc3339
from core.http import Request

TIMEOUT_S = 10.0


def build(notice: Notice, channels: Channels) -> Request:
    """The POST. Without a secret it is sent unsigned: whoever wants proof sets one."""
    body = json.dumps(document(notice), ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": notice.intent.key,
        "X-Canhman-Timestamp": str(notice.sent_at // 1000),
    }
    if channels.webhook_secret:
        headers["X-Canhman-Signature"] = signature(channels.webhook_secret, headers["X-Canhman-Timestamp"], body)
    return Request(method="POST", url=channels.webhook, headers=headers, body=body, timeout_s=TIMEOUT_S)


def document(notice: Notice) -> dict[str, object]:
    """What the body says: the event, the alert as the API shows it, and the station's verdict as `core.verdict` gave it."""
    event = notice.event
    return {
        "event": {
            "kind": event.kind,
            "at": rfc3339(event.at),
            "value": event.value,
            "time": None if event.time is None else rfc3339(event.time),
            "p": None if event.p is None else round(event.p, 3),
        },
        "station": {"id": notice.station.id, "name": notice.station.name, "org": notice.station.org},
        "alert": shape(notice.alert, station=notice.station, now=notice.now),
        "title": {lang: text.title for lang, text in notice.texts.items()},
        "verdict": verdict.shape(notice.verdict),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=…` over timestamp, a dot and the body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


NOTIFIER = Notifier(name="webhook", is_on=lambda channels: bool(channels.webhook), build=build, read=read)
