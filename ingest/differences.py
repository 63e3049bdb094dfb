"""What the store holds beside what today's decoders and deployments give: pure, on columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.flags import CLOCK_BIT, WITHDRAWN_BIT, Flag
from core.place import FOREVER
from core.redecode import Change, Kind
from core.series import SeriesKey

_TIME_BITS = 44  # ms since 1970, until the year 2527
_WITHDRAWN = np.int64(1) << WITHDRAWN_BIT
_CLOCK = np.int64(1) << CLOCK_BIT
_ULPS = 4  # less than this apart is the same number, computed on another processor

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """`write`: rows to store; `withdraw`: stored rows with their new flag; `doubtful`: stored rows that nothing gives, of which
    the caller must find out whether their message is still there. `changes` tells of `write` and `withdraw`. `left`: how many
    have another value, and nobody knows whether a message that cannot be read gave it."""

    write: Batch
    withdraw: Batch
    doubtful: Batch
    changes: list[Change]
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What of the messages was not read. `lost`: between these arrivals, both included, something came that cannot be read;
    `ties`: rows that arrived together with those wanted; `others`: whether there are journals that were not read,
    also such as are forgotten; `again`: whether in one of these a clockless object may have come again; `away`: whether one of these
    can be read yet; `blind`: not even the times are sure."""

    lost: Sequence[tuple[int, int]] = ()
    ties: Batch = field(default_factory=Batch.empty)
    others: bool = False
    again: bool = False
    away: bool = False
    blind: bool = False


NO_GAPS = Gaps()


def compare(wanted: Batch, stored: Batch, keys: Sequence[SeriesKey], gaps: Gaps = NO_GAPS) -> Differences:
    """Both sorted by (series, time), each identity once; `series` of both, and of ties, indexes `keys`.

    A value is written over only where whatever arrived from the wanted row on until the stored one was read.
    """
    if gaps.blind:
        return Differences(write=Batch.empty(), withdraw=Batch.empty(), doubtful=stored.take(stored.tests & _WITHDRAWN == 0), changes=[])
    w, s = _codes(wanted.series, wanted.time), _codes(stored.series, stored.time)
    at = np.minimum(np.searchsorted(s, w), max(0, len(s) - 1))
    met = s[at] == w if len(s) else np.zeros(len(w), dtype=np.bool_)
    old = np.full(len(w), np.nan)
    given = np.zeros(len(w), dtype=np.int64)
    received = wanted.received.copy()
    if len(s):
        old[met], given[met] = stored.value[at[met]], stored.tests[at[met]]
        received[met] = np.maximum(received[met], stored.received[at[met]])  # of the arrival written last
    was_withdrawn = met & (given & _WITHDRAWN != 0)
    differs = met & _differs(old, wanted.value)
    unsure = differs & _unsure(wanted, received, old, w, keys, gaps)
    other = differs & ~was_withdrawn & ~unsure
    tests = np.where(met, (wanted.tests & ~_CLOCK) | (given & _CLOCK), wanted.tests)  # what live ingest saw of a clock stands
    was_withdrawn &= ~unsure
    chosen = ~met | other | was_withdrawn
    write = Batch(series=wanted.series, time=wanted.time, value=wanted.value, flag=wanted.flag, tests=tests, received=received).take(chosen)
    kinds = np.where(~met, "new", np.where(was_withdrawn, "restored", "value"))[chosen]
    changes = [*_told(write, keys, kinds.tolist(), old[chosen].tolist())]
    spare = np.isin(s, w, assume_unique=True, invert=True) & (stored.tests & _WITHDRAWN == 0)
    moved = spare & _elsewhere(wanted, stored, keys)
    withdraw = withdrawn(stored.take(moved))
    changes += tell_withdrawn(withdraw, keys)
    return Differences(write=write, withdraw=withdraw, doubtful=stored.take(spare & ~moved), changes=changes, left=int(unsure.sum()))


def _unsure(wanted: Batch, received: NDArray[np.int64], old: NDArray[np.float64], codes: Codes, keys: Sequence[SeriesKey], gaps: Gaps) -> NDArray[np.bool_]:
    """Which of the wanted rows may have been written over live by a message that was not read, or that arrived together with theirs."""
    unsure = near(gaps.lost, wanted.received, reach(wanted.series, received, keys))
    if gaps.others:
        unsure |= received > wanted.received
    if gaps.again:
        unsure |= reach(wanted.series, received, keys) == FOREVER
    if len(gaps.ties):
        at = np.searchsorted(codes, _codes(gaps.ties.series, gaps.ties.time))
        unsure[at[~_differs(old[at], gaps.ties.value)]] = True
    return unsure


def reach(series: NDArray[np.int32], received: NDArray[np.int64], keys: Sequence[SeriesKey]) -> NDArray[np.int64]:
    """Until when a message may have arrived that gave these rows [ms]: of battery and signal nobody knows.

    They are no part of a clockless object's identity, and one that came again keeps its first arrival.
    """
    of_device = np.array([key.quantity.startswith("device.") for key in keys], dtype=np.bool_)
    return np.where(of_device[series], FOREVER, received) if len(keys) else received


def near(lost: Sequence[tuple[int, int]], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For which of the spans first … last [ms] something that arrived within it may be lost."""
    found = np.zeros(len(first), dtype=np.bool_)
    for low, high in lost:
        found |= (first <= high) & (last >= low)
    return found


def withdrawn(rows: Batch) -> Batch:
    """The same rows with the flag and the bit of what is withdrawn: nothing is removed."""
    flag = np.full(len(rows), Flag.MISSING, dtype=np.uint8)
    return Batch(series=rows.series, time=rows.time, value=rows.value, flag=flag, tests=rows.tests | _WITHDRAWN, received=rows.received)


def tell_withdrawn(rows: Batch, keys: Sequence[SeriesKey]) -> list[Change]:
    """Their changes."""
    columns = zip(rows.series.tolist(), rows.time.tolist(), rows.value.tolist(), strict=True)
    return [Change(key=keys[series], time=time, kind="withdrawn", old=value, new=None) for series, time, value in columns]


def _told(rows: Batch, keys: Sequence[SeriesKey], kinds: Sequence[Kind], old: Sequence[float]) -> list[Change]:
    columns = zip(rows.series.tolist(), rows.time.tolist(), rows.value.tolist(), kinds, old, strict=True)
    return [Change(key=keys[series], time=time, kind=kind, old=None if kind == "new" else was, new=value) for series, time, value, kind, was in columns]


def _codes(series: NDArray[np.int32], time: NDArray[np.int64]) -> Codes:
    return (series.astype(np.int64) << _TIME_BITS) | time


def _differs(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.abs(a - b) > _ULPS * np.spacing(np.maximum(np.abs(a), np.abs(b)))


def _elsewhere(wanted: Batch, stored: Batch, keys: Sequence[SeriesKey]) -> NDArray[np.bool_]:
    """Stored rows whose very reading (sensor, quantity, time) is wanted at another place of its org: what was sent under another org is another's."""
    names: dict[tuple[str, str, str], int] = {}
    of = np.array([names.setdefault((key.org, key.sensor, key.quantity), len(names)) for key in keys], dtype=np.int32)
    if not len(of):
        return np.zeros(len(stored), dtype=np.bool_)
    return np.isin(_codes(of[stored.series], stored.time), _codes(of[wanted.series], wanted.time))
