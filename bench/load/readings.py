"""What is published: numbered readings, each known by its device and its value, so that the store itself can tell which of them it has."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

STEP_MS = 1000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One object of one device. `clock`: it sends its time, else its age; no two of a device have the same value."""

    device: str
    seq: int
    time: int
    value: float
    clock: bool = True

    @property
    def topic(self) -> str:
        """Where it is published."""
        return f"canhman/default/{self.device}/telemetry"

    def payload(self, now_ms: int | None = None) -> bytes:
        """The message; without a clock, with the age it has at `now_ms` (default: now)."""
        body: dict[str, object] = {"seq": self.seq, "boot": 1}
        if self.clock:
            body["time"] = rfc3339(self.time)
        else:
            body["age_s"] = ((time.time_ns() // 1_000_000 if now_ms is None else now_ms) - self.time) / 1000
        return json.dumps(body | {"readings": {"water.ec": self.value}}).encode()


def rfc3339(ms: int) -> str:
    """With milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"


def readings(tag: str, count: int, *, devices: int = 20, clock: bool = True, begin: int | None = None) -> list[Reading]:
    """`count` readings of `devices` devices in turn; a second between two of a device, beginning a day ago."""
    start = (time.time_ns() // 1_000_000 - DAY_MS) if begin is None else begin
    return [
        Reading(device=f"{tag}{n % devices:02}", seq=n // devices, time=start + STEP_MS * (n // devices), value=round(1 + n // devices / 1000, 3), clock=clock)
        for n in range(count)
    ]


def encoded(found: Sequence[Reading]) -> list[tuple[str, bytes]]:
    """(topic, payload) of each, at this moment."""
    now_ms = time.time_ns() // 1_000_000
    return [(reading.topic, reading.payload(now_ms)) for reading in found]
