"""What ingest has done since its last commit: merged per series in memory, written once a second in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from core.batch import Batch
from core.deadletter import DeadLetter
from core.series import SeriesKey
from core.state import BootSpan, Commit, DeviceStatus, Latest, Seen, Waiting, Written


class Pending:
    """Collects; `commit(...)` hands it over. Nothing is cleared before the database has answered (`done`)."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[Latest, int, int]] = {}  # series → newest, received, dirty_from
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
        last = np.flatnonzero(np.append(batch.series[1:] != batch.series[:-1], True))
        first = np.append(0, last[:-1] + 1)
        columns = zip(
            batch.series[last].tolist(),
            batch.time[last].tolist(),
            batch.value[last].tolist(),
            batch.flag[last].tolist(),
            batch.received[last].tolist(),
            batch.time[first].tolist(),
            strict=True,
        )
        for series, time, value, flag, received, oldest in columns:
            before = self._written.get(series)
            if before is None:
                self._written[series] = (Latest(time=time, value=value, flag=flag), received, oldest)
            else:
                newest = before[0] if before[0].time > time else Latest(time=time, value=value, flag=flag)
                self._written[series] = (newest, received if newest is not before[0] else before[1], min(before[2], oldest))

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
            written=tuple(
                Written(key=keys[series], role=roles.get(series, "primary"), newest=newest, received=received, dirty_from=oldest)
                for series, (newest, received, oldest) in self._written.items()
            ),
            dead=tuple(self.dead),
            seen=tuple(self._seen.values()),
            boots=tuple(self._boots.values()),
            waiting=tuple(self.waiting),
            statuses=tuple(self.statuses.values()),
            counters=dict(self.counters),
            done_waiting=tuple(self.done_waiting),
            done_replays=tuple(self.done_replays),
        )
