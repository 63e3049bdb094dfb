"""`doctor --repair`: `series_state` rebuilt from what the store holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.batch import Batch
from core.flags import Flag
from core.place import ALWAYS, FOREVER
from core.ports import SeriesStore, States
from core.series import SeriesKey
from core.state import Latest, SeriesState
from registry.directory import Directory

_BLOCK = 50_000


async def rebuild(store: SeriesStore, states: States, directory: Directory, moved: Callable[[int, int], None]) -> int:
    """One row per stored series: newest and newest good from the store, all of it to be judged again. Returns how many."""
    keys = await store.series()
    rows: list[SeriesState] = []
    for number, key in enumerate(keys):
        row = await _row(store, directory, key)
        if row is not None:
            rows.append(row)
        moved(number + 1, len(keys))
    await states.replace(rows)
    return len(rows)


async def _row(store: SeriesStore, directory: Directory, key: SeriesKey) -> SeriesState | None:
    newest: Latest | None = None
    good: Latest | None = None
    received, oldest, start = 0, 0, ALWAYS
    while True:
        batch = await store.read([key], start, FOREVER, limit=_BLOCK)
        if len(batch):
            oldest = oldest or int(batch.time[0])
            newest, received = _at(batch, -1), int(batch.received[-1])
            marks = np.flatnonzero(batch.flag == Flag.GOOD)
            good = _at(batch, int(marks[-1])) if len(marks) else good
        if len(batch) < _BLOCK:
            break
        start = int(batch.time[-1]) + 1
    if newest is None:
        return None
    device, _, channel = key.sensor.partition("/")
    deployment = directory.deployment(device, channel or "main", newest.time)
    role = deployment.role if deployment else "primary"
    return SeriesState(key=key, role=role, newest=newest, received=received, judged=newest, good=good, dirty_from=oldest, changed=0)


def _at(batch: Batch, row: int) -> Latest:
    return Latest(time=int(batch.time[row]), value=float(batch.value[row]), flag=int(batch.flag[row]))
