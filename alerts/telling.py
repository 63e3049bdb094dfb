"""Which steps people are told of. A step and its intents are one transaction, so that none is lost and none is sent for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.alert import Alert, AlertEvent, Intent, Step

TOLD = ("opened", "reopened", "cleared")  # a raised peak stands in the history; whoever is over the line has been told
OVER_A_LINE = ("observed", "forecast")


def with_intents(steps: Sequence[Step], live: Iterable[Alert], *, channels: Sequence[str], system_now: int) -> list[Step]:
    """The steps, each with a message per channel where it is news. `live`: the alerts not cleared before these steps.

    Forecast salt is no news where as much is measured or forecast already; measured salt is none where as much is measured
    already; the end of it is none while as much is still measured or forecast at that place. `system_now` in ms.
    """
    before = list(live)
    after = [*(a for a in before if a.id not in {s.alert.id for s in steps}), *(s.alert for s in steps if s.alert.state != "cleared")]
    told = []
    for step in steps:
        event = step.event
        if event is None or event.kind not in TOLD or not _is_news(step, event, before, after):
            told.append(step)
            continue
        key = _key(step.alert, event)
        intents = tuple(Intent(key=f"{channel}:{key}", channel=channel, recipient=channel, due_at=system_now) for channel in channels)
        told.append(replace(step, intents=intents))
    return told


def _is_news(step: Step, event: AlertEvent, before: Sequence[Alert], after: Sequence[Alert]) -> bool:
    alert = step.alert
    if alert.kind not in OVER_A_LINE:
        return True
    if event.kind == "cleared":
        return not any(_as_much(a, alert) for a in after)
    if alert.kind == "observed":
        return not any(_as_much(a, alert) and a.kind == "observed" for a in before)
    return not any(_as_much(a, alert) for a in before) and not any(_as_much(a, alert) and a.kind == "observed" for a in after)


def _as_much(other: Alert, alert: Alert) -> bool:
    same_place = (other.station, other.point) == (alert.station, alert.point)
    return same_place and other.kind in OVER_A_LINE and other.key != alert.key and (other.line or 0.0) >= (alert.line or 0.0)


def _key(alert: Alert, event: AlertEvent) -> str:
    """Names this event and no other, before the database gave it a number."""
    line = "-" if alert.line is None else f"{alert.line:g}"
    return f"{alert.station}:{alert.point}:{alert.kind}:{line}:{event.kind}:{event.at}"
