"""Running a network of simulated devices: each over its own connection, on the installation's clock."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import structlog

from core.clock import Clock
from core.errors import ConfigError
from core.ports import Delivery, Publisher
from firmware_sim.delivery import Backoff, connect, deliver
from firmware_sim.device_kinds import Sample
from firmware_sim.network import FieldDevice, Network
from firmware_sim.noise import DAY_MS
from firmware_sim.sampling import BLOCK, samples

log = structlog.get_logger()

PublisherFor = Callable[[FieldDevice], Publisher]
Message = tuple[Sample, ...]

_TICK_S = 0.5  # how often a clock that stands still is looked at again [s]
_MEMORY = 20_000  # samples a device keeps: two hundred days at 15 minutes


@dataclass(slots=True, kw_only=True)
class Counts:
    """Samples (objects, not messages) so far: made, attempts to send, taken, refused, dropped by a full memory, waiting now."""

    made: int = 0
    published: int = 0
    acknowledged: int = 0
    refused: int = 0
    dropped: int = 0

    @property
    def waiting(self) -> int:
        """Made and neither taken, refused nor dropped."""
        return self.made - self.acknowledged - self.refused - self.dropped


Progress = Callable[[Counts], None]


class _Memory:
    """A device's own log: a bounded queue of samples; the oldest go where it is full. A `deliver` source."""

    def __init__(self, batch: int, counts: Counts) -> None:
        self._queue: deque[Sample] = deque()
        self._batch = batch
        self._counts = counts
        self._news = asyncio.Event()
        self._over = False

    def put(self, sample: Sample) -> None:
        self._counts.made += 1
        self._queue.append(sample)
        if len(self._queue) > _MEMORY:
            self._queue.popleft()
            self._counts.dropped += 1
        self._news.set()

    def end(self) -> None:
        self._over = True
        self._news.set()

    def take(self) -> Message | None:
        if not self._queue:
            return None
        return tuple(self._queue.popleft() for _ in range(min(self._batch, len(self._queue))))

    async def more(self) -> bool:
        while not self._queue and not self._over:
            self._news.clear()
            await self._news.wait()
        return bool(self._queue)


class _History:
    """A device's samples of the past, made as they are sent. A `deliver` source."""

    def __init__(self, past: Iterator[Sample], batch: int, counts: Counts) -> None:
        self._past = past
        self._batch = batch
        self._counts = counts

    def take(self) -> Message | None:
        message = tuple(islice(self._past, self._batch))
        self._counts.made += len(message)
        return message or None

    async def more(self) -> bool:
        return False


