"""How far each device's clock is off ours, measured while its messages pass.

A reading arrives after it was measured, so `arrival − time` = delay − offset, and the delay is never negative: the smallest
of some minutes bounds the offset, and a backlog, whose readings waited, never counts as one. One slot a minute with
messages, the last sixteen of them; beside them the smallest of each half day, for a clock that drifts.

    offsets.saw(batch, keys)      per batch of rows: two references kept, nothing else
    offsets.refused(…)            per message refused for its clock
    offsets.take()                once a second: what the database should know
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.clock import Y2000_MS
from core.series import SeriesKey
from core.state import DeviceClock

Ints = NDArray[np.int64]

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NONE = np.int64(1 << 62)  # no delay known

VERDICTS = ("good", "zone", "ahead", "behind", "drifting", "lost", "unknown")
LOST, UNKNOWN = VERDICTS.index("lost"), VERDICTS.index("unknown")

SLOT_MS, SLOTS = MINUTE, 16
HALF_DAY, HALF_DAYS = 12 * HOUR, 14
RECENT = 4  # slots that are believed against all before them, where they agree
STEADY_MS = MINUTE  # how near each other delays lie that are one level
STEP_MS = 2 * MINUTE  # a level this much above the one before is another offset
AHEAD_MS = 2 * MINUTE  # nothing arrives before it was measured: this much is our clock's or theirs
BEHIND_MS = 10 * MINUTE  # what is older may as well have waited
ZONE_MS = 5 * MINUTE  # how near a whole hour looks like another zone
FAR_MS = 30 * DAY  # a clock that lost its time, or recorded data; no offset
SAME_START_MS = 20 * MINUTE  # how near each other two starts at the same past instant lie
DRIFT_MS = 5_000  # a day
DRIFTED_MS = 30_000  # over all half days known

HEARD_MS = 20 * MINUTE  # what is older tells nothing of our clock now
MOST_ROWS = 200_000  # kept until the next `take`
LARGE = 1_000  # rows of a batch that are worth putting together by device first
MOST_RUNS = 200  # stretches of arrivals looked at one by one; a sparser backlog is looked at more coarsely
WRITE_EVERY_MS = HOUR  # an estimate of a good clock that hardly changes is written so often
MOST_NEWS = 500  # rows written with one commit
CHANGE_MS = 5_000  # a change of the offset that is worth a row


class Level(NamedTuple):
    """Of each device: the delay of its level [ms], how far the slots lie above it [ms], how many are near it, and whether it is catching up."""

    delay: Ints
    spread: Ints
    near: Ints
    falling: NDArray[np.bool_]


def level(delays: Ints) -> Level:
    """Of (devices, slots) of smallest delays, oldest first, NONE where there is none; each row has at least one.

    The smallest of all, unless the last few agree with each other and lie clearly above it: then the clock was set.
    """
    recent = delays[:, -RECENT:]
    there = recent < NONE
    lowest, latest = delays.min(axis=1), recent.min(axis=1)
    highest = np.where(there, recent, -NONE).max(axis=1)
    stepped = there.all(axis=1) & (latest - lowest > STEP_MS) & (highest - latest <= STEADY_MS)
    found = np.where(stepped, latest, lowest)
    above = np.where(delays < NONE, np.abs(delays - found[:, None]), NONE)
    above[stepped, :-RECENT] = NONE  # of the clock before it was set
    count = (above < NONE).sum(axis=1)
    spread = np.sort(above, axis=1)[np.arange(len(above)), np.maximum(count - 1, 0) // 2]
    near = (above <= STEADY_MS).sum(axis=1)
    falling = (delays[:, -2] < NONE) & (delays[:, -1] < delays[:, -2] - STEP_MS)
    return Level(found, spread, near, falling)


def whole_hours(offset_ms: int) -> int:
    """The zone an offset looks like, in hours (7: local time of Vietnam sent as UTC); 0 where it looks like none.

    What arrived waited a little: the offset measured lies just under the true one, rarely over it.
    """
    hours = round((offset_ms + ZONE_MS / 2) / HOUR)
    return hours if 1 <= abs(hours) <= 14 and abs(hours * HOUR - offset_ms) <= ZONE_MS else 0


def verdicts(offset_ms: Ints, near: Ints, falling: NDArray[np.bool_], drifts: NDArray[np.bool_]) -> Ints:
    """What estimates say, as indices of `VERDICTS`.

    Ahead is proven by one message. What looks behind may have waited: it takes three slots that agree, and none of a backlog.
    """
    hours = np.rint((offset_ms + ZONE_MS / 2) / HOUR)
    zone = (np.abs(hours) >= 1) & (np.abs(hours) <= 14) & (np.abs(hours * HOUR - offset_ms) <= ZONE_MS)
    off = (offset_ms > AHEAD_MS) | (offset_ms < -BEHIND_MS)
    settled = (offset_ms > 0) | ((near >= 3) & ~falling)
    cases = [off & ~settled, off & zone, drifts, off & (offset_ms > 0), off]
    return np.select(cases, [VERDICTS.index(name) for name in ("unknown", "zone", "drifting", "ahead", "behind")], VERDICTS.index("good"))


def drift(delays: Sequence[int]) -> float | None:
    """What a clock gains a day [ms], by the median slope between half days (oldest first, NONE where there is none); None where it keeps time."""
    known = [(i / 2, -int(x)) for i, x in enumerate(delays) if x < NONE]
    if len(known) < 4:
        return None
    slopes = sorted((b - a) / (j - i) for n, (i, a) in enumerate(known) for j, b in known[n + 1 :])
    slope = float(slopes[len(slopes) // 2])
    span = known[-1][0] - known[0][0]
    same_way = sum(s * slope > 0 for s in slopes)
    steady = same_way >= 0.8 * len(slopes)
    return slope if steady and abs(slope) >= DRIFT_MS and abs(slope) * span >= DRIFTED_MS else None


@dataclass(slots=True)
class _Far:
    """A stretch of times far from ours: where it began, its last one, and for how many messages it has run on at the pace of a clock."""

    start: int
    time: int
    received: int
    steady: int = 0
    now: bool = True  # the last message was of it


class Offsets:
    """The measurements of all devices met. One per processor; `take` may be called from the worker alone."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._device_of = np.zeros(0, dtype=np.int64)  # by series
        self._rows: list[tuple[Ints, Ints, Ints]] = []
        self._kept = 0
        self._delays = np.zeros((0, SLOTS), dtype=np.int64)
        self._slot = np.zeros(0, dtype=np.int64)
        self._days = np.zeros((0, HALF_DAYS), dtype=np.int64)
        self._day = np.zeros(0, dtype=np.int64)
        self._last = np.zeros(0, dtype=np.int64)  # arrival of the last message measured
        self._near = np.zeros(0, dtype=np.int64)  # of the last one whose time was not far from ours
        self._gains = np.zeros(0)  # a day [ms]; NaN where it keeps time
        self._changed = np.zeros(0, dtype=np.bool_)
        self._refused: dict[tuple[int, bool], tuple[int, int]] = {}  # by device, and whether before 2000: smallest delay, last arrival
        self._far: dict[int, _Far] = {}
        self._reset: dict[int, tuple[int, int]] = {}  # received, fallen to
        # what was written last: verdict (−1: nothing), offset, arrival, instant it had fallen to
        self._told = np.zeros((0, 4), dtype=np.int64)

    # ------------------------------------------------------------ in

    def load(self, clocks: Iterable[DeviceClock]) -> None:
        """Go on from what the database knows."""
        for clock in clocks:
            d = self._number(clock.device)
            self._last[d] = clock.at
            memory: dict[str, Any] = clock.memory
            self._put(self._delays, self._slot, d, memory.get("slot"), memory.get("delays"))
            self._put(self._days, self._day, d, memory.get("day"), memory.get("days"))
            if clock.reset_at is not None and clock.reset_to is not None:
                self._reset[d] = clock.reset_at, clock.reset_to
            start = memory.get("start")
            if isinstance(start, int):
                self._far[d] = _Far(start, start, 0, now=False)
            self._gains[d] = np.nan if clock.drift_ms is None else clock.drift_ms
            said = VERDICTS.index(clock.verdict) if clock.verdict in VERDICTS else UNKNOWN
            self._told[d] = said, NONE if clock.offset_ms is None else clock.offset_ms, clock.at, self._fallen(d)

    @staticmethod
    def _put(table: Ints, slots: Ints, d: int, slot: object, delays: object) -> None:
        if isinstance(slot, int) and isinstance(delays, list) and len(delays) == table.shape[1]:
            slots[d] = slot
            table[d] = [NONE if x is None else x for x in delays]

    def saw(self, batch: Batch, keys: Sequence[SeriesKey]) -> None:
        """Rows with the times the devices gave them (not those of a replay, whose times were moved)."""
        if not len(batch):
            return
        if len(keys) > len(self._device_of):
            more = [self._number(key.sensor.partition("/")[0]) for key in keys[len(self._device_of) :]]
            self._device_of = np.append(self._device_of, np.array(more, dtype=np.int64))
        device, time, received = self._device_of[batch.series], batch.time, batch.received
        if len(batch) > LARGE and received.min() // SLOT_MS == received.max() // SLOT_MS:
            first = np.append(0, np.flatnonzero(device[1:] != device[:-1]) + 1)  # the series of one device stand together
            delay, received = np.minimum.reduceat(received - time, first), np.maximum.reduceat(received, first)
            device, time = device[first], received - delay
        self._rows.append((device, time, received))
        self._kept += len(device)
        if self._kept > MOST_ROWS:
            self._digest()

    def refused(self, device: str, offset_ms: int, received: int) -> None:
        """A message whose time cannot be, `offset_ms` from its arrival."""
        delay = -offset_ms
        key = (self._number(device), received - delay < Y2000_MS)
        known = self._refused.get(key, (delay, received))
        self._refused[key] = min(known[0], delay), max(known[1], received)

    def _number(self, device: str) -> int:
        found = self._index.get(device)
        if found is not None:
            return found
        self._index[device] = d = len(self._names)
        self._names.append(device)
        if d >= len(self._last):
            self._grow(max(64, 2 * d))
        return d

    def _grow(self, size: int) -> None:
        def more(table: Ints, fill: int) -> Ints:
            grown = np.full((size, *table.shape[1:]), fill, dtype=table.dtype)
            grown[: len(table)] = table
            return grown

        self._delays, self._days = more(self._delays, int(NONE)), more(self._days, int(NONE))
        self._slot, self._day = more(self._slot, -1), more(self._day, -1)
        self._last, self._near = more(self._last, 0), more(self._near, 0)
        self._told = more(self._told, -1)
        self._gains = np.append(self._gains, np.full(size - len(self._gains), np.nan))
        self._changed = np.append(self._changed, np.zeros(size - len(self._changed), dtype=np.bool_))

    # ------------------------------------------------------------ measuring

    def _digest(self) -> None:
        """Of every device its smallest delay in each stretch of arrivals."""
        for (d, _), (delay, at) in sorted(self._refused.items(), key=lambda item: item[1][1]):
            self._observe(np.array([d]), np.array([delay], dtype=np.int64), np.array([at], dtype=np.int64))
        self._refused = {}
        if not self._rows:
            return
        device, time, received = (np.concatenate(column) for column in zip(*self._rows, strict=True))
        self._rows, self._kept = [], 0
        delay, minutes = received - time, received // SLOT_MS
        ends = [len(minutes)]
        if minutes.min() != minutes.max():
            order = np.argsort(minutes, kind="stable")
            device, delay, received, minutes = device[order], delay[order], received[order], minutes[order]
            ends = [*(np.flatnonzero(minutes[1:] != minutes[:-1]) + 1).tolist(), len(minutes)]
        start = 0
        for end in ends[-1 :: -max(1, len(ends) // MOST_RUNS)][::-1]:
            of = device[start:end]
            lowest = np.full(len(self._names), NONE, dtype=np.int64)
            np.minimum.at(lowest, of, delay[start:end])
            arrived = np.zeros(len(self._names), dtype=np.int64)
            np.maximum.at(arrived, of, received[start:end])
            met = np.flatnonzero(lowest < NONE)
            self._observe(met, lowest[met], arrived[met])
            start = end

    def _observe(self, d: Ints, delay: Ints, received: Ints) -> None:
        """One delay each of different devices."""
        self._last[d] = np.maximum(self._last[d], received)
        far = np.abs(delay) > FAR_MS
        if far.any():
            for one, waited, at in zip(d[far].tolist(), delay[far].tolist(), received[far].tolist(), strict=True):
                self._observe_far(one, at - waited, at)
            d, delay, received = d[~far], delay[~far], received[~far]
        self._near[d] = np.maximum(self._near[d], received)
        if self._far:
            for one in self._far.keys() & set(d.tolist()):
                self._far[one].now &= self._far[one].received > self._near[one]
        self._changed[self._keep(self._delays, self._slot, d, delay, received // SLOT_MS)] = True
        before = self._day[d]
        self._keep(self._days, self._day, d, delay, received // HALF_DAY)
        for one in d[self._day[d] != before].tolist():
            gains = drift(self._days[one].tolist())
            self._gains[one] = np.nan if gains is None else gains

    @staticmethod
    def _keep(table: Ints, slots: Ints, d: Ints, delay: Ints, slot: Ints) -> Ints:
        """Into the slot of their arrival; one older than the current slot says nothing new. Returns the devices of which something changed."""
        new, same = slot > slots[d], slot == slots[d]
        fresh, old = d[new], d[same]
        if len(fresh):
            table[fresh, :-1] = table[fresh, 1:]
            table[fresh, -1] = delay[new]
            slots[fresh] = slot[new]
        better = delay[same] < table[old, -1]
        better_of = old[better]
        table[better_of, -1] = delay[same][better]
        return np.append(fresh, better_of)

    def _observe_far(self, d: int, time: int, received: int) -> None:
        """A time far from ours. A clock that lost its own shows by an impossible time, by running on, or by beginning there again."""
        found = self._far.get(d)
        lost = time < Y2000_MS or time > received
        if found is None or not found.now or time < found.time - SAME_START_MS:
            # a backlog and recorded data do not run on at a clock's pace, and so may begin twice
            again = found is not None and abs(time - found.start) <= SAME_START_MS and (found.steady > 0 or not found.now)
            found = self._far[d] = _Far(found.start if again and found is not None else time, time, received)
            lost = lost or again
        elif received - found.received >= 1000:
            ran, passed = time - found.time, received - found.received
            found.steady = found.steady + 1 if abs(ran - passed) <= max(5_000, passed // 10) else 0
            found.time, found.received = time, received
            lost = lost or found.steady >= 3
        found.now = received > self._near[d]
        if lost:
            self._reset[d] = received, found.start
            self._changed[d] = True

    # ------------------------------------------------------------ out

    def take(self, is_clockless: Callable[[str], bool] = lambda device: False) -> tuple[DeviceClock, ...]:
        """What is worth a row since the last call."""
        self._digest()
        changed = np.flatnonzero(self._changed[: len(self._names)])
        if not len(changed):
            return ()
        self._changed[changed] = False
        offset, spread, said = self._estimates(changed)
        told = self._told[changed]
        since = self._last[changed] - told[:, 2]
        moved = (np.abs(offset - told[:, 1]) > CHANGE_MS) | (since >= WRITE_EVERY_MS) | ((since >= SLOT_MS) & (said != VERDICTS.index("good")))
        fallen = np.array([self._fallen(d) for d in changed.tolist()]) if self._reset else np.full(len(changed), NONE)
        news = np.flatnonzero((said != told[:, 0]) | moved | (fallen != told[:, 3]))
        if len(news) > MOST_NEWS:  # ten thousand devices that are new at once: those that are well can wait some seconds
            news = news[np.argsort(said[news] == VERDICTS.index("good"), kind="stable")]
            self._changed[changed[news[MOST_NEWS:]]] = True
            news = news[:MOST_NEWS]
        self._told[changed[news]] = np.stack([said, offset, self._last[changed], fallen], axis=1)[news]
        rows = zip(changed[news].tolist(), offset[news].tolist(), spread[news].tolist(), said[news].tolist(), strict=True)
        return tuple(self._row(*row) for row in rows if not is_clockless(self._names[row[0]]))

    def heard(self, now: int, is_clockless: Callable[[str], bool] = lambda device: False) -> list[int]:
        """How far each device heard in the last minutes was ahead of us in the newest of them [ms]; call `take` first."""
        lately = np.flatnonzero(np.abs(now - self._near[: len(self._names)]) <= HEARD_MS)
        newest = self._delays[[d for d in lately.tolist() if not is_clockless(self._names[d])], -1]
        far = [f.time - f.received for d, f in self._far.items() if f.now and abs(now - f.received) <= HEARD_MS]
        return [-delay for delay in newest[newest < NONE].tolist()] + far

    def _estimates(self, d: Ints) -> tuple[Ints, Ints, Ints]:
        """Offset (NONE where there is no estimate), spread and verdict of devices."""
        offset, spread, said = np.full(len(d), NONE), np.full(len(d), NONE), np.full(len(d), UNKNOWN)
        there = np.flatnonzero(self._delays[d].min(axis=1) < NONE)
        if len(there):
            found = level(self._delays[d[there]])
            offset[there], spread[there] = -found.delay, found.spread
            said[there] = verdicts(-found.delay, found.near, found.falling, ~np.isnan(self._gains[d[there]]))
        for i, one in enumerate(d.tolist()) if self._far else ():
            if one in self._reset and one in self._far and self._far[one].now:
                said[i] = LOST
        return offset, spread, said

    def _fallen(self, d: int) -> int:
        return min(self._reset[d][1], int(NONE) - 1) if d in self._reset else int(NONE)

    def _row(self, d: int, offset: int, spread: int, said: int) -> DeviceClock:
        reset_at, reset_to = self._reset.get(d, (None, None))
        memory: dict[str, Any] = {
            "slot": int(self._slot[d]),
            "delays": [None if x >= NONE else x for x in self._delays[d].tolist()],
            "day": int(self._day[d]),
            "days": [None if x >= NONE else x for x in self._days[d].tolist()],
        }
        if d in self._far:
            memory["start"] = self._far[d].start
        return DeviceClock(
            device=self._names[d],
            verdict=VERDICTS[said],
            offset_ms=None if offset >= NONE else offset,
            spread_ms=None if spread >= NONE else spread,
            drift_ms=None if np.isnan(self._gains[d]) else float(self._gains[d]),
            at=int(self._last[d]),
            reset_at=reset_at,
            reset_to=reset_to,
            memory=memory,
        )
