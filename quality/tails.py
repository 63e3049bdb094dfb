"""Judging in memory what has just been written, before the second's commit: no reading back, and no row left unjudged.

Window tests look back some hours. Those rows of a series (its tail) are kept here, for the series that have such a test.
Once a second all rows written since are judged with their tails, in one block of columns; flags that came out otherwise
are written, and the rows are committed as judged.

A row is judged here only where nothing can be missing: its series' tail reaches back far enough, it is newer than all
rows of the series it is linked with, no test looks ahead, and nobody else judges or writes. Everything else (late and
replaced rows, the first rows after a start) is marked dirty, and `quality.sweep` reads it back from the store; it hands
the tail over, so that what follows is judged here again. Both ways end in the flags `judge` has for the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.flags import Flag
from core.place import ALWAYS
from core.series import SeriesKey
from quality.flagging import WriteFlags
from quality.intervals import Intervals
from quality.judge import context, judge
from quality.links import Links
from quality.qc import HOUR_MS, Context, place
from quality.rules import Rules

MOST_ROWS = 1_000_000  # in all tails together (41 MB); beyond it the densest series are read back instead
MOST_WAITING = 200_000  # rows; a commit that is late must not fill memory
NEVER = np.iinfo(np.int64).min  # no row at all

Known = Mapping[SeriesKey, tuple[int, int]]
"""Of each series stored the time of its newest row, and its interval [ms], 0 where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """By series: whether all its rows since the last commit are judged, the flag of the newest, the newest good one, its interval.

    judged (n,) bool; flag (n,) uint8; good_time (n,) int64, `NEVER` where none was good; good_value (n,); interval_ms (n,) int64, 0: unknown.
    """

    judged: NDArray[np.bool_]
    flag: NDArray[np.uint8]
    good_time: NDArray[np.int64]
    good_value: NDArray[np.float64]
    interval_ms: NDArray[np.int64]
    config: str

    def of(self, series: NDArray[np.intp]) -> Iterator[tuple[bool, int, int, float, int]]:
        """(judged, flag, good_time, good_value, interval_ms) of each of `series`."""
        columns = (self.judged, self.flag, self.good_time, self.good_value, self.interval_ms)
        return zip(*(column[series].tolist() for column in columns), strict=True)


