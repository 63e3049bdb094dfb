"""What ingest counts and times of its own work: per batch, never per message; plain numbers, written by the two threads side by side.

A figure is a count since this start; a histogram counts values up to bounds, so that quantiles can be told of any stretch
between two looks. `Watch` takes a look every two seconds and tells rates, quantiles and whether the lag grows.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from core.clock import Clock, SystemClock

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
MESSAGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000)

COUNTS: Mapping[str, str] = {
    "received": "Messages read from the broker or taken by our listener.",
    "journalled": "Messages fsynced in the journal.",
    "acknowledged": "Messages acknowledged, after their fsync.",
    "decoded": "Messages that could be read, whole or but for single values.",
    "stored": "Messages whose readings are stored, or that became dead letters: the cursor has passed them.",
    "late": "Readings that came after a newer one of their series.",
    "judged": "Readings judged by ingest's own judge.",
}
HISTOGRAMS: Mapping[str, tuple[str, Sequence[float]]] = {
    "fsync_seconds": ("Time to fsync one batch in the journal.", SECONDS),
    "write_seconds": ("Time one batch takes to be written to the store.", SECONDS),
    "delay_seconds": ("Time from the arrival of a batch's oldest message to its readings being stored.", SECONDS),
    "batch_messages": ("Messages journalled by one fsync.", MESSAGES),
}

KEPT_S = 60.0  # rates and quantiles are those of the last minute
LAG_S = 60.0  # a message not stored for so long is a lag worth saying, where it grows
SILENT_S = 120.0  # a worker that has not moved for so long hangs


class Histogram:
    """Counts of values up to each bound (and beyond the last), and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


def quantile(bounds: Sequence[float], counts: Sequence[int], q: float) -> float | None:
    """The value that the share `q` of what was counted does not exceed, interpolated within its bounds; None of nothing."""
    total = sum(counts)
    if not total:
        return None
    wanted, passed = q * total, 0
    for i, count in enumerate(counts):
        if count and passed + count >= wanted:
            low = bounds[i - 1] if i else 0.0
            high = bounds[i] if i < len(bounds) else bounds[-1]
            return low + (high - low) * max(0.0, wanted - passed) / count
        passed += count
    return bounds[-1]


class Meters:
    """All of it. One per process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.received = self.journalled = self.acknowledged = self.decoded = self.stored = self.late = self.judged = 0
        self.fsync_seconds, self.write_seconds, self.delay_seconds, self.batch_messages = (Histogram(bounds) for _, bounds in HISTOGRAMS.values())
        self.oldest: int | None = None  # arrival of the oldest message of the batch that is worked on, or was last [ms]
        self.moved_at = perf_counter()  # when the worker last began something

    def kept(self, messages: int, seconds: float) -> None:
        """One fsync."""
        self.journalled += messages
        self.batch_messages.observe(messages)
        self.fsync_seconds.observe(seconds)

    def begins(self, oldest: int | None = None) -> None:
        """The worker takes up something: a batch, with the arrival of its oldest message [ms]."""
        self.moved_at = perf_counter()
        if oldest is not None:
            self.oldest = oldest

    def wrote(self, messages: int, seconds: float) -> None:
        """One batch was stored."""
        self.stored += messages
        self.write_seconds.observe(seconds)
        self.delay_seconds.observe(self.waited_s)

    @property
    def waited_s(self) -> float:
        """How long ago the oldest message of the batch came that is worked on [s of the wall]."""
        if self.oldest is None:
            return 0.0
        waited = self._clock.real_seconds(max(0, self._clock.now_ms() - self.oldest) / 1000)
        return waited if math.isfinite(waited) else 0.0

    def counts(self) -> dict[str, int]:
        """By name."""
        return {name: getattr(self, name) for name in COUNTS}

    def histograms(self) -> dict[str, dict[str, object]]:
        """By name, as a heartbeat carries them."""
        found = {name: getattr(self, name) for name in HISTOGRAMS}
        return {name: {"bounds": list(h.bounds), "counts": list(h.counts), "sum": h.sum} for name, h in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    at: float
    counts: dict[str, int]
    histograms: dict[str, list[int]]
    sums: dict[str, float]
    lag_s: float


class Watch:
    """Looks at the meters again and again, and tells of the last minute."""

    def __init__(self, meters: Meters, *, now: float) -> None:
        self._meters = meters
        self._looks: deque[_Look] = deque([self._look(now, math.inf)])  # a backlog found at the start has not grown
        self._told_at = now

    def look(self, now: float, lag_s: float) -> None:
        """One more look, at `now` [s], where the oldest message not stored is `lag_s` old."""
        self._looks.append(self._look(now, lag_s))
        while len(self._looks) > 2 and self._looks[1].at <= now - KEPT_S:
            self._looks.popleft()

    def _look(self, now: float, lag_s: float) -> _Look:
        found = {name: getattr(self._meters, name) for name in HISTOGRAMS}
        return _Look(
            at=now,
            counts=self._meters.counts(),
            histograms={name: list(h.counts) for name, h in found.items()},
            sums={name: h.sum for name, h in found.items()},
            lag_s=lag_s,
        )

    def recent(self) -> dict[str, float]:
        """Of the last minute: `…_per_s`, and of histograms `…_p50`, `…_p99` and `…_mean` where something was counted."""
        first, last = self._looks[0], self._looks[-1]
        span = last.at - first.at
        found = {f"{name}_per_s": (last.counts[name] - first.counts[name]) / span for name in COUNTS} if span > 0 else {}
        for name, (_, bounds) in HISTOGRAMS.items():
            counts = [b - a for a, b in zip(first.histograms[name], last.histograms[name], strict=True)]
            if total := sum(counts):
                for q in (0.5, 0.99):
                    found[f"{name}_p{100 * q:.0f}"] = quantile(bounds, counts, q) or 0.0
                found[f"{name}_mean"] = (last.sums[name] - first.sums[name]) / total
        return {name: float(f"{value:.4g}") for name, value in found.items()}

    def is_due(self, now: float) -> bool:
        """True once a minute: the log gets its line."""
        if now - self._told_at < KEPT_S:
            return False
        self._told_at = now
        return True

    def trouble(self) -> str:
        """What is wrong with the way from journal to store, in words; empty where nothing is."""
        first, last = self._looks[0], self._looks[-1]
        if perf_counter() - self._meters.moved_at > SILENT_S:
            return f"what is in the journal has not moved for {perf_counter() - self._meters.moved_at:.0f} s: the worker hangs; restart canhman ingest"
        grew = last.lag_s - first.lag_s
        if last.lag_s < LAG_S or last.at - first.at < KEPT_S / 2 or grew < (last.at - first.at) / 4:
            return ""
        return f"the oldest message that is not stored came {last.lag_s:.0f} s ago, and the lag grows: the store is slow, or more comes than it takes"


def lag_messages(*, bytes_behind: int, bytes_seen: int, messages_seen: int) -> int:
    """How many messages are not stored, by their mean size; exact only where it is 0."""
    mean = bytes_seen / messages_seen if messages_seen and bytes_seen > 0 else 300.0
    return math.ceil(bytes_behind / mean) if bytes_behind > 0 else 0
