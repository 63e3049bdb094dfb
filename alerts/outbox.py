"""Sends what is due, and keeps what became of it. A message is sent at least once, and twice with the same key.

Tries are bounded: they end about a day after the first one. All times here are the system's: back-off is real time.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

import alerts.notifiers
from alerts.message import text
from alerts.notifier import Channels, Notice, Notifier, Receipt
from core.alert import Alert, AlertEvent, Intent
from core.clock import Clock
from core.errors import NotFoundError, UnavailableError
from core.plugins import collect
from core.ports import Alerts, Http
from core.texts import LANGUAGES
from registry.situation import Situation

log = structlog.get_logger()

NOTIFIERS: Mapping[str, Notifier] = collect(alerts.notifiers, "NOTIFIER", Notifier)
BACKOFF_S = (5, 30, 120, 600, 1800, 3600, 7200, 10_800, 14_400, 18_000, 28_800)  # 24 h in all, then it is given up
LONGEST_S = 86_400.0  # as long as a receiver may ask us to wait
AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one round did; `trouble` is the last thing that went wrong, in words."""

    done: int = 0
    again: int = 0
    failed: int = 0
    trouble: str = ""


class Moment(Protocol):
    """What is known now; for the verdict that goes with a message."""

    async def situation(self) -> Situation:
        """As it stands now. Raises UnavailableError."""
        ...


class Outbox:
    """`round` sends what is due, oldest first, one after the other."""

    def __init__(
        self,
        database: Alerts,
        http: Http,
        moment: Moment,
        *,
        channels: Callable[[], Channels],
        clock: Clock,
        system: Clock,
        notifiers: Mapping[str, Notifier] = NOTIFIERS,
    ) -> None:
        self._db = database
        self._http = http
        self._moment = moment
        self._channels = channels
        self._clock = clock
        self._system = system
        self._notifiers = notifiers
        self._told: set[str] = set()  # classes of faults whose trace is in the log

    async def round(self) -> Sent:
        """Send what is due; ends early where a receiver cannot be reached, for the next would wait for nothing.

        Raises what the database raises; whatever else breaks is the receipt of that message, and the others go on.
        """
        done = again = failed = 0
        trouble = ""
        for intent in await self._db.due_intents(self._system.now_ms(), limit=AT_ONCE):
            receipt, reached = await self._send(intent)
            settled = settle(intent, receipt, self._system.now_ms())
            await self._db.settle([settled])
            done += settled.state == "sent"
            again += settled.state == "waiting"
            failed += settled.state == "failed"
            if receipt.outcome != "done":
                trouble = f"{intent.channel}: {receipt.text}"
            if not reached:
                break
        return Sent(done=done, again=again, failed=failed, trouble=trouble)

    async def _send(self, intent: Intent) -> tuple[Receipt, bool]:
        """One try, and whether the receiver answered."""
        channels = self._channels()
        notifier = self._notifiers.get(intent.channel)
        if notifier is None or not notifier.is_on(channels):
            return Receipt(outcome="failed", text=f"the channel {intent.channel!r} is switched off"), True
        try:
            notice = await self._notice(intent)
        except NotFoundError as error:
            return Receipt(outcome="failed", text=str(error)), True
        except UnavailableError:  # the database: no try of this message
            raise
        except Exception as error:  # noqa: BLE001  one message that cannot be made must not hold up the others
            return self._fault(error), True
        try:
            return notifier.read(await self._http.send(notifier.build(notice, channels))), True
        except UnavailableError as error:
            return Receipt(outcome="retry", text=str(error)), False
        except Exception as error:  # noqa: BLE001  nor one that cannot be sent, or whose answer cannot be read
            return self._fault(error), True

    def _fault(self, error: Exception) -> Receipt:
        """Its receipt, and once per class its trace: places only, for the error's own words may hold the address or a secret."""
        name = type(error).__name__
        if name not in self._told:
            self._told.add(name)
            log.error("a fault in sending a message; it is tried again", fault=name, trace="".join(traceback.format_tb(error.__traceback__)))
        return Receipt(outcome="retry", text=f"a fault of ours ({name}), see the log")

    async def _notice(self, intent: Intent) -> Notice:
        alert = await self._db.alert(intent.alert)
        event = await self._event(intent, alert)
        situation = await self._moment.situation()
        station = situation.directory.station(alert.station)
        if station is None:
            raise NotFoundError(f"no station is called {alert.station!r} any more")
        now = self._clock.now_ms()
        return Notice(
            intent=intent,
            alert=alert,
            event=event,
            station=station,
            texts={lang: text(alert, station=station, lang=lang, now=now) for lang in LANGUAGES},
            verdict=situation.verdict(alert.station, now),
            now=now,
            sent_at=self._system.now_ms(),
        )

    async def _event(self, intent: Intent, alert: Alert) -> AlertEvent:
        for event in await self._db.alert_events(alert.id):
            if event.id == intent.event:
                return event
        raise NotFoundError(f"alert {alert.id} has no event {intent.event}")


def settle(intent: Intent, receipt: Receipt, now: int) -> Intent:
    """The intent after a try at `now` [system ms]: sent, failed, or due again later."""
    attempts = intent.attempts + 1
    if receipt.outcome == "done":
        return replace(intent, state="sent", attempts=attempts, receipt=receipt.text)
    if receipt.outcome == "failed":
        return replace(intent, state="failed", attempts=attempts, receipt=receipt.text)
    if attempts > len(BACKOFF_S):
        return replace(intent, state="failed", attempts=attempts, receipt=f"given up after {attempts} tries: {receipt.text}")
    wait_s = max(BACKOFF_S[attempts - 1], min(LONGEST_S, receipt.after_s or 0.0))
    return replace(intent, attempts=attempts, receipt=receipt.text, due_at=now + round(1000 * wait_s))
