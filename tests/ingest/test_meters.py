"""What ingest counts of its own work: histograms and their quantiles, rates of the last minute, a lag that grows, a worker that hangs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ingest.meters
from core.clock import SimClock, rfc3339
from core.message import Message
from ingest.health import Health
from ingest.meters import COUNTS, HISTOGRAMS, SECONDS, Histogram, Meters, Watch, lag_messages, quantile
from ingest.run import Worker, receive

NOON = 1_772_420_400_000

values = st.lists(st.floats(0, 100), min_size=1, max_size=100)


@given(values, st.floats(0.01, 1))
def test_a_quantile_lies_within_its_bounds(found: list[float], q: float) -> None:
    """At most one bucket from the true one; a greater share is never a smaller value; counts and sum are those of the values."""
    histogram = Histogram(SECONDS)
    for value in found:
        histogram.observe(value)
    assert sum(histogram.counts) == len(found)
    assert histogram.sum == pytest.approx(sum(found))
    told = quantile(SECONDS, histogram.counts, q)
    assert told is not None
    true = sorted(found)[max(0, -int(-q * len(found) // 1) - 1)]
    edges = [0.0, *SECONDS]
    at = next((i for i in range(len(edges) - 1) if true <= edges[i + 1]), len(edges) - 1)
    assert edges[at] <= told <= edges[min(at + 1, len(edges) - 1)] or told == SECONDS[-1]
    assert told <= (quantile(SECONDS, histogram.counts, 1.0) or 0)


def test_no_quantile_of_nothing() -> None:
    """None, not zero."""
    assert quantile(SECONDS, [0] * (len(SECONDS) + 1), 0.5) is None


def test_a_value_on_a_bound_counts_within_it() -> None:
    """As Prometheus reads `le`."""
    histogram = Histogram((1, 2))
    for value in (1, 2, 3):
        histogram.observe(value)
    assert histogram.counts == [1, 1, 1]


def test_rates_and_quantiles_are_of_the_last_minute() -> None:
    """What came before it has left them; nothing is told of what did not happen."""
    meters = Meters()
    watch = Watch(meters, now=0.0)
    meters.received = 100_000
    meters.kept(1000, 2.0)
    for second in range(2, 122, 2):
        watch.look(float(second), 0.0)
        meters.received += 20
        meters.kept(20, 0.004)
    watch.look(122.0, 0.0)
    recent = watch.recent()
    assert recent["received_per_s"] == pytest.approx(10)
    assert recent["journalled_per_s"] == pytest.approx(10)
    assert 0.0025 <= recent["fsync_seconds_p50"] <= recent["fsync_seconds_p99"] <= 0.005
    assert recent["batch_messages_mean"] == 20
    assert recent["stored_per_s"] == 0
    assert "write_seconds_p50" not in recent


def test_the_log_has_a_line_a_minute() -> None:
    """Not at the start, then once in sixty seconds."""
    watch = Watch(Meters(), now=0.0)
    assert [t for t in range(0, 200, 2) if watch.is_due(float(t))] == [60, 120, 180]


def test_a_lag_that_grows_is_told() -> None:
    """Not a short one, not one that shrinks, not at once."""

    def trouble(*lags: float) -> str:
        watch = Watch(Meters(), now=0.0)
        for i, lag in enumerate(lags, 1):
            watch.look(2.0 * i, lag)
        return watch.trouble()

    assert trouble(*range(0, 50, 2)) == ""
    assert trouble(*range(600, 540, -2)) == ""
    assert trouble(500, 502, 504) == ""
    assert trouble(*[300] * 40) == ""
    assert "62 s ago, and the lag grows" in trouble(*range(2, 63, 2))
    assert "the store is slow" in trouble(*range(600, 700, 2))


def test_a_worker_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes without beginning anything; while a server is away it begins again and again."""
    meters = Meters()
    watch = Watch(meters, now=0.0)
    at = meters.moved_at
    monkeypatch.setattr(ingest.meters, "perf_counter", lambda: at + 119)
    assert watch.trouble() == ""
    monkeypatch.setattr(ingest.meters, "perf_counter", lambda: at + 130)
    assert "has not moved for 130 s" in watch.trouble()
    meters.begins()
    assert watch.trouble() == ""


