"""What ingest has done since its last commit: merged per series in memory, written once a second in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.deadletter import DeadLetter
from core.flags import Flag
from core.series import SeriesKey
from core.state import Arrival, BootSpan, Commit, DeviceClock, DeviceStatus, Latest, Seen, Waiting, Written
from quality.tails import NEVER, Settled

_FOREVER = np.iinfo(np.int64).max


class Newest:
    """Of each series written since the last commit its newest row (of equal times the one written last), and its oldest time.

    One row of each array per series of the table, so that a batch costs a few look-ups by index however much waits.
    """

    def __init__(self) -> None:
        self._size = 0
        self._time = self._received = self._oldest = np.zeros(0, dtype=np.int64)
        self._value = np.zeros(0)
        self._flag = np.zeros(0, dtype=np.uint8)

    def wrote(self, batch: Batch) -> None:
        """Rows the store took, sorted by (series, time)."""
        if not len(batch):
            return
        last = batch.last_of_series()
        first = np.append(0, last[:-1] + 1)
        series, time = batch.series[last], batch.time[last]
        self._grow(int(series[-1]) + 1)
        self._oldest[series] = np.minimum(self._oldest[series], batch.time[first])
        newer = time >= self._time[series]
        series, last = series[newer], last[newer]
        self._time[series], self._value[series] = batch.time[last], batch.value[last]
        self._flag[series], self._received[series] = batch.flag[last], batch.received[last]

    def rows(self) -> tuple[NDArray[np.intp], list[NDArray[np.int64] | NDArray[np.float64] | NDArray[np.uint8]]]:
        """The series written, and of each time, value, flag, received and oldest time."""
        written = np.flatnonzero(self._oldest != _FOREVER)
        return written, [column[written] for column in (self._time, self._value, self._flag, self._received, self._oldest)]

    def _grow(self, size: int) -> None:
        if size > self._size:
            more = max(size, 2 * self._size) - self._size
            self._time = np.append(self._time, np.full(more, -_FOREVER))
            self._received = np.append(self._received, np.zeros(more, dtype=np.int64))
            self._oldest = np.append(self._oldest, np.full(more, _FOREVER))
            self._value = np.append(self._value, np.zeros(more))
            self._flag = np.append(self._flag, np.zeros(more, dtype=np.uint8))
            self._size += more


class Pending:
    """Collects; `commit(...)` hands it over. Nothing is cleared before the database has answered (`done`)."""

    def __init__(self) -> None:
        self._newest: Newest | None = None
        self.dead: list[DeadLetter] = []
        self.waiting: list[Waiting] = []
        self.statuses: dict[str, DeviceStatus] = {}
        self.counters: Counter[str] = Counter()
        self.done_waiting: list[int] = []
        self.done_replays: list[int] = []
        self.failed_replays: list[tuple[int, str]] = []
        self.clocks: dict[str, DeviceClock] = {}
        self.arrivals: list[Arrival] = []  # where several ingests share the devices
        self._seen: dict[tuple[str, int, int, bytes], Seen] = {}
        self._boots: dict[tuple[str, int], BootSpan] = {}

    def __len__(self) -> int:
        """How much waits that grows with bad input rather than with the registry."""
        return len(self.dead) + len(self.waiting) + len(self._seen) + len(self.arrivals)

    def wrote(self, batch: Batch) -> None:
        """Rows the store took, sorted by (series, time)."""
        if self._newest is None:
            self._newest = Newest()
        self._newest.wrote(batch)

    def absorb(self, later: Pending) -> None:
        """What one more batch has added, beside rows written."""
        self.dead += later.dead
        self.waiting += later.waiting
        self.statuses |= later.statuses
        self.counters.update(later.counters)
        self.arrivals += later.arrivals
        self.remember(tuple(later._seen.values()), tuple(later._boots.values()))

    def remember(self, seen: Sequence[Seen], boots: Sequence[BootSpan]) -> None:
        """Identities met since the last call."""
        self._seen |= {(s.device, s.boot, s.seq, s.digest): s for s in seen}
        self._boots |= {(b.device, b.boot): b for b in boots}

    def commit(self, journal: str, cursor: int, keys: Sequence[SeriesKey], roles: Mapping[int, str], settled: Settled | None = None) -> Commit:
        """All of it as one transaction that covers the journal up to `cursor`; `settled`: what is judged of it already."""
        return Commit(
            journal=journal,
            state_cursor=cursor,
            written=tuple(self._written(keys, roles, settled)),
            dead=tuple(self.dead),
            seen=tuple(self._seen.values()),
            boots=tuple(self._boots.values()),
            arrivals=tuple(self.arrivals),
            waiting=tuple(self.waiting),
            statuses=tuple(self.statuses.values()),
            counters=dict(self.counters),
            done_waiting=tuple(self.done_waiting),
            done_replays=tuple(self.done_replays),
            failed_replays=tuple(self.failed_replays),
            clocks=tuple(self.clocks.values()),
        )

    def _written(self, keys: Sequence[SeriesKey], roles: Mapping[int, str], settled: Settled | None) -> Iterator[Written]:
        if self._newest is None:
            return
        written, columns = self._newest.rows()
        answers = repeat((False, 0, NEVER, 0.0, 0)) if settled is None else settled.of(written)
        for series, time, value, flag, received, oldest, (judged, its_flag, good_time, good_value, interval) in zip(
            written.tolist(), *(column.tolist() for column in columns), answers, strict=settled is not None
        ):
            key, role = keys[series], roles.get(series, "primary")
            if not judged or settled is None:
                yield Written(key=key, role=role, newest=Latest(time=time, value=value, flag=flag), received=received, dirty_from=oldest)
                continue
            newest = Latest(time=time, value=value, flag=its_flag)
            is_good = its_flag == Flag.GOOD and good_time == time and good_value == value  # nearly always the newest is
            good = newest if is_good else None if good_time == NEVER else Latest(time=good_time, value=good_value, flag=Flag.GOOD)
            yield Written(
                key=key,
                role=role,
                newest=newest,
                received=received,
                dirty_from=oldest,
                judged=True,
                good=good,
                config=settled.config,
                interval_ms=interval or None,
            )
