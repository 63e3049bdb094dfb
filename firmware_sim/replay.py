"""Replaying recorded rows as if each station were a device: native JSON with recorded times, until somebody took every one.

`seq` is not sent: a recorded time identifies by itself, so that the same file replayed twice is the same readings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from core.clock import Y2000_MS, Clock, rfc3339
from core.errors import ConfigError
from core.ports import Delivery, Publisher
from firmware_sim.csv_rows import BadRow, Clash, Recording, ReplayRow, read_csv
from firmware_sim.delivery import Backoff, connect, deliver
from firmware_sim.device_ids import device_id

__all__ = ["BadRow", "Clash", "Recording", "ReplayReport", "ReplayRow", "device_id", "read_csv", "replay"]

AHEAD_MS = 600_000  # ingest refuses a time further ahead of the clock than this, as one before 2000
_TICK_S = 0.5
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, kw_only=True)
class ReplayReport:
    """What became of a file: rows read, lines not read, rows by what became of them (`published` counts attempts).

    Of the acknowledged rows, ingest refuses those `ahead` of the clock and those `before_2000` as dead letters `clock`;
    of those that clash (one device and time, two values) the last one stays; `repeated` rows say what was said before.
    """

    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    bad_count: int = 0
    published: int = 0
    acknowledged: int = 0
    refused: int = 0
    stations: dict[str, int] = field(default_factory=dict)  # device → rows acknowledged
    shift_ms: int = 0
    clashes: list[Clash] = field(default_factory=list)
    clash_count: int = 0
    repeated: int = 0
    ahead: int = 0
    before_2000: int = 0

    @property
    def waiting(self) -> int:
        """Rows read and not yet taken or refused."""
        return self.rows - self.acknowledged - self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    device: str
    payload: bytes
    rows: int
    ahead: int
    before_2000: int


class _Rows:
    """Rows as messages, `batch` of one station to a message, each when its time has come. A `deliver` source.

    A device's first message waits until it is connected.
    """

    def __init__(
        self, rows: Iterator[ReplayRow], clock: Clock, *, batch: int, shift_ms: int, pace: Callable[[int], float] | None, connections: _Connections
    ) -> None:
        self._rows = rows
        self._next = next(rows, None)
        self._clock, self._batch, self._shift, self._pace, self._connections = clock, batch, shift_ms, pace, connections

    def _due(self, row: ReplayRow) -> bool:
        return self._pace is None or self._pace(row.time_ms) <= 0

    def take(self) -> _Message | None:
        row = self._next
        if row is None or row.device not in self._connections or not self._due(row):
            return None
        device = row.device
        latest = self._clock.now_ms() + AHEAD_MS
        times: list[int] = []
        objects: list[dict[str, Any]] = []
        while row is not None and row.device == device and len(objects) < self._batch and self._due(row):
            times.append(row.time_ms + self._shift)
            objects.append({"time": rfc3339(times[-1]), "readings": row.readings})
            row = next(self._rows, None)
        self._next = row
        return _Message(
            device=device,
            payload=_encode(objects if self._batch > 1 else objects[0]),
            rows=len(objects),
            ahead=sum(t > latest for t in times),
            before_2000=sum(t < Y2000_MS for t in times),
        )

    async def more(self) -> bool:
        row = self._next
        if row is None:
            return False
        if row.device not in self._connections:
            await self._connections.connect(row.device)
        if self._pace is not None and (wait := self._pace(row.time_ms)) > 0:
            await asyncio.sleep(min(wait, _TICK_S))  # a clock may change its speed meanwhile: `deliver` asks again
        return True


class _Connections:
    """The publisher of each device, opened when it is first needed; several devices may share one."""

    def __init__(self, publisher_for: Callable[[str], Publisher], *, wait_s: float | None, backoff: Backoff | None) -> None:
        self._publisher_for, self._wait_s, self._backoff = publisher_for, wait_s, backoff
        self._of: dict[str, Publisher] = {}
        self._opened: list[Publisher] = []

    def __contains__(self, device: str) -> bool:
        return device in self._of

    def __getitem__(self, device: str) -> Publisher:
        return self._of[device]

    async def connect(self, device: str) -> None:
        """Make it the device's. Raises RefusedError, UnavailableError."""
        publisher = self._publisher_for(device)
        if not any(publisher is other for other in self._opened):
            self._opened.append(publisher)
            await connect(publisher.open, backoff=self._backoff, wait_s=self._wait_s)
        self._of[device] = publisher

    async def close(self) -> None:
        """Disconnect all."""
        await asyncio.gather(*(p.close() for p in self._opened), return_exceptions=True)