class Fleet:
    """The devices of a network and their connections. `open`, then `backfill` and `run` as often as needed, then `close`.

    `taken`, by device, is the time [ms] before which all it measured was taken by the broker: what it remembers over a
    restart. Nothing older is sent again; it is changed as acknowledgements come.
    """

    def __init__(
        self,
        network: Network,
        publisher_for: PublisherFor,
        clock: Clock,
        *,
        org: str = "default",
        backoff: Backoff | None = None,
        on_progress: Progress | None = None,
        counts: Counts | None = None,
        taken: dict[str, int] | None = None,
    ) -> None:
        self.network = network
        self.counts = counts or Counts()
        self.taken = {} if taken is None else taken
        self._clock = clock
        self._org = org
        self._backoff = backoff or Backoff()
        self._on_progress = on_progress
        self._publishers = {d.id: publisher_for(d) for d in network.devices}
        self._refusals: set[str] = set()

    async def open(self, *, wait_s: float | None = None) -> None:
        """Connect every device; waits while the broker is away, at most `wait_s`. Raises RefusedError, UnavailableError."""
        await _all([connect(p.open, backoff=self._backoff, wait_s=wait_s) for p in self._publishers.values()])

    async def close(self) -> None:
        """Disconnect every device."""
        await asyncio.gather(*(p.close() for p in self._publishers.values()), return_exceptions=True)

    async def backfill(self, start_ms: int, stop_ms: int) -> None:
        """Every device sends what it measured in start ≤ time < stop, in arrays as long as its model allows."""
        await _all([self._send(d, _History(self._samples(d, start_ms, stop_ms), d.firmware.batch, self.counts)) for d in self.network.devices])

    async def run(self, *, start_ms: int | None = None, stop_ms: int | None = None, rate: float | None = None) -> None:
        """Devices sample when the clock comes to it, from `start_ms` (now) until `stop_ms` (for ever), and return when all is sent.

        With `rate`, all together make that many samples a second of the wall, one a message, in place of their intervals.
        """
        now = self._clock.now_ms()
        start = now if start_ms is None else start_ms
        devices = self.network.devices if rate is None else self._paced(rate, start)
        window = 1 if rate is None else max(1, min(100, round(rate / len(devices))))
        memories = {d.id: _Memory(1 if rate is not None else d.firmware.batch, self.counts) for d in devices}
        senders = [self._send(d, memories[d.id], window=window) for d in devices]
        await _all([self._sample(devices, memories, start, stop_ms), *senders])

    def _paced(self, rate: float, start_ms: int) -> tuple[FieldDevice, ...]:
        """The devices with intervals and offsets that give `rate` samples a second of the wall, under a new boot number."""
        devices = self.network.devices
        sim_ms = 1000.0 / self._clock.real_seconds(1.0)  # of this clock, in a second of the wall
        interval = sim_ms * len(devices) / rate
        if not interval >= 1.0:
            raise ConfigError(f"a rate of {rate:g} a second is too much for {len(devices)} devices: a reading's time is in whole milliseconds")
        return tuple(replace(d, interval_ms=interval, offset_ms=int(interval * i / len(devices)), boot=start_ms // 1000) for i, d in enumerate(devices))

    async def _sample(self, devices: Sequence[FieldDevice], memories: dict[str, _Memory], start_ms: int, stop_ms: int | None) -> None:
        """Put each sample into its device's memory when the clock comes to it."""
        streams = [self._samples(d, start_ms, stop_ms) for d in devices]
        due: list[tuple[int, int, Sample]] = []
        for i, stream in enumerate(streams):
            first = next(stream, None)
            if first is not None:
                heapq.heappush(due, (first.time_ms, i, first))
            await asyncio.sleep(0)  # a stream works out a whole block at its first sample: let the others breathe
        while due:
            now = self._clock.now_ms()
            while due and due[0][0] <= now:
                _, i, sample = due[0]
                memories[devices[i].id].put(sample)
                following = next(streams[i], None)
                if following is None:
                    heapq.heappop(due)
                else:
                    heapq.heapreplace(due, (following.time_ms, i, following))
                    if following.seq % BLOCK == 0:
                        await asyncio.sleep(0)
            if due:
                await asyncio.sleep(min(_TICK_S, max(0.002, self._clock.real_seconds((due[0][0] - now) / 1000))))
        for memory in memories.values():
            memory.end()

    def _samples(self, device: FieldDevice, start_ms: int, stop_ms: int | None) -> Iterator[Sample]:
        return samples(self.network, device, max(start_ms, self.taken.get(device.id, start_ms)), stop_ms)

    async def _send(self, device: FieldDevice, source: _Memory | _History, *, window: int = 1) -> None:
        publisher, encode = self._publishers[device.id], device.firmware.encode
        prefix = f"canhman/{self._org}/{device.id}/"

        async def publish(message: Message) -> Delivery:
            self.counts.published += len(message)
            suffix, payload = encode(message, self._clock.now_ms())
            return await publisher.publish(prefix + suffix, payload)

        def done(message: Message, answer: Delivery) -> None:
            if answer is Delivery.REFUSED:
                self.counts.refused += len(message)
                if device.id not in self._refusals:
                    self._refusals.add(device.id)
                    log.warning("publish_refused", device=device.id, topic=prefix)
            else:
                self.counts.acknowledged += len(message)
            self.taken[device.id] = message[-1].time_ms + 1  # in order: all before it was taken too
            if self._on_progress is not None:
                self._on_progress(self.counts)

        await deliver(source, publish, done, window=window, backoff=self._backoff)


async def _all(coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run them together; the first error cancels the others and is raised as it is."""
    tasks = [asyncio.ensure_future(c) for c in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def run_devices(
    network: Network,
    publisher_for: PublisherFor,
    clock: Clock,
    *,
    org: str = "default",
    backfill_days: float = 0.0,
    on_backfilled: Callable[[], None] | None = None,
    start_ms: int | None = None,
    stop_ms: int | None = None,
    rate: float | None = None,
    wait_s: float | None = None,
    on_progress: Progress | None = None,
    backoff: Backoff | None = None,
    counts: Counts | None = None,
    taken: dict[str, int] | None = None,
) -> Counts:
    """Connect all devices, let them send `backfill_days` of history, then what they measure as the clock goes on; returns the counts.

    The history ends where the live samples begin, at `start_ms` (the clock's now); hold the clock still meanwhile and set
    it going in `on_backfilled`. Speed is the clock's. A caller that cancels reads the counts in the `counts` it passed.
    Raises RefusedError where the broker will not have a device, UnavailableError where it is not there within `wait_s`.
    """
    fleet = Fleet(network, publisher_for, clock, org=org, backoff=backoff, on_progress=on_progress, counts=counts, taken=taken)
    try:
        await fleet.open(wait_s=wait_s)
        start = clock.now_ms() if start_ms is None else start_ms
        if backfill_days:
            await fleet.backfill(start - round(backfill_days * DAY_MS), start)
        if on_backfilled is not None:
            on_backfilled()
        await fleet.run(start_ms=start, stop_ms=stop_ms, rate=rate)
    finally:
        await fleet.close()
    return fleet.counts
