"""A clock the test moves."""

from __future__ import annotations


class HandClock:
    """Stands at `ms` until the test sets it anew."""

    def __init__(self, ms: int = 0) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms

    def real_seconds(self, sim_seconds: float) -> float:
        return sim_seconds
