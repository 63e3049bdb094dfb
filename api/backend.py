"""What the API stands on: the ports it asks, and what it must know of the installation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from analytics.crops import Crops
from core.clock import Clock
from core.message import Message
from core.ports import Alerts, DeadLetters, Enrolment, Forecasts, Identities, ModelFiles, People, Records, Registry, SeriesStore, States
from core.risk import Risk


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Handed to `create_app`. No port blocks the loop: the front door passes such as answer from a thread.

    `clock` is the installation's (ages, freshness, "now" on pages), `speed` how many of its seconds pass in a real one now; `simulated`: it is no
    real one, what is shown is made, and every page says so. `system` is the machine's (sessions, log-in limits, back-off). `risk` and `crops` give the
    numbers of `risk.toml` and `crops.toml` as they stand now. `ready` returns what is wrong now, by part (empty = ready). `secret` signs sessions.
    `url` is the public address ("" = unknown).
    """

    registry: Registry
    states: States
    store: SeriesStore
    forecasts: Forecasts
    records: Records
    alerts: Alerts
    people: People
    dead_letters: DeadLetters
    enrolment: Enrolment
    identities: Identities
    clock: Clock
    system: Clock
    speed: Callable[[], float]
    risk: Callable[[], Risk]
    ready: Callable[[], Awaitable[dict[str, str]]]
    secret: bytes
    crops: Callable[[], Crops] = Crops
    message_at: Callable[[str, int], Message | None] | None = None  # a journalled message by journal and position; blocks
    models: ModelFiles | None = None  # None: what a model learned from is not told
    url: str = ""
    version: str = ""
    simulated: bool = False