def test_messages_behind_are_told_by_their_mean_size() -> None:
    """0 only where nothing waits."""
    assert lag_messages(bytes_behind=0, bytes_seen=0, messages_seen=0) == 0
    assert lag_messages(bytes_behind=1, bytes_seen=0, messages_seen=0) == 1
    assert lag_messages(bytes_behind=10_000, bytes_seen=2_000, messages_seen=10) == 50


def test_time_is_that_of_the_wall() -> None:
    """A simulated hour at 600 times is six seconds of waiting; while the clock stands still nobody waits."""
    meters = Meters(SimClock(NOON, 600))
    assert meters.waited_s == 0
    meters.begins(NOON - 3_600_000)
    assert meters.waited_s == pytest.approx(6, abs=1)
    still = Meters(SimClock(NOON, 0))
    still.begins(NOON - 3_600_000)
    assert still.waited_s == 0


def test_names_are_told() -> None:
    """Every count and histogram has its sentence, and is carried by a heartbeat as JSON."""
    meters = Meters()
    assert meters.counts().keys() == COUNTS.keys()
    assert json.loads(json.dumps(meters.histograms())).keys() == HISTOGRAMS.keys()
    assert all(about.endswith(".") for about in [*COUNTS.values(), *(about for about, _ in HISTOGRAMS.values())])


# ---------------------------------------------------------------- through the two loops


class Source:
    """Gives these batches, then waits for ever."""

    def __init__(self, batches: list[list[Message]]) -> None:
        self.batches, self.acknowledged = batches, 0

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """Nor to close."""

    async def batch(self) -> list[Message]:
        """The next one."""
        if not self.batches:
            await asyncio.Event().wait()
        return self.batches.pop(0)

    def acknowledge(self, messages: Any) -> None:
        """Counted."""
        self.acknowledged += len(messages)


def test_every_stage_counts(line: Any) -> None:
    """Received, fsynced, acknowledged, read, stored, late: through both loops, in batches."""

    def message(device: str, minute: int, body: str = "") -> Message:
        text = body or json.dumps({"time": rfc3339(NOON + minute * 60_000), "readings": {"water.ec": 2.0}})
        return Message(f"canhman/default/{device}/telemetry", text.encode(), NOON + 3_600_000)

    meters = Meters(SimClock(NOON + 3_600_500, 0))
    source = Source([[message("kl01", 30)], [message("kl01", 10), message("kl01", 31), message("kl02", 0, "{")]])

    async def take() -> None:
        task = asyncio.create_task(receive(source, line.journal, Health(lambda part, trouble: None), meters))
        while meters.acknowledged < 4:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(take())
    assert (meters.received, meters.journalled, meters.acknowledged, source.acknowledged) == (4, 4, 4, 4)
    assert sum(meters.batch_messages.counts) == sum(meters.fsync_seconds.counts) == 2
    assert meters.batch_messages.sum == 4
    assert 0 < meters.fsync_seconds.sum < 10
    worker = Worker(
        processor=line.processor, journal=line.journal, database=line.database, judge=None, health=Health(lambda part, trouble: None), meters=meters
    )
    first = line.journal.read(0, limit=1)

    async def work() -> None:
        await worker._write(await worker._convert(first.records), first.next, 1)
        await worker._round()

    asyncio.run(work())
    assert (meters.stored, meters.decoded) == (4, 3)
    assert meters.late == len({"water.ec", "water.salinity"})
    assert meters.oldest == NOON + 3_600_000
    assert sum(meters.write_seconds.counts) == sum(meters.delay_seconds.counts) == 2
