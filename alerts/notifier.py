"""What a channel is: it builds a request from facts and texts, and reads the answer. It opens no connection and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alerts.message import AlertText
from core.alert import Alert, AlertEvent, Intent
from core.http import Request, Response
from core.place import Station
from core.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Addresses and secrets of all channels; an empty address is a channel that is switched off."""

    webhook: str = field(default="", repr=False)  # the address too may hold a token
    webhook_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one message is made of: the event, the alert and its texts by language as they stand at `now` [ms], the station's one verdict.

    `sent_at` is the system's time [ms].
    """

    intent: Intent
    alert: Alert
    event: AlertEvent
    station: Station
    texts: Mapping[str, AlertText]
    verdict: Verdict
    now: int
    sent_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a try. `outcome`: done | retry | failed; `after_s`: how long the receiver asked us to wait [s]."""

    outcome: str
    text: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """One channel, exported as `NOTIFIER` by a module of `alerts/notifiers`; its module's name is the channel's.

    `build` makes the request, which carries `Idempotency-Key: <intent.key>` and its own timeout; `read` makes the receipt.
    """

    name: str
    is_on: Callable[[Channels], bool]
    build: Callable[[Notice, Channels], Request]
    read: Callable[[Response], Receipt]
