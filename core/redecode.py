"""Decoding the past again: what was asked for, and what it changed; the log of rewritten readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.series import SeriesKey

Kind = Literal["new", "value", "withdrawn", "restored"]
KINDS: Mapping[Kind, str] = {
    "new": "A reading that was not stored.",
    "value": "A reading with another value.",
    "withdrawn": "A reading that stood under a wrong deployment, or that today's decoder does not give: it keeps its number with flag 9.",
    "restored": "A reading that was withdrawn and is right after all.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One reading: `old` None where there was none, `new` None where it is withdrawn."""

    key: SeriesKey
    time: int
    kind: Kind
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Of one series: the earliest time that was changed, the latest, and how many readings of each kind."""

    key: SeriesKey
    since: int
    until: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: who asked for it and why, when it began [system ms], for which readings (since ≤ time < until [ms]), and what it did.

    `state` is `running`, `finished`, or `broken` where it ended before its end and another run took it up. `device` and `org`
    are empty where all were meant.
    """

    id: int = 0
    at: int
    actor: str
    reason: str = ""
    device: str = ""
    org: str = ""
    since: int
    until: int
    state: str = "running"
    finished_at: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
