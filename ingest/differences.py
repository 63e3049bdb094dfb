"""What the store holds beside what today's decoders and deployments give: pure, on columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.batch import Batch
from core.flags import CLOCK_BIT, WITHDRAWN_BIT, Flag
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
    the caller must find out whether their message is still there. `changes` tells of `write` and `withdraw`."""

    write: Batch
    withdraw: Batch
    doubtful: Batch
    changes: list[Change]


def compare(wanted: Batch, stored: Batch, keys: Sequence[SeriesKey]) -> Differences:
    """Both sorted by (series, time), each identity once; `series` of both indexes `keys`."""
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
    other = met & ~was_withdrawn & _differs(old, wanted.value)
    tests = np.where(met, (wanted.tests & ~_CLOCK) | (given & _CLOCK), wanted.tests)  # what live ingest saw of a clock stands
    chosen = ~met | other | was_withdrawn
    write = Batch(series=wanted.series, time=wanted.time, value=wanted.value, flag=wanted.flag, tests=tests, received=received).take(chosen)
    kinds = np.where(~met, "new", np.where(was_withdrawn, "restored", "value"))[chosen]
    changes = [*_told(write, keys, kinds.tolist(), old[chosen].tolist())]
    spare = np.isin(s, w, assume_unique=True, invert=True) & (stored.tests & _WITHDRAWN == 0)
    moved = spare & _elsewhere(wanted, stored, keys)
    withdraw = withdrawn(stored.take(moved))
    changes += tell_withdrawn(withdraw, keys)
    return Differences(write=write, withdraw=withdraw, doubtful=stored.take(spare & ~moved), changes=changes)


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
    """Stored rows whose very reading (sensor, quantity, time) is wanted at another place."""
    names: dict[tuple[str, str], int] = {}
    of = np.array([names.setdefault((key.sensor, key.quantity), len(names)) for key in keys], dtype=np.int32)
    if not len(of):
        return np.zeros(len(stored), dtype=np.bool_)
    return np.isin(_codes(of[stored.series], stored.time), _codes(of[wanted.series], wanted.time))
