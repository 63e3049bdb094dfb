"""Alerts: what is wrong where, since when, with the facts behind it. Text is made per language and channel when it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

KINDS = ("observed", "forecast", "silent", "fault")
STATES = ("open", "acknowledged", "cleared")
UNIT = "g/L"


class AlertKey(NamedTuple):
    """What an alert is about; at most one alert of a key is not cleared. `line` [g/L] is None for `silent` and `fault`."""

    station: str
    point: str
    kind: str
    line: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as it stands: state machine, facts, and what the machine remembers (`memory`, JSON-like, of the policy alone).

    `value` [g/L], `time` [ms]: the measured value it speaks of and when that was, for `forecast` the forecast peak and its
    hour; `p` the probability of a forecast, `model` its model. `level` is the band of the line, 0 without one.
    `config` is the hash of the numbers it was raised by; `id` is the database's, 0 before it is there.
    """

    id: int = 0
    org: str
    station: str
    point: str
    kind: str
    line: float | None
    level: int
    state: str
    opened_at: int
    updated_at: int
    cleared_at: int | None = None
    value: float | None = None
    unit: str = UNIT
    time: int | None = None
    p: float | None = None
    model: str = ""
    acknowledged_by: str = ""
    acknowledged_at: int | None = None
    config: str = ""
    memory: dict[str, float | int | None] = field(default_factory=dict)

    @property
    def key(self) -> AlertKey:
        """What it is about."""
        return AlertKey(self.station, self.point, self.kind, self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """One line of an alert's history, with the facts as they were. `kind`: opened | reopened | raised | acknowledged | cleared."""

    id: int = 0
    alert: int = 0
    at: int
    kind: str
    value: float | None = None
    time: int | None = None
    p: float | None = None
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A message that is to be sent: to whom, by which channel, about which event. `key` makes sending it twice harmless."""

    id: int = 0
    key: str
    channel: str
    recipient: str
    alert: int = 0
    event: int = 0
    due_at: int = 0  # system ms: back-off is real time
    attempts: int = 0
    state: str = "waiting"  # waiting | sent | failed
    receipt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step of the policy did to one alert: it as it is now, the event that made it so, and what is to be sent.

    In `intents` the ids of alert and event are 0: the database fills them in, in the same transaction.
    """

    alert: Alert
    event: AlertEvent | None = None
    intents: tuple[Intent, ...] = ()
