"""What ingest has done since its last commit: merged per series in memory, written once a second in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.deadletter import DeadLetter
from core.series import SeriesKey
from core.state import BootSpan, Commit, DeviceStatus, Latest, Seen, Waiting, Written

MOST_PARTS = 50  # batches kept apart before they are merged, so that a database that is away for hours fills no memory


class Pending:
    """Collects; `commit(...)` hands it over. Nothing is cleared before the database has answered (`done`)."""

    def __init__(self) -> None:
        self._parts: list[tuple[Batch, NDArray[np.int64]]] = []  # of each series written its newest row, and its oldest time
        self.dead: list[DeadLetter] = []
        self.waiting: list[Waiting] = []
        self.statuses: dict[str, DeviceStatus] = {}
        self.counters: Counter[str] = Counter()
        self.done_waiting: list[int] = []
        self.done_replays: list[int] = []
        self._seen: dict[tuple[str, int, int, bytes], Seen] = {}
        self._boots: dict[tuple[str, int], BootSpan] = {}

    def __len__(self) -> int:
        """How much waits that grows with bad input rather than with the registry."""
        return len(self.dead) + len(self.waiting) + len(self._seen)

    def wrote(self, batch: Batch) -> None:
        """Rows the store took, sorted by (series, time)."""
        if not len(batch):
            return
        last = np.append(batch.series[1:] != batch.series[:-1], True)
        self._parts.append((batch.take(last), batch.time[np.append(True, last[:-1])]))
        if len(self._parts) > MOST_PARTS:
            self._merge()

    def _merge(self) -> None:
        """All parts as one: of each series the newest row (of equal times the one written last) and the oldest time."""
        rows = Batch.concat([newest for newest, _ in self._parts])
        oldest = np.concatenate([since for _, since in self._parts]) if self._parts else rows.time
        order = np.lexsort((rows.time, rows.series))  # stable
        rows, oldest = rows.take(order), oldest[order]
        first = np.flatnonzero(np.append(True, rows.series[1:] != rows.series[:-1])) if len(rows) else np.zeros(0, dtype=np.intp)
        last = np.append(first[1:], len(rows))[: len(first)] - 1
        self._parts = [(rows.take(last), np.minimum.reduceat(oldest, first))] if len(rows) else []

    def absorb(self, later: Pending) -> None:
        """What one more batch has added, beside rows written."""
        self.dead += later.dead
        self.waiting += later.waiting
        self.statuses |= later.statuses
        self.counters.update(later.counters)
        self._seen |= later._seen
        self._boots |= later._boots

    def remember(self, seen: Sequence[Seen], boots: Sequence[BootSpan]) -> None:
        """Identities met since the last call."""
        self._seen |= {(s.device, s.boot, s.seq, s.digest): s for s in seen}
        self._boots |= {(b.device, b.boot): b for b in boots}

    def commit(self, journal: str, cursor: int, keys: Sequence[SeriesKey], roles: Mapping[int, str]) -> Commit:
        """All of it as one transaction that covers the journal up to `cursor`."""
        return Commit(
            journal=journal,
            state_cursor=cursor,
            written=tuple(self._written(keys, roles)),
            dead=tuple(self.dead),
            seen=tuple(self._seen.values()),
            boots=tuple(self._boots.values()),
            waiting=tuple(self.waiting),
            statuses=tuple(self.statuses.values()),
            counters=dict(self.counters),
            done_waiting=tuple(self.done_waiting),
            done_replays=tuple(self.done_replays),
        )

    def _written(self, keys: Sequence[SeriesKey], roles: Mapping[int, str]) -> Iterator[Written]:
        self._merge()
        for rows, since in self._parts:
            columns = zip(
                rows.series.tolist(), rows.time.tolist(), rows.value.tolist(), rows.flag.tolist(), rows.received.tolist(), since.tolist(), strict=True
            )
            for series, time, value, flag, received, oldest in columns:
                newest = Latest(time=time, value=value, flag=flag)
                yield Written(key=keys[series], role=roles.get(series, "primary"), newest=newest, received=received, dirty_from=oldest)
