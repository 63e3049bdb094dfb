"""Rows of many series, sorted out by the device that measured them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.batch import Batch
from core.series import SeriesKey


def device_of(key: SeriesKey) -> str:
    """The device of a series, which its sensor names."""
    return key.sensor.partition("/")[0]


def by_device(rows: Batch, keys: Sequence[SeriesKey]) -> list[tuple[str, np.ndarray[tuple[int], np.dtype[np.intp]]]]:
    """(device, which rows), the rows of each as they were."""
    names = sorted({device_of(key) for key in keys})
    number = {name: i for i, name in enumerate(names)}
    of = np.array([number[device_of(key)] for key in keys], dtype=np.int64)
    if not len(rows):
        return []
    owner = of[rows.series]
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(names) + 1))
    return [(name, order[bounds[i] : bounds[i + 1]]) for i, name in enumerate(names) if bounds[i + 1] > bounds[i]]


def renumbered(rows: Batch, keys: Sequence[SeriesKey], local: Sequence[SeriesKey]) -> Batch:
    """The rows of one device with `series` as indices of `local`, sorted by it."""
    place: Mapping[SeriesKey, int] = {key: i for i, key in enumerate(local)}
    used = np.unique(rows.series)
    numbers = np.array([place[keys[i]] for i in used.tolist()], dtype=np.int32)
    series = numbers[np.searchsorted(used, rows.series)]
    moved = Batch(series=series, time=rows.time, value=rows.value, flag=rows.flag, tests=rows.tests, received=rows.received)
    return moved.take(np.lexsort((moved.time, moved.series)))
