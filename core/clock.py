"""The installation's clock: real time, or a simulated one that runs faster and stands still while it is stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Protocol

VIETNAM = timezone(timedelta(hours=7))
Y2000_MS = 946_684_800_000  # 2000-01-01T00:00:00Z
AHEAD_MS = 600_000  # a reading or an issue may be this far ahead of us, as ingest takes it: no two clocks are one


class Clock(Protocol):
    """Says what time it is [ms since 1970 UTC]. Passed as an argument; nobody calls now() beside it."""

    def now_ms(self) -> int:
        """The installation's time [ms]."""
        ...

    def real_seconds(self, sim_seconds: float) -> float:
        """How long `sim_seconds` of this clock take on the wall [s]; infinite while it stands still."""
        ...


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        """The machine's time [ms]."""
        return time.time_ns() // 1_000_000

    def real_seconds(self, sim_seconds: float) -> float:
        """One second takes one second."""
        return sim_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SimTime:
    """The saved row of a simulated clock: simulated ms, speed, and the system ms it was saved at."""

    sim_ms: int
    speed: float
    anchor_ms: int

    def at(self, system_ms: int) -> int:
        """The simulated time [ms] at system time `system_ms`; never before the saved one."""
        return self.sim_ms + max(0, int((system_ms - self.anchor_ms) * self.speed))


class SimClock:
    """A clock that runs `speed` times as fast from `sim_ms` on. Speed 0 stands still."""

    def __init__(self, sim_ms: int, speed: float = 1.0, *, system: Clock | None = None) -> None:
        self._system = system or SystemClock()
        self._saved = SimTime(sim_ms=sim_ms, speed=speed, anchor_ms=self._system.now_ms())
        self._holds_until = 0  # system ms

    @property
    def speed(self) -> float:
        """Simulated seconds per second."""
        return self._saved.speed

    def now_ms(self) -> int:
        """The simulated time [ms]."""
        return self._saved.at(self._system.now_ms())

    def real_seconds(self, sim_seconds: float) -> float:
        """How long `sim_seconds` take on the wall [s]; infinite at speed 0."""
        return sim_seconds / self._saved.speed if self._saved.speed > 0 else float("inf")

    def save(self) -> SimTime:
        """The row to save each second: now, anchored at now."""
        system_ms = self._system.now_ms()
        if system_ms < self._holds_until:
            return self._saved
        return SimTime(sim_ms=self._saved.at(system_ms), speed=self._saved.speed, anchor_ms=system_ms)

    def set(self, *, sim_ms: int | None = None, speed: float | None = None, after_s: float = 0.0) -> None:
        """Move the hands or change the speed, from now on; with `after_s` it stands still so long first [s of the wall].

        Processes that read the saved row each second then all know the new speed before it holds: at 600 times real time
        one that learns of it a second late is ten minutes behind, and would refuse what comes as from the future.
        """
        system_ms = self._system.now_ms()
        self._holds_until = system_ms + round(after_s * 1000)
        self._saved = SimTime(
            sim_ms=self._saved.at(system_ms) if sim_ms is None else sim_ms,
            speed=self._saved.speed if speed is None else speed,
            anchor_ms=self._holds_until,
        )


def rfc3339(ms: int) -> str:
    """`2026-03-02T03:00:00Z`, with milliseconds only where there are some."""
    moment = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{ms % 1000:03d}Z" if ms % 1000 else f"{moment}Z"


def local(ms: int) -> str:
    """`2026-03-02 10:00 in Vietnam (03:00 UTC)`: for people who read a log there."""
    moment = datetime.fromtimestamp(ms // 1000, UTC)
    return f"{moment.astimezone(VIETNAM):%Y-%m-%d %H:%M} in Vietnam ({moment:%H:%M} UTC)"