class Tails:
    """Of the series of one growing table, for its only writer, which is the judge too. The calls are one thread's."""

    def __init__(self, rules: Rules, known: Known) -> None:
        self._known = known
        self._last = np.zeros(0, dtype=np.int64)  # the time of the newest row of each series
        self._since = np.zeros(0, dtype=np.int64)  # from here on all rows of the series that a test may look at are in its tail; `NEVER`: from its first row on
        self._flag = np.zeros(0, dtype=np.uint8)  # of the newest row
        self._good_time = np.zeros(0, dtype=np.int64)  # of the newest good one since the last commit
        self._good_value = np.zeros(0)
        self._unsure = np.zeros(0, dtype=np.bool_)  # for the series that is the root of others too: theirs
        self._newest = np.zeros(0, dtype=np.int64)  # of the root: no row of all it is linked with lies after it
        self._strange = np.zeros(0, dtype=np.bool_)  # somebody else may have written it, and it was not read back since
        self._rewritten = False  # somebody else has written since the start: of the series met later too
        self._intervals = Intervals()
        self._rows = Batch.empty()  # the tails, sorted by (series, time)
        self._waiting: list[Batch] = []  # written and not judged yet
        self._learned: list[tuple[NDArray[np.int32], Batch]] = []
        self.judged = 0  # rows: by their own tests alone, or with their tails
        self._links = Links(rules)
        self.use(rules)

    def use(self, rules: Rules) -> None:
        """Judge by these rules, of the same table, from now on."""
        self._rules = rules
        self._before, after = context(rules.config.tests.values())
        self._looks_ahead = after != Context()
        self._newest = self._newest[self._links.root]  # other rules may link them otherwise
        self._links = Links(rules)
        self._grow()
        self.forget()

    def forget(self) -> None:
        """Nothing that is kept is believed any more (somebody else judged meanwhile): what waits is read back, and the tails begin anew."""
        for rows in self._waiting:
            self._unsure[self._links.root[rows.series]] = True
        self._waiting, self._learned, self._rows = [], [], Batch.empty()
        self._since = np.where(self._last == NEVER, NEVER, np.maximum(self._last, self._newest[self._links.root]) + 1)

    def mistrust(self) -> None:
        """Somebody else wrote readings: of no series, those met later too, anything is known before it was read back."""
        self.forget()
        self._unsure[:] = True  # what was written since the last commit, by its own tests alone too: it may have replaced theirs
        self._strange[:] = True
        self._rewritten = True

    @property
    def waiting(self) -> int:
        """How many rows wait to be judged."""
        return sum(map(len, self._waiting))

    def wrote(self, batch: Batch) -> None:
        """Rows the store took, sorted by (series, time), each identity once."""
        if not len(batch):
            return
        self._grow()
        last = batch.last_of_series()
        first = np.append(0, last[:-1] + 1)
        series = batch.series[last]
        root = self._links.root[series]
        self._unsure[root[(batch.time[first] <= self._newest[root]) | self._strange[series]]] = True
        self._intervals.add(batch, self._last[batch.series])
        np.maximum.at(self._newest, root, batch.time[last])
        self._last[series] = np.maximum(self._last[series], batch.time[last])
        here = self._links.judged_here[batch.series]
        if here.any():
            self._waiting.append(batch.take(here))
        self.judged += len(batch) - int(here.sum())
        self._found(batch.take(~here))

    async def settle(self, write_flags: WriteFlags) -> Settled:
        """Judge what waits, and write the flags that came out otherwise. Raises what the store raises, and may be repeated then."""
        self._grow()
        self._take_in()
        rows = _merged(*self._waiting).distinct() if self._waiting else Batch.empty()
        if len(rows):
            await self._judge(write_flags, rows)
        judged = ~self._unsure[self._links.root]
        return Settled(
            judged=np.zeros_like(judged) if self._looks_ahead else judged,
            flag=self._flag,
            good_time=self._good_time,
            good_value=self._good_value,
            interval_ms=self._intervals.median(),
            config=self._rules.config.hash,
        )

    def committed(self) -> None:
        """What `settle` said is in the database."""
        self._good_time[:] = NEVER
        self._unsure[:] = False

    def learn(self, keys: Sequence[SeriesKey], rows: Batch, since: int) -> None:
        """All that the store holds of `keys` from `since` on, read after the last `settle`; `rows.series` indexes `keys`."""
        self._grow()
        numbers = np.array([self._rules.index(key) for key in keys], dtype=np.int32)
        self._heard(numbers, rows, since)
        wanted = numbers >= 0
        wanted[wanted] = self._links.windowed[numbers[wanted]]
        if wanted.any():
            kept = rows.take(wanted[rows.series])
            kept = replace(kept, series=numbers[kept.series])
            self._since[numbers[wanted]] = since if since > ALWAYS else NEVER
            self._learned.append((numbers[wanted], kept))

    def _heard(self, numbers: NDArray[np.int32], rows: Batch, since: int) -> None:
        """How far the series go that were read from `since` on, where somebody else may have written them."""
        met = numbers[numbers >= 0]
        root = self._links.root[met[self._strange[met]]]
        np.maximum.at(self._newest, root, since - 1 if since > ALWAYS else NEVER)  # of what lies before nothing is known
        last = rows.last_of_series()
        series = numbers[rows.series[last]]
        last, series = last[series >= 0], series[series >= 0]
        np.maximum.at(self._newest, self._links.root[series], rows.time[last])
        self._last[series] = np.maximum(self._last[series], rows.time[last])
        self._strange[met] = False

    # ------------------------------------------------------------ the rows

    async def _judge(self, write_flags: WriteFlags, rows: Batch) -> None:
        last = rows.last_of_series()
        first, series, root = np.append(0, last[:-1] + 1), rows.series[last], self._links.root
        tail, counts = self._tails_of(series)
        enough = (self._since[series] <= rows.time[first] - int(self._before.hours * HOUR_MS)) & (counts >= self._before.samples)
        reaches = enough | (self._since[series] == NEVER)
        self._unsure[root[series[~reaches & self._links.windowed[series]]]] = True
        block = _merged(tail, rows).distinct()
        at = np.searchsorted(place(block.series, block.time), place(rows.series, rows.time))
        asked = np.zeros(len(block), dtype=np.bool_)
        asked[at] = True
        flags, bits = judge(block, self._rules, asked=asked)
        fresh = replace(rows, flag=flags[at], tests=bits[at])
        sure = ~self._unsure[root[rows.series]] & (not self._looks_ahead)
        differs = sure & ((fresh.flag != rows.flag) | (fresh.tests != rows.tests))
        if differs.any() and not await write_flags(fresh.take(differs), self._rules.keys):
            sure[:] = False  # somebody rewrites what they were judged from
            self._unsure[self._links.root[rows.series]] = True
        self.judged += int(sure.sum())
        self._waiting = []
        self._found(fresh)
        self._keep(series, block.take(self._links.windowed[block.series]))

    def _found(self, rows: Batch) -> None:
        """Rows with their flags, sorted: of each series the newest one's, and the newest good one."""
        last = rows.last_of_series()
        newest = rows.time[last] >= self._last[rows.series[last]]
        self._flag[rows.series[last[newest]]] = rows.flag[last[newest]]
        good = rows.take(rows.flag == Flag.GOOD)
        last = good.last_of_series()
        last = last[good.time[last] >= self._good_time[good.series[last]]]
        self._good_time[good.series[last]], self._good_value[good.series[last]] = good.time[last], good.value[last]

    def _tails_of(self, series: NDArray[np.int32]) -> tuple[Batch, NDArray[np.intp]]:
        """The tails of `series`, and how many rows each has."""
        low, high = np.searchsorted(self._rows.series, series), np.searchsorted(self._rows.series, series, side="right")
        counts = high - low
        before = np.cumsum(counts) - counts
        return self._rows.take(np.repeat(low - before, counts) + np.arange(int(counts.sum()))), counts

    def _keep(self, series: NDArray[np.int32], rows: Batch) -> None:
        """`rows`, sorted, instead of the tails of `series`, as far as the next row will look back."""
        last = rows.last_of_series()
        end = np.zeros(len(self._last), dtype=np.intp)
        end[rows.series[last]] = last
        end = end[rows.series]
        wanted = (rows.time >= rows.time[end] - int(self._before.hours * HOUR_MS)) | (end - np.arange(len(rows)) < self._before.samples)
        others = self._rows.take(~self._are(series)[self._rows.series])
        self._rows = _merged(others, rows.take(wanted))
        if len(self._rows) > MOST_ROWS:
            last = self._rows.last_of_series()
            counts = np.diff(np.append(-1, last))
            order = np.argsort(counts, kind="stable")
            densest = self._rows.series[last[order[np.cumsum(counts[order]) > MOST_ROWS]]]
            self._rows = self._rows.take(~self._are(densest)[self._rows.series])
            self._since[densest] = self._last[densest] + 1

    def _are(self, series: NDArray[np.int32]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._last), dtype=np.bool_)
        mask[series] = True
        return mask

    def _take_in(self) -> None:
        """What the judge's round handed over; of a series it read twice both readings."""
        if self._learned:
            learned, self._learned = self._learned, []
            self._keep(np.concatenate([series for series, _ in learned]), _merged(*(rows for _, rows in learned)).distinct())

    # ------------------------------------------------------------ the series

    def _grow(self) -> None:
        """Room for the series met since the last call."""
        known = len(self._last)
        if not self._links.grow():
            return
        keys = self._rules.keys[known:]
        met = [self._known.get(key, (NEVER, 0)) for key in keys]
        last = np.array([time for time, _ in met], dtype=np.int64)
        self._intervals.grow(np.array([interval for _, interval in met], dtype=np.int64))
        self._last = np.append(self._last, last)
        self._since = np.append(self._since, np.where(last == NEVER, NEVER, last + 1))
        self._strange = np.append(self._strange, np.full(len(keys), self._rewritten))
        self._flag = np.append(self._flag, np.zeros(len(keys), dtype=np.uint8))
        self._good_time = np.append(self._good_time, np.full(len(keys), NEVER))
        self._good_value = np.append(self._good_value, np.zeros(len(keys)))
        # links may have joined series that were apart
        size, root = len(self._last), self._links.root
        unsure = np.append(self._unsure, np.zeros(len(keys), dtype=np.bool_))
        self._unsure = np.zeros(size, dtype=np.bool_)
        np.logical_or.at(self._unsure, root, unsure)
        newest = np.append(self._newest, last)
        self._newest = np.full(size, NEVER)
        np.maximum.at(self._newest, root, newest)


def _merged(*parts: Batch) -> Batch:
    """Sorted by (series, time); of one identity the rows in the order of `parts`."""
    rows = Batch.concat(parts)
    return rows.take(np.argsort(place(rows.series, rows.time), kind="stable"))  # made of sorted runs: that is fast