def _shift(first_ms: int, last_ms: int, now_ms: int, speed: float | None) -> int:
    """How far to move all times so that none is ahead of the clock when it is sent, and the newest is as new as can be [ms].

    At speed 1 the first row is now; faster, the last row is now when it is sent. Whole minutes, so that 01:00 stays a round time.
    """
    span = last_ms - first_ms
    sent = now_ms + (0 if speed is None else int(span / speed))
    return min(now_ms - first_ms, sent - last_ms) // 60_000 * 60_000


def _plan(recording: Recording, clock: Clock, connections: _Connections, *, speed: float | None, shift_to_now: bool, batch: int) -> tuple[_Rows, int]:
    """The rows as a source of messages, and by how much their times are moved [ms]."""
    if speed is None and not shift_to_now:
        return _Rows(iter(recording), clock, batch=batch, shift_ms=0, pace=None, connections=connections), 0
    rows = list(recording)
    first = min((r.time_ms for r in rows), default=0)
    last = max((r.time_ms for r in rows), default=0)
    start = clock.now_ms()
    shift_ms = _shift(first, last, start, speed) if shift_to_now and rows else 0
    if speed is None:
        return _Rows(iter(rows), clock, batch=batch, shift_ms=shift_ms, pace=None, connections=connections), shift_ms
    rows.sort(key=lambda row: row.time_ms)  # stable: a station's own order of equal times stays

    def pace(time_ms: int) -> float:
        return clock.real_seconds(((time_ms - first) / speed - (clock.now_ms() - start)) / 1000)

    return _Rows(iter(rows), clock, batch=batch, shift_ms=shift_ms, pace=pace, connections=connections), shift_ms


async def replay(
    recording: Recording,
    publisher_for: Callable[[str], Publisher],
    clock: Clock,
    *,
    org: str = "default",
    speed: float | None = None,
    shift_to_now: bool = False,
    window: int = 100,
    batch: int = 1,
    wait_s: float | None = None,
    on_progress: Callable[[ReplayReport], None] | None = None,
    backoff: Backoff | None = None,
    report: ReplayReport | None = None,
) -> ReplayReport:
    """Publish every row at QoS 1 to `canhman/{org}/{device}/telemetry`, in the order of the file, and wait until all are taken.

    Args: publisher_for: the connection of a device id; it may be one and the same for all, and is opened and closed here.
        speed: 60 = a recorded hour in a minute of the clock, all stations side by side; None = as fast as they are taken.
        shift_to_now: move all times so that the newest is now when it is sent. window: messages on their way at once.
        batch: rows of one station in one message. report: filled while it runs, for a caller that cancels.
    A message without subscribers was not delivered: it is sent again after a back-off. Raises RefusedError, UnavailableError.
    """
    if (speed is not None and not speed > 0) or window < 1 or batch < 1:
        raise ConfigError(f"speed ({speed}) must be over 0, window ({window}) and batch ({batch}) at least 1")
    found = report or ReplayReport()
    connections = _Connections(publisher_for, wait_s=wait_s, backoff=backoff)

    def read() -> None:
        found.rows, found.bad, found.bad_count = recording.rows, recording.bad, recording.bad_count
        found.clashes, found.clash_count, found.repeated = recording.clashes, recording.clash_count, recording.repeated

    async def publish(message: _Message) -> Delivery:
        found.published += message.rows
        return await connections[message.device].publish(f"canhman/{org}/{message.device}/telemetry", message.payload)

    def done(message: _Message, answer: Delivery) -> None:
        if answer is Delivery.REFUSED:
            found.refused += message.rows
        else:
            found.acknowledged += message.rows
            found.ahead += message.ahead
            found.before_2000 += message.before_2000
            found.stations[message.device] = found.stations.get(message.device, 0) + message.rows
        if on_progress is not None:
            read()
            on_progress(found)

    try:
        source, found.shift_ms = _plan(recording, clock, connections, speed=speed, shift_to_now=shift_to_now, batch=batch)
        await deliver(source, publish, done, window=window, backoff=backoff)
    finally:
        read()
        await connections.close()
    return found
